//! One direction of a TCP connection: sequence numbers to stream offsets, order, repetition, and what is missing.

use std::collections::BTreeMap;

use super::classify::{Connection, Content};
use crate::event::{Chunk, Direction, GapCause};

/// Bytes of one direction that wait for a hole before them to be filled.
const WAITING_LIMIT: usize = 4 << 20;
/// Segments that wait.
const SEGMENT_LIMIT: usize = 4096;
/// After this time, in nanoseconds, a segment that its receiver has acknowledged is taken as missed by the capture: packets of
/// one connection pass several queues and are not always captured in their order.
const GRACE_TIME: u64 = 50_000_000;
/// Or after so many further packets of the connection.
const GRACE_PACKETS: u32 = 64;
/// Sequence numbers further away than the largest TCP window belong to no segment of this connection.
const WINDOW: i64 = 1 << 30;
/// Two packets with the same IP identification and sequence number within this time are one packet, seen on two interfaces.
const SAME_PACKET_TIME: u64 = 1_000_000;
const RECENT: usize = 8;

/// A segment of one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub sequence: u32,
    pub bytes: &'a [u8],
    /// Length on the wire.
    pub length: usize,
    pub fin: bool,
}

#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    length: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    time: u64,
    sequence: u32,
    length: u32,
    ip_id: u16,
    flags: u8,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct HalfStream {
    direction: Direction,
    /// Sequence number of offset 0, once known.
    base: Option<u32>,
    /// Everything before was delivered or given up.
    next: u64,
    /// The highest offset that was sent.
    highest: u64,
    /// The highest offset that the receiver acknowledged.
    acknowledged: u64,
    waiting: BTreeMap<u64, Waiting>,
    waiting_bytes: usize,
    /// Since when it is known that something is missing, and how many packets ago that was.
    missing_since: Option<(u64, u32)>,
    fin: Option<u64>,
    content: Content,
    /// Stream offset that the first chunk counts as 0.
    origin: Option<u64>,
    handed_on_until: u64,
    recent: [Seen; RECENT],
    recent_at: usize,
    /// Segments sent again.
    pub retransmits: u64,
    /// Segments that fit nowhere.
    pub stray: u64,
}

impl HalfStream {
    /// `joined` says that the capture began when the connection was already open.
    pub fn new(direction: Direction, joined: bool) -> Self {
        Self {
            direction,
            base: None,
            next: 0,
            highest: 0,
            acknowledged: 0,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            missing_since: None,
            fin: None,
            content: if joined { Content::Middle } else { Content::new() },
            origin: (!joined).then_some(0),
            handed_on_until: 0,
            recent: [Seen::default(); RECENT],
            recent_at: 0,
            retransmits: 0,
            stray: 0,
        }
    }

    /// Says which sequence number the first byte has, unless that is known already.
    pub fn begin(&mut self, sequence: u32) {
        self.base.get_or_insert(sequence);
    }

    /// True when this very packet was seen a moment ago on another interface.
    pub fn is_same_packet(&mut self, time: u64, sequence: u32, length: usize, ip_id: u16, flags: u8) -> bool {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let same = self.recent.iter().any(|seen| {
            (seen.sequence, seen.length, seen.ip_id, seen.flags) == (sequence, length, ip_id, flags)
                && time.abs_diff(seen.time) <= SAME_PACKET_TIME
        });
        if !same {
            self.recent[self.recent_at] = Seen { time, sequence, length, ip_id, flags };
            self.recent_at = (self.recent_at + 1) % RECENT;
        }
        same
    }

    /// Offset of a sequence number near what is expected; `None` when it belongs to no segment of this connection.
    pub fn offset(&self, sequence: u32) -> Option<i64> {
        let base = self.base?;
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap around")]
        let expected = base.wrapping_add(self.next as u32);
        let distance = i64::from(sequence.wrapping_sub(expected).cast_signed());
        (distance.abs() < WINDOW).then(|| self.next.cast_signed() + distance)
    }

    /// Takes a segment and appends what is in order to `out`. True when it repeats bytes that were seen before.
    pub fn segment(&mut self, part: Part<'_>, connection: &mut Connection, out: &mut Vec<Chunk>) -> bool {
        self.begin(part.sequence);
        let Some(start) = self.offset(part.sequence) else {
            self.stray += 1;
            return false;
        };
        let end = start + part.length.cast_signed() as i64;
        if part.fin {
            self.fin.get_or_insert(end.max(0).cast_unsigned());
        }
        if part.length == 0 {
            return false;
        }
        let next = self.next.cast_signed();
        if end <= next {
            // A keep-alive repeats the last byte, or none.
            let keep_alive = part.length == 1 && end == next;
            self.retransmits += u64::from(!keep_alive);
            return !keep_alive;
        }
        self.highest = self.highest.max(end.cast_unsigned());
        let known = usize::try_from(next - start).unwrap_or(0);
        let bytes = part.bytes.get(known..).unwrap_or_default();
        let length = (part.length - known) as u64;
        let repeated = if start > next {
            self.wait(start.cast_unsigned(), bytes, length)
        } else {
            self.deliver(bytes, length, GapCause::Limit, connection, out);
            self.release(connection, out);
            known > 0
        };
        self.retransmits += u64::from(repeated);
        repeated
    }

