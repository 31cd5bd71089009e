//! Observations folded into state: processes, network namespaces, nodes, topics, and links between them.
//!
//! A fact may be seen in the client's process, in the server's, in both, or, in a packet capture, without any process. Every
//! handler gives the same result however often and from whichever side it is told the same thing.

mod calls;
mod carried;
mod clients;
mod connects;
mod conversation;
pub mod dds;
mod due;
mod exchange;
mod headers;
mod incidents;
mod link;
mod links;
mod names;
mod networks;
mod routes;
mod sockets;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use self::calls::WaitingCalls;
use self::clients::Clients;
pub(crate) use self::clients::{Actor, Client, ClientId, ProcessKey};
pub(crate) use self::due::LEAVING;
use self::incidents::Incidents;
pub(crate) use self::incidents::{Incident, IncidentKind};
pub use self::link::{Health, Link, LinkId, LinkKind, Outcome, Party, Rate, Stage, StageState};
use self::links::Links;
pub(crate) use self::links::{Entry, GoneCause, LINK_LIMIT, Track};
use self::names::Names;
pub(crate) use self::names::{Resolution, in_hosts};
pub(crate) use self::networks::Place;
pub(crate) use self::routes::{Subnet, Way};
use self::sockets::Sockets;
use crate::event::{Clock, Monotonic, Namespace, Process, ProcessRef};
use crate::observation::{Observation, What};

/// Processes remembered at once.
const PROCESS_LIMIT: usize = 16_384;
/// Network namespaces remembered at once.
const NAMESPACE_LIMIT: usize = 1024;
/// Nodes remembered at once.
const NODE_LIMIT: usize = 16_384;
/// URIs, topics or services of one node that are remembered.
const NODE_LIST_LIMIT: usize = 4096;
/// Longest name or URI that is kept whole, in bytes.
const TEXT_LIMIT: usize = 512;

/// Everything known so far.
#[derive(Debug, Default)]
pub struct Graph {
    now: Monotonic,
    clock: Option<Clock>,
    changes: u64,
    links: Links,
    processes: BTreeMap<ProcessKey, ProcessState>,
    namespaces: BTreeMap<u64, Namespace>,
    /// The network in which the present observation was made.
    network: Place,
    nodes: BTreeMap<(Place, String), Node>,
    /// Names of nodes by the URIs under which they advertise themselves.
    uri_nodes: BTreeMap<(Place, String), String>,
    /// URIs and topics that were unregistered: whoever still asks for them comes too late.
    unregistered: BTreeSet<(Place, String, String)>,
    clients: Clients,
    sockets: Sockets,
    names: Names,
    calls: WaitingCalls,
    incidents: Incidents,
    masters: Masters,
    /// Hosts and ports that answered a connect.
    answering: BTreeMap<(Place, IpAddr), BTreeSet<u16>>,
    due: BTreeSet<(Monotonic, LinkId)>,
    /// Addresses with connections to themselves: their host is where a packet capture was taken.
    to_themselves: BTreeSet<IpAddr>,
    /// Addresses that take part in every connection so far, loopback left out; `None` before the first.
    in_all_connections: Option<BTreeSet<IpAddr>>,
    dds: dds::Dds,
    lost: u64,
}

/// Where masters listen, and the processes that are masters.
#[derive(Debug, Default)]
struct Masters {
    addresses: BTreeSet<SocketAddr>,
    processes: BTreeSet<ProcessKey>,
    /// Where the master of a network says it is.
    uris: BTreeMap<Place, crate::observation::AdvertisedUri>,
    /// Publishers of topics as the master of a network named them.
    publishers: BTreeMap<(Place, String), Vec<String>>,
}

/// A process and what is known of it.
#[derive(Clone, Debug)]
pub struct ProcessState {
    /// Who it is.
    pub process: Process,
    /// Names of the nodes that it runs.
    pub nodes: BTreeSet<String>,
    /// When it was first seen.
    pub first_seen: Monotonic,
    /// When it ended, if it did.
    pub exited: Option<Monotonic>,
}

/// A node.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its name (caller id).
    pub name: String,
    /// Its process, when it runs where rosprobe sees it.
    pub process: Option<ProcessRef>,
    /// URIs under which it advertises itself (caller API).
    pub uris: BTreeSet<String>,
    /// Topics it publishes.
    pub publishes: BTreeSet<String>,
    /// Topics it subscribes to.
    pub subscribes: BTreeSet<String>,
    /// Services it provides.
    pub services: BTreeSet<String>,
}

