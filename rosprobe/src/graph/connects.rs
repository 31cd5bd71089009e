//! Connect attempts find the links whose stage they decide, and sockets that end take their links' state with them.

use std::net::SocketAddr;
use std::time::Duration;

use super::Graph;
use super::link::{Health, LinkId, LinkKind, Outcome, Stage};
use super::links::Entry;
use super::track::{GoneCause, Stall};
use crate::errno::Errno;
use crate::event::{Monotonic, Transport};
use crate::observation::{AbandonCause, Observation, What};

/// Port of a master, unless somebody chose another one.
pub(crate) const MASTER_PORT: u16 = 11311;
/// An attempt given up sooner than this, without a SYN sent again, says nothing about the address.
const ABANDON_COUNTS_AFTER_NS: u64 = 1_000_000_000;
/// An attempt given up sooner than this says less than an error that an earlier one got.
const SAYS_MORE_AFTER_NS: u64 = 10_000_000_000;
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
            let mut claims =
                self.ends(observation, !incoming).map(|ends| self.claim(&ends, at, observation.id)).unwrap_or_default();
            if claims.is_empty() && !incoming {
                claims = self.resume(observation);
            }
            if let Some(socket) = self.sockets.get_mut(id) {
                socket.claims = claims;
            }
        }
        self.decide(observation, id, at);
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
            self.answers(remote, at);
        }
        self.reached_or_not(observation);
        let carrier = self.sockets.redirected(socket).and_then(|other| other.owner.clone());
        let at_client = observation.what != What::Accepted;
        let answered = remote.filter(|_| matches!(observation.what, What::Connected { .. }));
        let succeeded = matches!(observation.what, What::Connected { .. } | What::Accepted);
        let asked = claims.iter().filter(|(_, stage)| *stage == Stage::Xmlrpc).map(|(link, _)| *link);
        let own = |link: LinkId| self.links.get(link)?.link.stage(Stage::Xmlrpc).map(|state| state.own_failures);
        let in_turn = asked.min_by_key(|link| (own(*link).unwrap_or(0), *link));
        for (link, stage) in claims {
            if stage == Stage::Xmlrpc && self.asks_elsewhere(link, socket) {
                continue;
            }
            let guessed = self.links.get(link).is_some_and(|entry| entry.track.is_guess(socket));
            if let (Stage::Master, What::ConnectFailed { errno: Errno::ECONNREFUSED, .. }, Some(remote)) =
                (stage, &observation.what, remote)
            {
                let net_namespace = self.sockets.get(socket).map_or(0, |socket| socket.net_namespace);
                self.master_refused(net_namespace, remote, at, observation.id);
            }
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
                if guessed && succeeded {
                    // What failed before stands until it is known whose success it is.
                    (state.outcome, state.at) = (Outcome::Ok, at);
                } else {
                    let before = state.own_failures;
                    outcome(&observation.what, state, at);
                    if stage == Stage::Xmlrpc && in_turn != Some(link) {
                        state.own_failures = state.own_failures.min(before);
                    }
                }
            });
            if matches!(observation.what, What::Connected { .. }) && !guessed {
                self.address_answered(link, stage);
            }
        }
    }

    /// A host answered at a port.
    pub(super) fn answers(&mut self, address: SocketAddr, at: Monotonic) {
        let host = (self.network, address.ip());
        if self.answering.len() >= ANSWERING_LIMIT && !self.answering.contains_key(&host) {
            self.answering.pop_first();
        }
        let ports = self.answering.entry(host).or_default();
        if ports.len() < ANSWERING_LIMIT {
            ports.insert(address.port(), at);
        }
    }

    /// Something came from a host that answered before: it is alive.
    pub(super) fn still_answers(&mut self, socket: u64, at: Monotonic) {
        let Some(socket) = self.sockets.get(socket).filter(|socket| socket.connecting == Some(true)) else { return };
        let Some(remote) = socket.remote else { return };
        let ports = self.answering.get_mut(&(self.network, remote.ip()));
        if let Some(last) = ports.and_then(|ports| ports.get_mut(&remote.port())) {
            *last = at.max(*last);
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
            self.hung_up_on_a_request(observation, id, by_client);
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

    /// The server of a service closed the connection with a request on it that it had not answered.
    fn hung_up_on_a_request(&mut self, observation: &Observation, socket: u64, by_client: bool) {
        let Some(known) = self.sockets.get(socket).filter(|known| known.header_from_server && !by_client) else {
            return;
        };
        let Some(link) = known.link.filter(|link| self.links.is(*link, LinkKind::Service)) else { return };
        let at_client = known.connecting == Some(true);
        // The connecting end tells it better.
        if !at_client && self.sockets.mirror(socket).is_some_and(|mirror| mirror.owner.is_some()) {
            return;
        }
        let (sent, received) = (known.traffic.sent_messages, known.traffic.received_messages);
        let (requests, answers) = if at_client { (sent, received) } else { (received, sent) };
        if requests <= answers || self.links.get(link).is_none_or(|entry| entry.link.incomplete) {
            return;
        }
        let (at, address) = (observation.monotonic, if at_client { known.remote } else { known.local });
        let asked = known.header_from_client.unwrap_or(at);
        self.given_up(link, false);
        self.links.mark(link, Stage::Data, at, observation.id, |state| {
            state.address = address;
            state.socket = Some(socket);
            state.fail(Outcome::Abandoned { after_ns: at.0.saturating_sub(asked.0), syn_retransmits: 0 }, at);
        });
    }

    /// The connection was accepted, and the peer ended it before the client had said what it wants.
    fn hung_up_before_the_header(&mut self, observation: &Observation, socket: u64, at: Monotonic) {
        let Some(known) = self.sockets.get(socket) else { return };
        let silent = known.header_from_client.is_none() && !known.header_from_server && known.link.is_none();
        let by_server = match known.connecting {
            Some(true) => known.ended_by_peer,
            // At its own end, where the client is not seen: whoever listens there goes on running. A socket that nobody read has no owner.
            Some(false) => {
                let listens = known.local.and_then(|local| self.listener(known.net_namespace, local));
                let alone = self.sockets.mirror(socket).is_none_or(|mirror| mirror.owner.is_none());
                !known.ended_by_peer && listens.is_some() && alone
            }
            None => false,
        };
        if !(known.connected && by_server && silent) {
            return;
        }
        let wanted = known.claims.iter().find(|(_, stage)| matches!(stage, Stage::Tcpros | Stage::Service));
        let Some((link, stage)) = wanted.copied().filter(|(link, _)| self.waits_for_header(*link, socket)) else {
            return;
        };
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
            entry.track.stall = Stall::default();
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
        What::ConnectFailed { errno, after_ns, .. } => {
            // An attempt begins with its SYN, and is marked anew by each that is sent again.
            let under_way = matches!(state.outcome, Outcome::Pending { .. });
            state.failed_after_ns = under_way.then(|| at.0.saturating_sub(state.at.0).min(*after_ns));
            state.fail(Outcome::Failed { errno: *errno }, at);
        }
        What::ConnectAbandoned { after_ns, syn_retransmits, cause } => {
            let brief = *after_ns < ABANDON_COUNTS_AFTER_NS || state.failure.is_some();
            // The network or the host has said why before.
            let known = matches!(state.failure, Some(Outcome::Failed { .. })) && *after_ns < SAYS_MORE_AFTER_NS;
            if known || (*syn_retransmits == 0 && brief) {
                // Linux sends a SYN again after a second. An attempt without any says less than the failures before it.
                state.break_off();
            } else if *cause != AbandonCause::LostSight {
                state.fail(Outcome::Abandoned { after_ns: *after_ns, syn_retransmits: *syn_retransmits }, at);
            }
        }
        _ => {}
    }
}
