//! Sends and receives on any socket, after they are done.

use aya_ebpf::helpers::generated::bpf_get_socket_cookie;
use rosprobe_common::{Cut, Framing, Kind, MID_STREAM_LOOKS, Protocol, SocketFlags, SocketState};

use crate::emit::{Fact, Payload, Socket, emit, emit_payload};
use crate::flow::{RECEIVED, SENT, flow, is_no_failure, is_no_receive};
use crate::kernel::{self, AF_INET, AF_INET6, TCP, UDP, tcp_state};
use crate::locate::{Call, Location, end_batch};
use crate::log;
use crate::maps::config;
use crate::process;
use crate::socket::{fresh, known};
use crate::tcpros::next_message;
use crate::turns;
use crate::walk::{Walk, miss, socket};
use crate::{udp, unrelated};

const MSG_TRUNC: i32 = 0x20;

/// A send or receive of the current process is done. `sk` is a pointer that the verifier knows for a socket's.
///
/// Most are of no interest, and end here.
#[inline(always)]
pub fn done<const FLOW: usize>(sk: *mut u8, result: i32, flags: i32) {
    let cookie = kernel::member_of(sk as u64, config!(offsets.skc_cookie)).unwrap_or(0);
    if !unrelated::is_known(cookie) {
        looked_up::<FLOW>(sk, result, flags);
    }
}

/// A function of its own: what it keeps in registers and on the stack, an unrelated socket does not pay for.
#[inline(never)]
fn looked_up<const FLOW: usize>(sk: *mut u8, result: i32, flags: i32) -> u64 {
    let offset = config!(offsets.skc_family) as usize;
    // SAFETY: the caller's pointer; the verifier checks the offset against the kernel's own description.
    let family = unsafe { sk.add(offset).cast::<u16>().read_volatile() };
    if family == AF_INET || family == AF_INET6 {
        // SAFETY: as above.
        let cookie = unsafe { bpf_get_socket_cookie(sk.cast()) };
        handed::<FLOW>(sk as u64, cookie, result, flags);
    }
    0
}

/// The same for an internet socket that is known by a name.
#[inline(always)]
pub fn handed<const FLOW: usize>(sk: u64, cookie: u64, result: i32, flags: i32) {
    let mut state = known(cookie);
    if state.is_none() {
        // SAFETY: null, or memory of the map.
        state = unsafe { first_sight(sk, cookie, result).as_mut() };
    }
    let Some(state) = state else { return };
    if is_unrelated(state) {
        unrelated::remember(cookie);
        // It may have begun anew on another processor at this moment.
        if !is_unrelated(state) {
            unrelated::forget(cookie);
        }
        return;
    }
    let of_udp = state.protocol >= Protocol::Dns as u8;
    if of_udp || (state.protocol == Protocol::Undecided as u8 && kernel::protocol(sk) == UDP) {
        udp::transferred::<FLOW>(state, sk, cookie, result, flags);
    } else {
        stream::<FLOW>(state, sk, cookie, result, flags);
    }
}

#[inline(always)]
fn is_unrelated(state: &SocketState) -> bool {
    // SAFETY: memory of the map; volatile because others write there.
    unsafe { (&raw const state.protocol).read_volatile() == Protocol::Other as u8 }
}

/// What a transfer asks for. Numbers, because the kernel's type format has to say the type.
const NOTHING: u32 = 0;
const BYTES: u32 = 1;
const FAILED: u32 = 2;
const END: u32 = 3;
const UNREADABLE: u32 = 4;

