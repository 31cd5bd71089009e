//! `requestTopic`: a subscriber asks a publisher where it hands out a topic, and is told.

use super::client::ClientId;
use super::conversation::Ends;
use super::due::DUE_AFTER;
use super::link::{LinkId, LinkKind, Outcome, Stage};
use super::links::{DataTarget, Entry, NewLink};
use super::track::{GoneCause, Judged};
use super::{Graph, bounded};
use crate::event::Monotonic;
use crate::observation::{AdvertisedUri, ObservationId, RequestedProtocol};

impl Graph {
    pub(super) fn topic_requested(
        &mut self,
        ends: &Ends,
        client: ClientId,
        topic: &str,
        at: Monotonic,
        id: ObservationId,
    ) -> Option<LinkId> {
        let address = ends.server_address?;
        let unknown = AdvertisedUri::at("http", address).text();
        if let Some(unknown) = self.links.find(client, LinkKind::Topic, None, &unknown) {
            // Now it is known what was wanted there.
            self.over(&[unknown], GoneCause::Unlisted, at);
        }
        let named = self.links.named(client, LinkKind::Topic, Some(topic));
        let at_address = |link: &&LinkId| {
            let track = self.links.get(**link).map(|entry| &entry.track);
            track.is_some_and(|track| track.is_target(address, |host, ip| self.host_may_be(host, ip, Some(client))))
        };
        let fitting: Vec<&LinkId> = named.iter().filter(at_address).collect();
        let listed = fitting.iter().find(|link| self.links.get(***link).is_some_and(|entry| !entry.link.gone));
        // A request that was on its way when its publisher unregistered does not bring the link back.
        let link = match listed.or(fitting.first()) {
            Some(link) => **link,
            None => self.link_to_address(ends, client, topic, at)?,
        };
        self.links.set_back_if_hung_up(link, at);
        if let Some(client) = self.clients.get_mut(client) {
            // Over a connection that is kept it takes one topic after the other as well.
            client.connects(at, None);
        }
        let redirected = self.sockets.redirected(ends.socket).and_then(|socket| socket.owner.clone());
        if let Some(entry) = self.links.get_mut(link) {
            entry.track.at_client |= ends.at_client;
            entry.link.carried_by = redirected.or(entry.link.carried_by.take());
        }
        self.links.mark(link, Stage::Xmlrpc, at, id, |state| {
            state.address = Some(address);
            state.socket = Some(ends.socket);
            if state.outcome != Outcome::Ok {
                state.succeed(at);
            }
        });
        self.links.mark(link, Stage::RequestTopic, at, id, |state| {
            state.address = Some(address);
            state.socket = Some(ends.socket);
            state.begin(at);
        });
        Some(link)
    }

    /// A link of which nothing was seen before it was used: its publisher is who listens at that address.
    fn link_to_address(&mut self, ends: &Ends, client: ClientId, topic: &str, at: Monotonic) -> Option<LinkId> {
        let address = ends.server_address?;
        let publisher = self.client_at(address, &ends.server).and_then(|id| self.clients.get(id)?.api.clone());
        let target = publisher.unwrap_or_else(|| AdvertisedUri::at("http", address));
        let uri = target.text();
        let new = NewLink { kind: LinkKind::Topic, client, name: Some(topic), uri: &uri, target: Some(target) };
        let (link, _) = self.links.find_or_add(&new, at)?;
        if self.unregistered.contains(&(self.network, uri, topic.to_owned())) {
            self.over(&[link], GoneCause::Unlisted, at);
        } else {
            self.links.set_back(link, at);
        }
        self.name_parties(link);
        Some(link)
    }

    pub(super) fn topic_offered(
        &mut self,
        ends: &Ends,
        link: LinkId,
        protocol: &RequestedProtocol,
        at: Monotonic,
        id: ObservationId,
    ) {
        self.links.mark(link, Stage::RequestTopic, at, id, |state| {
            state.succeed(at);
            state.socket = Some(ends.socket);
        });
        if let Some(process) = &ends.server.process {
            self.granted_by(link, process);
        }
        if protocol.name == "UDPROS" {
            return self.datagrams_granted(link, protocol, at, id);
        }
        let target = DataTarget { host: bounded(&protocol.host), port: protocol.port };
        let advertised = target.place();
        self.links.set_data_target(link, target);
        self.datagrams_declined(link);
        self.links.mark(link, Stage::Tcpros, at, id, |state| state.advertised = Some(advertised));
        // Whoever asks without having been told of a publisher, while the master's answers to it are seen, is a tool.
        let asks_master =
            |entry: &Entry| self.clients.get(entry.track.client).is_some_and(|client| client.master.is_some());
        let tool = |entry: &Entry| !entry.link.reached(Stage::Advertised) && asks_master(entry);
        if self.links.get(link).is_some_and(tool) {
            return;
        }
        if let Some(entry) = self.links.get_mut(link) {
            entry.track.judged = Judged::Whole;
            self.due_at(link, at, DUE_AFTER);
        }
    }
}
