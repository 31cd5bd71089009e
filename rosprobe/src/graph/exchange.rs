//! XML-RPC calls and answers: who registers what, who is told of whom, who asks whom for a topic.

use std::collections::BTreeSet;

use super::calls::{WaitingCall, slim};
use super::clients::{Actor, ClientId, Registered};
use super::conversation::Ends;
use super::due::DUE_AFTER;
use super::incidents::IncidentKind;
use super::link::{LinkId, LinkKind, Outcome, Stage};
use super::links::{DataTarget, Entry, GoneCause, NewLink};
use super::{Graph, bounded};
use crate::event::{Direction, Monotonic};
use crate::observation::{AdvertisedUri, Answer, Call, Observation, ObservationId, RequestedProtocol};

/// Publishers of one topic that are followed for one subscriber.
const PUBLISHER_LIMIT: usize = 1024;
/// Calls of one `system.multicall` that are looked at.
const MULTICALL_LIMIT: usize = 4096;
/// Topics whose publishers' names are remembered.
const TOPIC_LIMIT: usize = 16_384;

impl Graph {
    pub(super) fn call_observed(&mut self, observation: &Observation, direction: Direction, call: &Call) {
        let at_client = direction == Direction::Sent;
        let Some(ends) = self.ends(observation, at_client) else { return };
        if let Some(socket) = self.sockets.get_mut(ends.socket) {
            socket.connecting.get_or_insert(at_client);
            socket.connected = true;
        }
        let (at, id) = (observation.monotonic, observation.id);
        let parts: &[Call] = if let Call::Multicall { calls } = call { calls } else { std::slice::from_ref(call) };
        let caller = parts.first().and_then(caller_id).map(bounded);
        let client = match call {
            Call::RequestTopic { .. } => self.asking(&ends, caller.as_deref()),
            _ => self.calling(&ends, caller.as_deref()),
        };
        let mut link = None;
        for part in parts.iter().take(MULTICALL_LIMIT) {
            link = self.called_with(&ends, client, part, at, id).or(link);
        }
        let (socket, call) = (ends.socket, slim(call));
        self.calls.add(id, WaitingCall { call, client, socket, at, link, at_client, broken: None });
    }

    fn called_with(
        &mut self,
        ends: &Ends,
        client: ClientId,
        call: &Call,
        at: Monotonic,
        id: ObservationId,
    ) -> Option<LinkId> {
        match call {
            Call::RequestTopic { topic, .. } => return self.topic_requested(ends, client, &bounded(topic), at, id),
            Call::PublisherUpdate { topic, publishers, .. } => {
                let subscriber = self.called(ends);
                self.told(subscriber, &bounded(topic), publishers, false, at, id);
                return self.callback(ends, subscriber, at, id);
            }
            Call::ParamUpdate { .. } => {
                let subscriber = self.called(ends);
                return self.callback(ends, subscriber, at, id);
            }
            Call::Shutdown { reason, .. } => {
                self.shut_down(ends, reason, at, id);
                return None;
            }
            _ if !is_master_call(call) => return None,
            _ => {}
        }
        let link = self.master_called(ends, client, at, id);
        self.register(ends, client, call, at, id);
        link
    }

    /// A call of the master's API: whoever receives it is a master.
    fn master_called(&mut self, ends: &Ends, client: ClientId, at: Monotonic, id: ObservationId) -> Option<LinkId> {
        let address = ends.server_address?;
        if self.masters.addresses.len() < 1024 {
            self.masters.addresses.insert(address);
        }
        if let Actor::Process(key) = ends.server.actor {
            self.masters.processes.insert(key);
        }
        if let Some(known) = self.clients.get_mut(client)
            && (ends.at_client || known.master.is_none())
        {
            known.master = Some(address);
            known.reaches_master_from = ends.client.address;
        }
        if ends.at_client && ends.server.process.is_none() {
            self.join_master(ends.client.place(), address);
        }
        let link = self.master_link(client, address, at)?;
        self.mark(link, Stage::Master, at, id, |state| {
            state.address = Some(address);
            if state.outcome == Outcome::NotReached {
                state.succeed(at);
            }
        });
        Some(link)
    }