/// Bytes of a TCP socket. Functions of their own here and below: they are in the object once for all hooks, and a stack that is not
/// there during the walk does not count against the kernel's limit of 512 bytes.
#[inline(never)]
fn stream<const FLOW: usize>(state: &mut SocketState, sk: u64, cookie: u64, result: i32, flags: i32) -> u64 {
    let there = turns::with_walk(|walk| {
        walk.sk = sk;
        walk.cookie = cookie;
        let what = transferred::<FLOW>(state, walk, result, flags);
        if what == BYTES {
            // A receive goes on with the next message, however little came for this one.
            if turns::walk(walk, state) && FLOW == SENT {
                end_batch();
            }
        } else if what != NOTHING {
            match what {
                FAILED => failed::<FLOW>(state, walk, -result),
                END => end_of_stream(state, walk),
                _ => unreadable::<FLOW>(state, walk, result as u32),
            }
        }
    });
    if !there && result > 0 {
        miss(&mut state.direction[FLOW], result as u32);
    }
    0
}

/// A socket that had not called connect or been accepted since the capture began.
#[inline(never)]
fn first_sight(sk: u64, cookie: u64, result: i32) -> *mut SocketState {
    let protocol = kernel::protocol(sk);
    let open = protocol == TCP && (result >= 0 || kernel::state(sk) == tcp_state::ESTABLISHED);
    if protocol != UDP && !open {
        return core::ptr::null_mut();
    }
    let Some(state) = fresh(cookie) else { return core::ptr::null_mut() };
    if log::wanted() {
        log::log_first_sight(cookie, kernel::current_pid());
    }
    if protocol == TCP {
        state.protocol = Protocol::MidStream as u8;
        log::classified(cookie, Protocol::MidStream);
        emit(&Socket { sk, cookie, protocol, remote: None }, &Fact::here(Kind::AlreadyOpen));
    }
    state
}

/// What there is to do, and then `walk` is at the beginning of the bytes.
#[inline(never)]
fn transferred<const FLOW: usize>(state: &mut SocketState, walk: &mut Walk, result: i32, flags: i32) -> u32 {
    let (sk, cookie) = (walk.sk, walk.cookie);
    let call = Call::current().unwrap_or(Call::NONE);
    let batch = call.is_known() && call.is_batch();
    let index = if batch { call.batch_index(cookie, result < 0) } else { Some(0) };
    if is_no_receive::<FLOW>(flags) {
        return NOTHING;
    }
    let pid = kernel::current_pid();
    if state.pid != pid {
        state.pid = pid;
        process::remember(pid);
    }
    if FLOW == SENT && config!(offsets.write_seq) != rosprobe_common::UNKNOWN_OFFSET {
        remember_unacknowledged(state, sk, result);
    }
    if result < 0 {
        return FAILED;
    }
    if result == 0 {
        return if FLOW == RECEIVED { END } else { NOTHING };
    }
    state.direction[FLOW].failures = 0;
    turn::<FLOW>(state);
    if !batch && counted::<FLOW>(state, result as u32) {
        return NOTHING;
    }
    let mut location: Location = kernel::zeroed();
    if flags & MSG_TRUNC != 0 || !located::<FLOW>(state, sk, &call, index, &mut location) {
        if log::wanted() {
            if call.is_known() {
                log::log_not_located(cookie, result as u32, call.number);
            } else {
                log::log_no_call(cookie, result as u32);
            }
        }
        return UNREADABLE;
    }
    walk.begin(&location, result as u32, pid, flow::<FLOW>());
    BYTES
}

/// Most of a robot's bytes: inside a message, or of a socket of which only the bytes are counted. No memory is looked at.
#[inline(always)]
fn counted<const FLOW: usize>(state: &mut SocketState, length: u32) -> bool {
    let topic = state.protocol == Protocol::Topic as u8;
    let direction = &mut state.direction[FLOW];
    let lost = topic && direction.framing == Framing::Lost as u8;
    let counting = state.protocol == Protocol::MidStream as u8 && state.looked >= MID_STREAM_LOOKS;
    let inside = topic && direction.framing == Framing::Body as u8 && direction.remaining >= length;
    if !lost && !counting && !inside {
        return false;
    }
    direction.bytes += u64::from(length);
    direction.uncopied += u64::from(length);
    if inside {
        direction.remaining -= length;
        if direction.remaining == 0 {
            direction.messages += 1;
            next_message(state, FLOW as u8);
        }
    }
    true
}

