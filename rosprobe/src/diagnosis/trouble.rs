//! One address that one client has trouble with, and what is known about why.

use std::net::IpAddr;
use std::time::Duration;

use crate::errno::Errno;
use crate::event::{Monotonic, Namespace, ProcessRef};
use crate::graph::{
    Actor, Client, Entry, Former, GoneCause, Graph, Link, LinkKind, Outcome, Resolution, Stage, StageState, Subnet, Way,
};
use crate::observation::{Span, host_and_port};

/// A connect under way this long without an answer is no longer a slow link. The SYN is sent again after 1 and after 2 more
/// seconds, and an address on the link that nobody has is given up after 3.1 s: that is a failure of its own.
const PENDING_AFTER: Duration = Duration::from_secs(4);
/// The same for a port that answers others of this client: its listen queue is full, and room comes.
const BUSY_AFTER: Duration = Duration::from_secs(30);
/// A link that worked may fail this long before it counts: its publisher may be on its way out, and the master says so in time.
const GRACE: Duration = Duration::from_secs(3);
/// What came this shortly before a trouble began shows that the host was alive then, in nanoseconds: totals are told once a second.
const ALIVE_BEFORE_NS: u64 = 2_000_000_000;
/// A node that answered this long ago is taken to be alive still.
const ALIVE_FOR: Duration = Duration::from_secs(5);

/// A link's stage with everything from which a cause can be told.
pub(super) struct Trouble<'a> {
    pub graph: &'a Graph,
    pub entry: &'a Entry,
    pub client: &'a Client,
    pub state: &'a StageState,
    /// Host as it was advertised: a name or an address.
    pub host: String,
    pub port: u16,
    /// The address that was connected to, or would be.
    pub ip: Option<IpAddr>,
    pub resolution: Resolution,
    pub way: Way,
}

impl<'a> Trouble<'a> {
    /// `None` when the link's client or its far end's URI is not known.
    pub fn new(graph: &'a Graph, entry: &'a Entry, state: &'a StageState) -> Option<Self> {
        let client = graph.client(entry.track.client)?;
        let (host, port) = match (state.stage, &entry.track.data_target) {
            (Stage::Tcpros, Some(target)) => (target.host.clone(), target.port),
            _ => entry.track.target.as_ref().map(|uri| (uri.host.clone(), uri.port))?,
        };
        let resolution = graph.resolve(client, &host);
        let ip = state.address.map(|address| address.ip()).or_else(|| resolution.addresses().first().copied());
        let way = ip.map_or(Way::Unknown, |ip| graph.way_of(client, ip));
        Some(Self { graph, entry, client, state, host, port, ip, resolution, way })
    }

    /// `10.0.1.1:41235`: the address when there is one, else the advertised host.
    pub fn place(&self) -> String {
        match self.state.address {
            Some(address) => address.to_string(),
            None => host_and_port(&self.host, self.port),
        }
    }

    /// The publisher's (server's, callee's) node, or what it is to the client while its name is not known.
    pub fn publisher(&self) -> String {
        publisher(&self.entry.link)
    }

