//! The types of the file format that are not types of the program anyway.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnosis::{Code, Finding};
use crate::event::{Clock, Monotonic, Namespace, Process};
use crate::observation::Observation;

/// Version of the format that this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// A trace as one JSON object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// Version of the format.
    pub rosprobe_trace: u32,
    /// Where and how it was made.
    pub meta: Meta,
    /// All processes that were seen.
    #[serde(default)]
    pub processes: Vec<Process>,
    /// What was observed, in the order of ids.
    #[serde(default)]
    pub observations: Vec<Observation>,
    /// What was wrong at the end. Made from the observations; a reader makes them anew.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What is missing.
    #[serde(default)]
    pub lost: Lost,
}

/// Where observations came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The kernel of the host that `meta` names.
    Live,
    /// A pcap or pcapng file.
    PacketCapture,
    /// Several files at once.
    Joined,
    /// Made up, to show the screens.
    Demo,
}

/// Where and how a trace was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Meta {
    /// Version of the rosprobe that observed.
    pub rosprobe: String,
    /// Where the observations came from.
    pub source: Source,
    /// Names of the files that the observations were read from, when that was no trace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Host name of the machine that observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its kernel's release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// Its architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Which hooks of the kernel were used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture_mode: Option<String>,
    /// The command line of rosprobe.
    #[serde(default)]
    pub command_line: Vec<String>,
    /// Relation of the monotonic clock to the wall clock.
    pub clock: Clock,
    /// When observing began, on the monotonic clock.
    pub begin: Monotonic,
    /// The moment up to which nothing else happened: findings are those of this moment.
    pub end: Monotonic,
    /// The same as wall-clock time.
    pub started: jiff::Timestamp,
    /// The same as wall-clock time.
    pub ended: jiff::Timestamp,
    /// From begin to end, in nanoseconds.
    pub duration_ns: u64,
    /// Local addresses and routes, by network namespace.
    #[serde(default)]
    pub namespaces: Vec<Namespace>,
    /// Limits that were hit and other reasons why something is not there.
    #[serde(default)]
    pub limits: Vec<String>,
    /// True when names, addresses and values were replaced by placeholders.
    #[serde(default)]
    pub redacted: bool,
}

impl Meta {
    /// A description of observing that begins at `begin`, on this machine, with this program and command line.
    pub fn here(source: Source, clock: Clock, begin: Monotonic) -> Self {
        let machine = nix::sys::utsname::uname().ok();
        let text = |field: &std::ffi::OsStr| field.to_string_lossy().into_owned();
        Self {
            rosprobe: env!("CARGO_PKG_VERSION").to_owned(),
            source,
            files: Vec::new(),
            host: machine.as_ref().map(|machine| text(machine.nodename())),
            kernel: machine.as_ref().map(|machine| text(machine.release())),
            architecture: machine.as_ref().map(|machine| text(machine.machine())),
            capture_mode: None,
            command_line: std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect(),
            clock,
            begin,
            end: begin,
            started: clock.wall(begin),
            ended: clock.wall(begin),
            duration_ns: 0,
            namespaces: Vec::new(),
            limits: Vec::new(),
            redacted: false,
        }
    }

    /// A description of what a packet capture shows: of the machine that it was taken on, nothing is known.
    pub fn of_packets(clock: Clock, file: String) -> Self {
        let meta = Self::here(Source::PacketCapture, clock, Monotonic(0));
        Self { files: vec![file], host: None, kernel: None, architecture: None, command_line: Vec::new(), ..meta }
    }

    /// The same with another end.
    #[must_use]
    pub fn until(mut self, end: Monotonic) -> Self {
        self.end = end.max(self.begin);
        self.started = self.clock.wall(self.begin);
        self.ended = self.clock.wall(self.end);
        self.duration_ns = self.end.0 - self.begin.0;
        self
    }

    /// Adds the limits of rosprobe itself that were hit.
    pub(super) fn note_limits(&mut self, lost: Lost, findings: &[Finding]) {
        if lost.observations > 0 {
            self.note(format!(
                "{} observations are not in the file: older than what was kept, not written for lack of space, or damaged.",
                lost.observations
            ));
        }
        if lost.events > 0 {
            self.note(format!("{} events were lost between the kernel and rosprobe.", lost.events));
        }
        let hit = |code| findings.iter().any(|finding| finding.code == code);
        // Of packets that are cut, whoever read them has said so.
        let is_copied = |finding: &Finding| finding.code == Code::PayloadTruncated && finding.process.is_some();
        if findings.iter().any(is_copied) {
            self.note("Messages longer than --payload-limit were cut.");
        }
        if hit(Code::LimitReached) {
            self.note("There are more links than are followed.");
        }
    }

    /// Adds a limit that was hit, once.
    pub fn note(&mut self, limit: impl Into<String>) {
        let limit = limit.into();
        if !self.limits.contains(&limit) {
            self.limits.push(limit);
        }
    }
}

/// What is missing from a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Lost {
    /// Events lost between the kernel and rosprobe.
    pub events: u64,
    /// Observations that were made and are not in the file: older than what is kept, or not written for lack of space.
    pub observations: u64,
}

/// One line of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// Something was observed.
    Observation(Box<Observation>),
    /// A finding as it is from now on.
    Finding(Box<Finding>),
    /// Nothing else happened up to this moment.
    Now {
        /// The moment, in nanoseconds on the monotonic clock.
        monotonic: Monotonic,
        /// What is missing so far.
        #[serde(default)]
        lost: Lost,
    },
    /// The recording was ended on purpose; it is complete.
    End {
        /// The description as it was at the end.
        meta: Box<Meta>,
        /// What is missing.
        #[serde(default)]
        lost: Lost,
    },
}

/// The first line of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordingHead {
    /// Version of the format.
    pub rosprobe_trace: u32,
    /// Always true: this is a recording, and its lines follow.
    pub recording: bool,
    /// Where and how it is made, as known at the beginning.
    pub meta: Meta,
}
