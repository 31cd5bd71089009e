//! A master calls its subscribers back: it owes them each new publisher.

use std::time::Duration;

use super::Graph;
use super::client::{Actor, Client, ClientId, Sight};
use super::conversation::Ends;
use super::ending::LEAVING;
use super::link::{LinkId, LinkKind, Outcome, Stage};
use super::links::{Entry, NewLink};
use super::node::Node;
use super::track::{GoneCause, Judged};
use crate::event::Monotonic;
use crate::observation::{AdvertisedUri, ObservationId};

/// A master has three workers for all its callbacks, so each may wait for the others.
const CALLBACK_DUE_AFTER: Duration = Duration::from_secs(4);

impl Graph {
    pub(super) fn callback_link(&mut self, ends: &Ends, callee: ClientId, at: Monotonic) -> Option<LinkId> {
        let master = self.clients.find_or_add(&ends.client, Some("/master"));
        self.callback_link_of(master, callee, at)
    }

    fn callback_link_of(&mut self, master: ClientId, callee: ClientId, at: Monotonic) -> Option<LinkId> {
        let target = self.clients.get(callee)?.api.clone()?;
        let uri = target.text();
        let new = NewLink { kind: LinkKind::Callback, client: master, name: None, uri: &uri, target: Some(target) };
        let known = match self.callback_of_same_host(master, &uri) {
            Some(known) => Some(known),
            None => self.links.find(master, LinkKind::Callback, None, &uri),
        };
        if self.has_left(callee, known, at) {
            return None;
        }
        let link = match known {
            Some(known) => known,
            None => self.links.find_or_add(&new, at)?.0,
        };
        self.links.set_back(link, at);
        self.name_parties(link);
        Some(link)
    }

    /// Whether a node has unregistered everything: what the master had still to tell it may reach nobody any more, and that is right.
    fn has_left(&self, callee: ClientId, callback: Option<LinkId>, at: Monotonic) -> bool {
        let Some(client) = self.clients.get(callee) else { return false };
        let node = client.name.as_ref().and_then(|name| self.node_named(name, client));
        if !node.is_some_and(Node::has_nothing) {
            return false;
        }
        // Of a node that was running, what else it has registered was not seen.
        let gone = callback.and_then(|link| self.links.get(link)?.track.gone);
        client.registered.is_some()
            || gone.is_some_and(|(cause, gone)| cause == GoneCause::Unlisted && at.since(gone) < LEAVING)
    }

    /// A master without a process has an address for each network that it is asked from, and calls from any of them.
    fn callback_of_same_host(&self, master: ClientId, uri: &str) -> Option<LinkId> {
        let captured = |id: ClientId| match self.clients.get(id)?.actor {
            Actor::Host(ip) => Some(self.to_themselves.contains(&ip)),
            Actor::Process(_) => None,
        };
        captured(master).filter(|captured| *captured)?;
        self.links_of_uri(uri).into_iter().find(|id| {
            self.links.is(*id, LinkKind::Callback)
                && self.links.get(*id).is_some_and(|entry| captured(entry.track.client) == Some(true))
        })
    }

    /// The master calls a node: the connection to it is there.
    pub(super) fn callback(
        &mut self,
        ends: &Ends,
        callee: ClientId,
        at: Monotonic,
        id: ObservationId,
    ) -> Option<LinkId> {
        let link = self.callback_link(ends, callee, at)?;
        self.links.mark(link, Stage::Callback, at, id, |state| {
            state.address = ends.server_address;
            state.socket = Some(ends.socket);
            if state.outcome != Outcome::Ok {
                state.succeed(at);
            }
        });
        Some(link)
    }

