//! What reading a trace gives, or why it gives nothing.

use std::io;
use std::path::PathBuf;

use super::document::{Lost, Meta, Source, VERSION};
use crate::diagnosis::Finding;
use crate::event::{Clock, Monotonic};
use crate::observation::Observation;

/// Why something is not read as a trace.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file could not be opened or read.
    #[error("cannot be read: {0}; {remedy}", remedy = remedy(.0))]
    Io(#[source] io::Error),
    /// It is something else.
    #[error(
        "this is {found}; rosprobe opens its own traces (.json, .json.gz, recordings) and packet captures (pcap, pcapng)"
    )]
    NotATrace {
        /// What it is.
        found: String,
    },
    /// A newer rosprobe wrote it.
    #[error(
        "this trace is of version {found}, and this rosprobe reads versions up to {VERSION}; open it with a newer rosprobe"
    )]
    Newer {
        /// Its version.
        found: u64,
    },
    /// It is a trace, and nothing of it can be used.
    #[error("this trace is damaged so that nothing of it can be used: {reason}; copy or record it again")]
    Useless {
        /// What is wrong.
        reason: String,
    },
    /// A packet capture whose beginning cannot be understood.
    #[error("this packet capture cannot be read: {0}; copy or record it again (`tcpdump -i any -w fault.pcap`)")]
    PacketCapture(String),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "is its name right, and the folder?",
        io::ErrorKind::PermissionDenied => "run rosprobe as its owner, or let the owner give it to you",
        _ => "copy it again, or record it again",
    }
}

/// Which of several files could not be opened, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct FileError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub source: OpenError,
}

/// What a trace says besides its observations.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Where and how it was made.
    pub meta: Meta,
    /// The findings that it was written with.
    pub findings: Vec<Finding>,
    /// What was missing when it was written.
    pub lost: Lost,
    /// What is missing because the file is damaged; each a sentence.
    pub missing: Vec<String>,
    /// Observations in the midst of the file, or lines that may have been some, that could not be read.
    pub damaged: u64,
}

/// Refuses versions that this program cannot know.
pub(super) fn check_version(found: u64) -> Result<(), OpenError> {
    match found {
        0 => Err(OpenError::Useless { reason: "it says that it is of version 0, which never was".to_owned() }),
        found if found > u64::from(VERSION) => Err(OpenError::Newer { found }),
        _ => Ok(()),
    }
}

/// The clock that gives an observation its wall-clock time.
pub(super) fn clock_of(observation: &Observation) -> Clock {
    let since_zero = jiff::SignedDuration::from_nanos(i64::try_from(observation.monotonic.0).unwrap_or(i64::MAX));
    Clock { zero: observation.time.checked_sub(since_zero).unwrap_or(observation.time) }
}

/// Stands in where the description itself is damaged.
pub(super) fn unknown_meta(clock: Option<Clock>) -> Meta {
    let clock = clock.unwrap_or(Clock { zero: jiff::Timestamp::UNIX_EPOCH });
    Meta {
        rosprobe: String::new(),
        source: Source::Live,
        files: Vec::new(),
        host: None,
        kernel: None,
        architecture: None,
        capture_mode: None,
        command_line: Vec::new(),
        clock,
        begin: Monotonic(0),
        end: Monotonic(0),
        started: clock.wall(Monotonic(0)),
        ended: clock.wall(Monotonic(0)),
        duration_ns: 0,
        namespaces: Vec::new(),
        limits: Vec::new(),
        redacted: false,
    }
}
