//! IPv4 and IPv6: headers, extension headers, and fragments put together again.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;

/// Extension headers of one packet that are looked through.
const EXTENSION_LIMIT: usize = 8;
/// Packets in reassembly at once; the oldest gives way.
const REASSEMBLY_LIMIT: usize = 256;
/// Fragments of one packet.
const FRAGMENT_LIMIT: usize = 256;
/// Longest payload that fragments can make, in bytes.
const PAYLOAD_LIMIT: usize = 65_535;
/// How long fragments wait for the others, in nanoseconds: 30 s, as Linux does.
const REASSEMBLY_TIME: u64 = 30_000_000_000;

/// An IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IpPacket<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// Protocol of the payload, after all extension headers.
    pub protocol: u8,
    /// IPv4 identification; 0 for IPv6.
    pub id: u16,
    /// The payload as far as it was captured.
    pub payload: &'a [u8],
    /// Length of the payload on the wire, in bytes; more than `payload.len()` when the capture cut it.
    pub length: usize,
    pub fragment: Option<Fragment>,
}

/// Which part of a packet a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    id: u32,
    offset: usize,
    last: bool,
}

/// Reads an IP header. `None` when it is none, or is cut.
pub(super) fn parse(bytes: &[u8]) -> Option<IpPacket<'_>> {
    match bytes.first()? >> 4 {
        4 => parse_v4(bytes),
        6 => parse_v6(bytes),
        _ => None,
    }
}

/// RFC 791.
fn parse_v4(bytes: &[u8]) -> Option<IpPacket<'_>> {
    let header_length = usize::from(bytes[0] & 0xf) * 4;
    if header_length < 20 {
        return None;
    }
    let header = bytes.get(..header_length)?;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    // With segmentation offload a capture sees packets longer than 64 KiB, whose length field is 0.
    let length = if total == 0 { bytes.len() - header_length } else { total.checked_sub(header_length)? };
    let rest = &bytes[header_length..];
    let id = u16::from_be_bytes([header[4], header[5]]);
    let flags = u16::from_be_bytes([header[6], header[7]]);
    let (offset, more) = (usize::from(flags & 0x1fff) * 8, flags & 0x2000 != 0);
    Some(IpPacket {
        source: IpAddr::V4(Ipv4Addr::new(header[12], header[13], header[14], header[15])),
        destination: IpAddr::V4(Ipv4Addr::new(header[16], header[17], header[18], header[19])),
        protocol: header[9],
        id,
        payload: &rest[..length.min(rest.len())],
        length,
        fragment: (offset > 0 || more).then_some(Fragment { id: u32::from(id), offset, last: !more }),
    })
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;

/// RFC 8200.
fn parse_v6(bytes: &[u8]) -> Option<IpPacket<'_>> {
    let header = bytes.get(..40)?;
    let address = |at: usize| -> Option<IpAddr> {
        let octets: [u8; 16] = header.get(at..at + 16)?.try_into().ok()?;
        Some(IpAddr::V6(Ipv6Addr::from(octets)))
    };
    let announced = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let rest = &bytes[40..];
    // 0 is a jumbogram, or segmentation offload.
    let mut length = if announced == 0 { rest.len() } else { announced };
    let mut payload = &rest[..length.min(rest.len())];
    let mut protocol = header[6];
    let mut fragment = None;
    for _ in 0..EXTENSION_LIMIT {
        let size = match protocol {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY => (usize::from(*payload.get(1)?) + 1) * 8,
            AUTHENTICATION => (usize::from(*payload.get(1)?) + 2) * 4,
            FRAGMENT => {
                let head = payload.get(..8)?;
                let field = u16::from_be_bytes([head[2], head[3]]);
                let part = Fragment {
                    id: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
                    offset: usize::from(field & 0xfff8),
                    last: field & 1 == 0,
                };
                // A fragment that is the whole packet (RFC 6946) is none.
                fragment = (part.offset > 0 || !part.last).then_some(part);
                8
            }
            _ => break,
        };
        let was_fragment_header = protocol == FRAGMENT;
        protocol = *payload.first()?;
        payload = payload.get(size..)?;
        length = length.checked_sub(size)?;
        if was_fragment_header && fragment.is_some_and(|part| part.offset > 0) {
            break;
        }
    }
    Some(IpPacket { source: address(8)?, destination: address(24)?, protocol, id: 0, payload, length, fragment })
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    id: u32,
}

