//! An RTPS message: its header and its submessages.
//!
//! Source: DDSI-RTPS 2.5, 8.3 and 9.4.

use rosprobe_common::rtps::{HEADER_BYTES, PID_SENTINEL, flag, submessage as kind};

use super::cursor::{Cursor, Order, Wrong};
use crate::observation::dds::{EntityId, Guid, GuidPrefix, VendorId};

/// The header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub version: [u8; 2],
    pub vendor: VendorId,
    pub prefix: GuidPrefix,
}

/// The submessages of which something is learnt. HEARTBEAT, GAP, `NACK_FRAG`, `HEARTBEAT_FRAG`, the security's and the vendors' own
/// are walked over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Submessage<'a> {
    Data(Data<'a>),
    DataFrag(DataFrag<'a>),
    InfoSource(Header),
    InfoDestination(GuidPrefix),
    AckNack { reader: EntityId, writer: EntityId },
}

/// A sample, or the key of one that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Data<'a> {
    pub writer: EntityId,
    /// Inline QoS: a parameter list in the submessage's byte order; empty when there is none.
    pub inline_qos: &'a [u8],
    pub order: Order,
    pub content: Content,
    pub payload: &'a [u8],
}

/// What the payload of a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Data,
    Key,
    Nothing,
}

/// Some fragments of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DataFrag<'a> {
    pub writer: EntityId,
    pub sequence_number: u64,
    /// Number of the first one here, counted from 1.
    pub first: u32,
    pub count: u16,
    pub fragment_size: u16,
    pub sample_size: u32,
    pub payload: &'a [u8],
}

/// Splits off the header; `None` when the bytes are no RTPS.
pub(super) fn header(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let [b'R', b'T', b'P', b'S', major, minor, vendor @ ..] = head else { return None };
    let (vendor, prefix) = vendor.split_first_chunk::<2>()?;
    Some((Header { version: [*major, *minor], vendor: VendorId(*vendor), prefix: prefix_of(prefix)? }, rest))
}

fn prefix_of(bytes: &[u8]) -> Option<GuidPrefix> {
    bytes.first_chunk().map(|prefix| GuidPrefix(*prefix))
}

/// A GUID from a participant's prefix and one of its entities.
pub(super) fn guid(prefix: GuidPrefix, entity: EntityId) -> Guid {
    Guid { prefix, entity }
}

/// Walks over the submessages behind a header. A submessage that is wrong ends the walk, because where the next one begins is
/// then in doubt.
pub(super) struct Submessages<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> Submessages<'a> {
    /// `rest` is what follows the header.
    pub fn new(rest: &'a [u8]) -> Self {
        Self { rest, total: rest.len() + HEADER_BYTES }
    }

    /// Position in the datagram, in bytes.
    pub fn offset(&self) -> usize {
        self.total - self.rest.len()
    }

    fn step(&mut self) -> Result<Option<Submessage<'a>>, Wrong> {
        let Some(([kind, flags, length @ ..], rest)) = self.rest.split_first_chunk::<4>() else {
            return Err(Wrong::Short("a submessage's header"));
        };
        let order = if flags & flag::LITTLE_ENDIAN == 0 { Order::Big } else { Order::Little };
        let length = usize::from(match order {
            Order::Big => u16::from_be_bytes(*length),
            Order::Little => u16::from_le_bytes(*length),
        });
        // 0 in the last one means: up to the end. PAD and INFO_TS may really be empty (8.3.3.2.3).
        let to_the_end = length == 0 && !matches!(*kind, kind::PAD | kind::INFO_TS);
        let length = if to_the_end { rest.len() } else { length };
        let body = rest.get(..length).ok_or(Wrong::Short("a submessage"))?;
        let parsed = parse(*kind, *flags, body, order)?;
        self.rest = &rest[length..];
        Ok(parsed)
    }
}

