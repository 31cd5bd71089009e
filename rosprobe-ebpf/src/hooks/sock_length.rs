//! Payload by `sock_send_length` and `sock_recv_length`, Linux 6.3 and later.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;

use crate::flow::{RECEIVED, SENT};
use crate::maps::empty;
use crate::transfer::done;

#[btf_tracepoint(function = "sock_send_length")]
fn sock_send_length(ctx: BtfTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    done::<SENT>(ctx.arg(0), ctx.arg(1), 0);
    0
}

#[btf_tracepoint(function = "sock_recv_length")]
fn sock_recv_length(ctx: BtfTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    done::<RECEIVED>(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}
