//! Who a process is, as its folder in `/proc` tells it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use procfs::FromRead;
use procfs::process::{Stat, Status};

use super::{bounded, library};
use crate::event::Process;

/// Variables that decide how a ROS program names itself and whom it finds.
pub const ENVIRONMENT: [&str; 15] = [
    "CYCLONEDDS_URI",
    "FASTDDS_DEFAULT_PROFILES_FILE",
    "FASTRTPS_DEFAULT_PROFILES_FILE",
    "RMW_IMPLEMENTATION",
    "ROS_AUTOMATIC_DISCOVERY_RANGE",
    "ROS_DISCOVERY_SERVER",
    "ROS_DISTRO",
    "ROS_DOMAIN_ID",
    "ROS_HOSTNAME",
    "ROS_IP",
    "ROS_IPV6",
    "ROS_LOCALHOST_ONLY",
    "ROS_MASTER_URI",
    "ROS_NAMESPACE",
    "ROS_STATIC_PEERS",
];

/// Longest command line that is kept, in bytes.
const ARGV_LIMIT: u64 = 4096;
/// How much of an environment is searched, in bytes.
const ENVIRONMENT_LIMIT: u64 = 256 * 1024;
/// Longest value of a variable that is kept, in bytes.
const VALUE_LIMIT: usize = 4096;
/// Longest file of `/proc/PID` that is read otherwise, in bytes.
const FILE_LIMIT: u64 = 64 * 1024;

pub(super) fn stat(folder: &Path) -> Option<Stat> {
    Stat::from_read(&*bounded::read(&folder.join("stat"), FILE_LIMIT).ok()?).ok()
}

/// The time since boot at which a process started, in nanoseconds.
pub(super) fn started(stat: &Stat) -> u64 {
    stat.starttime.saturating_mul(1_000_000_000 / procfs::ticks_per_second().max(1))
}

/// Everything about a process that its own folder in `/proc` tells.
pub(super) fn identify(folder: &Path, pid: u32, comm: &str) -> Process {
    let Some(stat) = stat(folder) else {
        let incomplete = Some("it had ended before it could be read".to_owned());
        return Process { pid, comm: comm.to_owned(), incomplete, ..Process::default() };
    };
    let mut missing = Vec::new();
    let mut note = |what: &str, error: &io::Error| missing.push(format!("{what}: {error}"));
    let net_namespace = fs::metadata(folder.join("ns/net")).inspect_err(|error| note("network namespace", error));
    let environment = bounded::read(&folder.join("environ"), ENVIRONMENT_LIMIT);
    let environment = environment.inspect_err(|error| note("environment", error));
    let status = bounded::read(&folder.join("status"), FILE_LIMIT).ok();
    Process {
        pid,
        started: started(&stat),
        parent: u32::try_from(stat.ppid).unwrap_or(0),
        comm: stat.comm,
        argv: argv(&bounded::read(&folder.join("cmdline"), ARGV_LIMIT).unwrap_or_default()),
        uid: status.and_then(|text| Status::from_read(&*text).ok()).map(|status| status.euid),
        net_namespace: net_namespace.map_or(0, |metadata| metadata.ino()),
        container: container(&bounded::read_text(&folder.join("cgroup"), FILE_LIMIT).unwrap_or_default()),
        shared_memory: fs::metadata(folder.join("root/dev/shm")).map(|metadata| metadata.dev()).ok(),
        client_library: library::of_process(folder, environment.as_deref().unwrap_or_default()),
        environment: ros_environment(&environment.unwrap_or_default()),
        incomplete: (!missing.is_empty()).then(|| missing.join("; ")),
        ..Process::default()
    }
}

fn argv(bytes: &[u8]) -> Vec<String> {
    let text = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|byte| *byte == 0).map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
}

/// The variables of [`ENVIRONMENT`] that are set; where one is set twice, the first counts, as it does for `getenv`.
fn ros_environment(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in bytes.split(|byte| *byte == 0) {
        let Some(equals) = entry.iter().position(|byte| *byte == b'=') else { continue };
        let (name, value) = (&entry[..equals], &entry[equals + 1..]);
        if let Some(name) = ENVIRONMENT.iter().find(|known| known.as_bytes() == name) {
            let value = String::from_utf8_lossy(&value[..value.len().min(VALUE_LIMIT)]).into_owned();
            found.entry((*name).to_owned()).or_insert(value);
        }
    }
    found
}

