//! connect(): what was asked, what it returned, and what became of it afterwards.
//!
//! The order of these facts is not fixed: a refusal on loopback is reported before connect() has returned EINPROGRESS.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::{
    bpf_get_smp_processor_id, bpf_get_socket_cookie, bpf_ktime_get_ns, bpf_probe_read_user,
};
use aya_ebpf::macros::{btf_tracepoint, tracepoint};
use aya_ebpf::programs::{BtfTracePointContext, TracePointContext};
use rosprobe_common::{Kind, Protocol, SocketAddress, SocketFlags, SocketState};

use crate::emit::{Fact, Socket, emit};
use crate::kernel::{self, AF_INET, AF_INET6, TCP, UDP, tcp_state};
use crate::maps::{CONNECTS, Connect, EMPTY_SOCKET, NUMBERS, SOCKETS, config};
use crate::process;

const EBADF: i32 = 9;
const EINPROGRESS: i32 = 115;
const ENOTSOCK: i32 = 88;
/// A retransmission of data is reported at most once in this time, in nanoseconds; all are counted.
const RETRANSMIT_INTERVAL: u64 = 100_000_000;

#[tracepoint]
fn sys_enter_connect(ctx: TracePointContext) -> u32 {
    let (fd, address, length) = (
        argument(&ctx, config!(offsets.enter_fd)),
        argument(&ctx, config!(offsets.enter_address)),
        argument(&ctx, config!(offsets.enter_length)),
    );
    let mut connect =
        Connect { started: 0, sk: 0, cookie: 0, address: SocketAddress::NONE, fd: fd as i32, reserved: 0 };
    if !user_address(address, length, &mut connect.address) {
        return 0;
    }
    connect.sk = kernel::socket_of(connect.fd);
    // SAFETY: a helper without arguments.
    connect.started = unsafe { bpf_ktime_get_ns() };
    let thread = bpf_get_current_pid_tgid();
    let _ = CONNECTS.insert(&thread, &connect, 0);
    0
}

#[inline(always)]
fn argument(ctx: &TracePointContext, offset: u32) -> u64 {
    // SAFETY: the helper behind it checks the address.
    unsafe { ctx.read_at(offset as usize) }.unwrap_or(0)
}

#[tracepoint]
fn sys_exit_connect(ctx: TracePointContext) -> u32 {
    let thread = bpf_get_current_pid_tgid();
    let Some(entry) = CONNECTS.get_ptr(&thread) else { return 0 };
    // SAFETY: this thread's own entry.
    let connect = unsafe { *entry };
    let _ = CONNECTS.remove(&thread);
    returned(&connect, argument(&ctx, config!(offsets.exit_result)) as i32);
    0
}

/// The end of every way to learn a connect()'s result.
#[inline(always)]
fn returned(connect: &Connect, result: i32) {
    // A descriptor that was closed or replaced meanwhile leads to another socket.
    let sk = if kernel::socket_of(connect.fd) == connect.sk { connect.sk } else { 0 };
    let errno = if result < 0 { -result } else { 0 };
    if sk == 0 && (errno == EBADF || errno == ENOTSOCK) {
        return;
    }
    let protocol = if sk == 0 { TCP } else { kernel::protocol(sk) };
    if protocol != TCP && protocol != UDP {
        return;
    }
    let mut cookie = if connect.cookie != 0 { connect.cookie } else { kernel::cookie(sk) };
    if protocol == UDP && cookie != 0 {
        restart_datagrams(cookie);
    }
    if cookie == 0 {
        cookie = own_number();
    }
    let fact = Fact::here(Kind::ConnectReturned);
    process::remember(fact.pid);
    // SAFETY: a helper without arguments.
    let took = unsafe { bpf_ktime_get_ns() }.wrapping_sub(connect.started);
    let socket = Socket { sk, cookie, protocol, remote: Some(&connect.address) };
    emit(&socket, &Fact { errno, fd: connect.fd, value: took, ..fact });
    if errno == EINPROGRESS {
        soft_error(&socket);
    }
}

/// An ICMP error that arrives while `connect()` holds the socket is only noted; `getsockopt(SO_ERROR)` then takes it away.
#[inline(always)]
fn soft_error(socket: &Socket<'_>) {
    let errno = kernel::read::<i32>(socket.sk, config!(offsets.sk_err_soft)).unwrap_or(0);
    if errno != 0 {
        emit(socket, &Fact { errno, ..Fact::here(Kind::SoftError) });
    }
}

/// A datagram socket has another peer now, so it may speak another protocol.
#[inline(always)]
fn restart_datagrams(cookie: u64) {
    if let Some(state) = SOCKETS.get_ptr_mut(&cookie) {
        // SAFETY: memory of the map.
        unsafe { (*state).protocol = Protocol::Undecided as u8 };
    }
}

/// A name for a socket that the kernel has not named: one whose connect() failed before anything changed.
#[inline(always)]
fn own_number() -> u64 {
    // SAFETY: a helper without arguments.
    let processor = u64::from(unsafe { bpf_get_smp_processor_id() });
    let number = NUMBERS.get_ptr_mut(0).map_or(0, |number| {
        // SAFETY: this processor's own counter.
        unsafe {
            *number += 1;
            *number
        }
    });
    1 << 63 | processor << 44 | number
}