/// When the other side of a conversation had the word before, this is the beginning of a message.
#[inline(always)]
fn turn<const FLOW: usize>(state: &mut SocketState) {
    let read_last = state.flags & SocketFlags::TURNED != 0;
    if read_last == (FLOW == RECEIVED) {
        return;
    }
    state.flags ^= SocketFlags::TURNED;
    if state.protocol == Protocol::XmlRpc as u8 {
        state.direction[FLOW].copied = 0;
    }
}

#[inline(always)]
fn remember_unacknowledged(state: &mut SocketState, sk: u64, result: i32) {
    if state.protocol == Protocol::Topic as u8
        || state.protocol == Protocol::Service as u8
        || state.protocol == Protocol::MidStream as u8
    {
        let sent = if result > 0 { result as u32 } else { 0 };
        state.unacknowledged = kernel::unacknowledged(sk).saturating_sub(sent);
    }
}

#[inline(never)]
fn failed<const FLOW: usize>(state: &mut SocketState, walk: &Walk, errno: i32) {
    if is_no_failure(errno) {
        return;
    }
    let direction = &mut state.direction[FLOW];
    if direction.errno != errno {
        direction.failures = 0;
    }
    direction.errno = errno;
    direction.failures += 1;
    // A process that repeats a failing call without end shall not fill the ring buffer: 1, 2, 4, 8, ...
    if direction.failures & (direction.failures - 1) == 0 {
        let flow = flow::<FLOW>();
        emit(&socket(walk), &Fact { errno, value: direction.failures, flow, ..Fact::here(Kind::IoFailed) });
    }
}

/// A receive of 0 bytes: the end, unless the process asked for 0 bytes.
#[inline(never)]
fn end_of_stream(state: &mut SocketState, walk: &Walk) {
    let now = kernel::state(walk.sk);
    let open = now == tcp_state::ESTABLISHED || now == tcp_state::FIN_WAIT1 || now == tcp_state::FIN_WAIT2;
    if !open && state.flags & SocketFlags::PEER_CLOSED == 0 {
        state.flags |= SocketFlags::PEER_CLOSED;
        emit(&socket(walk), &Fact::here(Kind::PeerClosed));
    }
}

#[inline(always)]
fn located<const FLOW: usize>(
    state: &mut SocketState,
    sk: u64,
    call: &Call,
    index: Option<u32>,
    into: &mut Location,
) -> bool {
    let Some(index) = index.filter(|_| call.is_known()) else { return false };
    if state.flags & SocketFlags::USER == 0 {
        if !call.is_on(sk) {
            return false;
        }
        state.flags |= SocketFlags::USER;
    }
    call.location(flow::<FLOW>(), index, into)
}

/// Bytes went by that nobody can look at: io_uring, splice, sendfile, a 32-bit program.
#[inline(never)]
fn unreadable<const FLOW: usize>(state: &mut SocketState, walk: &Walk, length: u32) {
    let direction = &mut state.direction[FLOW];
    let offset = direction.bytes;
    direction.bytes += u64::from(length);
    direction.framing = Framing::Lost as u8;
    if state.protocol != Protocol::XmlRpc as u8 && state.protocol != Protocol::Undecided as u8 {
        direction.uncopied += u64::from(length);
        return;
    }
    let undecided = state.protocol == Protocol::Undecided as u8;
    if undecided {
        state.protocol = Protocol::MidStream as u8;
        log::classified(walk.cookie, Protocol::MidStream);
    }
    let flow = flow::<FLOW>();
    let kind = Kind::Stream;
    let fact = Fact { kind, value: offset, errno: 0, fd: 0, flow, pid: state.pid, current: true };
    emit_payload(&socket(walk), &fact, &Payload { address: 0, copy: 0, length, cut: Cut::Unreadable });
}
