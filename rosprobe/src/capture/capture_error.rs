//! Why a live capture cannot be, and what to do about it.

use std::io;
use std::os::unix::fs::MetadataExt as _;

use aya::EbpfError;
use aya::maps::MapError;
use aya::programs::{ProgramError, ProgramType};
use aya::sys::{BpfHelper, is_helper_supported, is_program_supported};
use caps::{CapSet, Capability};

use super::btf::BtfError;
use super::mode::CaptureMode;

const SETCAP: &str =
    "sudo setcap cap_bpf,cap_perfmon,cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=ep $(which rosprobe)";
const PRIVILEGED: &str = "in a container with --privileged --pid=host";
const ELSEWHERE: &str = "`tcpdump -i any -w fault.pcap` and `rosprobe open fault.pcap` work there";

/// The first version with everything that some mode needs.
const FLOOR: (u32, u32) = (5, 8);

/// Why a live capture cannot be.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The process may not load programs.
    #[error(
        "rosprobe may not load eBPF programs: it lacks {0}; run it as `sudo rosprobe watch`, {PRIVILEGED}, or once `{SETCAP}`; \
         `tcpdump`, which CAP_NET_RAW is enough for, and `rosprobe open` work without"
    )]
    Capabilities(String),
    /// The call that loads programs is refused, whatever the program is.
    #[error(
        "bpf() is refused here: {0}; a container's seccomp profile or user namespace does that (run rosprobe outside, or \
         {PRIVILEGED}), and a kernel without CONFIG_BPF_SYSCALL=y; {ELSEWHERE}"
    )]
    Refused(io::Error),
    /// The kernel has no tracing programs.
    #[error("this kernel ({0}) takes no tracing programs; it needs CONFIG_BPF_EVENTS=y; {ELSEWHERE}")]
    NoTracing(String),
    /// The kernel lets no program read its memory.
    #[error(
        "this kernel ({0}) is locked down in the confidentiality mode, so that programs may not read its memory; boot it with \
         lockdown=integrity; {ELSEWHERE}"
    )]
    Lockdown(String),
    /// Processes have other numbers here than the kernel tells.
    #[error(
        "rosprobe runs in a pid namespace of its own, where processes have other numbers than the kernel tells; run it \
         outside, or {PRIVILEGED}; {ELSEWHERE}"
    )]
    PidNamespace,
    /// No registers and system calls known.
    #[error("rosprobe does not know the system calls of {0}, only those of x86_64 and aarch64; {ELSEWHERE}")]
    Architecture(&'static str),
    /// The kernel does not describe itself.
    #[error(
        "this kernel ({release}) does not describe its structures: {reason}; it needs CONFIG_DEBUG_INFO_BTF=y; {ELSEWHERE}"
    )]
    NoBtf {
        /// Its release.
        release: String,
        /// What reading the description said.
        reason: String,
    },
    /// The kernel's description lacks something.
    #[error(
        "/sys/kernel/btf/vmlinux cannot be used: {0}; please report this with the output of `uname -r`; {ELSEWHERE}"
    )]
    Btf(BtfError),
    /// tracefs cannot be mounted.
    #[error(
        "tracefs cannot be mounted on /sys/kernel/tracing: {0}; run `sudo mount -t tracefs tracefs /sys/kernel/tracing`"
    )]
    Tracefs(nix::Error),
    /// tracefs is there for others.
    #[error(
        "/sys/kernel/tracing cannot be read: CAP_DAC_READ_SEARCH is missing; run rosprobe with sudo, or once `{SETCAP}`"
    )]
    TracefsForbidden,
    /// tracefs has no system calls in it.
    #[error("this kernel has no tracepoints for system calls; it needs CONFIG_FTRACE_SYSCALLS=y; {ELSEWHERE}")]
    NoSyscallTracepoints,
    /// A tracepoint is not what it should be.
    #[error("{0}; rosprobe needs the tracepoints of connect(); {ELSEWHERE}")]
    Tracepoint(String),
    /// The object or its maps were refused.
    #[error("the kernel refused rosprobe's maps: {0}; {ELSEWHERE}")]
    Object(#[source] Box<EbpfError>),
    /// Object and program do not fit together.
    #[error(
        "the eBPF object has layout {object} and this program {loader}: build rosprobe again after `cargo xtask ebpf build`"
    )]
    Layout {
        /// Of the object.
        object: u32,
        /// Of this program.
        loader: u32,
    },
    /// The object lacks a map.
    #[error("the eBPF object has no map {0}: build rosprobe again after `cargo xtask ebpf build`")]
    Missing(&'static str),
    /// A tracepoint that this kernel is too old for.
    #[error("this kernel ({release}) has no tracepoint {name}, which came with Linux {since}; {ELSEWHERE}")]
    KernelTooOld {
        /// Its release.
        release: String,
        /// The tracepoint.
        name: &'static str,
        /// Where it came.
        since: &'static str,
    },
    /// A program was refused.
    #[error("the kernel ({release}) refused the program on {place}: {reason}; {ELSEWHERE}")]
    Program {
        /// Its release.
        release: String,
        /// Where it was to be called.
        place: String,
        /// What it said.
        reason: String,
    },
    /// Every way to capture was refused.
    #[error("this kernel ({release}) takes no capture mode: {}; {ELSEWHERE}", reasons.join("; "))]
    NoMode {
        /// Its release.
        release: String,
        /// The modes, each with what it said.
        reasons: Vec<String>,
    },
    /// The mode that was asked for was refused.
    #[error(
        "{mode} mode cannot be had on this kernel ({release}): {}; leave --capture-mode away for the best mode that there \
         is; {ELSEWHERE}",
        reasons.join("; ")
    )]
    Mode {
        /// The mode.
        mode: CaptureMode,
        /// The kernel's release.
        release: String,
        /// What each way to have it was answered.
        reasons: Vec<String>,
    },
    /// Older than what every mode needs.
    #[error(
        "this kernel ({release}) is too old: rosprobe needs Linux 5.8, which brought the ring buffer of eBPF; {ELSEWHERE}"
    )]
    Floor {
        /// Its release.
        release: String,
    },
    /// Offsets could not be searched.
    #[error(
        "this kernel does not describe its types (CONFIG_DEBUG_INFO_BTF), and {0}; please report this with the output of `uname -r`; {ELSEWHERE}"
    )]
    Search(#[source] SearchError),
    /// What is known is not found where it should be.
    #[error(
        "rosprobe does not read this kernel right: {0}; use another --capture-mode, and report this with the output of `uname -r`; {ELSEWHERE}"
    )]
    Calibration(String),
    /// The sockets that are known could not be made.
    #[error("the sockets to compare this kernel with cannot be made: {0}; allow this process more open files")]
    KnownSocket(io::Error),
    /// A map could not be read or written.
    #[error("the map {name} cannot be used: {source}; start rosprobe again")]
    Map {
        /// The map.
        name: &'static str,
        /// What the kernel said.
        source: Box<MapError>,
    },
    /// The programs' diagnostics cannot be read.
    #[error("the diagnostics of the programs in the kernel cannot be read: {0}; leave --kernel-log away")]
    KernelLog(#[source] aya_log::Error),
    /// The ring buffer could not be waited for.
    #[error("the ring buffer cannot be waited for: {0}; start rosprobe again")]
    Poll(io::Error),
}

