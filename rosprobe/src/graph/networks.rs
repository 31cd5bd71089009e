//! Which network namespaces belong together: those that talk to each other, or to the same master on another machine.
//!
//! Two labs or two groups of containers on one machine may use the same addresses, and nodes of the same names. What is known by a
//! name or an address is therefore known within a network.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Places remembered that were joined to another.
const JOINED_LIMIT: usize = 4096;

/// A network namespace of this machine, or a master on another one. The place that stands for all of a network names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// By inode; 0 where it is not known, as in a packet capture.
    Namespace(u64),
    /// Where it listens.
    Master(SocketAddr),
}

impl Default for Place {
    fn default() -> Self {
        Self::Namespace(0)
    }
}

/// Which places are one network.
#[derive(Clone, Debug, Default)]
pub(crate) struct Networks {
    /// Each points towards the place that stands for its network.
    joined: BTreeMap<Place, Place>,
}

impl Networks {
    /// The place that stands for the network of this one.
    pub fn of(&self, place: Place) -> Place {
        let mut at = place;
        while let Some(next) = self.joined.get(&at) {
            at = *next;
        }
        at
    }

    /// Masters that were reached at one of these addresses.
    pub fn masters_at(&self, has: impl Fn(IpAddr) -> bool) -> Vec<SocketAddr> {
        let masters = self.joined.keys().filter_map(|place| match place {
            Place::Master(address) => Some(*address),
            Place::Namespace(_) => None,
        });
        masters.filter(|address| has(address.ip())).collect()
    }

    pub fn same(&self, one: Place, other: Place) -> bool {
        self.of(one) == self.of(other)
    }

    /// They talk to each other. Gives the network that ceases, and the one that it is part of now.
    pub fn join(&mut self, one: Place, other: Place) -> Option<(Place, Place)> {
        let unknown = |place| place == Place::default();
        if unknown(one) || unknown(other) || self.joined.len() >= JOINED_LIMIT {
            return None;
        }
        let (into, from) = (self.of(one), self.of(other));
        if into == from {
            return None;
        }
        self.joined.insert(from, into);
        Some((from, into))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_places_are_one_network_and_others_are_not() {
        let mut networks = Networks::default();
        let namespace = Place::Namespace;
        let master = Place::Master("10.0.1.1:11311".parse().unwrap());
        assert_eq!(networks.join(namespace(1), namespace(2)), Some((namespace(2), namespace(1))));
        assert_eq!(networks.join(namespace(2), namespace(1)), None);
        networks.join(namespace(3), master);
        networks.join(namespace(4), master);
        assert_eq!(networks.masters_at(|ip| ip == IpAddr::from([10, 0, 1, 1])).len(), 1);
        assert_eq!(networks.masters_at(|ip| ip == IpAddr::from([10, 0, 1, 2])), Vec::new());
        assert!(networks.same(namespace(3), namespace(4)) && networks.same(namespace(1), namespace(2)));
        assert!(!networks.same(namespace(1), namespace(3)));
        networks.join(namespace(2), namespace(4));
        assert!(networks.same(namespace(1), namespace(3)));
        assert_eq!(networks.join(namespace(0), namespace(9)), None, "what is not known joins nothing");
    }
}
