//! TCPROS (<https://wiki.ros.org/ROS/TCPROS>): connection headers, and the answers of services.
//!
//! A header is a u32 length, then fields, each a u32 length and `key=value`; numbers are little-endian. After the headers of a
//! topic only data follows, which is not decoded. A service answers each request with an ok byte, a u32 length and its content.

use crate::observation::TcprosHeader;

/// Fields that ROS 1 nodes write; one of them where the first field should be means that a header was meant.
const KEYS: [&[u8]; 13] = [
    b"callerid",
    b"error",
    b"latching",
    b"md5sum",
    b"message_definition",
    b"persistent",
    b"probe",
    b"request_type",
    b"response_type",
    b"service",
    b"tcp_nodelay",
    b"topic",
    b"type",
];

/// Longest key that is believed to be one, in bytes.
const KEY_LIMIT: usize = 64;

/// Whether first bytes are those of a TCPROS header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are, or are meant to be.
    Yes,
    /// They are something else.
    No,
    /// More bytes are needed.
    Undecided,
}

/// What is wrong with a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TcprosError {
    /// The header is over the limit.
    #[error("the connection header says that it is {length} bytes long, and {limit} are the limit")]
    HeaderTooLong {
        /// What it says.
        length: u32,
        /// In bytes.
        limit: usize,
    },
    /// A field goes beyond the header's end.
    #[error("a field of {length} bytes at byte {at} of the connection header goes beyond its end at byte {end}")]
    FieldTooLong {
        /// Position of the field's length, counted from the header's own length.
        at: usize,
        /// What the field says.
        length: u32,
        /// The header's end.
        end: usize,
    },
    /// Bytes are left that are too few for a field's length.
    #[error("{left} bytes are left over at byte {at} of the connection header")]
    LeftOver {
        /// Position.
        at: usize,
        /// How many.
        left: usize,
    },
    /// A field without `=`.
    #[error("the field at byte {at} of the connection header has no `=`")]
    NoEquals {
        /// Position of the field's length.
        at: usize,
    },
    /// Something else where the other direction's header promises one.
    #[error("a connection header should begin here")]
    NotAHeader,
    /// The connection ended within the header.
    #[error("the connection was closed within the connection header, after {had} bytes of it")]
    Closed {
        /// Bytes that came.
        had: usize,
    },
    /// Dropped to bound memory.
    #[error(
        "{had} bytes of an unfinished header were dropped: unfinished messages of all sockets are over their limit"
    )]
    Forgotten {
        /// Bytes dropped.
        had: usize,
    },
    /// A service's error text is over the limit.
    #[error("the service's error text says that it is {length} bytes long, and {limit} are the limit")]
    AnswerTooLong {
        /// What it says.
        length: u32,
        /// In bytes.
        limit: usize,
    },
    /// The first byte of a service's answer is neither 0 nor 1.
    #[error("the ok byte of the service's answer is {0}")]
    OkByte(u8),
}

impl TcprosError {
    /// Where in the header, in bytes.
    pub fn at(&self) -> usize {
        match self {
            Self::FieldTooLong { at, .. } | Self::LeftOver { at, .. } | Self::NoEquals { at } => *at,
            _ => 0,
        }
    }
}

/// Judges the first bytes of a direction.
pub fn judge(bytes: &[u8]) -> Verdict {
    let Some((total, rest)) = read_u32(bytes) else { return Verdict::Undecided };
    let Some((field, text)) = read_u32(rest) else { return Verdict::Undecided };
    let key = text.iter().take(KEY_LIMIT).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    match text.get(key) {
        None if key == text.len() && key < KEY_LIMIT => Verdict::Undecided,
        Some(b'=') if KEYS.contains(&&text[..key]) => Verdict::Yes,
        Some(b'=')
            if (1..KEY_LIMIT).contains(&key)
                && field as usize > key
                && field <= total.saturating_sub(4)
                && total < 1 << 24 =>
        {
            Verdict::Yes
        }
        _ => Verdict::No,
    }
}

