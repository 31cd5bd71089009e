//! XML-RPC calls and their answers: what each leads to, and which failures of theirs count.

use super::calls::{WaitingCall, slim};
use super::client::ClientId;
use super::conversation::Ends;
use super::incidents::IncidentKind;
use super::link::{LinkId, LinkKind, Outcome, Stage};
use super::registration::is_master_call;
use super::{Graph, bounded};
use crate::event::{Direction, Monotonic};
use crate::observation::{AdvertisedUri, Answer, Call, Observation, ObservationId};

/// Calls of one `system.multicall` that are looked at.
const MULTICALL_LIMIT: usize = 4096;

impl Graph {
    pub(super) fn call_observed(&mut self, observation: &Observation, direction: Direction, call: &Call) {
        let at_client = direction == Direction::Sent;
        let Some(mut ends) = self.ends(observation, at_client) else { return };
        // Who accepts on this machine is known once it reads: until then it may be the caller itself.
        let far = self.sockets.mirror(ends.socket);
        let perhaps_itself = ends.client.actor == ends.server.actor || far.is_some_and(|far| far.owner.is_none());
        if at_client && !perhaps_itself && is_master_call(call) && self.may_be_relay(&ends.client) {
            ends.client = self.behind_relay(ends.client);
        }
        if let Some(socket) = self.sockets.get_mut(ends.socket) {
            socket.connecting.get_or_insert(at_client);
            socket.connected = true;
        }
        let (at, id) = (observation.monotonic, observation.id);
        let parts: &[Call] = if let Call::Multicall { calls } = call { calls } else { std::slice::from_ref(call) };
        let caller = parts.first().and_then(Call::caller_id).map(bounded);
        let client = match call {
            Call::RequestTopic { .. } => self.asking(&ends, caller.as_deref()),
            _ => self.calling(&ends, caller.as_deref()),
        };
        if !at_client && !is_master_call(call) {
            self.called_by(&ends);
        }
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
            Call::RequestTopic { topic, protocols, .. } => {
                let link = self.topic_requested(ends, client, &bounded(topic), at, id)?;
                self.datagrams_asked(ends, link, protocols, at);
                return Some(link);
            }
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

    /// A node was called: by another host, which so can use the address that it advertises.
    fn called_by(&mut self, ends: &Ends) {
        if ends.client.address == ends.server.address || ends.client.address.is_some_and(|ip| ip.is_loopback()) {
            return;
        }
        let callee = ends.server_address.and_then(|address| self.client_at(address, &ends.server));
        if let Some(callee) = callee.and_then(|id| self.clients.get_mut(id)) {
            callee.called = true;
        }
    }

    /// What answers a call to a master is no XML-RPC: it is no master.
    pub(super) fn answered_otherwise(&mut self, observation: &Observation, direction: Direction, with: &str) {
        let Some(socket) = observation.socket.as_ref().map(|socket| socket.id) else { return };
        let (at, id) = (observation.monotonic, observation.id);
        let of_master = |call: &WaitingCall| call.link.is_some_and(|link| self.links.is(link, LinkKind::Master));
        let waiting: Vec<ObservationId> = self
            .calls
            .iter()
            .filter(|(_, call)| call.socket == socket && of_master(call))
            .filter(|(_, call)| call.at_client == (direction == Direction::Received))
            .map(|(waiting, _)| waiting)
            .collect();
        for call in waiting {
            let Some(link) = self.calls.answered(call).and_then(|call| call.link) else { continue };
            let reason = bounded(with);
            self.links.mark(link, Stage::Master, at, id, |state| state.fail(Outcome::Refused { reason }, at));
        }
    }

    /// Events were lost since `since`, answers to calls that wait perhaps among them: nobody knows any more whether those were answered.
    pub(super) fn answers_lost(&mut self, since: Monotonic) {
        self.calls.forget_unanswered(since);
        self.links.forget_asked(since);
    }

    /// An answer whose call is not known: after something was missed it may be any call's of that connection.
    fn answered_somebody(&mut self, socket: u64) {
        for link in self.calls.links_of(socket) {
            let state = self.links.get_mut(link).and_then(|entry| entry.link.stage_mut(Stage::RequestTopic));
            if let Some(state) = state.filter(|state| matches!(state.outcome, Outcome::Pending { .. })) {
                state.outcome = Outcome::NotReached;
            }
        }
        self.calls.lost(socket);
    }

    pub(super) fn answer_observed(
        &mut self,
        observation: &Observation,
        direction: Direction,
        to: Option<ObservationId>,
        answer: &Answer,
    ) {
        let Some(ends) = self.ends(observation, direction == Direction::Received) else { return };
        self.still_answers(ends.socket, observation.monotonic);
        let Some(to) = to else { return self.answered_somebody(ends.socket) };
        let Some(waiting) = self.calls.answered(to) else { return };
        let (at, id) = (observation.monotonic, observation.id);
        if let Some(link) = waiting.link {
            for stage in [Stage::Master, Stage::Callback] {
                self.links.mark(link, stage, at, id, |state| state.succeed(at));
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
                self.publishers_named(&state.publishers);
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
            return self
                .links
                .mark(link, Stage::RequestTopic, at, id, |state| state.fail(Outcome::Refused { reason }, at));
        }
        let unknown_method = message.contains("is not supported") || message.contains("unknown method name");
        if fault && unknown_method && is_master_call(call) {
            let Some(link) = waiting.link else { return };
            let reason = bounded(message);
            return self.links.mark(link, Stage::Master, at, id, |state| state.fail(Outcome::Refused { reason }, at));
        }
        // roscpp takes back its methods before it unregisters (`ros::TopicManager::shutdown`): the link ends with its node, or stays so.
        if unknown_method && fault && matches!(call, Call::PublisherUpdate { .. } | Call::ParamUpdate { .. }) {
            let Some(link) = waiting.link else { return };
            let reason = bounded(message);
            return self.links.mark(link, Stage::Callback, at, id, |state| state.fail(Outcome::Refused { reason }, at));
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

/// Whether a failed answer to this call is more than the everyday noise of names that are not there yet.
fn matters(call: &Call, fault: bool) -> bool {
    match call {
        Call::RegisterSubscriber { .. }
        | Call::RegisterPublisher { .. }
        | Call::RegisterService { .. }
        | Call::PublisherUpdate { .. }
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
