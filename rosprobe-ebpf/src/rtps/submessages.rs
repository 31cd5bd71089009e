//! The walk over an RTPS message, which keeps its place between pieces of memory.
//!
//! Source: DDSI-RTPS 2.5, 8.3 and 9.4.

use rosprobe_common::rtps::{MAGIC, PID_SENTINEL, entity, flag, submessage as kind};
use rosprobe_common::{SocketState, WriterState};

use super::message::{Message, found, stage};
use super::writers;
use crate::datagram::Datagram;

/// `RTPS` as the processor reads it.
pub const BEGINNING: u32 = u32::from_le_bytes(MAGIC);
/// Entities of the discovery protocols, and of no user: the two upper bits of the last octet.
pub const BUILT_IN: u32 = 0xc000_0000;
const SPDP_WRITER: u32 = u32::from_le_bytes(entity::SPDP_WRITER);
const SEDP_PUBLICATIONS_WRITER: u32 = u32::from_le_bytes(entity::SEDP_PUBLICATIONS_WRITER);
const SEDP_SUBSCRIPTIONS_WRITER: u32 = u32::from_le_bytes(entity::SEDP_SUBSCRIPTIONS_WRITER);
const PARTICIPANT: u32 = u32::from_le_bytes(entity::PARTICIPANT);

/// A step over a message; 1 when it is at its end.
#[cfg_attr(not(feature = "bounded"), unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn rtps_step(message: *mut Message, state: *mut SocketState, datagram: *const Datagram) -> u64 {
    // SAFETY: not null, and then the verifier has checked that they are what their types say.
    let (Some(message), Some(state), Some(datagram)) =
        (unsafe { (message.as_mut(), state.as_mut(), datagram.as_ref()) })
    else {
        return 1;
    };
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
        gathered(message, state, datagram);
    }
    0
}

#[inline(always)]
fn gathered(message: &mut Message, state: &mut SocketState, datagram: &Datagram) {
    let stage = message.stage;
    if stage == stage::SUBMESSAGE {
        submessage(message);
    } else if stage == stage::SAMPLE {
        sample(message, state, datagram);
    } else if stage == stage::INLINE_QOS {
        inline_qos(message);
    } else if stage == stage::PAYLOAD {
        payload(message);
    } else if stage == stage::HEADER {
        header(message);
    } else {
        whereto(message, stage);
    }
}

#[inline(always)]
fn header(message: &mut Message) {
    let [magic, _, a, b, c, ..] = message.head;
    if magic != BEGINNING {
        message.stage = stage::OVER;
        return;
    }
    message.found |= found::RTPS;
    message.is_from(a, b, c);
    message.end = message.position;
    message.next_submessage();
}

#[inline(always)]
fn submessage(message: &mut Message) {
    message.submessage = message.head[0] as u16;
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
fn whereto(message: &mut Message, stage: u8) {
    let [first, second, third, fourth, fifth, ..] = message.head;
    if stage == stage::DESTINATION {
        message.to = [first, second, third];
    } else if stage == stage::SOURCE {
        message.is_from(third, fourth, fifth);
    } else if stage == stage::ACKNACK {
        let of_users = first & BUILT_IN != BUILT_IN && second & BUILT_IN != BUILT_IN;
        if of_users && message.is_addressed() {
            message.found |= found::ANSWER;
        }
    }
    message.next_submessage();
}

/// The beginning that DATA and `DATA_FRAG` share, and the number of the first fragment.
#[inline(always)]
fn sample(message: &mut Message, state: &mut SocketState, datagram: &Datagram) {
    let is_data = message.kind() == kind::DATA;
    let (to_inline_qos, writer) = (message.u16(message.head[0] >> 16), message.head[2]);
    message.guid[3] = writer;
    if writer & BUILT_IN == BUILT_IN {
        if writer == SPDP_WRITER || writer == SEDP_PUBLICATIONS_WRITER || writer == SEDP_SUBSCRIPTIONS_WRITER {
            message.found |= found::WANTED;
        }
        message.next_submessage();
        return;
    }
    message.found |= found::USER;
    // What was looked at after the place that `to_inline_qos` counts from.
    let looked = if is_data { 16 } else { 20 };
    let ahead = to_inline_qos.wrapping_sub(looked);
    let begins = is_data || message.u32::<5>() == 1;
    if (is_data && message.flags() & flag::PAYLOAD == 0) || ahead > 0xffff {
        message.next_submessage();
        return;
    }
    message.found = if begins { message.found | found::BEGINS } else { message.found & !found::BEGINS };
    message.bytes = message.end.saturating_sub(message.position + ahead);
    let found = writers::count(state, message, datagram);
    if found == WriterState::Discovery as u32 {
        message.found |= found::WANTED;
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
        message.found |= if begins { found::NEW_USER } else { found::NEW_UNDECIDED };
    }
    message.next_submessage();
}

/// A parameter of the inline QoS, which only has to be gone over.
#[inline(always)]
fn inline_qos(message: &mut Message) {
    let (id, length) = (message.u16(message.head[0]) as u16, message.u16(message.head[0] >> 16));
    let goes_on = if id == PID_SENTINEL {
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
fn payload(message: &mut Message) {
    let [_, a, b, c, entity, ..] = message.head;
    let [x, y, z, _] = message.guid;
    let discovery = a == x && b == y && c == z && entity == PARTICIPANT;
    message.found |= if discovery { found::NEW_DISCOVERY | found::WANTED } else { found::NEW_USER };
    message.next_submessage();
}