pub(super) fn users(passwd: &str) -> HashMap<u32, String> {
    let mut users = HashMap::new();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(uid)) = (fields.next(), fields.nth(1).and_then(|uid| uid.parse().ok())) {
            users.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    users
}

/// Id of the container in which a process runs, from its `/proc/PID/cgroup`, for cgroup v1 and v2 and with systemd's scopes
/// or plain folders: Docker, Podman, containerd and CRI-O name the last folder after the container's 64 hexadecimal digits
/// (`docker-ID.scope`, `libpod-ID.scope`, `cri-containerd-ID.scope`, `kubepods/.../ID`); LXC uses `lxc.payload.NAME`.
fn container(cgroup: &str) -> Option<String> {
    let paths = cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths.flat_map(|path| path.rsplit('/')).find_map(container_folder)
}

fn container_folder(folder: &str) -> Option<String> {
    if let Some(name) = folder.strip_prefix("lxc.payload.") {
        return Some(name.chars().take(12).collect());
    }
    // conmon is the process that keeps watch over a container, outside of it.
    if folder.contains("conmon") {
        return None;
    }
    let id = folder.strip_suffix(".scope").unwrap_or(folder).rsplit(['-', ':']).next()?;
    (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id[..12].to_owned())
}

pub(super) fn current_hostname() -> Option<String> {
    Some(nix::unistd::gethostname().ok()?.to_string_lossy().into_owned())
}

/// Needs `CAP_SYS_ADMIN`; `None` without it.
pub(super) fn hostname_inside(path: &Path) -> Option<String> {
    let namespace = fs::File::open(path).ok()?;
    // A UTS namespace belongs to a thread, and this one ends with the answer.
    let thread = std::thread::Builder::new().name("hostname".to_owned()).spawn(move || {
        nix::sched::setns(&namespace, nix::sched::CloneFlags::CLONE_NEWUTS).ok()?;
        current_hostname()
    });
    thread.ok()?.join().ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_from_their_cgroups() {
        let id = "4f5ed1c0a9b8e7d6".repeat(4);
        let cases = [
            (format!("12:memory:/docker/{id}\n1:name=systemd:/docker/{id}"), true),
            (format!("0::/system.slice/docker-{id}.scope"), true),
            (format!("0::/machine.slice/libpod-{id}.scope/container"), true),
            (format!("0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope"), true),
            (format!("0::/machine.slice/libpod-conmon-{id}.scope"), false),
            (
                format!(
                    "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podab.slice/cri-containerd-{id}.scope"
                ),
                true,
            ),
            (format!("0::/kubepods.slice/kubepods-pod12.slice/crio-{id}.scope"), true),
            (format!("11:cpu:/kubepods/burstable/pod0123/{id}"), true),
            (format!("0::/system.slice/containerd.service/kubepods-podab.slice:cri-containerd:{id}"), true),
            ("0::/user.slice/user-1000.slice/session-3.scope".to_owned(), false),
            ("0::/".to_owned(), false),
            (String::new(), false),
        ];
        for (cgroup, inside) in cases {
            assert_eq!(container(&cgroup), inside.then(|| "4f5ed1c0a9b8".to_owned()), "{cgroup}");
        }
        assert_eq!(container("0::/lxc.payload.robot/init.scope"), Some("robot".to_owned()));
    }

    #[test]
    fn only_ros_variables_are_kept_and_the_first_of_two_counts() {
        let environ =
            b"HOME=/root\0ROS_IP=10.0.1.1\0ROS_IP=10.0.1.9\0broken\0ROS_MASTER_URI=http://router:11311/\0ROS_IPX=1\0";
        let expected = [("ROS_IP", "10.0.1.1"), ("ROS_MASTER_URI", "http://router:11311/")];
        let expected: BTreeMap<_, _> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(ros_environment(environ), expected);
        let long = [b"ROS_IP=".as_slice(), &[b'1'; 9000]].concat();
        assert_eq!(ros_environment(&long)["ROS_IP"].len(), VALUE_LIMIT);
    }

    #[test]
    fn command_lines_keep_empty_arguments() {
        assert_eq!(argv(b"rostopic\0echo\0\0/t\0"), ["rostopic", "echo", "", "/t"]);
        assert_eq!(argv(b""), Vec::<String>::new());
    }

    #[test]
    fn user_names_come_from_passwd() {
        let users = users("root:x:0:0:root:/root:/bin/sh\nbroken\nros:x:1000:1000::/home/ros:/bin/bash\n");
        assert_eq!(users[&0], "root");
        assert_eq!(users[&1000], "ros");
        assert_eq!(users.len(), 2);
    }
}
