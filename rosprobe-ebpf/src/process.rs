//! Ends of processes, and children of the ones that are followed.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use rosprobe_common::Kind;

use crate::emit::{Fact, NO_SOCKET, emit};
use crate::kernel;
use crate::maps::{FOLLOWED, PROCESSES, config};

/// From now on the end of this process is reported.
#[inline(always)]
pub fn remember(pid: u32) {
    if PROCESSES.get_ptr(&pid).is_none() {
        // A full map forgets another process: its end is then not reported, and user space sees it gone from /proc.
        let _ = PROCESSES.insert(&pid, &1, 0);
    }
}

#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) -> i32 {
    let pid = kernel::current_pid();
    // The values, not the addresses: the verifier lets nobody calculate with those.
    // SAFETY: memory of the maps.
    let known = PROCESSES.get_ptr(&pid).map_or(0, |known| unsafe { known.read_volatile() });
    // SAFETY: as above.
    let followed = FOLLOWED.get_ptr(&pid).map_or(0, |followed| unsafe { followed.read_volatile() });
    if known | followed == 0 || !last_thread(ctx.arg(0)) {
        return 0;
    }
    let _ = PROCESSES.remove(&pid);
    let _ = FOLLOWED.remove(&pid);
    emit(&NO_SOCKET, &Fact::here(Kind::ProcessExited));
    0
}

#[inline(always)]
fn last_thread(task: *const u8) -> bool {
    kernel::read::<u64>(task as u64, config!(offsets.task_signal))
        .and_then(|signal| kernel::read::<i32>(signal, config!(offsets.signal_live)))
        .is_none_or(|live| live == 0)
}

#[btf_tracepoint(function = "sched_process_fork")]
fn sched_process_fork(ctx: BtfTracePointContext) -> i32 {
    let parent = kernel::current_pid();
    if FOLLOWED.get_ptr(&parent).is_none() {
        return 0;
    }
    let child: *const u8 = ctx.arg(1);
    let Some(child) = kernel::read::<u32>(child as u64, config!(offsets.task_tgid)) else { return 0 };
    if child == parent {
        return 0; // a thread
    }
    let _ = FOLLOWED.insert(&child, &1, 0);
    emit(&NO_SOCKET, &Fact { value: u64::from(child), ..Fact::here(Kind::Forked) });
    0
}
