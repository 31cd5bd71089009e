//! Events in, observations out. Sans-IO: owns no sockets, no clock and no threads; time comes in with the event.
//!
//! Every socket has its own state, so that trouble on one never stalls another, and all state is bounded by [`Limits`].

mod connect;
pub mod content;
mod context;
mod conversation;
pub mod dns;
mod exchange;
pub mod http;
mod limits;
pub mod ros1;
mod rtps;
mod sockets;
pub mod stream;
pub mod tcpros;
pub mod xmlrpc;

use self::context::Context;
pub use self::limits::Limits;
use self::rtps::Rtps;
use self::sockets::{Socket, Sockets};
use crate::event::{Clock, Direction, Event, Fact, Monotonic, ProcessRef, SocketRef, Transport};
use crate::observation::{AbandonCause, ErrorSource, Observation, ObservationId, Protocol, What};

/// UDP port of name servers.
const DNS_PORT: u16 = 53;

/// Turns events into observations.
#[derive(Debug)]
pub struct Decoder {
    clock: Clock,
    limits: Limits,
    /// Who reports that a connect failed, when neither `connect()` nor a write said so.
    reporter: ErrorSource,
    last_id: u64,
    sockets: Sockets,
    rtps: Rtps,
    /// The earliest moment since which a stream waits for missing bytes, or an earlier one.
    waiting_since: Option<Monotonic>,
}

/// Makes observations of one process and socket.
struct Speaker<'a> {
    clock: Clock,
    last_id: &'a mut u64,
    now: Monotonic,
    process: Option<&'a ProcessRef>,
    socket: Option<&'a SocketRef>,
    out: &'a mut Vec<Observation>,
}

impl Speaker<'_> {
    fn say(&mut self, what: What) -> ObservationId {
        *self.last_id += 1;
        let id = ObservationId(*self.last_id);
        let (time, monotonic) = (self.clock.wall(self.now), self.now);
        self.out.push(Observation {
            id,
            time,
            monotonic,
            process: self.process.cloned(),
            socket: self.socket.cloned(),
            what,
        });
        id
    }
}

impl Decoder {
    /// A decoder for one live capture. `clock` gives observations their wall-clock time.
    pub fn new(clock: Clock) -> Self {
        Self::with_limits(clock, Limits::default())
    }

    /// A decoder for one live capture, with limits of one's own.
    pub fn with_limits(clock: Clock, limits: Limits) -> Self {
        let (sockets, rtps) = (Sockets::default(), Rtps::default());
        Self { clock, limits, reporter: ErrorSource::SocketError, last_id: 0, sockets, rtps, waiting_since: None }
    }

    /// For a packet capture, where a `Fact::SocketError` is an RST or an ICMP message, and where nobody has counted samples of user
    /// data.
    #[must_use]
    pub fn of_packets(self) -> Self {
        Self { reporter: ErrorSource::Packet, rtps: self.rtps.counting(), ..self }
    }

