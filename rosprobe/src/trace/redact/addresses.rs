//! Addresses: placeholders among which everything lies in the same subnets as among the originals.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Maps addresses to placeholders. Two addresses that share their first bits share as many in their placeholders;
/// private stays private and link-local stays link-local; loopback, multicast and unspecified addresses tell nothing and
/// stay as they are.
#[derive(Debug, Default)]
pub(super) struct AddressMap {
    placeholders: BTreeMap<IpAddr, IpAddr>,
}

impl AddressMap {
    pub fn new(originals: &BTreeSet<IpAddr>) -> Self {
        let originals: BTreeSet<IpAddr> =
            originals.iter().copied().filter(|address| class(*address).is_some()).collect();
        // Usually the first one does: a mark that makes no placeholder look like an original.
        let marks = (100..=255).chain(1..100);
        let maps = marks.map(|mark| relabel(&originals, mark));
        let fits = |map: &BTreeMap<IpAddr, IpAddr>| is_clean(&originals, map);
        let placeholders = maps.into_iter().find(fits).unwrap_or_else(|| relabel(&originals, 100));
        Self { placeholders }
    }

    /// Every original with its placeholder.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> + '_ {
        self.placeholders.iter().map(|(original, placeholder)| (*original, *placeholder))
    }

    /// The placeholder; an address that tells nothing is its own.
    pub fn get(&self, address: IpAddr) -> IpAddr {
        self.placeholders.get(&address).copied().unwrap_or(address)
    }
}

/// True when no placeholder contains an original, even as a part of its text, and no two are the same.
fn is_clean(originals: &BTreeSet<IpAddr>, map: &BTreeMap<IpAddr, IpAddr>) -> bool {
    let texts: Vec<String> = originals.iter().map(IpAddr::to_string).collect();
    let distinct: BTreeSet<&IpAddr> = map.values().collect();
    distinct.len() == map.len()
        && map.values().all(|placeholder| {
            let placeholder = placeholder.to_string();
            !texts.iter().any(|text| placeholder.contains(text.as_str()))
        })
}

/// A block of addresses of one kind, whose first `kept` bits are the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Class {
    bits: u32,
    kept: u32,
    prefix: u128,
    /// Where in the address the mark goes.
    mark_at: u32,
    public: bool,
}

/// The kind of an address; `None` for one that tells nothing about anybody.
fn class(address: IpAddr) -> Option<Class> {
    match address {
        IpAddr::V4(address) => {
            if address.is_loopback() || address.is_unspecified() || address.is_broadcast() || address.is_multicast() {
                return None;
            }
            let (kept, mark_at) = match address.octets() {
                [10, ..] => (8, 16),
                [172, 16..=31, ..] => (12, 8),
                [100, 64..=127, ..] => (10, 8),
                // 192.168/16 and 169.254/16, and the blocks into which public addresses are cut.
                _ => (16, 8),
            };
            let public =
                !(address.is_private() || address.is_link_local() || matches!(address.octets(), [100, 64..=127, ..]));
            Some(Class { bits: 32, kept, prefix: u128::from(u32::from(address) >> (32 - kept)), mark_at, public })
        }
        IpAddr::V6(address) => {
            if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
                return None;
            }
            let (kept, mark_at) = match address.segments()[0] {
                0xfe80..=0xfebf => (64, 48),
                0xfc00..=0xfdff => (8, 112),
                _ => (32, 80),
            };
            let public = kept == 32;
            Some(Class { bits: 128, kept, prefix: u128::from(address) >> (128 - kept), mark_at, public })
        }
    }
}

fn relabel(originals: &BTreeSet<IpAddr>, mark: u128) -> BTreeMap<IpAddr, IpAddr> {
    let mut classes: BTreeMap<Class, BTreeSet<u128>> = BTreeMap::new();
    for (address, class) in originals.iter().filter_map(|address| Some((*address, class(*address)?))) {
        let rest = number(address) & low_bits(class.bits - class.kept);
        let members = classes.entry(class).or_default();
        members.insert(rest);
        // The network's own number, so that its first host gets a 1 and not a 0.
        let host_bits = if class.bits == 32 { 8 } else { 64 };
        members.insert(rest & !low_bits(host_bits));
    }
    let mut map = BTreeMap::new();
    let mut publics = 0;
    for (class, members) in classes {
        let members: Vec<u128> = members.into_iter().collect();
        let mut labels = Vec::with_capacity(members.len());
        squeeze(&members, class.bits - class.kept, 0, &mut labels);
        let prefix = if class.public {
            publics += 1;
            placeholder_prefix(class.bits, publics)
        } else {
            class.prefix << (class.bits - class.kept)
        };
        for (member, label) in members.iter().zip(labels) {
            let original = address(class.bits, (class.prefix << (class.bits - class.kept)) | member);
            if originals.contains(&original) {
                map.insert(original, address(class.bits, prefix | (label ^ (mark << class.mark_at))));
            }
        }
    }
    map
}

