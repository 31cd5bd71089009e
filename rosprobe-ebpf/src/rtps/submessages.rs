//! The walk over an RTPS message, which keeps its place between pieces of memory.
//!
//! Source: DDSI-RTPS 2.5, 8.3 and 9.4.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use rosprobe_common::{SocketState, WriterKey, WriterState};

use super::writers;
use crate::datagram::Datagram;
use crate::maps::Pair;

/// Length of the header in bytes.
pub const HEADER: u32 = 20;
/// `RTPS` as the processor reads it.
const MAGIC: u32 = u32::from_le_bytes(*b"RTPS");
/// Most bytes that are looked at together: the beginning of `DATA_FRAG`.
const LOOK: u32 = 24;

mod kind {
    pub const PAD: u8 = 0x01;
    pub const ACKNACK: u8 = 0x06;
    pub const INFO_TS: u8 = 0x09;
    pub const INFO_SRC: u8 = 0x0c;
    pub const INFO_DST: u8 = 0x0e;
    pub const DATA: u8 = 0x15;
    pub const DATA_FRAG: u8 = 0x16;
}

/// Bits of a submessage's flags.
mod flag {
    pub const LITTLE_ENDIAN: u8 = 0x01;
    pub const INLINE_QOS: u8 = 0x02;
    /// Of DATA only.
    pub const PAYLOAD: u8 = 0x04;
}

/// Entities of the discovery protocols, and of no user: the two upper bits of the last octet.
const BUILT_IN: u32 = 0xc000_0000;
const SPDP_WRITER: u32 = u32::from_le_bytes([0, 1, 0, 0xc2]);
const SEDP_PUBLICATIONS_WRITER: u32 = u32::from_le_bytes([0, 0, 3, 0xc2]);
const SEDP_SUBSCRIPTIONS_WRITER: u32 = u32::from_le_bytes([0, 0, 4, 0xc2]);
const PARTICIPANT: u32 = u32::from_le_bytes([0, 0, 1, 0xc1]);
/// `PID_SENTINEL`, which ends a parameter list.
const SENTINEL: u16 = 1;

/// What the bytes that are gathered are.
mod stage {
    pub const HEADER: u32 = 0;
    pub const SUBMESSAGE: u32 = 1;
    pub const SAMPLE: u32 = 2;
    pub const INLINE_QOS: u32 = 3;
    pub const PAYLOAD: u32 = 4;
    pub const DESTINATION: u32 = 5;
    pub const SOURCE: u32 = 6;
    pub const ACKNACK: u32 = 7;
    pub const OVER: u32 = 8;
}

/// A message on the way. Without pointers, as [`Datagram`](crate::datagram::Datagram) is. Keys of maps are kept in it ready to be
/// used, so that no stack is spent on them.
#[repr(C, align(8))]
pub struct Message {
    /// The socket and the writer of the sample that is being looked at.
    pub key: WriterKey,
    /// Who sends, and who is addressed; no prefix for all.
    pub pair: Pair,
    /// Next byte in user memory.
    at: u64,
    /// The vector's next segment.
    vector: u64,
    /// The bytes that are looked at. The verifier knows only that not many more than these are written.
    head: [u32; 6],
    /// Bytes left in this piece.
    left: u32,
    /// Bytes left after this piece.
    rest: u32,
    /// Segments of the vector that are left.
    segments: u32,
    /// Bytes of the message before `at`.
    position: u32,
    /// Where the submessage ends.
    end: u32,
    /// Bytes that are not looked at, before the next ones that are.
    skip: u32,
    want: u32,
    have: u32,
    stage: u32,
    /// First octets of the submessage: kind and flags.
    submessage: u32,
    /// 1 for a sample's beginning, 0 for a further fragment.
    pub messages: u32,
    /// Length of the sample's payload.
    pub bytes: u32,
    /// 1 when it begins as RTPS does.
    rtps: u32,
    /// 1 when user space wants to see it.
    wanted: u32,
    /// 1 when there is user data in it.
    user: u32,
    /// 1 when a reader answered a writer: `pair` says which.
    answers: u32,
}

