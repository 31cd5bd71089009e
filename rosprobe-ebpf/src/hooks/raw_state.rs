//! States, errors, retransmissions and ends of sockets and processes by raw tracepoints, which need no BTF. Their arguments are the
//! kernel's own; nothing is known of the types.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use super::process::last_thread;
use crate::emit::Socket;
use crate::kernel::{self, TCP, tcp_state};
use crate::maps::{config, empty};
use crate::{connect, holder, identity, process, socket};

#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
fn raw_set_state(ctx: RawTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    let sk: u64 = ctx.arg(0);
    let (old, new): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    if socket::is_told(new) && kernel::protocol(sk) == TCP {
        let cookie = identity::of_socket(sk);
        if new == tcp_state::SYN_SENT {
            connect::began(sk, cookie);
        }
        socket::changed(&Socket { sk, cookie, protocol: TCP, remote: None }, old, new);
    }
    0
}

#[raw_tracepoint(tracepoint = "inet_sk_error_report")]
fn raw_error_report(ctx: RawTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    let sk: u64 = ctx.arg(0);
    let cookie = identity::existing(sk);
    if cookie != 0 {
        socket::failed(&Socket { sk, cookie, protocol: kernel::protocol(sk), remote: None });
    }
    0
}

/// Before Linux 5.14 nothing says that a socket has an error, but a TCP socket that fails has it while it closes.
#[cfg(feature = "bounded")]
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
fn raw_closed(ctx: RawTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    let sk: u64 = ctx.arg(0);
    let (old, new): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    if new == tcp_state::CLOSE && old != new && kernel::protocol(sk) == TCP {
        let cookie = identity::existing(sk);
        if cookie != 0 {
            socket::failed(&Socket { sk, cookie, protocol: TCP, remote: None });
        }
    }
    0
}

#[raw_tracepoint(tracepoint = "tcp_retransmit_skb")]
fn raw_retransmit(ctx: RawTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    if let Some((socket, state)) = tracked(ctx.arg(0)) {
        socket::retransmitted(&socket, state, kernel::state(socket.sk));
    }
    0
}

#[raw_tracepoint(tracepoint = "tcp_destroy_sock")]
fn raw_destroy(ctx: RawTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    let sk: u64 = ctx.arg(0);
    let cookie = identity::ended(sk);
    if cookie != 0 {
        socket::destroyed(&Socket { sk, cookie, protocol: TCP, remote: None });
    }
    0
}

/// A socket that is one of ours already.
#[inline(always)]
fn tracked<'a>(sk: u64) -> Option<(Socket<'static>, &'a mut rosprobe_common::SocketState)> {
    let cookie = identity::existing(sk);
    let state = socket::tracked(cookie)?;
    Some((Socket { sk, cookie, protocol: TCP, remote: None }, state))
}

#[raw_tracepoint(tracepoint = "sched_process_exit")]
fn raw_process_exit(ctx: RawTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    let pid = kernel::current_pid();
    let task: u64 = ctx.arg(0);
    if (process::is_known(pid) || holder::is_known(pid)) && last_thread(task) {
        holder::forget(pid);
        if process::is_known(pid) {
            process::ended();
        }
    }
    0
}

#[raw_tracepoint(tracepoint = "sched_process_fork")]
fn raw_process_fork(ctx: RawTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    let parent = kernel::current_pid();
    let task: u64 = ctx.arg(1);
    let child = kernel::word(task, config!(offsets.task_tgid));
    // A thread has its process's number.
    if child == 0 || child == parent {
        return 0;
    }
    let table = |task| kernel::read::<u64>(task, config!(offsets.task_files)).unwrap_or(0);
    // What one of two processes with one table opens, the other has.
    if table(task) != 0 && table(task) == table(ctx.arg(0)) {
        holder::remember(parent);
    }
    holder::inherited(parent, child);
    if process::is_followed(parent) {
        process::forked(child);
    }
    0
}
