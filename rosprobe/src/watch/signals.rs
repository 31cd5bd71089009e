//! Signals that end a watch, and the one that asks for a trace.

use std::io;

use nix::sys::signal::Signal;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caught {
    /// The end, by this signal.
    End(Signal),
    /// A trace of what was seen so far.
    TraceWanted,
}

/// SIGINT, SIGTERM and SIGHUP, and SIGUSR1.
#[derive(Debug)]
pub struct Signals {
    interrupt: Stream,
    terminate: Stream,
    hangup: Stream,
    trace_wanted: Stream,
}

impl Signals {
    /// From now on these signals do not kill the process.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            trace_wanted: signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits for one of them.
    pub async fn next(&mut self) -> Caught {
        tokio::select! {
            _ = self.interrupt.recv() => Caught::End(Signal::SIGINT),
            _ = self.terminate.recv() => Caught::End(Signal::SIGTERM),
            _ = self.hangup.recv() => Caught::End(Signal::SIGHUP),
            _ = self.trace_wanted.recv() => Caught::TraceWanted,
        }
    }
}