impl Message {
    #[inline(always)]
    pub fn new(datagram: &Datagram) -> Self {
        let in_buffer = if datagram.segments > 0 {
            0
        } else if datagram.room < u64::from(datagram.length) {
            datagram.room as u32
        } else {
            datagram.length
        };
        Self {
            key: WriterKey { socket: datagram.cookie, guid: [0; 4], flow: datagram.flow, reserved: 0 },
            pair: Pair { from: [0; 3], reader: 0, to: [0; 3], writer: 0 },
            at: datagram.address,
            vector: datagram.address,
            head: [0; 6],
            left: in_buffer,
            rest: datagram.length - in_buffer,
            segments: datagram.segments,
            position: 0,
            end: 0,
            skip: 0,
            want: HEADER,
            have: 0,
            stage: stage::HEADER,
            submessage: 0,
            messages: 0,
            bytes: 0,
            rtps: 0,
            wanted: 0,
            user: 0,
            answers: 0,
        }
    }

    /// Goes to the vector's next segment; false when there is none, or no bytes for it.
    #[inline(always)]
    fn next_segment(&mut self) -> bool {
        if self.segments == 0 || self.rest == 0 {
            return false;
        }
        let mut segment = MaybeUninit::<[u64; 2]>::uninit();
        // SAFETY: the helper checks the address and writes the array or fails.
        if unsafe { bpf_probe_read_user(segment.as_mut_ptr().cast(), 16, self.vector as *const _) } != 0 {
            return false;
        }
        // SAFETY: written above.
        let segment = unsafe { segment.assume_init() };
        self.vector += 16;
        self.segments -= 1;
        self.at = segment[0];
        self.left = if segment[1] < u64::from(self.rest) { segment[1] as u32 } else { self.rest };
        self.rest -= self.left;
        true
    }

    #[inline(always)]
    pub fn is_rtps(&self) -> bool {
        self.rtps != 0
    }

    /// Whether user space wants it: discovery, or the first sign that two participants know of each other.
    #[inline(always)]
    pub fn is_wanted(&mut self) -> bool {
        if self.wanted != 0 {
            return true;
        }
        self.pair.reader = 0;
        self.pair.writer = 0;
        self.user == 0 && self.is_addressed() && writers::first_time(&self.pair)
    }

    /// A reader's first answer to a writer is wanted as well. Asked after a step, whose stack is not there any more then.
    #[inline(always)]
    pub fn look_up_answer(&mut self) {
        if self.answers != 0 {
            self.answers = 0;
            if writers::first_time(&self.pair) {
                self.wanted = 1;
            }
        }
    }

    /// Whether the submessages are for one participant, and not for all.
    #[inline(always)]
    fn is_addressed(&self) -> bool {
        let [a, b, c] = self.pair.to;
        a | b | c != 0
    }

    #[inline(always)]
    fn is_from(&mut self, prefix: [u32; 3]) {
        let [a, b, c] = prefix;
        self.pair.from = prefix;
        self.key.guid = [a, b, c, 0];
    }

    #[inline(always)]
    fn expect(&mut self, stage: u32, want: u32) {
        self.stage = stage;
        self.want = want;
        self.have = 0;
    }

    #[inline(always)]
    fn next_submessage(&mut self) {
        self.skip = self.end.saturating_sub(self.position);
        self.expect(stage::SUBMESSAGE, 4);
    }

    /// Goes to what comes `count` bytes further, if that is inside the submessage with `want` bytes behind it.
    #[inline(always)]
    fn skip_to(&mut self, count: u32, stage: u32, want: u32) -> bool {
        let inside = self.position.wrapping_add(count).wrapping_add(want) <= self.end && count <= 0xffff;
        if inside {
            self.skip = count;
            self.expect(stage, want);
        }
        inside
    }

