//! Packet captures: events from pcap and pcapng files, for robots on which rosprobe itself cannot run.

mod classify;
mod file;
mod flow;
mod icmp;
mod ip;
mod link;
mod segment;
mod stream;
mod tcp;
mod udpros;

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use rosprobe_common::rtps::MAGIC;

use self::file::PacketFile;
pub use self::file::{Damage, OpenError, Progress};
use self::ip::{Fragments, IpPacket};
use self::segment::Segment;
use self::tcp::Flows;
use self::udpros::Connections;
use crate::event::{Clock, Direction, Event, Fact, Monotonic, SocketRef, Transport};

/// Port of the domain name system.
const DNS_PORT: u16 = 53;
/// UDP sockets told apart at once.
const UDP_SOCKET_LIMIT: usize = 4096;
/// Packets of two interfaces may be this much out of order, in nanoseconds; what is more is a clock that was set back.
const OUT_OF_ORDER_NS: u64 = 1_000_000_000;
/// Packets read in one go.
const BATCH: usize = 1024;

/// What a packet capture could not tell, to be said with whatever is concluded from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PacketCounts {
    /// Packets in the file.
    pub packets: u64,
    /// Packets of a link type that is not understood, by link type.
    pub unknown_link: BTreeMap<u32, u64>,
    /// IP packets whose headers are cut or contradict themselves.
    pub malformed: u64,
    /// Packets shorter than they were on the wire.
    pub cut: u64,
    /// Fragmented packets that could not be put together.
    pub incomplete_fragments: u64,
    /// TCP segments that fit into no connection.
    pub stray_segments: u64,
    /// Connections dropped because too many were open at once.
    pub forgotten_connections: u64,
}

/// A packet capture being read.
#[derive(Debug)]
pub struct PacketCapture {
    file: PacketFile,
    progress: Progress,
    clock: Option<Clock>,
    zero: u64,
    /// By how much the wall clock was set back while it was taken, in nanoseconds.
    set_back: u64,
    now: u64,
    state: State,
    damage: Option<Damage>,
}

#[derive(Debug, Default)]
struct State {
    next_socket: u64,
    flows: Flows,
    fragments: Fragments,
    udp_sockets: HashMap<(SocketAddr, SocketAddr), u64>,
    udpros: Connections,
    counts: PacketCounts,
}

impl PacketCapture {
    /// Opens a pcap or pcapng file, gzip around it or not. An error when it cannot be read, is empty or has another header; what is wrong
    /// behind the header is told by [`damage`](Self::damage).
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let (file, progress) = PacketFile::open(path)?;
        Ok(Self::of(file, progress))
    }

    /// Reads a packet capture from anywhere.
    pub fn new(reader: impl Read + Send + 'static) -> Result<Self, OpenError> {
        let (file, progress) = PacketFile::counted(reader)?;
        Ok(Self::of(file, progress))
    }

    fn of(file: PacketFile, progress: Progress) -> Self {
        Self { file, progress, clock: None, zero: 0, set_back: 0, now: 0, state: State::default(), damage: None }
    }

    /// How much of the file has been read.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Wall-clock time at monotonic zero: the first packet's. Known after the first `read`.
    pub fn clock(&self) -> Option<Clock> {
        self.clock
    }

    /// Time of the latest packet so far.
    pub fn now(&self) -> Monotonic {
        Monotonic(self.now)
    }

    /// Reads some packets and appends their events. False when there are no more; then the file is done.
    pub fn read(&mut self, out: &mut Vec<Event>) -> bool {
        for _ in 0..BATCH {
            let packet = match self.file.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return self.finish(out),
                Err(damage) => {
                    self.damage = Some(damage);
                    return self.finish(out);
                }
            };
            if self.clock.is_none() {
                self.zero = packet.time;
                self.clock = Some(clock_at(packet.time));
            }
            let time = time_of(packet.time, self.zero, &mut self.set_back, self.now);
            self.now = self.now.max(time);
            self.state.packet(time, packet.link, packet.data, out);
        }
        self.state.flows.sweep(self.now, out);
        true
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> bool {
        let state = &mut self.state;
        state.flows.finish(self.now, out);
        for (source, destination, fact) in state.udpros.finish() {
            let socket = state.udp_socket(source, destination);
            out.push(Event { time: Monotonic(self.now), process: None, socket: Some(socket), fact });
        }
        state.fragments.finish();
        state.counts.incomplete_fragments = state.fragments.incomplete;
        state.counts.stray_segments = state.flows.stray;
        state.counts.forgotten_connections = state.flows.forgotten;
        false
    }

    /// What was read so far, and what could not be.
    pub fn counts(&self) -> &PacketCounts {
        &self.state.counts
    }

    /// Where and why reading ended before the end of the file, if it did.
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }
}

