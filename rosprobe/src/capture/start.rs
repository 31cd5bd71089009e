//! The start of a live capture: up the ladder, until a rung holds.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use aya::programs::ProgramError;
use aya::{Ebpf, EbpfLoader};
use rosprobe_common::{CALL_NUMBERS, Config, UNKNOWN_OFFSET};

use super::btf::{self, Btf};
use super::calibration;
use super::capture_error::{self, CaptureError};
use super::holders;
use super::hook::{Hook, Loaded};
use super::kernel::{self, Architecture, ConnectFields};
use super::kernel_log;
use super::mode::{LADDER, Rung};
use super::object::{self, Object};
use super::options::{Description, Options};
use super::peek::Memory;
use super::search;

/// [`Config`] as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct ConfigPod(Config);

// SAFETY: `Config` is `repr(C)`, integers only and without padding.
unsafe impl aya::Pod for ConfigPod {}

/// What is told where offsets were searched.
const SEARCHED: &str = "this kernel does not describe its types: where they are was searched on sockets of rosprobe's own; how much a peer \
                        has not acknowledged is not known";

/// What was started.
pub struct Started {
    /// The programs, attached.
    pub ebpf: Ebpf,
    /// How.
    pub description: Description,
    /// Records that came before the capture began.
    pub held_back: Vec<Vec<u8>>,
    /// Whether the kernel tells how much a peer has not acknowledged.
    pub unacknowledged_known: bool,
}

/// Tries the rungs of the mode that is asked for, or of every mode, and stops at the first that holds.
pub fn climb(options: &Options) -> Result<Started, CaptureError> {
    let started = try_rungs(options);
    return_memory();
    started
}

fn try_rungs(options: &Options) -> Result<Started, CaptureError> {
    capture_error::check_capabilities()?;
    let release = capture_error::release();
    let name = std::env::consts::ARCH;
    let architecture = kernel::architecture(name).ok_or(CaptureError::Architecture(name))?;
    capture_error::check_release(&release)?;
    capture_error::check_pid_namespace()?;
    capture_error::check_programs(&release)?;
    let description =
        if options.without_types { Err(io::Error::from(io::ErrorKind::NotFound)) } else { fs::read(btf::VMLINUX) };
    let types = match &description {
        Ok(description) => Ok(Types::read(description, &release)?),
        Err(error) => Err(error),
    };
    let object = options.object.unwrap_or_else(Object::of_this_kernel);
    let machine = Machine { types, architecture, release, object };
    machine.climb(options)
}

/// What does not change from rung to rung.
struct Machine<'a> {
    /// The error of reading them, on a kernel that does not describe itself.
    types: Result<Types<'a>, &'a io::Error>,
    architecture: Architecture,
    release: String,
    object: Object,
}

/// The kernel's description of itself, read twice into tens of megabytes: once for all rungs, and gone when the capture begins.
struct Types<'a> {
    /// Where members of structures are.
    structures: Btf<'a>,
    /// Where programs are attached.
    places: aya::Btf,
}

impl<'a> Types<'a> {
    fn read(description: &'a [u8], release: &str) -> Result<Self, CaptureError> {
        let structures = Btf::parse(description).map_err(CaptureError::Btf)?;
        let places = aya::Btf::parse(description, aya::Endianness::default());
        Ok(Self { structures, places: places.map_err(|error| CaptureError::no_btf(release, &error))? })
    }
}

