//! TCP segments, RFC 9293.

use std::net::SocketAddr;

use super::ip::IpPacket;

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const ACK: u8 = 0x10;

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub sequence: u32,
    pub acknowledgement: u32,
    pub flags: u8,
    pub payload: &'a [u8],
    /// Length of the payload on the wire.
    pub length: usize,
    /// IPv4 identification.
    pub ip_id: u16,
}

impl<'a> Segment<'a> {
    /// Reads a TCP header; `None` when it is cut or contradicts itself.
    pub fn parse(packet: &IpPacket<'a>) -> Option<Self> {
        let header = packet.payload.get(..20)?;
        let header_length = usize::from(header[12] >> 4) * 4;
        if header_length < 20 {
            return None;
        }
        let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let port = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        Some(Self {
            source: SocketAddr::new(packet.source, port(0)),
            destination: SocketAddr::new(packet.destination, port(2)),
            sequence: word(4),
            acknowledgement: word(8),
            flags: header[13],
            payload: packet.payload.get(header_length..).unwrap_or_default(),
            length: packet.length.checked_sub(header_length)?,
            ip_id: packet.id,
        })
    }

    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}
