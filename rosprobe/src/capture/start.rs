//! The start of a live capture: up the ladder, until a rung holds.

use std::path::{Path, PathBuf};

use aya::{Ebpf, EbpfLoader};
use rosprobe_common::{Config, LAYOUT_VERSION, UNKNOWN_OFFSET};

use super::btf::{self, Btf};
use super::capture_error::{self, CaptureError};
use super::hook::Hook;
use super::kernel::{self, Architecture, ConnectFields};
use super::kernel_log;
use super::live::{Description, Options};
use super::mode::{LADDER, Rung};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/rosprobe.bpf.o"));

/// [`Config`] as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct ConfigPod(Config);

// SAFETY: `Config` is `repr(C)`, integers only and without padding.
unsafe impl aya::Pod for ConfigPod {}

/// What was started.
pub struct Started {
    /// The programs, attached.
    pub ebpf: Ebpf,
    /// How.
    pub description: Description,
    /// Whether the kernel tells how much a peer has not acknowledged.
    pub unacknowledged_known: bool,
}

/// Tries the rungs of the mode that is asked for, or of every mode, and stops at the first that holds.
pub fn climb(options: &Options) -> Result<Started, CaptureError> {
    capture_error::check_capabilities()?;
    let release = capture_error::release();
    let name = std::env::consts::ARCH;
    let architecture = kernel::architecture(name).ok_or(CaptureError::Architecture(name))?;
    let mut refused = Vec::new();
    for rung in LADDER.iter().filter(|rung| options.mode.is_none_or(|mode| rung.mode == mode)) {
        match attempt(rung, options, &architecture, &release) {
            Ok(started) => return Ok(started),
            Err(error) => refused.push((rung.to_string(), error)),
        }
    }
    Err(CaptureError::of_all(refused, release))
}

fn attempt(
    rung: &Rung,
    options: &Options,
    architecture: &Architecture,
    release: &str,
) -> Result<Started, CaptureError> {
    let mut notes = Vec::new();
    let bytes = std::fs::read(btf::VMLINUX).map_err(|error| CaptureError::no_btf(release, &error))?;
    let structures = Btf::parse(&bytes).map_err(CaptureError::Btf)?;
    let fields = if rung.connect_calls {
        ConnectFields::read(&tracefs(&mut notes)?).map_err(CaptureError::Tracepoint)?
    } else {
        ConnectFields::UNKNOWN
    };
    let config = kernel::config(&structures, architecture, fields, options.payload_limit, options.kernel_log);
    let config = ConfigPod(config.map_err(CaptureError::Btf)?);
    let mut ebpf = load(&config, options)?;
    check_layout(&ebpf)?;
    let programs = attach(&mut ebpf, rung, release)?;
    let description = Description { mode: rung.mode, programs, kernel: release.to_owned(), notes };
    let unacknowledged_known = config.0.offsets.write_seq != UNKNOWN_OFFSET;
    Ok(Started { ebpf, description, unacknowledged_known })
}

/// Where tracefs is; mounts it where it is not.
fn tracefs(notes: &mut Vec<String>) -> Result<PathBuf, CaptureError> {
    for folder in ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"] {
        if Path::new(folder).join("events/syscalls").exists() {
            return Ok(folder.into());
        }
    }
    let folder = Path::new("/sys/kernel/tracing");
    if !folder.join("events").exists() {
        let flags = nix::mount::MsFlags::MS_NOSUID | nix::mount::MsFlags::MS_NODEV | nix::mount::MsFlags::MS_NOEXEC;
        nix::mount::mount(Some("tracefs"), folder, Some("tracefs"), flags, None::<&str>)
            .map_err(CaptureError::Tracefs)?;
        notes.push("tracefs was not mounted; it is now, on /sys/kernel/tracing".to_owned());
    }
    if folder.join("events/syscalls").exists() { Ok(folder.into()) } else { Err(CaptureError::NoSyscallTracepoints) }
}

fn load(config: &ConfigPod, options: &Options) -> Result<Ebpf, CaptureError> {
    let bytes = options.ring_buffer_bytes.max(4096).checked_next_power_of_two().unwrap_or(1 << 31);
    let level = if config.0.log == 0 { &kernel_log::NOTHING } else { &kernel_log::EVERYTHING };
    EbpfLoader::new()
        .override_global("CONFIG", config, true)
        .override_global("EMPTY", &u32::from(options.empty_programs), true)
        .override_global(kernel_log::LEVEL, level, true)
        .map_max_entries("EVENTS", bytes)
        .load(OBJECT)
        .map_err(|error| CaptureError::Object(Box::new(error)))
}

fn check_layout(ebpf: &Ebpf) -> Result<(), CaptureError> {
    let object =
        ebpf.map("LAYOUT").and_then(|map| aya::maps::Array::<_, u32>::try_from(map).ok()).map_or(0, |map| map.len());
    if object == LAYOUT_VERSION { Ok(()) } else { Err(CaptureError::Layout { object, loader: LAYOUT_VERSION }) }
}

/// Takes a map out of the object.
pub fn take_map(ebpf: &mut Ebpf, name: &'static str) -> Result<aya::maps::Map, CaptureError> {
    ebpf.take_map(name).ok_or(CaptureError::Missing(name))
}

/// Attaches everything of a rung; what is attached.
fn attach(ebpf: &mut Ebpf, rung: &Rung, release: &str) -> Result<Vec<String>, CaptureError> {
    let types = aya::Btf::from_sys_fs().map_err(|error| CaptureError::no_btf(release, &error))?;
    let mut attached = Vec::new();
    for hook in rung.hooks.iter().copied().flatten() {
        let there = hook.attach(ebpf, Some(&types));
        if there.map_err(|error| CaptureError::program(hook.program(), release, error))? {
            attached.push(Hook::shown(*hook));
        }
    }
    Ok(attached)
}
