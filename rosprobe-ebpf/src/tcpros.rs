//! TCPROS: the header is copied, and of the messages after it a service's beginnings; the rest is counted.

use rosprobe_common::{
    DirectionState, Framing, MESSAGE_LIMIT, Protocol, SERVICE_ANSWER_LIMIT, SERVICE_REQUEST_LIMIT, SocketState,
};

use crate::opening::{NO_MATCH, SERVICE, open};
use crate::walk::{Walk, direction, emit_gathered, gather, least, parts, prefix, read};

/// Bytes of a header that are gathered before they are emitted.
const HEADER_PIECE: u32 = 16 * 1024;

/// A step over a direction of a TCPROS connection.
#[cfg_attr(not(feature = "bounded"), unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn tcpros(state: *mut SocketState, walk: *mut Walk) -> u64 {
    parts!(state, walk);
    match direction!(state, walk).framing {
        framing if framing == Framing::Body as u8 => body(walk, state),
        framing if framing == Framing::Length as u8 => length(walk, state),
        framing if framing == Framing::Status as u8 => {
            take(walk, state, 1);
            direction!(state, walk).framing = Framing::Length as u8;
        }
        framing if framing == Framing::Header as u8 => header(walk, state),
        framing if framing == Framing::Start as u8 => open(walk, state),
        _ => {
            let left = walk.left;
            walk.count(direction!(state, walk), left);
        }
    }
    0
}

#[inline(always)]
fn header(walk: &mut Walk, state: &mut SocketState) {
    let direction = direction!(state, walk);
    if direction.remaining == 0 {
        emit_gathered(walk, state);
        next_message(state, walk.flow);
    } else if direction.field == 0 {
        field_length(walk, state);
    } else if direction.matched < SERVICE.len() as u8 {
        if field_name(walk, direction) {
            // rospy's server says `service=` as well, but who asks speaks first.
            if state.protocol != Protocol::Service as u8 {
                direction.asks = 1;
            }
            walk.speaks(state, Protocol::Service);
        }
    } else {
        let count = least(direction.field, walk.left, HEADER_PIECE);
        walk.advance(direction, count);
        direction.field -= count;
        direction.remaining = direction.remaining.saturating_sub(count);
        if walk.at - walk.mark >= u64::from(HEADER_PIECE) {
            emit_gathered(walk, state);
        }
    }
}

#[inline(always)]
fn field_length(walk: &mut Walk, state: &mut SocketState) {
    let direction = direction!(state, walk);
    let Some(count) = gather(walk, direction) else {
        direction.framing = Framing::Lost as u8;
        return;
    };
    direction.remaining = direction.remaining.saturating_sub(count);
    if direction.have < 4 {
        if direction.remaining == 0 {
            direction.framing = Framing::Lost as u8;
        }
        return;
    }
    let field = prefix(direction);
    if field == 0 || field > direction.remaining {
        // Malformed: user space has it up to here and says so.
        direction.framing = Framing::Lost as u8;
        emit_gathered(walk, state);
        return;
    }
    direction.field = field;
    direction.matched = 0;
}

/// The first bytes of a field; true when they are `service=`.
#[inline(always)]
fn field_name(walk: &mut Walk, direction: &mut DirectionState) -> bool {
    let matched = u32::from(direction.matched & 7);
    let count = least(direction.field, walk.left, SERVICE.len() as u32 - matched);
    // Between two lengths `head` is free.
    if !read(walk.at, direction.head.as_mut_ptr(), count) {
        direction.framing = Framing::Lost as u8;
        return false;
    }
    let mut at = 0;
    while at < SERVICE.len() as u32 {
        if at < count && direction.matched != NO_MATCH {
            let same = direction.head[at as usize] == SERVICE[((matched + at) & 7) as usize];
            direction.matched = if same { direction.matched + 1 } else { NO_MATCH };
        }
        at += 1;
    }
    walk.advance(direction, count);
    direction.field -= count;
    direction.remaining = direction.remaining.saturating_sub(count);
    direction.matched == SERVICE.len() as u8
}

/// The length prefix of a message.
#[inline(always)]
fn length(walk: &mut Walk, state: &mut SocketState) {
    let limit = copy_limit(state, walk.flow);
    let direction = direction!(state, walk);
    let Some(count) = gather(walk, direction) else {
        direction.framing = Framing::Lost as u8;
        return;
    };
    if limit == 0 {
        walk.mark = walk.at;
        direction.uncopied += u64::from(count);
    } else {
        direction.copied += count;
    }
    if direction.have < 4 {
        return;
    }
    direction.have = 0;
    direction.remaining = prefix(direction);
    if direction.remaining > MESSAGE_LIMIT {
        direction.framing = Framing::Lost as u8;
    } else if direction.remaining == 0 {
        message_ends(walk, state);
    } else {
        direction.framing = Framing::Body as u8;
    }
}

#[inline(always)]
fn body(walk: &mut Walk, state: &mut SocketState) {
    let direction = direction!(state, walk);
    let count = if walk.left < direction.remaining { walk.left } else { direction.remaining };
    take(walk, state, count);
    direction!(state, walk).remaining -= count;
    if direction!(state, walk).remaining == 0 {
        message_ends(walk, state);
    }
}

#[inline(always)]
fn message_ends(walk: &mut Walk, state: &mut SocketState) {
    emit_gathered(walk, state);
    direction!(state, walk).messages += 1;
    next_message(state, walk.flow);
}

/// A request of a service, and a message of a topic, begin with their length; an answer begins with a status byte.
#[inline(always)]
pub fn next_message(state: &mut SocketState, flow: u8) {
    let service = state.protocol == Protocol::Service as u8;
    // SAFETY: the index is 0 or 1.
    let direction = unsafe { state.direction.get_unchecked_mut((flow & 1) as usize) };
    direction.have = 0;
    direction.copied = 0;
    direction.framing = if service && direction.asks == 0 { Framing::Status as u8 } else { Framing::Length as u8 };
}

/// Bytes to copy of each message.
#[inline(always)]
fn copy_limit(state: &SocketState, flow: u8) -> u32 {
    if state.protocol != Protocol::Service as u8 {
        0
    // SAFETY: the index is 0 or 1.
    } else if unsafe { state.direction.get_unchecked((flow & 1) as usize) }.asks == 1 {
        SERVICE_REQUEST_LIMIT
    } else {
        SERVICE_ANSWER_LIMIT
    }
}

/// Goes forward inside a message, and copies as much of it as its limit has left.
#[inline(always)]
fn take(walk: &mut Walk, state: &mut SocketState, count: u32) {
    let limit = copy_limit(state, walk.flow);
    let direction = direction!(state, walk);
    let room = limit.saturating_sub(direction.copied);
    let copy = if count < room { count } else { room };
    walk.advance(direction, copy);
    direction.copied += copy;
    if count > copy {
        emit_gathered(walk, state);
        walk.count(direction!(state, walk), count - copy);
    }
}