/// Reads a header from its first byte. `None` when more bytes are needed; with it, how many bytes it took.
pub fn header(bytes: &[u8], limit: usize) -> Result<Option<(TcprosHeader, usize)>, TcprosError> {
    let Some((total, rest)) = read_u32(bytes) else { return Ok(None) };
    if total as usize > limit {
        return Err(TcprosError::HeaderTooLong { length: total, limit });
    }
    let end = 4 + total as usize;
    match rest.get(..total as usize) {
        Some(fields) => Ok(Some((TcprosHeader { fields: self::fields(fields)? }, end))),
        None => Ok(None),
    }
}

fn fields(bytes: &[u8]) -> Result<Vec<(String, String)>, TcprosError> {
    let end = 4 + bytes.len();
    let mut fields = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = end - rest.len();
        let (length, after) = read_u32(rest).ok_or(TcprosError::LeftOver { at, left: rest.len() })?;
        let (field, after) =
            after.split_at_checked(length as usize).ok_or(TcprosError::FieldTooLong { at, length, end })?;
        let equals = field.iter().position(|byte| *byte == b'=').ok_or(TcprosError::NoEquals { at })?;
        fields.push((lossy(&field[..equals]), lossy(&field[equals + 1..])));
        rest = after;
    }
    Ok(fields)
}

fn read_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk().map(|(number, rest)| (u32::from_le_bytes(*number), rest))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The answers of a service, one after another on a persistent connection.
#[derive(Debug, Default)]
pub struct ServiceAnswers {
    /// Ok byte and length, then the error text, as far as they have come.
    buffer: Vec<u8>,
    /// Bytes of content to pass over.
    skip: u64,
}

/// An answer of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAnswer {
    /// The ok byte.
    pub ok: bool,
    /// The server's text when it is not ok.
    pub error: String,
}

impl ServiceAnswers {
    /// Longest error text, in bytes.
    pub const ERROR_LIMIT: usize = 64 << 10;
    const HEAD: usize = 5;

