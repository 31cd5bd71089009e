//! Ends of processes, and children of the ones that are followed.

use rosprobe_common::Kind;

use crate::emit::{Fact, NO_SOCKET, emit};
use crate::kernel;
use crate::maps::{FOLLOWED, PROCESSES};

/// From now on the end of this process is reported.
#[inline(always)]
pub fn remember(pid: u32) {
    if PROCESSES.get_ptr(&pid).is_none() {
        // A full map forgets another process: its end is then not reported, and user space sees it gone from /proc.
        let _ = PROCESSES.insert(&pid, &1, 0);
    }
}

/// Whether anybody wants to know of this process's end.
#[inline(always)]
pub fn is_known(pid: u32) -> bool {
    // The values, not the addresses: the verifier lets nobody calculate with those.
    // SAFETY: memory of the maps.
    let known = PROCESSES.get_ptr(&pid).map_or(0, |known| unsafe { known.read_volatile() });
    // SAFETY: as above.
    let followed = FOLLOWED.get_ptr(&pid).map_or(0, |followed| unsafe { followed.read_volatile() });
    known | followed != 0
}

/// The current process, a known one, ended.
#[inline(always)]
pub fn ended() {
    let pid = kernel::current_pid();
    let _ = PROCESSES.remove(&pid);
    let _ = FOLLOWED.remove(&pid);
    emit(&NO_SOCKET, &Fact::here(Kind::ProcessExited));
}

/// Whether children of this process are followed.
#[inline(always)]
pub fn is_followed(pid: u32) -> bool {
    // SAFETY: memory of the map. The value, not the address, as above.
    FOLLOWED.get_ptr(&pid).map_or(0, |followed| unsafe { followed.read_volatile() }) != 0
}

/// The current process, a followed one, has a child.
#[inline(always)]
pub fn forked(child: u32) {
    let _ = FOLLOWED.insert(&child, &1, 0);
    emit(&NO_SOCKET, &Fact { value: u64::from(child), ..Fact::here(Kind::Forked) });
}
