//! Why an address does not work, and how that is known.

mod dropped;
mod netmask;
mod nobody;
mod number;
mod way_back;

use super::trouble::{Trouble, is_advertisable};
use crate::errno::Errno;
use crate::graph::{LinkKind, Outcome, Resolution, Stage, Way};
use crate::observation::Span;

/// What is behind a failing connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The address is the client's own loopback.
    Loopback,
    /// The publisher's host had the address, and has it no more.
    Moved,
    /// The address stands for all hosts of a network.
    Broadcast,
    /// It stands for a group of hosts.
    Multicast,
    /// It is nothing without the name of an interface.
    LinkLocal,
    /// No route leads to it.
    NoRoute,
    /// On a network of this host, and nobody answers there.
    OnLinkSilent,
    /// A router on the way says that it cannot be reached.
    NotForwarded,
    /// On a network of this host, and a firewall answered for it.
    RejectedOnLink,
    /// This very system does not let the process connect there.
    NotPermitted,
    /// A host that is known to be the right one refused.
    RefusedByLiveHost,
    /// The node has just answered there at another port: a firewall rejects this one.
    PortRejected,
    /// The client closed its socket at once, which it does when it is told that a packet was rejected.
    GivenUp,
    /// Somebody refused.
    Refused,
    /// Packets vanish without an answer.
    Dropped,
    /// None of these.
    Other,
}

