//! TCP connections from packets: who asked whom, what became of the connect, and the two streams.
//!
//! A connection is shown as the client's socket: it is the client who looks at an address and asks for it. Where the
//! capture begins in the middle of a connection, the client is the one who talks to port 11311, sends the request, or
//! else whoever was seen first.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::classify::Connection;
use super::icmp::Unreachable;
use super::stream::{HalfStream, Part};
use crate::errno::Errno;
use crate::event::{Direction, Event, Fact, Monotonic, SocketRef, Traffic, Transport};

/// Port of the ROS 1 master, <https://wiki.ros.org/ROS/EnvironmentVariables>.
const MASTER_PORT: u16 = 11311;
/// Connections followed at once.
const FLOW_LIMIT: usize = 32_768;
/// Bytes that wait for missing ones, over all connections.
const WAITING_LIMIT: usize = 32 << 20;
const SECOND: u64 = 1_000_000_000;
/// How long a closed connection is remembered, so that its late packets begin no new one.
const CLOSED_TIME: u64 = 60 * SECOND;
/// How long the server may take to close its direction after the client.
const CLOSING_TIME: u64 = 5 * SECOND;
/// The first SYN is repeated after 1 s by Linux and 3 s by others.
const FIRST_SYN_INTERVAL: u64 = 3 * SECOND;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A TCP segment, RFC 9293.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub sequence: u32,
    pub acknowledgement: u32,
    pub flags: u8,
    pub payload: &'a [u8],
    /// Length of the payload on the wire.
    pub length: usize,
    /// IPv4 identification.
    pub ip_id: u16,
}

