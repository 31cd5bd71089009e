//! ICMP errors: which connection they end, and with which errno Linux would report it.

use std::net::SocketAddr;

use super::ip::{self, ICMP, ICMPV6, IpPacket};
use crate::errno::Errno;

/// An ICMP error about a packet of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreachable {
    /// What `connect()` or the next send reports.
    pub errno: Errno,
    /// Protocol of the quoted packet.
    pub protocol: u8,
    pub source: SocketAddr,
    pub destination: SocketAddr,
    /// For TCP: the quoted sequence number.
    pub sequence: Option<u32>,
    /// For TCP: whether the quoted segment is a SYN; `None` where the quotation ends before its flags.
    pub syn: Option<bool>,
}

/// Reads an ICMP error of either version; `None` for every other message.
pub(super) fn parse(packet: &IpPacket<'_>) -> Option<Unreachable> {
    let head = packet.payload.get(..8)?;
    let errno = match packet.protocol {
        ICMP => errno_v4(head[0], head[1])?,
        ICMPV6 => errno_v6(head[0], head[1])?,
        _ => return None,
    };
    let quoted = ip::parse(&packet.payload[8..])?;
    let ports = quoted.payload.get(..4)?;
    let port = |at: usize| u16::from_be_bytes([ports[at], ports[at + 1]]);
    let tcp = quoted.protocol == ip::TCP;
    let sequence = quoted.payload.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    Some(Unreachable {
        errno,
        protocol: quoted.protocol,
        source: SocketAddr::new(quoted.source, port(0)),
        destination: SocketAddr::new(quoted.destination, port(2)),
        sequence: sequence.filter(|_| tcp),
        syn: quoted.payload.get(13).filter(|_| tcp).map(|flags| flags & 0x12 == 0x02),
    })
}

/// `icmp_err_convert` of Linux, net/ipv4/icmp.c; codes by RFC 792, RFC 1122 and RFC 1812.
fn errno_v4(kind: u8, code: u8) -> Option<Errno> {
    match (kind, code) {
        (3, 0 | 6 | 9 | 11) => Some(Errno::ENETUNREACH),
        (3, 1 | 10 | 12..=15) | (11, _) => Some(Errno::EHOSTUNREACH),
        (3, 2) => Some(Errno::ENOPROTOOPT),
        (3, 3) => Some(Errno::ECONNREFUSED),
        (3, 5) => Some(Errno::EOPNOTSUPP),
        (3, 7) => Some(Errno::EHOSTDOWN),
        // 4 is path MTU discovery at work, 8 is obsolete.
        _ => None,
    }
}

/// `tab_unreach` of Linux, net/ipv6/icmp.c; codes by RFC 4443.
fn errno_v6(kind: u8, code: u8) -> Option<Errno> {
    match (kind, code) {
        (1, 0) => Some(Errno::ENETUNREACH),
        (1, 1 | 5 | 6) => Some(Errno::EACCES),
        (1, 2 | 3) | (3, _) => Some(Errno::EHOSTUNREACH),
        (1, 4) => Some(Errno::ECONNREFUSED),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(kind: u8, code: u8, transport: &[u8]) -> Vec<u8> {
        let mut payload = vec![kind, code, 0, 0, 0, 0, 0, 0];
        payload.extend([0x45, 0, 0, 60, 0, 1, 0x40, 0, 64, ip::TCP, 0, 0, 10, 0, 1, 2, 10, 0, 1, 1]);
        payload.extend(transport);
        payload
    }

    fn parsed(payload: &[u8]) -> Option<Unreachable> {
        let here = "10.0.1.1".parse().unwrap();
        parse(&IpPacket {
            source: here,
            destination: here,
            protocol: ICMP,
            id: 0,
            payload,
            length: payload.len(),
            fragment: None,
        })
    }

    #[test]
    fn kinds_of_unreachable_become_the_errno_of_linux() {
        let syn = [0xa0, 0, 0x2c, 0x2f, 0, 0, 0, 7, 0, 0, 0, 0, 0xa0, 2];
        for (code, errno) in [
            (0, Errno::ENETUNREACH),
            (1, Errno::EHOSTUNREACH),
            (3, Errno::ECONNREFUSED),
            (9, Errno::ENETUNREACH),
            (10, Errno::EHOSTUNREACH),
            (13, Errno::EHOSTUNREACH),
        ] {
            let unreachable = parsed(&quote(3, code, &syn)).unwrap();
            assert_eq!(unreachable.errno, errno);
            assert_eq!(unreachable.source, "10.0.1.2:40960".parse().unwrap());
            assert_eq!(unreachable.destination, "10.0.1.1:11311".parse().unwrap());
            assert_eq!((unreachable.sequence, unreachable.syn), (Some(7), Some(true)));
        }
        assert_eq!(parsed(&quote(3, 4, &syn)), None, "fragmentation needed is no failure");
        assert_eq!(parsed(&quote(8, 0, &syn)), None, "a ping");
    }

    #[test]
    fn eight_quoted_bytes_are_enough() {
        let unreachable = parsed(&quote(3, 1, &[0xa0, 0, 0x2c, 0x2f, 0, 0, 0, 7])).unwrap();
        assert_eq!((unreachable.sequence, unreachable.syn), (Some(7), None));
        assert_eq!(parsed(&quote(3, 1, &[0xa0, 0])), None);
    }
}
