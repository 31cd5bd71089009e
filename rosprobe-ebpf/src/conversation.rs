//! What the bytes are, decided from the first ones of each direction, and how much of them is copied.

use rosprobe_common::{
    Cut, DirectionState, Framing, MID_STREAM_LOOKS, OPENING_BYTES, Opening, Protocol, SocketState, opening,
};

use crate::maps::config;
use crate::tcpros::begin_header;
use crate::walk::{Walk, announce, direction, emit_chunk, emit_gathered, least, parts, read};

/// Largest piece that one record carries.
const PIECE: u32 = 32 * 1024;

/// A step over anything but TCPROS.
#[cfg_attr(not(feature = "bounded"), unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn conversation(state: *mut SocketState, walk: *mut Walk) -> u64 {
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

/// The first bytes of a direction.
#[inline(always)]
pub fn open(walk: &mut Walk, state: &mut SocketState) {
    let direction = direction!(state, walk);
    let have = u32::from(direction.have);
    if have >= OPENING_BYTES as u32 {
        direction.framing = Framing::Lost as u8;
        return;
    }
    let wanted = OPENING_BYTES as u32 - have;
    let count = if walk.left < wanted { walk.left } else { wanted };
    // SAFETY: `have` is less than the array's length.
    if !read(walk.at, unsafe { direction.head.as_mut_ptr().add(have as usize) }, count) {
        unreadable_opening(walk, state);
        return;
    }
    direction.have = (have + count) as u8;
    match open_by(direction) {
        OPENING_UNDECIDED => walk.advance(direction, count),
        OPENING_XMLRPC if state.protocol == Protocol::Undecided as u8 => {
            direction.copied = have;
            walk.speaks(state, Protocol::XmlRpc);
        }
        OPENING_TCPROS => {
            begin_header(direction, have);
            if state.protocol == Protocol::Undecided as u8 {
                walk.speaks(state, Protocol::Topic);
                announce(walk);
            }
        }
        _ if state.protocol == Protocol::Undecided as u8 => walk.speaks(state, Protocol::Other),
        _ => direction.framing = Framing::Lost as u8,
    }
}

const OPENING_UNDECIDED: u64 = 0;
const OPENING_XMLRPC: u64 = 1;
const OPENING_TCPROS: u64 = 2;
const OPENING_OTHER: u64 = 3;

/// A function of its own, which takes the number of bytes from the map: the verifier then forgets what it knew of that number, and
/// does not follow each value of it through the loop over the bytes.
#[inline(never)]
fn open_by(direction: &mut DirectionState) -> u64 {
    // SAFETY: memory of the map; volatile because the compiler knows the value too well.
    let have = unsafe { core::ptr::read_volatile(&raw const direction.have) };
    match opening(&direction.head, usize::from(have)) {
        Opening::Undecided => OPENING_UNDECIDED,
        Opening::XmlRpc => OPENING_XMLRPC,
        Opening::Tcpros { .. } => OPENING_TCPROS,
        Opening::Other => OPENING_OTHER,
    }
}

#[inline(always)]
fn unreadable_opening(walk: &mut Walk, state: &mut SocketState) {
    direction!(state, walk).framing = Framing::Lost as u8;
    if state.protocol == Protocol::Undecided as u8 {
        walk.speaks(state, Protocol::MidStream);
        announce(walk);
    }
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
