//! Who a process is, read from `/proc` at first sight and kept for as long as it lives.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use procfs::FromRead;
use procfs::process::{Stat, Status};

use super::bounded;
use super::namespace::NamespaceTable;
use crate::event::{Event, Fact, Monotonic, Process, ProcessRef};

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
/// Processes remembered at one time.
const PROCESS_LIMIT: usize = 32 * 1024;
/// Names of threads remembered of each process.
const THREAD_NAMES_LIMIT: usize = 16;
/// A remembered process is looked at again after this time: its pid may have been reused, or it may have become another program.
const RECHECK_NS: u64 = 5_000_000_000;

/// Processes by pid, with the network namespaces they live in.
#[derive(Debug)]
pub struct ProcessTable {
    proc: PathBuf,
    users: HashMap<u32, String>,
    known: HashMap<u32, Known>,
    hostnames: HashMap<u64, Option<String>>,
    namespaces: NamespaceTable,
}

#[derive(Debug)]
struct Known {
    reference: ProcessRef,
    net_namespace: u64,
    checked: Monotonic,
    exited: bool,
    /// Names that the kernel gave with events of its threads, where they are not its own.
    thread_names: Vec<String>,
}

impl Default for ProcessTable {
    fn default() -> Self {
        Self::new()
    }
}

impl ProcessTable {
    /// An empty table. User names come from `/etc/passwd`: asking a name service could mean asking the network.
    pub fn new() -> Self {
        let passwd = bounded::read_text(Path::new("/etc/passwd"), 1024 * 1024).unwrap_or_default();
        Self {
            proc: PathBuf::from("/proc"),
            users: users(&passwd),
            known: HashMap::new(),
            hostnames: HashMap::new(),
            namespaces: NamespaceTable::default(),
        }
    }

    /// The reference under which the process is known. At first sight its [`Fact::Process`], and its network namespace's
    /// [`Fact::Namespace`], are appended to `out`. `comm` is the name that the kernel gave with the event; it is used when the
    /// process is already gone.
    pub fn resolve(&mut self, time: Monotonic, pid: u32, comm: &str, out: &mut Vec<Event>) -> ProcessRef {
        if let Some(known) = self.known.get_mut(&pid) {
            // Another name: one of its threads, or the process has become another program.
            let stranger = known.reference.comm != comm && known.thread_names.iter().all(|name| name != comm);
            let fresh = !known.exited && !stranger && time.since(known.checked).as_nanos() < u128::from(RECHECK_NS);
            if fresh {
                return known.reference.clone();
            }
            if still_the_same(&self.proc, &known.reference) {
                known.checked = time;
                if stranger && known.thread_names.len() < THREAD_NAMES_LIMIT {
                    known.thread_names.push(comm.to_owned());
                }
                return known.reference.clone();
            }
        }
        self.look(time, pid, comm, out)
    }

    /// The reference of a process of which nothing was heard; see [`resolve`](Self::resolve). `None` when it is gone.
    pub fn resolve_silent(&mut self, time: Monotonic, pid: u32, out: &mut Vec<Event>) -> Option<ProcessRef> {
        let comm = stat(&self.proc.join(pid.to_string()))?.comm;
        Some(self.resolve(time, pid, &comm, out))
    }

    /// The process ended. It stays known under its reference, because its sockets are closed after it.
    pub fn exited(&mut self, pid: u32) {
        if let Some(known) = self.known.get_mut(&pid) {
            known.exited = true;
        }
    }

    /// The process became another program (`execve`): it is read anew at its next event.
    pub fn executed(&mut self, pid: u32) {
        self.known.remove(&pid);
    }

    /// Something failed in this process that addresses, routes or names may explain: what its network namespace looks like is
    /// read again, unless that was done just before, and appended to `out` when it changed. Call it before the failing event is
    /// handed on, so that the facts are there when the event is judged.
    pub fn refresh_namespace(&mut self, time: Monotonic, pid: u32, out: &mut Vec<Event>) {
        if let Some(known) = self.known.get(&pid) {
            let fact = self.namespaces.refresh(time, &self.proc.join(pid.to_string()), pid, known.net_namespace);
            out.extend(fact.map(|namespace| event(time, &known.reference, Fact::Namespace(Box::new(namespace)))));
        }
    }

    fn look(&mut self, time: Monotonic, pid: u32, comm: &str, out: &mut Vec<Event>) -> ProcessRef {
        let folder = self.proc.join(pid.to_string());
        let mut process = identify(&folder, pid, comm);
        process.user = process.uid.and_then(|uid| self.users.get(&uid).cloned());
        process.hostname = self.hostname(&folder);
        let reference = process.reference();
        let net_namespace = process.net_namespace;
        out.push(event(time, &reference, Fact::Process(Box::new(process))));
        let fact = self.namespaces.refresh(time, &folder, pid, net_namespace);
        out.extend(fact.map(|namespace| event(time, &reference, Fact::Namespace(Box::new(namespace)))));
        self.make_room();
        let known = Known {
            reference: reference.clone(),
            net_namespace,
            checked: time,
            exited: false,
            thread_names: Vec::new(),
        };
        self.known.insert(pid, known);
        reference
    }

    fn make_room(&mut self) {
        if self.known.len() < PROCESS_LIMIT {
            return;
        }
        let oldest = self.known.iter().min_by_key(|(_, known)| (!known.exited, known.checked)).map(|(pid, _)| *pid);
        oldest.and_then(|pid| self.known.remove(&pid));
    }

