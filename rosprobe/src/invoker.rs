//! Who called rosprobe through sudo: a command is run, and a file is owned, as that user and not as root.

use std::collections::HashSet;
use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, User, getgrouplist, setgid, setgroups, setuid};
use procfs::FromRead;
use procfs::process::Stat;

/// The user behind sudo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoker {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    name: Option<String>,
    home: Option<PathBuf>,
    /// The environment that sudo was called with, before it cleaned it; empty when it could not be read.
    environment: Vec<(OsString, OsString)>,
}

/// Longest environment that is taken over, in bytes; the kernel's own limit for one string is 128 KiB.
const ENVIRONMENT_LIMIT: u64 = 2 << 20;

impl Invoker {
    /// The user behind sudo, when rosprobe runs as root through it.
    pub fn of_this_process() -> Option<Self> {
        if !Uid::effective().is_root() {
            return None;
        }
        let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
        let (uid, gid) = (number("SUDO_UID")?, number("SUDO_GID")?);
        (uid != 0).then(|| Self::new(Uid::from_raw(uid), Gid::from_raw(gid)))
    }

    fn new(uid: Uid, gid: Gid) -> Self {
        let user = User::from_uid(uid).ok().flatten();
        let name = user.as_ref().map(|user| user.name.clone());
        let c_name = name.as_ref().and_then(|name| CString::new(name.as_bytes()).ok());
        let groups = c_name.and_then(|name| getgrouplist(&name, gid).ok()).unwrap_or_else(|| vec![gid]);
        let environment = environment_before_sudo(Path::new("/proc")).unwrap_or_default();
        Self { uid, gid, groups, name, home: user.map(|user| user.dir), environment }
    }

    /// The variables that sudo was called with.
    pub fn environment(&self) -> &[(OsString, OsString)] {
        &self.environment
    }

    /// Makes `command` run as this user: ids, all groups, and the environment of the shell that called sudo. Where that cannot be
    /// read, sudo's environment with HOME, USER and LOGNAME put right.
    pub fn apply(&self, command: &mut tokio::process::Command) {
        if self.environment.is_empty() {
            let name = self.name.clone().unwrap_or_else(|| self.uid.to_string());
            command.env("USER", &name).env("LOGNAME", &name);
            command.env("HOME", self.home.as_deref().unwrap_or(Path::new("/")));
            for variable in ["SUDO_COMMAND", "SUDO_GID", "SUDO_UID", "SUDO_USER"] {
                command.env_remove(variable);
            }
        } else {
            command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        }
        let Self { uid, gid, groups, .. } = self.clone();
        // SAFETY: between fork and exec only async-signal-safe calls are allowed; these are three system calls on values that were
        // made before the fork, and they allocate nothing.
        unsafe {
            command.pre_exec(move || {
                setgroups(&groups)?;
                setgid(gid)?;
                setuid(uid)?;
                Ok(())
            });
        }
    }
}

/// A path as a shell understands it: `~/a.json` is in the home of whoever called, through sudo or not.
pub fn expand_home(path: &Path) -> PathBuf {
    let home = || match Invoker::of_this_process() {
        Some(invoker) => invoker.home,
        None => std::env::var_os("HOME").map(PathBuf::from),
    };
    match path.strip_prefix("~") {
        Ok(rest) => home().map_or_else(|| path.to_owned(), |home| home.join(rest)),
        Err(_) => path.to_owned(),
    }
}

/// The environment of the outermost sudo above this process: sudo cleans what it hands on, but `/proc` still shows what it was given.
fn environment_before_sudo(proc: &Path) -> Option<Vec<(OsString, OsString)>> {
    let mut pid = std::os::unix::process::parent_id();
    let mut outermost = None;
    let mut seen = HashSet::new();
    while seen.insert(pid) {
        let folder = proc.join(pid.to_string());
        let Some(stat) = stat(&folder).filter(|stat| stat.comm == "sudo") else { break };
        outermost = Some(folder);
        pid = u32::try_from(stat.ppid).ok()?;
    }
    let bytes = read_limited(&outermost?.join("environ")).ok()?;
    Some(bytes.split(|byte| *byte == 0).filter_map(variable).collect())
}

fn stat(folder: &Path) -> Option<Stat> {
    Stat::from_read(fs::File::open(folder.join("stat")).ok()?).ok()
}

fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, ENVIRONMENT_LIMIT), &mut bytes)?;
    Ok(bytes)
}

fn variable(entry: &[u8]) -> Option<(OsString, OsString)> {
    let equals = entry.iter().position(|byte| *byte == b'=').filter(|equals| *equals > 0)?;
    let text = |bytes| OsStr::from_bytes(bytes).to_owned();
    Some((text(&entry[..equals]), text(&entry[equals + 1..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shells_environment_is_that_of_the_outermost_sudo() {
        let proc = tempfile::tempdir().unwrap();
        let parent = std::os::unix::process::parent_id();
        let process = |pid: u32, comm: &str, ppid: u32, environ: &[u8]| {
            let folder = proc.path().join(pid.to_string());
            fs::create_dir(&folder).unwrap();
            let numbers = "0 ".repeat(48);
            fs::write(folder.join("stat"), format!("{pid} ({comm}) S {ppid} {}", numbers.trim_end())).unwrap();
            fs::write(folder.join("environ"), environ).unwrap();
        };
        let (monitor, shell) = (1 << 23, (1 << 23) + 1);
        process(parent, "sudo", monitor, b"ROS_IP=wrong\0");
        process(monitor, "sudo", shell, b"ROS_IP=10.0.1.1\0PATH=/opt/ros/bin:/bin\0=odd\0");
        process(shell, "bash", 1, b"ROS_IP=shell\0");
        let found = environment_before_sudo(proc.path()).unwrap();
        let expected = [("ROS_IP", "10.0.1.1"), ("PATH", "/opt/ros/bin:/bin")];
        assert_eq!(found, expected.map(|(name, value)| (name.into(), value.into())));
    }

    #[test]
    fn without_sudo_there_is_nothing_to_take_over() {
        let proc = tempfile::tempdir().unwrap();
        assert_eq!(environment_before_sudo(proc.path()), None);
    }
}