/// Why the search for offsets in the kernel's structures ended.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// A member is nowhere.
    #[error("{0} is not found on sockets of rosprobe's own")]
    NotFound(&'static str),
    /// The sockets could not be made.
    #[error("the sockets to search them with cannot be made: {0}")]
    Sockets(#[from] io::Error),
}

impl CaptureError {
    /// What is wrong, without what to do about it, which every one of these ends with.
    pub fn reason(&self) -> String {
        if let Self::Mode { reasons, .. } = self {
            return reasons.join("; ");
        }
        let text = self.to_string();
        text.rsplit_once("; ").map_or_else(|| text.clone(), |(reason, _)| reason.to_owned())
    }

    /// The refusals of all rungs as one error. A reason that holds for each of them is told once.
    pub(super) fn of_all(refused: Vec<(String, Self)>, asked: Option<CaptureMode>, release: String) -> Self {
        if let Some(mode) = asked {
            let mut reasons: Vec<String> = refused.iter().map(|(_, error)| error.reason()).collect();
            reasons.dedup();
            return Self::Mode { mode, release, reasons };
        }
        let mut reasons: Vec<String> = refused.iter().map(|(_, error)| error.to_string()).collect();
        reasons.dedup();
        let one = reasons.len() == 1;
        let reasons = refused.iter().map(|(rung, error)| format!("{rung}: {}", error.reason())).collect();
        refused.into_iter().next().filter(|_| one).map_or(Self::NoMode { release, reasons }, |(_, error)| error)
    }

    pub(super) fn no_btf(release: &str, reason: &dyn std::error::Error) -> Self {
        Self::NoBtf { release: release.to_owned(), reason: reason.to_string() }
    }

    pub(super) fn map(name: &'static str) -> impl FnOnce(MapError) -> Self {
        move |source| Self::Map { name, source: Box::new(source) }
    }

    /// What the kernel answered to a program of this name that is called at this place.
    pub(super) fn program(name: &'static str, place: String, release: &str, error: ProgramError) -> Self {
        let release = release.to_owned();
        if let (ProgramError::Btf(_), Some(since)) = (&error, since(name)) {
            return Self::KernelTooOld { release, name, since };
        }
        let reason = match error {
            ProgramError::LoadError { io_error, verifier_log } => {
                let log = verifier_log.to_string();
                let lines: Vec<_> = log.lines().rev().filter(|line| !line.is_empty()).take(8).collect();
                let last = lines.into_iter().rev().collect::<Vec<_>>().join(" | ");
                if last.is_empty() { io_error.to_string() } else { format!("{io_error} ({last})") }
            }
            ProgramError::SyscallError(error) => format!("{} says {}", error.call, error.io_error),
            other => other.to_string(),
        };
        Self::Program { release, place, reason }
    }
}

/// The version of Linux that brought a tracepoint.
fn since(tracepoint: &str) -> Option<&'static str> {
    match tracepoint {
        "sock_send_length" | "sock_recv_length" => Some("6.3"),
        "inet_sk_error_report" => Some("5.14"),
        "inet_sock_set_state" | "tcp_retransmit_skb" | "tcp_destroy_sock" => Some("4.16"),
        _ => None,
    }
}