    /// A publisher registered: the master owes every subscriber of the topic a call.
    pub(super) fn callbacks_due(
        &mut self,
        ends: &Ends,
        publisher: ClientId,
        topic: &str,
        at: Monotonic,
        id: ObservationId,
    ) {
        let seen = match ends.server.actor {
            Actor::Process(_) => true,
            Actor::Host(ip) => !self.sees_processes() && self.to_themselves.contains(&ip),
        };
        let passed_on = ends.server.process.as_ref().is_some_and(|process| self.is_relay(process));
        if !seen || passed_on {
            return;
        }
        let subscribes = |client: &&Client| {
            let here = self.clients.networks.of(client.place()) == self.network;
            let node = client.name.as_ref().filter(|_| here).and_then(|name| self.node_named(name, client));
            client.id != publisher && node.is_some_and(|node| node.subscribes.contains(topic))
        };
        let subscribers: Vec<ClientId> = self.clients.iter().filter(subscribes).map(|client| client.id).collect();
        let sight: &Sight = &ends.server;
        let master = self.clients.find_or_add(sight, Some("/master"));
        for subscriber in subscribers {
            let Some(link) = self.callback_link_of(master, subscriber, at) else { continue };
            let Some(entry) = self.links.get_mut(link) else { continue };
            entry.track.about(topic);
            entry.track.judged = Judged::Whole;
            if let Some(state) = entry.link.stage_mut(Stage::Callback)
                && state.outcome == Outcome::NotReached
            {
                state.show(id);
                state.at = at;
            }
            self.due_at(link, at, CALLBACK_DUE_AFTER);
        }
    }

    /// The node at a link's far end, where it registered from another address later: by its name, or by its
    /// command line when it was running before anybody looked.
    pub(crate) fn registered_again(&self, entry: &Entry) -> Option<&Client> {
        let target = entry.track.target.as_ref()?;
        let client = self.clients.get(entry.track.client)?;
        let since = |client: &Client| client.registered.map(|registered| registered.at);
        let Some(name) = entry.link.publisher.node.as_deref() else { return self.started_again(entry, client) };
        let named = || self.clients_named(name, client);
        let before = named().filter(|client| client.api.as_ref() == Some(target)).filter_map(since).max();
        named().filter(|client| client.api.as_ref() != Some(target)).find(|client| since(client) > before)
    }

    /// Who has registered just before the master called somebody that nobody knows, and was started by the same command line as a process
    /// that has ended: the master tells the older one of that name to end.
    fn started_again(&self, entry: &Entry, master: &Client) -> Option<&Client> {
        let called = entry.link.stage(Stage::Callback)?.first_failure?;
        let process_of = |client: &Client| Some(&self.process(client.process.as_ref()?)?.process);
        let just = |client: &&Client| {
            client.registered.is_some_and(|registered| registered.at <= called && called.since(registered.at) < LEAVING)
        };
        let here = |client: &&Client| self.clients.networks.same(client.place(), master.place());
        let again = |client: &&Client| {
            process_of(client).filter(|new| !new.argv.is_empty()).is_some_and(|new| {
                let ended = self.processes.values().filter(|state| state.exited.is_some()).map(|state| &state.process);
                ended.into_iter().any(|old| old.argv == new.argv && old.started < new.started)
            })
        };
        self.clients.iter().filter(just).filter(here).find(again)
    }

    /// A node unregistered: nobody needs to call it any more.
    pub(super) fn callee_left(&mut self, client: ClientId, at: Monotonic) {
        let Some(client) = self.clients.get(client) else { return };
        let node = client.name.as_ref().and_then(|name| self.node_named(name, client));
        if node.is_some_and(|node| !node.subscribes.is_empty()) {
            return;
        }
        let Some(uri) = client.api.as_ref().map(AdvertisedUri::text) else { return };
        let callbacks: Vec<LinkId> =
            self.links_of_uri(&uri).into_iter().filter(|id| self.links.is(*id, LinkKind::Callback)).collect();
        for callback in callbacks {
            // A failure just before is the node's leaving itself; an older one was real.
            let Some(link) = self.links.get(callback).map(|entry| &entry.link) else { continue };
            let leaving = self.leaving(link.publisher.process.as_ref());
            let failing_since = link.stage(Stage::Callback).and_then(|state| state.first_failure);
            let was_real = failing_since.is_some_and(|since| at.since(since) >= leaving);
            self.over(&[callback], if was_real { GoneCause::ClientLeft } else { GoneCause::Unlisted }, at);
        }
    }
}