    /// Takes one event and appends what it reveals to `out`. Events of one socket come in the order in which they happened,
    /// except that those about a connect attempt may come in any order; a socket's events may come before its process's.
    pub fn handle(&mut self, event: Event, out: &mut Vec<Observation>) {
        let Event { time, process, socket, fact } = event;
        self.advance(time, out);
        match (fact, socket) {
            (Fact::Process(process), socket) => {
                let reference = process.reference();
                self.say(time, Some(&reference), socket.as_ref(), What::Process(process), out);
            }
            (Fact::Namespace(namespace), socket) => {
                self.say(time, process.as_ref(), socket.as_ref(), What::Namespace(namespace), out);
            }
            (Fact::ProcessExited, socket) => {
                if let Some(process) = &process {
                    self.process_exited(time, process, out);
                }
                self.say(time, process.as_ref(), socket.as_ref(), What::ProcessExited, out);
            }
            (Fact::Lost { events }, socket) => {
                // What a stream waits for is among what was lost.
                self.give_up(time, time, out);
                if let Some(socket) = socket.as_ref().filter(|socket| socket.transport == Transport::Tcp) {
                    self.lost_of(time, process.clone(), socket, out);
                }
                self.say(time, process.as_ref(), socket.as_ref(), What::Lost { events }, out);
            }
            (Fact::Listening { already }, Some(socket)) => {
                self.say(time, process.as_ref(), Some(&socket), What::Listening { already }, out);
            }
            (fact, Some(socket)) if rtps::concerns(&fact, &socket) => {
                let mut speaker = Speaker {
                    clock: self.clock,
                    last_id: &mut self.last_id,
                    now: time,
                    process: process.as_ref(),
                    socket: Some(&socket),
                    out,
                };
                self.rtps.fact(time, process.as_ref(), &socket, fact, &mut |what| {
                    speaker.say(what);
                });
            }
            (fact, Some(socket)) => self.socket_fact(time, process, &socket, fact, out),
            (_, None) => {}
        }
    }

    /// Time has come to `now` without a further event: bytes that were waited for in vain count as a gap.
    pub fn advance(&mut self, now: Monotonic, out: &mut Vec<Observation>) {
        if self.waiting_since.is_some_and(|since| now.since(since) >= self.limits.patience) {
            let patience = u64::try_from(self.limits.patience.as_nanos()).unwrap_or(u64::MAX);
            self.give_up(now, Monotonic(now.0.saturating_sub(patience)), out);
        }
    }

    /// The capture is over: what was still under way at `now` is said.
    pub fn finish(&mut self, now: Monotonic, out: &mut Vec<Observation>) {
        self.give_up(now, now, out);
        let (clock, last_id) = (self.clock, &mut self.last_id);
        self.rtps.finish(&mut |process, socket, what| {
            let (process, socket) = (process.as_ref(), socket.as_ref());
            Speaker { clock, last_id: &mut *last_id, now, process, socket, out: &mut *out }.say(what);
        });
        for id in self.sockets.quietest_first() {
            self.with_socket(id, now, out, |socket, speaker, limits| {
                socket.conversation.finish(&mut Context::new(now, limits, &mut |what| speaker.say(what)));
                socket.abandon(AbandonCause::LostSight, now, speaker);
            });
        }
    }

    /// Bytes kept of unfinished messages, of all sockets; at most [`Limits::buffered`] and what the busiest socket adds.
    pub fn buffered(&self) -> usize {
        self.sockets.buffered()
    }

    fn say(
        &mut self,
        now: Monotonic,
        process: Option<&ProcessRef>,
        socket: Option<&SocketRef>,
        what: What,
        out: &mut Vec<Observation>,
    ) {
        Speaker { clock: self.clock, last_id: &mut self.last_id, now, process, socket, out }.say(what);
    }

