//! Whoever looks on: lines on standard output, or the screen.

use std::io;

use crate::capture::Statistics;
use crate::event::Monotonic;
use crate::observation::Observation;
use crate::session::Session;

/// Whoever looks on. An error ends the watch; `BrokenPipe` says that nobody looks any more.
#[expect(async_fn_in_trait, reason = "used on one thread, never boxed")]
pub trait Audience {
    /// Takes all `observations`, which are in the order of their ids, and leaves the memory to the next ones if it can.
    fn observations(&mut self, observations: &mut Vec<Observation>) -> io::Result<()>;

    /// Time has come to `now`: findings are due.
    fn advance(&mut self, now: Monotonic) -> io::Result<()>;

    /// How the capture is doing; about once a second.
    fn statistics(&mut self, statistics: &Statistics) -> io::Result<()>;

    /// Something that a person should know, in a sentence.
    fn notice(&mut self, text: &str) -> io::Result<()>;

    /// A trace of what was seen so far is wanted, in a file of its own (SIGUSR1).
    fn trace_wanted(&mut self) -> io::Result<()>;

    /// What was seen, and what was wrong as of the last `advance`; `None` where somebody else keeps it.
    fn session(&self) -> Option<&Session> {
        None
    }

    /// Waits until nobody looks any more. May be dropped at any time.
    async fn gone(&mut self) {
        std::future::pending::<()>().await;
    }

    /// The capture is over.
    fn finish(&mut self, now: Monotonic, statistics: &Statistics) -> io::Result<()>;
}
