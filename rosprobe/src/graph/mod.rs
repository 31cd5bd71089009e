//! Observations folded into state: processes, network namespaces, nodes, topics, and links between them.
//!
//! A fact may be seen in the client's process, in the server's, in both, or, in a packet capture, without any process. Every
//! handler gives the same result however often and from whichever side it is told the same thing.

mod advertised;
mod callbacks;
mod calls;
mod carried;
mod claims;
mod client;
mod clients;
mod connects;
mod conversation;
mod counts;
pub mod dds;
mod due;
mod ending;
mod exchange;
mod former;
mod headers;
mod incidents;
mod inet_aton;
mod joining;
mod link;
mod links;
mod listeners;
mod losing;
mod mastership;
mod names;
mod networks;
mod node;
mod parties;
mod processes;
mod registration;
mod rejecting;
mod relay;
mod request_topic;
mod resolving;
mod retrying;
mod routes;
mod sockets;
mod target;
mod track;
mod traffic;
mod udpros;
mod vantage;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use self::calls::WaitingCalls;
pub(crate) use self::client::{Actor, Client, ClientId};
use self::clients::Clients;
pub(crate) use self::connects::MASTER_PORT;
pub use self::counts::LinkCounts;
use self::ending::Departed;
pub(crate) use self::ending::LEAVING;
pub(crate) use self::former::Former;
use self::former::FormerAddresses;
use self::incidents::Incidents;
pub(crate) use self::incidents::{Incident, IncidentKind};
pub(crate) use self::inet_aton::inet_aton;
pub use self::link::{Health, Link, LinkId, LinkKind, Outcome, Party, Rate, Stage, StageState};
use self::links::Links;
pub(crate) use self::links::{Entry, LINK_LIMIT};
use self::listeners::Listeners;
use self::mastership::Mastership;
pub(crate) use self::mastership::{Change, Succession};
use self::names::Names;
pub(crate) use self::names::{Resolution, in_hosts};
pub(crate) use self::networks::Place;
pub use self::node::{Node, ProcessState};
use self::retrying::Retries;
pub(crate) use self::routes::{Subnet, Way, way};
use self::sockets::Sockets;
pub(crate) use self::target::Datagrams;
pub(crate) use self::track::GoneCause;
use crate::event::{Clock, Monotonic, Namespace, Process, ProcessKey, ProcessRef, Transport};
use crate::observation::{AdvertisedUri, Observation, ObservationId, Protocol, What};

/// Longest name or URI that is kept whole, in bytes.
const TEXT_LIMIT: usize = 512;

/// Everything known so far.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    now: Monotonic,
    /// Of the first observation.
    began: Option<Monotonic>,
    /// Whether everything has been watched for long enough that an answer to what was asked would have been seen.
    settled: bool,
    clock: Option<Clock>,
    changes: u64,
    links: Links,
    processes: BTreeMap<ProcessKey, ProcessState>,
    departed: Departed,
    namespaces: BTreeMap<u64, Namespace>,
    former: FormerAddresses,
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
    /// Boxed: whoever holds a graph across an await holds all of it.
    masters: Box<Masters>,
    mastership: Mastership,
    /// Processes that were seen passing on the calls of others.
    relays: BTreeSet<ProcessKey>,
    /// Who listens where on this machine.
    listeners: Listeners,
    /// By network namespace and address.
    rejecting: BTreeMap<(u64, IpAddr), rejecting::Rejecting>,
    retries: Retries,
    /// Hosts and ports that answered a connect, and when they last sent anything.
    answering: BTreeMap<(Place, IpAddr), BTreeMap<u16, Monotonic>>,
    due: BTreeSet<(Monotonic, LinkId)>,
    /// Addresses with connections to themselves: their host is where a packet capture was taken.
    to_themselves: BTreeSet<IpAddr>,
    /// Addresses that take part in every connection so far, loopback left out; `None` before the first.
    in_all_connections: Option<BTreeSet<IpAddr>>,
    dds: dds::Dds,
    lost: u64,
}

/// Where masters listen, and the processes that are masters.
#[derive(Clone, Debug, Default)]
struct Masters {
    addresses: BTreeSet<SocketAddr>,
    processes: BTreeSet<ProcessKey>,
    /// Where the master of a network says it is.
    uris: BTreeMap<Place, AdvertisedUri>,
    /// Publishers of topics as the master of a network named them.
    publishers: BTreeMap<(Place, String), Vec<String>>,
}

