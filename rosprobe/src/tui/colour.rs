//! The sixteen colours as terminals with sixteen colours understand them: `38;5;9`, which crossterm writes for light red, is of those with
//! 256, and elsewhere the 5 in it blinks. ECMA-48 and its common extension have `31` and `91`.

use std::io::{self, Write};

/// Longest sequence of colours and modes (SGR) that is looked at, in bytes.
const SEQUENCE_LIMIT: usize = 64;

/// Hands everything on, colours of sixteen in their short form.
#[derive(Debug)]
pub(super) struct Sixteen<W> {
    inner: W,
    /// A sequence that has begun.
    sequence: Vec<u8>,
    out: Vec<u8>,
}

impl<W: Write> Sixteen<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, sequence: Vec::new(), out: Vec::new() }
    }

    fn take(&mut self, byte: u8) {
        match (self.sequence.len(), byte) {
            (0, 0x1b) | (1, b'[') | (2..SEQUENCE_LIMIT, b'0'..=b'9' | b';') => self.sequence.push(byte),
            (0, _) => self.out.push(byte),
            _ => {
                if let (Some(parameters), b'm') = (self.sequence.get(2..), byte) {
                    let short = shorten(parameters);
                    self.out.extend_from_slice(b"\x1b[");
                    self.out.extend_from_slice(short.as_bytes());
                } else {
                    self.out.extend_from_slice(&self.sequence);
                }
                self.sequence.clear();
                self.out.push(byte);
            }
        }
    }
}

impl<W: Write> Write for Sixteen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.take(*byte);
        }
        let written = self.inner.write_all(&self.out);
        self.out.clear();
        written.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Parameters of a sequence with `38;5;N` and `48;5;N` in their short form where N is one of sixteen.
fn shorten(parameters: &[u8]) -> String {
    let text = String::from_utf8_lossy(parameters);
    let mut rest: Vec<&str> = text.split(';').collect();
    let mut short = Vec::new();
    while !rest.is_empty() {
        let colour = match rest[..] {
            [layer @ ("38" | "48"), "5", number, ..] => {
                number.parse().ok().and_then(|number| code(layer == "48", number))
            }
            _ => None,
        };
        short.push(colour.map_or_else(|| rest[0].to_owned(), |code| code.to_string()));
        rest.drain(..if colour.is_some() { 3 } else { 1 });
    }
    short.join(";")
}

fn code(background: bool, number: u8) -> Option<u8> {
    let first = match number {
        0..8 => 30,
        8..16 => 90 - 8,
        _ => return None,
    };
    Some(first + number + if background { 10 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_colours_are_short_and_everything_else_is_as_it_was() {
        for (written, expected) in [
            ("\x1b[38;5;9;49mx\x1b[0m", "\x1b[91;49mx\x1b[0m"),
            ("\x1b[38;5;2m\x1b[48;5;15m", "\x1b[32m\x1b[107m"),
            ("\x1b[1;38;5;6;48;5;0;4m", "\x1b[1;36;40;4m"),
            ("\x1b[38;5;208m\x1b[38;2;1;2;3m", "\x1b[38;5;208m\x1b[38;2;1;2;3m"),
            ("\x1b[2;5H\x1b[?25l\x1b]52;c;eA==\x07", "\x1b[2;5H\x1b[?25l\x1b]52;c;eA==\x07"),
            ("✗ wide 猫 \x1b[m \x1bm", "✗ wide 猫 \x1b[m \x1bm"),
        ] {
            for size in [1, 2, 3, 100] {
                let mut out = Sixteen::new(Vec::new());
                for piece in written.as_bytes().chunks(size) {
                    out.write_all(piece).unwrap();
                }
                assert_eq!(String::from_utf8_lossy(&out.inner), expected, "in pieces of {size}");
            }
        }
    }
}
