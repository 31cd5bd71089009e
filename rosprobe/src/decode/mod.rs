//! Events in, observations out. Sans-IO: owns no sockets, no clock and no threads; time comes in with the event.

use crate::event::{Clock, Event, Monotonic};
use crate::observation::Observation;

/// Turns events into observations.
#[derive(Debug)]
pub struct Decoder {
    clock: Clock,
}

impl Decoder {
    /// A decoder for one capture. `clock` gives observations their wall-clock time.
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }

    /// Takes one event and appends what it reveals to `out`. Events of one socket come in the order in which they happened; a
    /// socket's events may come before its process's.
    pub fn handle(&mut self, event: Event, out: &mut Vec<Observation>) {
        let _ = (event, out, &self.clock);
    }

    /// The capture is over: what was still under way at `now` is said.
    pub fn finish(&mut self, now: Monotonic, out: &mut Vec<Observation>) {
        let _ = (now, out);
    }
}
