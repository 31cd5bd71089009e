//! The sockets that a decoder knows, quietest first.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use super::Speaker;
use super::connect::Tracker;
use super::conversation::Conversation;
use crate::event::{Monotonic, ProcessRef, SocketRef, Traffic};
use crate::observation::AbandonCause;

/// What is known of one socket.
#[derive(Debug)]
pub struct Socket {
    /// Both ends, as far as any event said them.
    pub reference: SocketRef,
    /// The process that was seen with it last.
    pub process: Option<ProcessRef>,
    /// Its connect attempts.
    pub connect: Tracker,
    /// What goes through it.
    pub conversation: Conversation,
    /// Totals so far.
    pub traffic: Traffic,
    /// Order of the last event.
    touched: u64,
    buffered: usize,
}

impl Socket {
    /// Ends an attempt that is under way.
    pub fn abandon(&mut self, cause: AbandonCause, now: Monotonic, speaker: &mut Speaker<'_>) {
        self.connect.ended(cause, now, &mut |what| {
            speaker.say(what);
        });
    }

    /// Later events may know less than earlier ones: a timer of the kernel knows no process.
    fn learn(&mut self, process: Option<ProcessRef>, reference: &SocketRef, begins: bool) {
        self.process = process.or_else(|| self.process.take());
        let known = &mut self.reference;
        // A socket that is closed has given back its port, or forgotten its peer's; a beginning has asked for one.
        let newer = |new: Option<SocketAddr>, old: Option<SocketAddr>| match (new, old) {
            (Some(new), Some(old)) if new.port() == 0 && new.ip() == old.ip() && !begins => Some(old),
            (new, old) => new.or(old),
        };
        known.local = newer(reference.local, known.local);
        known.remote = newer(reference.remote, known.remote);
        if reference.net_namespace != 0 {
            known.net_namespace = reference.net_namespace;
        }
    }
}

/// All sockets.
#[derive(Debug, Default)]
pub struct Sockets {
    known: HashMap<u64, Box<Socket>>,
    /// Ids by the order of their last events.
    order: BTreeMap<u64, u64>,
    /// Sockets that wait for missing bytes.
    waiting: BTreeSet<u64>,
    /// Sockets with a connect attempt under way.
    pending: BTreeSet<u64>,
    events: u64,
    buffered: usize,
}

impl Sockets {
    /// An event of a socket has come; `begins` for the beginning of a connect, when the socket has no port of an earlier one.
    pub fn meet(&mut self, process: Option<ProcessRef>, reference: &SocketRef, begins: bool, out_of_order: usize) {
        self.events += 1;
        let (id, touched) = (reference.id, self.events);
        let socket = self.known.entry(id).or_insert_with(|| {
            Box::new(Socket {
                reference: reference.clone(),
                process: None,
                connect: Tracker::default(),
                conversation: Conversation::new(out_of_order),
                traffic: Traffic::default(),
                touched,
                buffered: 0,
            })
        });
        socket.learn(process, reference, begins);
        self.order.remove(&socket.touched);
        socket.touched = touched;
        self.order.insert(touched, id);
    }

    /// Takes a socket out, to be put back.
    pub fn take(&mut self, id: u64) -> Option<Box<Socket>> {
        self.known.remove(&id)
    }

    /// Puts a socket back, and notes what has become of it.
    pub fn put_back(&mut self, id: u64, mut socket: Box<Socket>) {
        let buffered = socket.conversation.buffered();
        self.buffered = self.buffered - socket.buffered + buffered;
        socket.buffered = buffered;
        note(&mut self.waiting, id, socket.conversation.waiting_since().is_some());
        note(&mut self.pending, id, socket.connect.pending());
        self.known.insert(id, socket);
    }

    /// Forgets a socket.
    pub fn forget(&mut self, id: u64) {
        if let Some(socket) = self.known.remove(&id) {
            self.buffered -= socket.buffered;
            self.order.remove(&socket.touched);
            self.waiting.remove(&id);
            self.pending.remove(&id);
        }
    }

    /// The socket that has to go before `id` can come, when there are `limit` others.
    pub fn in_the_way_of(&self, id: u64, limit: usize) -> Option<u64> {
        let full = self.known.len() >= limit && !self.known.contains_key(&id);
        if full { self.order.values().next().copied() } else { None }
    }

    /// All of them, in the order of their last events.
    pub fn quietest_first(&self) -> Vec<u64> {
        self.order.values().copied().collect()
    }

    /// Those that wait for missing bytes.
    pub fn waiting(&self) -> Vec<u64> {
        self.waiting.iter().copied().collect()
    }

    /// Since when any waits for missing bytes.
    pub fn waiting_since(&self) -> Option<Monotonic> {
        self.waiting.iter().filter_map(|id| self.waiting_since_of(*id)).min()
    }

    /// Since when a socket waits for missing bytes.
    pub fn waiting_since_of(&self, id: u64) -> Option<Monotonic> {
        self.known.get(&id)?.conversation.waiting_since()
    }

    /// Those of a process with a connect attempt under way.
    pub fn pending_of(&self, process: &ProcessRef) -> Vec<u64> {
        let of_process = |id: &&u64| {
            let owner = self.known.get(id).and_then(|socket| socket.process.as_ref());
            owner.is_some_and(|owner| owner.pid == process.pid && same_start(owner.started, process.started))
        };
        self.pending.iter().filter(of_process).copied().collect()
    }

    /// Bytes that all keep of unfinished messages.
    pub fn buffered(&self) -> usize {
        self.buffered
    }
}

fn note(set: &mut BTreeSet<u64>, id: u64, member: bool) {
    if member {
        set.insert(id);
    } else {
        set.remove(&id);
    }
}

/// 0 is a start that could not be read.
fn same_start(one: u64, other: u64) -> bool {
    one == other || one == 0 || other == 0
}
