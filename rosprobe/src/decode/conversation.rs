//! What goes through one TCP socket, both ways: which protocol it is, told by its first bytes, and the bytes handed to it.

use super::context::Context;
use super::exchange::Exchange;
use super::http::{self, HttpError, Role};
use super::stream::{Assembler, Gap, Piece};
use super::tcpros::{self, ServiceAnswers, TcprosError, Verdict};
use crate::event::{Chunk, Direction, GapCause, Monotonic};
use crate::observation::{Protocol, What};

/// Both directions of one TCP socket.
#[derive(Debug)]
pub struct Conversation {
    sent: Lane,
    received: Lane,
    shared: Shared,
}

/// What both directions know.
#[derive(Debug, Default)]
struct Shared {
    exchange: Exchange,
    /// A TCPROS header was recognised in one of the directions.
    tcpros: bool,
    /// The direction of a service client's header.
    service_client: Option<Direction>,
}

/// One direction.
#[derive(Debug)]
struct Lane {
    direction: Direction,
    assembler: Assembler,
    state: State,
    /// A gap that was not said yet: the kernel leaves a long message out in many pieces, and they are one gap.
    gap: Option<Gap>,
}

#[derive(Debug)]
enum State {
    /// At the very beginning of the stream; the bytes so far do not tell what it is.
    Fresh {
        first: Vec<u8>,
    },
    /// Somewhere in a stream: each piece may begin a message.
    Watching {
        first: Vec<u8>,
    },
    /// Nothing that is decoded here.
    Foreign,
    Http(Box<http::Reader>),
    TcprosHeader {
        offset: u64,
        bytes: Vec<u8>,
    },
    /// Behind the header of a service.
    ServiceAnswers(ServiceAnswers),
    /// Behind a TCPROS header: messages, which are counted and not decoded.
    Data,
}

impl Conversation {
    /// For a socket from its first byte on.
    pub fn new(out_of_order: usize) -> Self {
        Self {
            sent: Lane::new(Direction::Sent, out_of_order),
            received: Lane::new(Direction::Received, out_of_order),
            shared: Shared::default(),
        }
    }

    /// The socket was open before: its streams may begin anywhere.
    pub fn already_open(&mut self) {
        self.shared.exchange.already_open();
        for lane in [&mut self.sent, &mut self.received] {
            if matches!(lane.state, State::Fresh { .. }) {
                lane.state = State::Watching { first: Vec::new() };
            }
        }
    }

    /// Takes bytes of one direction.
    pub fn chunk(&mut self, chunk: Chunk, context: &mut Context<'_>) {
        match chunk.direction {
            Direction::Sent => self.received.say_gap(context),
            Direction::Received => self.sent.say_gap(context),
        }
        let (lane, shared) = self.lane(chunk.direction);
        if matches!(lane.state, State::Foreign | State::Data) {
            return;
        }
        let (direction, offset) = (chunk.direction, chunk.offset);
        let mut pieces = Vec::new();
        if let Err(error) = lane.assembler.insert(chunk, context.now, &mut pieces) {
            context.malformed(Protocol::Http, direction, offset, error.to_string());
        }
        lane.pieces(pieces, shared, context);
    }

    /// The peer has closed its direction.
    pub fn peer_closed(&mut self, context: &mut Context<'_>) {
        self.received.close(&mut self.shared, context);
    }

    /// The socket is gone.
    pub fn closed(&mut self, context: &mut Context<'_>) {
        self.received.close(&mut self.shared, context);
        self.sent.close(&mut self.shared, context);
    }

    /// Since when bytes are missing that may still come.
    pub fn waiting_since(&self) -> Option<Monotonic> {
        [&self.sent, &self.received].iter().filter_map(|lane| lane.assembler.waiting_since()).min()
    }

    /// Stops waiting for missing bytes of directions that have waited since `since` or longer.
    pub fn give_up(&mut self, since: Monotonic, context: &mut Context<'_>) {
        for lane in [&mut self.sent, &mut self.received] {
            if lane.assembler.waiting_since().is_some_and(|waiting| waiting <= since) {
                lane.give_up(&mut self.shared, context);
            }
        }
    }

    /// The capture is over: gaps that were not said yet are said.
    pub fn finish(&mut self, context: &mut Context<'_>) {
        self.sent.say_gap(context);
        self.received.say_gap(context);
    }

    /// Bytes kept of unfinished messages.
    pub fn buffered(&self) -> usize {
        self.sent.buffered() + self.received.buffered()
    }

    /// Drops what is kept of unfinished messages.
    pub fn forget(&mut self, context: &mut Context<'_>) {
        for lane in [&mut self.sent, &mut self.received] {
            lane.forget(&mut self.shared, context);
        }
    }

    fn lane(&mut self, direction: Direction) -> (&mut Lane, &mut Shared) {
        match direction {
            Direction::Sent => (&mut self.sent, &mut self.shared),
            Direction::Received => (&mut self.received, &mut self.shared),
        }
    }
}

