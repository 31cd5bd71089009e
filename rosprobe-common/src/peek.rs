//! Reading the kernel's memory for the search of offsets where the kernel does not describe its types.

/// Bytes that are read at once.
pub const PEEK_BYTES: usize = 1024;

/// A question and its answer. The thread that asks writes the map; the end of that very system call answers.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// Thread that asks: its process in the upper half, itself in the lower.
    pub thread: u64,
    /// Where to read.
    pub address: u64,
    /// Answer: the thread's `task_struct`.
    pub task: u64,
    /// Answer: 1 when the bytes were read.
    pub read: u64,
    /// Answer.
    pub bytes: [u8; PEEK_BYTES],
}