    pub fn publisher_process(&self) -> Option<&'a ProcessRef> {
        self.entry.link.publisher.process.as_ref()
    }

    /// Its process is seen, and it is the one that registered the address.
    pub fn publisher_runs(&self) -> bool {
        let state = self.publisher_process().and_then(|process| self.graph.process(process));
        let registered = self.publisher_client().and_then(|client| client.process.as_ref());
        // Of one that was gone before it was looked at, not even its end was seen.
        let runs = state.is_some_and(|state| state.exited.is_none() && state.seen_by.is_some());
        runs && registered == self.publisher_process()
    }

    /// Its environment was read.
    pub fn knows_publisher_environment(&self) -> bool {
        let state = self.publisher_process().and_then(|process| self.graph.process(process));
        state.is_some_and(|state| state.seen_by.is_some())
    }

    /// It advertises a name, which comes from `ROS_HOSTNAME` unless ROS chose that of the host by itself.
    pub fn advertises_a_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }

    /// Its process is seen, and is no more.
    pub fn publisher_has_ended(&self) -> bool {
        let state = self.publisher_process().and_then(|process| self.graph.process(process));
        state.is_some_and(|state| state.exited.is_some())
    }

    /// The network namespace of the publisher, when its process is seen.
    pub fn publisher_namespace(&self) -> Option<&'a Namespace> {
        let state = self.graph.process(self.publisher_process()?)?;
        self.graph.namespace(state.process.net_namespace)
    }

    /// The node that advertises the address, as a client of the master.
    pub fn publisher_client(&self) -> Option<&'a Client> {
        let target = self.entry.track.target.as_ref()?;
        self.graph.clients_at_port(target.port, self.client).find(|client| {
            client.api.as_ref() == Some(target)
                && client.name.is_some()
                && (self.entry.link.publisher.node.is_none() || client.name == self.entry.link.publisher.node)
        })
    }

    /// The publisher advertises an address that its host, which is seen, does not have.
    pub fn is_of_no_interface(&self) -> bool {
        let Some(namespace) = self.publisher_namespace().filter(|namespace| !namespace.addresses.is_empty()) else {
            return false;
        };
        let Resolution::Literal(ip) = self.resolution else { return false };
        !ip.is_loopback() && namespace.addresses.iter().all(|own| own.address != ip)
    }

    /// The node was alive at the address a moment before this failed: it answered requestTopic there.
    pub fn has_just_answered(&self) -> bool {
        let link = &self.entry.link;
        let Some(asked) = link.stage(Stage::RequestTopic).filter(|asked| asked.outcome == Outcome::Ok) else {
            return false;
        };
        let first = self.state.first_failure.unwrap_or(self.state.at);
        // It was let through there since: who is refused now has found nobody.
        let worked =
            link.stage(Stage::Header).is_some_and(|header| header.outcome == Outcome::Ok && header.at >= asked.at);
        self.state.stage == Stage::Tcpros
            && !(worked || self.publisher_has_ended())
            && asked.address.map(|address| address.ip()) == self.ip
            && first.since(asked.at) < ALIVE_FOR
    }

    /// Whether the publisher is on another host than the client. Two network namespaces are two hosts.
    pub fn publisher_is_elsewhere(&self) -> Option<bool> {
        let mine = self.graph.net_namespace_of(self.client);
        if let Some(process) = self.publisher_process()
            && let Some(state) = self.graph.process(process)
            && state.process.net_namespace != 0
            && mine != 0
        {
            return Some(state.process.net_namespace != mine);
        }
        match self.publisher_client() {
            // A relay on this machine spoke for it.
            Some(Client { process: None, behind: Some(_), .. }) => return Some(true),
            Some(Client { actor: Actor::Host(ip), .. }) if !ip.is_loopback() => return Some(!self.is_own(*ip)),
            _ => {}
        }
        self.master_is_elsewhere()
    }

    /// The client's own address on its way to the master, where that is not the one of a relay.
    pub fn client_address(&self) -> Option<IpAddr> {
        self.client.reaches_master_from.filter(|ip| !ip.is_loopback() && self.client.behind.is_none())
    }

    /// Whether the client reached its master at an address of another host.
    pub fn master_is_elsewhere(&self) -> Option<bool> {
        master_is_elsewhere(self.graph, self.client)
    }

    pub fn is_own(&self, ip: IpAddr) -> bool {
        is_own(self.graph, self.client, ip)
    }

    /// The address at which the client reached its master, on another host.
    pub fn master_ip(&self) -> Option<IpAddr> {
        let ip = match &self.client.master_through {
            Some(relay) => self.graph.relay_leads_to(relay)?,
            None => self.client.master?.ip(),
        };
        (self.master_is_elsewhere() == Some(true)).then_some(ip)
    }

    /// Ports of the failing host that do answer.
    pub fn answering_ports(&self) -> Vec<u16> {
        self.other_ports().map(|(port, _)| port).collect()
    }

    /// The same, of a host that was alive when this trouble began, or since.
    pub fn alive_ports(&self) -> Vec<u16> {
        let since = Monotonic(self.began().0.saturating_sub(ALIVE_BEFORE_NS));
        self.other_ports().filter(|(_, at)| *at >= since).map(|(port, _)| port).collect()
    }

    /// The port from which something came last.
    pub fn last_answered(&self) -> Option<(u16, Monotonic)> {
        self.other_ports().max_by_key(|(_, at)| *at)
    }

    fn other_ports(&self) -> impl Iterator<Item = (u16, Monotonic)> {
        let ports = self.ip.into_iter().flat_map(|ip| self.graph.answering_ports(ip, self.client));
        ports.filter(|(port, _)| *port != self.port)
    }

    /// When the first of the failures in a row began.
    fn began(&self) -> Monotonic {
        self.state.first_try.or(self.state.first_failure).unwrap_or(self.state.at)
    }

    /// How long before this began that was.
    pub fn before_it_began(&self, at: Monotonic) -> Span {
        Span(self.began().0.saturating_sub(at.0))
    }

    /// The address that the publisher's host, which is seen, had and has no more.
    pub fn former(&self) -> Option<Former> {
        let (namespace, ip) = (self.publisher_namespace()?.net_namespace, self.ip?);
        if let Some(known) = self.graph.former_address(namespace, ip) {
            return Some(known.clone());
        }
        let key = self.publisher_process()?.key();
        let is_it = |client: &&Client| client.process.as_ref().is_some_and(|process| process.key() == key);
        self.graph.clients().filter(is_it).find_map(|node| self.graph.former_address_of(node, ip))
    }

    /// The network that the advertised address is in: as its owner sees it, or else what is usual.
    pub fn subnet(&self) -> Option<Subnet> {
        let ip = self.ip?;
        let own =
            self.publisher_namespace().and_then(|namespace| namespace.addresses.iter().find(|own| own.address == ip));
        let usual = if ip.is_ipv4() { 24 } else { 64 };
        Some(Subnet::of(ip, own.map_or(usual, |own| own.prefix).clamp(8, usual)))
    }

    /// An address of the publisher's host that the client reaches, and whether that is known or only likely.
    pub fn better_address(&self) -> Option<(IpAddr, bool)> {
        let state = self.publisher_process().and_then(|process| self.graph.process(process));
        let ipv6 = state.is_some_and(|state| state.process.has_ros_ipv6());
        self.address_of_publisher(|ip| ipv6 || ip.is_ipv4() || self.publisher_namespace().is_none())
    }

    /// The same, for IPv4 alone.
    pub fn better_ipv4(&self) -> Option<(IpAddr, bool)> {
        self.address_of_publisher(|ip| ip.is_ipv4())
    }

    fn address_of_publisher(&self, is_usable: impl Fn(IpAddr) -> bool) -> Option<(IpAddr, bool)> {
        let other = |ip: &IpAddr| Some(*ip) != self.ip && is_advertisable(*ip) && is_usable(*ip);
        if let Some(namespace) = self.publisher_namespace() {
            let same_host =
                self.graph.namespace_of(self.client).is_some_and(|own| own.net_namespace == namespace.net_namespace);
            let reachable = |ip: &IpAddr| {
                same_host
                    || Some(*ip) == self.master_ip()
                    || matches!(self.graph.way_of(self.client, *ip), Way::OnLink { .. })
            };
            let addresses = || namespace.addresses.iter().map(|own| own.address).filter(other);
            // Of its own network best, so that nobody loses it.
            let near = |ip: &IpAddr| self.subnet().is_some_and(|subnet| subnet.contains(*ip));
            let best = addresses().filter(near).find(reachable);
            return best.or_else(|| addresses().find(reachable)).map(|ip| (ip, true));
        }
        if let Some(ip) = self.seen_at().filter(other) {
            return Some((ip, true));
        }
        self.master_ip().filter(other).map(|ip| (ip, false))
    }

    /// A variable of the publisher's environment.
    pub fn publisher_variable(&self, name: &str) -> Option<&'a str> {
        let state = self.graph.process(self.publisher_process()?)?;
        state.process.environment.get(name).map(String::as_str)
    }

    /// `/rostopic_16622 (rostopic, pid 4242)`, as far as it is known.
    pub fn who(&self) -> String {
        who(self.client)
    }
}

