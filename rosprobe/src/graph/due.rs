//! What should have happened by now.

use std::time::Duration;

use super::Graph;
use super::client::Actor;
use super::link::{Link, LinkId, LinkKind, Outcome, Stage};
use super::links::Entry;
use super::names::Resolution;
use super::track::Judged;
use crate::event::{Monotonic, ProcessKey};
use crate::observation::AdvertisedUri;

/// A step that has not been tried this long after it was due was never attempted. Nodes take milliseconds.
pub(super) const DUE_AFTER: Duration = Duration::from_secs(2);
/// The same where a name server was asked and has not answered yet.
const NAME_DUE_AFTER: Duration = Duration::from_secs(5);
/// A publisher reads what a subscriber asks within milliseconds of its connection.
const READ_AFTER: Duration = Duration::from_secs(5);
/// The same while the client connects to others: a node with hundreds of topics takes them one after the other.
const BUSY_DUE_AFTER: Duration = Duration::from_secs(30);
/// What each link of such a client adds to that on a machine that is busy as well.
const BUSY_PER_LINK: Duration = Duration::from_millis(200);
/// With any number of links.
const BUSY_AT_MOST: Duration = Duration::from_mins(5);

impl Graph {
    pub(super) fn due_at(&mut self, link: LinkId, from: Monotonic, after: Duration) {
        let nanoseconds = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        self.due.insert((Monotonic(from.0.saturating_add(nanoseconds)), link));
    }

    /// Judges everything at the moment at which it was due, so that it does not matter how often time is said to have come.
    pub(super) fn judge_due(&mut self) {
        let now = self.now;
        while let Some((at, link)) = self.due.first().copied()
            && at <= now
        {
            self.due.pop_first();
            self.now = at;
            self.judge_link(link);
        }
        self.now = now;
    }

    fn judge_link(&mut self, id: LinkId) {
        let Some(Entry { link, track }) = self.links.get(id) else { return };
        if link.gone || track.judged == Judged::Not || link.incomplete {
            return;
        }
        let Some(stage) = next_step(link) else { return self.judge_unread(id) };
        let host = match stage {
            Stage::Tcpros => track.data_target.as_ref().map(|target| target.host.clone()),
            _ => track.target.as_ref().map(|target| target.host.clone()),
        };
        let Some(client) = self.clients.get(track.client) else { return };
        if !self.would_be_seen(client, track) {
            return;
        }
        let resolution = host.map(|host| self.resolve(client, &host));
        if matches!(resolution, Some(Resolution::Silent { since, .. }) if self.now.since(since) < NAME_DUE_AFTER) {
            return self.due_at(id, self.now, Duration::from_secs(1));
        }
        if track.judged == Judged::ByName && !resolution.is_some_and(|resolution| resolution.leads_nowhere()) {
            return;
        }
        let told = link.stages.iter().filter(|state| state.outcome == Outcome::Ok).map(|state| state.at).max();
        // The step before this one was done a moment ago.
        if let Some(told) = told.filter(|told| link.kind == LinkKind::Topic && self.now.since(*told) < DUE_AFTER) {
            return self.due_at(id, told, DUE_AFTER);
        }
        // rospy asks the master for /tcp_keepalive before each connect.
        let asks =
            |call: &super::calls::WaitingCall| call.client == track.client && call.at_client && call.broken.is_none();
        let busy = client.tried.is_some_and(|tried| self.now.since(tried) < DUE_AFTER)
            || self.calls.iter().any(|(_, call)| asks(call));
        let patience =
            BUSY_PER_LINK.saturating_mul(self.links.count_of(track.client)).clamp(BUSY_DUE_AFTER, BUSY_AT_MOST);
        if busy && link.kind == LinkKind::Topic && told.is_some_and(|told| self.now.since(told) < patience) {
            return self.due_at(id, self.now, Duration::from_secs(1));
        }
        // A process that is seen and leaves a service alone that it could reach wanted nothing of it.
        let could = |target: &AdvertisedUri| !self.resolve(client, &target.host).addresses().is_empty();
        if stage == Stage::Service && client.process.is_some() && track.target.as_ref().is_some_and(could) {
            return;
        }
        let (now, since) = (self.now, told.unwrap_or(link.first_seen));
        self.changes += 1;
        if let Some(state) = self.links.get_mut(id).and_then(|entry| entry.link.stage_mut(stage)) {
            state.fail(Outcome::NeverAttempted { since }, now);
            state.first_failure = Some(since);
        }
    }

    /// Seen at the publisher alone: its kernel has accepted the subscriber's connection, and nobody reads what comes through it.
    fn judge_unread(&mut self, id: LinkId) {
        let Some(Entry { link, track }) = self.links.get(id) else { return };
        let Some(connected) = link.stage(Stage::Xmlrpc).filter(|state| state.outcome == Outcome::Ok) else { return };
        let open = connected.socket.and_then(|socket| self.sockets.get(socket)).is_some_and(|socket| !socket.closed);
        let untried = link.stage(Stage::RequestTopic).is_some_and(|state| state.outcome == Outcome::NotReached);
        let here = self.clients.get(track.client).is_some_and(|client| client.process.is_none());
        if link.kind != LinkKind::Topic || track.worked || !(open && untried && here && self.sees_processes()) {
            return;
        }
        let (now, since) = (self.now, connected.at);
        if now.since(since) < READ_AFTER {
            return self.due_at(id, since, READ_AFTER);
        }
        self.changes += 1;
        if let Some(state) = self.links.get_mut(id).and_then(|entry| entry.link.stage_mut(Stage::RequestTopic)) {
            state.fail(Outcome::NeverAttempted { since }, now);
            state.first_failure = Some(since);
        }
    }

    /// A program that calls a service gives up at once when its name leads nowhere, and is gone before anything was due.
    pub(super) fn judge_lookups(&mut self, process: ProcessKey) {
        for client in self.clients.of(Actor::Process(process)).to_vec() {
            for link in self.links.of_client(client) {
                if self.links.is(link, LinkKind::Service) {
                    self.judge_link(link);
                }
            }
        }
    }
}

/// The first step that is due and was not tried.
fn next_step(link: &Link) -> Option<Stage> {
    let untried = |stage| link.stage(stage).is_some_and(|state| state.outcome == Outcome::NotReached);
    match link.kind {
        LinkKind::Callback => untried(Stage::Callback).then_some(Stage::Callback),
        LinkKind::Topic if untried(Stage::Xmlrpc) && !link.reached(Stage::Header) && !link.reached(Stage::Tcpros) => {
            Some(Stage::Xmlrpc)
        }
        LinkKind::Topic if link.reached(Stage::RequestTopic) && untried(Stage::Tcpros) => Some(Stage::Tcpros),
        LinkKind::Service => untried(Stage::Service).then_some(Stage::Service),
        _ => None,
    }
}