impl Trouble<'_> {
    /// The cause, told from the error number, the routes and what else answered.
    pub fn cause(&self, outcome: &Outcome) -> Cause {
        if self.ip.is_some_and(|ip| ip.is_loopback()) && self.publisher_is_elsewhere() == Some(true) {
            return Cause::Loopback;
        }
        if self.former().is_some() {
            return Cause::Moved;
        }
        let errno = outcome.errno();
        if let (Some(cause), Some(errno)) = (self.never_works(), errno)
            && (cause != Cause::LinkLocal || errno == Errno::EINVAL)
        {
            return cause;
        }
        match errno {
            Some(_) if matches!(self.way, Way::Rejected { .. }) => Cause::NoRoute,
            Some(Errno::ENETUNREACH | Errno::ENETDOWN)
                if !self.is_answer() || !matches!(self.way, Way::OnLink { .. } | Way::Gateway { .. }) =>
            {
                Cause::NoRoute
            }
            Some(Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::EACCES | Errno::EPERM)
                if self.has_just_answered() =>
            {
                Cause::PortRejected
            }
            // A peer's reset of an attempt is ECONNREFUSED.
            Some(Errno::ECONNRESET) => Cause::GivenUp,
            Some(Errno::EHOSTUNREACH) if matches!(self.way, Way::OnLink { .. }) && !self.is_answer() => {
                Cause::OnLinkSilent
            }
            Some(Errno::EACCES | Errno::EPERM) if self.state.failed_after_ns.is_none() => Cause::NotPermitted,
            // What Linux makes of the ICMP messages that say so.
            Some(
                Errno::EHOSTUNREACH
                | Errno::ENETUNREACH
                | Errno::EHOSTDOWN
                | Errno::ENOPROTOOPT
                | Errno::EOPNOTSUPP
                | Errno::EACCES
                | Errno::EPERM,
            ) => match self.way {
                Way::OnLink { .. } if self.is_answer() => Cause::RejectedOnLink,
                _ => Cause::NotForwarded,
            },
            Some(Errno::ECONNREFUSED) if self.is_right_host() => Cause::RefusedByLiveHost,
            Some(Errno::ECONNREFUSED) => Cause::Refused,
            Some(Errno::ETIMEDOUT) | None => Cause::Dropped,
            Some(_) => Cause::Other,
        }
    }

    /// Whether the error is somebody's answer to a packet, and not what Linux makes of an address that nobody has.
    pub fn is_answer(&self) -> bool {
        let errno = self.state.failure.as_ref().and_then(Outcome::errno);
        let rejected = || self.ip.is_some_and(|ip| self.graph.is_rejected(self.client, ip));
        self.state.failed_after_ns.is_some() && (errno != Some(Errno::EHOSTUNREACH) || rejected())
    }

    /// Whether the address surely belongs to the host that advertised it.
    fn is_right_host(&self) -> bool {
        let Some(ip) = self.ip else { return false };
        match self.publisher_namespace() {
            Some(namespace) => {
                matches!(self.way, Way::Own { .. } | Way::OnLink { .. } | Way::Loopback) && namespace.has(ip)
            }
            None => {
                !self.answering_ports().is_empty()
                    || matches!(self.way, Way::Own { .. } | Way::OnLink { .. } | Way::Loopback)
            }
        }
    }

    /// The address is one of the client's own host, and it is not known to be the publisher's as well.
    pub fn is_own_instead(&self) -> bool {
        matches!(self.way, Way::Own { .. })
            && self.publisher_process().is_none()
            && self.master_is_elsewhere() == Some(true)
    }

    fn own_interface(&self) -> String {
        if let Way::Own { interface } = &self.way { format!(" (on {interface})") } else { String::new() }
    }

    /// The interface of the publisher's host that has the address, where that is a bridge to containers or virtual machines: a network
    /// inside the host, and other hosts have one with the same addresses.
    pub fn inner_bridge(&self) -> Option<&str> {
        const BRIDGES: [&str; 7] = ["docker", "br-", "virbr", "lxcbr", "lxdbr", "podman", "cni"];
        let ip = self.ip?;
        let own = self.publisher_namespace()?.addresses.iter().find(|own| own.address == ip)?;
        let interface = own.interface.as_str();
        BRIDGES.iter().any(|bridge| interface.starts_with(bridge)).then_some(interface)
    }

    /// How the advertised name became an address.
    pub fn resolved(&self) -> Option<String> {
        let list = |addresses: &[std::net::IpAddr]| {
            addresses.iter().take(4).map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        match &self.resolution {
            Resolution::Literal(_) => self.read_as(),
            Resolution::Hosts(addresses) => {
                Some(format!("{} is {} by the hosts file there.", self.host, list(addresses)))
            }
            Resolution::Dns(addresses) => Some(format!("DNS answered that {} is {}.", self.host, list(addresses))),
            _ => self.ip.map(|ip| format!("{} was taken for {ip}; how it was looked up was not seen.", self.host)),
        }
    }

    /// The name stands for another address than the host that advertises it has.
    pub fn resolves_elsewhere(&self) -> Option<String> {
        if matches!(self.resolution, Resolution::Literal(_)) {
            return None;
        }
        let (ip, namespace) = (self.ip?, self.publisher_namespace()?);
        if ip.is_loopback() || namespace.has(ip) {
            return None;
        }
        let real: Vec<String> = namespace
            .addresses
            .iter()
            .map(|own| own.address)
            .filter(|own| is_advertisable(*own))
            .map(|own| own.to_string())
            .collect();
        Some(format!(
            "But {} runs on a host whose addresses are {}: the name leads to the wrong host.",
            self.publisher(),
            real.join(", ")
        ))
    }

    /// Why, and how that is known.
    pub fn because(&self, cause: Cause, outcome: &Outcome) -> Vec<String> {
        let mut lines: Vec<String> = self.resolved().into_iter().chain(self.resolves_elsewhere()).collect();
        let place = self.place();
        let ip = self.ip.map_or_else(|| self.host.clone(), |ip| ip.to_string());
        lines.push(match cause {
            Cause::Loopback => format!(
                "{ip} is loopback: on every host it means that host itself, so {} talked to its own host, while {} runs on another one.",
                self.who(),
                self.publisher()
            ),
            Cause::Moved => self.moved().unwrap_or_default(),
            Cause::Broadcast | Cause::Multicast | Cause::LinkLocal => self.nobody_connects(cause),
            Cause::NoRoute => format!("{}{}", self.no_route(&ip), self.master_contrast()),
            Cause::OnLinkSilent => format!(
                "{ip} would be on a network that {} is attached to{}, and no host there answers to that address (no answer to {}).{}",
                self.client_host(),
                self.way_words(),
                if self.ip.is_some_and(|ip| ip.is_ipv6()) { "neighbour discovery" } else { "ARP" },
                self.neighbour_by_netmask().map(|why| format!(" {why}")).unwrap_or_default()
            ),
            Cause::RejectedOnLink => format!(
                "{ip} is on a network that {} is attached to{}, and a rejection (ICMP) came back {} after the SYN. Where no host has the address that takes three seconds, so a firewall rejects it: that of {ip}, or that of {} itself.",
                self.client_host(),
                self.way_words(),
                Span(self.state.failed_after_ns.unwrap_or(0)),
                self.client_host()
            ),
            Cause::NotPermitted => format!(
                "No packet left: {} itself does not let this process connect there. A security policy says so (SELinux, AppArmor, seccomp, IPAddressDeny of systemd), or another eBPF program.",
                self.client_host()
            ),
            Cause::NotForwarded => {
                format!("A router or firewall on the way answered that {ip} cannot be reached{}.", self.way_words())
            }
            Cause::PortRejected => format!(
                "{} itself has just answered at {}, so the address is right: a firewall rejects port {}, or only single ports are let through.",
                capital(&self.publisher()),
                self.answered_at(),
                self.port
            ),
            Cause::GivenUp => format!(
                "{} closed its socket again by itself, as it does when an ICMP message says that a packet was rejected: a firewall or router on the way does not let it through{}.",
                self.who(),
                self.way_words()
            ),
            Cause::RefusedByLiveHost if self.is_own_instead() => format!(
                "{ip} is an address of this very host{}, and nothing listens here at port {}. If {} runs on another host, that has the same address, as all hosts with Docker have 172.17.0.1: it has to advertise one that leads to it alone. Else it has ended without unregistering.",
                self.own_interface(),
                self.port,
                self.publisher()
            ),
            Cause::RefusedByLiveHost if self.publisher_runs() && self.ip.is_some_and(|ip| ip.is_ipv4()) => format!(
                "{ip} is an address of its host, and {}{} runs there: a firewall refuses port {}, or the node has closed it.",
                self.publisher(),
                self.publisher_pid(),
                self.port
            ),
            Cause::RefusedByLiveHost => {
                let why = match self.publisher_process().filter(|_| self.publisher_runs()) {
                    Some(process) if self.ip.is_some_and(|ip| ip.is_ipv6()) => format!(
                        "{} (pid {}) runs, and listens for IPv4 only: without ROS_IPV6=on a node does",
                        self.publisher(),
                        process.pid
                    ),
                    _ if !matches!(self.resolution, Resolution::Literal(_)) && self.publisher_namespace().is_none() => format!(
                        "the node that registered it has ended without unregistering, or {} is really another host",
                        self.host
                    ),
                    _ => "the node that registered it has ended without unregistering, or a firewall there refuses".to_owned(),
                };
                format!("{ip} is alive{} and refuses port {}: {why}.", self.live_ports(), self.port)
            }
            Cause::Refused => format!(
                "Whoever is reached as {ip} from there{} answered that nothing listens at port {}: it is another host than the one that advertises the address, a firewall that rejects, or the node has ended.",
                self.way_words(),
                self.port
            ),
            Cause::Dropped => self.dropped(&place, outcome),
            Cause::Other if outcome.errno() == Some(Errno::EADDRNOTAVAIL) => format!(
                "{} has no local port left to connect from: they are all in use (ss -s counts them, sysctl net.ipv4.ip_local_port_range says which there are).",
                capital(&self.client_host())
            ),
            Cause::Other => format!("The system gave no further reason{}.", self.way_words()),
        });
        if let Some(carrier) = &self.entry.link.carried_by {
            lines.push(format!(
                "The connection is carried by {} (pid {}), which accepts it on this host whatever the far side does.",
                carrier.comm, carrier.pid
            ));
        }
        lines
    }

    /// Where the node answered requestTopic.
    fn answered_at(&self) -> String {
        let asked = self.entry.link.stage(Stage::RequestTopic).and_then(|asked| asked.address);
        asked.map_or_else(|| self.host.clone(), |address| address.to_string())
    }

    fn no_route(&self, ip: &str) -> String {
        match &self.way {
            Way::None => format!("{} has no route to {ip}.", capital(&self.client_host())),
            Way::Rejected { route } => {
                format!(
                    "{} has a route for {route} that rejects it ({}).",
                    capital(&self.client_host()),
                    match self.state.failure.as_ref().and_then(Outcome::errno) {
                        Some(Errno::EINVAL) => "blackhole",
                        Some(Errno::EACCES) => "prohibit",
                        Some(Errno::EHOSTUNREACH) => "unreachable",
                        _ => "unreachable, prohibit or blackhole",
                    }
                )
            }
            Way::Unknown => {
                format!("{} has no route to {ip}: that is what the error says.", capital(&self.client_host()))
            }
            _ => format!(
                "The error says that there was no route to {ip} at that moment; now there is one{}.",
                self.way_words()
            ),
        }
    }

    /// The master is reached, the node is not: that is what confuses people.
    fn master_contrast(&self) -> String {
        let what = match self.entry.link.kind {
            LinkKind::Topic | LinkKind::Dds => "topic",
            LinkKind::Service => "service",
            // It is the master that is not reached, or that does not reach a node.
            LinkKind::Master | LinkKind::Callback => return String::new(),
        };
        if let Some(relay) = &self.client.master_through {
            return format!(
                " It does reach the master, through {} (pid {}): that is why the {what} is listed. But that carries the master's port alone, and nodes talk to each other at ports of their own.",
                relay.comm, relay.pid
            );
        }
        match self.client.master {
            Some(master) if self.master_is_elsewhere() == Some(true) => {
                format!(" It did reach the master, at {master}: that is why the {what} is listed.")
            }
            _ => String::new(),
        }
    }

    fn live_ports(&self) -> String {
        dropped::answered(&self.answering_ports())
    }

    /// Which way packets leave.
    fn way_words(&self) -> String {
        match &self.way {
            Way::Gateway { gateway, interface, default: true } => {
                format!(" (packets leave by the default route, through {gateway} on {interface})")
            }
            Way::Gateway { gateway, interface, .. } => format!(" (packets leave through {gateway} on {interface})"),
            Way::OnLink { interface, subnet } => format!(" ({subnet} on {interface})"),
            Way::Own { interface } => format!(" (an address of this very host, on {interface})"),
            _ => String::new(),
        }
    }
}

/// ` (no route to that network)`: what stands behind an error number, where there is more to say than its name.
pub(super) fn meaning(errno: Errno) -> String {
    let meaning = errno.meaning();
    if meaning.is_empty() { String::new() } else { format!(" ({meaning})") }
}

pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
