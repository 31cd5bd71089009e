//! Processes, by BTF tracepoints.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;

use crate::maps::{config, empty};
use crate::{kernel, process};

#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    if process::is_known(kernel::current_pid()) && last_thread(ctx.arg::<*const u8>(0) as u64) {
        process::ended();
    }
    0
}

#[inline(always)]
pub fn last_thread(task: u64) -> bool {
    kernel::read::<u64>(task, config!(offsets.task_signal))
        .and_then(|signal| kernel::read::<i32>(signal, config!(offsets.signal_live)))
        .is_none_or(|live| live == 0)
}

#[btf_tracepoint(function = "sched_process_fork")]
fn sched_process_fork(ctx: BtfTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    let parent = kernel::current_pid();
    if !process::is_followed(parent) {
        return 0;
    }
    let child: *const u8 = ctx.arg(1);
    match kernel::read::<u32>(child as u64, config!(offsets.task_tgid)) {
        // A thread has its process's number.
        Some(child) if child != parent => process::forked(child),
        _ => {}
    }
    0
}
