//! What the parts of a decoder need to speak: the moment, the limits, and somewhere to put observations.

use super::limits::Limits;
use crate::event::{Direction, Monotonic};
use crate::observation::{ObservationId, Protocol, What};

/// Handed down while one event is handled.
pub struct Context<'a> {
    /// When the event happened.
    pub now: Monotonic,
    /// How much is kept and believed.
    pub limits: &'a Limits,
    sink: &'a mut dyn FnMut(What) -> ObservationId,
}

impl<'a> Context<'a> {
    /// For an event at `now`; `sink` makes observations.
    pub fn new(now: Monotonic, limits: &'a Limits, sink: &'a mut dyn FnMut(What) -> ObservationId) -> Self {
        Self { now, limits, sink }
    }

    /// Makes an observation.
    pub fn emit(&mut self, what: What) -> ObservationId {
        (self.sink)(what)
    }

    /// Says what is wrong with bytes at an offset.
    pub fn malformed(&mut self, protocol: Protocol, direction: Direction, offset: u64, reason: String) {
        self.emit(What::Malformed { protocol, direction, offset, reason });
    }
}