impl Node {
    /// Takes over what was known of it where it was not known yet that it is the same.
    fn absorb(&mut self, other: &Self) {
        self.process = self.process.take().or_else(|| other.process.clone());
        self.uris.extend(other.uris.iter().cloned());
        self.publishes.extend(other.publishes.iter().cloned());
        self.subscribes.extend(other.subscribes.iter().cloned());
        self.services.extend(other.services.iter().cloned());
    }
}

impl Graph {
    /// Folds in one observation. Observations come in the order of their ids.
    pub fn observe(&mut self, observation: &Observation) {
        self.now = self.now.max(observation.monotonic);
        self.clock.get_or_insert_with(|| Clock {
            zero: observation
                .time
                .checked_sub(jiff::SignedDuration::from_nanos(i64::try_from(observation.monotonic.0).unwrap_or(0)))
                .unwrap_or(jiff::Timestamp::UNIX_EPOCH),
        });
        if !matches!(observation.what, What::Traffic(_)) {
            self.changes += 1;
        }
        if let Some(process) = &observation.process {
            self.meet_process(process, observation.monotonic);
        }
        if let Some(socket) = &observation.socket {
            self.sockets.see(socket, observation.process.as_ref());
            if observation.what == What::Accepted {
                self.sockets.accepted(socket.id);
            }
            if let (Some(local), Some(remote)) = (socket.local, socket.remote) {
                self.place_capture(local.ip(), remote.ip());
            }
        }
        self.find_network(observation);
        self.dds.observe(observation);
        let refused = self.links.refused;
        self.fold(observation);
        let refused = self.links.refused.saturating_sub(refused);
        if refused > 0 {
            self.incidents.note(IncidentKind::LinksRefused, refused, observation.monotonic, observation.id);
        }
    }

    /// Narrows down on which host packets were captured.
    fn place_capture(&mut self, one: IpAddr, other: IpAddr) {
        if one == other {
            if self.to_themselves.len() < NODE_LIMIT {
                self.to_themselves.insert(one);
            }
            return;
        }
        match &mut self.in_all_connections {
            Some(common) => common.retain(|ip| *ip == one || *ip == other),
            none => *none = Some(BTreeSet::from([one, other])),
        }
    }

    fn fold(&mut self, observation: &Observation) {
        let (at, id) = (observation.monotonic, observation.id);
        match &observation.what {
            What::Process(process) => self.know_process(process, at),
            What::Namespace(namespace) => self.know_namespace(namespace),
            What::ProcessExited => self.process_exited(observation, at),
            What::Lost { events } => {
                self.lost = self.lost.saturating_add(*events);
                self.incidents.note(IncidentKind::EventsLost, *events, at, id);
            }
            What::NameQuery { name, .. } => self.name_asked(observation, name),
            What::NameAnswer { name, addresses, status, .. } => {
                self.name_answered(observation, name, addresses, status);
            }
            _ if observation.socket.is_some() => self.fold_socket(observation),
            _ => {}
        }
    }

    fn fold_socket(&mut self, observation: &Observation) {
        if self.is_carried(observation) {
            // The connecting end says the same, and whom it asked for.
            return;
        }
        match &observation.what {
            What::ConnectStarted
            | What::Connected { .. }
            | What::ConnectFailed { .. }
            | What::ConnectAbandoned { .. }
            | What::SynRetransmitted { .. }
            | What::Accepted
            | What::AlreadyOpen => self.connect_observed(observation),
            What::PeerClosed | What::Closed { .. } => self.socket_closed(observation),
            What::SocketError { errno } | What::IoFailed { errno, .. } => self.socket_error(observation, *errno),
            What::Traffic(totals) => self.traffic_observed(observation, totals),
            What::Call { direction, call, .. } => self.call_observed(observation, *direction, call),
            What::Answer { direction, to, answer, .. } => self.answer_observed(observation, *direction, *to, answer),
            What::TcprosHeader { direction, header } => self.header_observed(observation, *direction, header),
            What::ServiceAnswer { ok, error, .. } => self.service_answered(observation, *ok, error),
            What::Gap { cause, .. } => self.gap_observed(observation, *cause),
            _ => {}
        }
    }

    /// Time has come to `now` without a further observation: what was due and did not happen becomes visible.
    pub fn advance(&mut self, now: Monotonic) {
        self.now = self.now.max(now);
        self.dds.advance(self.now);
        self.judge_due();
        self.slow_down();
        self.forget_old();
    }

