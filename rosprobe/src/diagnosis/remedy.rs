//! What to do, with real values. A command is what follows `run: ` to the end of its line, ready to be pasted.

use std::net::IpAddr;

use super::trouble::{Trouble, is_advertisable};
use crate::errno::Errno;
use crate::event::Namespace;
use crate::graph::{LinkKind, Resolution, Subnet, Way, way};

/// Ports that Linux hands out to nodes when nobody says otherwise (`net.ipv4.ip_local_port_range`).
pub(super) const USUAL_PORTS: (u16, u16) = (32_768, 60_999);
/// Where a node that takes another one is seen, its host has another range: any that needs no privilege.
const ALL_PORTS: (u16, u16) = (1024, 65_535);

impl Trouble<'_> {
    /// Let the publisher advertise an address that this client reaches.
    pub fn advertise_better(&self) -> Option<String> {
        let (better, known) = self.better_address()?;
        let (node, subnet) = (self.publisher(), self.subnet());
        let loser = match (self.ip, subnet) {
            (Some(ip), Some(subnet)) if !ip.is_loopback() && subnet.contains(better) => None,
            // Nobody has it that way.
            _ if self.never_works().is_some() || self.is_misread() => None,
            (Some(ip), Some(subnet)) if !ip.is_loopback() && !ip.is_unspecified() => {
                Some(format!(" Hosts that can reach only {subnet} would then lose it."))
            }
            _ => None,
        };
        let restart = if self.may_be_translated(better) {
            format!(
                "If {better} is an address of {node}'s own host, and of no router that translates addresses, restart {node}"
            )
        } else if known {
            format!("Restart {node}{}", self.publisher_pid())
        } else {
            format!("If {node} runs on the host of the master ({better}), restart it")
        };
        Some(format!(
            "{restart} with ROS_IP={better} in its environment{}; it then tells everybody to connect to {better}.{}",
            self.publisher_now(),
            loser.unwrap_or_default()
        ))
    }

    /// The same where no such address is known.
    pub fn advertise_another(&self) -> String {
        format!(
            "Restart {}{} with ROS_IP set to an address of its host that {} reaches{}.",
            self.publisher(),
            self.publisher_pid(),
            self.client_host(),
            self.publisher_now()
        )
    }

    pub fn publisher_pid(&self) -> String {
        self.publisher_process().map(|process| format!(" (pid {})", process.pid)).unwrap_or_default()
    }

    /// What the variables say now. `ROS_HOSTNAME` wins over `ROS_IP` when both are set.
    fn publisher_now(&self) -> String {
        match (self.publisher_variable("ROS_HOSTNAME"), self.publisher_variable("ROS_IP")) {
            (Some(name), _) => format!(" and without ROS_HOSTNAME (now {name}, which would win)"),
            (None, Some(ip)) => format!(" (now {ip})"),
            (None, None) if self.knows_publisher_environment() => " (now it is not set)".into(),
            (None, None) if self.advertises_a_name() => " and without ROS_HOSTNAME, which would win".into(),
            (None, None) => String::new(),
        }
    }

    /// Carry the whole subnet over ssh. Without any route towards it `connect()` fails before a tunnel sees it.
    pub fn tunnel(&self, errno: Option<Errno>) -> Vec<String> {
        let (Some(master), Some(subnet), Some(ip)) = (self.master_ip(), self.subnet(), self.ip) else {
            return Vec::new();
        };
        if ip.is_unspecified()
            || self.never_works().is_some()
            || self.is_misread()
            || subnet.contains(master)
            || ip.is_loopback()
            || self.ends_at(master, ip)
            || matches!(self.way, Way::OnLink { .. } | Way::Own { .. })
        {
            return Vec::new();
        }
        let no_route = matches!(self.way, Way::None | Way::Rejected { .. }) || errno == Some(Errno::ENETUNREACH);
        // The route that has to come first would need a next hop of the other family.
        if no_route && subnet.network.is_ipv4() != master.is_ipv4() {
            return Vec::new();
        }
        let mut remedies = vec![self.tunnel_command(master, subnet, no_route)];
        remedies.extend(self.jump(master, subnet, no_route));
        remedies
    }

    /// The host that a tunnel would lead to is seen, and it has no route to the address either.
    fn ends_at(&self, master: IpAddr, ip: IpAddr) -> bool {
        let there = self.host_of(master);
        there.is_some_and(|there| matches!(way(Some(there), ip), Way::None | Way::Rejected { .. }))
    }

    fn host_of(&self, ip: IpAddr) -> Option<&Namespace> {
        self.graph.only_owner(ip).and_then(|owner| self.graph.namespace(owner))
    }

    /// Where nothing else helps: a network that only its own host knows, of containers or virtual machines.
    pub fn share_a_network(&self) -> String {
        format!(
            "Let {0} advertise an address that {1} reaches: in a container, start it with the network of its host (docker run --network host), else set ROS_IP to such an address.",
            self.publisher(),
            self.client_host()
        )
    }

    fn tunnel_command(&self, master: IpAddr, subnet: Subnet, no_route: bool) -> String {
        let route = self.route_first(master, subnet, no_route);
        let reason = if no_route {
            " (the route comes first, because without one connect() fails before sshuttle can take the connection)"
        } else {
            ""
        };
        let carry = if self.host_of(master).is_some() {
            format!("Carry {subnet} over ssh through {master}")
        } else {
            format!("If {master} reaches {subnet}, carry it over ssh through {master}")
        };
        format!("{carry}{reason}; on {}, run: {route}sshuttle -r {master} {subnet}", self.client_host())
    }

    /// The command that makes a route where there is none, to be followed by the tunnel's.
    fn route_first(&self, master: IpAddr, subnet: Subnet, no_route: bool) -> String {
        let family = if subnet.network.is_ipv6() { " -6" } else { "" };
        if no_route {
            // A route to a smaller network would win.
            let smaller = match &self.way {
                Way::Rejected { route } if route.prefix > subnet.prefix => {
                    format!("sudo ip{family} route del {route} && ")
                }
                _ => String::new(),
            };
            format!("{smaller}sudo ip{family} route replace {subnet} via {} && ", self.gateway_towards(master))
        } else {
            String::new()
        }
    }

    /// The next hop on the way to the master.
    fn gateway_towards(&self, master: IpAddr) -> IpAddr {
        match self.graph.way_of(self.client, master) {
            Way::Gateway { gateway, .. } => gateway,
            _ => master,
        }
    }

    /// The master says that it is somewhere else than where it was reached: a port is forwarded, and who forwards it may be a mere
    /// jump host.
    fn jump(&self, reached: IpAddr, subnet: Subnet, no_route: bool) -> Option<String> {
        let real: IpAddr = self.graph.master_uri(self.client)?.host.parse().ok()?;
        if real == reached || real.is_loopback() || !subnet.contains(real) {
            return None;
        }
        let route = self.route_first(reached, subnet, no_route);
        Some(format!(
            "If {reached} is a jump host and nothing more (the master itself says that it is {real}), let ssh jump; on {}, run: printf 'Host {real}\\n  ProxyJump {reached}\\n' >> ~/.ssh/config && {route}sshuttle -r {real} {subnet}",
            self.client_host()
        ))
    }

    /// The network of the failing address, and another address of the one host that has it, on a network of the client's.
    pub fn way_through_owner(&self) -> Option<(Subnet, IpAddr)> {
        let ip = self.ip.filter(|ip| !ip.is_loopback())?;
        let owner = self.graph.namespace(self.graph.only_owner(ip)?)?;
        let own = owner.addresses.iter().find(|own| own.address == ip)?;
        let near = owner.addresses.iter().map(|own| own.address).filter(|other| {
            is_advertisable(*other)
                && other.is_ipv4() == ip.is_ipv4()
                && matches!(self.graph.way_of(self.client, *other), Way::OnLink { .. })
        });
        let subnet = Subnet::of(ip, own.prefix.clamp(8, if ip.is_ipv4() { 24 } else { 64 }));
        near.min().map(|via| (subnet, via))
    }

    /// Networks that the client's host is attached to, as `10.0.1.0/24 on eth0`.
    pub fn networks(&self) -> Vec<String> {
        let addresses = self.graph.namespace_of(self.client).into_iter().flat_map(|namespace| &namespace.addresses);
        let usable = addresses.filter(|own| is_advertisable(own.address)).take(4);
        usable.map(|own| format!("{} on {}", Subnet::of(own.address, own.prefix), own.interface)).collect()
    }

    /// The host that connects, with its address where it helps.
    pub fn client_host(&self) -> String {
        let whose = match self.entry.link.kind {
            LinkKind::Callback => "the master's host",
            LinkKind::Topic | LinkKind::Dds => "the subscriber's host",
            LinkKind::Master | LinkKind::Service => "the client's host",
        };
        match self.client_address() {
            Some(ip) => format!("{whose} ({ip})"),
            None => whose.into(),
        }
    }

    /// Let the firewall pass: nodes take any port, so a single one is not enough.
    pub fn open_ports(&self) -> Option<String> {
        let ip = self.ip?;
        let source = self.client_address().filter(|from| from.is_ipv4() == ip.is_ipv4());
        let source = source.map(|from| format!(" -s {from}")).unwrap_or_default();
        let known = self.publisher_namespace().and_then(|namespace| namespace.ephemeral_ports);
        let usual = if (USUAL_PORTS.0..=USUAL_PORTS.1).contains(&self.port) { USUAL_PORTS } else { ALL_PORTS };
        let (first, last) = known.unwrap_or(usual);
        let command = if ip.is_ipv4() { "iptables" } else { "ip6tables" };
        Some(format!(
            "Let the firewall on {ip} pass TCP ports {first} to {last} (nodes take any of them, so one forwarded port is not enough), there run: sudo {command} -I INPUT -p tcp{source} --dport {first}:{last} -j ACCEPT"
        ))
    }

    /// The same for the client's own firewall, where nothing else is on the way.
    pub fn let_out(&self) -> Option<String> {
        let ip = self.ip.filter(|_| matches!(self.way, Way::OnLink { .. }) && !self.has_just_answered())?;
        let command = if ip.is_ipv4() { "iptables" } else { "ip6tables" };
        Some(format!(
            "If it is the firewall of {} that stops them on their way out, let them out, there run: sudo {command} -I OUTPUT -p tcp -d {ip} -j ACCEPT",
            self.client_host()
        ))
    }

    /// A route that rejects the address, and another one beneath it.
    pub fn remove_route(&self) -> Option<String> {
        let (Way::Rejected { route }, Some(ip)) = (&self.way, self.ip) else { return None };
        let beneath = self.graph.way_without(self.client, route, ip);
        if !matches!(beneath, Way::OnLink { .. } | Way::Gateway { .. }) {
            return None;
        }
        let family = if ip.is_ipv6() { " -6" } else { "" };
        Some(format!(
            "Remove the route that rejects it, if nobody needs it; on {}, run: sudo ip{family} route del {route}",
            self.client_host()
        ))
    }

    /// The same for a router on the way, which may be what drops.
    pub fn open_router(&self) -> Option<String> {
        let Way::Gateway { gateway, .. } = self.way else { return None };
        let ip = self.ip.filter(|ip| *ip != gateway && ip.is_ipv4() == gateway.is_ipv4())?;
        if self.publisher_namespace().is_some_and(|own| own.has(gateway)) {
            return None;
        }
        let command = if ip.is_ipv4() { "iptables" } else { "ip6tables" };
        Some(format!(
            "If it is the router {gateway} that stops them (a container's host, for instance), let it pass them on, there run: sudo {command} -I FORWARD -p tcp -d {ip} -j ACCEPT"
        ))
    }

    /// A line for the hosts file of the client.
    pub fn hosts_line(&self) -> Option<String> {
        // Numbers are not looked up.
        if matches!(self.resolution, Resolution::Literal(_)) || self.is_name_of_client() {
            return None;
        }
        let (ip, known) = match self.owner_of_name() {
            // With its name alone a host that is not reached is not reached either.
            Some((ip, false)) => return self.hosts_line_and_tunnel(ip),
            Some((ip, true)) => (ip, true),
            None => self.better_address()?,
        };
        let condition =
            if known { String::new() } else { format!("If {} runs on the host of the master, ", self.publisher()) };
        let verb = if known { "Tell" } else { "tell" };
        Some(format!("{condition}{verb} {} where {} is, run: {}", self.client_host(), self.host, self.add_to_hosts(ip)))
    }

    /// The command that adds the name to a hosts file. A name that is there already is taken out: of several lines for one name
    /// `getaddrinfo` hands out all, loopback first. The file itself stays, because a container's is mounted.
    fn add_to_hosts(&self, ip: IpAddr) -> String {
        let line = format!("{ip} {}", self.host);
        match self.resolution {
            Resolution::Hosts(_) => format!(
                "printf '%s\\n' '{line}' \"$(sed -E 's/\\s{}(\\s|$)/ /' /etc/hosts)\" | sudo tee /etc/hosts",
                self.host.replace('.', "\\.")
            ),
            _ => format!("echo '{line}' | sudo tee -a /etc/hosts"),
        }
    }

    /// Whether the client's own host has that name as well: there it must go on meaning that host.
    fn is_name_of_client(&self) -> bool {
        let process = self.client.process.as_ref().and_then(|process| self.graph.process(process));
        process.and_then(|state| state.process.hostname.as_deref()) == Some(self.host.as_str())
    }

    /// The same where no way leads to the host: a tunnel carries it.
    fn hosts_line_and_tunnel(&self, ip: IpAddr) -> Option<String> {
        let master = self.master_ip()?;
        let subnet = Subnet::of(ip, if ip.is_ipv4() { 24 } else { 64 });
        if subnet.contains(master) {
            return None;
        }
        let no_route = !matches!(self.graph.way_of(self.client, ip), Way::Gateway { .. });
        if no_route && ip.is_ipv4() != master.is_ipv4() {
            return None;
        }
        Some(format!(
            "Tell {0} where {1} is, and carry {subnet} over ssh through {master}; on {0}, run: {3} && {2}sshuttle -r {master} {subnet}",
            self.client_host(),
            self.host,
            self.route_first(master, subnet, no_route),
            self.add_to_hosts(ip)
        ))
    }

    /// An address of the host that calls itself by this name, and whether the client can surely reach it.
    fn owner_of_name(&self) -> Option<(IpAddr, bool)> {
        let owner = self.graph.processes().find(|state| {
            state.process.hostname.as_deref() == Some(self.host.as_str())
                && state.process.net_namespace != self.graph.net_namespace_of(self.client)
                && self.graph.shares_network(self.client, &state.process)
        })?;
        let namespace = self.graph.namespace(owner.process.net_namespace)?;
        let addresses = namespace.addresses.iter().map(|own| own.address).filter(|ip| is_advertisable(*ip));
        let reachable = |ip: &IpAddr| {
            Some(*ip) == self.client.master.map(|master| master.ip())
                || matches!(self.graph.way_of(self.client, *ip), Way::OnLink { .. })
        };
        let reached = addresses.clone().find(reachable).map(|ip| (ip, true));
        reached.or_else(|| addresses.clone().next().map(|ip| (ip, false)))
    }

    /// A registration that a dead node left behind; `None` when the node is seen to run.
    pub fn clean_up(&self) -> Option<String> {
        if self.publisher_runs() {
            return None;
        }
        let uri = self.client.master.map(|master| format!("ROS_MASTER_URI=http://{master}/ ")).unwrap_or_default();
        Some(format!(
            "If {} is no longer running, remove what it left at the master (this removes every node that does not answer), run: {uri}rosnode cleanup",
            self.publisher()
        ))
    }
}
