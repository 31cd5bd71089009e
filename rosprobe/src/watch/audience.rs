//! Whoever looks on: lines on standard output, or the screen.

use std::io;

use crate::capture::Statistics;
use crate::event::Monotonic;
use crate::observation::Observation;

/// Whoever looks on. An error ends the watch; `BrokenPipe` says that nobody looks any more.
pub trait Audience {
    /// Observations, in the order of their ids.
    fn observations(&mut self, observations: Vec<Observation>) -> io::Result<()>;

    /// Time has come to `now`: findings are due.
    fn advance(&mut self, now: Monotonic) -> io::Result<()>;

    /// How the capture is doing; about once a second.
    fn statistics(&mut self, statistics: &Statistics) -> io::Result<()>;

    /// Something that a person should know, in a sentence.
    fn notice(&mut self, text: &str) -> io::Result<()>;

    /// The capture is over.
    fn finish(&mut self, now: Monotonic, statistics: &Statistics) -> io::Result<()>;
}
