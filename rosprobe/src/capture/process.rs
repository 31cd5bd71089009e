//! Processes by pid: who each is, read at first sight and kept for as long as it lives.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::bounded;
use super::identity::{current_hostname, hostname_inside, identify, started, stat, users};
use super::namespace::NamespaceTable;
use crate::event::{Event, Fact, Monotonic, ProcessRef};

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
            let stranger = *known.reference.comm != *comm && known.thread_names.iter().all(|name| name != comm);
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

    /// Something failed in this process that addresses, routes or names may explain: what its network namespace looks like is
    /// read again, unless that was done just before, and appended to `out` when it changed. Call it before the failing event is
    /// handed on, so that the facts are there when the event is judged.
    pub fn refresh_namespace(&mut self, time: Monotonic, pid: u32, out: &mut Vec<Event>) {
        if let Some(known) = self.known.get(&pid) {
            let fact = self.namespaces.refresh(time, &self.proc.join(pid.to_string()), pid, known.net_namespace);
            out.extend(fact.map(|namespace| event(time, &known.reference, Fact::Namespace(Box::new(namespace)))));
        }
    }

    /// Reads again the network namespaces of all processes that are known, once each: what changed is seen without anything failing.
    pub fn refresh_namespaces(&mut self, time: Monotonic, out: &mut Vec<Event>) {
        let mut read = HashSet::new();
        let pids: Vec<u32> = self.known.keys().copied().collect();
        for pid in pids {
            let Some(known) = self.known.get(&pid).filter(|known| !known.exited) else { continue };
            // Of the end of a process nobody may have heard.
            if !read.contains(&known.net_namespace) && self.proc.join(pid.to_string()).exists() {
                read.insert(known.net_namespace);
                self.refresh_namespace(time, pid, out);
            }
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

/// Also true when nobody can tell any more: after its end a process keeps its reference.
fn still_the_same(proc: &Path, reference: &ProcessRef) -> bool {
    stat(&proc.join(reference.pid.to_string()))
        .is_none_or(|stat| started(&stat) == reference.started && *stat.comm == *reference.comm)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(reference, ProcessRef { pid: 1 << 23, started: 0, comm: "rostopic".into() });
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
            known.reference.comm = "before exec".into();
        }
        assert_eq!(table.resolve(Monotonic(3), pid, &reference.comm, &mut out), reference);
        assert!(matches!(out[0].fact, Fact::Process(_)), "a new program is a new process to look at");
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let mut table = ProcessTable::new();
        let pid = std::process::id();
        let stale = ProcessRef { pid, started: 1, comm: "stale".into() };
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
