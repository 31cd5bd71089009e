//! The kernel side as it was built, which is carried in this program.

use aya::maps::{Array, Map};
use aya::{Ebpf, EbpfLoader};
use rosprobe_common::LAYOUT_VERSION;

use super::capture_error::CaptureError;

/// The object.
pub static BYTES: &[u8] = aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/rosprobe.bpf.o"));

/// Loaded for a look at the kernel's memory: nothing is known, and hardly any room is taken.
pub fn load_bare() -> Result<Ebpf, CaptureError> {
    EbpfLoader::new()
        .btf(None)
        .map_max_entries("EVENTS", 4096)
        .load(BYTES)
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
