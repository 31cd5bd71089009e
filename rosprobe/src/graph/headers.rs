//! TCPROS headers of both directions, and the answers of services.

use super::client::ClientId;
use super::conversation::Ends;
use super::link::{LinkId, LinkKind, Outcome, Stage};
use super::links::{NewLink, UNLISTED};
use super::{Graph, bounded};
use crate::event::{Direction, GapCause, Monotonic};
use crate::observation::{AdvertisedUri, Observation, TcprosHeader};

impl Graph {
    pub(super) fn header_observed(&mut self, observation: &Observation, direction: Direction, header: &TcprosHeader) {
        let Some(socket) = observation.socket.as_ref().and_then(|socket| self.sockets.get_mut(socket.id)) else {
            return;
        };
        let sent = direction == Direction::Sent;
        // Who connected speaks first.
        let connecting = *socket.connecting.get_or_insert(sent);
        socket.connected = true;
        let Some(ends) = self.ends(observation, connecting) else { return };
        if connecting == sent {
            self.header_asked(&ends, header, observation);
        } else {
            self.header_answered(&ends, header, observation);
        }
    }

    fn header_asked(&mut self, ends: &Ends, header: &TcprosHeader, observation: &Observation) {
        let (at, id) = (observation.monotonic, observation.id);
        let caller = header.get("callerid").map(bounded);
        let client = self.asking(ends, caller.as_deref());
        let service = header.get("service").map(bounded);
        let link = match (&service, header.get("topic").map(bounded)) {
            (Some(service), _) => self.service_asked(ends, client, service, at),
            (None, Some(topic)) => self.topic_asked(ends, client, &topic, at),
            (None, None) => None,
        };
        if let Some(socket) = self.sockets.get_mut(ends.socket) {
            socket.link = link;
            socket.header_from_client = Some(at);
            socket.header_from_server = false;
        }
        let Some(link) = link else { return };
        self.connect_was_of(ends.socket, link, at);
        if let Some(client) = self.clients.get_mut(client) {
            client.connects(at, None);
        }
        let carrier = self.sockets.redirected(ends.socket).and_then(|socket| socket.owner.clone());
        if let Some(entry) = self.links.get_mut(link) {
            entry.track.at_client |= ends.at_client;
            if ends.at_client || !entry.track.at_client {
                entry.track.data_socket = Some(ends.socket);
            }
            entry.track.header_since = Some(at);
            let asked = |key| header.get(key).map(bounded).unwrap_or_default();
            entry.track.asked_type = Some((asked("type"), asked("md5sum")));
            entry.link.data_type =
                Some(asked("type")).filter(|name| !name.is_empty() && name != "*").or(entry.link.data_type.take());
            entry.link.carried_by = carrier.or(entry.link.carried_by.take());
        }
        let connect = if service.is_some() { Stage::Service } else { Stage::Tcpros };
        self.links.mark(link, connect, at, id, |state| {
            state.address = ends.server_address;
            state.socket = Some(ends.socket);
            if state.outcome != Outcome::Ok || state.failures > 0 {
                state.succeed(at);
            }
        });
        self.links.mark(link, Stage::Header, at, id, |state| {
            state.address = ends.server_address;
            state.socket = Some(ends.socket);
            state.begin(at);
        });
    }

    fn topic_asked(&mut self, ends: &Ends, client: ClientId, topic: &str, at: Monotonic) -> Option<LinkId> {
        let address = ends.server_address?;
        let named: Vec<LinkId> = self.links.named(client, LinkKind::Topic, Some(topic));
        let by_target = |id: &&LinkId| {
            self.links.get(**id).is_some_and(|entry| {
                !entry.link.gone
                    && entry.track.is_data_target(address, |host, ip| self.host_may_be(host, ip, Some(client)))
            })
        };
        if let Some(link) = named.iter().find(by_target) {
            return Some(*link);
        }
        let publisher = self.publisher_uris(ends);
        let by_publisher = |id: &&LinkId| self.links.get(**id).is_some_and(|e| publisher.contains(&e.track.uri));
        if let Some(link) = named.iter().find(by_publisher) {
            let link = *link;
            self.links.set_back_if_hung_up(link, at);
            return Some(link);
        }
        // Of a publisher that nobody named only the data port is known: it tells one from another.
        let uri = publisher.into_iter().next().unwrap_or_else(|| format!("{UNLISTED}{address}"));
        let target = AdvertisedUri::parse(&uri).ok().filter(|_| !uri.starts_with(UNLISTED));
        let new = NewLink { kind: LinkKind::Topic, client, name: Some(topic), uri: &uri, target };
        let (link, _) = self.links.find_or_add(&new, at)?;
        self.links.set_back(link, at);
        self.name_parties(link);
        Some(link)
    }

