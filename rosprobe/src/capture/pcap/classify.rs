//! Which bytes of a stream are a conversation, to be handed on, and which are bulk, to be counted.
//!
//! The same rule as in the kernel: XML-RPC is handed on whole; of TCPROS the connection header, and then only bytes and
//! messages are counted (of a service, the beginning of each direction as well); everything else is counted.

/// Longest TCPROS connection header that is believed, in bytes.
const HEADER_LIMIT: u32 = 256 * 1024;
/// How much of a direction of a service's connection is handed on behind the header, in bytes.
const SERVICE_LIMIT: u64 = 64 * 1024;
/// Longest TCPROS message that is believed, in bytes; roscpp and rospy refuse longer ones.
const MESSAGE_LIMIT: u32 = 1_000_000_000;
/// How much of a header is searched for the field that tells a service, in bytes.
const HEAD_LIMIT: usize = 4096;

/// What one direction of a stream carries.
#[derive(Debug)]
pub(super) enum Content {
    /// Too few bytes so far.
    Undecided { head: Vec<u8> },
    /// HTTP: handed on.
    Http,
    /// Inside a TCPROS connection header: handed on.
    Header { left: u64, head: Vec<u8> },
    /// TCPROS behind the header: counted.
    Messages(MessageCounter),
    /// A service's requests or answers: handed on as far as the limit.
    Service { left: u64, counter: MessageCounter },
    /// The beginning was not seen: nothing until a request or answer begins with a segment.
    Middle,
    /// Not ours.
    Counted,
}

/// What becomes of bytes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// How many of them are handed on.
    pub copied: usize,
    /// How much of the stream is handed on; more than `copied` when bytes are missing.
    pub length: u64,
}

impl Taken {
    const NOTHING: Self = Self { copied: 0, length: 0 };

    fn whole(bytes: &[u8], length: u64) -> Self {
        Self { copied: bytes.len(), length }
    }
}

/// What is known of a connection as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Connection {
    /// The client's header asked for a service.
    pub service: bool,
}

impl Content {
    pub fn new() -> Self {
        Self::Undecided { head: Vec::new() }
    }

    /// Takes the next `length` bytes of the direction, of which `bytes` were captured (none of a gap).
    /// `from_server` tells which direction it is.
    pub fn take(&mut self, bytes: &[u8], length: u64, from_server: bool, connection: &mut Connection) -> Taken {
        match self {
            Self::Undecided { head } => {
                let before = head.len();
                let room = 16_usize.saturating_sub(before).min(bytes.len());
                head.extend_from_slice(&bytes[..room]);
                let cut = (bytes.len() as u64) < length;
                match decide(head) {
                    Some(Kind::Http) => *self = Self::Http,
                    Some(Kind::Tcpros(total)) => {
                        let head = head[..before].to_vec();
                        *self = Self::Header { left: u64::from(total) + 4 - before as u64, head };
                    }
                    Some(Kind::Other) => {
                        *self = Self::Counted;
                        return Taken::NOTHING;
                    }
                    None if cut => {
                        *self = Self::Middle;
                        return Taken::whole(bytes, length);
                    }
                    None => return Taken::whole(bytes, length),
                }
                self.take(bytes, length, from_server, connection)
            }
            Self::Http => Taken::whole(bytes, length),
            Self::Header { left, head } => {
                let header = length.min(*left);
                let copied = clamp(bytes.len(), header);
                *left -= header;
                let room = HEAD_LIMIT.saturating_sub(head.len()).min(copied);
                head.extend_from_slice(&bytes[..room]);
                if *left > 0 {
                    return Taken { copied, length: header };
                }
                if !from_server {
                    connection.service = is_service(head);
                }
                *self = if connection.service {
                    Self::Service { left: SERVICE_LIMIT, counter: MessageCounter::new(from_server) }
                } else {
                    Self::Messages(MessageCounter::new(false))
                };
                let behind = self.take(&bytes[copied..], length - header, from_server, connection);
                if copied as u64 == header {
                    Taken { copied: copied + behind.copied, length: header + behind.length }
                } else {
                    Taken { copied, length: header + behind.length }
                }
            }
            Self::Messages(counter) => {
                counter.count(bytes, length);
                Taken::NOTHING
            }
            Self::Service { left, counter } => {
                counter.count(bytes, length);
                let length = length.min(*left);
                *left -= length;
                Taken { copied: clamp(bytes.len(), length), length }
            }
            Self::Middle => {
                if !bytes.starts_with(b"POST ") && !bytes.starts_with(b"HTTP/") {
                    return Taken::NOTHING;
                }
                *self = Self::Http;
                Taken::whole(bytes, length)
            }
            Self::Counted => Taken::NOTHING,
        }
    }

