//! What the kernel side counted of TCP sockets, read about once a second.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use aya::maps::{HashMap as BpfHashMap, MapData};
use rosprobe_common::{Flow, SocketState, WRITERS_OF_SOCKET, WriterCount};

use super::tcp_table::{SendQueue, SendQueues};
use crate::event::{Event, Fact, Monotonic, ProcessRef, SocketRef, Traffic};

/// What was not acknowledged when something was sent last is looked for again after this time without anything.
const QUIET: Duration = Duration::from_secs(3);
/// Network namespaces whose connections are read at one time.
const TABLES_AT_ONCE: usize = 32;

/// What the kernel side keeps of each socket.
pub(super) type SocketMap = BpfHashMap<MapData, u64, SocketStatePod>;

/// [`SocketState`] as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct SocketStatePod(SocketState);

// SAFETY: `SocketState` is `repr(C)`, integers only and without padding, so that every bit pattern is one.
unsafe impl aya::Pod for SocketStatePod {}

impl SocketStatePod {
    /// What it carries, as a number.
    pub(super) fn protocol(&self) -> u8 {
        self.0.protocol
    }

    /// Writers that the socket has places for.
    pub(super) fn writers(&self) -> [WriterCount; WRITERS_OF_SOCKET] {
        self.0.writers
    }
}

/// A socket whose totals are read.
#[derive(Debug)]
struct Counted {
    socket: SocketRef,
    process: Option<ProcessRef>,
    /// As the kernel side had it last.
    seen: Traffic,
    /// Bytes acknowledged, at most; below zero while what was sent before the capture began waits.
    acknowledged: i64,
    /// Whether something waits to be acknowledged, as far as is known.
    waits: bool,
    /// When `acknowledged` advanced, or its send queue was looked at since.
    looked: Monotonic,
    /// As it was told last.
    told: Traffic,
}

/// The sockets that are counted, with their totals as they were told last.
#[derive(Debug)]
pub(super) struct Counters {
    counted: HashMap<u64, Counted>,
    unacknowledged_known: bool,
}

impl Counters {
    /// `unacknowledged_known`: whether this kernel lets the programs see what is not acknowledged.
    pub fn new(unacknowledged_known: bool) -> Self {
        Self { counted: HashMap::new(), unacknowledged_known }
    }

    /// The socket is counted from now on.
    pub fn meet(&mut self, socket: &SocketRef, process: Option<&ProcessRef>) {
        self.counted.insert(socket.id, Counted::new(socket.clone(), process.cloned()));
    }

    /// The socket is counted, and perhaps has been for long.
    pub fn meet_again(&mut self, socket: &SocketRef, process: Option<&ProcessRef>) {
        if !self.counted.contains_key(&socket.id) {
            self.meet(socket, process);
        }
    }

    /// The socket is closed: appends its last totals.
    pub fn closed(&mut self, time: Monotonic, id: u64, sockets: &mut SocketMap, out: &mut Vec<Event>) {
        self.read(time, id, sockets, None, out);
        if self.counted.remove(&id).is_some() {
            // The kernel side, which forgets the others itself, has left it for this reading.
            let _ = sockets.remove(&id);
        }
    }

    /// Appends the totals that changed since they were told last.
    pub fn sample(&mut self, time: Monotonic, sockets: &SocketMap, out: &mut Vec<Event>) {
        let ids: Vec<u64> = self.counted.keys().copied().collect();
        let mut tables = Tables::default();
        for id in ids {
            self.read(time, id, sockets, Some(&mut tables), out);
        }
    }

    fn read(
        &mut self,
        time: Monotonic,
        id: u64,
        sockets: &SocketMap,
        tables: Option<&mut Tables>,
        out: &mut Vec<Event>,
    ) {
        let Some(counted) = self.counted.get_mut(&id) else { return };
        let Ok(SocketStatePod(state)) = sockets.get(&id, 0) else {
            // Forgotten by the kernel side, which remembers a limited number of sockets.
            self.counted.remove(&id);
            return;
        };
        let traffic = counted.now(traffic(&state, self.unacknowledged_known), time, tables);
        if traffic == counted.told {
            return;
        }
        counted.told = traffic;
        let (socket, process) = (Some(counted.socket.clone()), counted.process.clone());
        out.push(Event { time, process, socket, fact: Fact::Traffic(traffic) });
    }
}

impl Counted {
    fn new(socket: SocketRef, process: Option<ProcessRef>) -> Self {
        let (seen, told, looked) = (Traffic::default(), Traffic::default(), Monotonic::default());
        Self { socket, process, seen, acknowledged: i64::MIN, waits: false, looked, told }
    }

