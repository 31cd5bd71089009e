//! The steps of a walk: how much of a conversation is copied. What it is, its first bytes decide.

use rosprobe_common::{Cut, MID_STREAM_LOOKS, Opening, Protocol, SocketState, opening};

use crate::maps::config;
use crate::opening::open;
use crate::tcpros::tcpros;
use crate::walk::{Walk, direction, emit_chunk, emit_gathered, least, next_segment, parts, read};

/// Largest piece that one record carries.
const PIECE: u32 = 32 * 1024;

/// A step of a walk; false when it is at its end.
#[inline(always)]
pub fn step(state: &mut SocketState, walk: &mut Walk) -> bool {
    if walk.left == 0 {
        emit_gathered(walk, state);
        return next_segment(walk);
    }
    if state.protocol == Protocol::Topic as u8 || state.protocol == Protocol::Service as u8 {
        tcpros(state, walk);
    } else {
        conversation(state, walk);
    }
    true
}

/// A step over anything but TCPROS.
#[cfg_attr(not(feature = "bounded"), unsafe(no_mangle))]
#[inline(never)]
extern "C" fn conversation(state: *mut SocketState, walk: *mut Walk) -> u64 {
    parts!(state, walk);
    match state.protocol {
        protocol if protocol == Protocol::XmlRpc as u8 => copy_message(walk, state),
        protocol if protocol == Protocol::Undecided as u8 => open(walk, state),
        protocol if protocol == Protocol::MidStream as u8 => look(walk, state),
        _ => {
            let left = walk.left;
            walk.count(direction!(state, walk), left);
        }
    }
    0
}

/// XML-RPC: all of it, up to the limit of the message.
#[inline(always)]
fn copy_message(walk: &mut Walk, state: &mut SocketState) {
    let direction = direction!(state, walk);
    let room = config!(payload_limit).saturating_sub(direction.copied);
    let count = if room == 0 { walk.left } else { least(walk.left, room, PIECE) };
    walk.mark = walk.at;
    walk.advance(direction, count);
    if room == 0 {
        emit_chunk(state, walk, count, 0, Cut::Limit as u32);
        walk.mark = walk.at;
    } else {
        direction.copied += count;
        emit_gathered(walk, state);
    }
}

/// A socket that was open before: XML-RPC is picked up where a chunk begins with it.
#[inline(always)]
fn look(walk: &mut Walk, state: &mut SocketState) {
    let direction = direction!(state, walk);
    if walk.looked == 0 && walk.left >= 4 {
        walk.looked = 1;
        if read(walk.at, direction.head.as_mut_ptr(), 4) && opening(&direction.head, 4) == Opening::XmlRpc {
            direction.copied = 0;
            walk.speaks(state, Protocol::XmlRpc);
            return;
        }
        if state.looked < MID_STREAM_LOOKS {
            state.looked += 1;
        }
    }
    let left = walk.left;
    walk.count(direction, left);
}
