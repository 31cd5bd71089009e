//! What a master tells: the publishers of a topic, who they are, and where a service is.

use std::collections::BTreeSet;

use super::client::ClientId;
use super::due::DUE_AFTER;
use super::link::{LinkId, LinkKind, Stage};
use super::links::NewLink;
use super::track::{GoneCause, Judged};
use super::{Graph, bounded};
use crate::event::Monotonic;
use crate::observation::{AdvertisedUri, NodeTopics, ObservationId};

/// Publishers of one topic that are followed for one subscriber.
const PUBLISHER_LIMIT: usize = 1024;
/// Topics whose publishers' names are remembered.
const TOPIC_LIMIT: usize = 16_384;

impl Graph {
    /// A subscriber was told the publishers of a topic: by the answer to its registration, or later by an update.
    pub(super) fn told(
        &mut self,
        client: ClientId,
        topic: &str,
        publishers: &[String],
        registration: bool,
        at: Monotonic,
        id: ObservationId,
    ) {
        let uris: BTreeSet<String> = publishers.iter().take(PUBLISHER_LIMIT).map(|uri| bounded(uri)).collect();
        self.links.refused += publishers.len().saturating_sub(PUBLISHER_LIMIT) as u64;
        let Some(known) = self.clients.get_mut(client) else { return };
        let own = known.api.clone();
        // Who is told of many is busy with them.
        known.connects(at, None);
        if let Some(last) = &mut known.last_registered {
            last.at = at.max(last.at);
        }
        let before = known.told(topic, uris.clone());
        // Of a list that was not seen before it is unknown which of its publishers are already connected, but for those that were seen
        // to register.
        let known_before = registration || before.is_some();
        for uri in &uris {
            let target = AdvertisedUri::parse(uri).ok();
            if let Some(target) = &target {
                self.known_to_master(target, client, at);
            }
            if target.is_some() && target == own {
                continue;
            }
            let news = before.as_ref().is_none_or(|list| !list.uris.contains(uri));
            let judged = if known_before || self.seen_to_publish(uri, topic) { Judged::Whole } else { Judged::ByName };
            self.advertised(client, topic, uri, target, if news { judged } else { Judged::Not }, at, id);
        }
        let vanished = before.into_iter().flat_map(|list| list.uris).filter(|uri| !uris.contains(uri));
        let vanished: Vec<LinkId> =
            vanished.filter_map(|uri| self.links.find(client, LinkKind::Topic, Some(topic), &uri)).collect();
        self.over(&vanished, GoneCause::Unlisted, at);
    }

    #[expect(clippy::too_many_arguments, reason = "one publisher of one list, with when and what shows it")]
    fn advertised(
        &mut self,
        client: ClientId,
        topic: &str,
        uri: &str,
        target: Option<AdvertisedUri>,
        judged: Judged,
        at: Monotonic,
        id: ObservationId,
    ) {
        let host = target.as_ref().map(|target| target.host.clone());
        let new = NewLink { kind: LinkKind::Topic, client, name: Some(topic), uri, target };
        let Some((link, created)) = self.links.find_or_add(&new, at) else { return };
        self.links.set_back(link, at);
        self.name_parties(link);
        let open = host.is_some_and(|host| self.open_since_before(client, &host));
        self.links.mark(link, Stage::Advertised, at, id, |state| state.succeed(at));
        let Some(entry) = self.links.get_mut(link) else { return };
        if judged != Judged::Not && !open && (created || !entry.track.worked) {
            entry.track.judged = entry.track.judged.max(judged);
            self.due_at(link, at, DUE_AFTER);
        }
    }

    /// Whether the node of that URI has told a master since the capture began that it publishes the topic.
    fn seen_to_publish(&self, uri: &str, topic: &str) -> bool {
        let name = self.uri_nodes.get(&(self.network, uri.to_owned()));
        let node = name.and_then(|name| self.nodes.get(&(self.network, name.clone())));
        node.is_some_and(|node| node.publishes.contains(topic))
    }

    /// Whether the client had a connection to that host before the capture began, which may be this link's.
    fn open_since_before(&self, client: ClientId, host: &str) -> bool {
        let Some(process) = self.clients.get(client).and_then(|client| client.process.as_ref()) else { return false };
        self.sockets.iter().any(|socket| {
            socket.already_open
                && !socket.closed
                && socket.owner.as_ref().is_some_and(|owner| owner.key() == process.key())
                && socket.remote.is_some_and(|remote| self.host_may_be(host, remote.ip(), Some(client)))
                && !self.masters.addresses.iter().any(|master| Some(*master) == socket.remote)
        })
    }

    pub(super) fn service_found(
        &mut self,
        client: ClientId,
        service: &str,
        uri: &str,
        at: Monotonic,
        id: ObservationId,
    ) {
        let target = AdvertisedUri::parse(uri).ok();
        let old: Vec<LinkId> = self.links.named(client, LinkKind::Service, Some(service));
        let new = NewLink { kind: LinkKind::Service, client, name: Some(service), uri, target };
        let Some((link, _)) = self.links.find_or_add(&new, at) else { return };
        self.links.set_back(link, at);
        let other: Vec<LinkId> = old.into_iter().filter(|id| *id != link).collect();
        self.over(&other, GoneCause::Unlisted, at);
        self.name_parties(link);
        self.links.mark(link, Stage::Advertised, at, id, |state| state.succeed(at));
        // `rosservice uri` looks a service up and never connects to it; a node looks up what it is about to call. A name that leads
        // nowhere keeps anybody from it.
        let by_name = self
            .links
            .get(link)
            .is_some_and(|entry| entry.track.target.as_ref().is_some_and(|target| target.address().is_none()));
        let node = by_name || self.clients.get(client).is_some_and(|client| client.api.is_some());
        if let Some(entry) = self.links.get_mut(link)
            && node
        {
            entry.track.judged = Judged::Whole;
            self.due_at(link, at, DUE_AFTER);
        }
    }

    /// The publishers of all topics, by their names.
    pub(super) fn publishers_named(&mut self, topics: &[NodeTopics]) {
        for topic in topics.iter().take(TOPIC_LIMIT) {
            let nodes = topic.nodes.iter().take(PUBLISHER_LIMIT).map(|node| bounded(node)).collect();
            self.masters.publishers.insert((self.network, bounded(&topic.name)), nodes);
        }
        if self.masters.publishers.len() > TOPIC_LIMIT * 2 {
            self.masters.publishers.clear();
        }
    }
}
