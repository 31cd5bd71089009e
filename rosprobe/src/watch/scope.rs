//! The command and its descendants, or some network namespaces, told from everything else that happens on the machine.

use std::collections::{HashMap, HashSet};

use crate::event::{Event, Fact};

/// Which processes are watched.
#[derive(Debug)]
pub struct Scope {
    /// rosprobe itself; its children belong to the scope, it does not.
    own: u32,
    /// `None`: all processes.
    only: Option<Members>,
    /// `None`: all network namespaces.
    namespaces: Option<Namespaces>,
}

#[derive(Debug)]
struct Namespaces {
    inodes: HashSet<u64>,
    pids: HashSet<u32>,
    /// Who ended before it was known in which namespace; what comes of its sockets tells.
    held: HashMap<u32, Event>,
}

#[derive(Debug, Default)]
struct Members {
    pids: HashSet<u32>,
    sockets: HashSet<u64>,
    /// Who a process is, until it does something with a socket: a shell script starts hundreds that never do.
    held: HashMap<u32, Event>,
}

/// Sockets remembered of a command; after that its sockets' events without a process are left out.
const SOCKET_LIMIT: usize = 65536;
/// Processes remembered of a command that have done nothing so far.
const HELD_LIMIT: usize = 4096;

impl Scope {
    /// All processes but this one.
    pub fn everything() -> Self {
        Self { own: std::process::id(), only: None, namespaces: None }
    }

    /// What happens in the network namespaces of these inodes.
    pub fn namespaces(inodes: impl IntoIterator<Item = u64>) -> Self {
        let namespaces =
            Namespaces { inodes: inodes.into_iter().collect(), pids: HashSet::new(), held: HashMap::new() };
        Self { namespaces: Some(namespaces), ..Self::everything() }
    }

    /// The children of this process, theirs, and so on.
    pub fn descendants() -> Self {
        Self { only: Some(Members::default()), ..Self::everything() }
    }

    /// Hands on what is to be looked at of an event. Events come in the order in which they happened, a fork before what the child
    /// does.
    pub fn sift(&mut self, mut event: Event, admit: &mut impl FnMut(Event)) {
        let pid = event.process.as_ref().map(|process| process.pid);
        if let Some(namespaces) = &mut self.namespaces {
            if !namespaces.admits(&event) {
                return;
            }
            if let Some(process) = pid.and_then(|pid| namespaces.held.remove(&pid)) {
                admit(process);
            }
        }
        match &event.fact {
            // They hold for every process in there, whoever was looked at.
            Fact::Namespace(_) | Fact::Lost { .. } => {
                event.process.take_if(|process| process.pid == self.own);
                admit(event);
            }
            Fact::Forked { child } => {
                if let Some(members) = &mut self.only
                    && pid.is_some_and(|pid| pid == self.own || members.pids.contains(&pid))
                {
                    members.pids.insert(*child);
                }
            }
            _ if pid == Some(self.own) => {}
            _ => match &mut self.only {
                None => admit(event),
                Some(members) => members.sift(event, admit),
            },
        }
    }
}

impl Namespaces {
    fn admits(&mut self, event: &Event) -> bool {
        let pid = event.process.as_ref().map(|process| process.pid);
        match &event.fact {
            Fact::Lost { .. } => {
                let inode = event.socket.as_ref().map_or(0, |socket| socket.net_namespace);
                inode == 0 || self.inodes.contains(&inode)
            }
            Fact::Namespace(namespace) => self.inodes.contains(&namespace.net_namespace),
            Fact::Process(process) => {
                let inside = self.inodes.contains(&process.net_namespace);
                if inside {
                    self.meet(process.pid);
                } else if process.net_namespace == 0 && self.held.len() < HELD_LIMIT {
                    self.held.insert(process.pid, event.clone());
                }
                inside
            }
            Fact::ProcessExited => pid.is_some_and(|pid| {
                self.held.remove(&pid);
                self.pids.remove(&pid)
            }),
            _ => match event.socket.as_ref().map_or(0, |socket| socket.net_namespace) {
                0 => pid.is_some_and(|pid| self.pids.contains(&pid)),
                inode => {
                    let inside = self.inodes.contains(&inode);
                    if let Some(pid) = pid.filter(|pid| inside && self.held.contains_key(pid)) {
                        self.meet(pid);
                    }
                    inside
                }
            },
        }
    }

    fn meet(&mut self, pid: u32) {
        if self.pids.len() < HELD_LIMIT {
            self.pids.insert(pid);
        }
    }
}

impl Members {
    fn sift(&mut self, event: Event, admit: &mut impl FnMut(Event)) {
        let pid = event.process.as_ref().map(|process| process.pid);
        let Some(socket) = event.socket.as_ref().map(|socket| socket.id) else {
            return self.sift_process(event, admit);
        };
        if !pid.map_or_else(|| self.sockets.contains(&socket), |pid| self.pids.contains(&pid)) {
            return;
        }
        if matches!(event.fact, Fact::Closed) {
            self.sockets.remove(&socket);
        } else if self.sockets.len() < SOCKET_LIMIT {
            self.sockets.insert(socket);
        }
        if let Some(process) = pid.and_then(|pid| self.held.remove(&pid)) {
            admit(process);
        }
        admit(event);
    }

