//! What one input may cost. Memory stays below a limit at every moment; what is allocated in all stands for the work, because it is
//! the same on every machine: copying a buffer again for every byte of the input would be seen in it.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Bytes that any input may hold at once, and as many more for each byte of it.
const HELD: (usize, usize) = (128 << 20, 2 << 10);
/// Bytes that any input may allocate in all, and as many more for each byte of it.
const WORK: (usize, usize) = (128 << 20, 32 << 10);

/// Does the work within these bounds. Beyond the first the process aborts: an allocation fails.
///
/// # Panics
/// Beyond the second.
pub fn bounded(length: usize, work: impl FnOnce()) {
    let limit = ALLOCATOR.allocated() + HELD.0 + length * HELD.1;
    let before = ALLOCATOR.total_allocated();
    let _ = ALLOCATOR.set_limit(limit);
    work();
    let _ = ALLOCATOR.set_limit(usize::MAX);
    let allocated = ALLOCATOR.total_allocated() - before;
    assert!(
        allocated <= WORK.0 + length * WORK.1,
        "{length} bytes of input made rosprobe allocate {allocated} bytes in all"
    );
}