    /// What is to be told, after the kernel side counted `traffic`. It looks at a socket when something goes through it, and what was
    /// not acknowledged then may have been since; and what a process is about to send waits as well before it is counted as sent.
    fn now(&mut self, traffic: Traffic, time: Monotonic, tables: Option<&mut Tables>) -> Traffic {
        let mut now = self.told;
        if traffic != self.seen {
            self.seen = traffic;
            now = Traffic { waits_for: self.told.waits_for, ..traffic };
            let unacknowledged = traffic.unacknowledged_bytes.unwrap_or(0);
            self.waits = unacknowledged > 0;
            let acknowledged = traffic.sent_bytes.wrapping_sub(unacknowledged).cast_signed();
            if acknowledged > self.acknowledged {
                (self.acknowledged, self.looked) = (acknowledged, time);
                now.waits_for = None;
            }
        }
        let again = self.waits && time.since(self.looked) >= QUIET;
        let Some(tables) = tables.filter(|tables| again && tables.can_be_read(self.socket.net_namespace)) else {
            return now;
        };
        self.looked = time;
        let queue = tables.send_queue(&self.socket, self.process.as_ref());
        self.waits = queue.is_some_and(|queue| queue.bytes > 0);
        now.waits_for = queue.and_then(|queue| queue.waits_for);
        // Of what goes on being acknowledged it is not known how much was.
        let known = queue.filter(|queue| queue.bytes == 0 || queue.waits_for.is_some());
        now.unacknowledged_bytes = known.map(|queue| queue.bytes.into());
        now
    }
}

/// The connections of each network namespace, read when they are needed first.
#[derive(Default)]
struct Tables(HashMap<u64, SendQueues>);

impl Tables {
    fn can_be_read(&self, net_namespace: u64) -> bool {
        self.0.contains_key(&net_namespace) || self.0.len() < TABLES_AT_ONCE
    }

    /// `None` when it cannot be known.
    fn send_queue(&mut self, socket: &SocketRef, process: Option<&ProcessRef>) -> Option<SendQueue> {
        let queues = match self.0.entry(socket.net_namespace) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(read(process?.pid, socket.net_namespace)?),
        };
        queues.of(socket.local?, socket.remote?)
    }
}

fn read(pid: u32, net_namespace: u64) -> Option<SendQueues> {
    let folder = Path::new("/proc").join(pid.to_string());
    // The process may have ended, and another one have its number.
    let inode = fs::metadata(folder.join("ns/net")).ok()?.ino();
    (inode == net_namespace).then(|| SendQueues::read(&folder))
}

fn traffic(state: &SocketState, unacknowledged_known: bool) -> Traffic {
    let sent = &state.direction[Flow::Sent as usize];
    let received = &state.direction[Flow::Received as usize];
    Traffic {
        sent_bytes: sent.bytes,
        sent_messages: sent.messages,
        received_bytes: received.bytes,
        received_messages: received.messages,
        unacknowledged_bytes: unacknowledged_known.then_some(state.unacknowledged.into()),
        retransmits: state.retransmits,
        waits_for: None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    use super::*;
    use crate::event::{Transport, WaitsFor};

    /// As of when the kernel side looked last.
    fn traffic(sent: u64, unacknowledged: u64) -> Traffic {
        Traffic { sent_bytes: sent, unacknowledged_bytes: Some(unacknowledged), ..Traffic::default() }
    }

    fn counted(stream: &TcpStream) -> Counted {
        let socket = SocketRef {
            id: 1,
            transport: Transport::Tcp,
            local: stream.local_addr().ok(),
            remote: stream.peer_addr().ok(),
            net_namespace: fs::metadata("/proc/self/ns/net").unwrap().ino(),
        };
        Counted::new(socket, Some(ProcessRef { pid: std::process::id(), started: 1, comm: "talker".into() }))
    }

    /// Told when that many seconds have passed.
    fn told(counted: &mut Counted, traffic: Traffic, at: u64) -> Traffic {
        counted.told = counted.now(traffic, Monotonic(at * 1_000_000_000), Some(&mut Tables::default()));
        counted.told
    }

    #[test]
    fn what_was_acknowledged_since_is_looked_for_when_nothing_was_sent_for_a_while() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut counted = counted(&stream);
        let mut unacknowledged = |sent, waits, at| told(&mut counted, traffic(sent, waits), at).unacknowledged_bytes;
        assert_eq!(unacknowledged(1000, 500, 10), Some(500), "the kernel side has just seen it");
        assert_eq!(unacknowledged(1000, 500, 12), Some(500), "it may still be on its way");
        assert_eq!(unacknowledged(1000, 500, 13), Some(0));
        assert_eq!(unacknowledged(1000, 500, 20), Some(0));
        assert_eq!(unacknowledged(2000, 700, 21), Some(700));
        counted.process = None;
        assert_eq!(told(&mut counted, traffic(2000, 700), 24).unacknowledged_bytes, None, "nobody knows any more");
    }

    #[test]
    fn a_full_buffer_of_the_peer_is_told_of_while_more_is_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut counted = counted(&stream);
        stream.set_nonblocking(true).unwrap();
        while stream.write(&[0; 8 * 1024]).map_err(|error| error.kind()) != Err(ErrorKind::WouldBlock) {}

        assert_eq!(told(&mut counted, traffic(1000, 500), 10).waits_for, None, "it is not looked for yet");
        let begun = Instant::now();
        // What is on its way is acknowledged first.
        let mut at = 13;
        while told(&mut counted, traffic(1100, 600), at).waits_for != Some(WaitsFor::Room) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", counted.told);
            at += 3;
        }
        let still = told(&mut counted, traffic(1200, 700), at + 1);
        assert_eq!((still.waits_for, still.unacknowledged_bytes), (Some(WaitsFor::Room), Some(700)));
        assert_eq!(told(&mut counted, traffic(1300, 0), at + 2).waits_for, None, "everything was taken");
    }
}
