//! Connect attempts find the links whose stage they decide, and sockets that end take their links' state with them.

use std::net::SocketAddr;
use std::time::Duration;

use super::Graph;
use super::client::{Actor, ClientId};
use super::conversation::Ends;
use super::link::{Health, LinkId, LinkKind, Outcome, Stage};
use super::links::{Entry, GoneCause};
use super::sockets::CLAIM_LIMIT;
use crate::errno::Errno;
use crate::event::{Monotonic, Transport};
use crate::observation::{AbandonCause, AdvertisedUri, Observation, What};

/// Port of a master, unless somebody chose another one.
pub(crate) const MASTER_PORT: u16 = 11311;
/// An attempt given up sooner than this, without a SYN sent again, says nothing about the address.
const ABANDON_COUNTS_AFTER_NS: u64 = 1_000_000_000;
/// A client that itself closes without an answer sooner than this has not waited for it: it ended, or wanted something else.
const WAITED_FOR: Duration = Duration::from_secs(3);
/// Hosts remembered as answering, and ports of each.
const ANSWERING_LIMIT: usize = 4096;

impl Graph {
    pub(super) fn connect_observed(&mut self, observation: &Observation) {
        let Some(socket) = &observation.socket else { return };
        if socket.transport != Transport::Tcp {
            return;
        }
        let (id, at) = (socket.id, observation.monotonic);
        match &observation.what {
            What::Accepted => {}
            What::AlreadyOpen => {
                if let Some(socket) = self.sockets.get_mut(id) {
                    socket.already_open = true;
                    socket.connected = true;
                }
                return;
            }
            _ => {
                if let Some(socket) = self.sockets.get_mut(id) {
                    socket.connecting = Some(true);
                }
            }
        }
        let incoming = observation.what == What::Accepted;
        if incoming && self.sockets.mirror(id).is_some_and(|mirror| mirror.owner.is_some()) {
            // The connecting end tells it better.
            return;
        }
        let fresh = matches!(observation.what, What::ConnectStarted);
        let known = self.sockets.get(id).is_some_and(|socket| !socket.claims.is_empty());
        if fresh || !known {
            let mut claims = self.ends(observation, !incoming).map(|ends| self.claim(&ends, at)).unwrap_or_default();
            if claims.is_empty() && !incoming {
                claims = self.resume(observation);
            }
            if let Some(socket) = self.sockets.get_mut(id) {
                socket.claims = claims;
            }
        }
        self.decide(observation, id, at);
    }

