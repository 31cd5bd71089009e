//! What nodes tell a master: what they publish, subscribe to and provide, and where they want to be called back.

use std::net::SocketAddr;

use super::client::{Actor, ClientId, Registered};
use super::conversation::Ends;
use super::link::{LinkId, LinkKind, Outcome, Stage};
use super::links::NewLink;
use super::node::{NODE_LIST_LIMIT, Node};
use super::track::GoneCause;
use super::{Graph, bounded};
use crate::event::Monotonic;
use crate::observation::{AdvertisedUri, Call, ObservationId};

/// Addresses of masters remembered.
const MASTER_LIMIT: usize = 1024;
/// Unregistered URIs and topics remembered.
const UNREGISTERED_LIMIT: usize = 16_384;

impl Graph {
    /// A call of the master's API: whoever receives it is a master.
    pub(super) fn master_called(
        &mut self,
        ends: &Ends,
        client: ClientId,
        at: Monotonic,
        id: ObservationId,
    ) -> Option<LinkId> {
        let address = ends.server_address?;
        if self.masters.addresses.len() < MASTER_LIMIT {
            self.masters.addresses.insert(address);
        }
        if let Actor::Process(key) = ends.server.actor {
            self.masters.processes.insert(key);
        }
        let through = ends.server.process.clone().filter(|process| self.is_relay(process));
        if let Some(known) = self.clients.get_mut(client)
            && (ends.at_client || known.master.is_none())
            // What a relay on this machine passes on was seen where it was said as well.
            && !(ends.client.behind.is_some() && known.process.is_some() && known.master.is_some())
        {
            known.master = Some(address);
            known.master_through = through;
            known.reaches_master_from = ends.client.address;
        }
        if ends.at_client && ends.server.process.is_none() {
            self.join_master(ends.client.place(), address);
        }
        self.master_seen(ends, address, at, id);
        let link = self.master_link(client, address, at)?;
        self.links.mark(link, Stage::Master, at, id, |state| {
            state.address = Some(address);
            if state.outcome == Outcome::NotReached {
                state.succeed(at);
            }
        });
        Some(link)
    }

    pub(super) fn master_link(&mut self, client: ClientId, address: SocketAddr, at: Monotonic) -> Option<LinkId> {
        let known = self.links.named(client, LinkKind::Master, None);
        let same_port = |id: &LinkId| {
            self.links
                .get(*id)
                .is_some_and(|entry| entry.track.target.as_ref().is_some_and(|target| target.port == address.port()))
        };
        if let Some(link) = known.into_iter().find(same_port) {
            self.links.set_back(link, at);
            self.name_parties(link);
            return Some(link);
        }
        let target = AdvertisedUri::at("http", address);
        let uri = target.text();
        let new = NewLink { kind: LinkKind::Master, client, name: None, uri: &uri, target: Some(target) };
        let (link, _) = self.links.find_or_add(&new, at)?;
        self.name_parties(link);
        Some(link)
    }

    pub(super) fn register(&mut self, ends: &Ends, client: ClientId, call: &Call, at: Monotonic, id: ObservationId) {
        if matches!(
            call,
            Call::RegisterSubscriber { .. } | Call::RegisterPublisher { .. } | Call::RegisterService { .. }
        ) {
            self.registered(ends, client, at);
        }
        match call {
            Call::RegisterSubscriber { caller_id, topic, caller_api, .. } => {
                self.advertises(client, caller_id, caller_api, Registered { by: id, at }, |node| {
                    node.subscribes.insert(bounded(topic))
                });
            }
            Call::RegisterPublisher { caller_id, topic, caller_api, .. } => {
                self.unregistered.remove(&(self.network, bounded(caller_api), bounded(topic)));
                self.advertises(client, caller_id, caller_api, Registered { by: id, at }, |node| {
                    node.publishes.insert(bounded(topic))
                });
                self.callbacks_due(ends, client, &bounded(topic), at, id);
            }
            Call::RegisterService { caller_id, service, caller_api, service_api } => {
                self.advertises(client, caller_id, caller_api, Registered { by: id, at }, |node| {
                    node.services.insert(bounded(service))
                });
                self.uri_of_node(&bounded(service_api), &bounded(caller_id));
            }
            Call::UnregisterSubscriber { caller_id, topic, .. } => {
                let topic = bounded(topic);
                self.node(&bounded(caller_id)).subscribes.remove(&topic);
                if let Some(known) = self.clients.get_mut(client) {
                    known.lists.remove(&topic);
                }
                self.over(&self.links.named(client, LinkKind::Topic, Some(&topic)), GoneCause::ClientLeft, at);
                self.callee_left(client, at);
            }
            Call::UnregisterPublisher { caller_id, topic, caller_api } => {
                let (topic, api) = (bounded(topic), bounded(caller_api));
                self.node(&bounded(caller_id)).publishes.remove(&topic);
                let links = self.links_of_uri(&api).into_iter();
                let over: Vec<LinkId> = links.filter(|link| self.carries_topic(*link, &topic)).collect();
                self.over(&over, GoneCause::Unlisted, at);
                if self.unregistered.len() >= UNREGISTERED_LIMIT {
                    self.unregistered.pop_first();
                }
                self.unregistered.insert((self.network, api, topic));
                self.callee_left(client, at);
            }
            Call::UnregisterService { caller_id, service, .. } => {
                self.node(&bounded(caller_id)).services.remove(&bounded(service));
                self.callee_left(client, at);
            }
            _ => {}
        }
    }

    fn carries_topic(&self, link: LinkId, topic: &str) -> bool {
        self.links.get(link).is_some_and(|entry| entry.link.kind == LinkKind::Topic && entry.link.is_named(topic))
    }

    fn advertises(
        &mut self,
        client: ClientId,
        caller_id: &str,
        caller_api: &str,
        registered: Registered,
        entry: impl FnOnce(&mut Node) -> bool,
    ) {
        let (name, api) = (bounded(caller_id), bounded(caller_api));
        let process = self.clients.get(client).and_then(|client| client.process.clone());
        let node = self.node(&name);
        if process.is_some() {
            node.process = process;
        }
        if node.publishes.len() + node.subscribes.len() + node.services.len() < NODE_LIST_LIMIT {
            entry(node);
        }
        self.uri_of_node(&api, &name);
        match AdvertisedUri::parse(caller_api) {
            Ok(uri) => self.clients.register_api(client, uri, registered),
            Err(_) => {
                if let Some(known) = self.clients.get_mut(client) {
                    known.odd_api.get_or_insert((api, registered));
                }
            }
        }
    }
}

pub(super) fn is_master_call(call: &Call) -> bool {
    !matches!(
        call,
        Call::GetBusStats { .. }
            | Call::GetBusInfo { .. }
            | Call::GetMasterUri { .. }
            | Call::Shutdown { .. }
            | Call::GetPid { .. }
            | Call::GetSubscriptions { .. }
            | Call::GetPublications { .. }
            | Call::ParamUpdate { .. }
            | Call::PublisherUpdate { .. }
            | Call::RequestTopic { .. }
            | Call::Multicall { .. }
            | Call::Other { .. }
    )
}
