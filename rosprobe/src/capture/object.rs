//! The kernel side as it was built, which is carried in this program: with `bpf_loop()`, and for kernels that have none.

use aya::maps::{Array, Map};
use aya::programs::ProgramType;
use aya::sys::{BpfHelper, is_helper_supported};
use aya::{Ebpf, EbpfLoader};
use rosprobe_common::LAYOUT_VERSION;

use super::capture_error::CaptureError;

/// Which of the two is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// Its loops are the kernel's, Linux 5.17 and later.
    Looped,
    /// Its loops have few turns, which the verifier follows, and its functions take numbers: Linux 5.8 and later.
    Bounded,
}

impl Object {
    /// The one for this kernel, which is asked: some that call themselves 5.14 have what came with 5.17.
    pub fn of_this_kernel() -> Self {
        match is_helper_supported(ProgramType::RawTracePoint, BpfHelper::BPF_FUNC_loop) {
            Ok(false) => Self::Bounded,
            // What stops the question stops the programs as well, and they say why.
            Ok(true) | Err(_) => Self::Looped,
        }
    }

    /// The object file.
    pub const fn bytes(self) -> &'static [u8] {
        static LOOPED: &[u8] = aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/rosprobe.bpf.o"));
        static BOUNDED: &[u8] =
            aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/rosprobe-bounded.bpf.o"));
        match self {
            Self::Looped => LOOPED,
            Self::Bounded => BOUNDED,
        }
    }

    /// What a person may want to know of it.
    pub const fn note(self) -> Option<&'static str> {
        match self {
            Self::Looped => None,
            Self::Bounded => Some(
                "this kernel has no bpf_loop() (Linux 5.17): a connection that moves more than 1,000 messages in one system \
                 call has only its bytes counted from there on",
            ),
        }
    }
}

/// Loaded for a look at the kernel's memory: nothing is known, and hardly any room is taken.
pub fn load_bare() -> Result<Ebpf, CaptureError> {
    EbpfLoader::new()
        .btf(None)
        .map_max_entries("EVENTS", 4096)
        .load(Object::Looped.bytes())
        .map_err(|error| CaptureError::Object(Box::new(error)))
}

/// An error when its records are laid out in another way than this program reads them.
pub fn check_layout(ebpf: &Ebpf) -> Result<(), CaptureError> {
    let object = ebpf.map("LAYOUT").and_then(|map| Array::<_, u32>::try_from(map).ok()).map_or(0, |map| map.len());
    if object == LAYOUT_VERSION { Ok(()) } else { Err(CaptureError::Layout { object, loader: LAYOUT_VERSION }) }
}

/// Takes a map out of it.
pub fn take_map(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, CaptureError> {
    ebpf.take_map(name).ok_or(CaptureError::Missing(name))
}
