//! What a file is, by its first bytes.

use std::fmt;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Nothing is in it.
    Empty,
    /// pcap or pcapng.
    PacketCapture,
    /// Begins like a JSON object.
    JsonObject,
    /// JSON, but no object.
    OtherJson,
    /// gzip.
    Gzip,
    /// Something else that can be named.
    Known(&'static str),
    /// Text.
    Text,
    /// Bytes of no kind that is known here.
    Unknown,
}

const MAGIC: [(&[u8], FileKind); 22] = [
    (&[0xa1, 0xb2, 0xc3, 0xd4], FileKind::PacketCapture),
    (&[0xd4, 0xc3, 0xb2, 0xa1], FileKind::PacketCapture),
    (&[0xa1, 0xb2, 0x3c, 0x4d], FileKind::PacketCapture),
    (&[0x4d, 0x3c, 0xb2, 0xa1], FileKind::PacketCapture),
    (&[0x0a, 0x0d, 0x0d, 0x0a], FileKind::PacketCapture),
    (&[0x1f, 0x8b], FileKind::Gzip),
    (
        &[0x34, 0xcd, 0xb2, 0xa1],
        FileKind::Known("a packet capture in a modified pcap format (convert it: editcap IN OUT)"),
    ),
    (b"\x7fELF", FileKind::Known("an ELF program or library")),
    (b"#ROSBAG V", FileKind::Known("a ROS 1 bag")),
    (b"\x89MCAP", FileKind::Known("an MCAP file (a ROS 2 bag)")),
    (b"SQLite format 3\0", FileKind::Known("an SQLite database (perhaps a ROS 2 bag)")),
    (b"PK\x03\x04", FileKind::Known("a zip archive; unpack it first")),
    (&[0x28, 0xb5, 0x2f, 0xfd], FileKind::Known("compressed with zstd; unpack it first: unzstd FILE")),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], FileKind::Known("compressed with xz; unpack it first: unxz FILE")),
    (b"BZh", FileKind::Known("compressed with bzip2; unpack it first: bunzip2 FILE")),
    (b"\x89PNG", FileKind::Known("a PNG picture")),
    (b"%PDF", FileKind::Known("a PDF document")),
    (b"<?xml", FileKind::Known("XML")),
    (b"<!DOCTYPE", FileKind::Known("an HTML page")),
    (b"<html", FileKind::Known("an HTML page")),
    (b"snoop\0\0\0", FileKind::Known("a snoop packet capture (convert it: editcap IN OUT)")),
    (b"#!", FileKind::Known("a script")),
];

impl FileKind {
    /// Judges by the first bytes of a file (some hundred are enough).
    pub fn of(start: &[u8]) -> Self {
        if start.is_empty() {
            return Self::Empty;
        }
        if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| start.starts_with(magic)) {
            return *kind;
        }
        let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
        match text.first() {
            Some(b'{') => Self::JsonObject,
            Some(b'[' | b'"') => Self::OtherJson,
            _ if start.iter().all(|byte| matches!(byte, 0x09 | 0x0a | 0x0d | 0x1b | 0x20..=0x7e | 0x80..)) => {
                Self::Text
            }
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty file",
            Self::PacketCapture => "a packet capture",
            Self::JsonObject => "a JSON object",
            Self::OtherJson => "JSON, but no object",
            Self::Gzip => "a gzip file inside a gzip file",
            Self::Known(name) => name,
            Self::Text => "text, and no JSON",
            Self::Unknown => "a file of a kind that rosprobe does not know",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_first_bytes() {
        for (start, expected) in [
            (&b""[..], "an empty file"),
            (b"\x0a\x0d\x0d\x0a", "a packet capture"),
            (b"\xd4\xc3\xb2\xa1", "a packet capture"),
            (b"\x7fELF\x02", "an ELF program or library"),
            (b"#ROSBAG V2.0\n", "a ROS 1 bag"),
            (b"\xef\xbb\xbf  {", "a JSON object"),
            (b"[1]", "JSON, but no object"),
            (b"hello", "text, and no JSON"),
            (b"\0\0\0", "a file of a kind that rosprobe does not know"),
        ] {
            assert_eq!(FileKind::of(start).to_string(), expected);
        }
    }
}