    fn wait(&mut self, offset: u64, bytes: &[u8], length: u64) -> bool {
        if self.waiting.get(&offset).is_some_and(|waiting| waiting.length >= length) {
            return true;
        }
        let kept = if self.content.is_counted() { Vec::new() } else { bytes.to_vec() };
        self.waiting_bytes += kept.len();
        if let Some(old) = self.waiting.insert(offset, Waiting { bytes: kept, length }) {
            self.waiting_bytes -= old.bytes.len();
        }
        false
    }

    /// Hands on what is in order by now.
    fn release(&mut self, connection: &mut Connection, out: &mut Vec<Chunk>) {
        while let Some(entry) = self.waiting.first_entry() {
            if *entry.key() > self.next {
                break;
            }
            let (offset, part) = entry.remove_entry();
            self.waiting_bytes -= part.bytes.len();
            let known = self.next - offset;
            if known < part.length {
                let skip = usize::try_from(known).unwrap_or(usize::MAX);
                let bytes = part.bytes.get(skip..).unwrap_or_default();
                self.deliver(bytes, part.length - known, GapCause::Limit, connection, out);
            }
        }
        if self.waiting.is_empty() && self.acknowledged <= self.next {
            self.missing_since = None;
        }
    }

    fn deliver(
        &mut self,
        bytes: &[u8],
        length: u64,
        cause: GapCause,
        connection: &mut Connection,
        out: &mut Vec<Chunk>,
    ) {
        let from_server = self.direction == Direction::Received;
        let taken = self.content.take(bytes, length, from_server, connection);
        if taken.length > 0 {
            let origin = *self.origin.get_or_insert(self.next);
            let offset = self.next - origin;
            if self.handed_on_until < offset {
                self.hand_on(Vec::new(), offset - self.handed_on_until, GapCause::NotCopied, out);
            }
            self.hand_on(bytes[..taken.copied].to_vec(), taken.length, cause, out);
        }
        self.next += length;
        self.highest = self.highest.max(self.next);
    }

    fn hand_on(&mut self, mut bytes: Vec<u8>, mut length: u64, cause: GapCause, out: &mut Vec<Chunk>) {
        let cut = ((bytes.len() as u64) < length).then_some(cause);
        while length > 0 {
            let part = u32::try_from(length).unwrap_or(u32::MAX);
            let (direction, offset) = (self.direction, self.handed_on_until);
            out.push(Chunk { direction, offset, bytes: std::mem::take(&mut bytes), length: part, cut });
            self.handed_on_until += u64::from(part);
            length -= u64::from(part);
        }
    }

    /// The receiver has acknowledged everything before `sequence`.
    pub fn acknowledge(&mut self, sequence: u32, time: u64) {
        self.begin(sequence);
        let Some(offset) = self.offset(sequence).and_then(|offset| u64::try_from(offset).ok()) else { return };
        let offset = self.fin.map_or(offset, |fin| offset.min(fin));
        self.acknowledged = self.acknowledged.max(offset);
        if self.is_missing() {
            self.missing_since.get_or_insert((time, 0));
        }
    }

    /// True when an acknowledgement proves that the capture missed bytes.
    fn is_missing(&self) -> bool {
        // A lone byte behind the last one may be a FIN that was not seen, which takes one sequence number.
        let maybe_fin = self.acknowledged == self.next + 1 && self.waiting.is_empty();
        self.acknowledged > self.next && !maybe_fin
    }

    /// One more packet of the connection has passed: gives up what is known to be missing for long enough.
    pub fn settle(&mut self, time: u64, connection: &mut Connection, out: &mut Vec<Chunk>) {
        if let Some((since, packets)) = &mut self.missing_since {
            *packets += 1;
            if *packets > GRACE_PACKETS || time.saturating_sub(*since) > GRACE_TIME {
                self.missing_since = None;
                if self.is_missing() {
                    self.give_up(self.acknowledged, connection, out);
                }
            }
        }
        while self.waiting_bytes > WAITING_LIMIT || self.waiting.len() > SEGMENT_LIMIT {
            self.give_up(u64::MAX, connection, out);
        }
    }

    /// Bytes held back.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Nothing more will come before what waits: gaps are said and the rest is handed on.
    pub fn finish(&mut self, connection: &mut Connection, out: &mut Vec<Chunk>) {
        while !self.waiting.is_empty() {
            self.give_up(u64::MAX, connection, out);
        }
        if self.is_missing() {
            self.give_up(self.acknowledged, connection, out);
        }
    }

    /// Declares the hole before the first waiting segment lost, but not beyond `until`.
    fn give_up(&mut self, until: u64, connection: &mut Connection, out: &mut Vec<Chunk>) {
        let end = self.waiting.first_key_value().map_or(until, |(offset, _)| until.min(*offset));
        if end == u64::MAX || end <= self.next {
            self.release(connection, out);
            return;
        }
        self.deliver(&[], end - self.next, GapCause::Lost, connection, out);
        self.release(connection, out);
    }

    /// True when the sender has closed its direction and everything before that was handed on.
    pub fn is_finished(&self) -> bool {
        self.fin.is_some_and(|fin| self.next >= fin)
    }

    /// True when the sender has closed its direction.
    pub fn is_closing(&self) -> bool {
        self.fin.is_some()
    }

    /// Bytes of the direction so far.
    pub fn bytes(&self) -> u64 {
        self.next
    }

    /// TCPROS messages of the direction so far.
    pub fn messages(&self) -> u64 {
        self.content.messages()
    }

    /// Bytes sent and not acknowledged.
    pub fn unacknowledged(&self) -> u64 {
        self.highest.saturating_sub(self.acknowledged)
    }
}