impl Lane {
    fn new(direction: Direction, out_of_order: usize) -> Self {
        Self {
            direction,
            assembler: Assembler::new(out_of_order),
            state: State::Fresh { first: Vec::new() },
            gap: None,
        }
    }

    fn buffered(&self) -> usize {
        let kept = match &self.state {
            State::Fresh { first } | State::Watching { first } => first.len(),
            State::Http(reader) => reader.buffered(),
            State::TcprosHeader { bytes, .. } => bytes.len(),
            State::ServiceAnswers(answers) => answers.buffered(),
            State::Foreign | State::Data => 0,
        };
        kept + self.assembler.held_bytes()
    }

    fn pieces(&mut self, pieces: Vec<Piece>, shared: &mut Shared, context: &mut Context<'_>) {
        for piece in pieces {
            match piece {
                Piece::Bytes { offset, bytes } => self.bytes(offset, &bytes, shared, context),
                Piece::Gap(gap) => self.gap(gap, shared, context),
            }
        }
    }

    fn give_up(&mut self, shared: &mut Shared, context: &mut Context<'_>) {
        let mut pieces = Vec::new();
        self.assembler.give_up(&mut pieces);
        self.pieces(pieces, shared, context);
    }

    fn bytes(&mut self, offset: u64, bytes: &[u8], shared: &mut Shared, context: &mut Context<'_>) {
        self.say_gap(context);
        match &mut self.state {
            State::Fresh { first } | State::Watching { first } => {
                let begin = offset - first.len() as u64;
                if first.is_empty() {
                    self.first_bytes(begin, bytes, shared, context);
                } else {
                    first.extend_from_slice(bytes);
                    let bytes = std::mem::take(first);
                    self.first_bytes(begin, &bytes, shared, context);
                }
            }
            State::Foreign | State::Data => {}
            State::Http(reader) => {
                let (role, direction) = (reader.role(), self.direction);
                reader.push(bytes, &mut |output| shared.exchange.output(output, role, direction, context));
            }
            State::TcprosHeader { bytes: header, .. } => {
                header.extend_from_slice(bytes);
                self.tcpros_header(shared, context);
            }
            State::ServiceAnswers(_) => self.service_answers(offset, bytes, context),
        }
    }

    /// Tells the protocol by the first bytes of the stream, or of a piece of one that was open before.
    fn first_bytes(&mut self, begin: u64, bytes: &[u8], shared: &mut Shared, context: &mut Context<'_>) {
        let watching = matches!(self.state, State::Watching { .. });
        let http = [Role::Requests, Role::Answers].into_iter().find(|role| begins(bytes, role.magic()));
        if let Some(role) = http {
            if bytes.len() < role.magic().len() {
                return self.undecided(bytes);
            }
            self.state = State::Http(Box::new(http::Reader::new(role, begin, context.limits)));
            return self.bytes(begin, bytes, shared, context);
        }
        match tcpros::judge(bytes) {
            // In the middle of a stream a message of somebody's own type may look like a header of one field.
            Verdict::Yes if !watching || is_ros_header(bytes, context) => {
                shared.tcpros = true;
                self.state = State::TcprosHeader { offset: begin, bytes: bytes.to_vec() };
                self.tcpros_header(shared, context);
            }
            Verdict::Undecided if !watching => self.undecided(bytes),
            _ if watching => {}
            _ => self.foreign(begin, bytes, shared, context),
        }
    }

    fn undecided(&mut self, bytes: &[u8]) {
        if let State::Fresh { first } | State::Watching { first } = &mut self.state {
            *first = bytes.to_vec();
        }
    }

    /// First bytes that are nothing known. Where the other direction tells what they should have been, that is said.
    fn foreign(&mut self, begin: u64, bytes: &[u8], shared: &Shared, context: &mut Context<'_>) {
        self.state = State::Foreign;
        if shared.tcpros {
            let error = tcpros::header(bytes, context.limits.message).err().unwrap_or(TcprosError::NotAHeader);
            context.malformed(Protocol::Tcpros, self.direction, begin, error.to_string());
        } else if shared.exchange.seen() {
            let error = HttpError::NotAStartLine { role: Role::Answers };
            context.malformed(Protocol::Http, self.direction, begin, error.to_string());
        }
    }

    fn tcpros_header(&mut self, shared: &mut Shared, context: &mut Context<'_>) {
        let State::TcprosHeader { offset, bytes } = &self.state else { return };
        let offset = *offset;
        let (header, used) = match tcpros::header(bytes, context.limits.message) {
            Ok(Some(whole)) => whole,
            Ok(None) => return,
            Err(error) => {
                context.malformed(Protocol::Tcpros, self.direction, offset + error.at() as u64, error.to_string());
                self.state = State::Data;
                return;
            }
        };
        let rest = bytes[used..].to_vec();
        let answers =
            shared.service_client.is_some_and(|client| client != self.direction) && header.get("error").is_none();
        if header.get("service").is_some() {
            shared.service_client.get_or_insert(self.direction);
        }
        context.emit(What::TcprosHeader { direction: self.direction, header });
        let offset = offset + used as u64;
        self.state = if answers { State::ServiceAnswers(ServiceAnswers::default()) } else { State::Data };
        self.bytes(offset, &rest, shared, context);
    }

