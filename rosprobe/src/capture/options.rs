//! What a capture is asked for, and what it says of itself.

use rosprobe_common::{PAYLOAD_LIMIT, RING_BUFFER_BYTES};

use super::kernel::Misplaced;
use super::mode::CaptureMode;
use super::object::Object;

/// How to capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes copied of one XML-RPC message at most.
    pub payload_limit: u32,
    /// Whether the programs say on standard error what they decide.
    pub kernel_log: bool,
    /// Size of the ring buffer in bytes; made a power of two of at least one page.
    pub ring_buffer_bytes: u32,
    /// Whether the programs return at once and see nothing: what their hooks alone cost.
    pub empty_programs: bool,
    /// Whether the kernel's description of its types is left alone, to test what is done where there is none.
    #[doc(hidden)]
    pub without_types: bool,
    /// Which object is loaded whatever the kernel has, to test it; `None`: the one for this kernel.
    #[doc(hidden)]
    pub object: Option<Object>,
    /// An offset that is given wrong to the programs, to test that this is found out.
    #[doc(hidden)]
    pub misplaced: Option<Misplaced>,
    /// The only mode that is tried; `None`: the best that this kernel gives.
    pub mode: Option<CaptureMode>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            payload_limit: PAYLOAD_LIMIT,
            kernel_log: false,
            ring_buffer_bytes: RING_BUFFER_BYTES,
            empty_programs: false,
            without_types: false,
            object: None,
            misplaced: None,
            mode: None,
        }
    }
}

/// How this capture works, for the status line, the trace and the first line of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The rung of the ladder that is used.
    pub mode: CaptureMode,
    /// What is attached: `tp_btf:NAME`, `fentry:FUNCTION`, `fexit:FUNCTION`, `raw_tp:NAME` or `tracepoint:CATEGORY:NAME`.
    pub programs: Vec<String>,
    /// Release of the running kernel.
    pub kernel: String,
    /// What was done or found that a person may want to know.
    pub notes: Vec<String>,
}
