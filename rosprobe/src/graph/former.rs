//! Addresses that a host had and has no more: a node goes on advertising the one that it found when it started.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{Client, Graph, Subnet};
use crate::event::{InterfaceAddress, Monotonic, Namespace};
use crate::observation::ObservationId;

/// Addresses remembered that are gone.
const FORMER_LIMIT: usize = 4096;
/// The addresses of a host were looked at again after this long (every five seconds).
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(7);

/// An address that a host had.
#[derive(Clone, Debug)]
pub(crate) struct Former {
    /// As it was, with its interface.
    pub own: InterfaceAddress,
    /// When it was seen to be gone; when it was there last, where its going was not seen.
    pub at: Monotonic,
    /// It was seen on an interface, and then no more.
    pub was_seen: bool,
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
        self.gone.retain(|(namespace, ip), _| *namespace != now.net_namespace || !now.has(*ip));
        for own in before.addresses.iter().filter(|own| !now.has(own.address)) {
            if self.gone.len() >= FORMER_LIMIT {
                return;
            }
            let former = Former { own: own.clone(), at, was_seen: true, by };
            self.gone.entry((now.net_namespace, own.address)).or_insert(former);
        }
    }
}

impl Graph {
    /// What a host had as one of its addresses, and has no more.
    pub(crate) fn former_address(&self, net_namespace: u64, ip: IpAddr) -> Option<&Former> {
        self.former.gone.get(&(net_namespace, ip.to_canonical()))
    }

    /// The same for a node of that host, which may have reached its master from an address that was gone when somebody first looked.
    pub(crate) fn former_address_of(&self, node: &Client, ip: IpAddr) -> Option<Former> {
        let (namespace, ip) = (self.namespace_of(node)?, ip.to_canonical());
        if let Some(known) = self.former_address(namespace.net_namespace, ip) {
            return Some(known.clone());
        }
        let registered = node.registered.filter(|registered| self.now().since(registered.at) >= LOOKED_AT_AGAIN)?;
        // Who was called there has an address that no interface need have (`ip route add local`).
        let had = node.process.is_some() && node.reaches_master_from == Some(ip) && !node.called;
        if !had || namespace.has(ip) || ip.is_loopback() || namespace.addresses.is_empty() {
            return None;
        }
        let prefix = if ip.is_ipv4() { 32 } else { 128 };
        let own = InterfaceAddress { interface: String::new(), address: ip, prefix };
        Some(Former { own, at: registered.at, was_seen: false, by: registered.by })
    }
}

impl Former {
    /// The address that the host has instead: on the same interface, in the same network, or the only one left.
    pub fn successor(&self, namespace: &Namespace, usable: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let same_family = |own: &&InterfaceAddress| own.address.is_ipv4() == self.own.address.is_ipv4();
        let candidates = namespace.addresses.iter().filter(same_family).filter(|own| usable(own.address));
        let here = candidates.clone().find(|own| own.interface == self.own.interface);
        let near = || candidates.clone().find(|own| Subnet::of(own.address, own.prefix).contains(self.own.address));
        let only = || {
            let mut all = candidates.clone();
            all.next().filter(|_| all.next().is_none())
        };
        here.or_else(near).or_else(only).map(|own| own.address)
    }
}
