//! Processes that may have a descriptor of an internet socket. Calls of all others are left alone.

use crate::maps::HOLDERS;

/// Whether a process may have such a descriptor.
#[inline(always)]
pub fn is_known(pid: u32) -> bool {
    // SAFETY: memory of the map. The value, not the address: the verifier lets nobody calculate with those.
    HOLDERS.get_ptr(&pid).map_or(0, |known| unsafe { known.read_volatile() }) != 0
}

/// From now on calls of this process are looked at.
#[inline(always)]
pub fn remember(pid: u32) {
    if !is_known(pid) {
        let _ = HOLDERS.insert(&pid, &1, 0);
    }
}

/// The process ended.
#[inline(always)]
pub fn forget(pid: u32) {
    let _ = HOLDERS.remove(&pid);
}

/// A process has a child, which has its descriptors.
#[inline(always)]
pub fn inherited(parent: u32, child: u32) {
    if is_known(parent) {
        remember(child);
    }
}