/// Blocks for public addresses: 198.18.0.0/15 (RFC 2544) and what follows it, and `2001:db8::/32` (RFC 3849).
fn placeholder_prefix(bits: u32, number: u128) -> u128 {
    if bits == 32 {
        (198_u128 << 24) | (((17 + number) & 0xff) << 16)
    } else {
        (0x2001_0db8_u128 << 96) ^ ((number - 1) << 88)
    }
}

/// Numbers the members anew, bit by bit: where two of them part, their labels part, and everything else is 0.
fn squeeze(members: &[u128], bits: u32, label: u128, labels: &mut Vec<u128>) {
    if bits == 0 {
        labels.push(label);
        return;
    }
    let bit = 1 << (bits - 1);
    let (zeros, ones) = members.split_at(members.partition_point(|member| member & bit == 0));
    match (zeros.is_empty(), ones.is_empty()) {
        (false, false) => {
            squeeze(&clear(zeros, bit), bits - 1, label, labels);
            squeeze(&clear(ones, bit), bits - 1, label | bit, labels);
        }
        (true, _) => squeeze(&clear(ones, bit), bits - 1, label, labels),
        (false, true) => squeeze(&clear(zeros, bit), bits - 1, label, labels),
    }
}

fn clear(members: &[u128], bit: u128) -> Vec<u128> {
    members.iter().map(|member| member & !bit).collect()
}

fn low_bits(bits: u32) -> u128 {
    1_u128.checked_shl(bits).map_or(u128::MAX, |value| value - 1)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn address(bits: u32, number: u128) -> IpAddr {
    if bits == 32 {
        #[expect(clippy::cast_possible_truncation, reason = "an IPv4 address has 32 bits")]
        let number = number as u32;
        IpAddr::V4(Ipv4Addr::from(number))
    } else {
        IpAddr::V6(Ipv6Addr::from(number))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(texts: &[&str]) -> Vec<String> {
        let originals: Vec<IpAddr> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let map = AddressMap::new(&originals.iter().copied().collect());
        originals.iter().map(|address| map.get(*address).to_string()).collect()
    }

    #[test]
    fn placeholders_look_like_a_network_plan() {
        let originals =
            ["10.0.1.1", "10.0.1.2", "192.168.50.1", "192.168.50.2", "127.0.0.1", "8.8.8.8", "fd50::1", "::1"];
        let expected = [
            "10.100.0.1",
            "10.100.0.2",
            "192.168.100.1",
            "192.168.100.2",
            "127.0.0.1",
            "198.18.100.8",
            "fd64::1",
            "::1",
        ];
        assert_eq!(map(&originals), expected);
    }

    #[test]
    fn a_placeholder_is_never_an_original() {
        let originals = ["10.100.0.1", "10.100.0.2", "192.168.100.1", "198.18.100.1"];
        for placeholder in map(&originals) {
            assert!(!originals.contains(&placeholder.as_str()), "{placeholder}");
        }
    }

    fn shared_bits(a: IpAddr, b: IpAddr) -> u32 {
        let width = if a.is_ipv4() { 96 } else { 0 };
        (number(a) ^ number(b)).leading_zeros() - width
    }

    proptest! {
        #[test]
        fn subnets_stay_subnets(hosts in proptest::collection::btree_set(any::<(u8, u8, u8)>(), 1..40)) {
            let originals: BTreeSet<IpAddr> = hosts.iter().map(|(b, c, d)| IpAddr::from([10, *b, *c, *d])).collect();
            let map = AddressMap::new(&originals);
            let (mut seen, mut pairs) = (BTreeSet::new(), 0);
            for a in &originals {
                prop_assert!(seen.insert(map.get(*a)));
                prop_assert!(!originals.contains(&map.get(*a)) || originals.len() > 5);
                for b in originals.iter().filter(|b| a != *b) {
                    prop_assert_eq!(shared_bits(*a, *b), shared_bits(map.get(*a), map.get(*b)));
                    pairs += 1;
                }
            }
            prop_assert_eq!(pairs, originals.len() * (originals.len() - 1));
        }
    }
}
