//! A netmask that is too wide: hosts behind a router then count as neighbours, and no router is asked.

use std::net::IpAddr;

use crate::diagnosis::trouble::Trouble;
use crate::event::InterfaceAddress;
use crate::graph::{Subnet, Way};

/// Networks of hosts are seldom larger.
const USUAL_PREFIX: u8 = 24;

impl Trouble<'_> {
    /// The address is a neighbour only by a wide netmask, and the master, which is reached, would be one by the usual netmask as well.
    fn wide_netmask(&self) -> Option<&InterfaceAddress> {
        let Way::OnLink { interface, .. } = &self.way else { return None };
        let (ip, master) = (self.ip.filter(IpAddr::is_ipv4)?, self.master_ip()?);
        let mut addresses = self.graph.namespace_of(self.client)?.addresses.iter();
        let own = addresses
            .find(|own| own.interface == *interface && Subnet::of(own.address, own.prefix).contains(ip))
            .filter(|own| own.prefix < USUAL_PREFIX)?;
        let usual = Subnet::of(own.address, USUAL_PREFIX);
        // The publisher's host, where it is seen, may have the same netmask.
        let agreed = self.publisher_namespace().is_some_and(|namespace| {
            let mut there = namespace.addresses.iter().filter(|there| there.address == ip);
            there.any(|there| Subnet::of(ip, there.prefix).contains(own.address))
        });
        (usual.contains(master) && !usual.contains(ip) && !agreed).then_some(own)
    }

    pub(super) fn neighbour_by_netmask(&self) -> Option<String> {
        let own = self.wide_netmask()?;
        Some(format!(
            "{} counts as a neighbour by the netmask of {}, /{}; if it is behind a router, that netmask is too wide.",
            self.ip?, own.interface, own.prefix
        ))
    }

    /// Send packets there to a router.
    pub fn narrow_netmask(&self) -> Option<String> {
        let (own, ip, subnet) = (self.wide_netmask()?, self.ip?, self.subnet()?);
        let mut routes = self.graph.namespace_of(self.client)?.routes.iter().filter(|route| route.prefix == 0);
        let gateway = routes.find_map(|route| route.gateway.filter(IpAddr::is_ipv4));
        let there = self.client_host();
        Some(match gateway {
            Some(gateway) => format!(
                "If {ip} is behind a router, send packets there to it; on {there}, run: sudo ip route replace {subnet} via {gateway}"
            ),
            None => format!(
                "If {ip} is behind a router, give {} on {there} the netmask that its network has, {}/{USUAL_PREFIX} for instance, and a route to {subnet} through that router.",
                own.interface, own.address
            ),
        })
    }
}