    #[inline(always)]
    fn kind(&self) -> u8 {
        self.submessage as u8
    }

    #[inline(always)]
    fn flags(&self) -> u8 {
        (self.submessage >> 8) as u8
    }

    #[inline(always)]
    fn u16(&self, value: u32) -> u32 {
        let value = value as u16;
        u32::from(if self.flags() & flag::LITTLE_ENDIAN == 0 { value.swap_bytes() } else { value })
    }

    /// A number that was gathered at word `N`.
    #[inline(always)]
    fn u32<const N: usize>(&self) -> u32 {
        if self.flags() & flag::LITTLE_ENDIAN == 0 { self.head[N].swap_bytes() } else { self.head[N] }
    }

    /// Gathers what is wanted; false when it is not all there, or cannot be read.
    #[inline(always)]
    fn gather(&mut self) -> bool {
        let have = self.have & 31;
        let missing = self.want.wrapping_sub(have);
        let count = core::hint::black_box(if missing < self.left { missing } else { self.left });
        if count > LOOK {
            self.stage = stage::OVER;
            return false;
        }
        // SAFETY: `have` and `count` together are at most the array; the helper checks the address in user memory.
        let result = unsafe {
            let into = self.head.as_mut_ptr().cast::<u8>().add(have as usize);
            bpf_probe_read_user(into.cast(), count, self.at as *const _)
        };
        if result != 0 {
            self.stage = stage::OVER;
            return false;
        }
        self.advance(count);
        self.have = have + count;
        self.have >= self.want
    }

    #[inline(always)]
    fn advance(&mut self, count: u32) {
        self.at += u64::from(count);
        self.left -= count;
        self.position += count;
    }
}

/// A step over a message; 1 when it is at its end.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn rtps_step(message: *mut Message, state: *mut SocketState) -> u64 {
    // SAFETY: not null, and then the verifier has checked that they are what their types say.
    let (Some(message), Some(state)) = (unsafe { (message.as_mut(), state.as_mut()) }) else { return 1 };
    if message.stage == stage::OVER {
        return 1;
    }
    if message.left == 0 {
        return u64::from(!message.next_segment());
    }
    if message.skip > 0 {
        let count = if message.skip < message.left { message.skip } else { message.left };
        message.skip -= count;
        message.advance(count);
        if message.left == 0 {
            return 0;
        }
    }
    if message.gather() {
        gathered(message, state);
    }
    0
}

#[inline(always)]
fn gathered(message: &mut Message, state: &mut SocketState) {
    let stage = message.stage;
    if stage == stage::SUBMESSAGE {
        submessage(message);
    } else if stage == stage::SAMPLE {
        sample(message, state);
    } else if stage == stage::INLINE_QOS {
        inline_qos(message);
    } else if stage == stage::PAYLOAD {
        payload(message, state);
    } else if stage == stage::HEADER {
        header(message);
    } else {
        whereto(message, stage);
    }
}

#[inline(always)]
fn header(message: &mut Message) {
    let [magic, _, a, b, c, ..] = message.head;
    if magic != MAGIC {
        message.stage = stage::OVER;
        return;
    }
    message.rtps = 1;
    message.is_from([a, b, c]);
    message.end = message.position;
    message.next_submessage();
}

#[inline(always)]
fn submessage(message: &mut Message) {
    message.submessage = message.head[0];
    let (kind, length) = (message.kind(), message.u16(message.head[0] >> 16));
    let left = message.left + message.rest;
    // 0 in the last one means: up to the end (8.3.3.2.3).
    let to_the_end = length == 0 && kind != kind::PAD && kind != kind::INFO_TS;
    let length = if to_the_end || length > left { left } else { length };
    message.end = message.position + length;
    let known = match kind {
        kind::DATA => message.skip_to(0, stage::SAMPLE, 20),
        kind::DATA_FRAG => message.skip_to(0, stage::SAMPLE, 24),
        kind::INFO_DST => message.skip_to(0, stage::DESTINATION, 12),
        kind::INFO_SRC => message.skip_to(0, stage::SOURCE, 20),
        kind::ACKNACK => message.skip_to(0, stage::ACKNACK, 8),
        _ => false,
    };
    if !known {
        message.next_submessage();
    }
}

