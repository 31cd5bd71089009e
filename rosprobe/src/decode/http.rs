//! HTTP/1.0 and 1.1 messages out of the bytes of one direction (RFC 9112), on httparse.
//!
//! [`Reader::push`] takes pieces of any size and works on each byte once. After a gap or nonsense it looks for the next message.

mod chunked;
mod head;

use self::chunked::{Chunked, Progress};
use self::head::{Framing, head_end};
pub use self::head::{Head, HttpError, Role};
use super::limits::Limits;
use super::stream::Gap;

/// What the bytes turned out to be. Informational answers (1xx) are passed over.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// A whole message.
    Message {
        /// Offset of its body's first byte.
        offset: u64,
        /// Start line and headers.
        head: Head,
        /// The body without transfer coding.
        body: &'a [u8],
    },
    /// A message whose end is known, but not all of its bytes.
    Incomplete {
        /// Start line and headers.
        head: &'a Head,
        /// The body up to the first missing byte.
        prefix: &'a [u8],
        /// What is missing first; `None` when it was dropped because of a limit, which was said already.
        gap: Option<Gap>,
    },
    /// Not HTTP, or more than a limit allows.
    Malformed {
        /// Where it was noticed.
        offset: u64,
        /// What is wrong.
        error: HttpError,
    },
    /// An unknown number of messages was passed over.
    LostSync,
}

/// How much of a body that is over the limit is kept, in bytes: enough for the method's name.
const PREFIX: usize = 4096;

/// Reads the messages of one direction.
#[derive(Debug)]
pub struct Reader {
    role: Role,
    head_limit: usize,
    body_limit: usize,
    state: State,
    /// Offset of the next byte.
    offset: u64,
    /// The head, or the part of the body, that has come so far.
    buffer: Vec<u8>,
    /// A trouble was said and no whole message has come since.
    troubled: bool,
}

#[derive(Debug)]
enum State {
    /// In a head. The first `searched` bytes of the buffer hold no end of it.
    Head { searched: usize },
    /// Looking for the next head; `line_start` when one could begin with the next byte.
    Searching { line_start: bool },
    /// In a body.
    Body(Box<Body>),
    /// The connection speaks another protocol from here on.
    Upgraded,
}

#[derive(Debug)]
struct Body {
    head: Head,
    offset: u64,
    rest: Rest,
    /// First missing bytes.
    gap: Option<Gap>,
    /// Over the limit: counted, not kept.
    skipped: bool,
}

#[derive(Debug)]
enum Rest {
    Length(u64),
    Chunks(Chunked),
    UntilClose,
}

impl Reader {
    /// For a direction whose next byte is at `offset`.
    pub fn new(role: Role, offset: u64, limits: &Limits) -> Self {
        Self {
            role,
            head_limit: limits.head,
            body_limit: limits.message,
            state: State::Head { searched: 0 },
            offset,
            buffer: Vec::new(),
            troubled: false,
        }
    }