#[derive(Debug, Default)]
struct Reassembly {
    since: u64,
    parts: BTreeMap<usize, Vec<u8>>,
    total: Option<usize>,
}

/// Fragments that wait for the others.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    waiting: BTreeMap<Key, Reassembly>,
    order: VecDeque<Key>,
    /// Packets that could not be put together: a fragment missing, cut or contradictory.
    pub incomplete: u64,
}

impl Fragments {
    /// Takes a fragment; gives the whole payload once its last missing part has come. `time` is in nanoseconds.
    pub fn insert(&mut self, time: u64, packet: &IpPacket<'_>, fragment: Fragment) -> Option<Vec<u8>> {
        let key = Key {
            source: packet.source,
            destination: packet.destination,
            // IPv6 knows the protocol only from the first fragment, and does not need it here (RFC 8200, 4.5).
            protocol: if packet.source.is_ipv4() { packet.protocol } else { 0 },
            id: fragment.id,
        };
        self.expire(time);
        if !self.waiting.contains_key(&key) {
            if self.order.len() == REASSEMBLY_LIMIT
                && let Some(oldest) = self.order.pop_front()
            {
                self.give_up(&oldest);
            }
            self.order.push_back(key.clone());
            self.waiting.insert(key.clone(), Reassembly { since: time, ..Reassembly::default() });
        }
        let entry = self.waiting.get_mut(&key)?;
        match entry.insert(packet, fragment) {
            Assembly::Waiting => None,
            Assembly::Whole(payload) => {
                self.forget(&key);
                Some(payload)
            }
            Assembly::Impossible => {
                self.incomplete += 1;
                self.forget(&key);
                None
            }
        }
    }

    /// The capture is over: what still waits is incomplete.
    pub fn finish(&mut self) {
        self.incomplete += self.waiting.len() as u64;
        self.waiting.clear();
        self.order.clear();
    }

    fn expire(&mut self, time: u64) {
        while let Some(oldest) = self.order.front() {
            if self.waiting.get(oldest).is_some_and(|parts| time.saturating_sub(parts.since) < REASSEMBLY_TIME) {
                break;
            }
            let oldest = oldest.clone();
            self.order.pop_front();
            self.give_up(&oldest);
        }
    }

    fn give_up(&mut self, key: &Key) {
        if self.waiting.remove(key).is_some() {
            self.incomplete += 1;
        }
    }

    fn forget(&mut self, key: &Key) {
        self.waiting.remove(key);
        self.order.retain(|waiting| waiting != key);
    }
}

enum Assembly {
    Waiting,
    Whole(Vec<u8>),
    Impossible,
}

impl Reassembly {
    fn insert(&mut self, packet: &IpPacket<'_>, fragment: Fragment) -> Assembly {
        let end = fragment.offset + packet.length;
        if packet.payload.len() < packet.length || end > PAYLOAD_LIMIT || self.parts.len() >= FRAGMENT_LIMIT {
            return Assembly::Impossible;
        }
        if fragment.last {
            if self.total.is_some_and(|total| total != end) {
                return Assembly::Impossible;
            }
            self.total = Some(end);
        }
        // A repeated fragment changes nothing; the first copy stands.
        self.parts.entry(fragment.offset).or_insert_with(|| packet.payload.to_vec());
        self.assemble()
    }