    fn register(&mut self, ends: &Ends, client: ClientId, call: &Call, at: Monotonic, id: ObservationId) {
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
                self.over(&self.links.named(client, LinkKind::Topic, &topic), GoneCause::ClientLeft, at);
                self.callee_left(client, at);
            }
            Call::UnregisterPublisher { caller_id, topic, caller_api } => {
                let (topic, api) = (bounded(topic), bounded(caller_api));
                self.node(&bounded(caller_id)).publishes.remove(&topic);
                let links = self.links_of_uri(&api).into_iter();
                let over: Vec<LinkId> = links.filter(|link| self.carries_topic(*link, &topic)).collect();
                self.over(&over, GoneCause::Unlisted, at);
                if self.unregistered.len() >= super::NODE_LIMIT {
                    self.unregistered.pop_first();
                }
                self.unregistered.insert((self.network, api, topic));
                self.callee_left(client, at);
            }
            Call::UnregisterService { caller_id, service, .. } => {
                self.node(&bounded(caller_id)).services.remove(&bounded(service));
            }
            _ => {}
        }
    }

    fn carries_topic(&self, link: LinkId, topic: &str) -> bool {
        self.links.get(link).is_some_and(|entry| entry.link.kind == LinkKind::Topic && entry.link.name == topic)
    }

    fn advertises(
        &mut self,
        client: ClientId,
        caller_id: &str,
        caller_api: &str,
        registered: Registered,
        entry: impl FnOnce(&mut super::Node) -> bool,
    ) {
        let (name, api) = (bounded(caller_id), bounded(caller_api));
        let process = self.clients.get(client).and_then(|client| client.process.clone());
        let node = self.node(&name);
        if process.is_some() {
            node.process = process;
        }
        if node.publishes.len() + node.subscribes.len() + node.services.len() < super::NODE_LIST_LIMIT {
            entry(node);
        }
        self.uri_of_node(&api, &name);
        if let Ok(uri) = AdvertisedUri::parse(caller_api) {
            self.clients.register_api(client, uri, registered);
        }
    }

    /// A subscriber was told the publishers of a topic: by the answer to its registration, or later by an update.
    fn told(
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
        let before = known.told(topic, uris.clone());
        // Of a list that was not seen before it is unknown which of its publishers are already connected.
        let judged = registration || before.is_some();
        for uri in &uris {
            let target = AdvertisedUri::parse(uri).ok();
            if target.is_some() && target == own {
                continue;
            }
            let news = before.as_ref().is_none_or(|list| !list.uris.contains(uri));
            self.advertised(client, topic, uri, target, judged && news, at, id);
        }
        let vanished = before.into_iter().flat_map(|list| list.uris).filter(|uri| !uris.contains(uri));
        let vanished: Vec<LinkId> =
            vanished.filter_map(|uri| self.links.find(client, LinkKind::Topic, topic, &uri)).collect();
        self.over(&vanished, GoneCause::Unlisted, at);
    }

    #[expect(clippy::too_many_arguments, reason = "one publisher of one list, with when and what shows it")]
    fn advertised(
        &mut self,
        client: ClientId,
        topic: &str,
        uri: &str,
        target: Option<AdvertisedUri>,
        judged: bool,
        at: Monotonic,
        id: ObservationId,
    ) {
        let host = target.as_ref().map(|target| target.host.clone());
        let new = NewLink { kind: LinkKind::Topic, client, name: topic, uri, target };
        let Some((link, created)) = self.links.find_or_add(&new, at) else { return };
        self.links.set_back(link, at);
        self.name_parties(link);
        let judged = judged && !host.is_some_and(|host| self.open_since_before(client, &host));
        self.mark(link, Stage::Advertised, at, id, |state| state.succeed(at));
        let Some(entry) = self.links.get_mut(link) else { return };
        if judged && (created || !entry.track.worked) {
            entry.track.judged = true;
            self.due_at(link, at, DUE_AFTER);
        }
    }

    /// Whether the client had a connection to that host before the capture began, which may be this link's.
    fn open_since_before(&self, client: ClientId, host: &str) -> bool {
        let Some(process) = self.clients.get(client).and_then(|client| client.process.as_ref()) else { return false };
        self.sockets.iter().any(|socket| {
            socket.already_open
                && !socket.closed
                && socket
                    .owner
                    .as_ref()
                    .is_some_and(|owner| (owner.pid, owner.started) == (process.pid, process.started))
                && socket.remote.is_some_and(|remote| self.host_may_be(host, remote.ip(), Some(client)))
                && !self.masters.addresses.iter().any(|master| Some(*master) == socket.remote)
        })
    }

    fn topic_requested(
        &mut self,
        ends: &Ends,
        client: ClientId,
        topic: &str,
        at: Monotonic,
        id: ObservationId,
    ) -> Option<LinkId> {
        let address = ends.server_address?;
        let named = self.links.named(client, LinkKind::Topic, topic);
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
        let redirected = self.sockets.redirected(ends.socket).and_then(|socket| socket.owner.clone());
        if let Some(entry) = self.links.get_mut(link) {
            entry.track.at_client |= ends.at_client;
            entry.link.carried_by = redirected.or(entry.link.carried_by.take());
        }
        self.mark(link, Stage::Xmlrpc, at, id, |state| {
            state.address = Some(address);
            state.socket = Some(ends.socket);
            if state.outcome != Outcome::Ok {
                state.succeed(at);
            }
        });
        self.mark(link, Stage::RequestTopic, at, id, |state| {
            state.address = Some(address);
            state.socket = Some(ends.socket);
            state.begin(at);
        });
        Some(link)
    }

    /// A link of which nothing was seen before it was used: its publisher is who listens at that address.
    pub(super) fn link_to_address(
        &mut self,
        ends: &Ends,
        client: ClientId,
        topic: &str,
        at: Monotonic,
    ) -> Option<LinkId> {
        let address = ends.server_address?;
        let publisher = self.client_at(address, &ends.server).and_then(|id| self.clients.get(id)?.api.clone());
        let target = publisher.unwrap_or(AdvertisedUri {
            scheme: "http".into(),
            host: address.ip().to_string(),
            port: address.port(),
        });
        let uri = uri_text(&target);
        let new = NewLink { kind: LinkKind::Topic, client, name: topic, uri: &uri, target: Some(target) };
        let (link, _) = self.links.find_or_add(&new, at)?;
        if self.unregistered.contains(&(self.network, uri, topic.to_owned())) {
            self.over(&[link], GoneCause::Unlisted, at);
        } else {
            self.links.set_back(link, at);
        }
        self.name_parties(link);
        Some(link)
    }

    pub(super) fn answer_observed(
        &mut self,
        observation: &Observation,
        direction: Direction,
        to: Option<ObservationId>,
        answer: &Answer,
    ) {
        let Some(ends) = self.ends(observation, direction == Direction::Received) else { return };
        let Some(waiting) = to.and_then(|to| self.calls.answered(to)) else { return };
        let (at, id) = (observation.monotonic, observation.id);
        if let Some(link) = waiting.link {
            for stage in [Stage::Master, Stage::Callback] {
                self.mark(link, stage, at, id, |state| state.succeed(at));
            }
        }
        match (&waiting.call, answer) {
            (Call::Multicall { calls }, Answer::Multicall { answers }) => {
                for (call, answer) in calls.iter().zip(answers) {
                    self.answered(&ends, &waiting, call, answer, at, id);
                }
            }
            (call, answer) => self.answered(&ends, &waiting, call, answer, at, id),
        }
    }

    fn answered(
        &mut self,
        ends: &Ends,
        waiting: &WaitingCall,
        call: &Call,
        answer: &Answer,
        at: Monotonic,
        id: ObservationId,
    ) {
        let client = waiting.client;
        match (call, answer) {
            (Call::RegisterSubscriber { topic, .. }, Answer::Publishers { publishers, .. }) => {
                self.told(client, &bounded(topic), publishers, true, at, id);
            }
            (Call::LookupNode { node, .. }, Answer::Uri { uri, .. }) => self.uri_of_node(&bounded(uri), &bounded(node)),
            (Call::LookupService { service, .. }, Answer::Uri { uri, .. }) => {
                self.service_found(client, &bounded(service), &bounded(uri), at, id);
            }
            (Call::GetUri { .. }, Answer::Uri { uri, .. }) => {
                if let Ok(uri) = AdvertisedUri::parse(uri) {
                    self.masters.uris.insert(self.network, uri);
                }
            }
            (Call::RequestTopic { .. }, Answer::Protocol { protocol, .. }) => {
                if let Some(link) = waiting.link {
                    self.topic_offered(ends, link, protocol, at, id);
                }
            }
            (Call::GetSystemState { .. }, Answer::SystemState { state, .. }) => {
                for topic in state.publishers.iter().take(TOPIC_LIMIT) {
                    let nodes = topic.nodes.iter().take(PUBLISHER_LIMIT).map(|node| bounded(node)).collect();
                    self.masters.publishers.insert((self.network, bounded(&topic.name)), nodes);
                }
                if self.masters.publishers.len() > TOPIC_LIMIT * 2 {
                    self.masters.publishers.clear();
                }
            }
            _ => {}
        }
        self.judge_answer(waiting, call, answer, at, id);
    }

    fn judge_answer(&mut self, waiting: &WaitingCall, call: &Call, answer: &Answer, at: Monotonic, id: ObservationId) {
        let (message, fault) = match answer {
            Answer::Failure { message, .. } => (message, false),
            Answer::Fault { message, .. } => (message, true),
            _ => return self.incidents.recovered(waiting.client, call.method(), &subject(call)),
        };
        if let (Call::RequestTopic { .. }, Some(link)) = (call, waiting.link) {
            let reason = bounded(message);
            return self.mark(link, Stage::RequestTopic, at, id, |state| state.fail(Outcome::Refused { reason }, at));
        }
        if matters(call, fault) {
            let kind = IncidentKind::CallFailed {
                client: waiting.client,
                method: bounded(call.method()),
                subject: subject(call),
                message: bounded(message),
                fault,
            };
            // Seen at both ends it would count twice.
            if waiting.at_client || !self.sees_client(waiting.client) {
                self.incidents.note(kind, 1, at, id);
            }
        }
    }

    pub(super) fn sees_client(&self, client: ClientId) -> bool {
        self.clients.get(client).is_some_and(|client| matches!(client.actor, Actor::Process(_)))
    }

    fn topic_offered(
        &mut self,
        ends: &Ends,
        link: LinkId,
        protocol: &RequestedProtocol,
        at: Monotonic,
        id: ObservationId,
    ) {
        let udp = protocol.name == "UDPROS";
        let host = bounded(&protocol.host);
        let advertised = if host.contains(':') {
            format!("[{host}]:{}", protocol.port)
        } else {
            format!("{host}:{}", protocol.port)
        };
        self.links.set_data_target(link, DataTarget { host, port: protocol.port, udp });
        self.mark(link, Stage::RequestTopic, at, id, |state| {
            state.succeed(at);
            state.socket = Some(ends.socket);
        });
        self.mark(link, Stage::Tcpros, at, id, |state| state.advertised = Some(advertised));
        if udp {
            // Nobody connects: the publisher sends datagrams, and the headers went with requestTopic.
            for stage in [Stage::Tcpros, Stage::Header] {
                self.mark(link, stage, at, id, |state| state.succeed(at));
            }
            return;
        }
        // Whoever asks without having been told of a publisher, while the master's answers to it are seen, is a tool.
        let asks_master =
            |entry: &Entry| self.clients.get(entry.track.client).is_some_and(|client| client.master.is_some());
        let tool = |entry: &Entry| !entry.link.reached(Stage::Advertised) && asks_master(entry);
        if self.links.get(link).is_some_and(tool) {
            return;
        }
        if let Some(entry) = self.links.get_mut(link) {
            entry.track.judged = true;
            self.due_at(link, at, DUE_AFTER);
        }
    }

    fn service_found(&mut self, client: ClientId, service: &str, uri: &str, at: Monotonic, id: ObservationId) {
        let target = AdvertisedUri::parse(uri).ok();
        let old: Vec<LinkId> = self.links.named(client, LinkKind::Service, service);
        let new = NewLink { kind: LinkKind::Service, client, name: service, uri, target };
        let Some((link, _)) = self.links.find_or_add(&new, at) else { return };
        self.links.set_back(link, at);
        let other: Vec<LinkId> = old.into_iter().filter(|id| *id != link).collect();
        self.over(&other, GoneCause::Unlisted, at);
        self.name_parties(link);
        self.mark(link, Stage::Advertised, at, id, |state| state.succeed(at));
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
            entry.track.judged = true;
            self.due_at(link, at, DUE_AFTER);
        }
    }

    fn shut_down(&mut self, ends: &Ends, reason: &str, at: Monotonic, id: ObservationId) {
        if !reason.contains("registered with same name") {
            return;
        }
        let named = reason.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| bounded(name));
        let called = self.called(ends);
        let name = named.or_else(|| self.clients.get(called)?.name.clone()).unwrap_or_default();
        let replaced = IncidentKind::Replaced { client: called, node: name, reason: bounded(reason) };
        // Seen at both ends it would count twice.
        let caller = self.clients.find_or_add(&ends.client, None);
        if ends.at_client || !self.sees_client(caller) {
            self.incidents.note(replaced, 1, at, id);
        }
    }
}

