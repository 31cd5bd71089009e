//! The ROS 1 client library of a process, from what it has mapped and open.

use std::fs;
use std::path::Path;

use super::bounded;
use crate::event::ClientLibrary;

/// How much of a process's map is searched, in bytes.
const MAP_LIMIT: u64 = 1024 * 1024;
/// Descriptors that are looked at: rospy opens its log before everything else.
const DESCRIPTOR_LIMIT: usize = 256;
/// Where logs are below a home directory, unless `ROS_HOME` or `ROS_LOG_DIR` say otherwise.
const LOGS: &str = "/.ros/log/";

/// The library, where one is seen. Only who has a variable of ROS is looked at: every node is started with `ROS_MASTER_URI`, or finds
/// its master without it.
pub(super) fn of_process(folder: &Path, environ: &[u8]) -> Option<ClientLibrary> {
    if !has_ros_variable(environ) {
        return None;
    }
    let map = bounded::read_text(&folder.join("maps"), MAP_LIMIT).unwrap_or_default();
    if map.lines().any(|line| line.contains("/libroscpp.so")) {
        return Some(ClientLibrary::Roscpp);
    }
    let folders = ["ROS_LOG_DIR", "ROS_HOME"].map(|name| variable(environ, name));
    let descriptors = fs::read_dir(folder.join("fd")).into_iter().flatten().flatten().take(DESCRIPTOR_LIMIT);
    let mut open = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    open.any(|path| path.to_str().is_some_and(|path| is_log(path, &folders))).then_some(ClientLibrary::Rospy)
}

/// Whether a process with that environment was started for ROS 1.
pub(super) fn has_ros_variable(environ: &[u8]) -> bool {
    environ.split(|byte| *byte == 0).any(|entry| entry.starts_with(b"ROS_MASTER_URI="))
}

fn variable(environ: &[u8], name: &str) -> Option<String> {
    let of_name = |entry: &&[u8]| entry.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
    let entry = environ.split(|byte| *byte == 0).find(of_name)?;
    let value = String::from_utf8_lossy(&entry[name.len() + 1..]).into_owned();
    (!value.is_empty()).then_some(value)
}

/// A log of a node: roslaunch, roscore and the master keep theirs in the same folder, and are no nodes.
fn is_log(path: &str, folders: &[Option<String>]) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    // What roslaunch starts need not be a node.
    let of_launch = name.starts_with("roslaunch-") || name == "master.log" || name.ends_with("-stdout.log");
    let below =
        |folder: &String| path.strip_prefix(folder.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
    Path::new(name).extension().is_some_and(|extension| extension == "log")
        && !of_launch
        && (path.contains(LOGS) || folders.iter().flatten().any(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_of_python_is_told_by_its_log() {
        let own = [Some("/var/log/ros/".to_owned()), None];
        for (path, folders, node) in [
            ("/home/pi/.ros/log/talker-1.log", &[None, None], true),
            ("/home/pi/.ros/log/0a1b-22/talker-1.log", &[None, None], true),
            ("/home/pi/.ros/log/0a1b-22/master.log", &[None, None], false),
            ("/home/pi/.ros/log/0a1b-22/roslaunch-robot-17.log", &[None, None], false),
            ("/var/log/ros/talker.log", &own, true),
            ("/var/log/ros2/talker.log", &own, false),
            ("/home/pi/.ros/log/0a1b-22/camera-1-stdout.log", &[None, None], false),
            ("/home/pi/.ros/rosdep/cache", &[None, None], false),
            ("socket:[17]", &own, false),
        ] {
            assert_eq!(is_log(path, folders), node, "{path}");
        }
    }

    #[test]
    fn what_is_no_node_uses_no_library() {
        let own = Path::new("/proc/self");
        assert_eq!(of_process(own, b"ROS_MASTER_URI=http://a:1\0"), None, "this test has the variable and no more");
        assert_eq!(of_process(own, b""), None);
        assert_eq!(variable(b"A=1\0ROS_HOME=/r\0", "ROS_HOME"), Some("/r".to_owned()));
        assert_eq!(variable(b"ROS_HOMEX=/r\0ROS_HOME=\0", "ROS_HOME"), None);
    }
}