    /// Does something with a known socket, in its name, and counts anew what it keeps. Whose it is, the speaker knows meanwhile.
    fn with_socket(
        &mut self,
        id: u64,
        now: Monotonic,
        out: &mut Vec<Observation>,
        act: impl FnOnce(&mut Socket, &mut Speaker<'_>, &Limits),
    ) {
        let Some(mut socket) = self.sockets.take(id) else { return };
        // Taken rather than cloned: this is done for each event.
        let (process, reference) = (socket.process.take(), socket.reference.clone());
        let mut speaker = Speaker {
            clock: self.clock,
            last_id: &mut self.last_id,
            now,
            process: process.as_ref(),
            socket: Some(&reference),
            out,
        };
        act(&mut socket, &mut speaker, &self.limits);
        socket.process = process;
        self.sockets.put_back(id, socket);
    }

    fn give_up(&mut self, now: Monotonic, since: Monotonic, out: &mut Vec<Observation>) {
        if self.waiting_since.is_none() {
            return;
        }
        for id in self.sockets.waiting() {
            self.with_socket(id, now, out, |socket, speaker, limits| {
                socket.conversation.give_up(since, &mut Context::new(now, limits, &mut |what| speaker.say(what)));
            });
        }
        self.waiting_since = self.sockets.waiting_since();
    }

    /// Records of this socket were lost: how an attempt of it ends is not known, unless later ones tell.
    fn lost_of(
        &mut self,
        now: Monotonic,
        process: Option<ProcessRef>,
        reference: &SocketRef,
        out: &mut Vec<Observation>,
    ) {
        self.make_room(reference.id, now, out);
        self.sockets.meet(process, reference, false, self.limits.out_of_order);
        self.with_socket(reference.id, now, out, |socket, _, _| socket.connect.lost());
    }

    fn process_exited(&mut self, now: Monotonic, process: &ProcessRef, out: &mut Vec<Observation>) {
        for id in self.sockets.pending_of(process) {
            let cause = AbandonCause::ProcessExited;
            self.with_socket(id, now, out, |socket, speaker, _| socket.abandon(cause, now, speaker));
        }
    }

    fn socket_fact(
        &mut self,
        now: Monotonic,
        process: Option<ProcessRef>,
        reference: &SocketRef,
        fact: Fact,
        out: &mut Vec<Observation>,
    ) {
        let id = reference.id;
        self.make_room(id, now, out);
        let begins = matches!(fact, Fact::SynSent | Fact::ConnectReturned { .. });
        self.sockets.meet(process, reference, begins, self.limits.out_of_order);
        let reporter = self.reporter;
        self.with_socket(id, now, out, |socket, speaker, limits| match socket.reference.transport {
            Transport::Tcp => tcp(socket, fact, reporter, speaker, limits),
            Transport::Udp => udp(socket, fact, speaker),
        });
        if let Some(since) = self.sockets.waiting_since_of(id) {
            self.waiting_since = Some(self.waiting_since.map_or(since, |earlier| earlier.min(since)));
        }
        self.bound_memory(id, now, out);
    }

    /// Forgets the socket that was quiet longest when a new one has no room.
    fn make_room(&mut self, id: u64, now: Monotonic, out: &mut Vec<Observation>) {
        if let Some(quietest) = self.sockets.in_the_way_of(id, self.limits.sockets) {
            self.with_socket(quietest, now, out, |socket, speaker, _| {
                socket.abandon(AbandonCause::LostSight, now, speaker);
            });
            self.sockets.forget(quietest);
        }
    }

    /// Drops unfinished messages of the quietest sockets when all together are over the limit; not those of `busy`.
    fn bound_memory(&mut self, busy: u64, now: Monotonic, out: &mut Vec<Observation>) {
        if self.sockets.buffered() <= self.limits.buffered {
            return;
        }
        for id in self.sockets.quietest_first() {
            if self.sockets.buffered() <= self.limits.buffered / 4 * 3 {
                break;
            }
            if id != busy {
                self.with_socket(id, now, out, |socket, speaker, limits| {
                    socket.conversation.forget(&mut Context::new(now, limits, &mut |what| speaker.say(what)));
                });
            }
        }
    }
}

fn tcp(socket: &mut Socket, fact: Fact, reporter: ErrorSource, speaker: &mut Speaker<'_>, limits: &Limits) {
    let now = speaker.now;
    let Socket { connect, conversation, traffic, .. } = socket;
    let mut emit = |what| {
        speaker.say(what);
    };
    match fact {
        Fact::ConnectReturned { fd, errno, took_ns } => {
            emit(What::ConnectReturned { fd, errno, took_ns });
            connect.returned(errno, took_ns, now, &mut emit);
        }
        Fact::SynSent => connect.syn_sent(now, &mut emit),
        Fact::Established { incoming } => connect.established(incoming, now, &mut emit),
        Fact::SynRetransmitted => connect.syn_retransmitted(now, &mut emit),
        Fact::SocketError { errno } => connect.error(errno, reporter, now, &mut emit),
        Fact::Aborted => connect.ended(AbandonCause::Closed, now, &mut emit),
        Fact::SoftError { errno } => connect.soft_error(errno),
        Fact::IoFailed { direction, errno, count } => connect.io_failed(direction, errno, count, now, &mut emit),
        Fact::AlreadyOpen => {
            connect.already_open();
            conversation.already_open();
            emit(What::AlreadyOpen);
        }
        Fact::Stream(chunk) => {
            connect.data(chunk.direction, now, &mut emit);
            conversation.chunk(chunk, &mut Context::new(now, limits, &mut |what| speaker.say(what)));
        }
        Fact::PeerClosed => {
            conversation.peer_closed(&mut Context::new(now, limits, &mut |what| speaker.say(what)));
            speaker.say(What::PeerClosed);
        }
        Fact::Closed => {
            conversation.closed(&mut Context::new(now, limits, &mut |what| speaker.say(what)));
            socket.abandon(AbandonCause::Closed, now, speaker);
            speaker.say(What::Closed { traffic: socket.traffic });
        }
        Fact::Traffic(totals) => {
            *traffic = totals;
            emit(What::Traffic(totals));
        }
        // Of UDP sockets, or of none.
        _ => {}
    }
}

/// Connected UDP sockets reach nobody by that, so that only what `connect()` returned is said.
fn udp(socket: &mut Socket, fact: Fact, speaker: &mut Speaker<'_>) {
    match fact {
        Fact::ConnectReturned { fd, errno, took_ns } => {
            speaker.say(What::ConnectReturned { fd, errno, took_ns });
        }
        Fact::IoFailed { direction, errno, count } => {
            speaker.say(What::IoFailed { direction, errno, count });
        }
        Fact::SocketError { errno } => {
            speaker.say(What::SocketError { errno });
        }
        Fact::AlreadyOpen => {
            speaker.say(What::AlreadyOpen);
        }
        Fact::Datagram { direction, bytes, length } => datagram(socket, direction, &bytes, length, speaker),
        Fact::Closed => {
            speaker.say(What::Closed { traffic: socket.traffic });
        }
        Fact::Traffic(totals) => {
            socket.traffic = totals;
            speaker.say(What::Traffic(totals));
        }
        Fact::UdprosData { direction, connection, messages, bytes } => {
            speaker.say(What::UdprosData { direction, connection, messages, bytes });
        }
        _ => {}
    }
}

/// DNS as the asking process sees it: its queries to port 53, and the answers from there.
fn datagram(socket: &Socket, direction: Direction, bytes: &[u8], length: u32, speaker: &mut Speaker<'_>) {
    let port = |address: Option<std::net::SocketAddr>| address.map(|address| address.port());
    let asks = port(socket.reference.remote) == Some(DNS_PORT);
    // A name server's own socket: its clients are observed at theirs. A packet belongs to both.
    let serves = port(socket.reference.local) == Some(DNS_PORT) && speaker.process.is_none();
    if !asks && !serves {
        return;
    }
    match dns::parse(bytes) {
        Ok(dns::Message::Query(questions)) => {
            for dns::Question { name, record } in questions {
                speaker.say(What::NameQuery { name, record });
            }
        }
        Ok(dns::Message::Answer { question: dns::Question { name, record }, addresses, status }) => {
            speaker.say(What::NameAnswer { name, record, addresses, status });
        }
        Err(error) => {
            let copied = bytes.len();
            let cut = if (copied as u64) < u64::from(length) {
                format!(" ({copied} of {length} bytes were copied)")
            } else {
                String::new()
            };
            let (offset, reason) = (error.at() as u64, format!("{error}{cut}"));
            speaker.say(What::Malformed { protocol: Protocol::Dns, direction, offset, reason });
        }
    }
}
