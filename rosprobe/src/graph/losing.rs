//! What was lost on its way to rosprobe: the links that it may be about say so, and nothing is concluded on them from what was not seen.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Graph;
use super::incidents::IncidentKind;
use super::link::{Link, LinkId, Outcome, Party, Stage};
use super::links::Entry;
use super::track::Judged;
use crate::event::{Monotonic, SocketRef, Transport};
use crate::observation::Observation;

/// One part of a capture begins after the other: for this long what was asked may be seen, and its answer not.
const SETTLING: Duration = Duration::from_secs(2);
/// A loss is told this long after it happened, at most: what was concluded from silence since then may be wrong.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

impl Graph {
    /// Of what was asked or begun while the capture began, on sockets that were open already, it is not known whether it was answered;
    /// a connect of then is told of again by the next SYN.
    pub(super) fn settle(&mut self) {
        let Some(began) = self.began.filter(|began| !self.settled && self.now.since(*began) >= SETTLING) else {
            return;
        };
        self.settled = true;
        let open: BTreeSet<u64> =
            self.sockets.iter().filter(|socket| socket.already_open).map(|socket| socket.id).collect();
        let unsure = |socket: u64, at: Monotonic| open.contains(&socket) && at.since(began) < SETTLING;
        self.calls.forget(unsure);
        self.links.forget_asked_if(unsure);
        self.links.forget_begun(|at| at.since(began) < SETTLING);
        let running = |party: &Party| party.process.as_ref().is_some_and(|process| self.was_listening(process.key()));
        let half_seen = |entry: &&Entry| {
            let Link { subscriber, publisher, stages, .. } = &entry.link;
            let on_open = stages.iter().filter_map(|state| state.socket).any(|socket| open.contains(&socket));
            (on_open || running(subscriber) || running(publisher)) && entry.link.changed.since(began) < SETTLING
        };
        let half_seen: Vec<LinkId> = self.links.iter().filter(half_seen).map(|entry| entry.link.id).collect();
        for link in half_seen {
            if let Some(entry) = self.links.get_mut(link) {
                // The step that seems to be missing may have come then.
                entry.track.judged = Judged::Not;
            }
        }
    }

    pub(super) fn lost_observed(&mut self, observation: &Observation, events: u64) {
        self.lost = self.lost.saturating_add(events);
        self.incidents.note(IncidentKind::EventsLost, events, observation.monotonic, observation.id);
        if let Some(socket) = &observation.socket {
            if socket.transport == Transport::Udp {
                self.names.answers_lost(Some(socket.net_namespace));
            }
            self.doubt_links_of(observation, socket);
            return;
        }
        // Whose they were is not known.
        self.names.answers_lost(None);
        self.answers_lost(self.before_it_was_told());
        let unfinished = self.links.iter().filter(|entry| is_unfinished(&entry.link));
        let since = self.before_it_was_told();
        for link in unfinished.map(|entry| entry.link.id).collect::<Vec<_>>() {
            self.doubt(link, since);
        }
    }

    /// What went through this socket was not all seen.
    pub(super) fn doubt_links_of(&mut self, observation: &Observation, socket: &SocketRef) {
        self.calls.lost(socket.id);
        // Whatever was concluded on them: it may have been this that was missed.
        for link in self.links_that_may_use(observation, socket.id) {
            self.doubt(link, Monotonic(0));
        }
        if let Some(socket) = self.sockets.get_mut(socket.id) {
            // An answer to it may have come.
            socket.header_from_client = None;
        }
    }

    /// Links whose conversation goes through a socket, or whose next stage a connect of it would decide.
    fn links_that_may_use(&self, observation: &Observation, socket: u64) -> BTreeSet<LinkId> {
        let Some(known) = self.sockets.get(socket) else { return BTreeSet::new() };
        let mut found: BTreeSet<LinkId> = known.link.into_iter().collect();
        if !found.is_empty() {
            return found;
        }
        found.extend(known.claims.iter().map(|(link, _)| *link));
        let sides: &[bool] = match known.connecting {
            Some(true) => &[true],
            Some(false) => &[false],
            None => &[true, false],
        };
        for at_client in sides {
            let Some(ends) = self.ends(observation, *at_client) else { continue };
            let Some(address) = ends.server_address else { continue };
            let mut claims = Vec::new();
            for client in self.clients.of(ends.client.actor) {
                self.claim_of(*client, address, &mut claims);
            }
            found.extend(claims.into_iter().map(|(link, _)| link));
        }
        found
    }

    /// Nothing is concluded from silence on the link from now on, and what was since `since` is taken back.
    fn doubt(&mut self, link: LinkId, since: Monotonic) {
        let Some(entry) = self.links.get_mut(link) else { return };
        entry.link.incomplete = true;
        entry.track.judged = Judged::Not;
        for state in &mut entry.link.stages {
            if matches!(state.outcome, Outcome::Pending { .. }) {
                state.outcome = Outcome::NotReached;
            }
            if state.rests_on_silence(since) {
                state.forget();
            }
        }
    }

    /// The moment from which on a loss that is told now may have begun.
    fn before_it_was_told(&self) -> Monotonic {
        Monotonic(self.now.0.saturating_sub(u64::try_from(TOLD_WITHIN.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// A link that still has something to come, of which the loss may have been part.
fn is_unfinished(link: &Link) -> bool {
    let last = link.stages.last().map(|state| state.stage);
    !link.gone && !link.reached(Stage::Data) && last.is_some_and(|stage| !link.reached(stage))
}
