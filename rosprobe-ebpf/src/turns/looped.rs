//! The loops over what a process sent or received, by `bpf_loop()`, Linux 5.17 and later: the verifier looks at a turn once. The other
//! object has `bounded.rs` in this place.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use rosprobe_common::SocketState;

use crate::conversation::step;
use crate::datagram::{Datagram, copy_piece, vector_entry};
use crate::kernel;
use crate::rtps::{self, Message};
use crate::walk::{Walk, walk_ends};

/// Steps of one walk; after that the rest is only counted.
const WALK_STEPS: u32 = 1 << 17;
/// Steps over one message: at most five for each submessage and one for each segment. The rest of a message with more is not looked at.
const MESSAGE_STEPS: u32 = 8192;

/// What the callback of a walk over a stream gets.
struct WalkTurn {
    walk: *mut Walk,
    state: *mut SocketState,
}

/// Has `work` done with a walk that has not begun; true, because there is always room for one.
#[inline(always)]
pub fn with_walk(work: impl FnOnce(&mut Walk)) -> bool {
    let mut walk: Walk = kernel::zeroed();
    work(&mut walk);
    true
}

/// Walks over the bytes of a TCP socket; true when the call offered more than was taken.
#[inline(always)]
pub fn walk(walk: &mut Walk, state: &mut SocketState) -> bool {
    let turn = WalkTurn { walk: &raw mut *walk, state: &raw mut *state };
    // SAFETY: the callback gets `turn`, which outlives the loop.
    unsafe { bpf_loop(WALK_STEPS, take_step as *mut c_void, (&raw const turn).cast_mut().cast(), 0) };
    walk_ends(turn.state, turn.walk);
    walk.offers_more()
}

unsafe extern "C" fn take_step(_index: u64, turn: *mut WalkTurn) -> i64 {
    // SAFETY: the turn of the loop's caller, its walk, and memory of the map.
    let (state, walk) = unsafe { (&mut *(*turn).state, &mut *(*turn).walk) };
    i64::from(!step(state, walk))
}

/// Walks over a datagram, and says what it is.
#[inline(always)]
pub fn rtps(datagram: &Datagram, state: &mut SocketState) -> u64 {
    rtps_datagram(&raw const *datagram, &raw mut *state)
}

/// What the callback of a walk over a message gets.
struct MessageTurn {
    message: *mut Message,
    state: *mut SocketState,
    datagram: *const Datagram,
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rtps_datagram(datagram: *const Datagram, state: *mut SocketState) -> u64 {
    // SAFETY: not null, and then the verifier has checked that they are what their types say.
    let (Some(given), Some(_)) = (unsafe { (datagram.as_ref(), state.as_ref()) }) else { return rtps::OTHER };
    let mut message = Message::new(given);
    let turn = MessageTurn { message: &raw mut message, state, datagram };
    // SAFETY: the callback gets `turn`, which outlives the loop.
    unsafe { bpf_loop(MESSAGE_STEPS, take_turn as *mut c_void, (&raw const turn).cast_mut().cast(), 0) };
    rtps::verdict(&message)
}

unsafe extern "C" fn take_turn(_index: u64, turn: *mut MessageTurn) -> i64 {
    // SAFETY: the turn of the loop's caller, which has the message on its stack.
    unsafe { rtps::turn((*turn).message, (*turn).state, (*turn).datagram) as i64 }
}

/// How much of a datagram was copied.
struct Copying {
    datagram: *const Datagram,
    at: u32,
}

/// Copies the whole datagram to user space.
#[inline(always)]
pub fn copy(datagram: &Datagram) {
    copy_datagram(&raw const *datagram);
}

/// A record for each piece of memory that it is in.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn copy_datagram(datagram: *const Datagram) -> u64 {
    // SAFETY: not null, and then the verifier has checked that it is a `Datagram`.
    let Some(given) = (unsafe { datagram.as_ref() }) else { return 0 };
    if given.segments == 0 {
        copy_piece(datagram, given.address, u64::from(given.room), 0);
    } else {
        let mut copy = Copying { datagram, at: 0 };
        // SAFETY: the callback gets `copy`, which outlives the loop.
        unsafe { bpf_loop(u32::from(given.segments), copy_segment as *mut c_void, (&raw mut copy).cast(), 0) };
    }
    0
}

unsafe extern "C" fn copy_segment(index: u64, copy: *mut Copying) -> i64 {
    // SAFETY: of the loop's caller.
    let (copy, datagram) = unsafe { (&mut *copy, &*(*copy).datagram) };
    let Some((address, length)) = vector_entry(datagram, index) else { return 1 };
    copy.at += copy_piece(copy.datagram, address, length, copy.at) as u32;
    if copy.at >= datagram.length { 1 } else { 0 }
}