    /// URIs of the nodes in the server's process.
    fn publisher_uris(&self, ends: &Ends) -> Vec<String> {
        let Some(process) = &ends.server.process else { return Vec::new() };
        let Some(state) = self.process(process) else { return Vec::new() };
        let nodes = state.nodes.iter().filter_map(|name| self.nodes.get(&(self.network, name.clone())));
        nodes.flat_map(|node| node.uris.iter().filter(|uri| uri.starts_with("http")).cloned()).collect()
    }

    fn service_asked(&mut self, ends: &Ends, client: ClientId, service: &str, at: Monotonic) -> Option<LinkId> {
        let known = self.links.named(client, LinkKind::Service, Some(service));
        if let Some(link) = known.into_iter().find(|id| self.links.get(*id).is_some_and(|entry| !entry.link.gone)) {
            return Some(link);
        }
        let address = ends.server_address?;
        let target = AdvertisedUri::at("rosrpc", address);
        let uri = target.text();
        let new = NewLink { kind: LinkKind::Service, client, name: Some(service), uri: &uri, target: Some(target) };
        let (link, _) = self.links.find_or_add(&new, at)?;
        self.links.set_back(link, at);
        self.name_parties(link);
        Some(link)
    }

    fn header_answered(&mut self, ends: &Ends, header: &TcprosHeader, observation: &Observation) {
        let (at, id) = (observation.monotonic, observation.id);
        let Some(socket) = self.sockets.get_mut(ends.socket) else { return };
        socket.header_from_server = true;
        let Some(link) = socket.link else { return };
        if let Some(error) = header.get("error") {
            let reason = bounded(error);
            self.links.mark(link, Stage::Header, at, id, |state| state.fail(Outcome::Refused { reason }, at));
            return;
        }
        self.links.mark(link, Stage::Header, at, id, |state| state.succeed(at));
        let Some(entry) = self.links.get_mut(link) else { return };
        entry.track.worked = true;
        if let Some(name) = header.get("type").filter(|name| !name.is_empty()) {
            entry.link.data_type = Some(bounded(name));
        }
        let (uri, topic) = (entry.track.uri.clone(), entry.link.name.clone());
        let Some(name) = header.get("callerid").filter(|name| !name.is_empty()).map(bounded) else { return };
        if let Some(process) = ends.server.process.clone() {
            self.node(&name).process.get_or_insert(process);
        }
        if let Some(topic) = topic.filter(|_| self.links.is(link, LinkKind::Topic)) {
            self.node(&name).publishes.insert(topic);
        }
        if uri.starts_with(UNLISTED) {
            if let Some(entry) = self.links.get_mut(link) {
                entry.link.publisher.node = Some(name);
            }
        } else {
            self.uri_of_node(&uri, &name);
        }
    }

    pub(super) fn service_answered(&mut self, observation: &Observation, ok: bool, error: &str) {
        let (at, id) = (observation.monotonic, observation.id);
        let Some(socket) = observation.socket.as_ref().and_then(|socket| self.sockets.get(socket.id)) else { return };
        let Some(link) = socket.link else { return };
        self.links.mark(link, Stage::Data, at, id, |state| {
            if ok { state.succeed(at) } else { state.fail(Outcome::Refused { reason: bounded(error) }, at) }
        });
    }

    pub(super) fn gap_observed(&mut self, observation: &Observation, cause: GapCause) {
        let (at, id) = (observation.monotonic, observation.id);
        match cause {
            GapCause::NotCopied => return,
            GapCause::Limit => self.payload_cut(observation, at, id),
            GapCause::Lost | GapCause::Unreadable => {}
        }
        if let Some(socket) = &observation.socket {
            self.doubt_links_of(observation, socket);
        }
    }

    fn payload_cut(&mut self, observation: &Observation, at: Monotonic, id: crate::observation::ObservationId) {
        let at_client = observation
            .socket
            .as_ref()
            .and_then(|socket| self.sockets.get(socket.id))
            .is_none_or(|socket| socket.connecting != Some(false));
        let Some(ends) = self.ends(observation, at_client) else { return };
        let here = if at_client { &ends.client } else { &ends.server };
        let client = self.clients.find_or_add(here, None);
        let kind = super::IncidentKind::PayloadTruncated { client, socket: ends.socket };
        self.incidents.note(kind, 1, at, id);
    }
}