/// Fails when this process may not load tracing programs.
pub(super) fn check_capabilities() -> Result<(), CaptureError> {
    let has = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
    if has(Capability::CAP_SYS_ADMIN) {
        return Ok(());
    }
    let missing: Vec<_> = [Capability::CAP_BPF, Capability::CAP_PERFMON]
        .into_iter()
        .filter(|capability| !has(*capability))
        .map(|capability| capability.to_string())
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(CaptureError::Capabilities(missing.join(" and "))) }
}

/// The number that every kernel gives the initial pid namespace (`PROC_PID_INIT_INO`).
const INITIAL_PID_NAMESPACE: u64 = 0xefff_fffc;

/// Fails where the kernel's numbers of processes are not those that this process sees.
pub(super) fn check_pid_namespace() -> Result<(), CaptureError> {
    match std::fs::metadata("/proc/self/ns/pid") {
        Ok(namespace) if namespace.ino() != INITIAL_PID_NAMESPACE => Err(CaptureError::PidNamespace),
        _ => Ok(()),
    }
}

/// Fails where no program at all would be loaded, or none that reads anything.
pub(super) fn check_programs(release: &str) -> Result<(), CaptureError> {
    let kind = ProgramType::RawTracePoint;
    let answer = |answer: Result<bool, ProgramError>| {
        answer.map_err(|error| match error {
            ProgramError::SyscallError(error) => CaptureError::Refused(error.io_error),
            other => CaptureError::Refused(io::Error::other(other)),
        })
    };
    if !answer(is_program_supported(kind))? {
        return Err(CaptureError::NoTracing(release.to_owned()));
    }
    // Every kernel above the floor has it, and hides it while it is locked down.
    if !answer(is_helper_supported(kind, BpfHelper::BPF_FUNC_probe_read_kernel))? {
        return Err(CaptureError::Lockdown(release.to_owned()));
    }
    Ok(())
}

