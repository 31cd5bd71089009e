//! UDPROS: the publisher sends datagrams to the address that the subscriber named when it asked for the topic. Nobody acknowledges them,
//! so that a link works when its subscriber received something, or, where that is not seen, when the publisher could send.

use super::conversation::Ends;
use super::link::{LinkId, Outcome, Stage, StageState};
use super::links::{DataTarget, Entry};
use super::networks::Place;
use super::target::Datagrams;
use super::{Graph, bounded};
use crate::errno::Errno;
use crate::event::{Direction, Monotonic, SocketRef, Traffic};
use crate::observation::{Observation, ObservationId, ProtocolOffer, RequestedProtocol, Value, What};

/// The transport that a subscriber offers with an address of its own: `[UDPROS, header, host, port, largest datagram]`.
fn offered_target(offers: &[ProtocolOffer]) -> Option<DataTarget> {
    let offer = offers.iter().find(|offer| offer.name == "UDPROS")?;
    let [_, Value::String(host), Value::Int(port), ..] = offer.params.as_slice() else { return None };
    Some(DataTarget { host: bounded(host), port: u16::try_from(*port).ok()? })
}

impl Graph {
    /// A subscriber asked for the topic, perhaps for datagrams.
    pub(super) fn datagrams_asked(&mut self, ends: &Ends, link: LinkId, offers: &[ProtocolOffer], at: Monotonic) {
        let Some(target) = offered_target(offers) else { return };
        let Some(Entry { link, track }) = self.links.get_mut(link) else { return };
        // The same request, seen at its other end.
        if track.datagrams.as_ref().is_some_and(|known| known.target == target) {
            return;
        }
        for stage in [Stage::Tcpros, Stage::Header, Stage::Data] {
            if let Some(state) = link.stage_mut(stage) {
                *state = StageState::new(stage, at);
            }
        }
        if let Some(publisher) = &ends.server.process {
            link.publisher.process.get_or_insert_with(|| publisher.clone());
        }
        track.datagrams = Some(Box::new(Datagrams {
            target,
            asked_from: ends.client.address,
            connection: None,
            sender: None,
            sent_from: None,
            totals: Traffic::default(),
            unheard_since: None,
            sent_when_heard: 0,
            sent_when_failed: None,
        }));
    }

    /// The publisher will send datagrams. Nobody connects, and the headers went with requestTopic.
    pub(super) fn datagrams_granted(
        &mut self,
        id: LinkId,
        protocol: &RequestedProtocol,
        at: Monotonic,
        shown: ObservationId,
    ) {
        let Some(Entry { track, .. }) = self.links.get_mut(id) else { return };
        track.header_since = Some(at);
        if let Some(datagrams) = &mut track.datagrams {
            datagrams.connection = protocol.connection_id;
        }
        let advertised = track.datagrams.as_ref().map(|datagrams| datagrams.target.place());
        for stage in [Stage::Tcpros, Stage::Header] {
            self.links.mark(id, stage, at, shown, |state| state.succeed(at));
        }
        self.links.mark(id, Stage::Tcpros, at, shown, |state| state.advertised = advertised);
    }

    /// The publisher chose a stream where both were offered.
    pub(super) fn datagrams_declined(&mut self, id: LinkId) {
        if let Some(entry) = self.links.get_mut(id) {
            entry.track.datagrams = None;
        }
    }

    /// Something of a UDP socket.
    pub(super) fn datagrams_observed(&mut self, observation: &Observation) {
        let Some(socket) = &observation.socket else { return };
        match &observation.what {
            What::UdprosData { direction, connection, messages, bytes } => {
                let connection = Some(i64::from(*connection));
                if let Some(link) = self.datagram_link(observation, socket, *direction, connection) {
                    self.datagrams_counted(link, observation, *direction, (*messages, *bytes));
                }
            }
            What::ConnectReturned { errno: Some(errno), .. } => {
                self.datagrams_failed(observation, socket, Stage::Tcpros, *errno);
            }
            What::IoFailed { errno, .. } | What::SocketError { errno } => {
                self.datagrams_failed(observation, socket, Stage::Data, *errno);
            }
            _ => {}
        }
    }

