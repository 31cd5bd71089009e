//! Link layers: from a captured frame to the IP packet in it.

/// Link types that are understood, <https://www.tcpdump.org/linktypes.html>.
const NULL: u32 = 0;
const ETHERNET: u32 = 1;
const RAW_BSD: u32 = 12;
const RAW_OPENBSD: u32 = 14;
const RAW: u32 = 101;
const LOOP: u32 = 108;
const LINUX_SLL: u32 = 113;
const IPV4: u32 = 228;
const IPV6: u32 = 229;
const LINUX_SLL2: u32 = 276;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad and their two common forerunners.
const ETHERTYPES_VLAN: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
/// Stacked tags that are looked through.
const VLAN_LIMIT: usize = 4;

/// True when frames of this link type are understood.
pub(super) fn is_known(link: u32) -> bool {
    matches!(link, NULL | ETHERNET | RAW_BSD | RAW_OPENBSD | RAW | LOOP | LINUX_SLL | IPV4 | IPV6 | LINUX_SLL2)
}

/// The IPv4 or IPv6 packet in a frame; `None` when it carries something else, or is cut before.
pub(super) fn ip_packet(link: u32, frame: &[u8]) -> Option<&[u8]> {
    match link {
        ETHERNET => by_ethertype(be16(frame, 12)?, frame.get(14..)?),
        LINUX_SLL => by_ethertype(be16(frame, 14)?, frame.get(16..)?),
        LINUX_SLL2 => by_ethertype(be16(frame, 0)?, frame.get(20..)?),
        // The address family is in the byte order of whoever captured, and its number for IPv6 depends on the system:
        // the IP version right behind it says the same.
        NULL | LOOP => frame.get(4..),
        RAW | RAW_BSD | RAW_OPENBSD | IPV4 | IPV6 => Some(frame),
        _ => None,
    }
}

fn by_ethertype(mut ethertype: u16, mut rest: &[u8]) -> Option<&[u8]> {
    for _ in 0..=VLAN_LIMIT {
        match ethertype {
            ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => return Some(rest),
            tag if ETHERTYPES_VLAN.contains(&tag) => {
                ethertype = be16(rest, 2)?;
                rest = rest.get(4..)?;
            }
            _ => return None,
        }
    }
    None
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_layer_leads_to_the_packet() {
        let ip = [0x45, 1, 2, 3];
        let with = |head: &[u8]| [head, &ip].concat();
        let mac = [0_u8; 12];
        let frames = [
            (ETHERNET, with(&[&mac[..], &[0x08, 0x00]].concat())),
            (ETHERNET, with(&[&mac[..], &[0x81, 0x00, 0, 5, 0x08, 0x00]].concat())),
            (ETHERNET, with(&[&mac[..], &[0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6, 0x86, 0xdd]].concat())),
            (LINUX_SLL, with(&[&[0; 14][..], &[0x08, 0x00]].concat())),
            (LINUX_SLL, with(&[&[0; 14][..], &[0x81, 0x00, 0, 5, 0x08, 0x00]].concat())),
            (LINUX_SLL2, with(&[&[0x08, 0x00][..], &[0; 18]].concat())),
            (RAW, with(&[])),
            (NULL, with(&[2, 0, 0, 0])),
            (NULL, with(&[0, 0, 0, 30])),
            (LOOP, with(&[0, 0, 0, 2])),
        ];
        for (link, frame) in &frames {
            assert!(is_known(*link));
            assert_eq!(ip_packet(*link, frame), Some(&ip[..]), "{link} {frame:x?}");
            for cut in 0..frame.len() - ip.len() {
                let short = ip_packet(*link, &frame[..cut]);
                assert!(short.is_none_or(<[u8]>::is_empty), "{link} cut at {cut}");
            }
        }
        assert_eq!(ip_packet(ETHERNET, &with(&[&mac[..], &[0x08, 0x06]].concat())), None, "ARP");
        assert_eq!(ip_packet(105, &ip), None, "802.11");
    }
}
