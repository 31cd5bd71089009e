//! A trace as packets, for Wireshark and for colleagues who work with it. The packets are made up from the observations;
//! each carries a comment that says what was observed, by whom, and what is wrong with it.

mod packets;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::{DataLink, PcapError};

use self::packets::{Content, Ends, content, icmp, tcp, udp};
use super::files::{self, WriteError};
use super::opened::Opened;
use crate::diagnosis::Finding;
use crate::errno::Errno;
use crate::event::{Direction, SocketRef, Transport};
use crate::observation::{Observation, ObservationId, What};
use crate::printable::printable;

/// Payload of one packet, in bytes.
const SEGMENT: usize = 16 * 1024;
/// Length of one comment, in characters; a pcapng option holds 65,535 bytes.
const COMMENT_LIMIT: usize = 4000;

/// Writes the packets into a file; compressed when the name ends in `.gz`. Never over an existing file.
pub fn write_pcapng(path: &Path, opened: &Opened) -> Result<(), WriteError> {
    files::write_whole(path, files::Existing::Keep, |out| out.write_all(&pcapng_bytes(opened)?))
}

/// The packets as a pcapng.
pub fn pcapng_bytes(opened: &Opened) -> io::Result<Vec<u8>> {
    let mut export = Export::new(opened)?;
    let mut interface = InterfaceDescriptionBlock::new(DataLink::RAW, 0);
    interface.options.push(InterfaceDescriptionOption::IfName(Cow::Borrowed("rosprobe")));
    let description = format!(
        "synthetic packets, made by rosprobe from {}",
        printable(&super::report::provenance(&opened.meta)).chars().take(COMMENT_LIMIT).collect::<String>()
    );
    interface.options.push(InterfaceDescriptionOption::IfDescription(Cow::Owned(description)));
    interface.options.push(InterfaceDescriptionOption::IfTsResol(9));
    export.writer.write_pcapng_block(interface).map_err(to_io)?;
    for observation in opened.session.history() {
        export.observation(observation)?;
    }
    Ok(export.writer.into_inner())
}

fn to_io(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        error => io::Error::other(error.to_string()),
    }
}

struct Export<'a> {
    writer: PcapNgWriter<Vec<u8>>,
    findings: HashMap<ObservationId, Vec<&'a Finding>>,
    /// Which socket stands for a connection whose two ends were both observed.
    owners: HashMap<(SocketAddr, SocketAddr), u64>,
    streams: HashMap<u64, Stream>,
}

/// Sequence numbers of one connection, seen from the owner of the socket.
#[derive(Clone, Copy)]
struct Stream {
    sent: u32,
    received: u32,
    open: bool,
}

impl<'a> Export<'a> {
    fn new(opened: &'a Opened) -> io::Result<Self> {
        let mut findings: HashMap<ObservationId, Vec<&Finding>> = HashMap::new();
        for finding in opened.session.findings() {
            for id in &finding.evidence {
                findings.entry(*id).or_default().push(finding);
            }
        }
        let writer = PcapNgWriter::new(Vec::new()).map_err(to_io)?;
        Ok(Self { writer, findings, owners: HashMap::new(), streams: HashMap::new() })
    }

    fn observation(&mut self, observation: &Observation) -> io::Result<()> {
        let Some(socket) = &observation.socket else { return Ok(()) };
        let Some(ends) = ends(socket) else { return Ok(()) };
        match socket.transport {
            Transport::Udp => self.datagram(observation, ends),
            Transport::Tcp if self.owns(socket.id, ends) => self.tcp(observation, socket.id, ends),
            Transport::Tcp => Ok(()),
        }
    }

    /// The first socket seen of a connection shows both directions; the other end would only repeat it.
    fn owns(&mut self, socket: u64, ends: Ends) -> bool {
        let Ends { local, remote } = ends;
        let key = if local <= remote { (local, remote) } else { (remote, local) };
        let owner = *self.owners.entry(key).or_insert(socket);
        let other_end = owner != socket && self.streams.get(&owner).is_some_and(|stream| stream.open);
        if !other_end {
            self.owners.insert(key, socket);
        }
        !other_end
    }

    fn datagram(&mut self, observation: &Observation, ends: Ends) -> io::Result<()> {
        if let Some(Content { direction, bytes }) = content(&observation.what) {
            let packet = udp(ends.towards(direction), &bytes);
            return self.write(observation, packet, true);
        }
        Ok(())
    }

    fn tcp(&mut self, observation: &Observation, socket: u64, ends: Ends) -> io::Result<()> {
        let fresh = Stream { sent: initial(socket), received: initial(!socket), open: false };
        let mut stream = self.streams.get(&socket).copied().unwrap_or(fresh);
        let result = self.segments(observation, ends, &mut stream);
        self.streams.insert(socket, stream);
        result
    }