    /// The stages of links that a connect between these ends decides.
    fn claim(&mut self, ends: &Ends, at: Monotonic) -> Vec<(LinkId, Stage)> {
        let Some(address) = ends.server_address else { return Vec::new() };
        let mut claims = Vec::new();
        for client in self.clients.of(ends.client.actor).to_vec() {
            self.claim_of(client, address, &mut claims);
        }
        if !claims.is_empty() {
            return claims;
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

    pub(super) fn claim_of(&self, client: ClientId, address: SocketAddr, claims: &mut Vec<(LinkId, Stage)>) {
        for id in self.links.at_port(client, address.port()) {
            let Some(Entry { link, track }) = self.links.get(id) else { continue };
            if claims.len() >= CLAIM_LIMIT {
                return;
            }
            let connected = track.data_socket.is_some_and(|socket| self.sockets.get(socket).is_some_and(|s| !s.closed));
            if link.gone || connected {
                continue;
            }
            let at_host = |host: &str, ip| self.host_may_be(host, ip, Some(client));
            let is_data = track.is_data_target(address, at_host);
            match link.kind {
                LinkKind::Topic if is_data => claims.push((id, Stage::Tcpros)),
                LinkKind::Topic if track.is_target(address, at_host) => claims.push((id, Stage::Xmlrpc)),
                LinkKind::Service if track.is_target(address, at_host) => claims.push((id, Stage::Service)),
                _ => {}
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

    fn decide(&mut self, observation: &Observation, socket: u64, at: Monotonic) {
        let Some(state) = self.sockets.get_mut(socket) else { return };
        let remote = if observation.what == What::Accepted { state.local } else { state.remote };
        if matches!(observation.what, What::Connected { .. } | What::Accepted) {
            state.connected = true;
        }
        let claims = state.claims.clone();
        if matches!(observation.what, What::Connected { .. })
            && let Some(remote) = remote
        {
            self.answers(remote);
        }
        let carrier = self.sockets.redirected(socket).and_then(|other| other.owner.clone());
        let at_client = observation.what != What::Accepted;
        let answered = remote.filter(|_| matches!(observation.what, What::Connected { .. }));
        for (link, stage) in claims {
            if let Some(entry) = self.links.get_mut(link) {
                if let Some(client) = self.clients.get_mut(entry.track.client) {
                    client.connects(at, answered);
                }
                entry.track.at_client |= at_client;
                if carrier.is_some() {
                    entry.link.carried_by.clone_from(&carrier);
                }
            }
            self.links.mark(link, stage, at, observation.id, |state| {
                // A socket that its owner has closed while it connected names no port any more.
                state.address = remote.filter(|remote| remote.port() != 0).or(state.address);
                state.socket = Some(socket);
                outcome(&observation.what, state, at);
            });
            if matches!(observation.what, What::Connected { .. }) {
                self.address_answered(link, stage);
            }
        }
    }

    /// A host answered at a port.
    pub(super) fn answers(&mut self, address: SocketAddr) {
        let host = (self.network, address.ip());
        if self.answering.len() >= ANSWERING_LIMIT && !self.answering.contains_key(&host) {
            self.answering.pop_first();
        }
        let ports = self.answering.entry(host).or_default();
        if ports.len() < ANSWERING_LIMIT {
            ports.insert(address.port());
        }
    }

    /// After the connect the next stage starts over.
    fn address_answered(&mut self, link: LinkId, stage: Stage) {
        let Some(entry) = self.links.get_mut(link) else { return };
        let next = if matches!(stage, Stage::Tcpros | Stage::Service) { Stage::Header } else { return };
        if let Some(state) = entry.link.stage_mut(next)
            && state.failures == 0
        {
            state.outcome = Outcome::NotReached;
        }
    }

    pub(super) fn socket_error(&mut self, observation: &Observation, errno: Errno) {
        let Some(socket) = observation.socket.as_ref().and_then(|socket| self.sockets.get(socket.id)) else { return };
        // The peer has closed: the end of a connection like any other.
        if matches!(errno, Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN) {
            let id = socket.id;
            if let Some(socket) = self.sockets.get_mut(id) {
                socket.ended_by_peer = true;
            }
            return;
        }
        let (link, at) = (socket.link, observation.monotonic);
        if let Some(link) = link {
            self.links.mark(link, Stage::Data, at, observation.id, |state| state.fail(Outcome::Failed { errno }, at));
        }
    }

    pub(super) fn socket_closed(&mut self, observation: &Observation) {
        let Some(id) = observation.socket.as_ref().map(|socket| socket.id) else { return };
        let (at, gone) = (observation.monotonic, matches!(observation.what, What::Closed { .. }));
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let was_closed = std::mem::replace(&mut socket.closed, true);
        // The end that did not hear of the other's closing closed by itself.
        socket.ended_by_peer |= !gone;
        let by_client = socket.connecting.unwrap_or(true) != socket.ended_by_peer;
        let (link, unanswered) = (socket.link, socket.header_from_client.is_some() && !socket.header_from_server);
        // What was sent after the peer had closed is as unanswered as what was sent before.
        for call in self.calls.socket_closed(id, at) {
            if let (Some(link), "requestTopic") = (call.link, call.call.method()) {
                self.unanswered(link, Stage::RequestTopic, by_client, observation);
            }
        }
        if let (Some(link), true) = (link, unanswered) {
            self.unanswered(link, Stage::Header, by_client, observation);
        }
        if !was_closed {
            self.data_ended(link, id);
            if let (Some(link), true) = (link, by_client) {
                self.hung_up(link, at);
            }
        }
        if gone {
            self.hung_up_before_the_header(observation, id, at);
            self.sockets.remove(id);
        }
    }

    /// A connection was closed on which a link waited for an answer. A client that goes sooner than anybody waits says nothing of the
    /// publisher by it.
    fn unanswered(&mut self, link: LinkId, stage: Stage, by_client: bool, observation: &Observation) {
        let at = observation.monotonic;
        let state = self.links.get(link).and_then(|entry| entry.link.stage(stage));
        let Some(Outcome::Pending { since, .. }) = state.map(|state| &state.outcome) else { return };
        let waited = at.since(*since);
        let left = by_client && waited < WAITED_FOR;
        if !left {
            self.given_up(link, by_client);
        }
        let after_ns = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.links.mark(link, stage, at, observation.id, |state| {
            if left { state.break_off() } else { state.fail(Outcome::Abandoned { after_ns, syn_retransmits: 0 }, at) }
        });
        if left {
            self.hung_up(link, at);
        }
    }

    /// The subscriber closed a connection by itself. Where nothing but its connections tells of a link, and nothing is wrong with it,
    /// that is the link's end.
    fn hung_up(&mut self, id: LinkId, at: Monotonic) {
        let Some(Entry { link, track }) = self.links.get(id) else { return };
        let well = link.kind == LinkKind::Topic && link.stages_health() != Health::Failed;
        if well && !link.reached(Stage::Advertised) && track.data_socket.is_none() {
            self.over(&[id], GoneCause::HungUp, at);
        }
    }

    /// The connection was accepted, and the peer ended it before the client had said what it wants.
    fn hung_up_before_the_header(&mut self, observation: &Observation, socket: u64, at: Monotonic) {
        let Some(known) = self.sockets.get(socket) else { return };
        let silent = known.header_from_client.is_none() && !known.header_from_server && known.link.is_none();
        if !(known.connecting == Some(true) && known.connected && known.ended_by_peer && silent) {
            return;
        }
        let wanted = known.claims.iter().filter(|(_, stage)| matches!(stage, Stage::Tcpros | Stage::Service));
        let mut wanted: Vec<(LinkId, Stage)> =
            wanted.filter(|(link, _)| self.waits_for_header(*link, socket)).copied().collect();
        // A client of several services of one node connects right after it looked one up.
        let looked_up = |link: LinkId| self.links.get(link)?.link.stage(Stage::Advertised).map(|state| state.at);
        if let Some(last) =
            wanted.iter().filter(|(_, stage)| *stage == Stage::Service).max_by_key(|(l, _)| looked_up(*l))
        {
            wanted = vec![*last];
        }
        // Of several topics it is not known which the connection was for.
        let [(link, stage)] = wanted[..] else { return };
        let connected =
            self.links.get(link).and_then(|entry| entry.link.stage(stage)).map(|state| (state.at, state.address));
        let Some((since, address)) = connected else { return };
        self.given_up(link, false);
        self.links.mark(link, Stage::Header, at, observation.id, |state| {
            state.address = address;
            state.socket = Some(socket);
            state.fail(Outcome::Abandoned { after_ns: at.0.saturating_sub(since.0), syn_retransmits: 0 }, at);
        });
    }

    /// Whether the last connection of a link is this one, and no header was exchanged since.
    fn waits_for_header(&self, link: LinkId, socket: u64) -> bool {
        let Some(Entry { link, .. }) = self.links.get(link) else { return false };
        let by_this = |stage| link.stage(stage).is_some_and(|state| state.socket == Some(socket));
        let idle = |state: &super::StageState| !matches!(state.outcome, Outcome::Ok | Outcome::Pending { .. });
        !link.gone && (by_this(Stage::Tcpros) || by_this(Stage::Service)) && link.stage(Stage::Header).is_some_and(idle)
    }

    fn given_up(&mut self, link: LinkId, by_client: bool) {
        if let Some(entry) = self.links.get_mut(link) {
            entry.track.given_up = by_client;
        }
    }

    fn data_ended(&mut self, link: Option<LinkId>, socket: u64) {
        if let Some(entry) = link.and_then(|link| self.links.get_mut(link))
            && entry.track.data_socket == Some(socket)
        {
            entry.track.data_socket = None;
            entry.track.stall = super::links::Stall::default();
        }
    }
}

/// What an observation of an attempt makes of the stage.
pub(super) fn outcome(what: &What, state: &mut super::StageState, at: Monotonic) {
    match what {
        What::ConnectStarted => {
            // The next rungs of a retry may fail with the old state still shown, but a new attempt is under way.
            state.begin(at);
        }
        What::SynRetransmitted { count, after_ns } => {
            let since = Monotonic(at.0.saturating_sub(*after_ns));
            state.outcome = Outcome::Pending { since, syn_retransmits: *count };
            state.at = at;
        }
        What::Connected { .. } | What::Accepted => state.succeed(at),
        What::ConnectFailed { errno, .. } => state.fail(Outcome::Failed { errno: *errno }, at),
        What::ConnectAbandoned { after_ns, syn_retransmits, cause } => {
            let brief = *after_ns < ABANDON_COUNTS_AFTER_NS || state.failure.is_some();
            if *syn_retransmits == 0 && brief {
                // Linux sends a SYN again after a second. An attempt without any says less than the failures before it.
                state.break_off();
            } else if *cause != AbandonCause::LostSight {
                state.fail(Outcome::Abandoned { after_ns: *after_ns, syn_retransmits: *syn_retransmits }, at);
            }
        }
        _ => {}
    }
}