/// The far end of a link, or what it is to the client while its name is not known.
pub(super) fn publisher(link: &Link) -> String {
    let unnamed = match link.kind {
        LinkKind::Topic | LinkKind::Dds => "the publisher",
        LinkKind::Service => "the server",
        LinkKind::Master => "the master",
        LinkKind::Callback => "the node",
    };
    let at_uri = || match (&link.publisher.uri, link.kind) {
        (Some(uri), LinkKind::Topic | LinkKind::Service | LinkKind::Callback) => format!("{unnamed} at {uri}"),
        _ => unnamed.to_owned(),
    };
    link.publisher.node.clone().unwrap_or_else(at_uri)
}

/// What is wrong with a stage that connects, if anything: the last failure stays wrong until a success.
pub(super) fn trouble_of(graph: &Graph, entry: &Entry, state: &StageState) -> Option<Outcome> {
    // Of a subscriber that was running before anybody looked it is not known what worked.
    let process = graph.client(entry.track.client).and_then(|client| client.process.as_ref());
    let before = process.is_some_and(|process| graph.was_listening(process.key()));
    let worked = entry.link.kind == LinkKind::Topic && (entry.track.worked || before);
    let failed = |outcome: &Outcome| {
        matches!(outcome, Outcome::Failed { .. } | Outcome::Abandoned { .. } | Outcome::NeverAttempted { .. })
    };
    if let Some(failure) = state.failure.clone().filter(failed) {
        let first = state.first_failure.unwrap_or(state.at);
        let leaves = failure == Outcome::Failed { errno: Errno::ECONNREFUSED } && may_leave(graph, entry, state);
        let grace = match (worked, leaves) {
            (true, true) => graph.leaving(entry.link.publisher.process.as_ref()),
            (true, false) => GRACE,
            // The tools that come and go publish nothing but their log.
            (false, true) if super::is_rosout(entry.link.shown_name()) => GRACE,
            (false, _) => Duration::ZERO,
        };
        let until = match entry.track.gone {
            Some((GoneCause::Unlisted, at)) => at,
            _ => graph.now(),
        };
        return (until.since(first) >= grace).then_some(failure);
    }
    match &state.outcome {
        Outcome::Pending { since, .. } => {
            let reached = graph.client(entry.track.client).zip(state.address);
            let reached = reached.and_then(|(client, address)| client.reached.get(&address));
            let limit = if reached.is_some_and(|at| at > since) { BUSY_AFTER } else { PENDING_AFTER };
            (graph.now().since(*since) >= limit).then(|| state.outcome.clone())
        }
        _ => None,
    }
}

