//! What comes into the state machine, and what it asks to be done.

use std::path::PathBuf;

use ratatui::crossterm::event::Event;

use crate::event::Monotonic;
use crate::observation::Observation;
use crate::trace::Opened;

/// Something happened.
#[derive(Debug)]
pub enum Message {
    /// The terminal: a key, the mouse, pasted text, a new size.
    Terminal(Event),
    /// Observations, in the order of their ids.
    Observations(Vec<Observation>),
    /// Time has come to here on the capture's clock.
    Advance(Monotonic),
    /// How the capture is doing.
    Statistics(Statistics),
    /// Memory that rosprobe itself uses, in bytes.
    Memory(u64),
    /// How far the reading of a file has come.
    Progress(Progress),
    /// The file is read.
    Opened(Box<Opened>),
    /// The file cannot be read, and why.
    OpenFailed(String),
    /// A trace was written to this path, or why not.
    Exported(Result<Export, ExportError>),
    /// Somebody outside asks for a trace of what was seen so far.
    TraceWanted,
    /// Something a person should know, in one sentence.
    Notice(String),
    /// The capture is over: leave.
    Quit,
}

/// Something to be done by whoever runs the state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Write all observations that are kept to this file.
    Export {
        /// Where.
        path: PathBuf,
        /// True once a person has agreed to lose the file that is there.
        overwrite: bool,
    },
    /// Write them to a file whose name is made up and not taken.
    ExportUnnamed,
    /// Hand this text to the terminal's clipboard.
    Copy(String),
    /// Give the terminal back and stop, as Ctrl-Z does.
    Suspend,
    /// Draw everything again.
    Redraw,
    /// Read no more of the file.
    StopReading,
}

/// A trace that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Where it is.
    pub path: PathBuf,
    /// How many observations are in it.
    pub observations: u64,
    /// How many are not, because they were no longer kept.
    pub forgotten: u64,
}

/// Why a trace was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportError {
    /// There is a file of that name.
    Exists(PathBuf),
    /// The reason, in one sentence.
    Failed(String),
}

/// How the capture is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Events a second, over the last seconds.
    pub events_per_second: f64,
    /// Events lost so far, at any place.
    pub lost: u64,
}

/// How far the reading of a file has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub read: u64,
    /// Bytes in the file.
    pub total: u64,
}

/// Where observations come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The kernel of this machine.
    Live {
        /// What is watched: `this machine`, `rostopic echo /t`.
        what: String,
        /// The rungs in use, short: `sock mode`.
        mode: String,
    },
    /// A trace or a packet capture of this name.
    File(String),
}

/// What the screen starts with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where observations come from.
    pub source: Source,
    /// The filter, as it would be typed.
    pub filter: String,
    /// Failures only.
    pub failures: bool,
    /// Colours.
    pub theme: super::Theme,
    /// The time zone in which times of day are shown.
    pub zone: jiff::tz::TimeZone,
}
