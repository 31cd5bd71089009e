//! Which way packets to an address would take, from a network namespace's addresses and routes.

use std::net::IpAddr;

use crate::event::{Namespace, Route};

/// Where an address is, seen from a network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The address is loopback: whoever uses it talks to itself.
    Loopback,
    /// An address of this very host.
    Own { interface: String },
    /// On a network that this host is attached to.
    OnLink { interface: String, subnet: Subnet },
    /// Behind a gateway.
    Gateway { gateway: IpAddr, interface: String, default: bool },
    /// A route that rejects it.
    Rejected { route: Subnet },
    /// No route leads there.
    None,
    /// Nothing is known of this host's routes.
    Unknown,
}

/// A network in the usual notation, `10.0.1.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subnet {
    pub network: IpAddr,
    pub prefix: u8,
}

impl Subnet {
    /// The network of an address.
    pub fn of(address: IpAddr, prefix: u8) -> Self {
        let network = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0);
                IpAddr::from((u32::from(v4) & mask).to_be_bytes())
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix.into())).unwrap_or(0);
                IpAddr::from((u128::from(v6) & mask).to_be_bytes())
            }
        };
        Self { network, prefix }
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.network.is_ipv4()
            && Self::of(address, self.prefix).network == Self::of(self.network, self.prefix).network
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// The way to an address.
pub(crate) fn way(namespace: Option<&Namespace>, address: IpAddr) -> Way {
    if address.is_loopback() || address.is_unspecified() {
        return Way::Loopback;
    }
    let Some(namespace) = namespace else { return Way::Unknown };
    if let Some(own) = namespace.addresses.iter().find(|own| own.address == address) {
        return Way::Own { interface: own.interface.clone() };
    }
    if namespace.addresses.is_empty() && namespace.routes.is_empty() {
        return Way::Unknown;
    }
    let subnet = |route: &Route| Subnet { network: route.destination, prefix: route.prefix };
    let fitting = namespace.routes.iter().filter(|route| subnet(route).contains(address));
    let best = fitting.min_by_key(|route| (u8::MAX - route.prefix, route.metric));
    match best {
        // A blackhole is not marked, and has no interface.
        Some(route) if route.reject || (route.interface.is_empty() && route.gateway.is_none()) => {
            Way::Rejected { route: subnet(route) }
        }
        Some(Route { gateway: Some(gateway), interface, prefix, .. }) => {
            Way::Gateway { gateway: *gateway, interface: interface.clone(), default: *prefix == 0 }
        }
        Some(route) => Way::OnLink { interface: route.interface.clone(), subnet: subnet(route) },
        None => {
            let attached = namespace
                .addresses
                .iter()
                .find(|own| Subnet::of(own.address, own.prefix).contains(address) && !own.address.is_loopback());
            attached.map_or(Way::None, |own| Way::OnLink {
                interface: own.interface.clone(),
                subnet: Subnet::of(own.address, own.prefix),
            })
        }
    }
}

/// The way that would be left without a route.
pub(crate) fn way_without(namespace: &Namespace, rejecting: &Subnet, address: IpAddr) -> Way {
    let is_it = |route: &Route| route.destination == rejecting.network && route.prefix == rejecting.prefix;
    let routes = namespace.routes.iter().filter(|route| !is_it(route)).cloned().collect();
    let addresses = namespace.addresses.clone();
    way(Some(&Namespace { addresses, routes, ..Namespace::default() }), address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::InterfaceAddress;

    fn route(destination: &str, prefix: u8, gateway: Option<&str>, reject: bool) -> Route {
        Route {
            destination: destination.parse().unwrap(),
            prefix,
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
            interface: "eth0".into(),
            metric: 0,
            reject,
        }
    }

    #[test]
    fn the_longest_prefix_decides() {
        let own = InterfaceAddress { interface: "eth0".into(), address: "192.168.50.2".parse().unwrap(), prefix: 24 };
        let mut namespace = Namespace {
            addresses: vec![own],
            routes: vec![route("192.168.50.0", 24, None, false), route("10.9.0.0", 16, None, true)],
            ..Namespace::default()
        };
        let shown = |namespace: &Namespace, address: &str| match way(Some(namespace), address.parse().unwrap()) {
            Way::OnLink { subnet, .. } => format!("on-link {subnet}"),
            Way::Gateway { gateway, default, .. } => format!("via {gateway} default {default}"),
            other => format!("{other:?}"),
        };
        assert_eq!(shown(&namespace, "192.168.50.9"), "on-link 192.168.50.0/24");
        assert_eq!(shown(&namespace, "192.168.50.2"), "Own { interface: \"eth0\" }");
        assert_eq!(shown(&namespace, "10.0.1.1"), "None");
        assert_eq!(shown(&namespace, "10.9.1.1"), "Rejected { route: Subnet { network: 10.9.0.0, prefix: 16 } }");
        namespace.routes.push(Route { interface: String::new(), ..route("10.8.0.0", 16, None, false) });
        assert_eq!(shown(&namespace, "10.8.1.1"), "Rejected { route: Subnet { network: 10.8.0.0, prefix: 16 } }");
        assert_eq!(shown(&namespace, "127.0.1.1"), "Loopback");
        namespace.routes.push(route("0.0.0.0", 0, Some("192.168.50.1"), false));
        assert_eq!(shown(&namespace, "10.0.1.1"), "via 192.168.50.1 default true");
        namespace.routes.push(route("10.0.1.0", 24, Some("192.168.50.7"), false));
        assert_eq!(shown(&namespace, "10.0.1.1"), "via 192.168.50.7 default false");
        assert_eq!(shown(&namespace, "fd50::1"), "None", "no route of that family");
        assert_eq!(way(None, "10.0.1.1".parse().unwrap()), Way::Unknown);
    }
}