    fn assemble(&self) -> Assembly {
        let Some(total) = self.total else { return Assembly::Waiting };
        let mut reached = 0;
        for (offset, part) in &self.parts {
            if *offset > reached {
                return Assembly::Waiting;
            }
            reached = reached.max(offset + part.len());
        }
        if reached < total {
            return Assembly::Waiting;
        }
        if reached > total {
            return Assembly::Impossible;
        }
        let mut payload = Vec::with_capacity(total);
        for (offset, part) in &self.parts {
            let known = payload.len() - offset;
            payload.extend_from_slice(part.get(known..).unwrap_or_default());
        }
        Assembly::Whole(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(id: u16, offset: usize, more: bool, payload: &[u8]) -> Vec<u8> {
        let total = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
        let flags = (u16::try_from(offset / 8).unwrap() | if more { 0x2000 } else { 0 }).to_be_bytes();
        let id = id.to_be_bytes();
        let mut packet = vec![0x45, 0, total[0], total[1], id[0], id[1], flags[0], flags[1], 64, TCP, 0, 0];
        packet.extend([10, 0, 1, 1, 10, 0, 1, 2]);
        packet.extend(payload);
        packet
    }

    fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], next, 64];
        packet.extend([0xfd; 16]);
        packet.extend([0xfe; 16]);
        packet.extend(payload);
        packet
    }

    fn reassemble(packets: &[Vec<u8>]) -> (Vec<Vec<u8>>, u64) {
        let mut fragments = Fragments::default();
        let whole = packets
            .iter()
            .filter_map(|bytes| {
                let packet = parse(bytes).unwrap();
                fragments.insert(0, &packet, packet.fragment.unwrap())
            })
            .collect();
        fragments.finish();
        (whole, fragments.incomplete)
    }

    #[test]
    fn padding_behind_the_packet_is_no_payload() {
        let mut bytes = v4(1, 0, false, b"abc");
        bytes.extend([0; 20]);
        let packet = parse(&bytes).unwrap();
        assert_eq!((packet.payload, packet.length, packet.fragment), (&b"abc"[..], 3, None));
    }

    #[test]
    fn a_cut_packet_knows_its_length() {
        let bytes = v4(1, 0, false, b"abcdef");
        let packet = parse(&bytes[..23]).unwrap();
        assert_eq!((packet.payload, packet.length), (&b"abc"[..], 6));
    }

    #[test]
    fn extension_headers_are_looked_through() {
        let options = [DESTINATION_OPTIONS, 0, 0, 0, 0, 0, 0, 0, TCP, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let bytes = v6(HOP_BY_HOP, &[&options[..], b"tcp"].concat());
        let packet = parse(&bytes).unwrap();
        assert_eq!((packet.protocol, packet.payload, packet.length), (TCP, &b"tcp"[..], 3));
        assert!(parse(&bytes[..45]).is_none());
    }

    #[test]
    fn fragments_come_in_any_order_and_more_than_once() {
        let (a, b, c) = (v4(7, 0, true, b"01234567"), v4(7, 8, true, b"89abcdef"), v4(7, 16, false, b"ghi"));
        let whole = b"0123456789abcdefghi".to_vec();
        for order in [[&a, &b, &c], [&c, &b, &a], [&b, &c, &a]] {
            assert_eq!(reassemble(&order.map(Clone::clone)), (vec![whole.clone()], 0));
        }
        assert_eq!(reassemble(&[a.clone(), a.clone(), c.clone(), b.clone()]), (vec![whole], 0));
        assert_eq!(reassemble(&[a, c]), (vec![], 1), "one is missing");
    }

    #[test]
    fn overlapping_fragments_keep_what_came_first_in_the_packet() {
        let parts = [v4(7, 0, true, b"0123456789abcdef"), v4(7, 8, false, b"XXXXXXXXghi")];
        assert_eq!(reassemble(&parts), (vec![b"0123456789abcdefghi".to_vec()], 0));
    }

    #[test]
    fn fragments_of_ipv6() {
        let head = |offset: u16, more: u16| {
            let field = (offset | more).to_be_bytes();
            vec![TCP, 0, field[0], field[1], 0, 0, 0, 9]
        };
        let first = v6(FRAGMENT, &[head(0, 1), b"01234567".to_vec()].concat());
        let second = v6(FRAGMENT, &[head(8, 0), b"89".to_vec()].concat());
        assert_eq!(reassemble(&[second, first]), (vec![b"0123456789".to_vec()], 0));
        let atomic = v6(FRAGMENT, &[head(0, 0), b"whole".to_vec()].concat());
        let packet = parse(&atomic).unwrap();
        assert_eq!((packet.fragment, packet.payload), (None, &b"whole"[..]));
    }

    #[test]
    fn reassembly_is_bounded() {
        let mut fragments = Fragments::default();
        for id in 0..2000 {
            let bytes = v4(id, 0, true, b"01234567");
            let packet = parse(&bytes).unwrap();
            assert!(fragments.insert(0, &packet, packet.fragment.unwrap()).is_none());
        }
        assert!(fragments.waiting.len() <= REASSEMBLY_LIMIT);
        assert!(fragments.order.len() <= REASSEMBLY_LIMIT);
    }
}
