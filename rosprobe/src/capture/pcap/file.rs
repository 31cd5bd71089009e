//! File formats: pcap and pcapng, either byte order, micro- and nanoseconds, gzip around either.
//!
//! The framing is `pcap-file`'s; its packet types are not used, because they refuse packets that were cut by the snapshot
//! length and packets with a damaged comment.

use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use pcap_file::pcap::{PcapHeader, PcapParser};
use pcap_file::pcapng::PcapNgParser;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::{Endianness, PcapError, TsResolution};

/// How much is read at once, in bytes.
const READ_SIZE: usize = 1 << 20;
/// The largest record or block that is believed, in bytes.
const RECORD_LIMIT: usize = 16 << 20;
/// Interfaces of a pcapng section that are believed.
const INTERFACE_LIMIT: usize = 4096;

/// Bytes of a file read so far, for a progress bar.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Bytes read so far, as stored in the file (compressed, where it is).
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Counted<R> {
    inner: R,
    progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.progress.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// One packet as the file has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    /// Nanoseconds since 1970.
    pub time: u64,
    /// Link type, <https://www.tcpdump.org/linktypes.html>.
    pub link: u32,
    /// What was captured of it.
    pub data: &'a [u8],
}

/// Where the next packet lies in the buffer.
struct Found {
    consumed: usize,
    packet: Option<(u64, u32, Range<usize>)>,
}

enum Format {
    Pcap(PcapParser),
    PcapNg(PcapNgParser),
}

/// A stream of packets.
pub(super) struct PacketFile {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Position of `start` in the (decompressed) stream.
    position: u64,
    format: Format,
    ended: bool,
    last_time: u64,
}

impl std::fmt::Debug for PacketFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PacketFile").field("position", &self.position).finish_non_exhaustive()
    }
}

impl PacketFile {
    pub fn open(path: &Path) -> Result<(Self, Progress), OpenError> {
        Self::counted(File::open(path).map_err(OpenError::Io)?)
    }

    pub fn counted(reader: impl Read + Send + 'static) -> Result<(Self, Progress), OpenError> {
        let progress = Progress::default();
        let counted = Counted { inner: reader, progress: progress.clone() };
        Ok((Self::new(Box::new(counted))?, progress))
    }

    pub fn new(mut reader: Box<dyn Read + Send>) -> Result<Self, OpenError> {
        let mut magic = [0; 2];
        let got = read_full(&mut reader, &mut magic).map_err(OpenError::Io)?;
        let whole = std::io::Cursor::new(magic[..got].to_vec()).chain(reader);
        let reader: Box<dyn Read + Send> = if magic == [0x1f, 0x8b] {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ_SIZE / 4, whole)))
        } else {
            Box::new(whole)
        };
        Self::start(reader)
    }

    fn start(mut reader: Box<dyn Read + Send>) -> Result<Self, OpenError> {
        let mut buffer = vec![0; READ_SIZE];
        let end = read_full(&mut reader, &mut buffer).map_err(OpenError::Io)?;
        if end == 0 {
            return Err(OpenError::Empty);
        }
        let start = &buffer[..end];
        let (format, rest) = if start.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
            let (rest, parser) = PcapNgParser::new(start).map_err(|error| header_error(&error))?;
            (Format::PcapNg(parser), rest.len())
        } else {
            let (rest, parser) = PcapParser::new(start).map_err(|error| header_error(&error))?;
            (Format::Pcap(parser), rest.len())
        };
        let consumed = end - rest;
        Ok(Self { reader, buffer, start: consumed, end, position: consumed as u64, format, ended: false, last_time: 0 })
    }

    /// The next packet; `None` at the end. An error means that nothing behind it can be read.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, Damage> {
        let (time, link, range) = loop {
            if self.start == self.end && !self.fill()? {
                return Ok(None);
            }
            match self.format.find(&self.buffer[self.start..self.end], self.last_time) {
                Ok(found) => {
                    let from = self.start;
                    self.start += found.consumed;
                    self.position += found.consumed as u64;
                    if let Some((time, link, range)) = found.packet {
                        self.last_time = time;
                        break (time, link, from + range.start..from + range.end);
                    }
                }
                Err(PcapError::IncompleteBuffer) => {
                    if !self.fill()? {
                        return Err(self.damage(format!(
                            "the file ends in the middle of a packet, {} bytes of it are there",
                            self.end - self.start
                        )));
                    }
                }
                Err(error) => return Err(self.damage(error.to_string())),
            }
        };
        Ok(Some(Packet { time, link, data: &self.buffer[range] }))
    }

    /// Reads more behind what is in the buffer; false at the end of the file.
    fn fill(&mut self) -> Result<bool, Damage> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            if self.buffer.len() >= RECORD_LIMIT {
                return Err(self.damage(format!("a packet of more than {RECORD_LIMIT} bytes is announced")));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        match self.reader.read(&mut self.buffer[self.end..]) {
            Ok(0) => self.ended = true,
            Ok(read) => self.end += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(self.damage(error.to_string())),
        }
        Ok(!self.ended)
    }

    fn damage(&self, reason: String) -> Damage {
        Damage { position: self.position, reason }
    }
}

