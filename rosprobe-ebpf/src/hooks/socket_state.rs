//! States, errors, retransmissions and ends of sockets, by BTF tracepoints.

use aya_ebpf::helpers::generated::bpf_get_socket_cookie;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use rosprobe_common::Protocol;

use crate::emit::Socket;
use crate::kernel::{self, TCP, UDP, tcp_state};
use crate::maps::{config, empty};
use crate::socket;

#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    let sk: *mut u8 = ctx.arg(0);
    let (old, new): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    if (new == tcp_state::SYN_SENT || new == tcp_state::ESTABLISHED) && kernel::protocol(sk as u64) == TCP {
        socket::changed(&named(sk, TCP), old, new);
    }
    0
}

#[btf_tracepoint(function = "inet_sk_error_report")]
fn inet_sk_error_report(ctx: BtfTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    let sk: *mut u8 = ctx.arg(0);
    let mut socket = named(sk, 0);
    socket.protocol = kernel::protocol(socket.sk);
    let pid = match socket::known(socket.cookie) {
        Some(state) if state.protocol != Protocol::Other as u8 => state.pid,
        // A datagram may be refused before anybody has looked at it.
        None if socket.protocol == UDP => 0,
        _ => return 0,
    };
    let errno = kernel::read::<i32>(socket.sk, config!(offsets.sk_err)).unwrap_or(0);
    socket::failed(&socket, pid, errno);
    0
}

#[btf_tracepoint(function = "tcp_retransmit_skb")]
fn tcp_retransmit_skb(ctx: BtfTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    let socket = named(ctx.arg(0), TCP);
    if let Some(state) = socket::tracked(socket.cookie) {
        socket::retransmitted(&socket, state, kernel::state(socket.sk));
    }
    0
}

#[btf_tracepoint(function = "tcp_destroy_sock")]
fn tcp_destroy_sock(ctx: BtfTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    socket::destroyed(&named(ctx.arg(0), TCP));
    0
}

/// A socket that a tracepoint has as an argument.
#[inline(always)]
fn named(sk: *mut u8, protocol: u8) -> Socket<'static> {
    // SAFETY: a trusted argument of the tracepoint.
    let cookie = unsafe { bpf_get_socket_cookie(sk.cast()) };
    Socket { sk: sk as u64, cookie, protocol, remote: None }
}