impl Graph {
    /// Folds in one observation. Observations come in the order of their ids.
    pub fn observe(&mut self, observation: &Observation) {
        self.now = self.now.max(observation.monotonic);
        self.began.get_or_insert(observation.monotonic);
        self.clock.get_or_insert_with(|| Clock {
            zero: observation
                .time
                .checked_sub(jiff::SignedDuration::from_nanos(i64::try_from(observation.monotonic.0).unwrap_or(0)))
                .unwrap_or(jiff::Timestamp::UNIX_EPOCH),
        });
        if !matches!(observation.what, What::Traffic(_) | What::UdprosData { .. }) {
            self.changes += 1;
        }
        if let Some(process) = &observation.process {
            self.meet_process(process, observation.monotonic);
        }
        // A listening socket has one end, and connections have sockets of their own.
        let listening = matches!(observation.what, What::Listening { .. });
        if let Some(socket) = observation.socket.as_ref().filter(|_| !listening) {
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

    fn fold(&mut self, observation: &Observation) {
        let at = observation.monotonic;
        match &observation.what {
            What::Process(process) => self.know_process(process, at, observation.id),
            What::Listening { .. } => self.listening_observed(observation),
            What::Namespace(namespace) => self.know_namespace(namespace, at, observation.id),
            What::ProcessExited => self.process_exited(observation, at),
            What::Lost { events } => self.lost_observed(observation, *events),
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
        if observation.socket.as_ref().is_some_and(|socket| socket.transport == Transport::Udp) {
            return self.datagrams_observed(observation);
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
            What::HttpOnly { direction, http } if http.start_line.starts_with("HTTP/") => {
                self.answered_otherwise(observation, *direction, &http.start_line);
            }
            What::Malformed { direction, protocol: Protocol::Http, .. } => {
                self.answered_otherwise(observation, *direction, "it does not speak HTTP");
            }
            What::Gap { cause, .. } => self.gap_observed(observation, *cause),
            _ => {}
        }
    }

    /// Time has come to `now` without a further observation: what was due and did not happen becomes visible.
    pub fn advance(&mut self, now: Monotonic) {
        self.now = self.now.max(now);
        self.dds.advance(self.now);
        self.settle();
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
        self.processes.get(&process.key())
    }

    /// What is known of the process with this pid and start.
    pub(crate) fn process_by_id(&self, id: ProcessKey) -> Option<&ProcessState> {
        self.processes.get(&id)
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

    /// Clients of a name in the network of another.
    pub(crate) fn clients_named<'a>(&'a self, name: &str, other: &'a Client) -> impl Iterator<Item = &'a Client> {
        let same = |client: &&Client| self.clients.networks.same(client.place(), other.place());
        self.clients.named(name).filter(same)
    }

    pub(crate) fn incidents(&self) -> impl Iterator<Item = (&IncidentKind, &Incident)> {
        self.incidents.iter()
    }

    pub(crate) fn waiting_calls(&self) -> impl Iterator<Item = (ObservationId, &calls::WaitingCall)> {
        self.calls.iter()
    }

    /// The node of that name in a client's network.
    pub(crate) fn node_named(&self, name: &str, client: &Client) -> Option<&Node> {
        self.nodes.get(&(self.clients.networks.of(client.place()), name.to_owned()))
    }

    /// The name of the node that a URI is of, in a client's network.
    pub(crate) fn name_of_uri(&self, uri: &str, client: &Client) -> Option<String> {
        self.uri_nodes.get(&(self.clients.networks.of(client.place()), uri.to_owned())).cloned()
    }

    /// Ports of a host that answered a connect from anywhere in the client's network, and when they last sent anything.
    pub(crate) fn answering_ports(&self, host: IpAddr, client: &Client) -> impl Iterator<Item = (u16, Monotonic)> {
        let ports = self.answering.get(&(self.clients.networks.of(client.place()), host));
        ports.into_iter().flatten().map(|(port, at)| (*port, *at))
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

    /// Masters that were reached at an address in the network of a client.
    pub(crate) fn masters_at(&self, host: IpAddr, client: &Client) -> impl Iterator<Item = SocketAddr> {
        let ports = self.answering_ports(host, client).map(move |(port, _)| SocketAddr::new(host, port));
        ports.filter(|address| self.masters.addresses.contains(address))
    }

    /// Where a client's master says that it is, which behind a forwarded port is not where it was reached.
    pub(crate) fn master_uri(&self, client: &Client) -> Option<&AdvertisedUri> {
        self.masters.uris.get(&self.clients.networks.of(client.place()))
    }
}

/// Text of the network, cut where it is longer than anything that ROS makes.
pub(crate) fn bounded(text: &str) -> String {
    if text.len() <= TEXT_LIMIT {
        return text.to_owned();
    }
    let end = (0..=TEXT_LIMIT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}... ({} bytes)", &text[..end], text.len())
}