impl<'a> Iterator for Submessages<'a> {
    type Item = Result<Submessage<'a>, Wrong>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            match self.step() {
                Ok(None) => {}
                Ok(Some(submessage)) => return Some(Ok(submessage)),
                Err(wrong) => {
                    self.rest = &[];
                    return Some(Err(wrong));
                }
            }
        }
        None
    }
}

fn parse(kind: u8, flags: u8, body: &[u8], order: Order) -> Result<Option<Submessage<'_>>, Wrong> {
    let mut cursor = Cursor::new(body, order);
    Ok(Some(match kind {
        kind::DATA => Submessage::Data(data(cursor, flags, order)?),
        kind::DATA_FRAG => Submessage::DataFrag(data_frag(cursor, flags, order)?),
        kind::INFO_DST => Submessage::InfoDestination(GuidPrefix(cursor.array("INFO_DST")?)),
        kind::INFO_SRC => {
            cursor.take(4, "INFO_SRC")?;
            let version = cursor.array("INFO_SRC")?;
            let vendor = VendorId(cursor.array("INFO_SRC")?);
            Submessage::InfoSource(Header { version, vendor, prefix: GuidPrefix(cursor.array("INFO_SRC")?) })
        }
        kind::ACKNACK => {
            let reader = EntityId(cursor.array("ACKNACK")?);
            Submessage::AckNack { reader, writer: EntityId(cursor.array("ACKNACK")?) }
        }
        _ => return Ok(None),
    }))
}

/// The beginning that DATA and `DATA_FRAG` share: writer, sequence number, and how many bytes lie between the latter's end and the
/// inline QoS.
fn data_head(cursor: &mut Cursor<'_>, fixed: usize) -> Result<(EntityId, u64, usize), Wrong> {
    cursor.take(2, "a sample's flags")?;
    let to_inline_qos = usize::from(cursor.u16("a sample's header")?);
    cursor.take(4, "a sample's reader")?;
    let writer = EntityId(cursor.array("a sample's writer")?);
    let sequence_number = cursor.sequence_number()?;
    let more = to_inline_qos.checked_sub(fixed).ok_or(Wrong::Short("a sample's header"))?;
    Ok((writer, sequence_number, more))
}

fn data(mut cursor: Cursor<'_>, flags: u8, order: Order) -> Result<Data<'_>, Wrong> {
    let (writer, _, more) = data_head(&mut cursor, 16)?;
    cursor.take(more, "a sample's header")?;
    let inline_qos = if flags & flag::INLINE_QOS == 0 { &[] } else { inline_qos(&mut cursor)? };
    let content = match (flags & flag::PAYLOAD, flags & flag::KEY) {
        (0, 0) => Content::Nothing,
        (0, _) => Content::Key,
        _ => Content::Data,
    };
    Ok(Data { writer, inline_qos, order, content, payload: cursor.rest() })
}

fn data_frag(mut cursor: Cursor<'_>, flags: u8, _order: Order) -> Result<DataFrag<'_>, Wrong> {
    let (writer, sequence_number, more) = data_head(&mut cursor, 28)?;
    let first = cursor.u32("a fragment's number")?;
    let count = cursor.u16("a count of fragments")?;
    let fragment_size = cursor.u16("a fragment's size")?;
    let sample_size = cursor.u32("a sample's size")?;
    cursor.take(more, "a fragment's header")?;
    if flags & flag::INLINE_QOS != 0 {
        inline_qos(&mut cursor)?;
    }
    Ok(DataFrag { writer, sequence_number, first, count, fragment_size, sample_size, payload: cursor.rest() })
}

/// The parameter list up to and with its sentinel.
fn inline_qos<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Wrong> {
    let list = cursor.rest();
    loop {
        let id = cursor.u16("inline QoS")?;
        let length = cursor.u16("inline QoS")?;
        if id == PID_SENTINEL {
            return Ok(&list[..list.len() - cursor.rest().len()]);
        }
        cursor.take(usize::from(length), "inline QoS")?;
    }
}
