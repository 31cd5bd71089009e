//! The first bytes of a direction, which decide what it is.

use rosprobe_common::{DirectionState, Framing, OPENING_BYTES, Opening, Protocol, SocketState, opening};

use crate::walk::{Walk, announce, direction, read};

/// The field of a header that makes it a service's.
pub const SERVICE: [u8; 8] = *b"service=";
/// The field is another one.
pub const NO_MATCH: u8 = 255;

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

/// The direction begins with a header, of which `have` bytes went by before that was certain.
#[inline(always)]
fn begin_header(direction: &mut DirectionState, have: u32) {
    let [a, b, c, d, ..] = direction.head;
    let length = u32::from_le_bytes([a, b, c, d]);
    direction.framing = Framing::Header as u8;
    direction.remaining = 4 + length - have;
    direction.have = 0;
    direction.matched = 0;
    if have < 4 {
        // The rest of the length prefix, as if it were a field of no interest.
        direction.field = 4 - have;
        direction.matched = NO_MATCH;
    } else if have < 8 {
        direction.field = 0;
        direction.have = (have - 4) as u8;
        let [_, _, _, _, a, b, c, d, ..] = direction.head;
        direction.head[0] = a;
        direction.head[1] = b;
        direction.head[2] = c;
        direction.head[3] = d;
    } else {
        let [_, _, _, _, a, b, c, d, name @ ..] = direction.head;
        direction.field = u32::from_le_bytes([a, b, c, d]) - (have - 8);
        let mut at = 0;
        while at < 8 {
            if at < have - 8 && direction.matched != NO_MATCH {
                direction.matched =
                    if name[at as usize] == SERVICE[at as usize] { direction.matched + 1 } else { NO_MATCH };
            }
            at += 1;
        }
    }
}