/// Whether a publisher that refuses may be about to end: it runs still, and a node closes its port before the master has told everybody
/// that it goes.
fn may_leave(graph: &Graph, entry: &Entry, state: &StageState) -> bool {
    let publisher = entry.link.publisher.process.as_ref().and_then(|process| graph.process(process));
    let (Some(publisher), Some(client)) = (publisher, graph.client(entry.track.client)) else { return false };
    let elsewhere = publisher.process.net_namespace != graph.net_namespace_of(client);
    let loopback = state.address.is_some_and(|address| address.ip().is_loopback());
    publisher.exited.is_none() && !(elsewhere && loopback)
}

/// A client as a person would name it.
pub(super) fn who(client: &Client) -> String {
    if let (Some(name), None, Some(relay)) = (&client.name, &client.process, &client.behind) {
        return format!("{name} (behind {}, pid {})", relay.comm, relay.pid);
    }
    match (&client.name, &client.process, client.actor) {
        (Some(name), Some(process), _) => format!("{name} ({}, pid {})", process.comm, process.pid),
        (None, Some(process), _) => format!("{} (pid {})", process.comm, process.pid),
        (Some(name), None, Actor::Host(ip)) => format!("{name} on {ip}"),
        (None, None, Actor::Host(ip)) => format!("a client on {ip}"),
        (_, None, Actor::Process((pid, _))) => format!("pid {pid}"),
    }
}

pub(super) fn is_own(graph: &Graph, client: &Client, ip: IpAddr) -> bool {
    ip.is_loopback()
        || client.actor == Actor::Host(ip)
        || graph.namespace_of(client).is_some_and(|namespace| namespace.has(ip))
}

pub(super) fn master_is_elsewhere(graph: &Graph, client: &Client) -> Option<bool> {
    let master = client.master?.ip();
    if client.master_through.is_some() {
        return Some(true);
    }
    if is_own(graph, client, master) || client.reaches_master_from == Some(master) {
        return Some(false);
    }
    Some(true)
}

/// Whether a node could advertise it: a link-local address means nothing without the interface, which a URI cannot name.
pub(super) fn is_advertisable(ip: IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !ip.is_loopback() && !ip.is_unspecified() && !link_local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_remedy_advertises_what_only_one_host_understands() {
        for address in ["10.0.1.1", "192.168.50.1", "fd50::1"] {
            assert!(is_advertisable(address.parse().unwrap()), "{address}");
        }
        for address in ["127.0.0.1", "::1", "0.0.0.0", "169.254.7.7", "fe80::944b:d6ff:fe3a:5934"] {
            assert!(!is_advertisable(address.parse().unwrap()), "{address}");
        }
    }
}
