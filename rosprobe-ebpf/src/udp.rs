//! Sends and receives of UDP sockets. The parts are functions of their own, so that their stacks do not add up.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use rosprobe_common::{DATAGRAM_LOOKS, Kind, Protocol, SocketFlags, SocketState};

use crate::datagram::{Datagram, find_peer, vector_entry};
use crate::emit::{Fact, emit};
use crate::flow::{RECEIVED, SENT, flow, is_no_failure, is_no_receive};
use crate::kernel;
use crate::locate::{Call, Location};
use crate::maps::{FAILURES, FailureKey, Failures};
use crate::{log, process, rtps, turns, udpros};

const DNS_PORT: u16 = 53;
/// A failure that repeats is told at least this often, in nanoseconds.
const TELL_AGAIN_NS: u64 = 1_000_000_000;

/// A datagram went by on a socket that may be of interest, or failed to.
#[inline(never)]
pub fn transferred<const FLOW: usize>(state: &mut SocketState, sk: u64, cookie: u64, result: i32, flags: i32) -> u64 {
    let pid = kernel::current_pid();
    let length = if result > 0 { result as u32 } else { 0 };
    let mut datagram: Datagram = kernel::zeroed();
    datagram.sk = sk;
    datagram.cookie = cookie;
    datagram.length = length;
    datagram.flow = FLOW as u16;
    let located = locate::<FLOW>(state, &mut datagram, result) != 0;
    // With MSG_TRUNC a receive returns the whole length, also of what did not fit.
    if FLOW == RECEIVED && located && datagram.segments == 0 && datagram.length > datagram.room {
        datagram.length = datagram.room;
    }
    if is_no_receive::<FLOW>(flags) {
        return 0;
    }
    if state.pid != pid {
        state.pid = pid;
        process::remember(pid);
    }
    if (state.protocol != Protocol::Rtps as u8 && state.protocol != Protocol::Udpros as u8) || result < 0 {
        find_peer(&mut datagram);
    }
    if state.protocol == Protocol::Undecided as u8 && datagram.remote.port == DNS_PORT {
        state.protocol = Protocol::Dns as u8;
        log::classified(datagram.cookie, Protocol::Dns);
    }
    if result < 0 {
        if !is_no_failure(-result) {
            failed::<FLOW>(state, &mut datagram, -result, located);
        }
    } else if located && result > 0 {
        // Where the bytes are not known, what they would have been stays unknown; the next ones may be.
        if state.protocol == Protocol::Dns as u8 {
            turns::copy(&datagram);
        } else {
            let spoken = spoken(&mut datagram, state);
            settle(state, &datagram, spoken);
        }
    }
    0
}

/// Where the bytes are, and who says whom they go to; 0 when that is not known. Where a datagram came from, the kernel tells only
/// afterwards.
#[inline(never)]
fn locate<const FLOW: usize>(state: &mut SocketState, datagram: &mut Datagram, result: i32) -> u64 {
    let Some(call) = Call::current() else { return 0 };
    let index = if call.is_batch() { call.batch_index(datagram.cookie, result < 0) } else { Some(0) };
    let Some(index) = index else { return 0 };
    if state.flags & SocketFlags::USER == 0 {
        if !call.is_on(datagram.sk) {
            return 0;
        }
        state.flags |= SocketFlags::USER;
    }
    let mut location: Location = kernel::zeroed();
    if !call.location(flow::<FLOW>(), index, &mut location) {
        return 0;
    }
    datagram.address = location.address;
    datagram.name = location.name;
    datagram.name_length = location.name_length as u32;
    datagram.segments = location.segments as u16;
    // A vector of one is a buffer.
    if location.segments == 1 {
        let Some((address, length)) = vector_entry(datagram, 0) else { return 0 };
        datagram.address = address;
        datagram.segments = 0;
        location.length = length;
    }
    datagram.room = if location.length < u64::from(u32::MAX) { location.length as u32 } else { u32::MAX };
    1
}

/// What a datagram is: RTPS, UDPROS or none of ours. It is copied or counted.
#[inline(always)]
fn spoken(datagram: &mut Datagram, state: &mut SocketState) -> Protocol {
    if state.protocol != Protocol::Udpros as u8 && speaks_rtps(datagram, state) {
        Protocol::Rtps
    } else if state.protocol != Protocol::Rtps as u8 && udpros::taken(datagram, state) {
        Protocol::Udpros
    } else {
        Protocol::Other
    }
}

/// Takes one datagram of a socket; true when it is RTPS.
#[inline(always)]
fn speaks_rtps(datagram: &mut Datagram, state: &mut SocketState) -> bool {
    if state.protocol == Protocol::Rtps as u8 && rtps::counted(datagram, state) != 0 {
        return true;
    }
    let found = turns::rtps(datagram, state);
    if found == rtps::WANTED {
        find_peer(datagram);
        turns::copy(datagram);
    }
    found != rtps::OTHER
}

/// A UDP socket belongs to the protocol of one datagram, and is nobody's when many were none of ours.
#[inline(always)]
fn settle(state: &mut SocketState, datagram: &Datagram, spoken: Protocol) {
    if state.protocol != Protocol::Undecided as u8 {
        return;
    }
    if spoken as u8 != Protocol::Other as u8 {
        state.protocol = spoken as u8;
        log::classified(datagram.cookie, spoken);
        tell(datagram, Kind::Counting, spoken as u64, 0);
        return;
    }
    state.looked += 1;
    if state.looked >= DATAGRAM_LOOKS {
        state.protocol = Protocol::Other as u8;
        log::classified(datagram.cookie, Protocol::Other);
    }
}

/// What others do with UDP, and whether it fails, is nobody's business.
#[inline(always)]
fn failed<const FLOW: usize>(state: &mut SocketState, datagram: &mut Datagram, errno: i32, located: bool) {
    if state.protocol == Protocol::Undecided as u8 && FLOW == SENT && located {
        datagram.length = rtps::OPENING;
        let mut spoken = Protocol::Rtps;
        if !speaks_rtps(datagram, state) {
            datagram.length = 0;
            spoken = if udpros::taken(datagram, state) { Protocol::Udpros } else { Protocol::Other };
        }
        settle(state, datagram, spoken);
    }
    if state.protocol != Protocol::Undecided as u8 && state.protocol != Protocol::Other as u8 {
        let count = repeated(datagram, errno);
        if count > 0 {
            tell(datagram, Kind::IoFailed, count, errno);
        }
    }
}

/// How often this failed, when user space is to be told: 1, 2, 4, 8, ... times, and once a second.
#[inline(never)]
fn repeated(datagram: &Datagram, errno: i32) -> u64 {
    let mut key: FailureKey = kernel::zeroed();
    key.cookie = datagram.cookie;
    key.errno = errno;
    key.reserved = u32::from(datagram.flow);
    kernel::copy(&datagram.remote, &mut key.remote);
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let Some(failures) = FAILURES.get_ptr_mut(&key) else {
        let _ = FAILURES.insert(&key, &Failures { count: 1, told: now }, 0);
        return 1;
    };
    // SAFETY: memory of the map.
    let failures = unsafe { &mut *failures };
    failures.count += 1;
    let power = failures.count & (failures.count - 1) == 0;
    if !power && now.wrapping_sub(failures.told) < TELL_AGAIN_NS {
        return 0;
    }
    failures.told = now;
    failures.count
}

#[inline(never)]
fn tell(datagram: &Datagram, kind: Kind, value: u64, errno: i32) -> u64 {
    let fact = datagram.fact(kind, value);
    emit(&datagram.socket(), &Fact { errno, fd: 0, ..fact });
    0
}
