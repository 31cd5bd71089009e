//! One JSON object a line. Every line has a `type`.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::diagnosis::{Counts, Finding};
use crate::graph::LinkCounts;
use crate::observation::Observation;

/// A line of `--output jsonl`.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Line<'a> {
    /// The first line: what watches, and how.
    Start(Start<'a>),
    /// Something was observed.
    Observation(&'a Observation),
    /// Something is wrong; with the same id again when it changed.
    Finding(&'a Finding),
    /// A finding no longer holds.
    FindingOver {
        /// Its id.
        id: &'a str,
    },
    /// How the capture is doing; once a second and at the end.
    Statistics(Statistics),
    /// Something that a person should know.
    Notice {
        /// In a sentence.
        text: &'a str,
    },
}

/// What watches, and how.
#[derive(Clone, Debug, Serialize)]
pub struct Start<'a> {
    /// Version of rosprobe.
    pub rosprobe: &'a str,
    /// Wall-clock time.
    pub time: jiff::Timestamp,
    /// The kernel's release.
    pub kernel: &'a str,
    /// Which hooks carry the payload: `fexit`, `sock` or `syscall`.
    pub capture_mode: &'a str,
    /// The BPF programs that are attached, by name.
    pub attached: &'a [String],
    /// rosprobe's own process id; it does not observe itself.
    pub pid: u32,
    /// The command that is watched alone, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<&'a [String]>,
    /// The network namespaces that are watched alone, as they were asked for (`--netns`).
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub netns: &'a [String],
}

impl Start<'_> {
    /// What is watched, in words.
    #[must_use]
    pub fn what(&self) -> String {
        match (self.command, self.netns) {
            (Some(words), _) => words.join(" "),
            (None, []) => "this machine".to_owned(),
            (None, namespaces) => format!("netns {}", namespaces.join(", ")),
        }
    }
}

/// How the capture is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// Events that the kernel side handed over so far.
    pub events: u64,
    /// Bytes that went through the ring buffer so far.
    pub ring_buffer_bytes: u64,
    /// Events lost so far.
    pub lost: u64,
    /// Observations so far.
    pub observations: u64,
    /// Links by health, now.
    pub links: LinkCounts,
    /// Findings by severity, now; those that the filter hides are not counted.
    pub findings: Counts,
    /// Memory that rosprobe uses, in bytes.
    pub memory_bytes: u64,
}

impl Line<'_> {
    /// Writes it, with its line end. Every control character is escaped, those above ASCII too: the line may end up on a terminal.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Escaping))?;
        out.write_all(b"\n")
    }
}

/// Compact JSON that also escapes DEL and the C1 control characters, which JSON itself lets through.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // DEL is a byte of its own, and C1 begins with one that is rare: most fragments are looked at once, by bytes, many at a time.
        if !fragment.bytes().fold(false, |found, byte| found | matches!(byte, 0x7f | 0xc2)) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut plain = 0;
        for (index, character) in fragment.char_indices().filter(|(_, character)| character.is_control()) {
            writer.write_all(&fragment.as_bytes()[plain..index])?;
            write!(writer, "\\u{:04x}", u32::from(character))?;
            plain = index + character.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }
}
