//! connect() and payload by the kernel's own functions, Linux 5.17 and later with BTF. Unrelated system calls cost nothing then.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use crate::flow::{RECEIVED, SENT};
use crate::locate::Call;
use crate::maps::{config, empty};
use crate::transfer::done;
use crate::{connect, kernel};

/// What the functions begin with: `struct socket *`.
#[inline(always)]
fn socket(socket: *const u8) -> *mut u8 {
    let offset = config!(offsets.socket_sk) as usize;
    // SAFETY: the function's own argument; the verifier checks the offset against the kernel's own description.
    unsafe { socket.add(offset).cast::<*mut u8>().read_volatile() }
}

#[fentry(function = "inet_stream_connect")]
fn begin_stream_connect(ctx: FEntryContext) -> i32 {
    if empty() {
        return 0;
    }
    begin(&ctx);
    0
}

#[fentry(function = "inet_dgram_connect")]
fn begin_dgram_connect(ctx: FEntryContext) -> i32 {
    if empty() {
        return 0;
    }
    begin(&ctx);
    0
}

#[inline(always)]
fn begin(ctx: &FEntryContext) {
    if kernel::is_kernel_thread() {
        return;
    }
    let (address, length): (u64, u32) = (ctx.arg(1), ctx.arg(2));
    let fd = match Call::current() {
        Some(call) if call.number == config!(syscalls.connect) => call.descriptor(),
        _ => -1,
    };
    connect::reached(socket(ctx.arg(0)) as u64, fd, address, length);
}

#[fexit(function = "inet_stream_connect")]
fn inet_stream_connect(ctx: FExitContext) -> i32 {
    if empty() {
        return 0;
    }
    connect::call_returned(ctx.arg(4));
    0
}

#[fexit(function = "inet_dgram_connect")]
fn inet_dgram_connect(ctx: FExitContext) -> i32 {
    if empty() {
        return 0;
    }
    connect::call_returned(ctx.arg(4));
    0
}

#[fexit(function = "inet_sendmsg")]
fn inet_sendmsg(ctx: FExitContext) -> i32 {
    if empty() {
        return 0;
    }
    done::<SENT>(socket(ctx.arg(0)), ctx.arg(3), 0);
    0
}

#[fexit(function = "inet6_sendmsg")]
fn inet6_sendmsg(ctx: FExitContext) -> i32 {
    if empty() {
        return 0;
    }
    done::<SENT>(socket(ctx.arg(0)), ctx.arg(3), 0);
    0
}

/// sendfile() and splice(), up to Linux 6.4; later kernels send them as messages.
#[fexit(function = "inet_sendpage")]
fn inet_sendpage(ctx: FExitContext) -> i32 {
    if empty() {
        return 0;
    }
    done::<SENT>(socket(ctx.arg(0)), ctx.arg(5), 0);
    0
}

#[fexit(function = "inet_recvmsg")]
fn inet_recvmsg(ctx: FExitContext) -> i32 {
    if empty() {
        return 0;
    }
    done::<RECEIVED>(socket(ctx.arg(0)), ctx.arg(4), ctx.arg(3));
    0
}

#[fexit(function = "inet6_recvmsg")]
fn inet6_recvmsg(ctx: FExitContext) -> i32 {
    if empty() {
        return 0;
    }
    done::<RECEIVED>(socket(ctx.arg(0)), ctx.arg(4), ctx.arg(3));
    0
}
