//! One TCP connection from packets: what became of the connect, and the two streams.
//!
//! A connection is shown as the client's socket: it is the client who looks at an address and asks for it. Where the
//! capture begins in the middle of a connection, the client is the one who talks to port 11311, sends the request, or
//! else whoever was seen first.

use std::net::SocketAddr;

use super::classify::Connection;
use super::segment::{ACK, FIN, RST, SYN, Segment};
use super::stream::{HalfStream, Part};
use crate::errno::Errno;
use crate::event::{Direction, Event, Fact, Monotonic, SocketRef, Traffic, Transport};

/// Port of the ROS 1 master, <https://wiki.ros.org/ROS/EnvironmentVariables>.
const MASTER_PORT: u16 = 11311;
const SECOND: u64 = 1_000_000_000;
/// How long the server may take to close its direction after the client.
const CLOSING_TIME: u64 = 5 * SECOND;
/// The first SYN is repeated after 1 s by Linux and 3 s by others.
const FIRST_SYN_INTERVAL: u64 = 3 * SECOND;

/// Both ends, in an order that does not depend on who sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(SocketAddr, SocketAddr);

impl Key {
    pub fn new(a: SocketAddr, b: SocketAddr) -> Self {
        if a <= b { Self(a, b) } else { Self(b, a) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    SynSent,
    Established,
    /// The client has closed its direction.
    Closing {
        since: u64,
    },
    Closed {
        at: u64,
    },
}

#[derive(Debug)]
pub(super) struct Flow {
    pub key: Key,
    pub socket: SocketRef,
    pub client: SocketAddr,
    pub state: State,
    pub initial_sequence: u32,
    /// The SYN itself was seen: not where the capture has its answer before it, or begins with the answer.
    syn_seen: bool,
    last_syn: u64,
    syn_interval: u64,
    pub syn_acknowledged: bool,
    pub sent: HalfStream,
    pub received: HalfStream,
    connection: Connection,
    peer_closed: bool,
    reported: Traffic,
    pub last_packet: u64,
}

impl Flow {
    pub fn new(time: u64, key: Key, id: u64, client: SocketAddr, server: SocketAddr, joined: bool) -> Self {
        let socket =
            SocketRef { id, transport: Transport::Tcp, local: Some(client), remote: Some(server), net_namespace: 0 };
        Self {
            key,
            socket,
            client,
            state: if joined { State::Established } else { State::SynSent },
            initial_sequence: 0,
            syn_seen: false,
            last_syn: time,
            syn_interval: FIRST_SYN_INTERVAL,
            syn_acknowledged: false,
            sent: HalfStream::new(Direction::Sent, joined),
            received: HalfStream::new(Direction::Received, joined),
            connection: Connection::default(),
            peer_closed: false,
            reported: Traffic::default(),
            last_packet: time,
        }
    }

    /// A connection that begins with this segment; `None` when the segment tells of none.
    pub fn begin(time: u64, segment: &Segment<'_>, key: Key, id: u64, out: &mut Vec<Event>) -> Option<Self> {
        let (source, destination) = (segment.source, segment.destination);
        if segment.has(RST) {
            return None;
        }
        let mut flow = match (segment.has(SYN), segment.has(ACK)) {
            (true, false) => {
                let mut flow = Self::new(time, key, id, source, destination, false);
                flow.initial_sequence = segment.sequence;
                flow.syn_seen = true;
                flow
            }
            (true, true) => {
                let mut flow = Self::new(time, key, id, destination, source, false);
                flow.initial_sequence = segment.acknowledgement.wrapping_sub(1);
                flow
            }
            (false, _) => {
                if segment.length == 0 {
                    return None;
                }
                let (client, server) =
                    if is_from_server(segment) { (destination, source) } else { (source, destination) };
                let flow = Self::new(time, key, id, client, server, true);
                flow.push(time, Fact::AlreadyOpen, out);
                return Some(flow);
            }
        };
        flow.sent.begin(flow.initial_sequence.wrapping_add(1));
        flow.push(time, Fact::SynSent, out);
        Some(flow)
    }

    /// True when the segment opens another connection between the same ends.
    pub fn is_followed_by(&self, segment: &Segment<'_>) -> bool {
        if !segment.has(SYN) || segment.has(ACK) {
            return false;
        }
        if segment.source == self.client {
            return segment.sequence != self.initial_sequence;
        }
        matches!(self.state, State::Closed { .. })
    }

    /// The segment with which the connection was first seen.
    pub fn segment_of_new(&mut self, time: u64, segment: &Segment<'_>, out: &mut Vec<Event>) {
        if segment.has(SYN) && !segment.has(ACK) {
            let (sequence, length) = (segment.sequence, segment.length);
            self.sent.is_same_packet(time, sequence, length, segment.ip_id, segment.flags);
        } else {
            self.segment(time, segment, out);
        }
    }

    pub fn segment(&mut self, time: u64, segment: &Segment<'_>, out: &mut Vec<Event>) {
        self.last_packet = time;
        let from_client = segment.source == self.client;
        let half = if from_client { &mut self.sent } else { &mut self.received };
        if half.is_same_packet(time, segment.sequence, segment.length, segment.ip_id, segment.flags)
            || matches!(self.state, State::Closed { .. })
        {
            return;
        }
        if segment.has(SYN) {
            self.handshake(time, segment, from_client, out);
        } else if segment.has(RST) {
            self.reset(time, segment, from_client, out);
        } else {
            self.data(time, segment, from_client, out);
        }
    }

    fn handshake(&mut self, time: u64, segment: &Segment<'_>, from_client: bool, out: &mut Vec<Event>) {
        if self.state != State::SynSent {
            return;
        }
        if from_client && !self.syn_seen {
            self.syn_seen = true;
        } else if from_client {
            self.syn_interval = time.saturating_sub(self.last_syn);
            self.last_syn = time;
            self.push(time, Fact::SynRetransmitted, out);
        } else if segment.has(ACK) && segment.acknowledgement == self.initial_sequence.wrapping_add(1) {
            self.received.begin(segment.sequence.wrapping_add(1));
            self.syn_acknowledged = true;
        }
    }

    fn reset(&mut self, time: u64, segment: &Segment<'_>, from_client: bool, out: &mut Vec<Event>) {
        if self.state == State::SynSent && !from_client {
            if segment.has(ACK) && segment.acknowledgement != self.initial_sequence.wrapping_add(1) {
                return;
            }
            self.fail(time, Errno::ECONNREFUSED, out);
            return;
        }
        let half = if from_client { &self.sent } else { &self.received };
        // RFC 5961 wants the exact number; a capture that missed segments cannot know it.
        if half.offset(segment.sequence).is_none() {
            return;
        }
        let cut_off = !from_client && self.state == State::Established && !self.received.is_closing();
        self.hand_on(time, out, HalfStream::finish);
        if cut_off {
            self.push(time, Fact::SocketError { errno: Errno::ECONNRESET }, out);
        }
        self.close(time, out);
    }

    fn data(&mut self, time: u64, segment: &Segment<'_>, from_client: bool, out: &mut Vec<Event>) {
        if self.state == State::SynSent {
            // The client's acknowledgement completes the handshake; the server's alone may belong to an older connection.
            if segment.length == 0 && !(from_client && segment.has(ACK)) {
                return;
            }
            self.state = State::Established;
            self.push(time, Fact::Established { incoming: false }, out);
        }
        let part =
            Part { sequence: segment.sequence, bytes: segment.payload, length: segment.length, fin: segment.has(FIN) };
        let mut chunks = Vec::new();
        let (half, other) =
            if from_client { (&mut self.sent, &mut self.received) } else { (&mut self.received, &mut self.sent) };
        let repeated = half.segment(part, &mut self.connection, &mut chunks);
        if segment.has(ACK) {
            other.acknowledge(segment.acknowledgement, time);
        }
        for chunk in chunks {
            self.push(time, Fact::Stream(chunk), out);
        }
        if repeated {
            self.push(time, Fact::DataRetransmitted, out);
        }
        self.hand_on(time, out, |half, connection, chunks| half.settle(time, connection, chunks));
        if self.sent.is_closing() && self.state == State::Established {
            self.state = State::Closing { since: time };
        }
        if self.sent.is_finished() && self.received.is_finished() {
            self.close(time, out);
        }
    }

    /// Lets both directions hand on what `step` releases.
    pub fn hand_on(
        &mut self,
        time: u64,
        out: &mut Vec<Event>,
        step: impl Fn(&mut HalfStream, &mut Connection, &mut Vec<crate::event::Chunk>),
    ) {
        let mut chunks = Vec::new();
        step(&mut self.sent, &mut self.connection, &mut chunks);
        step(&mut self.received, &mut self.connection, &mut chunks);
        for chunk in chunks {
            self.push(time, Fact::Stream(chunk), out);
        }
        if self.received.is_finished() && !self.peer_closed {
            self.peer_closed = true;
            self.push(time, Fact::PeerClosed, out);
        }
    }

    pub fn tick(&mut self, time: u64, out: &mut Vec<Event>) {
        self.hand_on(time, out, |half, connection, chunks| half.settle(time, connection, chunks));
        match self.state {
            State::SynSent => {
                // Each pause is at most twice the one before; one that did not come means that the client gave up.
                let patience = FIRST_SYN_INTERVAL.max(self.syn_interval * 5 / 2) + SECOND;
                if time.saturating_sub(self.last_syn) > patience {
                    self.close(time, out);
                }
            }
            State::Closing { since } if time.saturating_sub(since) > CLOSING_TIME => self.close(time, out),
            _ => self.report(time, out),
        }
    }

    pub fn fail(&mut self, time: u64, errno: Errno, out: &mut Vec<Event>) {
        self.push(time, Fact::SocketError { errno }, out);
        self.state = State::Closed { at: time };
        self.push(time, Fact::Closed, out);
    }

    pub fn close(&mut self, time: u64, out: &mut Vec<Event>) {
        if matches!(self.state, State::Closed { .. }) {
            return;
        }
        self.hand_on(time, out, HalfStream::finish);
        self.report(time, out);
        self.state = State::Closed { at: time };
        self.push(time, Fact::Closed, out);
    }

    /// Says the totals when they changed.
    pub fn report(&mut self, time: u64, out: &mut Vec<Event>) {
        let traffic = Traffic {
            sent_bytes: self.sent.bytes(),
            sent_messages: self.sent.messages(),
            received_bytes: self.received.bytes(),
            received_messages: self.received.messages(),
            // The client's socket stands for both ends here: data of a publisher that nobody acknowledges is the server's.
            unacknowledged_bytes: Some(self.sent.unacknowledged().max(self.received.unacknowledged())),
            retransmits: u32::try_from(self.sent.retransmits + self.received.retransmits).unwrap_or(u32::MAX),
            waits_for: None,
        };
        if traffic != self.reported && traffic != (Traffic { unacknowledged_bytes: Some(0), ..Traffic::default() }) {
            self.reported = traffic;
            self.push(time, Fact::Traffic(traffic), out);
        }
    }

    pub fn waiting_bytes(&self) -> usize {
        self.sent.waiting_bytes() + self.received.waiting_bytes()
    }

    pub fn push(&self, time: u64, fact: Fact, out: &mut Vec<Event>) {
        out.push(Event { time: Monotonic(time), process: None, socket: Some(self.socket.clone()), fact });
    }
}

/// Whether the first segment seen of a connection comes from its server.
fn is_from_server(segment: &Segment<'_>) -> bool {
    if segment.source.port() == MASTER_PORT || segment.destination.port() == MASTER_PORT {
        return segment.source.port() == MASTER_PORT;
    }
    segment.payload.starts_with(b"HTTP/")
}