fn header_error(error: &PcapError) -> OpenError {
    match error {
        PcapError::IncompleteBuffer => OpenError::Header("its header is cut".to_owned()),
        error => OpenError::Header(format!("its header is not one of pcap or pcapng: {error}")),
    }
}

fn read_full(reader: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // What came before the error is still worth reading.
            Err(_) if filled > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Why a file is not read as a packet capture.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It could not be opened or read.
    #[error("{0}")]
    Io(#[source] std::io::Error),
    /// Nothing is in it.
    #[error("the file is empty")]
    Empty,
    /// It does not begin like a pcap or a pcapng.
    #[error("{0}")]
    Header(String),
}

/// Where and why reading ended before the end of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Position in the file in bytes, decompressed.
    pub position: u64,
    /// What is wrong there.
    pub reason: String,
}

impl Format {
    fn find(&mut self, buffer: &[u8], last_time: u64) -> Result<Found, PcapError> {
        match self {
            Self::Pcap(parser) => {
                let header = parser.header();
                let (rest, packet) = parser.next_raw_packet(buffer)?;
                let consumed = buffer.len() - rest.len();
                let time = u64::from(packet.ts_sec) * 1_000_000_000 + fraction(header, packet.ts_frac);
                // The upper bits say how long a frame check sequence is; it lies behind the IP packet and is ignored.
                let link = u32::from(header.datalink) & 0x03ff_ffff;
                Ok(Found { consumed, packet: Some((time, link, consumed - packet.data.len()..consumed)) })
            }
            Self::PcapNg(parser) => find_block(parser, buffer, last_time),
        }
    }
}

fn fraction(header: PcapHeader, fraction: u32) -> u64 {
    match header.ts_resolution {
        TsResolution::MicroSecond => u64::from(fraction) * 1000,
        TsResolution::NanoSecond => u64::from(fraction),
    }
}

const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>
fn find_block(parser: &mut PcapNgParser, buffer: &[u8], last_time: u64) -> Result<Found, PcapError> {
    let (rest, block) = parser.next_raw_block(buffer)?;
    let consumed = buffer.len() - rest.len();
    if parser.interfaces().len() > INTERFACE_LIMIT {
        return Err(PcapError::InvalidField("more than 4096 interfaces"));
    }
    let body = &block.body;
    let field = |at: usize| -> Option<u32> {
        let bytes = body.get(at..at + 4)?.try_into().ok()?;
        Some(match parser.section().endianness {
            Endianness::Big => u32::from_be_bytes(bytes),
            Endianness::Little => u32::from_le_bytes(bytes),
        })
    };
    let nothing = Found { consumed, packet: None };
    let (interface, time, captured, data_at) = match block.type_ {
        ENHANCED_PACKET | PACKET => {
            let (Some(first), Some(high), Some(low), Some(captured)) = (field(0), field(4), field(8), field(12)) else {
                return Ok(nothing);
            };
            let interface = match (block.type_, parser.section().endianness) {
                (ENHANCED_PACKET, _) => first,
                (_, Endianness::Big) => first >> 16,
                (_, Endianness::Little) => first & 0xffff,
            };
            (interface, Some((u64::from(high) << 32) | u64::from(low)), captured, 20)
        }
        SIMPLE_PACKET => {
            let Some(original) = field(0) else { return Ok(nothing) };
            let snapshot = parser.interfaces().first().map_or(0, |interface| interface.snaplen);
            let captured = if snapshot == 0 { original } else { original.min(snapshot) };
            (0, None, captured, 4)
        }
        _ => return Ok(nothing),
    };
    let Some(description) = parser.interfaces().get(interface as usize) else { return Ok(nothing) };
    let time = time.map_or(last_time, |ticks| {
        let (mut resolution, mut offset) = (6, 0);
        for option in &description.options {
            match option {
                InterfaceDescriptionOption::IfTsResol(value) => resolution = *value,
                InterfaceDescriptionOption::IfTsOffset(value) => offset = *value,
                _ => {}
            }
        }
        // `if_tsoffset` is signed.
        let offset = offset.cast_signed().saturating_mul(1_000_000_000);
        nanoseconds(ticks, resolution).saturating_add_signed(offset)
    });
    // A block's body begins after its type and its length.
    let from = 8 + data_at.min(body.len());
    let until = (from + captured as usize).min(8 + body.len());
    Ok(Found { consumed, packet: Some((time, u32::from(description.linktype), from..until)) })
}