    /// Messages counted so far.
    pub fn messages(&self) -> u64 {
        match self {
            Self::Messages(counter) | Self::Service { counter, .. } => counter.messages,
            _ => 0,
        }
    }

    /// True when not even the order of the bytes matters any more.
    pub fn is_counted(&self) -> bool {
        matches!(self, Self::Counted)
    }
}

fn clamp(bytes: usize, length: u64) -> usize {
    usize::try_from(length).map_or(bytes, |length| bytes.min(length))
}

enum Kind {
    Http,
    /// A TCPROS header of this length behind the length field.
    Tcpros(u32),
    Other,
}

/// What a stream is that begins with `head`; `None` while that is open.
fn decide(head: &[u8]) -> Option<Kind> {
    for start in [b"POST ", b"HTTP/"] {
        let known = head.len().min(start.len());
        if head[..known] == start[..known] {
            return (known == start.len()).then_some(Kind::Http);
        }
    }
    let total = u32::from_le_bytes(head.get(..4)?.try_into().ok()?);
    if !(6..=HEADER_LIMIT).contains(&total) {
        return Some(Kind::Other);
    }
    let field = u32::from_le_bytes(head.get(4..8)?.try_into().ok()?);
    if field < 2 || field > total - 4 {
        return Some(Kind::Other);
    }
    let first = *head.get(8)?;
    Some(if first.is_ascii_graphic() { Kind::Tcpros(total) } else { Kind::Other })
}

/// True when a client's header has the field `service` (<https://wiki.ros.org/ROS/TCPROS>).
fn is_service(header: &[u8]) -> bool {
    let mut rest = header.get(4..).unwrap_or_default();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        if behind.get(..length).is_none_or(|field| field.starts_with(b"service=")) {
            return behind.starts_with(b"service=");
        }
        rest = &behind[length..];
    }
    false
}

/// Counts TCPROS messages by their length prefixes.
#[derive(Debug)]
pub(super) struct MessageCounter {
    body_left: u64,
    prefix: [u8; 5],
    have: usize,
    /// Answers of a service have an ok byte before the length.
    prefix_length: usize,
    in_step: bool,
    messages: u64,
}

impl MessageCounter {
    fn new(with_ok_byte: bool) -> Self {
        let prefix_length = if with_ok_byte { 5 } else { 4 };
        Self { body_left: 0, prefix: [0; 5], have: 0, prefix_length, in_step: true, messages: 0 }
    }

    /// Takes the next `length` bytes, of which `bytes` are known. A prefix among unknown bytes ends the counting.
    fn count(&mut self, mut bytes: &[u8], mut length: u64) {
        while self.in_step && length > 0 {
            if self.body_left > 0 {
                let part = self.body_left.min(length);
                self.body_left -= part;
                length -= part;
                bytes = &bytes[clamp(bytes.len(), part)..];
                if self.body_left == 0 {
                    self.messages += 1;
                }
                continue;
            }
            let Some((first, rest)) = bytes.split_first() else {
                self.in_step = false;
                return;
            };
            self.prefix[self.have] = *first;
            self.have += 1;
            bytes = rest;
            length -= 1;
            if self.have == self.prefix_length {
                self.have = 0;
                self.begin_body();
            }
        }
    }

