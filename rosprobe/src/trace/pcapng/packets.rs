//! Packets from observations: what stood on the wire, as far as the observation keeps it.

use std::net::{IpAddr, SocketAddr};

use crate::errno::Errno;
use crate::event::Direction;
use crate::observation::{Http, TcprosHeader, What};

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// Both ends of a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

/// From where to where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    from: SocketAddr,
    to: SocketAddr,
}

impl Ends {
    pub fn towards(self, direction: Direction) -> Way {
        match direction {
            Direction::Sent => Way { from: self.local, to: self.remote },
            Direction::Received => Way { from: self.remote, to: self.local },
        }
    }
}

/// Bytes that an observation stands for.
pub(super) struct Content {
    pub direction: Direction,
    pub bytes: Vec<u8>,
}

/// The bytes of an observation; `None` where it stands for none.
pub(super) fn content(what: &What) -> Option<Content> {
    let (direction, bytes) = match what {
        What::Call { direction, http, .. }
        | What::Answer { direction, http, .. }
        | What::HttpOnly { direction, http } => (*direction, http_bytes(http)),
        What::TcprosHeader { direction, header } => (*direction, header_bytes(header)),
        What::NameQuery { name, record } => (Direction::Sent, dns(name, record, &[], None)),
        What::NameAnswer { name, record, addresses, status } => {
            (Direction::Received, dns(name, record, addresses, Some(status)))
        }
        _ => return None,
    };
    Some(Content { direction, bytes })
}

/// The message with the body that is kept: not compressed any more, and perhaps cut.
fn http_bytes(http: &Http) -> Vec<u8> {
    let about_body = ["content-length", "content-encoding", "transfer-encoding"];
    let kept = http.headers.iter().filter(|(name, _)| !about_body.iter().any(|known| name.eq_ignore_ascii_case(known)));
    let mut lines = vec![http.start_line.clone()];
    lines.extend(kept.map(|(name, value)| format!("{name}: {value}")));
    lines.push(format!("Content-Length: {}", http.body.len()));
    format!("{}\r\n\r\n{}", lines.join("\r\n"), http.body).into_bytes()
}

/// <https://wiki.ros.org/ROS/TCPROS>
fn header_bytes(header: &TcprosHeader) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in &header.fields {
        let field = format!("{key}={value}");
        body.extend(length32(field.len()).to_le_bytes());
        body.extend(field.into_bytes());
    }
    let mut bytes = length32(body.len()).to_le_bytes().to_vec();
    bytes.extend(body);
    bytes
}

fn length32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// RFC 1035.
fn dns(name: &str, record: &str, addresses: &[IpAddr], status: Option<&str>) -> Vec<u8> {
    let code: u16 = match status {
        None | Some("NOERROR") => 0,
        Some("SERVFAIL") => 2,
        Some("NXDOMAIN") => 3,
        Some(other) => other.parse().unwrap_or(2),
    };
    let kind: u16 = match record {
        "A" => 1,
        "AAAA" => 28,
        other => other.parse().unwrap_or(255),
    };
    let flags = if status.is_some() { 0x8180 | (code & 0xf) } else { 0x0100 };
    let answers: Vec<IpAddr> = addresses.iter().copied().filter(|address| address.is_ipv4() == (kind == 1)).collect();
    let mut bytes = Vec::new();
    for field in [1, flags, 1, u16::try_from(answers.len()).unwrap_or(0), 0, 0] {
        bytes.extend(field.to_be_bytes());
    }
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        bytes.push(u8::try_from(label.len()).unwrap_or(0));
        bytes.extend(label);
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend(1_u16.to_be_bytes());
    for address in answers {
        // The name is the one at offset 12.
        bytes.extend([0xc0, 12]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 0]);
        let octets = octets(address);
        bytes.extend([0, u8::try_from(octets.len()).unwrap_or(0)]);
        bytes.extend(octets);
    }
    bytes
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A TCP segment in its IP packet.
pub(super) fn tcp(way: Way, sequence: u32, acknowledgement: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(20 + payload.len());
    segment.extend(way.from.port().to_be_bytes());
    segment.extend(way.to.port().to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend(acknowledgement.to_be_bytes());
    segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    ip(way.from.ip(), way.to.ip(), TCP, segment, Some(16))
}

/// A UDP datagram in its IP packet.
pub(super) fn udp(way: Way, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(60_000)];
    let mut datagram = Vec::with_capacity(8 + payload.len());
    datagram.extend(way.from.port().to_be_bytes());
    datagram.extend(way.to.port().to_be_bytes());
    datagram.extend(u16::try_from(8 + payload.len()).unwrap_or(u16::MAX).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    ip(way.from.ip(), way.to.ip(), UDP, datagram, Some(6))
}

/// The ICMP error that leads to this errno, about the packet `quoted`; `None` where there is none.
pub(super) fn icmp(ends: Ends, errno: Errno, quoted: &[u8]) -> Option<Vec<u8>> {
    let v4 = ends.local.is_ipv4();
    let (kind, code) = match (errno, v4) {
        (Errno::ENETUNREACH, true) => (3, 0),
        (Errno::EHOSTUNREACH, true) => (3, 1),
        (Errno::ENETUNREACH, false) => (1, 0),
        (Errno::EHOSTUNREACH, false) => (1, 3),
        (Errno::EACCES, false) => (1, 1),
        _ => return None,
    };
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend(quoted);
    let own = ends.local.ip();
    Some(ip(own, own, if v4 { ICMP } else { ICMPV6 }, message, Some(2)))
}

/// Puts a payload into an IP packet; its checksum is at `checksum_at`.
fn ip(from: IpAddr, to: IpAddr, protocol: u8, mut payload: Vec<u8>, checksum_at: Option<usize>) -> Vec<u8> {
    let length = length32(payload.len());
    if let Some(at) = checksum_at {
        let mut covered = Vec::with_capacity(payload.len() + 40);
        if protocol != ICMP {
            // The pseudo header of RFC 9293 and RFC 8200.
            covered.extend(octets(from));
            covered.extend(octets(to));
            covered.extend(length.to_be_bytes());
            covered.extend([0, 0, 0, protocol]);
        }
        covered.extend(&payload);
        let sum = checksum(&covered).to_be_bytes();
        payload[at..at + 2].copy_from_slice(&sum);
    }
    let short = |length: u32| u16::try_from(length).unwrap_or(0).to_be_bytes();
    let mut packet = Vec::with_capacity(40 + payload.len());
    if from.is_ipv4() {
        let total = short(length + 20);
        packet.extend([0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, protocol, 0, 0]);
        packet.extend(octets(from));
        packet.extend(octets(to));
        let sum = checksum(&packet).to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
    } else {
        let length = short(length);
        packet.extend([0x60, 0, 0, 0, length[0], length[1], protocol, 64]);
        packet.extend(octets(from));
        packet.extend(octets(to));
    }
    packet.extend(payload);
    packet
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u64 =
        bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}
