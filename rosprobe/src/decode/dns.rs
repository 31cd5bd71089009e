//! DNS messages (RFC 1035): what was asked, and which addresses the answer gives.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A message, as far as it says anything about addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Names that are asked for.
    Query(Vec<Question>),
    /// An answer to the first question.
    Answer {
        /// What was asked.
        question: Question,
        /// Addresses of the type asked for, canonical names followed.
        addresses: Vec<IpAddr>,
        /// `NOERROR`, `NXDOMAIN`, `SERVFAIL`, or the number of another code; `TRUNCATED` for a NOERROR answer that did not fit.
        status: String,
    },
}

/// A name and the type of record that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name, in lower case and without the final dot. Bytes that are no printable ASCII are written as `\DDD` (RFC 1035 5.1).
    pub name: String,
    /// `A`, `AAAA` or the number of another type.
    pub record: String,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// It ends within something.
    #[error("the DNS message ends within {what}, at byte {at}")]
    Short {
        /// What is cut.
        what: &'static str,
        /// Where the message ends.
        at: usize,
    },
    /// A label's length is neither a length nor a pointer.
    #[error("the DNS message has a bad label at byte {at}")]
    Label {
        /// Where.
        at: usize,
    },
    /// A compression pointer that does not point backwards: following it could take for ever.
    #[error("the DNS message has a compression pointer at byte {at} that does not point backwards")]
    Pointer {
        /// Where.
        at: usize,
    },
    /// A name longer than DNS allows.
    #[error("the DNS message has a name of more than 255 bytes at byte {at}")]
    NameTooLong {
        /// Where it begins.
        at: usize,
    },
    /// No question: nothing tells what it is about.
    #[error("the DNS message has no question")]
    NoQuestion,
}

impl DnsError {
    /// Where in the message, in bytes.
    pub fn at(self) -> usize {
        match self {
            Self::Short { at, .. } | Self::Label { at } | Self::Pointer { at } | Self::NameTooLong { at } => at,
            Self::NoQuestion => 4,
        }
    }
}

const HEADER: usize = 12;
/// Longest name on the wire, in bytes (RFC 1035 2.3.4).
const NAME: usize = 255;
/// Questions and records that are looked at in one message.
const RECORDS: usize = 128;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

struct Record {
    owner: String,
    kind: u16,
    data: Data,
}

enum Data {
    Address(IpAddr),
    Canonical(String),
    Other,
}

/// Reads a message (RFC 1035, 4.1) up to its answers. An error says where it is no such message.
pub fn parse(bytes: &[u8]) -> Result<Message, DnsError> {
    let [_, _, flags, codes, q1, q2, a1, a2, ..] = *bytes else {
        return Err(DnsError::Short { what: "its header", at: bytes.len() });
    };
    let mut cursor = Cursor { bytes, at: HEADER };
    if bytes.len() < HEADER {
        return Err(DnsError::Short { what: "its header", at: bytes.len() });
    }
    let asked = usize::from(u16::from_be_bytes([q1, q2])).min(RECORDS);
    let questions = (0..asked).map(|_| cursor.question()).collect::<Result<Vec<_>, _>>()?;
    let response = flags & 0x80 != 0;
    if !response {
        let questions = questions.into_iter().map(|(question, _)| question).collect::<Vec<_>>();
        return if questions.is_empty() { Err(DnsError::NoQuestion) } else { Ok(Message::Query(questions)) };
    }
    let (question, kind) = questions.into_iter().next().ok_or(DnsError::NoQuestion)?;
    let truncated = flags & 0x02 != 0;
    let records = cursor.records(usize::from(u16::from_be_bytes([a1, a2])).min(RECORDS), truncated)?;
    let addresses = addresses(&question.name, kind, &records);
    Ok(Message::Answer { question, addresses, status: status(codes & 0x0f, truncated) })
}

fn status(code: u8, truncated: bool) -> String {
    match code {
        0 if truncated => "TRUNCATED".to_owned(),
        0 => "NOERROR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        other => other.to_string(),
    }
}

