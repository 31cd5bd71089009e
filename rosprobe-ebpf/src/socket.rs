//! What becomes of a socket: its states, its errors, its end. Mostly in nobody's name: the owner is remembered.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use rosprobe_common::{Kind, Protocol, SocketFlags, SocketState};

use crate::emit::{Fact, Socket, emit};
use crate::kernel::{self, UDP, tcp_state};
use crate::maps::{CONNECTS, EMPTY_SOCKET, SOCKETS, config};
use crate::{process, unrelated};

/// A retransmission of data is reported at most once in this time, in nanoseconds; all are counted.
const RETRANSMIT_INTERVAL: u64 = 100_000_000;

/// A new state for the socket, in the map.
#[inline(always)]
pub fn fresh<'a>(cookie: u64) -> Option<&'a mut SocketState> {
    let _ = SOCKETS.insert(&cookie, &EMPTY_SOCKET, 0);
    unrelated::forget(cookie);
    known(cookie)
}

/// What is remembered of a socket.
#[inline(always)]
pub fn known<'a>(cookie: u64) -> Option<&'a mut SocketState> {
    // SAFETY: memory of the map.
    SOCKETS.get_ptr_mut(&cookie).map(|state| unsafe { &mut *state })
}

/// What is remembered of a socket, if it is one of ours.
#[inline(always)]
pub fn tracked<'a>(cookie: u64) -> Option<&'a mut SocketState> {
    known(cookie).filter(|state| state.protocol != Protocol::Other as u8)
}

/// A TCP socket goes from one state into another.
#[inline(always)]
pub fn changed(socket: &Socket<'_>, old: i32, new: i32) {
    if new == tcp_state::SYN_SENT {
        syn_sent(socket);
    } else if new == tcp_state::ESTABLISHED {
        established(socket, old);
    } else if new == tcp_state::LISTEN {
        // Rare, and nothing follows on this socket: connections have sockets of their own.
        let fact = Fact::here(Kind::Listening);
        process::remember(fact.pid);
        emit(socket, &fact);
    }
}

/// Whether a TCP socket that goes into this state is told of.
#[inline(always)]
pub fn is_told(new: i32) -> bool {
    new == tcp_state::SYN_SENT || new == tcp_state::ESTABLISHED || new == tcp_state::LISTEN
}

#[inline(always)]
fn syn_sent(socket: &Socket<'_>) {
    let fact = Fact::here(Kind::SynSent);
    if let Some(state) = fresh(socket.cookie) {
        state.pid = fact.pid;
        state.flags = SocketFlags::CONNECTING | SocketFlags::USER;
    }
    if let Some(connect) = CONNECTS.get_ptr_mut(bpf_get_current_pid_tgid()) {
        // SAFETY: this thread's own entry.
        unsafe { (*connect).cookie = socket.cookie };
    }
    process::remember(fact.pid);
    emit(socket, &fact);
}

#[inline(always)]
fn established(socket: &Socket<'_>, old: i32) {
    match known(socket.cookie) {
        Some(state) if state.flags & SocketFlags::CONNECTING != 0 => {
            emit(socket, &Fact::of(Kind::Connected, state.pid));
        }
        _ if old == tcp_state::SYN_RECV => {
            fresh(socket.cookie);
            emit(socket, &Fact::of(Kind::Accepted, 0));
        }
        _ => {}
    }
}

/// The kernel reports an error on the socket.
#[inline(always)]
pub fn failed(socket: &Socket<'_>) {
    let pid = match known(socket.cookie) {
        Some(state) if state.protocol != Protocol::Other as u8 => state.pid,
        // A datagram may be refused before anybody has looked at it.
        None if socket.protocol == UDP => 0,
        _ => return,
    };
    let errno = kernel::read::<i32>(socket.sk, config!(offsets.sk_err)).unwrap_or(0);
    if errno != 0 {
        emit(socket, &Fact { errno, ..Fact::of(Kind::SocketError, pid) });
    }
}

/// A segment is sent again by a socket in TCP state `now`.
#[inline(always)]
pub fn retransmitted(socket: &Socket<'_>, state: &mut SocketState, now: i32) {
    if now == tcp_state::SYN_SENT {
        emit(socket, &Fact::of(Kind::SynRetransmitted, state.pid));
        return;
    }
    state.retransmits += 1;
    state.unacknowledged = kernel::unacknowledged(socket.sk);
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if now.wrapping_sub(state.retransmit_reported) > RETRANSMIT_INTERVAL {
        state.retransmit_reported = now;
        emit(socket, &Fact::of(Kind::DataRetransmitted, state.pid));
    }
}

/// The socket is gone.
#[inline(always)]
pub fn destroyed(socket: &Socket<'_>) {
    let Some(state) = known(socket.cookie) else { return };
    let (pid, protocol) = (state.pid, state.protocol);
    if socket.protocol != UDP {
        state.unacknowledged = kernel::unacknowledged(socket.sk);
    }
    if !Protocol::is_counted(protocol) {
        let _ = SOCKETS.remove(&socket.cookie);
    }
    // The totals of a counted socket are left for user space, which reads them with this record and then forgets them.
    emit(socket, &Fact::of(Kind::Closed, pid));
}
