//! The loops of `looped.rs` for kernels that have no `bpf_loop()` (before Linux 5.17), and let global functions take numbers alone
//! (before 5.12).
//!
//! What a loop works on lies in a map meanwhile, by thread. So a turn is a function that takes a number: the verifier looks at it
//! once, and at nothing but the call in each turn. It goes back over all turns so far in each one, so that a loop is one of short loops.
//! What a thread has there nothing else writes: the end of a system call, or of a
//! send or receive, does not interrupt another one of the same thread.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use rosprobe_common::{Cut, IOVEC_LIMIT, Kind, SocketState};

use crate::conversation::step;
use crate::datagram::{Datagram, copy_piece, vector_entry};
use crate::emit::{Payload, emit_payload};
use crate::kernel;
use crate::rtps::{self, Message};
use crate::socket::known;
use crate::walk::{Walk, walk_ends};

/// Turns of a short loop.
const TURNS: u32 = 64;
/// Short loops of a walk. After these steps, of which a message of a topic takes two, the rest is only counted. A datagram takes at most
/// five for each submessage and one for each segment; the rest of one with more is not looked at.
const WALK_LOOPS: u32 = 32;
/// Short loops over the segments of a vector.
const COPY_LOOPS: u32 = IOVEC_LIMIT / TURNS;

/// Threads that are in a loop at one moment: as many as there are processors, and one that finds no room says that it saw nothing.
const THREADS: u32 = 1024;

/// Walks over streams, by pid and tgid.
#[map]
static WALKS: HashMap<u64, Walk> = HashMap::with_max_entries(THREADS, 0);

/// Datagrams that are walked over or copied, by pid and tgid.
#[map]
static DATAGRAMS: HashMap<u64, Handled> = HashMap::with_max_entries(THREADS, 0);

/// A datagram, and where in it the loop is.
#[repr(C, align(8))]
struct Handled {
    datagram: Datagram,
    message: Message,
    /// Bytes that were copied.
    copied: u64,
}

/// No walk; in a map's memory, so that no stack is spent on it.
// SAFETY: integers only, so that zeros are a value.
static NO_WALK: Walk = unsafe { core::mem::zeroed() };

/// No datagram, likewise.
// SAFETY: integers only, so that zeros are a value.
static NO_DATAGRAM: Handled = unsafe { core::mem::zeroed() };

/// Takes turns until one is the last, which says 1, and this many at most; 1 when there was a last one.
#[inline(always)]
fn repeat(limit: u32, take: impl Fn(u32) -> u64) -> u64 {
    let mut turn = 0;
    while turn < limit {
        if take(turn) != 0 {
            return 1;
        }
        turn += 1;
    }
    0
}

/// Has `work` done with a walk that has not begun; false where there is no room for one.
#[inline(always)]
pub fn with_walk(work: impl FnOnce(&mut Walk)) -> bool {
    let _ = WALKS.insert(bpf_get_current_pid_tgid(), &NO_WALK, 0);
    let Some(walk) = walk_of_thread() else { return false };
    work(walk);
    let _ = WALKS.remove(bpf_get_current_pid_tgid());
    true
}

/// Walks over the bytes of a TCP socket; true when the call offered more than was taken.
#[inline(always)]
pub fn walk(walk: &mut Walk, _state: &mut SocketState) -> bool {
    repeat(WALK_LOOPS, |_| walk_stream(walk.cookie));
    walk_end(walk.cookie) != 0
}

#[inline(always)]
fn walk_of_thread<'a>() -> Option<&'a mut Walk> {
    // SAFETY: this thread's own entry.
    WALKS.get_ptr_mut(bpf_get_current_pid_tgid()).map(|walk| unsafe { &mut *walk })
}

/// 1 at the end.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn walk_stream(cookie: u64) -> u64 {
    repeat(TURNS, |_| walk_step(cookie))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn walk_step(cookie: u64) -> u64 {
    let (Some(walk), Some(state)) = (walk_of_thread(), known(cookie)) else { return 1 };
    u64::from(!step(state, walk))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn walk_end(cookie: u64) -> u64 {
    let (Some(walk), Some(state)) = (walk_of_thread(), known(cookie)) else { return 0 };
    walk_ends(state, walk);
    u64::from(walk.offers_more())
}

/// Puts a datagram where the turns find it.
#[inline(always)]
fn handle<'a>(datagram: &Datagram) -> Option<&'a mut Handled> {
    let thread = bpf_get_current_pid_tgid();
    DATAGRAMS.insert(&thread, &NO_DATAGRAM, 0).ok()?;
    let handled = handled()?;
    kernel::copy(datagram, &mut handled.datagram);
    Some(handled)
}

#[inline(always)]
fn handled<'a>() -> Option<&'a mut Handled> {
    // SAFETY: this thread's own entry.
    DATAGRAMS.get_ptr_mut(bpf_get_current_pid_tgid()).map(|handled| unsafe { &mut *handled })
}

#[inline(always)]
fn let_go() {
    let _ = DATAGRAMS.remove(bpf_get_current_pid_tgid());
}

/// Walks over a datagram, and says what it is.
#[inline(always)]
pub fn rtps(datagram: &Datagram, _state: &mut SocketState) -> u64 {
    walk_datagram(datagram)
}

/// A function of its own for its stack.
#[inline(never)]
fn walk_datagram(datagram: &Datagram) -> u64 {
    let Some(handled) = handle(datagram) else { return rtps::OTHER };
    kernel::copy(&Message::new(datagram), &mut handled.message);
    repeat(WALK_LOOPS, |_| walk_message(datagram.cookie));
    let found = message_end();
    let_go();
    found
}

/// 1 at the end.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn walk_message(cookie: u64) -> u64 {
    repeat(TURNS, |_| message_step(cookie))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn message_step(cookie: u64) -> u64 {
    let (Some(handled), Some(state)) = (handled(), known(cookie)) else { return 1 };
    // SAFETY: in the map.
    unsafe { rtps::turn(&raw mut handled.message, state, &raw const handled.datagram) }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn message_end() -> u64 {
    handled().map_or(rtps::OTHER, |handled| rtps::verdict(&handled.message))
}

/// Copies the whole datagram to user space.
#[inline(always)]
pub fn copy(datagram: &Datagram) {
    copy_datagram(datagram);
}

#[inline(never)]
fn copy_datagram(datagram: &Datagram) -> u64 {
    if handle(datagram).is_none() {
        return not_copied(datagram);
    }
    repeat(COPY_LOOPS, |done| copy_pieces(done * TURNS));
    let_go();
    0
}

/// A function of its own for its stack.
#[inline(never)]
fn not_copied(datagram: &Datagram) -> u64 {
    let nothing = Payload { address: 0, copy: 0, length: datagram.length, cut: Cut::Unreadable };
    emit_payload(&datagram.socket(), &datagram.fact(Kind::Datagram, 0), &nothing);
    0
}

/// A record for each piece of memory that it is in; 1 at the end.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn copy_pieces(first: u32) -> u64 {
    repeat(TURNS, |turn| copy_segment(first + turn))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn copy_segment(index: u32) -> u64 {
    let Some(handled) = handled() else { return 1 };
    let datagram = &handled.datagram;
    if datagram.segments == 0 {
        copy_piece(datagram, datagram.address, u64::from(datagram.room), 0);
        return 1;
    }
    if index >= u32::from(datagram.segments) {
        return 1;
    }
    let Some((address, length)) = vector_entry(datagram, u64::from(index)) else { return 1 };
    handled.copied += copy_piece(datagram, address, length, handled.copied as u32);
    u64::from(handled.copied >= u64::from(handled.datagram.length))
}