/// Ticks of `if_tsresol`: a power of ten, or of two when the highest bit is set.
fn nanoseconds(ticks: u64, resolution: u8) -> u64 {
    let ticks = u128::from(ticks);
    let exponent = u32::from(resolution & 0x7f);
    let value = if resolution & 0x80 == 0 {
        if exponent <= 9 {
            ticks.saturating_mul(10_u128.pow(9 - exponent))
        } else {
            10_u128.checked_pow(exponent - 9).map_or(0, |divisor| ticks / divisor)
        }
    } else {
        ticks.saturating_mul(1_000_000_000).checked_shr(exponent).unwrap_or(0)
    };
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_any_resolution_become_nanoseconds() {
        for (ticks, resolution, expected) in [
            (1_500_000, 6, 1_500_000_000),
            (1_500_000_000, 9, 1_500_000_000),
            (3, 0, 3_000_000_000),
            (1_500_000_000_000, 12, 1_500_000_000),
            (0x600, 0x8a, 1_500_000_000),
            (u64::MAX, 0x7f, 0),
            (1, 0xff, 0),
            (u64::MAX, 0, u64::MAX),
        ] {
            assert_eq!(nanoseconds(ticks, resolution), expected, "{ticks} {resolution}");
        }
    }

    /// A block in big-endian byte order.
    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let body = [body, &vec![0; body.len().wrapping_neg() % 4]].concat();
        let length = u32::try_from(12 + body.len()).unwrap().to_be_bytes();
        [&kind.to_be_bytes()[..], &length, &body, &length].concat()
    }

    /// An interface of raw IP with nanoseconds, whose clock is this many seconds before what its packets say.
    fn interface(behind: i64) -> Vec<u8> {
        let options = [&[0, 9, 0, 1, 9, 0, 0, 0, 0, 14, 0, 8][..], &(-behind).to_be_bytes(), &[0; 4]].concat();
        block(1, &[&[0, 101, 0, 0, 0, 0, 0, 0][..], &options].concat())
    }

    fn packet(interface: u32, time: u64, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        block(ENHANCED_PACKET, &[&interface.to_be_bytes()[..], &time.to_be_bytes(), &length, &length, data].concat())
    }

    #[test]
    fn interfaces_and_sections_of_a_pcapng_have_their_own_clocks() {
        let section = block(0x0a0d_0d0a, &[0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
        let unknown = block(0xbad, b"private");
        let file = [
            [&section[..], &interface(0), &interface(3600), &packet(1, 3_600_000_000_007, b"a"), &unknown].concat(),
            [&section[..], &interface(-5), &packet(0, 11, b"bc"), &packet(1, 0, b"of no interface")].concat(),
        ]
        .concat();
        let mut file = PacketFile::new(Box::new(std::io::Cursor::new(file))).unwrap();
        let mut found = Vec::new();
        while let Some(packet) = file.next_packet().unwrap() {
            found.push((packet.time, packet.link, packet.data.to_vec()));
        }
        assert_eq!(found, [(7, 101, b"a".to_vec()), (5_000_000_011, 101, b"bc".to_vec())]);
    }
}
