//! Reads the kernel's memory for rosprobe itself, at the end of the system call that asks for it: offsets are searched so where the
//! kernel does not describe its types. Loaded for the search alone.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use rosprobe_common::PEEK_BYTES;

use crate::kernel;
use crate::maps::PEEK;

#[raw_tracepoint(tracepoint = "sys_exit")]
fn peek(_ctx: RawTracePointContext) -> i32 {
    let Some(peek) = PEEK.get_ptr_mut(0) else { return 0 };
    // SAFETY: memory of the map; the helper checks the address and writes at most the array.
    unsafe {
        if (*peek).thread == bpf_get_current_pid_tgid() {
            (*peek).task = kernel::current_task();
            let into = (&raw mut (*peek).bytes).cast();
            let result = bpf_probe_read_kernel(into, PEEK_BYTES as u32, (*peek).address as *const _);
            (*peek).read = u64::from(result == 0);
        }
    }
    0
}