    /// The latest moment that the graph knows of.
    pub fn now(&self) -> Monotonic {
        self.now
    }

    /// Wall-clock time of a moment; the Unix epoch before the first observation.
    pub fn wall(&self, time: Monotonic) -> jiff::Timestamp {
        self.clock.map_or(jiff::Timestamp::UNIX_EPOCH, |clock| clock.wall(time))
    }

    /// A number that grows with every observation that may change a finding.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// All links, in the order in which they were first seen.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().map(|entry| &entry.link).chain(self.dds.links())
    }

    /// One link.
    pub fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.get(id).map(|entry| &entry.link).or_else(|| self.dds.link(id))
    }

    /// All processes that were seen.
    pub fn processes(&self) -> impl Iterator<Item = &ProcessState> {
        self.processes.values()
    }

    /// What is known of a process.
    pub fn process(&self, process: &ProcessRef) -> Option<&ProcessState> {
        self.processes.get(&(process.pid, process.started))
    }

    /// All nodes whose name is known.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().chain(self.dds.nodes())
    }

    /// All network namespaces that were seen.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.namespaces.values()
    }

    /// A network namespace by its inode.
    pub fn namespace(&self, net_namespace: u64) -> Option<&Namespace> {
        self.namespaces.get(&net_namespace)
    }

    /// What is known of ROS 2.
    pub fn dds(&self) -> &dds::Dds {
        &self.dds
    }

    /// Events lost so far.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn meet_process(&mut self, process: &ProcessRef, at: Monotonic) {
        let key = (process.pid, process.started);
        if !self.processes.contains_key(&key) && self.processes.len() >= PROCESS_LIMIT {
            self.processes.pop_first();
        }
        self.processes.entry(key).or_insert_with(|| ProcessState {
            process: Process {
                pid: process.pid,
                started: process.started,
                comm: process.comm.clone(),
                ..Process::default()
            },
            nodes: BTreeSet::new(),
            first_seen: at,
            exited: None,
        });
    }

    fn know_process(&mut self, process: &Process, at: Monotonic) {
        self.meet_process(&process.reference(), at);
        let key = (process.pid, process.started);
        if let Some(state) = self.processes.get_mut(&key) {
            state.process = process.clone();
        }
        if process.argv.iter().take(2).any(|word| word.rsplit('/').next() == Some("rosmaster")) {
            self.masters.processes.insert(key);
        }
        if let Some(name) = name_argument(&process.argv) {
            self.runs_node(key, &name);
        }
    }

    fn know_namespace(&mut self, namespace: &Namespace) {
        if self.namespaces.len() >= NAMESPACE_LIMIT && !self.namespaces.contains_key(&namespace.net_namespace) {
            self.namespaces.pop_first();
        }
        self.namespaces.insert(namespace.net_namespace, namespace.clone());
        self.join_masters_of(namespace);
    }

    /// The process runs a node of that name.
    fn runs_node(&mut self, key: ProcessKey, name: &str) {
        if let Some(state) = self.processes.get_mut(&key)
            && state.nodes.len() < NODE_LIST_LIMIT
        {
            state.nodes.insert(name.to_owned());
        }
    }

    /// The node of that name in the network of the present observation.
    fn node(&mut self, name: &str) -> &mut Node {
        let key = (self.network, name.to_owned());
        if self.nodes.len() >= NODE_LIMIT && !self.nodes.contains_key(&key) {
            self.nodes.pop_first();
        }
        self.nodes.entry(key).or_insert_with(|| Node { name: name.to_owned(), ..Node::default() })
    }

    /// A node advertises itself under a URI.
    fn uri_of_node(&mut self, uri: &str, name: &str) {
        let uris = &mut self.node(name).uris;
        if uris.len() < NODE_LIST_LIMIT {
            uris.insert(uri.to_owned());
        }
        let key = (self.network, uri.to_owned());
        if self.uri_nodes.get(&key).is_none_or(|known| known != name) {
            if self.uri_nodes.len() >= NODE_LIMIT * 2 {
                self.uri_nodes.pop_first();
            }
            self.uri_nodes.insert(key, name.to_owned());
            self.name_publishers(uri);
        }
    }
}

