//! Counters of sockets become the rate of links, and say when data is sent and not acknowledged any more.

use super::Graph;
use super::link::{LinkId, LinkKind, Outcome, Rate, Stage};
use super::links::Entry;
use super::track::Stall;
use crate::event::{Monotonic, Traffic};
use crate::observation::{Observation, ObservationId};

/// A rate is taken over this time.
const RATE_OVER_NS: u64 = 5_000_000_000;
/// Samples kept for a rate.
const SAMPLE_LIMIT: usize = 16;

impl Graph {
    pub(super) fn traffic_observed(&mut self, observation: &Observation, totals: &Traffic) {
        let Some(socket) = observation.socket.as_ref().and_then(|socket| self.sockets.get_mut(socket.id)) else {
            return;
        };
        let news = totals.received_bytes > socket.traffic.received_bytes;
        socket.traffic = *totals;
        let (id, connecting) = (socket.id, socket.connecting);
        if news {
            self.still_answers(id, observation.monotonic);
        }
        let Some(socket) = self.sockets.get(id) else { return };
        if let Some(link) = socket.link {
            self.add_traffic(link, id, connecting, totals, observation.monotonic, observation.id);
        }
    }

    pub(super) fn add_traffic(
        &mut self,
        id: LinkId,
        socket: u64,
        connecting: Option<bool>,
        totals: &Traffic,
        at: Monotonic,
        observation: ObservationId,
    ) {
        let Some(Entry { link, track }) = self.links.get_mut(id) else { return };
        // What the subscriber received counts; what the publisher sent counts where the subscriber is not seen.
        let at_subscriber = connecting.unwrap_or(totals.received_bytes > 0);
        let one_sided = track.data_socket.is_none_or(|data| data == socket);
        let (bytes, messages) = match (link.kind, at_subscriber) {
            (LinkKind::Service, _) => (totals.sent_bytes + totals.received_bytes, 0),
            (_, true) => (totals.received_bytes, totals.received_messages),
            (_, false) => (totals.sent_bytes, totals.sent_messages),
        };
        if !at_subscriber || totals.unacknowledged_bytes.is_some() {
            let stalled = stalling(track.stall, totals, at);
            if stalled.since.is_some() || track.stall.since.is_some() {
                self.changes += 1;
            }
            track.stall = stalled;
        }
        if !one_sided && !at_subscriber {
            return;
        }
        let before = link.traffic;
        link.traffic = *totals;
        link.changed = at;
        track.samples.push_back((at, messages, bytes));
        while track.samples.len() > SAMPLE_LIMIT
            || track.samples.front().is_some_and(|(first, ..)| at.0.saturating_sub(first.0) > RATE_OVER_NS)
        {
            track.samples.pop_front();
        }
        link.rate = rate(&track.samples);
        if messages > 0 && link.kind == LinkKind::Topic {
            let first = before.received_messages + before.sent_messages == 0 || !link.reached(Stage::Data);
            track.worked = true;
            // Data flows, whatever was not seen before.
            link.incomplete = false;
            if let Some(state) = link.stage_mut(Stage::Data) {
                state.socket = Some(socket);
                if state.outcome != Outcome::Ok || first {
                    state.succeed(at);
                    state.show(observation);
                    self.changes += 1;
                } else {
                    state.at = at;
                }
            }
        }
    }

    /// Rates of links that carry nothing any more go to zero.
    pub(super) fn slow_down(&mut self) {
        let now = self.now;
        let over = |at: Monotonic| now.0.saturating_sub(at.0) > RATE_OVER_NS;
        let silent: Vec<LinkId> = self
            .links
            .iter()
            .filter(|entry| entry.link.rate != Rate::default())
            .filter(|entry| entry.track.samples.back().is_none_or(|(last, ..)| over(*last)))
            .map(|entry| entry.link.id)
            .collect();
        for id in silent {
            if let Some(entry) = self.links.get_mut(id) {
                entry.link.rate = Rate::default();
                entry.track.samples.clear();
            }
        }
    }
}

