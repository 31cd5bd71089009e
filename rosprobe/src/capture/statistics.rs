//! How a live capture is doing.

/// Totals of a live capture so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Records read from the ring buffer.
    pub events: u64,
    /// Bytes that went through the ring buffer.
    pub ring_buffer_bytes: u64,
    /// Records that the kernel side could not hand over.
    pub lost: u64,
}