    fn sift_process(&mut self, event: Event, admit: &mut impl FnMut(Event)) {
        let Some(pid) = event.process.as_ref().map(|process| process.pid).filter(|pid| self.pids.contains(pid)) else {
            return;
        };
        match &event.fact {
            Fact::Process(_) if self.held.len() < HELD_LIMIT => {
                self.held.insert(pid, event);
            }
            Fact::ProcessExited if self.held.remove(&pid).is_some() => {}
            _ => admit(event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Monotonic, Process, ProcessRef, SocketRef, Transport};

    fn event(pid: Option<u32>, socket: Option<u64>, fact: Fact) -> Event {
        let process = pid.map(|pid| ProcessRef { pid, started: 1, comm: "x".into() });
        let socket =
            socket.map(|id| SocketRef { id, transport: Transport::Tcp, local: None, remote: None, net_namespace: 0 });
        Event { time: Monotonic(0), process, socket, fact }
    }

    fn admitted(scope: &mut Scope, event: Event) -> Vec<Event> {
        let mut out = Vec::new();
        scope.sift(event, &mut |event| out.push(event));
        out
    }

    fn admits(scope: &mut Scope, event: Event) -> bool {
        !admitted(scope, event).is_empty()
    }

    #[test]
    fn only_descendants_are_admitted() {
        let mut scope = Scope::descendants();
        let own = std::process::id();
        let (child, grandchild, stranger) = (own + 1, own + 2, own + 3);
        admits(&mut scope, event(Some(own), None, Fact::Forked { child }));
        admits(&mut scope, event(Some(child), None, Fact::Forked { child: grandchild }));
        admits(&mut scope, event(Some(stranger), None, Fact::Forked { child: stranger + 1 }));
        let cases = [
            (Some(child), Some(1), true),
            (Some(grandchild), Some(2), true),
            (Some(stranger), Some(3), false),
            (Some(stranger + 1), Some(4), false),
            (Some(own), Some(5), false),
            (None, Some(2), true),
            (None, Some(3), false),
            (None, None, false),
        ];
        for (pid, socket, expected) in cases {
            assert_eq!(admits(&mut scope, event(pid, socket, Fact::SynSent)), expected, "{pid:?} {socket:?}");
        }
        assert!(admits(&mut scope, event(None, None, Fact::Lost { events: 1 })), "losses concern everything");
        assert!(admits(&mut scope, event(Some(grandchild), Some(2), Fact::Closed)));
        assert!(!admits(&mut scope, event(None, Some(2), Fact::SynSent)), "a closed socket is forgotten");
    }

    #[test]
    fn a_process_is_said_with_the_first_thing_it_does() {
        let mut scope = Scope::descendants();
        let own = std::process::id();
        let (idle, busy) = (own + 1, own + 2);
        for child in [idle, busy] {
            admits(&mut scope, event(Some(own), None, Fact::Forked { child }));
            assert!(!admits(&mut scope, event(Some(child), None, Fact::Process(Box::default()))));
        }
        assert!(!admits(&mut scope, event(Some(idle), None, Fact::ProcessExited)));
        let facts: Vec<Fact> = admitted(&mut scope, event(Some(busy), Some(1), Fact::SynSent))
            .into_iter()
            .map(|event| event.fact)
            .collect();
        assert_eq!(facts, [Fact::Process(Box::default()), Fact::SynSent]);
        assert!(admits(&mut scope, event(Some(busy), None, Fact::ProcessExited)));
    }

    #[test]
    fn only_what_happens_in_the_given_namespaces_is_admitted() {
        let mut scope = Scope::namespaces([7]);
        let process = |net_namespace| Fact::Process(Box::new(Process { pid: 10, net_namespace, ..Process::default() }));
        let on_socket = |pid, net_namespace| {
            let mut event = event(pid, Some(1), Fact::SynSent);
            event.socket.as_mut().unwrap().net_namespace = net_namespace;
            event
        };
        assert!(!admits(&mut scope, event(Some(10), None, process(8))));
        assert!(!admits(&mut scope, on_socket(Some(10), 0)), "nothing is known of it yet");
        assert!(admits(&mut scope, event(Some(10), None, process(7))));
        assert!(admits(&mut scope, on_socket(Some(10), 0)));
        assert!(admits(&mut scope, on_socket(None, 7)));
        assert!(!admits(&mut scope, on_socket(Some(10), 8)));
        assert!(admits(&mut scope, event(Some(10), None, Fact::ProcessExited)));
        assert!(!admits(&mut scope, event(Some(10), None, Fact::ProcessExited)));
        assert!(admits(&mut scope, event(None, None, Fact::Lost { events: 1 })), "losses concern everything");
        let lost = |net_namespace| Event { fact: Fact::Lost { events: 1 }, ..on_socket(Some(10), net_namespace) };
        assert!(admits(&mut scope, lost(7)) && admits(&mut scope, lost(0)));
        assert!(!admits(&mut scope, lost(8)), "but not those of sockets elsewhere");

        // It ended before `/proc` was read.
        for (pid, net_namespace, expected) in [(11, 7, 2), (12, 8, 0)] {
            let unknown = Fact::Process(Box::new(Process { pid, ..Process::default() }));
            assert!(!admits(&mut scope, event(Some(pid), None, unknown)));
            assert_eq!(admitted(&mut scope, on_socket(Some(pid), net_namespace)).len(), expected);
            assert_eq!(admits(&mut scope, on_socket(Some(pid), 0)), expected > 0);
            assert_eq!(admits(&mut scope, event(Some(pid), None, Fact::ProcessExited)), expected > 0);
        }
    }

    #[test]
    fn rosprobe_does_not_watch_itself() {
        let mut scope = Scope::everything();
        assert!(!admits(&mut scope, event(Some(std::process::id()), Some(1), Fact::SynSent)));
        assert!(admits(&mut scope, event(Some(1), Some(1), Fact::SynSent)));
        assert!(admits(&mut scope, event(None, Some(1), Fact::SynSent)));
        let namespace = admitted(&mut scope, event(Some(std::process::id()), None, Fact::Namespace(Box::default())));
        assert_eq!(namespace[0].process, None);
    }
}
