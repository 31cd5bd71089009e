//! Which links a connect is for. A port of a publisher hands out all of its topics: a connect to it is one link's, and which one's is
//! known for sure only when its header names the topic. Until then it is taken for the one that waits longest, and taken back where
//! that was wrong.

use std::cmp::Reverse;
use std::net::SocketAddr;

use super::Graph;
use super::client::{Actor, ClientId};
use super::connects::MASTER_PORT;
use super::conversation::Ends;
use super::due::DUE_AFTER;
use super::link::{LinkId, LinkKind, Outcome, Stage, StageState};
use super::links::Entry;
use super::sockets::CLAIM_LIMIT;
use crate::event::Monotonic;
use crate::observation::{AdvertisedUri, ObservationId};

/// A connect that is taken for a link's among several that it may be for.
#[derive(Clone, Debug)]
pub(crate) struct Guess {
    pub socket: u64,
    /// Its first observation: what shows it comes from then on.
    began: ObservationId,
    /// The stage as it was before.
    before: Box<StageState>,
}

impl Graph {
    /// The stages of links that a connect between these ends decides.
    pub(super) fn claim(&mut self, ends: &Ends, at: Monotonic, began: ObservationId) -> Vec<(LinkId, Stage)> {
        let Some(address) = ends.server_address else { return Vec::new() };
        let mut claims = Vec::new();
        for client in self.clients.of(ends.client.actor).to_vec() {
            self.claim_of(client, address, &mut claims);
        }
        if !claims.is_empty() {
            return self.claim_one(claims, ends.socket, began);
        }
        if self.masters.addresses.contains(&address)
            || address.port() == MASTER_PORT
            || self.is_own_master(ends, address)
        {
            let client = self.clients.find_or_add(&ends.client, None);
            return self.master_link(client, address, at).map(|link| (link, Stage::Master)).into_iter().collect();
        }
        if self.is_master(ends.client.actor)
            && let Some(callee) = self.client_at(address, &ends.server).or_else(|| self.called_unseen(ends))
        {
            let link = self.callback_link(ends, callee, at);
            return link.map(|link| (link, Stage::Callback)).into_iter().collect();
        }
        claims
    }

    /// The links of a client that wait for a connect to an address.
    pub(super) fn claim_of(&self, client: ClientId, address: SocketAddr, claims: &mut Vec<(LinkId, Stage)>) {
        for id in self.links.at_port(client, address.port()) {
            let Some(entry @ Entry { link, track }) = self.links.get(id) else { continue };
            if claims.len() >= CLAIM_LIMIT {
                return;
            }
            if link.gone || self.is_connected(entry) {
                continue;
            }
            let at_host = |host: &str, ip| self.host_may_be(host, ip, Some(client));
            let is_data = track.is_data_target(address, at_host);
            match link.kind {
                LinkKind::Topic if is_data => claims.push((id, Stage::Tcpros)),
                LinkKind::Topic if is_climbing(entry) => {}
                LinkKind::Topic if track.is_target(address, at_host) => claims.push((id, Stage::Xmlrpc)),
                LinkKind::Service if track.is_target(address, at_host) => claims.push((id, Stage::Service)),
                _ => {}
            }
        }
    }

    fn is_connected(&self, Entry { track, .. }: &Entry) -> bool {
        track.data_socket.is_some_and(|socket| self.sockets.get(socket).is_some_and(|socket| !socket.closed))
    }

    /// Whether a link that waited for a connect to an XML-RPC server has been served by another meanwhile.
    pub(super) fn asks_elsewhere(&self, link: LinkId, socket: u64) -> bool {
        let Some(entry) = self.links.get(link) else { return false };
        let asked_here = entry.link.stage(Stage::RequestTopic).is_some_and(|state| state.socket == Some(socket));
        !asked_here && (is_climbing(entry) || self.is_connected(entry))
    }

    /// Over one connection to an XML-RPC server a node asks for all of its topics: every link waits for it. A connection for data is one
    /// link's.
    fn claim_one(&mut self, claims: Vec<(LinkId, Stage)>, socket: u64, began: ObservationId) -> Vec<(LinkId, Stage)> {
        let (mut shared, own): (Vec<_>, Vec<_>) = claims.into_iter().partition(|(_, stage)| *stage == Stage::Xmlrpc);
        let several = own.len() > 1;
        let first = own.into_iter().min_by_key(|(link, stage)| self.turn(*link, *stage));
        if let Some((link, stage)) = first
            && let Some(Entry { link, track }) = self.links.get_mut(link)
        {
            let before = link.stage(stage).filter(|_| several).cloned().map(Box::new);
            track.guess = before.map(|before| Guess { socket, began, before });
        }
        shared.extend(first);
        shared
    }

    /// Sorts first which link connects next: one without a connect under way, that was answered where its data is since it last tried,
    /// the longest ago. A client of several services of one node connects right after it looked one up.
    fn turn(&self, id: LinkId, stage: Stage) -> impl Ord + use<> {
        let link = self.links.get(id).map(|entry| &entry.link);
        let state = |stage| link.and_then(|link| link.stage(stage));
        let open = state(stage).and_then(|state| self.sockets.get(state.socket?));
        let under_way = open.is_some_and(|socket| !socket.closed && socket.header_from_client.is_none());
        let tried = state(stage).map(|state| state.at);
        let told = state(if stage == Stage::Service { Stage::Advertised } else { Stage::RequestTopic });
        let told = told.filter(|told| told.outcome == Outcome::Ok).map(|told| told.at);
        let latest = (stage == Stage::Service).then_some(Reverse(told));
        (under_way, latest, told < tried, tried, told, id)
    }

