//! Addresses that a host had and has no more: a node goes on advertising the one that it found when it started.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Graph;
use crate::event::{InterfaceAddress, Monotonic, Namespace};
use crate::observation::ObservationId;

/// Addresses remembered that are gone.
const FORMER_LIMIT: usize = 4096;

/// An address that a host had.
#[derive(Clone, Debug)]
pub(crate) struct Former {
    /// As it was, with its interface.
    pub own: InterfaceAddress,
    /// When it was seen to be gone.
    pub at: Monotonic,
    /// What shows it.
    pub by: ObservationId,
}

/// By network namespace and address.
#[derive(Clone, Debug, Default)]
pub(super) struct FormerAddresses {
    gone: BTreeMap<(u64, IpAddr), Former>,
}

impl FormerAddresses {
    /// The namespace looks different now.
    pub fn changed(&mut self, before: &Namespace, now: &Namespace, at: Monotonic, by: ObservationId) {
        // Where the tables could not be read, nothing is known of its addresses.
        if now.addresses.is_empty() {
            return;
        }
        let has = |ip: IpAddr| now.addresses.iter().any(|own| own.address == ip);
        self.gone.retain(|(namespace, ip), _| *namespace != now.net_namespace || !has(*ip));
        for own in before.addresses.iter().filter(|own| !has(own.address)) {
            if self.gone.len() >= FORMER_LIMIT {
                return;
            }
            let former = Former { own: own.clone(), at, by };
            self.gone.entry((now.net_namespace, own.address)).or_insert(former);
        }
    }
}

impl Graph {
    /// What a host had as one of its addresses, and has no more.
    pub(crate) fn former_address(&self, net_namespace: u64, ip: IpAddr) -> Option<&Former> {
        self.former.gone.get(&(net_namespace, ip.to_canonical()))
    }
}

impl Former {
    /// The address that the host has instead: on the same interface, in the same network, or the only one left.
    pub fn successor(&self, namespace: &Namespace, usable: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let same_family = |own: &&InterfaceAddress| own.address.is_ipv4() == self.own.address.is_ipv4();
        let candidates = namespace.addresses.iter().filter(same_family).filter(|own| usable(own.address));
        let here = candidates.clone().find(|own| own.interface == self.own.interface);
        let only = || {
            let mut all = candidates.clone();
            all.next().filter(|_| all.next().is_none())
        };
        here.or_else(only).map(|own| own.address)
    }
}
