//! Start line and headers, and what they say of the body.

use std::borrow::Cow;

use crate::observation::HeaderField;

/// Header fields in one message.
const FIELDS: usize = 128;

/// What one direction of a connection carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Requests, of a client.
    Requests,
    /// Answers, of a server.
    Answers,
}

impl Role {
    /// How a message of this role begins, as far as XML-RPC is concerned.
    pub fn magic(self) -> &'static [u8] {
        match self {
            Self::Requests => b"POST ",
            Self::Answers => b"HTTP/1.",
        }
    }
}

/// Start line and headers of a message. Bytes that are no UTF-8 became U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The request or status line, without its line end.
    pub start_line: String,
    /// Header fields in order.
    pub headers: Vec<HeaderField>,
    /// Method of a request; empty in an answer.
    pub method: Cow<'static, str>,
    /// Status of an answer; 0 in a request.
    pub status: u16,
}

/// What is wrong with HTTP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Something else where a message should begin.
    #[error("{} should begin here", match role { Role::Requests => "an HTTP request", Role::Answers => "an HTTP answer" })]
    NotAStartLine {
        /// What was expected.
        role: Role,
    },
    /// The parser's word on a head.
    #[error("the HTTP head is not well-formed: {0}")]
    Head(httparse::Error),
    /// The head is over the limit.
    #[error("the HTTP head is longer than the limit of {limit} bytes")]
    HeadTooLong {
        /// In bytes.
        limit: usize,
    },
    /// More header fields than anybody needs.
    #[error("the HTTP head has more than {FIELDS} fields")]
    TooManyFields,
    /// A length that is no number, or two different ones.
    #[error("Content-Length is {0:?}")]
    ContentLength(String),
    /// A request with neither Content-Length nor chunks.
    #[error("the request has a body of unknown length: neither Content-Length nor chunked")]
    NoLength,
    /// A transfer coding other than chunked.
    #[error("Transfer-Encoding {0:?} is not decoded")]
    TransferEncoding(String),
    /// The body is over the limit.
    #[error("the body{} is longer than the limit of {limit} bytes (--payload-limit)", length.map(|length| format!(" of {length} bytes")).unwrap_or_default())]
    BodyTooLong {
        /// Its length, where it was given.
        length: Option<u64>,
        /// In bytes.
        limit: usize,
    },
    /// A chunk's size is no hexadecimal number.
    #[error("the size of a chunk is no hexadecimal number")]
    ChunkSize,
    /// A chunk is followed by something else than a line end.
    #[error("a chunk is longer than its size says")]
    ChunkEnd,
    /// The line of a chunk's size is over the limit.
    #[error("the line with the size of a chunk is longer than {limit} bytes")]
    ChunkLineTooLong {
        /// In bytes.
        limit: usize,
    },
    /// The trailers are over the limit.
    #[error("the trailers of a chunked body are longer than {limit} bytes")]
    TrailersTooLong {
        /// In bytes.
        limit: usize,
    },
    /// The connection ended within a head.
    #[error("the connection was closed within an HTTP head, after {had} bytes of it")]
    ClosedInHead {
        /// Bytes of the head that came.
        had: usize,
    },
    /// The connection ended within a body.
    #[error("the connection was closed within a body, after {had} bytes of it")]
    ClosedInBody {
        /// Bytes of the body that came.
        had: usize,
    },
    /// Dropped to bound memory.
    #[error(
        "{had} bytes of an unfinished message were dropped: unfinished messages of all sockets are over their limit"
    )]
    Forgotten {
        /// Bytes dropped.
        had: usize,
    },
}

/// How the end of a body is known (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `100 Continue` and its like: the answer proper follows.
    Informational,
    /// `101 Switching Protocols`.
    Upgrade,
    /// That many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Whatever comes until the connection is closed.
    UntilClose,
}