/// Whom the submessages are from and to, and which reader answers which writer.
#[inline(always)]
fn whereto(message: &mut Message, stage: u32) {
    let [first, second, third, fourth, fifth, ..] = message.head;
    if stage == stage::DESTINATION {
        message.pair.to = [first, second, third];
    } else if stage == stage::SOURCE {
        message.is_from([third, fourth, fifth]);
    } else if stage == stage::ACKNACK {
        let of_users = first & BUILT_IN != BUILT_IN && second & BUILT_IN != BUILT_IN;
        message.pair.reader = first;
        message.pair.writer = second;
        message.answers = u32::from(of_users && message.is_addressed());
    }
    message.next_submessage();
}

/// The beginning that DATA and `DATA_FRAG` share, and the number of the first fragment.
#[inline(always)]
fn sample(message: &mut Message, state: &mut SocketState) {
    let is_data = message.kind() == kind::DATA;
    let (to_inline_qos, writer) = (message.u16(message.head[0] >> 16), message.head[2]);
    message.key.guid[3] = writer;
    if writer & BUILT_IN == BUILT_IN {
        if writer == SPDP_WRITER || writer == SEDP_PUBLICATIONS_WRITER || writer == SEDP_SUBSCRIPTIONS_WRITER {
            message.wanted = 1;
        }
        message.next_submessage();
        return;
    }
    message.user = 1;
    // What was looked at after the place that `to_inline_qos` counts from.
    let looked = if is_data { 16 } else { 20 };
    let ahead = to_inline_qos.wrapping_sub(looked);
    let begins = is_data || message.u32::<5>() == 1;
    if (is_data && message.flags() & flag::PAYLOAD == 0) || ahead > 0xffff {
        message.next_submessage();
        return;
    }
    message.messages = u32::from(begins);
    message.bytes = message.end.saturating_sub(message.position + ahead);
    let found = writers::count(state, message);
    if found == WriterState::Discovery as u32 {
        message.wanted = 1;
    } else if found == WriterState::Free as u32 {
        let told = begins && {
            if message.flags() & flag::INLINE_QOS == 0 {
                message.skip_to(ahead, stage::PAYLOAD, 20)
            } else {
                message.skip_to(ahead, stage::INLINE_QOS, 4)
            }
        };
        if told {
            return;
        }
        let kind = if begins { WriterState::User } else { WriterState::Undecided };
        writers::place(state, message, kind as u32);
    }
    message.next_submessage();
}

/// A parameter of the inline QoS, which only has to be gone over.
#[inline(always)]
fn inline_qos(message: &mut Message) {
    let (id, length) = (message.u16(message.head[0]) as u16, message.u16(message.head[0] >> 16));
    let goes_on = if id == SENTINEL {
        message.skip_to(0, stage::PAYLOAD, 20)
    } else {
        message.skip_to(length, stage::INLINE_QOS, 4)
    };
    if !goes_on {
        message.next_submessage();
    }
}

/// The beginning of the first sample of a writer. That of `ros_discovery_info` is, behind the encapsulation, the GUID of the
/// sender's own participant.
#[inline(always)]
fn payload(message: &mut Message, state: &mut SocketState) {
    let [_, a, b, c, entity, ..] = message.head;
    let [x, y, z] = message.pair.from;
    let discovery = a == x && b == y && c == z && entity == PARTICIPANT;
    let kind = if discovery { WriterState::Discovery } else { WriterState::User };
    writers::place(state, message, kind as u32);
    if discovery {
        message.wanted = 1;
    }
    message.next_submessage();
}
