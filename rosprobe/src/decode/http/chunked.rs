//! The chunked transfer coding (RFC 9112 7.1).

use super::head::HttpError;

/// Where in a chunked body the next byte is.
#[derive(Debug, Default)]
pub struct Chunked {
    state: State,
    /// The line that is being read, without its line end.
    line: Vec<u8>,
    trailer_bytes: usize,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    Trailer,
}

/// What a step found at the front of the bytes.
#[derive(Debug)]
pub enum Progress {
    /// That many bytes of content.
    Data(usize),
    /// That many bytes of framing.
    Framing(usize),
    /// The last bytes of the body.
    Done(usize),
    /// Not chunked.
    Malformed(HttpError),
}

impl Chunked {
    /// Longest line with a chunk's size and extensions, in bytes.
    const LINE: usize = 4096;
    /// Longest trailer section, in bytes.
    const TRAILERS: usize = 64 << 10;

    /// Looks at the front of `bytes`, which are not empty.
    pub fn step(&mut self, bytes: &[u8]) -> Progress {
        match self.state {
            State::Data(rest) => {
                let used = usize::try_from(rest).unwrap_or(usize::MAX).min(bytes.len());
                self.data(used as u64, rest);
                Progress::Data(used)
            }
            State::Size | State::DataEnd | State::Trailer => self.framing(bytes),
        }
    }

    /// Bytes were not seen; true when they were content of one chunk, so that the framing is still known.
    pub fn skip(&mut self, length: u64) -> bool {
        match self.state {
            State::Data(rest) if rest >= length => {
                self.data(length, rest);
                true
            }
            _ => false,
        }
    }

    fn data(&mut self, used: u64, rest: u64) {
        self.state = if used == rest { State::DataEnd } else { State::Data(rest - used) };
    }

    fn framing(&mut self, bytes: &[u8]) -> Progress {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        self.line.extend_from_slice(&part[..part.len().min(Self::LINE + 1)]);
        if self.line.len() > Self::LINE {
            return Progress::Malformed(HttpError::ChunkLineTooLong { limit: Self::LINE });
        }
        let Some(end) = end else { return Progress::Framing(bytes.len()) };
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        let line = std::mem::take(&mut self.line);
        match self.line_complete(&line) {
            Ok(false) => Progress::Framing(end + 1),
            Ok(true) => Progress::Done(end + 1),
            Err(error) => Progress::Malformed(error),
        }
    }

    /// Takes a line of framing; true after the last one.
    fn line_complete(&mut self, line: &[u8]) -> Result<bool, HttpError> {
        match self.state {
            State::DataEnd if line.is_empty() => self.state = State::Size,
            State::DataEnd => return Err(HttpError::ChunkEnd),
            State::Trailer if line.is_empty() => return Ok(true),
            State::Trailer => {
                self.trailer_bytes += line.len();
                if self.trailer_bytes > Self::TRAILERS {
                    return Err(HttpError::TrailersTooLong { limit: Self::TRAILERS });
                }
            }
            State::Size | State::Data(_) => {
                self.state = match chunk_size(line)? {
                    0 => State::Trailer,
                    size => State::Data(size),
                }
            }
        }
        Ok(false)
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, HttpError> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(HttpError::ChunkSize);
    }
    let text = std::str::from_utf8(digits).map_err(|_| HttpError::ChunkSize)?;
    u64::from_str_radix(text, 16).map_err(|_| HttpError::ChunkSize)
}