    /// The link whose datagrams go to the socket's far end, or arrive at its own.
    fn datagram_link(
        &self,
        observation: &Observation,
        socket: &SocketRef,
        direction: Direction,
        connection: Option<i64>,
    ) -> Option<LinkId> {
        let end = if direction == Direction::Sent { socket.remote? } else { socket.local? };
        let place = Place::Namespace(socket.net_namespace);
        let mut other = None;
        for Entry { link, track } in self.links.iter() {
            let Some(datagrams) = track.datagrams.as_ref().filter(|known| known.target.port == end.port()) else {
                continue;
            };
            let Some(client) = self.clients.get(track.client).filter(|_| !link.gone) else { continue };
            let same_id = |id: i64| datagrams.connection.is_none_or(|known| known == id);
            let at_host = || self.host_may_be(&datagrams.target.host, end.ip(), Some(track.client));
            let fits = match (direction, &client.process) {
                (Direction::Received, Some(process)) => observation
                    .process
                    .as_ref()
                    .is_some_and(|owner| (owner.pid, owner.started) == (process.pid, process.started)),
                _ => at_host(),
            };
            if !fits || !connection.is_none_or(same_id) {
                continue;
            }
            if socket.net_namespace == 0 || self.clients.networks.same(client.place(), place) {
                return Some(link.id);
            }
            // Two networks may have the same addresses.
            other = if other.is_none() { Some(Some(link.id)) } else { Some(None) };
        }
        other.flatten()
    }

    fn datagrams_counted(
        &mut self,
        id: LinkId,
        observation: &Observation,
        direction: Direction,
        (messages, bytes): (u64, u64),
    ) {
        let (at, sent) = (observation.monotonic, direction == Direction::Sent);
        let Some(socket) = observation.socket.as_ref() else { return };
        let subscriber_seen = self.links.get(id).is_some_and(|entry| self.sees_client(entry.track.client));
        let Some(Entry { link, track }) = self.links.get_mut(id) else { return };
        let Some(datagrams) = &mut track.datagrams else { return };
        let totals = &mut datagrams.totals;
        if sent {
            if messages > totals.sent_messages {
                datagrams.unheard_since.get_or_insert(at);
            }
            (totals.sent_messages, totals.sent_bytes) = (messages, bytes);
            datagrams.sender = observation.process.clone().or(datagrams.sender.take());
            datagrams.sent_from = socket.local.map(|local| local.ip());
        } else {
            if bytes > totals.received_bytes {
                datagrams.unheard_since = None;
                datagrams.sent_when_heard = totals.sent_messages;
            }
            (totals.received_messages, totals.received_bytes) = (messages, bytes);
            track.data_socket = Some(socket.id);
        }
        let totals = *totals;
        link.traffic = totals;
        // What is known not to have arrived, or to have failed, is no data.
        let failed = link.stage(Stage::Data).is_some_and(|state| state.failure.is_some());
        if sent && (subscriber_seen || failed) {
            if let Some(process) = &observation.process {
                link.publisher.process.get_or_insert_with(|| process.clone());
            }
            return;
        }
        self.add_traffic(id, socket.id, Some(!sent), &totals, at, observation.id);
    }

    /// The publisher could not send, or an ICMP message said that nobody is there. roscpp gives the link up then, and tells nobody.
    fn datagrams_failed(&mut self, observation: &Observation, socket: &SocketRef, stage: Stage, errno: Errno) {
        let Some(id) = self.datagram_link(observation, socket, Direction::Sent, None) else { return };
        let at = observation.monotonic;
        if let Some(datagrams) = self.links.get_mut(id).and_then(|entry| entry.track.datagrams.as_mut()) {
            datagrams.sender = observation.process.clone().or(datagrams.sender.take());
            datagrams.sent_from = socket.local.map(|local| local.ip()).or(datagrams.sent_from);
            datagrams.sent_when_failed.get_or_insert(datagrams.totals.sent_messages);
        }
        self.links.mark(id, stage, at, observation.id, |state| {
            state.address = socket.remote;
            state.socket = Some(socket.id);
            state.fail(Outcome::Failed { errno }, at);
        });
    }
}
