//! The live loop: capture -> decode -> audience, with signals, a duration and a command that is watched.

mod audience;
mod command;
mod printer;
mod recording;
mod scope;
mod screen;
mod signals;
mod write_behind;

use std::io;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep_until};

pub use self::audience::Audience;
pub use self::command::{Command, CommandError, Output};
pub use self::printer::{Format, Printer};
pub use self::recording::Recording;
pub use self::scope::Scope;
pub use self::screen::Screen;
pub use self::signals::{Caught, Signals};
use crate::capture::{LiveCapture, Statistics};
use crate::decode::Decoder;
use crate::event::{Event, Monotonic};
use crate::observation::Observation;

/// Records taken from the ring buffer before anything else gets its turn.
const DRAIN_LIMIT: usize = 1024;
/// Drains after the end of the capture; a machine that goes on talking must not keep us.
const LAST_DRAINS: usize = 256;
/// Observations handed on at once: ten thousand sockets sampled in one go are no burst of memory.
const AT_ONCE: usize = 512;
/// Findings are not made anew sooner than this after the last time.
const SETTLE: Duration = Duration::from_millis(20);
/// Nor sooner than this many times what that took: where many links stand, taking events goes first.
const SHARE: u32 = 4;
/// Findings are made anew this often without any event, for those that time alone brings.
const IDLE: Duration = Duration::from_millis(500);
/// Totals of sockets are read, and statistics said, this often.
const SAMPLE: Duration = Duration::from_secs(1);
/// How long a command may take to end after it was asked to.
const COMMAND_END: Duration = Duration::from_secs(5);

/// Where events come from.
#[expect(async_fn_in_trait, reason = "used on one thread, never boxed")]
pub trait Capture {
    /// Waits until there may be events. May be dropped at any time.
    async fn ready(&mut self) -> io::Result<()>;

    /// Appends the events of at most `limit` records; true when there may be more.
    fn drain(&mut self, limit: usize, out: &mut Vec<Event>) -> bool;

    /// Appends what the kernel side counted since the last time, as of `now`.
    fn sample(&mut self, now: Monotonic, out: &mut Vec<Event>);

    /// Appends what was lost since the last time, as of `now`.
    fn losses(&mut self, now: Monotonic, out: &mut Vec<Event>);

    /// Totals so far.
    fn statistics(&self) -> Statistics;

    /// The time now, on the clock of the events.
    fn now(&self) -> Monotonic;
}

/// Why it was not possible to go on watching.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Nobody knows any more when there are events.
    #[error("the kernel's events can no longer be waited for: {0}; start the watch again")]
    Capture(#[source] io::Error),
    /// The command is still there.
    #[error("the command cannot be ended: {0}; end it yourself")]
    Command(#[source] io::Error),
    /// What was seen could not be shown.
    #[error(transparent)]
    Audience(#[from] io::Error),
}

/// Why the loop came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Signal(Signal),
    Duration,
    Command,
    /// Nobody looks any more.
    Gone,
}

/// What to watch, and how long.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Which processes.
    pub scope: Scope,
    /// Made before anything says that it watches: from then on a signal ends it cleanly.
    pub signals: Signals,
    /// How long; until a signal or the end of the command when absent.
    pub duration: Option<Duration>,
    /// The command whose end is the end of the watch.
    pub command: Option<&'a mut Command>,
}

/// Watches until a signal, the end of the duration or the end of the command.
pub async fn watch<C: Capture, A: Audience>(
    capture: &mut C,
    decoder: &mut Decoder,
    audience: &mut A,
    plan: Plan<'_>,
) -> Result<(), WatchError> {
    let Plan { scope, mut signals, duration, command } = plan;
    let mut watch = Watch {
        capture,
        decoder,
        audience,
        scope,
        events: Vec::new(),
        observations: Vec::new(),
        dirty: false,
        known_until: Monotonic(0),
    };
    watch.run(&mut signals, duration, command).await
}

struct Watch<'a, C, A> {
    capture: &'a mut C,
    decoder: &'a mut Decoder,
    audience: &'a mut A,
    scope: Scope,
    events: Vec<Event>,
    observations: Vec<Observation>,
    /// Something was observed since findings were made.
    dirty: bool,
    /// The moment up to which everything that happened was taken.
    known_until: Monotonic,
}

