//! The kernel's memory, read by a program of rosprobe's at the end of rosprobe's own system calls.

use aya::Ebpf;
use aya::maps::{Array, MapData};
use aya::programs::RawTracePoint;
use rosprobe_common::{PEEK_BYTES, Peek};

use super::capture_error::{self, CaptureError};
use super::object;

/// [`Peek`] as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct PeekPod(Peek);

// SAFETY: `Peek` is `repr(C)`, integers only and without padding.
unsafe impl aya::Pod for PeekPod {}

/// Reads the kernel's memory, as long as it lives.
pub(super) struct Memory {
    /// Holds the program.
    _ebpf: Ebpf,
    questions: Array<MapData, PeekPod>,
}

impl Memory {
    /// Loads and attaches the program.
    pub fn open() -> Result<Self, CaptureError> {
        let mut ebpf = object::load_bare()?;
        let refused =
            |error| CaptureError::program("peek", "raw_tp:sys_exit".to_owned(), &capture_error::release(), error);
        let program: &mut RawTracePoint =
            ebpf.program_mut("peek").ok_or(CaptureError::Missing("peek"))?.try_into().map_err(refused)?;
        program.load().map_err(refused)?;
        program.attach("sys_exit").map_err(refused)?;
        let questions = Array::try_from(object::take_map(&mut ebpf, "PEEK")?).map_err(CaptureError::map("PEEK"))?;
        Ok(Self { _ebpf: ebpf, questions })
    }

    /// The calling thread's `task_struct`.
    pub fn task(&mut self) -> Option<u64> {
        self.ask(0).map(|answer| answer.task).filter(|task| *task != 0)
    }

    /// At most [`PEEK_BYTES`] at an address; `None` where they cannot be read.
    pub fn read(&mut self, address: u64, length: usize) -> Option<Vec<u8>> {
        // At the end of a page there may be fewer readable bytes than are always read.
        let answer = self.ask(address).filter(|answer| answer.read == 1)?;
        answer.bytes.get(..length).map(<[u8]>::to_vec)
    }

    /// As much of these bytes as can be read.
    pub fn read_most(&mut self, address: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            match self.read(address + bytes.len() as u64, PEEK_BYTES) {
                Some(more) => bytes.extend(more),
                None => break,
            }
        }
        (!bytes.is_empty()).then_some(bytes)
    }

    fn ask(&mut self, address: u64) -> Option<Peek> {
        let thread = u64::from(std::process::id()) << 32 | u64::from(nix::unistd::gettid().as_raw().unsigned_abs());
        let question = Peek { thread, address, task: 0, read: 0, bytes: [0; PEEK_BYTES] };
        self.questions.set(0, PeekPod(question), 0).ok()?;
        self.questions.get(&0, 0).ok().map(|PeekPod(answer)| answer)
    }
}

/// A number in what was read.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// A number in what was read.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes)
}