/// A socket address in user memory; false when it is no internet address.
#[inline(always)]
pub fn user_address(address: u64, length: u64, into: &mut SocketAddress) -> bool {
    // sockaddr_in: family, port, address[4]. sockaddr_in6: family, port, flow information, address[16], scope.
    let mut words = [0u64; 4];
    let length = length as u32;
    if length < 16 {
        return false;
    }
    let size = if length < 28 { 16 } else { 28 };
    // SAFETY: the helper checks the address; `size` is at most the array's.
    if unsafe { bpf_probe_read_user(words.as_mut_ptr().cast(), size, address as *const _) } != 0 {
        return false;
    }
    let [first, second, third, fourth] = words;
    into.family = first as u16;
    into.port = u16::from_be((first >> 16) as u16);
    let octets = into.address.as_mut_ptr().cast::<u64>();
    if into.family == AF_INET {
        // SAFETY: two words, aligned as `SocketAddress` is.
        unsafe { octets.write(first >> 32) };
        return true;
    }
    if into.family != AF_INET6 || size < 28 {
        return false;
    }
    // SAFETY: as above.
    unsafe {
        octets.write(second);
        octets.add(1).write(third);
    }
    into.scope = fourth as u32;
    true
}

#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    let sk: *mut u8 = ctx.arg(0);
    let (old, new): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    if (new != tcp_state::SYN_SENT && new != tcp_state::ESTABLISHED) || kernel::protocol(sk as u64) != TCP {
        return 0;
    }
    // SAFETY: a trusted argument of the tracepoint.
    let cookie = unsafe { bpf_get_socket_cookie(sk.cast()) };
    let socket = Socket { sk: sk as u64, cookie, protocol: TCP, remote: None };
    if new == tcp_state::SYN_SENT {
        syn_sent(&socket);
    } else {
        established(&socket, old);
    }
    0
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
    let known = SOCKETS.get_ptr_mut(&socket.cookie);
    // SAFETY: memory of the map.
    let known = known.map(|state| unsafe { &mut *state });
    match known {
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

/// A new state for the socket, in the map.
#[inline(always)]
pub fn fresh<'a>(cookie: u64) -> Option<&'a mut SocketState> {
    let _ = SOCKETS.insert(&cookie, &EMPTY_SOCKET, 0);
    // SAFETY: memory of the map.
    SOCKETS.get_ptr_mut(&cookie).map(|state| unsafe { &mut *state })
}

/// The socket behind a tracepoint's first argument with its state, if it is one of ours.
#[inline(always)]
fn tracked<'a>(sk: *mut u8) -> Option<(Socket<'static>, &'a mut SocketState)> {
    // SAFETY: a trusted argument of the tracepoint.
    let cookie = unsafe { bpf_get_socket_cookie(sk.cast()) };
    // SAFETY: memory of the map.
    let state = SOCKETS.get_ptr_mut(&cookie).map(|state| unsafe { &mut *state })?;
    (state.protocol != Protocol::Other as u8)
        .then(|| (Socket { sk: sk as u64, cookie, protocol: kernel::protocol(sk as u64), remote: None }, state))
}

#[btf_tracepoint(function = "inet_sk_error_report")]
fn inet_sk_error_report(ctx: BtfTracePointContext) -> i32 {
    let Some((socket, state)) = tracked(ctx.arg(0)) else { return 0 };
    let errno = kernel::read::<i32>(socket.sk, config!(offsets.sk_err)).unwrap_or(0);
    if errno != 0 {
        emit(&socket, &Fact { errno, ..Fact::of(Kind::SocketError, state.pid) });
    }
    0
}

#[btf_tracepoint(function = "tcp_retransmit_skb")]
fn tcp_retransmit_skb(ctx: BtfTracePointContext) -> i32 {
    let Some((socket, state)) = tracked(ctx.arg(0)) else { return 0 };
    if kernel::state(socket.sk) == tcp_state::SYN_SENT {
        emit(&socket, &Fact::of(Kind::SynRetransmitted, state.pid));
        return 0;
    }
    state.retransmits += 1;
    state.unacknowledged = kernel::unacknowledged(socket.sk);
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if now.wrapping_sub(state.retransmit_reported) > RETRANSMIT_INTERVAL {
        state.retransmit_reported = now;
        emit(&socket, &Fact::of(Kind::DataRetransmitted, state.pid));
    }
    0
}

#[btf_tracepoint(function = "tcp_destroy_sock")]
fn tcp_destroy_sock(ctx: BtfTracePointContext) -> i32 {
    let sk: *mut u8 = ctx.arg(0);
    // SAFETY: a trusted argument of the tracepoint.
    let cookie = unsafe { bpf_get_socket_cookie(sk.cast()) };
    let Some(state) = SOCKETS.get_ptr(&cookie) else { return 0 };
    // SAFETY: memory of the map.
    let (pid, protocol) = unsafe { ((*state).pid, (*state).protocol) };
    if !Protocol::is_counted(protocol) {
        let _ = SOCKETS.remove(&cookie);
    }
    // The totals of a counted socket are left for user space, which reads them with this record and then forgets them.
    emit(&Socket { sk: sk as u64, cookie, protocol: TCP, remote: None }, &Fact::of(Kind::Closed, pid));
    0
}
