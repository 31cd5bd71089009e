//! Nodes that are seen at an address that is not the one they advertise: their host has both, or a router translates addresses.

use std::net::IpAddr;

use super::trouble::Trouble;
use crate::graph::{Actor, Client, Way};

impl Trouble<'_> {
    /// Whether an address at which a node elsewhere was seen may be a router's. What is unknown of a node that advertises loopback or a
    /// name is known where the address is a router of the one who connects.
    pub fn may_be_translated(&self, seen_at: IpAddr) -> bool {
        let unseen = self.publisher_process().is_none() && self.seen_at() == Some(seen_at);
        let advertised = self.host.parse().ok().filter(|ip: &IpAddr| !ip.is_loopback());
        unseen && (self.is_gateway(seen_at) || advertised.is_some_and(|ip| ip != seen_at))
    }

    /// A route to the node's own network, through what may be the router that translates its address.
    pub fn way_through_translator(&self) -> Option<String> {
        let ip: IpAddr = self.host.parse().ok().filter(IpAddr::is_ipv4)?;
        let router = self.seen_at().filter(|router| self.may_be_translated(*router))?;
        let subnet = self.subnet().filter(|subnet| !ip.is_loopback() && !subnet.contains(router))?;
        let near = matches!(self.graph.way_of(self.client, router), Way::OnLink { .. });
        let leads_there = matches!(self.way, Way::OnLink { .. } | Way::Own { .. })
            || matches!(self.way, Way::Gateway { gateway, .. } if gateway == router);
        (near && !leads_there).then(|| {
            format!(
                "If {router} is a router that translates addresses, make a route through it to the network of {}; on {}, run: sudo ip route replace {subnet} via {router}",
                self.publisher(),
                self.client_host()
            )
        })
    }

    /// The address at which a node elsewhere was seen, itself and through nobody else.
    pub fn seen_at(&self) -> Option<IpAddr> {
        match self.publisher_client()? {
            Client { actor: Actor::Host(ip), behind: None, .. } => Some(*ip),
            _ => None,
        }
    }

    fn is_gateway(&self, ip: IpAddr) -> bool {
        let routes = self.graph.namespace_of(self.client).into_iter().flat_map(|namespace| &namespace.routes);
        routes.filter_map(|route| route.gateway).any(|gateway| gateway == ip)
    }
}