impl Head {
    /// Takes a whole head apart, its final empty line included.
    pub fn parse(role: Role, bytes: &[u8]) -> Result<Self, HttpError> {
        if !could_begin(role, bytes) {
            return Err(HttpError::NotAStartLine { role });
        }
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let (method, status, fields) = match role {
            Role::Requests => {
                let mut request = httparse::Request::new(&mut fields);
                complete(request.parse(bytes))?;
                (known(request.method.unwrap_or_default()), 0, request.headers)
            }
            Role::Answers => {
                let mut answer = httparse::Response::new(&mut fields);
                complete(answer.parse(bytes))?;
                (Cow::Borrowed(""), answer.code.unwrap_or_default(), answer.headers)
            }
        };
        let headers =
            fields.iter().map(|field| (known(field.name), known(&String::from_utf8_lossy(field.value)))).collect();
        let start_line = bytes.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
        Ok(Self { start_line: lossy(start_line.unwrap_or_default().trim_ascii_end()), headers, method, status })
    }

    /// The value of the first field of that name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields(name).next()
    }

    fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// How the end of the body is known.
    pub fn framing(&self) -> Result<Framing, HttpError> {
        match self.status {
            101 => return Ok(Framing::Upgrade),
            100..200 => return Ok(Framing::Informational),
            204 | 304 => return Ok(Framing::Length(0)),
            _ => {}
        }
        let codings: Vec<_> =
            self.fields("transfer-encoding").flat_map(|value| value.split(',')).map(str::trim).collect();
        match codings[..] {
            [] => self.length(),
            [coding] if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
            [coding] if coding.eq_ignore_ascii_case("identity") => self.length(),
            _ => Err(HttpError::TransferEncoding(codings.join(", ").chars().take(80).collect())),
        }
    }

    fn length(&self) -> Result<Framing, HttpError> {
        let mut lengths = self.fields("content-length").flat_map(|value| value.split(',')).map(str::trim);
        let Some(first) = lengths.next() else {
            return match &*self.method {
                "" => Ok(Framing::UntilClose),
                "POST" => Err(HttpError::NoLength),
                _ => Ok(Framing::Length(0)),
            };
        };
        let different = lengths.any(|length| length != first);
        let length = first.parse().ok().filter(|_| !different && first.bytes().all(|byte| byte.is_ascii_digit()));
        length.map(Framing::Length).ok_or_else(|| {
            let values: Vec<_> = self.fields("content-length").collect();
            HttpError::ContentLength(values.join(", ").chars().take(80).collect())
        })
    }
}

fn complete(parsed: httparse::Result<usize>) -> Result<(), HttpError> {
    match parsed {
        Ok(httparse::Status::Complete(_)) => Ok(()),
        // The caller has found the empty line, so an incomplete head is one with stray carriage returns.
        Ok(httparse::Status::Partial) => Err(HttpError::Head(httparse::Error::NewLine)),
        Err(httparse::Error::TooManyHeaders) => Err(HttpError::TooManyFields),
        Err(error) => Err(HttpError::Head(error)),
    }
}

/// What the nodes of ROS 1 write in every message is no allocation.
fn known(text: &str) -> Cow<'static, str> {
    macro_rules! words {
        ($($known:literal)*) => {
            match text {
                $($known => Cow::Borrowed($known),)*
                _ => Cow::Owned(text.to_owned()),
            }
        };
    }
    words! {
        "POST" "Host" "User-Agent" "User-agent" "Accept-Encoding" "Content-Type" "Content-type" "Content-Length" "Content-length"
        "Content-Encoding" "Transfer-Encoding" "Connection" "Server" "Date" "text/xml" "text/xml; charset=utf-8" "gzip"
        "chunked" "close" "keep-alive" "XMLRPC++ 0.7"
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The end of the head in `bytes`, behind its empty line. The first `searched` bytes need not be looked at as line ends again.
pub fn head_end(bytes: &[u8], searched: usize) -> Option<usize> {
    let mut from = searched;
    while let Some(line_end) = bytes.get(from..)?.iter().position(|byte| *byte == b'\n') {
        from += line_end + 1;
        match bytes.get(from..)? {
            [b'\n', ..] => return Some(from + 1),
            [b'\r', b'\n', ..] => return Some(from + 2),
            _ => {}
        }
    }
    None
}

/// Whether a message of this role could begin so. Judged at the first line's end, or earlier by what it must begin with.
pub fn could_begin(role: Role, bytes: &[u8]) -> bool {
    match role {
        Role::Answers => {
            let magic = role.magic();
            let known = bytes.len().min(magic.len());
            bytes.get(..known) == magic.get(..known)
        }
        Role::Requests => {
            let method = bytes.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
            method == bytes.len().min(16) || (method > 0 && bytes.get(method) == Some(&b' '))
        }
    }
}
