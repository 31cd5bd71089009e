//! What the kernel side counted of TCP sockets, read about once a second.

use std::collections::HashMap;

use aya::maps::{HashMap as BpfHashMap, MapData};
use rosprobe_common::{Flow, SocketState, WRITERS_OF_SOCKET, WriterCount};

use crate::event::{Event, Fact, Monotonic, ProcessRef, SocketRef, Traffic};

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
    traffic: Traffic,
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
        let counted = Counted { socket: socket.clone(), process: process.cloned(), traffic: Traffic::default() };
        self.counted.insert(socket.id, counted);
    }

    /// The socket is counted, and perhaps has been for long.
    pub fn meet_again(&mut self, socket: &SocketRef, process: Option<&ProcessRef>) {
        if !self.counted.contains_key(&socket.id) {
            self.meet(socket, process);
        }
    }

    /// The socket is closed: appends its last totals.
    pub fn closed(&mut self, time: Monotonic, id: u64, sockets: &mut SocketMap, out: &mut Vec<Event>) {
        self.read(time, id, sockets, out);
        // Not there for a socket that was not counted.
        let _ = sockets.remove(&id);
        self.counted.remove(&id);
    }

    /// Appends the totals that changed since they were told last.
    pub fn sample(&mut self, time: Monotonic, sockets: &SocketMap, out: &mut Vec<Event>) {
        let ids: Vec<u64> = self.counted.keys().copied().collect();
        for id in ids {
            self.read(time, id, sockets, out);
        }
    }

    fn read(&mut self, time: Monotonic, id: u64, sockets: &SocketMap, out: &mut Vec<Event>) {
        let Some(counted) = self.counted.get_mut(&id) else { return };
        let Ok(SocketStatePod(state)) = sockets.get(&id, 0) else {
            // Forgotten by the kernel side, which remembers a limited number of sockets.
            self.counted.remove(&id);
            return;
        };
        let traffic = traffic(&state, self.unacknowledged_known);
        if traffic == counted.traffic {
            return;
        }
        counted.traffic = traffic;
        let (socket, process) = (Some(counted.socket.clone()), counted.process.clone());
        out.push(Event { time, process, socket, fact: Fact::Traffic(traffic) });
    }
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
        retransmits: state.retransmits.into(),
    }
}