/// Fails on a kernel that no mode works on. One whose version cannot be read is tried.
pub(super) fn check_release(release: &str) -> Result<(), CaptureError> {
    let mut numbers = release.split(['.', '-', '+']).map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) < FLOOR => {
            Err(CaptureError::Floor { release: release.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Release of the running kernel.
pub(super) fn release() -> String {
    nix::sys::utsname::uname()
        .map_or_else(|_| "unknown".to_owned(), |name| name.release().to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(place: &str) -> CaptureError {
        let reason = "combined stack size is 576".to_owned();
        CaptureError::Program { release: "6.1".to_owned(), place: place.to_owned(), reason }
    }

    fn old() -> CaptureError {
        CaptureError::KernelTooOld { release: "6.1".to_owned(), name: "sock_send_length", since: "6.3" }
    }

    #[test]
    fn when_no_mode_holds_every_reason_is_told_and_what_works_instead() {
        let refused = vec![("sock mode".to_owned(), old()), ("fexit mode".to_owned(), program("fexit:inet_sendmsg"))];
        assert_eq!(
            CaptureError::of_all(refused, None, "6.1".to_owned()).to_string(),
            "this kernel (6.1) takes no capture mode: sock mode: this kernel (6.1) has no tracepoint sock_send_length, \
             which came with Linux 6.3; fexit mode: the kernel (6.1) refused the program on fexit:inet_sendmsg: combined stack \
             size is 576; `tcpdump -i any -w fault.pcap` and `rosprobe open fault.pcap` work there"
        );
    }

    #[test]
    fn a_program_that_cannot_be_attached_says_what_the_kernel_answered() {
        let io_error = io::Error::from_raw_os_error(524);
        let error = ProgramError::SyscallError(aya::sys::SyscallError { call: "bpf_raw_tracepoint_open", io_error });
        let place = "fentry:inet_stream_connect".to_owned();
        let reason = CaptureError::program("begin_stream_connect", place, "6.1", error).reason();
        assert!(
            reason.contains("fentry:inet_stream_connect: bpf_raw_tracepoint_open says ") && reason.contains("524"),
            "{reason}"
        );
    }

    #[test]
    fn a_kernel_below_the_floor_is_told_which_version_it_needs_and_what_works_there() {
        for release in [
            "5.8.0",
            "5.10.0-46-cloud-amd64",
            "5.15.148-tegra",
            "6.1.0-56-cloud-amd64",
            "6.18.44-fc-v657",
            "unknown",
            "5",
        ] {
            assert!(check_release(release).is_ok(), "{release}");
        }
        for release in ["5.7.19", "4.19.0-27-cloud-amd64", "4.9.337-tegra"] {
            assert_eq!(
                check_release(release).unwrap_err().to_string(),
                format!(
                    "this kernel ({release}) is too old: rosprobe needs Linux 5.8, which brought the ring buffer of eBPF; \
                     `tcpdump -i any -w fault.pcap` and `rosprobe open fault.pcap` work there"
                )
            );
        }
    }

    #[test]
    fn one_reason_for_all_modes_is_told_once() {
        for refused in
            [vec![("sock mode".to_owned(), old())], vec![("sock".to_owned(), old()), ("fexit".to_owned(), old())]]
        {
            assert_eq!(CaptureError::of_all(refused, None, "6.1".to_owned()).to_string(), old().to_string());
        }
    }

    #[test]
    fn a_mode_that_was_asked_for_and_cannot_be_had_is_named_with_the_way_out() {
        let refused = vec![("sock".to_owned(), old()), ("sock".to_owned(), old())];
        let error = CaptureError::of_all(refused, Some(CaptureMode::Sock), "6.1".to_owned());
        assert_eq!(
            error.to_string(),
            "sock mode cannot be had on this kernel (6.1): this kernel (6.1) has no tracepoint sock_send_length, which came \
             with Linux 6.3; leave --capture-mode away for the best mode that there is; `tcpdump -i any -w fault.pcap` and \
             `rosprobe open fault.pcap` work there"
        );
        assert_eq!(error.reason(), old().reason());
    }
}