impl<C: Capture, A: Audience> Watch<'_, C, A> {
    async fn run(
        &mut self,
        signals: &mut Signals,
        duration: Option<Duration>,
        mut command: Option<&mut Command>,
    ) -> Result<(), WatchError> {
        let deadline = duration.map(|duration| Instant::now() + duration);
        let end = self.until_end(signals, deadline, &mut command).await?;
        if let Some(command) = command
            && end != End::Command
        {
            self.end_command(signals, command, end).await?;
        }
        Ok(self.finish()?)
    }

    async fn until_end(
        &mut self,
        signals: &mut Signals,
        deadline: Option<Instant>,
        command: &mut Option<&mut Command>,
    ) -> Result<End, WatchError> {
        let mut advance = Instant::now() + IDLE;
        let mut settled = Instant::now();
        let mut sample = Instant::now() + SAMPLE;
        loop {
            tokio::select! {
                biased;
                caught = signals.next() => match caught {
                    Caught::End(signal) => return Ok(End::Signal(signal)),
                    Caught::TraceWanted => self.trace_wanted()?,
                },
                () = at(deadline) => return Ok(End::Duration),
                () = sleep_until(sample) => {
                    self.sample()?;
                    sample = Instant::now() + SAMPLE;
                }
                () = sleep_until(advance) => {
                    // What has come until now would only make findings anew a moment later.
                    self.drain()?;
                    settled = self.advance()?;
                    advance = Instant::now() + IDLE;
                }
                ready = self.capture.ready() => {
                    ready.map_err(WatchError::Capture)?;
                    let more = self.drain()?;
                    if self.dirty && !more && settled <= Instant::now() {
                        settled = self.advance()?;
                        advance = Instant::now() + IDLE;
                    } else if self.dirty {
                        advance = advance.min(settled);
                    }
                }
                () = self.audience.gone() => return Ok(End::Gone),
                ended = ended(command) => {
                    self.audience.notice(&ended)?;
                    return Ok(End::Command);
                }
            }
        }
    }

    /// Asks the command to end, and goes on watching until it has.
    async fn end_command(&mut self, signals: &mut Signals, command: &mut Command, end: End) -> Result<(), WatchError> {
        command.ask_to_end(if let End::Signal(signal) = end { signal } else { Signal::SIGTERM });
        let deadline = Instant::now() + COMMAND_END;
        loop {
            tokio::select! {
                biased;
                caught = signals.next() => match caught {
                    Caught::End(_) => break,
                    Caught::TraceWanted => self.trace_wanted()?,
                },
                () = sleep_until(deadline) => break,
                ended = command.ended() => return Ok(self.audience.notice(&ended)?),
                ready = self.capture.ready() => {
                    ready.map_err(WatchError::Capture)?;
                    self.drain()?;
                }
            }
        }
        command.kill().await.map_err(WatchError::Command)?;
        Ok(self.audience.notice(&command.killed())?)
    }

    /// What happened before the signal is in the trace.
    fn trace_wanted(&mut self) -> io::Result<()> {
        self.drain()?;
        self.advance()?;
        self.audience.trace_wanted()
    }

    fn drain(&mut self) -> io::Result<bool> {
        // Not the time afterwards: between the look and the conclusion we may stand still for seconds.
        let begun = self.capture.now();
        let more = self.capture.drain(DRAIN_LIMIT, &mut self.events);
        let taken = if more { self.events.iter().map(|event| event.time).max() } else { Some(begun) };
        self.known_until = self.known_until.max(taken.unwrap_or_default());
        self.hand_on()?;
        Ok(more)
    }

    fn sample(&mut self) -> io::Result<()> {
        // What was counted until now comes after what happened until now.
        self.drain()?;
        let now = self.known_until;
        self.capture.sample(now, &mut self.events);
        self.hand_on()?;
        self.audience.statistics(&self.capture.statistics())
    }

    fn hand_on(&mut self) -> io::Result<()> {
        for event in self.events.drain(..) {
            self.scope.sift(event, &mut |event| self.decoder.handle(event, &mut self.observations));
            if self.observations.len() >= AT_ONCE {
                self.dirty = true;
                self.audience.observations(&mut self.observations)?;
            }
        }
        self.events.shrink_to(DRAIN_LIMIT);
        self.dirty |= !self.observations.is_empty();
        self.say_observations()
    }

    fn say_observations(&mut self) -> io::Result<()> {
        if self.observations.is_empty() { Ok(()) } else { self.audience.observations(&mut self.observations) }
    }

    /// Makes findings anew; when that may be done again.
    fn advance(&mut self) -> io::Result<Instant> {
        let begun = Instant::now();
        let now = self.known_until;
        // Before anything is concluded from what was not seen.
        self.capture.losses(now, &mut self.events);
        self.hand_on()?;
        self.dirty = false;
        self.decoder.advance(now, &mut self.observations);
        self.say_observations()?;
        self.audience.advance(now)?;
        Ok(Instant::now() + SETTLE.max(begun.elapsed() * SHARE))
    }

    fn finish(&mut self) -> io::Result<()> {
        for _ in 0..LAST_DRAINS {
            if !self.drain()? {
                break;
            }
        }
        let now = self.known_until;
        self.capture.sample(now, &mut self.events);
        self.hand_on()?;
        self.decoder.finish(now, &mut self.observations);
        self.say_observations()?;
        self.audience.finish(now, &self.capture.statistics())
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn ended(command: &mut Option<&mut Command>) -> String {
    match command {
        Some(command) => command.ended().await,
        None => std::future::pending().await,
    }
}

impl Capture for LiveCapture {
    async fn ready(&mut self) -> io::Result<()> {
        Self::ready(self).await
    }

    fn drain(&mut self, limit: usize, out: &mut Vec<Event>) -> bool {
        Self::drain(self, limit, out)
    }

    fn sample(&mut self, now: Monotonic, out: &mut Vec<Event>) {
        Self::sample(self, now, out);
    }

    fn losses(&mut self, now: Monotonic, out: &mut Vec<Event>) {
        Self::losses(self, now, out);
    }

    fn statistics(&self) -> Statistics {
        Self::statistics(self)
    }

    fn now(&self) -> Monotonic {
        Self::now(self)
    }
}

#[cfg(test)]
mod tests;
