//! connect() by the tracepoints of its system call.

use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;

use crate::connect;
use crate::maps::{config, empty};

#[tracepoint]
fn sys_enter_connect(ctx: TracePointContext) -> u32 {
    if empty() {
        return 0;
    }
    connect::called(
        argument(&ctx, config!(offsets.enter_fd)) as i32,
        argument(&ctx, config!(offsets.enter_address)),
        argument(&ctx, config!(offsets.enter_length)),
    );
    0
}

#[tracepoint]
fn sys_exit_connect(ctx: TracePointContext) -> u32 {
    if empty() {
        return 0;
    }
    connect::call_returned(argument(&ctx, config!(offsets.exit_result)) as i32);
    0
}

/// A field of the tracepoint's record; 0 when it cannot be read.
#[inline(always)]
pub fn argument(ctx: &TracePointContext, offset: u32) -> u64 {
    // SAFETY: the helper behind it checks the address.
    unsafe { ctx.read_at(offset as usize) }.unwrap_or(0)
}
