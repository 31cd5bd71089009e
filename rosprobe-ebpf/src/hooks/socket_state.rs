//! States, errors, retransmissions and ends of sockets, by BTF tracepoints.

use aya_ebpf::helpers::generated::bpf_get_socket_cookie;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;

use crate::emit::Socket;
use crate::kernel::{self, TCP};
use crate::maps::{config, empty};
use crate::socket;

#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    let sk: *mut u8 = ctx.arg(0);
    let (old, new): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    if socket::is_told(new) && protocol(sk) == TCP {
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
    socket.protocol = protocol(sk);
    socket::failed(&socket);
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

/// Protocol number of a tracepoint's argument.
#[inline(always)]
fn protocol(sk: *mut u8) -> u8 {
    kernel::member_of::<u16>(sk as u64, config!(offsets.sk_protocol)).map_or(0, |protocol| protocol as u8)
}

/// A socket that a tracepoint has as an argument.
#[inline(always)]
fn named(sk: *mut u8, protocol: u8) -> Socket<'static> {
    // SAFETY: a trusted argument of the tracepoint.
    let cookie = unsafe { bpf_get_socket_cookie(sk.cast()) };
    Socket { sk: sk as u64, cookie, protocol, remote: None }
}