    fn service_answers(&mut self, mut offset: u64, mut bytes: &[u8], context: &mut Context<'_>) {
        let State::ServiceAnswers(answers) = &mut self.state else { return };
        loop {
            match answers.take(bytes) {
                Ok(Some((answer, used))) => {
                    let direction = self.direction;
                    context.emit(What::ServiceAnswer { direction, ok: answer.ok, error: answer.error });
                    bytes = &bytes[used..];
                    offset += used as u64;
                }
                Ok(None) => return,
                Err(error) => {
                    context.malformed(Protocol::Tcpros, self.direction, offset, error.to_string());
                    self.state = State::Data;
                    return;
                }
            }
        }
    }

    fn gap(&mut self, gap: Gap, shared: &mut Shared, context: &mut Context<'_>) {
        match &mut self.state {
            State::Foreign | State::Data => return,
            State::ServiceAnswers(answers) => {
                let known = answers.gap(gap.to - gap.from);
                if !known {
                    self.state = State::Data;
                }
                if known || gap.cause == GapCause::NotCopied {
                    return;
                }
            }
            State::Fresh { .. } | State::Watching { .. } => self.state = State::Watching { first: Vec::new() },
            State::TcprosHeader { .. } => self.state = State::Data,
            State::Http(_) => {}
        }
        if matches!(self.state, State::Http(_)) || shared.tcpros || shared.exchange.seen() {
            self.add_gap(gap, context);
        }
        if let State::Http(reader) = &mut self.state {
            let (role, direction, unsaid) = (reader.role(), self.direction, &mut self.gap);
            reader.gap(gap, &mut |output| {
                if !matches!(output, http::Output::LostSync) {
                    say_gap(unsaid, direction, context);
                }
                shared.exchange.output(output, role, direction, context);
            });
        }
    }

    fn add_gap(&mut self, gap: Gap, context: &mut Context<'_>) {
        match &mut self.gap {
            Some(known) if known.to == gap.from && known.cause == gap.cause => known.to = gap.to,
            _ => {
                self.say_gap(context);
                self.gap = Some(gap);
            }
        }
    }

    fn say_gap(&mut self, context: &mut Context<'_>) {
        say_gap(&mut self.gap, self.direction, context);
    }

    fn close(&mut self, shared: &mut Shared, context: &mut Context<'_>) {
        self.give_up(shared, context);
        self.say_gap(context);
        let direction = self.direction;
        let closed = match &mut self.state {
            State::Http(reader) => {
                let role = reader.role();
                return reader.close(&mut |output| shared.exchange.output(output, role, direction, context));
            }
            State::TcprosHeader { offset, bytes } => (*offset, bytes.len()),
            State::Fresh { first } if shared.tcpros && !first.is_empty() => (0, first.len()),
            _ => return,
        };
        let (offset, had) = closed;
        let error = TcprosError::Closed { had };
        context.malformed(Protocol::Tcpros, direction, offset + had as u64, error.to_string());
        self.state = State::Data;
    }

    fn forget(&mut self, shared: &mut Shared, context: &mut Context<'_>) {
        self.give_up(shared, context);
        let direction = self.direction;
        match &mut self.state {
            State::Http(reader) => {
                let role = reader.role();
                reader.forget(&mut |output| shared.exchange.output(output, role, direction, context));
            }
            State::TcprosHeader { offset, bytes } => {
                let error = TcprosError::Forgotten { had: bytes.len() };
                context.malformed(Protocol::Tcpros, direction, *offset, error.to_string());
                self.state = State::Data;
            }
            State::ServiceAnswers(_) => self.state = State::Data,
            State::Fresh { .. } | State::Watching { .. } => self.state = State::Foreign,
            State::Foreign | State::Data => {}
        }
    }
}

fn say_gap(gap: &mut Option<Gap>, direction: Direction, context: &mut Context<'_>) {
    if let Some(Gap { from, to, cause }) = gap.take() {
        context.emit(What::Gap { direction, from, to, cause });
    }
}

fn begins(bytes: &[u8], magic: &[u8]) -> bool {
    let known = bytes.len().min(magic.len());
    bytes[..known] == magic[..known]
}

fn is_ros_header(bytes: &[u8], context: &Context<'_>) -> bool {
    match tcpros::header(bytes, context.limits.message) {
        Ok(Some((header, _))) => header.get("callerid").is_some() && header.get("md5sum").is_some(),
        _ => false,
    }
}