    /// Host name of the process's UTS namespace. Nothing in `/proc/PID` shows it, so a thread of our own looks from inside.
    fn hostname(&mut self, folder: &Path) -> Option<String> {
        let path = folder.join("ns/uts");
        let inode = fs::metadata(&path).ok()?.ino();
        if let Some(hostname) = self.hostnames.get(&inode) {
            return hostname.clone();
        }
        let own = fs::metadata("/proc/self/ns/uts").is_ok_and(|own| own.ino() == inode);
        let hostname = if own { current_hostname() } else { hostname_inside(&path) };
        if self.hostnames.len() < PROCESS_LIMIT {
            self.hostnames.insert(inode, hostname.clone());
        }
        hostname
    }
}

fn event(time: Monotonic, process: &ProcessRef, fact: Fact) -> Event {
    Event { time, process: Some(process.clone()), socket: None, fact }
}

fn current_hostname() -> Option<String> {
    Some(nix::unistd::gethostname().ok()?.to_string_lossy().into_owned())
}

/// Needs `CAP_SYS_ADMIN`; `None` without it.
fn hostname_inside(path: &Path) -> Option<String> {
    let namespace = fs::File::open(path).ok()?;
    // A UTS namespace belongs to a thread, and this one ends with the answer.
    let thread = std::thread::Builder::new().name("hostname".to_owned()).spawn(move || {
        nix::sched::setns(&namespace, nix::sched::CloneFlags::CLONE_NEWUTS).ok()?;
        current_hostname()
    });
    thread.ok()?.join().ok()?
}

fn stat(folder: &Path) -> Option<Stat> {
    Stat::from_read(&*bounded::read(&folder.join("stat"), FILE_LIMIT).ok()?).ok()
}

/// The time since boot at which a process started, in nanoseconds.
fn started(stat: &Stat) -> u64 {
    stat.starttime.saturating_mul(1_000_000_000 / procfs::ticks_per_second().max(1))
}

/// Also true when nobody can tell any more: after its end a process keeps its reference.
fn still_the_same(proc: &Path, reference: &ProcessRef) -> bool {
    stat(&proc.join(reference.pid.to_string()))
        .is_none_or(|stat| started(&stat) == reference.started && stat.comm == reference.comm)
}

/// Everything about a process that its own folder in `/proc` tells.
fn identify(folder: &Path, pid: u32, comm: &str) -> Process {
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

fn users(passwd: &str) -> HashMap<u32, String> {
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

    #[test]
    fn this_very_process_is_identified_once() {
        let mut table = ProcessTable::new();
        let mut out = Vec::new();
        let pid = std::process::id();
        let reference = table.resolve(Monotonic(1), pid, "ignored", &mut out);
        assert_eq!(reference.pid, pid);
        assert!(reference.started > 0);
        let [Event { fact: Fact::Process(process), .. }, Event { fact: Fact::Namespace(namespace), .. }] = &out[..]
        else {
            panic!("a process and its namespace: {out:?}");
        };
        let executable = std::env::args().next().unwrap();
        assert_eq!(process.argv[0], executable);
        assert_eq!(process.uid, Some(nix::unistd::geteuid().as_raw()));
        assert_eq!(process.parent, std::os::unix::process::parent_id());
        assert_eq!(process.net_namespace, namespace.net_namespace);
        assert_eq!(process.hostname, current_hostname());
        assert_eq!(process.incomplete, None);

        let count = out.len();
        assert_eq!(table.resolve(Monotonic(2), pid, "ignored", &mut out), reference);
        table.exited(pid);
        assert_eq!(table.resolve(Monotonic(3), pid, "ignored", &mut out), reference);
        assert_eq!(out.len(), count, "nothing is said twice");
    }

    #[test]
    fn a_process_that_is_gone_is_named_by_the_kernel_and_says_that_the_rest_is_missing() {
        let mut out = Vec::new();
        // Above the largest pid that Linux gives (2^22).
        let reference = ProcessTable::new().resolve(Monotonic(1), 1 << 23, "rostopic", &mut out);
        assert_eq!(reference, ProcessRef { pid: 1 << 23, started: 0, comm: "rostopic".to_owned() });
        let Fact::Process(process) = &out[0].fact else { panic!("{out:?}") };
        assert!(process.incomplete.is_some());
    }

    #[test]
    fn another_name_is_a_thread_or_another_program() {
        let mut table = ProcessTable::new();
        let mut out = Vec::new();
        let pid = std::process::id();
        let reference = table.resolve(Monotonic(1), pid, "", &mut out);
        out.clear();
        assert_eq!(table.resolve(Monotonic(2), pid, "a thread", &mut out), reference);
        assert_eq!(table.known[&pid].thread_names, ["a thread"]);
        if let Some(known) = table.known.get_mut(&pid) {
            known.reference.comm = "before exec".to_owned();
        }
        assert_eq!(table.resolve(Monotonic(3), pid, &reference.comm, &mut out), reference);
        assert!(matches!(out[0].fact, Fact::Process(_)), "a new program is a new process to look at");
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let mut table = ProcessTable::new();
        let pid = std::process::id();
        let stale = ProcessRef { pid, started: 1, comm: "stale".to_owned() };
        let known = Known {
            reference: stale.clone(),
            net_namespace: 0,
            checked: Monotonic(0),
            exited: false,
            thread_names: Vec::new(),
        };
        table.known.insert(pid, known);
        let mut out = Vec::new();
        assert_eq!(table.resolve(Monotonic(RECHECK_NS - 1), pid, "stale", &mut out), stale, "only now and then");
        let now = table.resolve(Monotonic(RECHECK_NS), pid, "stale", &mut out);
        assert_ne!(now, stale);
        assert!(matches!(out[0].fact, Fact::Process(_)));
    }
}
