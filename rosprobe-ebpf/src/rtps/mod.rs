//! RTPS datagrams: discovery is copied whole, user data is only counted.
//!
//! A datagram is walked over once, piece of memory by piece of memory, so that it does not matter into how many segments an
//! implementation cuts it: Cyclone DDS gives up to ten, the first only the message's header.

mod message;
mod pairs;
mod submessages;
mod user_data;
mod writers;

use rosprobe_common::SocketState;
use rosprobe_common::rtps::HEADER_BYTES;

pub use self::message::Message;
use self::message::found;
pub use self::user_data::counted;
use crate::datagram::Datagram;

/// Bytes that tell whether a datagram is RTPS.
pub const OPENING: u32 = HEADER_BYTES as u32;

/// It is none.
pub const OTHER: u64 = 0;
/// It is, and nothing else is to be done.
const COUNTED: u64 = 1;
/// User space wants to see it.
pub const WANTED: u64 = 2;

/// A turn of the walk over a message; 1 when it is at its end, else 0.
///
/// # Safety
///
/// The message is there.
#[inline(always)]
pub unsafe fn turn(message: *mut Message, state: *mut SocketState, datagram: *const Datagram) -> u64 {
    let over = submessages::rtps_step(message, state, datagram);
    // SAFETY: the caller's.
    let walked = unsafe { &mut *message };
    if walked.found & found::NEW != 0 {
        writers::rtps_place(message, state, datagram);
    }
    pairs::look_up_answer(walked);
    // The verifier, which does not look into the function here, wants to see that it is 0 or 1.
    core::hint::black_box(over) & 1
}

/// What a message was, at the end of the walk.
#[inline(always)]
pub fn verdict(message: &Message) -> u64 {
    match (message.has(found::RTPS), pairs::is_wanted(message)) {
        (false, _) => OTHER,
        (true, false) => COUNTED,
        (true, true) => WANTED,
    }
}
