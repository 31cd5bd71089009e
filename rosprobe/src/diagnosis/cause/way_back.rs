//! The answer has to find its way back: between two networks the publisher's host needs a route, too.

use std::net::IpAddr;

use crate::diagnosis::trouble::{Trouble, is_advertisable};
use crate::graph::{Subnet, Way, way};

impl Trouble<'_> {
    /// The publisher's host, which is seen, has no route to the client.
    pub fn no_way_back(&self) -> Option<String> {
        let (source, ip) = (self.source()?, self.ip?);
        let namespace = self.publisher_namespace()?;
        let has_it = namespace.has(ip);
        let lost = matches!(way(Some(namespace), source.0), Way::None | Way::Rejected { .. });
        (has_it && lost).then(|| {
            format!(
                "the host of {} has no route to {}, so that its answer does not find its way back",
                self.publisher(),
                source.0
            )
        })
    }

    /// The same where that host is not seen.
    pub(super) fn may_lack_a_way_back(&self) -> Option<String> {
        let (_, subnet) = self.source().filter(|_| self.publisher_namespace().is_none())?;
        Some(format!(
            "the answer does not find its way back, because the host of {} has no route to {subnet}",
            self.publisher()
        ))
    }

    /// A route back.
    pub fn lead_back(&self) -> Option<String> {
        let (source, subnet) = self.source()?;
        let known = self.no_way_back().is_some();
        if !known && self.may_lack_a_way_back().is_none() {
            return None;
        }
        let (whose, family) = (self.publisher(), if source.is_ipv6() { " -6" } else { "" });
        let give = if known { "Give" } else { "If it is the answer that is lost, give" };
        Some(match self.router_from_there() {
            Some(router) => format!(
                "{give} the host of {whose} a route to {subnet}, there run: sudo ip{family} route add {subnet} via {router}"
            ),
            None => format!(
                "{give} the host of {whose} a route to {subnet} through the router that leads there; to see which way its packets take, there run: ip{family} route get {source}"
            ),
        })
    }

    /// The client's address at the interface by which its packets leave for a router, and the network of that.
    fn source(&self) -> Option<(IpAddr, Subnet)> {
        let Way::Gateway { interface, .. } = &self.way else { return None };
        let ip = self.ip?;
        let mut addresses = self.graph.namespace_of(self.client)?.addresses.iter();
        let own = addresses.find(|own| {
            own.interface == *interface && own.address.is_ipv4() == ip.is_ipv4() && is_advertisable(own.address)
        })?;
        Some((own.address, Subnet::of(own.address, own.prefix)))
    }

    /// The router's address on the publisher's network, where the router is seen.
    fn router_from_there(&self) -> Option<IpAddr> {
        let (Way::Gateway { gateway, .. }, Some(ip)) = (&self.way, self.ip) else { return None };
        let router = self.graph.namespace(self.graph.only_owner(*gateway)?)?;
        let near = router.addresses.iter().find(|own| Subnet::of(own.address, own.prefix).contains(ip))?;
        Some(near.address).filter(|near| *near != ip)
    }
}