impl Machine<'_> {
    fn climb(&self, options: &Options) -> Result<Started, CaptureError> {
        let mut refused = Vec::new();
        for rung in LADDER.iter().filter(|rung| options.mode.is_none_or(|mode| rung.mode == mode)) {
            match self.attempt(rung, options) {
                Ok(started) => return Ok(started),
                Err(error) => refused.push((rung.to_string(), error)),
            }
        }
        Err(CaptureError::of_all(refused, options.mode, self.release.clone()))
    }

    fn attempt(&self, rung: &Rung, options: &Options) -> Result<Started, CaptureError> {
        let mut notes: Vec<String> = self.object.note().map(str::to_owned).into_iter().collect();
        let mut config = self.config(rung, options, &mut notes)?;
        if let Some(member) = options.misplaced {
            member.misplace(&mut config.offsets);
        }
        let config = ConfigPod(config);
        let mut ebpf = load(self.object, &config, &self.architecture.classes(), options)?;
        object::check_layout(&ebpf)?;
        let programs = self.attach(&mut ebpf, rung)?;
        if rung.system_calls {
            notes.extend(holders::remember(&mut ebpf, Path::new("/proc"))?);
        }
        let held_back =
            if options.empty_programs { Vec::new() } else { calibration::check(&mut ebpf, rung.system_calls)? };
        let description = Description { mode: rung.mode, programs, kernel: self.release.clone(), notes };
        let unacknowledged_known = config.0.offsets.write_seq != UNKNOWN_OFFSET;
        Ok(Started { ebpf, description, held_back, unacknowledged_known })
    }

    fn config(&self, rung: &Rung, options: &Options, notes: &mut Vec<String>) -> Result<Config, CaptureError> {
        let Options { payload_limit, kernel_log, .. } = *options;
        let fields = if rung.connect_calls {
            ConnectFields::read(&tracefs(notes)?).map_err(CaptureError::Tracepoint)?
        } else {
            ConnectFields::UNKNOWN
        };
        match &self.types {
            Ok(types) => kernel::config(
                &types.structures,
                &self.architecture,
                fields,
                payload_limit,
                kernel_log,
                rung.system_calls,
            )
            .map_err(CaptureError::Btf),
            Err(_) if rung.system_calls => {
                let offsets = search::offsets(Memory::open()?, &self.architecture).map_err(CaptureError::Search)?;
                notes.push(SEARCHED.to_owned());
                Ok(kernel::with_offsets(offsets, &self.architecture, payload_limit, kernel_log, true))
            }
            Err(error) => Err(CaptureError::no_btf(&self.release, *error)),
        }
    }

    /// Attaches everything of a rung; what is attached.
    fn attach(&self, ebpf: &mut Ebpf, rung: &Rung) -> Result<Vec<String>, CaptureError> {
        let (trials, others): (Vec<_>, Vec<_>) = rung.hooks.iter().copied().flatten().partition(|hook| hook.is_trial());
        let mut loaded = self.load(ebpf, &trials)?;
        loaded.extend(self.load(ebpf, &others)?);
        let mut attached = Vec::new();
        for (hook, loaded) in loaded {
            let place = loaded.attach(ebpf).map_err(|error| self.refused(hook, error))?;
            // Two programs may be at one place.
            if !attached.contains(&place) {
                attached.push(place);
            }
        }
        Ok(attached)
    }

    /// Has the programs of hooks verified, on all processors; those whose place the kernel has.
    fn load(&self, ebpf: &mut Ebpf, hooks: &[Hook]) -> Result<Vec<(Hook, Loaded)>, CaptureError> {
        let types = self.types.as_ref().ok().map(|types| &types.places);
        let mut programs: HashMap<_, _> = ebpf.programs_mut().collect();
        let hooks = hooks.iter().enumerate();
        let to_load: Vec<_> = hooks.map(|(place, hook)| (place, *hook, programs.remove(hook.program()))).collect();
        let to_load = Mutex::new(to_load.into_iter());
        let rest = || to_load.lock().unwrap_or_else(PoisonError::into_inner);
        let load = || {
            let mut verified = Vec::new();
            let next = || rest().next();
            while let Some((place, hook, program)) = next() {
                let there = program.map_or(Err(ProgramError::UnexpectedProgramType), |it| hook.load(it, types));
                if there.is_err() {
                    // One that is refused is enough.
                    rest().by_ref().for_each(drop);
                }
                verified.push((place, hook, there));
            }
            verified
        };
        let mut verified = thread::scope(|scope| {
            let others = 1..thread::available_parallelism().map_or(1, NonZero::get);
            // Who is not there leaves the work to the others.
            let others: Vec<_> = others.filter_map(|_| thread::Builder::new().spawn_scoped(scope, load).ok()).collect();
            let mut verified = load();
            for other in others {
                verified.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            verified
        });
        verified.sort_by_key(|(place, ..)| *place);
        let there = verified.into_iter().map(|(_, hook, there)| {
            let there = there.map_err(|error| self.refused(hook, error))?;
            Ok(there.map(|there| (hook, there)))
        });
        there.filter_map(Result::transpose).collect()
    }

    fn refused(&self, hook: Hook, error: ProgramError) -> CaptureError {
        CaptureError::program(hook.program(), hook.shown(), &self.release, error)
    }
}

/// Gives the kernel back what was freed. The allocator would keep it.
pub(super) fn return_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer, and may be called at any time and from any thread.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

/// Where tracefs is; mounts it where it is not.
fn tracefs(notes: &mut Vec<String>) -> Result<PathBuf, CaptureError> {
    for folder in ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"] {
        if Path::new(folder).join("events/syscalls").exists() {
            return Ok(folder.into());
        }
    }
    let folder = Path::new("/sys/kernel/tracing");
    if let Err(error) = fs::metadata(folder.join("events"))
        && error.kind() == io::ErrorKind::PermissionDenied
    {
        return Err(CaptureError::TracefsForbidden);
    }
    if !folder.join("events").exists() {
        let flags = nix::mount::MsFlags::MS_NOSUID | nix::mount::MsFlags::MS_NODEV | nix::mount::MsFlags::MS_NOEXEC;
        nix::mount::mount(Some("tracefs"), folder, Some("tracefs"), flags, None::<&str>)
            .map_err(CaptureError::Tracefs)?;
        notes.push("tracefs was not mounted; it is now, on /sys/kernel/tracing".to_owned());
    }
    if folder.join("events/syscalls").exists() { Ok(folder.into()) } else { Err(CaptureError::NoSyscallTracepoints) }
}

fn load(
    object: Object,
    config: &ConfigPod,
    classes: &[u8; CALL_NUMBERS],
    options: &Options,
) -> Result<Ebpf, CaptureError> {
    let bytes = options.ring_buffer_bytes.max(4096).checked_next_power_of_two().unwrap_or(1 << 31);
    let level = if config.0.log == 0 { &kernel_log::NOTHING } else { &kernel_log::EVERYTHING };
    EbpfLoader::new()
        .override_global("CONFIG", config, true)
        .override_global("CLASSES", classes, true)
        .override_global("EMPTY", &u32::from(options.empty_programs), true)
        .override_global(kernel_log::LEVEL, level, true)
        .map_max_entries("EVENTS", bytes)
        .load(object.bytes())
        .map_err(|error| CaptureError::Object(Box::new(error)))
}
