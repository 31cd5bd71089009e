//! Addresses to which nobody can connect: those that stand for many hosts, and those that need the name of an interface.

use std::net::{IpAddr, Ipv4Addr};

use super::Cause;
use crate::diagnosis::trouble::Trouble;
use crate::graph::{LinkKind, Resolution, Subnet};

impl Trouble<'_> {
    /// Why nobody can connect to the address, whichever host the node runs on.
    pub fn never_works(&self) -> Option<Cause> {
        match self.ip? {
            ip if ip.is_multicast() => Some(Cause::Multicast),
            IpAddr::V4(ip) if ip.is_broadcast() || self.broadcast_of(ip).is_some() => Some(Cause::Broadcast),
            IpAddr::V6(ip) if ip.is_unicast_link_local() => Some(Cause::LinkLocal),
            _ => None,
        }
    }

    /// The network whose broadcast address it is, as far as either host's networks are known.
    fn broadcast_of(&self, ip: Ipv4Addr) -> Option<Subnet> {
        let hosts = [self.graph.namespace_of(self.client), self.publisher_namespace()];
        let known = hosts.into_iter().flatten().flat_map(|namespace| &namespace.addresses);
        if known.clone().any(|own| own.address == ip) {
            return None;
        }
        // A network of two addresses or of one has none for broadcast.
        let networks = known.filter(|own| !own.address.is_loopback() && own.prefix < 31);
        networks.map(|own| Subnet::of(own.address, own.prefix)).find(|subnet| match subnet.network {
            IpAddr::V4(network) => u32::from(network) | (u32::MAX >> subnet.prefix) == u32::from(ip),
            IpAddr::V6(_) => false,
        })
    }

    /// The same in words.
    pub fn nobody_connects(&self, cause: Cause) -> String {
        let ip = self.ip.map_or_else(|| self.host.clone(), |ip| ip.to_string());
        let why = match cause {
            // ROS may have chosen it by itself.
            Cause::LinkLocal => {
                return format!(
                    "{ip} is a link-local address: connect() needs the name of an interface with it ({ip}%eth0), which the URIs of ROS cannot carry."
                );
            }
            Cause::Multicast => {
                format!("{ip} is a multicast address: it stands for a group of hosts, and nobody can connect() to it.")
            }
            _ => {
                let network = match self.ip {
                    Some(IpAddr::V4(ip)) => self.broadcast_of(ip).map(|subnet| format!(" of {subnet}")),
                    _ => None,
                };
                format!(
                    "{ip} is the broadcast address{}: it stands for all hosts of a network, and nobody can connect() to it.",
                    network.unwrap_or_default()
                )
            }
        };
        format!("{why}{}", self.who_is_wrong())
    }

    fn who_is_wrong(&self) -> String {
        if !matches!(self.resolution, Resolution::Literal(_)) {
            return format!(" {} has to stand for an address of one host.", self.host);
        }
        if self.entry.link.kind == LinkKind::Master {
            return format!(" The ROS_MASTER_URI of {} is wrong.", self.who());
        }
        let is_it = |name: &&str| self.publisher_variable(name) == Some(self.host.as_str());
        match ["ROS_HOSTNAME", "ROS_IP"].into_iter().find(is_it) {
            Some(name) => format!(" The {name} of {} is wrong.", self.publisher()),
            None if self.knows_publisher_environment() => String::new(),
            None => format!(" The ROS_IP or ROS_HOSTNAME of {} is wrong.", self.publisher()),
        }
    }
}