/// Addresses of `name`. Every canonical name is followed once at most.
fn addresses(name: &str, kind: u16, records: &[Record]) -> Vec<IpAddr> {
    let mut names = vec![name];
    let mut next = 0;
    while let Some(owner) = names.get(next).copied() {
        next += 1;
        for record in records.iter().filter(|record| record.owner == owner) {
            if let Data::Canonical(canonical) = &record.data
                && !names.contains(&canonical.as_str())
            {
                names.push(canonical);
            }
        }
    }
    let of_name = records.iter().filter(|record| record.kind == kind && names.contains(&record.owner.as_str()));
    of_name.filter_map(|record| if let Data::Address(address) = record.data { Some(address) } else { None }).collect()
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn question(&mut self) -> Result<(Question, u16), DnsError> {
        let name = self.name()?;
        let [kind, _class] = [self.u16("a question")?, self.u16("a question")?];
        let record = match kind {
            A => "A".to_owned(),
            AAAA => "AAAA".to_owned(),
            other => other.to_string(),
        };
        Ok((Question { name, record }, kind))
    }

    /// Records of the answer section; a truncated message may end within one.
    fn records(&mut self, count: usize, truncated: bool) -> Result<Vec<Record>, DnsError> {
        let mut records = Vec::new();
        for _ in 0..count {
            match self.record() {
                Ok(record) => records.push(record),
                Err(DnsError::Short { .. }) if truncated => break,
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    fn record(&mut self) -> Result<Record, DnsError> {
        let owner = self.name()?;
        let kind = self.u16("a record")?;
        self.take(6, "a record")?;
        let length = self.u16("a record")?;
        let start = self.at;
        let data = self.take(length.into(), "a record's data")?;
        let data = match kind {
            A => <[u8; 4]>::try_from(data).map_or(Data::Other, |octets| Data::Address(Ipv4Addr::from(octets).into())),
            AAAA => {
                <[u8; 16]>::try_from(data).map_or(Data::Other, |octets| Data::Address(Ipv6Addr::from(octets).into()))
            }
            CNAME => Data::Canonical(Cursor { bytes: self.bytes, at: start }.name()?),
            _ => Data::Other,
        };
        Ok(Record { owner, kind, data })
    }

    /// A name. Pointers must point to before the part they are in, so that following them ends.
    fn name(&mut self) -> Result<String, DnsError> {
        let begin = self.at;
        let mut name = String::new();
        let mut wire = 0;
        let (mut at, mut part, mut end) = (self.at, self.at, None);
        loop {
            let length = *self.bytes.get(at).ok_or(DnsError::Short { what: "a name", at: self.bytes.len() })?;
            match length {
                0 => break,
                1..=63 => {
                    let label = self.bytes.get(at + 1..at + 1 + usize::from(length));
                    let label = label.ok_or(DnsError::Short { what: "a name", at: self.bytes.len() })?;
                    wire += 1 + label.len();
                    if wire > NAME {
                        return Err(DnsError::NameTooLong { at: begin });
                    }
                    push_label(&mut name, label);
                    at += 1 + label.len();
                }
                0xc0.. => {
                    let low =
                        *self.bytes.get(at + 1).ok_or(DnsError::Short { what: "a name", at: self.bytes.len() })?;
                    let target = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    if target >= part {
                        return Err(DnsError::Pointer { at });
                    }
                    end.get_or_insert(at + 2);
                    (at, part) = (target, target);
                }
                _ => return Err(DnsError::Label { at }),
            }
        }
        self.at = end.unwrap_or(at + 1);
        Ok(name)
    }

    fn u16(&mut self, what: &'static str) -> Result<u16, DnsError> {
        let bytes = self.take(2, what)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u16::from(*byte)))
    }

    fn take(&mut self, length: usize, what: &'static str) -> Result<&[u8], DnsError> {
        let taken = self.bytes.get(self.at..self.at + length);
        self.at += length;
        taken.ok_or(DnsError::Short { what, at: self.bytes.len() })
    }
}

fn push_label(name: &mut String, label: &[u8]) {
    if !name.is_empty() {
        name.push('.');
    }
    for byte in label {
        if byte.is_ascii_graphic() && !matches!(byte, b'.' | b'\\') {
            name.push(byte.to_ascii_lowercase().into());
        } else {
            name.extend(format!("\\{byte:03}").chars());
        }
    }
}

#[cfg(test)]
mod tests;
