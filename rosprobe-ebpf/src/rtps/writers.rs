//! What is counted of each writer.

use rosprobe_common::{SocketState, WRITERS_OF_SOCKET, WriterCount, WriterKey, WriterState};

use super::message::{Message, found};
use crate::datagram::Datagram;
use crate::kernel::{copy_guid, zeroed};
use crate::maps::{BPF_NOEXIST, PAIRS, Pair, WRITERS};

/// No entity: what is remembered as a pair is a place of a socket that is taken.
const PLACE: u32 = u32::MAX;

/// A writer of which nothing is known; in a map's memory, so that no stack is spent on it.
static EMPTY: WriterCount = WriterCount::EMPTY;

/// Whether this is the count of a writer that is known, in this direction.
#[inline(always)]
pub fn is_of(count: &WriterCount, guid: &[u32; 4], flow: u32) -> bool {
    let ([a, b, c, d], [w, x, y, z]) = (*guid, count.guid);
    // The entity first: a socket's writers differ in that.
    d == z && a == w && b == x && c == y && flow == count.flow && count.state >= WriterState::Undecided as u32
}

/// Two threads that send for one writer at the same moment may count as one: no implementation does that.
#[inline(always)]
fn add(count: &mut WriterCount, message: &Message) {
    count.messages += u64::from(message.has(found::BEGINS));
    count.bytes += u64::from(message.bytes);
}

/// Counts the sample with a known writer, and says what that writes; [`WriterState::Free`] when that is still to be found out.
#[inline(always)]
fn known(count: &mut WriterCount, message: &Message) -> u32 {
    if count.state == WriterState::Discovery as u32 {
        return count.state;
    }
    if count.state == WriterState::Undecided as u32 && message.has(found::BEGINS) {
        return WriterState::Free as u32;
    }
    add(count, message);
    WriterState::User as u32
}

/// The key, on this function's stack: up to Linux 6.1 the verifier takes none that a global function was given.
#[inline(always)]
fn key_of(message: &Message, datagram: &Datagram) -> WriterKey {
    let mut key: WriterKey = zeroed();
    key.socket = datagram.cookie;
    copy_guid(&message.guid, &mut key.guid);
    key.flow = u32::from(datagram.flow);
    key
}

/// Counts the sample of a writer that is known, and says what that writes; [`WriterState::Free`] for one that is not.
#[inline(always)]
pub fn count(state: &mut SocketState, message: &Message, datagram: &Datagram) -> u32 {
    let mut at = 0;
    while at < WRITERS_OF_SOCKET {
        let place = &mut state.writers[at];
        if is_of(place, &message.guid, u32::from(datagram.flow)) {
            return known(place, message);
        }
        at += 1;
    }
    match WRITERS.get_ptr_mut(&key_of(message, datagram)) {
        // SAFETY: memory of the map.
        Some(count) => known(unsafe { &mut *count }, message),
        None => WriterState::Free as u32,
    }
}

/// Remembers what the writer that the last step found writes, and counts its first sample. A function of its own, after the step, so
/// that their stacks do not add up.
#[cfg_attr(not(feature = "bounded"), unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn rtps_place(message: *mut Message, state: *mut SocketState, datagram: *const Datagram) -> u64 {
    // SAFETY: not null, and then the verifier has checked that they are what their types say.
    let (Some(message), Some(state), Some(datagram)) =
        (unsafe { (message.as_mut(), state.as_mut(), datagram.as_ref()) })
    else {
        return 0;
    };
    let kind = if message.has(found::NEW_DISCOVERY) {
        WriterState::Discovery
    } else if message.has(found::NEW_USER) {
        WriterState::User
    } else {
        WriterState::Undecided
    };
    message.found &= !found::NEW;
    place(state, message, datagram, kind as u32);
    0
}

#[inline(always)]
fn place(state: &mut SocketState, message: &Message, datagram: &Datagram, kind: u32) {
    let mut at = 0;
    while at < WRITERS_OF_SOCKET {
        let place = &mut state.writers[at];
        if is_of(place, &message.guid, u32::from(datagram.flow)) || taken(place, message, datagram, at as u32) {
            settle(place, message, kind);
            return;
        }
        at += 1;
    }
    // A full map counts no further writers; user space sees that it is full.
    let key = key_of(message, datagram);
    let _ = WRITERS.insert(&key, &EMPTY, BPF_NOEXIST);
    if let Some(count) = WRITERS.get_ptr_mut(&key) {
        // SAFETY: memory of the map.
        let count = unsafe { &mut *count };
        copy_guid(&message.guid, &mut count.guid);
        count.flow = u32::from(datagram.flow);
        settle(count, message, kind);
    }
}

#[inline(always)]
fn settle(count: &mut WriterCount, message: &Message, kind: u32) {
    count.state = kind;
    if kind != WriterState::Discovery as u32 {
        add(count, message);
    }
}

/// Takes a free place. Two threads may see the first samples of two writers at the same moment; what is in a map is so only once.
#[inline(always)]
fn taken(place: &mut WriterCount, message: &Message, datagram: &Datagram, at: u32) -> bool {
    if place.state != WriterState::Free as u32 {
        return false;
    }
    let mut claim: Pair = zeroed();
    claim.from[0] = datagram.cookie as u32;
    claim.from[1] = (datagram.cookie >> 32) as u32;
    claim.from[2] = at;
    claim.reader = PLACE;
    claim.writer = PLACE;
    if PAIRS.insert(&claim, &0, BPF_NOEXIST).is_err() {
        return false;
    }
    place.state = WriterState::Taken as u32;
    copy_guid(&message.guid, &mut place.guid);
    place.flow = u32::from(datagram.flow);
    true
}