    fn begin_body(&mut self) {
        let at = self.prefix_length - 4;
        let length =
            u32::from_le_bytes([self.prefix[at], self.prefix[at + 1], self.prefix[at + 2], self.prefix[at + 3]]);
        if length == 0 {
            self.messages += 1;
        }
        self.in_step = length <= MESSAGE_LIMIT;
        self.body_left = u64::from(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(fields: &[&str]) -> Vec<u8> {
        let mut body = Vec::new();
        for field in fields {
            body.extend(u32::try_from(field.len()).unwrap().to_le_bytes());
            body.extend(field.as_bytes());
        }
        [&u32::try_from(body.len()).unwrap().to_le_bytes()[..], &body].concat()
    }

    fn message(length: usize) -> Vec<u8> {
        [&u32::try_from(length).unwrap().to_le_bytes()[..], &vec![7; length]].concat()
    }

    /// What is handed on of a stream that comes in pieces of `size` bytes, and how many messages were counted.
    fn handed_on(stream: &[u8], size: usize, from_server: bool, connection: &mut Connection) -> (Vec<u8>, u64) {
        let mut content = Content::new();
        let mut out = Vec::new();
        for piece in stream.chunks(size) {
            let taken = content.take(piece, piece.len() as u64, from_server, connection);
            assert_eq!(taken.copied as u64, taken.length);
            out.extend(&piece[..taken.copied]);
        }
        (out, content.messages())
    }

    #[test]
    fn of_tcpros_the_header_is_handed_on_and_messages_are_counted_whatever_the_pieces() {
        let head = header(&["callerid=/talker", "md5sum=*", "topic=/chatter"]);
        let stream = [head.clone(), message(20), message(0), message(3000)].concat();
        for size in [1, 3, 7, 100, 5000] {
            let mut connection = Connection::default();
            assert_eq!(handed_on(&stream, size, false, &mut connection), (head.clone(), 3), "pieces of {size}");
            assert!(!connection.service);
        }
    }

    #[test]
    fn of_a_service_the_answers_are_handed_on() {
        let mut connection = Connection::default();
        let request = [header(&["callerid=/c", "md5sum=*", "service=/add"]), message(16)].concat();
        assert_eq!(handed_on(&request, 9, false, &mut connection), (request.clone(), 1));
        assert!(connection.service);
        let answer = [header(&["callerid=/s"]), vec![0], message(5)].concat();
        assert_eq!(handed_on(&answer, 9, true, &mut connection), (answer.clone(), 1));
    }

    #[test]
    fn http_is_handed_on_and_anything_else_is_not() {
        let mut connection = Connection::default();
        let post = b"POST /RPC2 HTTP/1.1\r\n\r\nbody".to_vec();
        assert_eq!(handed_on(&post, 2, false, &mut connection).0, post);
        let (out, _) = handed_on(b"SSH-2.0-OpenSSH_9.2p1\r\n and so on", 100, false, &mut connection);
        assert_eq!(out, b"");
        let (out, _) = handed_on(&[0xff; 50], 100, false, &mut connection);
        assert_eq!(out, b"");
    }

    #[test]
    fn a_gap_inside_a_message_keeps_the_count_and_one_over_a_prefix_ends_it() {
        let mut counter = MessageCounter::new(false);
        counter.count(&message(1000)[..10], 1004);
        assert_eq!((counter.messages, counter.in_step), (1, true));
        counter.count(&message(8), 12);
        assert_eq!(counter.messages, 2);
        counter.count(&[], 6);
        counter.count(&message(8), 12);
        assert_eq!((counter.messages, counter.in_step), (2, false));
    }

    #[test]
    fn a_stream_joined_in_the_middle_begins_with_the_next_request() {
        let mut content = Content::Middle;
        let mut connection = Connection::default();
        assert_eq!(content.take(b"</methodCall>", 13, false, &mut connection), Taken::NOTHING);
        assert_eq!(content.take(b"POST / HTTP/1.0", 15, false, &mut connection), Taken { copied: 15, length: 15 });
        assert_eq!(content.take(b"rest", 4, false, &mut connection), Taken { copied: 4, length: 4 });
    }
}