    /// What this direction carries.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Bytes kept of an unfinished message.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(Output<'_>)) {
        if let State::Searching { line_start } = &mut self.state {
            // Writers begin a message with a system call of its own, so a piece is a likely place.
            *line_start = *line_start || self.buffer.is_empty();
        }
        while !bytes.is_empty() {
            let used = match self.state {
                State::Head { searched } => self.in_head(bytes, searched, sink),
                State::Searching { line_start } => self.search(bytes, line_start),
                State::Body(_) => self.in_body(bytes, sink),
                State::Upgraded => self.pass(bytes.len()),
            };
            bytes = bytes.get(used..).unwrap_or_default();
            self.finish_empty_body(sink);
        }
    }

    /// The next bytes were not seen.
    pub fn gap(&mut self, gap: Gap, sink: &mut impl FnMut(Output<'_>)) {
        let length = gap.to - gap.from;
        self.offset = gap.to;
        let survives = match &mut self.state {
            State::Body(body) => {
                body.gap.get_or_insert(gap);
                match &mut body.rest {
                    Rest::Length(rest) if *rest >= length => {
                        *rest -= length;
                        true
                    }
                    Rest::Chunks(chunks) => chunks.skip(length),
                    Rest::UntilClose => true,
                    Rest::Length(_) => false,
                }
            }
            State::Upgraded => true,
            State::Head { .. } | State::Searching { .. } => false,
        };
        if survives {
            self.finish_empty_body(sink);
            return;
        }
        if matches!(self.state, State::Body(_)) {
            self.finish_body(&[], sink);
        }
        self.lose_sync(sink);
        self.state = State::Searching { line_start: true };
    }

    /// The direction has ended: nothing will follow.
    pub fn close(&mut self, sink: &mut impl FnMut(Output<'_>)) {
        let ends_here = match &self.state {
            State::Body(body) => body.gap.is_some() || body.skipped || matches!(body.rest, Rest::UntilClose),
            State::Head { .. } if !self.buffer.is_empty() => {
                let error = HttpError::ClosedInHead { had: self.buffer.len() };
                return self.fail(self.offset, error, sink);
            }
            _ => return,
        };
        if ends_here {
            self.finish_body(&[], sink);
        } else {
            self.fail(self.offset, HttpError::ClosedInBody { had: self.buffer.len() }, sink);
        }
        self.state = State::Searching { line_start: true };
    }

    /// Drops what is kept of an unfinished message, because memory is needed elsewhere.
    pub fn forget(&mut self, sink: &mut impl FnMut(Output<'_>)) {
        if self.buffer.is_empty() {
            return;
        }
        let error = HttpError::Forgotten { had: self.buffer.len() };
        if let State::Body(body) = &mut self.state {
            sink(Output::Malformed { offset: self.offset, error });
            body.skipped = true;
            self.buffer = Vec::new();
        } else {
            self.fail(self.offset, error, sink);
        }
    }

    fn pass(&mut self, used: usize) -> usize {
        self.offset += used as u64;
        used
    }

    /// Takes bytes of a head, as the other steps do of theirs, and says how many.
    fn in_head(&mut self, bytes: &[u8], searched: usize, sink: &mut impl FnMut(Output<'_>)) -> usize {
        if self.buffer.is_empty() {
            // RFC 9112 2.2: empty lines before a message are passed over.
            let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if blank > 0 {
                return self.pass(blank);
            }
            let within = &bytes[..bytes.len().min(self.head_limit)];
            if let Some(end) = head_end(within, 0) {
                self.pass(end);
                self.head_complete(&bytes[..end], sink);
                return end;
            }
        }
        let before = self.buffer.len();
        // Small steps: little of what follows the head is copied in vain.
        let step = bytes.len().min(1024);
        self.buffer.extend_from_slice(&bytes[..step]);
        if let Some(end) = head_end(&self.buffer, searched).filter(|end| *end <= self.head_limit) {
            let head = std::mem::take(&mut self.buffer);
            let used = self.pass(end - before);
            self.head_complete(&head[..end], sink);
            return used;
        }
        self.pass(step);
        self.state = State::Head { searched: self.buffer.len().saturating_sub(3) };
        if !head::could_begin(self.role, &self.buffer) {
            self.fail_head(HttpError::NotAStartLine { role: self.role }, sink);
        } else if self.buffer.len() > self.head_limit {
            self.fail_head(HttpError::HeadTooLong { limit: self.head_limit }, sink);
        }
        step
    }

    /// `head` is complete, and the offset is behind it.
    fn head_complete(&mut self, head: &[u8], sink: &mut impl FnMut(Output<'_>)) {
        let parsed = Head::parse(self.role, head).and_then(|head| head.framing().map(|framing| (head, framing)));
        let (parsed, framing) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                self.buffer = head.to_vec();
                return self.fail_head(error, sink);
            }
        };
        self.buffer.clear();
        let (rest, skipped) = match framing {
            Framing::Upgrade => {
                self.state = State::Upgraded;
                return;
            }
            Framing::Informational => {
                self.state = State::Head { searched: 0 };
                return;
            }
            Framing::Length(length) => (Rest::Length(length), length > self.body_limit as u64),
            Framing::Chunked => (Rest::Chunks(Chunked::default()), false),
            Framing::UntilClose => (Rest::UntilClose, false),
        };
        if let (Rest::Length(length), true) = (&rest, skipped) {
            let error = HttpError::BodyTooLong { length: Some(*length), limit: self.body_limit };
            sink(Output::Malformed { offset: self.offset, error });
        }
        self.state = State::Body(Box::new(Body { head: parsed, offset: self.offset, rest, gap: None, skipped }));
    }

    /// What the buffer holds is no head. The first time, what follows its first line is looked at again: it may hold one.
    fn fail_head(&mut self, error: HttpError, sink: &mut impl FnMut(Output<'_>)) {
        let bytes = std::mem::take(&mut self.buffer);
        let after = self.offset;
        self.offset = after - bytes.len() as u64;
        let again = !self.troubled;
        self.fail(self.offset, error, sink);
        let line = bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
        match line.filter(|_| again) {
            Some(line) => {
                self.offset += line as u64;
                self.push(&bytes[line..], sink);
            }
            None => self.offset = after,
        }
    }

    fn in_body(&mut self, bytes: &[u8], sink: &mut impl FnMut(Output<'_>)) -> usize {
        let State::Body(body) = &mut self.state else { return 0 };
        let (used, data) = match &mut body.rest {
            Rest::Length(rest) => {
                let used = usize::try_from(*rest).unwrap_or(usize::MAX).min(bytes.len());
                *rest -= used as u64;
                if *rest == 0 && self.buffer.is_empty() && body.gap.is_none() && !body.skipped {
                    // The whole body in one piece: no copy.
                    self.pass(used);
                    self.finish_body(&bytes[..used], sink);
                    return used;
                }
                (used, &bytes[..used])
            }
            Rest::UntilClose => (bytes.len(), bytes),
            Rest::Chunks(chunks) => match chunks.step(bytes) {
                Progress::Data(used) => (used, &bytes[..used]),
                Progress::Framing(used) => (used, &bytes[..0]),
                Progress::Done(used) => {
                    self.pass(used);
                    self.finish_body(&[], sink);
                    return used;
                }
                Progress::Malformed(error) => {
                    self.fail(self.offset, error, sink);
                    return 0;
                }
            },
        };
        self.keep(data, sink);
        self.pass(used)
    }

    fn keep(&mut self, data: &[u8], sink: &mut impl FnMut(Output<'_>)) {
        let State::Body(body) = &mut self.state else { return };
        if body.gap.is_some() {
            return;
        }
        if !body.skipped && self.buffer.len() + data.len() > self.body_limit {
            body.skipped = true;
            let error = HttpError::BodyTooLong { length: None, limit: self.body_limit };
            sink(Output::Malformed { offset: self.offset, error });
        }
        let limit = if body.skipped { self.body_limit.min(PREFIX) } else { self.body_limit };
        let room = limit.saturating_sub(self.buffer.len());
        self.buffer.extend_from_slice(&data[..data.len().min(room)]);
        if self.buffer.len() > limit {
            self.buffer.truncate(limit);
            self.buffer.shrink_to_fit();
        }
    }

    fn finish_empty_body(&mut self, sink: &mut impl FnMut(Output<'_>)) {
        if matches!(&self.state, State::Body(body) if matches!(body.rest, Rest::Length(0))) {
            self.finish_body(&[], sink);
        }
    }

    /// The body is at its end: `whole`, or what the buffer holds.
    fn finish_body(&mut self, whole: &[u8], sink: &mut impl FnMut(Output<'_>)) {
        let State::Body(body) = std::mem::replace(&mut self.state, State::Head { searched: 0 }) else { return };
        let mut kept = std::mem::take(&mut self.buffer);
        let content = if kept.is_empty() { whole } else { &kept };
        match body.gap {
            _ if body.skipped => sink(Output::Incomplete { head: &body.head, prefix: content, gap: None }),
            Some(gap) => sink(Output::Incomplete { head: &body.head, prefix: content, gap: Some(gap) }),
            None => {
                self.troubled = false;
                sink(Output::Message { offset: body.offset, head: body.head, body: content });
            }
        }
        if kept.capacity() <= 64 << 10 {
            kept.clear();
            self.buffer = kept;
        }
    }

    /// Says a trouble, once, and looks for the next message.
    fn fail(&mut self, offset: u64, error: HttpError, sink: &mut impl FnMut(Output<'_>)) {
        if !std::mem::replace(&mut self.troubled, true) {
            sink(Output::Malformed { offset, error });
        }
        self.lose_sync(sink);
        self.state = State::Searching { line_start: false };
    }

    fn lose_sync(&mut self, sink: &mut impl FnMut(Output<'_>)) {
        self.buffer = Vec::new();
        sink(Output::LostSync);
    }

    /// Looks for a line that begins as a message does. The buffer holds the part of such a beginning that has come.
    fn search(&mut self, bytes: &[u8], mut line_start: bool) -> usize {
        let magic = self.role.magic();
        for (index, byte) in bytes.iter().enumerate() {
            if line_start && magic.get(self.buffer.len()) == Some(byte) {
                self.buffer.push(*byte);
                if self.buffer.len() == magic.len() {
                    self.state = State::Head { searched: 0 };
                    return self.pass(index + 1);
                }
            } else {
                self.buffer.clear();
                line_start = *byte == b'\n';
            }
        }
        self.state = State::Searching { line_start };
        self.pass(bytes.len())
    }
}

#[cfg(test)]
mod tests;
