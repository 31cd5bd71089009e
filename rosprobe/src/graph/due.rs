//! What should have happened by now, what is over, and what a process's end means.

use std::time::Duration;

use super::clients::{Actor, Client, ClientId, Sight};
use super::conversation::{Ends, key};
use super::link::{LinkId, LinkKind, Outcome, Stage};
use super::links::{Entry, GoneCause, NewLink};
use super::names::Resolution;
use super::routes::{Way, way};
use super::{Graph, StageState};
use crate::event::{Monotonic, ProcessRef};
use crate::observation::{AdvertisedUri, Observation, ObservationId};

/// A step that has not been tried this long after it was due was never attempted. Nodes take milliseconds.
pub(crate) const DUE_AFTER: Duration = Duration::from_secs(2);
/// The same where a name server was asked and has not answered yet.
const NAME_DUE_AFTER: Duration = Duration::from_secs(5);
/// A master has three workers for all its callbacks, so each may wait for the others.
pub(crate) const CALLBACK_DUE_AFTER: Duration = Duration::from_secs(4);
/// A node on its way out refuses callbacks this long before its unregistration arrives.
pub(crate) const LEAVING: Duration = Duration::from_secs(2);
/// How long links that are over are kept.
const GONE_KEPT: Duration = Duration::from_mins(10);

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
        if link.gone || !track.judged || link.incomplete {
            return;
        }
        let Some(stage) = next_step(link) else { return };
        let host = match stage {
            Stage::Tcpros => track.data_target.as_ref().map(|target| target.host.clone()),
            _ => track.target.as_ref().map(|target| target.host.clone()),
        };
        let Some(client) = self.clients.get(track.client) else { return };
        if !self.would_be_seen(client, track) {
            return;
        }
        let waits_for_name = host.is_some_and(|host| {
            matches!(self.resolve(client, &host), Resolution::Silent { since, .. } if self.now.since(since) < NAME_DUE_AFTER)
        });
        if waits_for_name {
            return self.due_at(id, self.now, Duration::from_secs(1));
        }
        // A process that is seen and leaves a service alone that it could reach wanted nothing of it.
        let could = |target: &AdvertisedUri| !self.resolve(client, &target.host).addresses().is_empty();
        if stage == Stage::Service && client.process.is_some() && track.target.as_ref().is_some_and(could) {
            return;
        }
        let since = link.stages.iter().filter(|state| state.outcome == Outcome::Ok).map(|state| state.at).max();
        let (now, since) = (self.now, since.unwrap_or(link.first_seen));
        self.changes += 1;
        if let Some(state) = self.links.get_mut(id).and_then(|entry| entry.link.stage_mut(stage)) {
            state.fail(Outcome::NeverAttempted { since }, now);
            state.first_failure = Some(since);
        }
    }

    /// Whether an attempt of this client would have been noticed from here.
    fn would_be_seen(&self, client: &Client, track: &super::Track) -> bool {
        match client.actor {
            Actor::Process(key) => self.processes.get(&key).is_some_and(|state| state.exited.is_none()),
            Actor::Host(ip) if !self.sees_processes() => {
                let publisher = self.address_of_publisher(track);
                // What a host sends to itself stays inside it.
                let own = publisher == Some(ip);
                self.to_themselves.contains(&ip)
                    || !own && (self.captured_at(ip) || publisher.is_some_and(|publisher| self.captured_at(publisher)))
            }
            Actor::Host(_) => self.publisher_is_here(track),
        }
    }

    /// The address that the publisher advertises, or from which it registered a name.
    fn address_of_publisher(&self, track: &super::Track) -> Option<std::net::IpAddr> {
        let target = track.target.as_ref()?;
        let literal = target.address().map(|address| address.ip());
        literal.or_else(|| {
            let registered = self.clients.get(track.client).into_iter();
            let registered = registered.flat_map(|client| self.clients_at_port(target.port, client));
            registered.filter(|client| client.api.as_ref() == Some(target)).find_map(|client| match client.actor {
                Actor::Host(ip) => Some(ip),
                Actor::Process(_) => None,
            })
        })
    }

    /// Whether the publisher runs on this machine, so that an incoming connection would have been seen.
    fn publisher_is_here(&self, track: &super::Track) -> bool {
        let Some(client) = self.clients.get(track.client) else { return false };
        let name = self.uri_nodes.get(&(self.clients.networks.of(client.place()), track.uri.clone()));
        let node = name.and_then(|name| self.node_named(name, client));
        let Some(process) = node.and_then(|node| node.process.as_ref()) else { return false };
        self.process(process).is_some_and(|state| state.exited.is_none())
    }

    /// Whether a packet capture was taken on the host of that address: it talks to itself, or, where nobody does, it takes part in
    /// every connection.
    fn captured_at(&self, ip: std::net::IpAddr) -> bool {
        if self.to_themselves.is_empty() {
            return self.in_all_connections.as_ref().is_some_and(|all| all.contains(&ip));
        }
        self.to_themselves.contains(&ip)
    }

    pub(super) fn callback_link(&mut self, ends: &Ends, callee: ClientId, at: Monotonic) -> Option<LinkId> {
        let master = self.clients.find_or_add(&ends.client, Some("/master"));
        self.callback_link_of(master, callee, at)
    }

    fn callback_link_of(&mut self, master: ClientId, callee: ClientId, at: Monotonic) -> Option<LinkId> {
        let target = self.clients.get(callee)?.api.clone()?;
        let uri = super::exchange::uri_text(&target);
        let new = NewLink { kind: LinkKind::Callback, client: master, name: "", uri: &uri, target: Some(target) };
        let link = match self.callback_of_same_host(master, &uri) {
            Some(known) => known,
            None => self.links.find_or_add(&new, at)?.0,
        };
        self.links.set_back(link, at);
        self.name_parties(link);
        Some(link)
    }

    /// A master without a process has an address for each network that it is asked from, and calls from any of them.
    fn callback_of_same_host(&self, master: ClientId, uri: &str) -> Option<LinkId> {
        let captured = |id: ClientId| match self.clients.get(id)?.actor {
            Actor::Host(ip) => Some(self.to_themselves.contains(&ip)),
            Actor::Process(_) => None,
        };
        captured(master).filter(|captured| *captured)?;
        self.links_of_uri(uri).into_iter().find(|id| {
            self.is_callback(*id) && self.links.get(*id).is_some_and(|entry| captured(entry.track.client) == Some(true))
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
        self.mark(link, Stage::Callback, at, id, |state| {
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
        if !seen {
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
            entry.track.judged = true;
            if let Some(state) = entry.link.stage_mut(Stage::Callback)
                && state.outcome == Outcome::NotReached
            {
                state.show(id);
                state.at = at;
            }
            self.due_at(link, at, CALLBACK_DUE_AFTER);
        }
    }

    /// A node unregistered: nobody needs to call it any more.
    pub(super) fn callee_left(&mut self, client: ClientId, at: Monotonic) {
        let Some(client) = self.clients.get(client) else { return };
        let node = client.name.as_ref().and_then(|name| self.node_named(name, client));
        if node.is_some_and(|node| !node.subscribes.is_empty()) {
            return;
        }
        let Some(uri) = client.api.as_ref().map(super::exchange::uri_text) else { return };
        let callbacks: Vec<LinkId> = self.links_of_uri(&uri).into_iter().filter(|id| self.is_callback(*id)).collect();
        for callback in callbacks {
            // A failure just before is the node's leaving itself; an older one was real.
            let failing_since =
                self.links.get(callback).and_then(|entry| entry.link.stage(Stage::Callback)?.first_failure);
            let was_real = failing_since.is_some_and(|since| at.since(since) >= LEAVING);
            self.over(&[callback], if was_real { GoneCause::ClientLeft } else { GoneCause::Unlisted }, at);
        }
    }

    fn is_callback(&self, id: LinkId) -> bool {
        self.links.get(id).is_some_and(|entry| entry.link.kind == LinkKind::Callback)
    }

    pub(super) fn over(&mut self, links: &[LinkId], cause: GoneCause, at: Monotonic) {
        for link in links {
            self.links.set_gone(*link, cause, at);
            self.calls.link_gone(*link);
        }
    }

    pub(super) fn process_exited(&mut self, observation: &Observation, at: Monotonic) {
        let Some(process) = &observation.process else { return };
        self.judge_lookups(key(process));
        let Some(state) = self.processes.get_mut(&key(process)) else { return };
        state.exited = Some(at);
        for client in self.clients.of(Actor::Process(key(process))).to_vec() {
            self.over(&self.links.of_client(client), GoneCause::ClientLeft, at);
        }
    }

    /// A program that calls a service gives up at once when its name leads nowhere, and is gone before anything was due.
    fn judge_lookups(&mut self, process: super::ProcessKey) {
        for client in self.clients.of(Actor::Process(process)).to_vec() {
            for link in self.links.of_client(client) {
                if self.links.get(link).is_some_and(|entry| entry.link.kind == LinkKind::Service) {
                    self.judge_link(link);
                }
            }
        }
    }

    pub(super) fn forget_old(&mut self) {
        let kept = u64::try_from(GONE_KEPT.as_nanos()).unwrap_or(u64::MAX);
        self.links.forget_gone_before(Monotonic(self.now.0.saturating_sub(kept)));
    }

    /// Changes a stage of a link and remembers what shows it.
    pub(super) fn mark(
        &mut self,
        link: LinkId,
        stage: Stage,
        at: Monotonic,
        id: ObservationId,
        change: impl FnOnce(&mut StageState),
    ) {
        let Some(entry) = self.links.get_mut(link) else { return };
        entry.link.changed = at;
        if let Some(state) = entry.link.stage_mut(stage) {
            change(state);
            state.show(id);
        }
    }

    /// Names and processes of a link's two ends, as far as they are known.
    pub(super) fn name_parties(&mut self, id: LinkId) {
        let Some(entry) = self.links.get(id) else { return };
        let client = self.clients.get(entry.track.client);
        let subscriber = super::Party {
            node: client.and_then(|client| client.name.clone()),
            process: client.and_then(|client| client.process.clone()),
            uri: client.and_then(|client| client.api.as_ref()).map(super::exchange::uri_text),
        };
        let publisher = self.publisher_of(&entry.track.uri, &entry.link.name, entry.link.kind, entry.track.client);
        let Some(entry) = self.links.get_mut(id) else { return };
        entry.link.subscriber = subscriber;
        if let Some((node, process)) = publisher {
            entry.link.publisher.node = node.or(entry.link.publisher.node.take());
            entry.link.publisher.process = process.or(entry.link.publisher.process.take());
        }
    }

    fn publisher_of(
        &self,
        uri: &str,
        topic: &str,
        kind: LinkKind,
        client: ClientId,
    ) -> Option<(Option<String>, Option<ProcessRef>)> {
        let network = self.clients.networks.of(self.clients.get(client)?.place());
        let known = self.uri_nodes.get(&(network, uri.to_owned())).cloned();
        // A master that names one publisher of a topic means the one URI that the subscriber was told.
        let only = || {
            let names = self
                .masters
                .publishers
                .get(&(network, topic.to_owned()))
                .filter(|names| kind == LinkKind::Topic && names.len() == 1)?;
            let told = self.clients.get(client)?.lists.get(topic).is_some_and(|list| list.uris.len() == 1);
            told.then(|| names.first().cloned()).flatten()
        };
        let name = known.or_else(only)?;
        let process = self.nodes.get(&(network, name.clone())).and_then(|node| node.process.clone());
        Some((Some(name), process))
    }

    /// Links to a URI in the network of the present observation.
    pub(super) fn links_of_uri(&self, uri: &str) -> Vec<LinkId> {
        let client = |id: &LinkId| self.links.get(*id).and_then(|entry| self.clients.get(entry.track.client));
        let here = |id: &LinkId| client(id).is_none_or(|known| self.clients.networks.of(known.place()) == self.network);
        self.links.of_uri(uri).into_iter().filter(here).collect()
    }

    /// The name of a URI's node became known.
    pub(super) fn name_publishers(&mut self, uri: &str) {
        for link in self.links_of_uri(uri) {
            self.name_parties(link);
        }
    }

    pub(super) fn name_asked(&mut self, observation: &Observation, name: &str) {
        let Some(socket) = &observation.socket else { return };
        let server = socket.remote.map(|remote| remote.ip());
        let process = observation.process.as_ref().map(key);
        let (name, at) = (super::bounded(name), observation.monotonic);
        self.names.asked(socket.net_namespace, &name, process, at, server, observation.id);
    }

    pub(super) fn name_answered(
        &mut self,
        observation: &Observation,
        name: &str,
        addresses: &[std::net::IpAddr],
        status: &str,
    ) {
        let Some(socket) = &observation.socket else { return };
        self.names.answered(socket.net_namespace, &super::bounded(name), addresses, status, observation.id);
    }

    /// The way from a client to an address.
    pub(crate) fn way_of(&self, client: &Client, address: std::net::IpAddr) -> Way {
        way(self.namespace_of(client), address)
    }
}

/// The first step that is due and was not tried.
fn next_step(link: &super::Link) -> Option<Stage> {
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
