//! RTPS datagrams: discovery is copied whole, user data is only counted.
//!
//! A datagram is walked over once, piece of memory by piece of memory, so that it does not matter into how many segments an
//! implementation cuts it: Cyclone DDS gives up to ten, the first only the message's header.

mod message;
mod submessages;
mod user_data;
mod writers;

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use rosprobe_common::{Protocol, SocketState};

use self::message::{Message, found};
use crate::datagram::{Datagram, copy, find_peer};
use rosprobe_common::rtps::HEADER_BYTES;

/// Bytes that tell whether a datagram is RTPS.
pub const OPENING: u32 = HEADER_BYTES as u32;

/// Steps over one message: at most five for each submessage and one for each segment. The rest of a message with more is not looked at.
const STEPS: u32 = 8192;

const OTHER: u64 = 0;
const COUNTED: u64 = 1;
const WANTED: u64 = 2;

/// Takes one datagram of a socket; true when it is RTPS.
#[inline(always)]
pub fn taken(datagram: &mut Datagram, state: &mut SocketState) -> bool {
    if state.protocol == Protocol::Rtps as u8 && user_data::counted(datagram, state) != 0 {
        return true;
    }
    let found = rtps_datagram(&raw const *datagram, &raw mut *state);
    if found == WANTED {
        find_peer(datagram);
        copy(datagram);
    }
    found != OTHER
}

/// What the loop's callbacks get.
struct Turn {
    message: *mut Message,
    state: *mut SocketState,
    datagram: *const Datagram,
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rtps_datagram(datagram: *const Datagram, state: *mut SocketState) -> u64 {
    // SAFETY: not null, and then the verifier has checked that they are what their types say.
    let (Some(given), Some(_)) = (unsafe { (datagram.as_ref(), state.as_ref()) }) else { return OTHER };
    let mut message = Message::new(given);
    let turn = Turn { message: &raw mut message, state, datagram };
    // SAFETY: the callback gets `turn`, which outlives the loop.
    unsafe { bpf_loop(STEPS, take_turn as *mut c_void, (&raw const turn).cast_mut().cast(), 0) };
    match (message.has(found::RTPS), message.is_wanted()) {
        (false, _) => OTHER,
        (true, false) => COUNTED,
        (true, true) => WANTED,
    }
}

unsafe extern "C" fn take_turn(_index: u64, turn: *mut Turn) -> i64 {
    // SAFETY: the turn of the loop's caller.
    let turn = unsafe { &*turn };
    let over = submessages::rtps_step(turn.message, turn.state, turn.datagram);
    // SAFETY: the loop's caller has it on its stack.
    let message = unsafe { &mut *turn.message };
    if message.found & found::NEW != 0 {
        writers::rtps_place(turn.message, turn.state, turn.datagram);
    }
    message.look_up_answer();
    // The verifier, which does not look into the function here, wants to see that it is 0 or 1.
    (core::hint::black_box(over) & 1) as i64
}