/// Packets carry the wall clock. Where that was set back, time goes on from where it was: no packet came before the one before it.
fn time_of(stamp: u64, zero: u64, set_back: &mut u64, now: u64) -> u64 {
    let begun = zero.saturating_sub(*set_back);
    let behind = begun.saturating_add(now).saturating_sub(stamp);
    if behind <= OUT_OF_ORDER_NS {
        return stamp.saturating_sub(begun);
    }
    *set_back = set_back.saturating_add(behind);
    now
}

fn clock_at(nanoseconds: u64) -> Clock {
    let zero = jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or(jiff::Timestamp::MAX);
    Clock { zero }
}

impl State {
    fn packet(&mut self, time: u64, link: u32, frame: &[u8], out: &mut Vec<Event>) {
        self.counts.packets += 1;
        if !link::is_known(link) {
            if self.counts.unknown_link.len() < 64 || self.counts.unknown_link.contains_key(&link) {
                *self.counts.unknown_link.entry(link).or_default() += 1;
            }
            return;
        }
        let Some(bytes) = link::ip_packet(link, frame) else { return };
        let Some(packet) = ip::parse(bytes) else {
            self.counts.malformed += 1;
            return;
        };
        self.counts.cut += u64::from(packet.payload.len() < packet.length);
        let Some(fragment) = packet.fragment else {
            self.transport(time, &packet, out);
            return;
        };
        if let Some(payload) = self.fragments.insert(time, &packet, fragment) {
            let whole = IpPacket { payload: &payload, length: payload.len(), fragment: None, ..packet };
            self.transport(time, &whole, out);
        }
    }

    fn transport(&mut self, time: u64, packet: &IpPacket<'_>, out: &mut Vec<Event>) {
        match packet.protocol {
            ip::TCP => match Segment::parse(packet) {
                Some(segment) => {
                    self.flows.sweep(time, out);
                    self.flows.segment(time, &segment, &mut self.next_socket, out);
                }
                None => self.counts.malformed += 1,
            },
            ip::UDP => self.udp(time, packet, out),
            ip::ICMP | ip::ICMPV6 => {
                let Some(error) = icmp::parse(packet) else { return };
                match error.protocol {
                    ip::TCP => self.flows.unreachable(time, &error, &mut self.next_socket, out),
                    ip::UDP if self.knows_udp(error.source, error.destination) => {
                        let socket = self.udp_socket(error.source, error.destination);
                        let fact = Fact::IoFailed { direction: Direction::Received, errno: error.errno, count: 1 };
                        out.push(Event { time: Monotonic(time), process: None, socket: Some(socket), fact });
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn knows_udp(&self, source: SocketAddr, destination: SocketAddr) -> bool {
        destination.port() == DNS_PORT || self.udp_sockets.contains_key(&(source, destination))
    }

    /// RFC 768; DNS and RTPS are handed on, UDPROS is counted, the rest is none of ours. Datagrams of RTPS and UDPROS count as sent by
    /// their source.
    fn udp(&mut self, time: u64, packet: &IpPacket<'_>, out: &mut Vec<Event>) {
        let Some((head, bytes)) = packet.payload.split_first_chunk::<8>() else {
            self.counts.malformed += 1;
            return;
        };
        let end = |ip: IpAddr, at: usize| SocketAddr::new(ip, u16::from_be_bytes([head[at], head[at + 1]]));
        let (source, destination) = (end(packet.source, 0), end(packet.destination, 2));
        let length = u16::from_be_bytes([head[4], head[5]]).saturating_sub(8);
        let (direction, socket) = match (source.port(), destination.port()) {
            (_, DNS_PORT) => (Direction::Sent, self.udp_socket(source, destination)),
            (DNS_PORT, _) => (Direction::Received, self.udp_socket(destination, source)),
            _ if bytes.starts_with(&MAGIC) => (Direction::Sent, self.udp_socket(source, destination)),
            _ => {
                if let Some(fact) = self.udpros.take(time, (source, destination), bytes, u32::from(length)) {
                    let socket = Some(self.udp_socket(source, destination));
                    out.push(Event { time: Monotonic(time), process: None, socket, fact });
                }
                return;
            }
        };
        let bytes = bytes[..bytes.len().min(usize::from(length))].to_vec();
        let fact = Fact::Datagram { direction, bytes, length: u32::from(length) };
        out.push(Event { time: Monotonic(time), process: None, socket: Some(socket), fact });
    }

    fn udp_socket(&mut self, local: SocketAddr, remote: SocketAddr) -> SocketRef {
        if self.udp_sockets.len() >= UDP_SOCKET_LIMIT && !self.udp_sockets.contains_key(&(local, remote)) {
            self.udp_sockets.clear();
        }
        let id = *self.udp_sockets.entry((local, remote)).or_insert_with(|| {
            self.next_socket += 1;
            self.next_socket
        });
        SocketRef { id, transport: Transport::Udp, local: Some(local), remote: Some(remote), net_namespace: 0 }
    }
}