    /// The header of a connect named its link.
    pub(super) fn connect_was_of(&mut self, socket: u64, link: LinkId, at: Monotonic) {
        let Some(known) = self.sockets.get_mut(socket) else { return };
        let claim = known.claims.iter_mut().find(|(_, stage)| matches!(stage, Stage::Tcpros | Stage::Service));
        let Some((taken_for, stage)) = claim.map(|claim| (std::mem::replace(&mut claim.0, link), claim.1)) else {
            return;
        };
        let mut guess_of = |link| self.links.get_mut(link).and_then(|entry| entry.track.guess.take());
        if taken_for == link {
            guess_of(link);
            return;
        }
        let (Some(wrong), other) = (guess_of(taken_for), guess_of(link)) else { return };
        let attempts = self.take_back(taken_for, stage, &wrong);
        // The connect that was taken for this link's is the other's, then.
        let exchanged = other.map(|other| (self.take_back(link, stage, &other), other));
        self.add_attempts(link, attempts);
        match exchanged {
            Some((attempts, other)) => {
                self.add_attempts(taken_for, attempts);
                let claims = self.sockets.get_mut(other.socket).into_iter().flat_map(|socket| &mut socket.claims);
                claims.filter(|claim| claim.0 == link).for_each(|claim| claim.0 = taken_for);
                if let Some(entry) = self.links.get_mut(taken_for) {
                    entry.track.guess = Some(Guess { before: wrong.before, ..other });
                }
            }
            // What it has not tried after all is due as before.
            None => self.due_at(taken_for, at, DUE_AFTER),
        }
    }

    /// Takes from a link what a connect did to it.
    fn take_back(&mut self, link: LinkId, connect: Stage, guess: &Guess) -> Vec<StageState> {
        let Some(entry) = self.links.get_mut(link) else { return Vec::new() };
        let states = entry.link.stages.iter_mut().filter(|state| state.socket == Some(guess.socket));
        let states = states.filter_map(|state| match state.stage {
            stage if stage == connect => Some(state.take_back(guess.began, &guess.before)),
            // A connection that was closed before its header.
            Stage::Header => Some(state.take_back(guess.began, &StageState::new(Stage::Header, state.at))),
            _ => None,
        });
        states.collect()
    }

    fn add_attempts(&mut self, link: LinkId, attempts: Vec<StageState>) {
        let Some(entry) = self.links.get_mut(link) else { return };
        for attempt in attempts {
            if let Some(state) = entry.link.stage_mut(attempt.stage) {
                state.add_attempt(attempt);
            }
        }
    }

    /// The node that a master calls which was running: who has registered before was not seen.
    fn called_unseen(&mut self, ends: &Ends) -> Option<ClientId> {
        let Actor::Process(master) = ends.client.actor else { return None };
        self.was_listening(master).then(|| self.called(ends))
    }

    /// Whether that is the master of the process's environment.
    fn is_own_master(&self, ends: &Ends, address: SocketAddr) -> bool {
        let Actor::Process(key) = ends.client.actor else { return false };
        let environment = self.processes.get(&key).map(|state| &state.process.environment);
        let uri = environment.and_then(|variables| variables.get("ROS_MASTER_URI"));
        uri.and_then(|uri| AdvertisedUri::parse(uri).ok())
            .is_some_and(|uri| uri.port == address.port() && self.host_may_be(&uri.host, address.ip(), None))
    }
}

/// The subscriber has asked the publisher, and what comes after that has not failed.
fn is_climbing(Entry { link, track }: &Entry) -> bool {
    let outcome = |stage| link.stage(stage).map(|state| (&state.outcome, state.failures));
    let asked = matches!(outcome(Stage::RequestTopic), Some((Outcome::Ok | Outcome::Pending { .. }, _)));
    let untried = |stage| matches!(outcome(stage), Some((Outcome::NotReached | Outcome::Pending { .. }, 0)));
    asked && track.datagrams.is_none() && untried(Stage::Tcpros) && untried(Stage::Header)
}

impl StageState {
    /// Takes the last attempt out, with what shows it from `began` on. What was before stands again.
    fn take_back(&mut self, began: ObservationId, before: &Self) -> Self {
        let mut attempt = std::mem::replace(self, before.clone());
        attempt.evidence.retain(|id| *id >= began);
        attempt
    }

    /// Puts in what was the attempt of another.
    fn add_attempt(&mut self, attempt: Self) {
        let Self { outcome, at, address, socket, evidence, .. } = attempt;
        match outcome {
            Outcome::Failed { .. } | Outcome::Abandoned { .. } => self.fail(outcome, at),
            outcome => (self.outcome, self.at) = (outcome, at),
        }
        (self.address, self.socket) = (address.or(self.address), socket);
        for id in evidence {
            self.show(id);
        }
    }
}