/// The URI as ROS writes it.
pub(super) fn uri_text(uri: &AdvertisedUri) -> String {
    let AdvertisedUri { scheme, host, port } = uri;
    format!("{scheme}://{host}:{port}{}", if scheme == "http" { "/" } else { "" })
}

fn is_master_call(call: &Call) -> bool {
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

/// Whether a failed answer to this call is more than the everyday noise of names that are not there yet.
fn matters(call: &Call, fault: bool) -> bool {
    match call {
        Call::RegisterSubscriber { .. }
        | Call::RegisterPublisher { .. }
        | Call::RegisterService { .. }
        | Call::PublisherUpdate { .. }
        | Call::ParamUpdate { .. }
        | Call::SetParam { .. }
        | Call::RequestTopic { .. } => true,
        Call::Other { .. } => false,
        _ => fault,
    }
}

/// What a call is about: its topic, service or parameter.
fn subject(call: &Call) -> String {
    match call {
        Call::RegisterSubscriber { topic, .. }
        | Call::RegisterPublisher { topic, .. }
        | Call::PublisherUpdate { topic, .. }
        | Call::RequestTopic { topic, .. } => bounded(topic),
        Call::RegisterService { service, .. } => bounded(service),
        Call::SetParam { key, .. } | Call::ParamUpdate { key, .. } => bounded(key),
        _ => String::new(),
    }
}

/// Who calls, by its own word.
fn caller_id(call: &Call) -> Option<&str> {
    match call {
        Call::RegisterService { caller_id, .. }
        | Call::UnregisterService { caller_id, .. }
        | Call::RegisterSubscriber { caller_id, .. }
        | Call::UnregisterSubscriber { caller_id, .. }
        | Call::RegisterPublisher { caller_id, .. }
        | Call::UnregisterPublisher { caller_id, .. }
        | Call::LookupNode { caller_id, .. }
        | Call::LookupService { caller_id, .. }
        | Call::GetPublishedTopics { caller_id, .. }
        | Call::GetTopicTypes { caller_id }
        | Call::GetSystemState { caller_id }
        | Call::GetUri { caller_id }
        | Call::GetBusStats { caller_id }
        | Call::GetBusInfo { caller_id }
        | Call::GetMasterUri { caller_id }
        | Call::Shutdown { caller_id, .. }
        | Call::GetPid { caller_id }
        | Call::GetSubscriptions { caller_id }
        | Call::GetPublications { caller_id }
        | Call::ParamUpdate { caller_id, .. }
        | Call::PublisherUpdate { caller_id, .. }
        | Call::RequestTopic { caller_id, .. }
        | Call::DeleteParam { caller_id, .. }
        | Call::SetParam { caller_id, .. }
        | Call::GetParam { caller_id, .. }
        | Call::SearchParam { caller_id, .. }
        | Call::SubscribeParam { caller_id, .. }
        | Call::UnsubscribeParam { caller_id, .. }
        | Call::HasParam { caller_id, .. }
        | Call::GetParamNames { caller_id } => Some(caller_id),
        Call::Multicall { .. } | Call::Other { .. } => None,
    }
}