    fn segments(&mut self, observation: &Observation, ends: Ends, stream: &mut Stream) -> io::Result<()> {
        use packets::{ACK, FIN, PSH, RST, SYN};
        let (out, back) = (ends.towards(Direction::Sent), ends.towards(Direction::Received));
        match &observation.what {
            What::ConnectStarted => {
                stream.open = true;
                self.write(observation, tcp(out, stream.sent, 0, SYN, &[]), true)
            }
            What::SynRetransmitted { .. } => self.write(observation, tcp(out, stream.sent, 0, SYN, &[]), true),
            What::ConnectFailed { errno, .. } => {
                if !stream.open {
                    self.write(observation, tcp(out, stream.sent, 0, SYN, &[]), false)?;
                }
                stream.open = false;
                let syn = tcp(out, stream.sent, 0, SYN, &[]);
                let packet = match *errno {
                    Errno::ECONNREFUSED => tcp(back, 0, stream.sent.wrapping_add(1), RST | ACK, &[]),
                    errno => icmp(ends, errno, &syn).unwrap_or(syn),
                };
                self.write(observation, packet, true)
            }
            What::Connected { .. } | What::Accepted => {
                let (from, to) = if observation.what == What::Accepted { (back, out) } else { (out, back) };
                let (ours, theirs) = if observation.what == What::Accepted {
                    (stream.received, stream.sent)
                } else {
                    (stream.sent, stream.received)
                };
                if !stream.open {
                    self.write(observation, tcp(from, ours, 0, SYN, &[]), false)?;
                }
                stream.open = true;
                self.write(observation, tcp(to, theirs, ours.wrapping_add(1), SYN | ACK, &[]), true)?;
                stream.sent = stream.sent.wrapping_add(1);
                stream.received = stream.received.wrapping_add(1);
                self.write(observation, tcp(from, ours.wrapping_add(1), theirs.wrapping_add(1), ACK, &[]), false)
            }
            What::Closed { .. } if stream.open => {
                stream.open = false;
                self.write(observation, tcp(out, stream.sent, stream.received, FIN | ACK, &[]), true)
            }
            what => {
                let Some(Content { direction, bytes }) = content(what) else {
                    return self.write(observation, tcp(out, stream.sent, stream.received, ACK, &[]), true);
                };
                for (position, part) in bytes.chunks(SEGMENT).enumerate() {
                    let (from, sequence, acknowledged) = match direction {
                        Direction::Sent => (out, &mut stream.sent, stream.received),
                        Direction::Received => (back, &mut stream.received, stream.sent),
                    };
                    let packet = tcp(from, *sequence, acknowledged, PSH | ACK, part);
                    #[expect(clippy::cast_possible_truncation, reason = "a part has at most 16 KiB")]
                    let length = part.len() as u32;
                    *sequence = sequence.wrapping_add(length);
                    self.write(observation, packet, position == 0)?;
                }
                Ok(())
            }
        }
    }

    fn write(&mut self, observation: &Observation, packet: Vec<u8>, commented: bool) -> io::Result<()> {
        let since_epoch = u64::try_from(observation.time.as_nanosecond()).unwrap_or(0);
        let mut options = Vec::new();
        if commented {
            options.push(EnhancedPacketOption::Comment(Cow::Owned(comment(observation))));
            for finding in self.findings.get(&observation.id).into_iter().flatten() {
                let text = format!("finding {}: {}", finding.code.word(), finding.summary);
                options.push(EnhancedPacketOption::Comment(Cow::Owned(shorten(&text))));
            }
        }
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(since_epoch),
            original_len: u32::try_from(packet.len()).unwrap_or(u32::MAX),
            data: Cow::Owned(packet),
            options,
        };
        self.writer.write_pcapng_block(block).map(drop).map_err(to_io)
    }
}

fn comment(observation: &Observation) -> String {
    let who = observation.process.as_ref().map(|process| format!("{}[{}] ", process.comm, process.pid));
    shorten(&format!("#{} {}{}", observation.id.0, who.unwrap_or_default(), observation.what))
}

fn shorten(text: &str) -> String {
    printable(text).chars().take(COMMENT_LIMIT).collect()
}

/// Both ends of a socket; an end that is not known is the unspecified address.
fn ends(socket: &SocketRef) -> Option<Ends> {
    let known = socket.remote.or(socket.local)?;
    let unknown = SocketAddr::new(
        match known.ip() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        },
        0,
    );
    let ends = Ends { local: socket.local.unwrap_or(unknown), remote: socket.remote.unwrap_or(unknown) };
    (ends.local.is_ipv4() == ends.remote.is_ipv4()).then_some(ends)
}

/// A first sequence number that differs between connections and is the same in every export.
fn initial(socket: u64) -> u32 {
    let mixed = socket.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    u32::try_from(mixed).unwrap_or_default()
}