/// Internal views for the diagnosis.
impl Graph {
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.links.iter()
    }

    pub(crate) fn client(&self, id: ClientId) -> Option<&Client> {
        self.clients.get(id)
    }

    pub(crate) fn clients(&self) -> impl Iterator<Item = &Client> {
        self.clients.iter()
    }

    /// Clients in the network of another that want to be called back at a port.
    pub(crate) fn clients_at_port(&self, port: u16, other: &Client) -> impl Iterator<Item = &Client> {
        self.clients.with_api_port(port, other.place()).filter_map(|id| self.clients.get(id))
    }

    pub(crate) fn incidents(&self) -> impl Iterator<Item = (&IncidentKind, &Incident)> {
        self.incidents.iter()
    }

    pub(crate) fn waiting_calls(
        &self,
    ) -> impl Iterator<Item = (crate::observation::ObservationId, &calls::WaitingCall)> {
        self.calls.iter()
    }

    /// The node of that name in a client's network.
    pub(crate) fn node_named(&self, name: &str, client: &Client) -> Option<&Node> {
        self.nodes.get(&(self.clients.networks.of(client.place()), name.to_owned()))
    }

    /// Ports of a host that answered a connect, from anywhere in the client's network.
    pub(crate) fn answering_ports(&self, host: IpAddr, client: &Client) -> impl Iterator<Item = u16> {
        self.answering.get(&(self.clients.networks.of(client.place()), host)).into_iter().flatten().copied()
    }

    /// Whether a process is in the network of a client.
    pub(crate) fn shares_network(&self, client: &Client, process: &Process) -> bool {
        self.clients.networks.same(client.place(), Place::Namespace(process.net_namespace))
    }

    pub(crate) fn is_master(&self, actor: Actor) -> bool {
        match actor {
            Actor::Process(key) => self.masters.processes.contains(&key),
            Actor::Host(ip) => self.masters.addresses.iter().any(|address| address.ip() == ip),
        }
    }

    /// Where a client's master says that it is, which behind a forwarded port is not where it was reached.
    pub(crate) fn master_uri(&self, client: &Client) -> Option<&crate::observation::AdvertisedUri> {
        self.masters.uris.get(&self.clients.networks.of(client.place()))
    }

    /// The network namespace in which a client runs.
    pub(crate) fn namespace_of(&self, client: &Client) -> Option<&Namespace> {
        self.namespaces.get(&self.net_namespace_of(client))
    }

    pub(crate) fn net_namespace_of(&self, client: &Client) -> u64 {
        let of_process = client.process.as_ref().and_then(|process| self.process(process));
        of_process.map(|state| state.process.net_namespace).filter(|known| *known != 0).unwrap_or(client.net_namespace)
    }

    /// How a host resolves for a client.
    pub(crate) fn resolve(&self, client: &Client, host: &str) -> Resolution {
        self.names.resolve(self.net_namespace_of(client), self.namespace_of(client), host)
    }

    pub(crate) fn name_evidence(&self, client: &Client, host: &str) -> Vec<crate::observation::ObservationId> {
        self.names.records(self.net_namespace_of(client), host).flat_map(|record| record.evidence.clone()).collect()
    }

    /// How a host resolves in a network namespace.
    pub(crate) fn resolve_in(&self, net_namespace: u64, host: &str) -> Resolution {
        self.names.resolve(net_namespace, self.namespaces.get(&net_namespace), host)
    }

    /// When a process first asked for a name, and what shows it.
    pub(crate) fn name_asked_by(
        &self,
        process: &ProcessRef,
        host: &str,
    ) -> Option<(Monotonic, Vec<crate::observation::ObservationId>)> {
        let net_namespace = self.process(process)?.process.net_namespace;
        let key = (process.pid, process.started);
        self.names
            .records(net_namespace, host)
            .find_map(|record| record.asked_by.get(&key).map(|at| (*at, record.evidence.clone())))
    }

    /// True when observations come from processes, and not from packets.
    pub(crate) fn sees_processes(&self) -> bool {
        !self.processes.is_empty()
    }
}

/// `__name:=` of a ROS command line, as the name that it gives: `/name`.
fn name_argument(argv: &[String]) -> Option<String> {
    let namespace = argv.iter().find_map(|word| word.strip_prefix("__ns:=")).unwrap_or("");
    let name = argv.iter().find_map(|word| word.strip_prefix("__name:="))?;
    let parts = [namespace.trim_matches('/'), name.trim_matches('/')];
    let path = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/");
    Some(bounded(&format!("/{path}")))
}

/// Text of the network, cut where it is longer than anything that ROS makes.
pub(crate) fn bounded(text: &str) -> String {
    if text.len() <= TEXT_LIMIT {
        return text.to_owned();
    }
    let end = (0..=TEXT_LIMIT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}... ({} bytes)", &text[..end], text.len())
}