    /// Takes the next bytes and gives the first answer that they complete, with how many of them it took. `None` when all are taken.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<(ServiceAnswer, usize)>, TcprosError> {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let skipped = rest.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            self.skip -= skipped as u64;
            used += skipped;
            let rest = &rest[skipped..];
            if rest.is_empty() {
                return Ok(None);
            }
            let wanted = self.wanted()?;
            let step = rest.len().min(wanted.saturating_sub(self.buffer.len()));
            self.buffer.extend_from_slice(&rest[..step]);
            used += step;
            if let Some(answer) = self.complete()? {
                return Ok(Some((answer, used)));
            }
        }
    }

    /// Content was not seen; true when it was content only, so that the next answer's beginning is known.
    pub fn gap(&mut self, length: u64) -> bool {
        let known = self.skip >= length;
        self.skip = self.skip.saturating_sub(length);
        known
    }

    /// Bytes kept of an unfinished answer.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// How long the buffer has to be for the next step.
    fn wanted(&self) -> Result<usize, TcprosError> {
        let Some((ok, rest)) = self.buffer.split_first() else { return Ok(1) };
        if *ok > 1 {
            return Err(TcprosError::OkByte(*ok));
        }
        let Some((length, _)) = read_u32(rest) else { return Ok(Self::HEAD) };
        Ok(if *ok == 0 { Self::HEAD + length as usize } else { Self::HEAD })
    }

    fn complete(&mut self) -> Result<Option<ServiceAnswer>, TcprosError> {
        let wanted = self.wanted()?;
        if self.buffer.len() < Self::HEAD {
            return Ok(None);
        }
        if wanted > Self::HEAD + Self::ERROR_LIMIT {
            let length = u32::try_from(wanted - Self::HEAD).unwrap_or(u32::MAX);
            return Err(TcprosError::AnswerTooLong { length, limit: Self::ERROR_LIMIT });
        }
        if self.buffer.len() < wanted {
            return Ok(None);
        }
        let ok = self.buffer[0] == 1;
        let error = lossy(&self.buffer[Self::HEAD..]);
        if ok {
            self.skip = read_u32(&self.buffer[1..]).map_or(0, |(length, _)| length.into());
        }
        self.buffer.clear();
        Ok(Some(ServiceAnswer { ok, error }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(fields: &[&str]) -> Vec<u8> {
        let body: Vec<u8> = fields
            .iter()
            .flat_map(|field| [&u32::try_from(field.len()).unwrap_or(0).to_le_bytes(), field.as_bytes()].concat())
            .collect();
        [&u32::try_from(body.len()).unwrap_or(0).to_le_bytes()[..], &body].concat()
    }

    #[test]
    fn fields_come_in_any_order_and_may_hold_equals_signs() {
        let bytes = raw(&["topic=/a", "callerid=/n", "message_definition=int8 A=1\n", "empty="]);
        let (header, used) = header(&bytes, 1000).expect("valid").expect("whole");
        assert_eq!(used, bytes.len());
        assert_eq!(header.get("message_definition"), Some("int8 A=1\n"));
        assert_eq!(header.get("empty"), Some(""));
        assert_eq!(header.fields[0], ("topic".to_owned(), "/a".to_owned()));
    }

    #[test]
    fn a_header_is_recognised_at_its_first_key() {
        let bytes = raw(&["callerid=/n", "topic=/a"]);
        for cut in 0..16 {
            assert_eq!(judge(&bytes[..cut]), Verdict::Undecided, "{cut}");
        }
        assert_eq!(judge(&bytes), Verdict::Yes);
        assert_eq!(judge(&raw(&["my_own_key=1"])), Verdict::Yes);
        // Lengths that lie, but a header was meant.
        assert_eq!(judge(b"\xff\xff\xff\xff\xff\xff\xff\xffcallerid=/n"), Verdict::Yes);
    }

    #[test]
    fn other_protocols_are_not_headers() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh",
            b"\x0c\x00\x00\x00\x08\x00\x00\x00hello 16",
            b"RTPS\x02\x03\x01\x0fabcdefgh=",
            b"\x10\x00\x00\x00\x40\x00\x00\x00key=value far beyond",
        ] {
            assert_eq!(judge(bytes), Verdict::No, "{bytes:?}");
        }
    }

    #[test]
    fn lies_about_lengths_are_named() {
        let mut long = raw(&["topic=/a"]);
        long[4] = 200;
        let mut left = raw(&["topic=/a"]);
        left[0] += 2;
        left.extend([0, 0]);
        for (bytes, error) in [
            (&b"\xff\xff\xff\x7f"[..], TcprosError::HeaderTooLong { length: 0x7fff_ffff, limit: 1000 }),
            (&long, TcprosError::FieldTooLong { at: 4, length: 200, end: 16 }),
            (&left, TcprosError::LeftOver { at: 16, left: 2 }),
            (&raw(&["callerid=/n", "nonsense"]), TcprosError::NoEquals { at: 19 }),
        ] {
            assert_eq!(header(bytes, 1000), Err(error));
        }
    }

    #[test]
    fn answers_of_a_persistent_service_follow_each_other() {
        let stream = b"\x01\x04\0\0\0body\x00\x03\0\0\0bad\x01\0\0\0\0";
        for size in 1..=stream.len() {
            let mut answers = ServiceAnswers::default();
            let mut seen = Vec::new();
            for mut piece in stream.chunks(size) {
                while let Some((answer, used)) = answers.take(piece).expect("valid") {
                    seen.push((answer.ok, answer.error));
                    piece = &piece[used..];
                }
            }
            let expected = [(true, String::new()), (false, "bad".to_owned()), (true, String::new())];
            assert_eq!(seen, expected, "pieces of {size}");
        }
    }

    #[test]
    fn answers_that_lie_are_named() {
        let take = |bytes: &[u8]| ServiceAnswers::default().take(bytes);
        assert_eq!(take(b"\x02"), Err(TcprosError::OkByte(2)));
        let error = TcprosError::AnswerTooLong { length: 0x7fff_ffff, limit: ServiceAnswers::ERROR_LIMIT };
        assert_eq!(take(b"\x00\xff\xff\xff\x7f"), Err(error));
    }
}