impl<'a> Segment<'a> {
    /// Reads a TCP header; `None` when it is cut or contradicts itself.
    pub fn parse(packet: &super::ip::IpPacket<'a>) -> Option<Self> {
        let header = packet.payload.get(..20)?;
        let header_length = usize::from(header[12] >> 4) * 4;
        if header_length < 20 {
            return None;
        }
        let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let port = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        Some(Self {
            source: SocketAddr::new(packet.source, port(0)),
            destination: SocketAddr::new(packet.destination, port(2)),
            sequence: word(4),
            acknowledgement: word(8),
            flags: header[13],
            payload: packet.payload.get(header_length..).unwrap_or_default(),
            length: packet.length.checked_sub(header_length)?,
            ip_id: packet.id,
        })
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Both ends, in an order that does not depend on who sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key(SocketAddr, SocketAddr);

impl Key {
    fn new(a: SocketAddr, b: SocketAddr) -> Self {
        if a <= b { Self(a, b) } else { Self(b, a) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
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
struct Flow {
    key: Key,
    socket: SocketRef,
    client: SocketAddr,
    state: State,
    initial_sequence: u32,
    last_syn: u64,
    syn_interval: u64,
    syn_acknowledged: bool,
    sent: HalfStream,
    received: HalfStream,
    connection: Connection,
    peer_closed: bool,
    reported: Traffic,
    last_packet: u64,
}

/// All connections of a capture.
#[derive(Debug, Default)]
pub(super) struct Flows {
    index: HashMap<Key, u64>,
    by_id: BTreeMap<u64, Flow>,
    waiting_bytes: usize,
    last_sweep: u64,
    /// Connections that were dropped because too many were open.
    pub forgotten: u64,
    /// Segments that fit into no connection.
    pub stray: u64,
}

impl Flows {
    /// Takes a segment. `next_socket` numbers new connections.
    pub fn segment(&mut self, time: u64, segment: &Segment<'_>, next_socket: &mut u64, out: &mut Vec<Event>) {
        let key = Key::new(segment.source, segment.destination);
        let known = self.index.get(&key).and_then(|id| self.by_id.get_mut(id));
        let starts_anew = match &known {
            None => true,
            Some(flow) => flow.is_followed_by(segment),
        };
        if !starts_anew {
            if let Some(flow) = known {
                let before = flow.waiting_bytes();
                flow.segment(time, segment, out);
                self.waiting_bytes = (self.waiting_bytes + flow.waiting_bytes()).saturating_sub(before);
                if self.waiting_bytes > WAITING_LIMIT {
                    let held = flow.waiting_bytes();
                    flow.hand_on(time, out, HalfStream::finish);
                    self.waiting_bytes = self.waiting_bytes.saturating_sub(held);
                }
            }
            return;
        }
        if let Some(flow) = known {
            flow.close(time, out);
        }
        if let Some(mut flow) = Flow::begin(time, segment, key, *next_socket + 1, out) {
            *next_socket += 1;
            flow.segment_of_new(time, segment, out);
            self.insert(flow);
        }
    }

    fn insert(&mut self, flow: Flow) {
        if self.by_id.len() >= FLOW_LIMIT {
            self.make_room();
        }
        let id = flow.socket.id;
        if let Some(old) = self.index.insert(flow.key, id) {
            self.by_id.remove(&old);
        }
        self.by_id.insert(id, flow);
    }

    /// Forgets closed connections, and if that is not enough the quarter that has been silent for longest.
    fn make_room(&mut self) {
        self.retain(|flow| !matches!(flow.state, State::Closed { .. }));
        if self.by_id.len() < FLOW_LIMIT {
            return;
        }
        let mut times: Vec<u64> = self.by_id.values().map(|flow| flow.last_packet).collect();
        let (_, quarter, _) = times.select_nth_unstable(FLOW_LIMIT / 4);
        let quarter = *quarter;
        let before = self.by_id.len();
        self.retain(|flow| flow.last_packet > quarter);
        self.forgotten += (before - self.by_id.len()) as u64;
    }

    fn retain(&mut self, keep: impl Fn(&Flow) -> bool) {
        self.by_id.retain(|_, flow| keep(flow));
        let by_id = &self.by_id;
        self.index.retain(|_, id| by_id.contains_key(id));
        self.waiting_bytes = self.by_id.values().map(Flow::waiting_bytes).sum();
    }

    /// An ICMP error about a TCP segment.
    pub fn unreachable(&mut self, time: u64, error: &Unreachable, next_socket: &mut u64, out: &mut Vec<Event>) {
        let key = Key::new(error.source, error.destination);
        if let Some(flow) = self.index.get(&key).and_then(|id| self.by_id.get_mut(id))
            && !matches!(flow.state, State::Closed { .. })
        {
            // RFC 5461: fatal while connecting, and only then.
            let about_syn = error.sequence.is_none_or(|sequence| sequence == flow.initial_sequence);
            if flow.state == State::SynSent && flow.client == error.source && about_syn && !flow.syn_acknowledged {
                flow.fail(time, error.errno, out);
            }
            return;
        }
        // A host that answers for an address that it cannot find sends the error to itself; the SYN never left.
        if error.syn != Some(true) {
            return;
        }
        let sequence = error.sequence.unwrap_or_default();
        *next_socket += 1;
        let mut flow = Flow::new(time, key, *next_socket, error.source, error.destination, false);
        flow.initial_sequence = sequence;
        flow.push(time, Fact::SynSent, out);
        flow.fail(time, error.errno, out);
        self.insert(flow);
    }

    /// Once a second of the capture: totals, and connections that ended without a packet.
    pub fn sweep(&mut self, time: u64, out: &mut Vec<Event>) {
        if time < self.last_sweep + SECOND {
            return;
        }
        self.last_sweep = time;
        let mut expired = Vec::new();
        for (id, flow) in &mut self.by_id {
            if let State::Closed { at } = flow.state {
                if time.saturating_sub(at) > CLOSED_TIME {
                    expired.push((*id, flow.key));
                }
                continue;
            }
            flow.tick(time, out);
        }
        for (id, key) in expired {
            if self.index.get(&key) == Some(&id) {
                self.index.remove(&key);
            }
            self.by_id.remove(&id);
        }
        self.waiting_bytes = self.by_id.values().map(Flow::waiting_bytes).sum();
    }

    /// The capture is over.
    pub fn finish(&mut self, time: u64, out: &mut Vec<Event>) {
        for flow in self.by_id.values_mut() {
            flow.hand_on(time, out, HalfStream::finish);
            flow.report(time, out);
            self.stray += flow.sent.stray + flow.received.stray;
        }
        self.by_id.clear();
        self.index.clear();
    }
}

impl Flow {
    fn new(time: u64, key: Key, id: u64, client: SocketAddr, server: SocketAddr, joined: bool) -> Self {
        let socket =
            SocketRef { id, transport: Transport::Tcp, local: Some(client), remote: Some(server), net_namespace: 0 };
        Self {
            key,
            socket,
            client,
            state: if joined { State::Established } else { State::SynSent },
            initial_sequence: 0,
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
    fn begin(time: u64, segment: &Segment<'_>, key: Key, id: u64, out: &mut Vec<Event>) -> Option<Self> {
        let (source, destination) = (segment.source, segment.destination);
        if segment.has(RST) {
            return None;
        }
        let mut flow = match (segment.has(SYN), segment.has(ACK)) {
            (true, false) => {
                let mut flow = Self::new(time, key, id, source, destination, false);
                flow.initial_sequence = segment.sequence;
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
    fn is_followed_by(&self, segment: &Segment<'_>) -> bool {
        if !segment.has(SYN) || segment.has(ACK) {
            return false;
        }
        if segment.source == self.client {
            return segment.sequence != self.initial_sequence;
        }
        matches!(self.state, State::Closed { .. })
    }

    /// The segment with which the connection was first seen.
    fn segment_of_new(&mut self, time: u64, segment: &Segment<'_>, out: &mut Vec<Event>) {
        if segment.has(SYN) && !segment.has(ACK) {
            let (sequence, length) = (segment.sequence, segment.length);
            self.sent.is_same_packet(time, sequence, length, segment.ip_id, segment.flags);
        } else {
            self.segment(time, segment, out);
        }
    }

    fn segment(&mut self, time: u64, segment: &Segment<'_>, out: &mut Vec<Event>) {
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
        if from_client {
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
    fn hand_on(
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

    fn tick(&mut self, time: u64, out: &mut Vec<Event>) {
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

    fn fail(&mut self, time: u64, errno: Errno, out: &mut Vec<Event>) {
        self.push(time, Fact::SocketError { errno }, out);
        self.state = State::Closed { at: time };
        self.push(time, Fact::Closed, out);
    }

    fn close(&mut self, time: u64, out: &mut Vec<Event>) {
        if matches!(self.state, State::Closed { .. }) {
            return;
        }
        self.hand_on(time, out, HalfStream::finish);
        self.report(time, out);
        self.state = State::Closed { at: time };
        self.push(time, Fact::Closed, out);
    }

    /// Says the totals when they changed.
    fn report(&mut self, time: u64, out: &mut Vec<Event>) {
        let traffic = Traffic {
            sent_bytes: self.sent.bytes(),
            sent_messages: self.sent.messages(),
            received_bytes: self.received.bytes(),
            received_messages: self.received.messages(),
            // The client's socket stands for both ends here: data of a publisher that nobody acknowledges is the server's.
            unacknowledged_bytes: Some(self.sent.unacknowledged().max(self.received.unacknowledged())),
            retransmits: self.sent.retransmits + self.received.retransmits,
        };
        if traffic != self.reported && traffic != (Traffic { unacknowledged_bytes: Some(0), ..Traffic::default() }) {
            self.reported = traffic;
            self.push(time, Fact::Traffic(traffic), out);
        }
    }

    fn waiting_bytes(&self) -> usize {
        self.sent.waiting_bytes() + self.received.waiting_bytes()
    }

    fn push(&self, time: u64, fact: Fact, out: &mut Vec<Event>) {
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