fn rate(samples: &std::collections::VecDeque<(Monotonic, u64, u64)>) -> Rate {
    let (Some(first), Some(last)) = (samples.front(), samples.back()) else { return Rate::default() };
    let seconds = last.0.since(first.0).as_secs_f64();
    if seconds <= 0.0 {
        return Rate::default();
    }
    let over = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
    Rate { messages: over(first.1, last.1), bytes: over(first.2, last.2) }
}

/// Since when nothing of what was sent has been acknowledged.
fn stalling(before: Stall, totals: &Traffic, at: Monotonic) -> Stall {
    let Some(unacknowledged) = totals.unacknowledged_bytes.filter(|bytes| *bytes > 0) else { return Stall::default() };
    // Below zero where it was sent before the capture began.
    let acknowledged = totals.sent_bytes.wrapping_sub(unacknowledged).cast_signed();
    let (retransmits, waits_for) = (totals.retransmits, totals.waits_for);
    match before.since {
        Some(since) if acknowledged < before.acknowledged.saturating_add(half_a_message(totals)) => {
            Stall { since: Some(since), unacknowledged, retransmits, waits_for, ..before }
        }
        _ => Stall {
            acknowledged,
            since: Some(at),
            retransmits_then: before_retransmits(before, totals),
            unacknowledged,
            retransmits,
            waits_for,
        },
    }
}

/// What waits does not count the message that was sent last, so that messages of changing length look as if a few bytes had been
/// acknowledged. A segment that really is acknowledged has a whole message, or the smallest segment size of IPv4.
fn half_a_message(totals: &Traffic) -> i64 {
    const SMALLEST_SEGMENT: u64 = 536;
    (totals.sent_bytes.checked_div(totals.sent_messages).unwrap_or(0).min(SMALLEST_SEGMENT) / 2).max(1).cast_signed()
}

/// What had been sent again before this stall began. Segments sent again between two reports belong to the stall.
fn before_retransmits(before: Stall, totals: &Traffic) -> u32 {
    if before.since.is_some() { before.retransmits.min(totals.retransmits) } else { totals.retransmits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_begins_when_acknowledgement_stops_and_ends_with_it() {
        let totals = |sent_bytes, unacknowledged, retransmits| Traffic {
            sent_bytes,
            unacknowledged_bytes: Some(unacknowledged),
            retransmits,
            ..Traffic::default()
        };
        let mut stall = stalling(Stall::default(), &totals(1000, 100, 0), Monotonic(1));
        stall = stalling(stall, &totals(2000, 100, 0), Monotonic(2));
        assert_eq!(stall.since, Some(Monotonic(2)), "acknowledgement goes on");
        stall = stalling(stall, &totals(3000, 1100, 3), Monotonic(3));
        assert_eq!((stall.since, stall.retransmits - stall.retransmits_then), (Some(Monotonic(2)), 3));
        stall = stalling(stall, &totals(3000, 0, 3), Monotonic(4));
        assert_eq!(stall.since, None);
    }

    #[test]
    fn what_waited_before_the_capture_began_is_acknowledged_first() {
        let totals = |sent_bytes| Traffic { sent_bytes, unacknowledged_bytes: Some(2_000_000), ..Traffic::default() };
        let mut stall = stalling(Stall::default(), &totals(100_000), Monotonic(1));
        stall = stalling(stall, &totals(200_000), Monotonic(2));
        assert_eq!(stall.since, Some(Monotonic(2)), "over a slow way, a full send buffer");
    }

    #[test]
    fn messages_that_grow_do_not_look_acknowledged() {
        let totals = |sent_messages, sent_bytes, unacknowledged| Traffic {
            sent_messages,
            sent_bytes,
            unacknowledged_bytes: Some(unacknowledged),
            ..Traffic::default()
        };
        // As seen where a path was cut: the last message of the third report has 17 bytes instead of 16.
        let mut stall = stalling(Stall::default(), &totals(51, 977, 784), Monotonic(1));
        stall = stalling(stall, &totals(61, 1137, 944), Monotonic(2));
        stall = stalling(stall, &totals(71, 1298, 1104), Monotonic(3));
        assert_eq!(stall.since, Some(Monotonic(1)));
        stall = stalling(stall, &totals(81, 1468, 1258), Monotonic(4));
        assert_eq!(stall.since, Some(Monotonic(4)), "a message was acknowledged");
    }
}
