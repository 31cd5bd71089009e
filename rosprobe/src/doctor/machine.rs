//! What live capture needs of a machine: kernel, BTF, tracefs, capabilities, lockdown.

use std::fs;
use std::path::Path;

use caps::Capability;

use super::Check;

/// The oldest kernel with everything that some mode needs: the ring buffer of eBPF.
const OLDEST: (u32, u32) = (5, 8);

/// What a machine offers, read once.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// As `uname -r` says it.
    pub kernel: String,
    /// `/sys/kernel/btf/vmlinux` exists.
    pub btf: bool,
    /// Where tracefs is mounted.
    pub tracefs: Option<&'static str>,
    /// The chosen word of `/sys/kernel/security/lockdown`: `none`, `integrity` or `confidentiality`.
    pub lockdown: Option<String>,
    /// Capabilities that rosprobe needs and does not have here.
    pub missing_capabilities: Vec<&'static str>,
}

impl Machine {
    /// Looks at this machine.
    pub fn read() -> Self {
        let kernel = nix::sys::utsname::uname();
        Self {
            kernel: kernel.map(|name| name.release().to_string_lossy().into_owned()).unwrap_or_default(),
            btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
            tracefs: tracefs(),
            lockdown: fs::read_to_string("/sys/kernel/security/lockdown").ok().and_then(|text| chosen(&text)),
            missing_capabilities: missing_capabilities(),
        }
    }

    /// What of it serves and what does not.
    pub fn checks(&self) -> Vec<Check> {
        vec![self.kernel_version(), self.type_information(), self.tracepoints(), self.lockdown(), self.rights()]
    }

    fn kernel_version(&self) -> Check {
        let (major, minor) = OLDEST;
        let needs = format!("rosprobe needs {major}.{minor} or later, for the ring buffer of eBPF");
        match version(&self.kernel) {
            Some(version) if version >= OLDEST => Check::ok(format!("kernel {}", self.kernel)),
            Some(_) => Check::error(
                format!("kernel {}: {needs}", self.kernel),
                "on this machine run `tcpdump -i any -s 0 -w ros.pcap tcp or udp`, and open ros.pcap elsewhere with rosprobe",
            ),
            None => Check::info(format!("kernel {:?} has a version that cannot be read; {needs}", self.kernel)),
        }
    }

    fn type_information(&self) -> Check {
        if self.btf {
            return Check::ok("the kernel describes its own types (BTF)");
        }
        Check::info(
            "/sys/kernel/btf/vmlinux does not exist: this kernel does not describe its types (CONFIG_DEBUG_INFO_BTF), so that \
             syscall mode alone can work here",
        )
    }

    fn tracepoints(&self) -> Check {
        self.tracefs.map_or_else(
            || Check::info("tracefs is not mounted: rosprobe mounts it at /sys/kernel/tracing when it starts"),
            |path| Check::ok(format!("tracefs is mounted at {path}")),
        )
    }

    fn lockdown(&self) -> Check {
        match self.lockdown.as_deref() {
            Some("confidentiality") => Check::error(
                "kernel lockdown is at confidentiality: BPF programs may not read memory",
                "boot with lockdown=integrity, or switch Secure Boot's lockdown off for this machine",
            ),
            Some(level) => Check::ok(format!("kernel lockdown: {level}")),
            None => Check::ok("kernel lockdown: none shown"),
        }
    }

    fn rights(&self) -> Check {
        if self.missing_capabilities.is_empty() {
            return Check::ok("the rights to load BPF programs and to read /proc of other users' processes");
        }
        Check::error(
            format!("rosprobe may not watch here: it lacks {}", self.missing_capabilities.join(", ")),
            "run it through sudo, or in a container with --privileged --pid=host",
        )
    }
}

/// Major and minor number of a kernel release such as `6.1.0-53-cloud-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The bracketed word: `none [integrity] confidentiality`.
fn chosen(text: &str) -> Option<String> {
    Some(text.split_once('[')?.1.split_once(']')?.0.to_owned())
}

fn tracefs() -> Option<&'static str> {
    let places = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
    places.into_iter().find(|place| Path::new(place).join("events").exists())
}

fn missing_capabilities() -> Vec<&'static str> {
    let has = |capability| caps::has_cap(None, caps::CapSet::Effective, capability).unwrap_or(false);
    // CAP_SYS_ADMIN includes the two that later kernels split off from it.
    let any = [
        ("CAP_BPF", &[Capability::CAP_BPF, Capability::CAP_SYS_ADMIN][..]),
        ("CAP_PERFMON", &[Capability::CAP_PERFMON, Capability::CAP_SYS_ADMIN]),
        ("CAP_SYS_PTRACE", &[Capability::CAP_SYS_PTRACE]),
        ("CAP_DAC_READ_SEARCH", &[Capability::CAP_DAC_READ_SEARCH, Capability::CAP_DAC_OVERRIDE]),
    ];
    any.iter().filter(|(_, enough)| !enough.iter().any(|one| has(*one))).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn kernel_releases_are_read_as_distributions_write_them() {
        let cases = [
            ("6.1.0-53-cloud-amd64", Some((6, 1))),
            ("5.15.148-tegra", Some((5, 15))),
            ("6.18.5", Some((6, 18))),
            ("5.10.104+", Some((5, 10))),
            ("linux", None),
        ];
        for (release, expected) in cases {
            assert_eq!(version(release), expected, "{release}");
        }
    }

    #[test]
    fn lockdown_is_the_word_in_brackets() {
        assert_eq!(chosen("none [integrity] confidentiality\n").as_deref(), Some("integrity"));
        assert_eq!(chosen("garbage"), None);
    }

    #[test]
    fn what_is_missing_is_said_with_its_remedy() {
        let machine = Machine {
            kernel: "4.9.337-tegra".to_owned(),
            btf: false,
            tracefs: None,
            lockdown: Some("confidentiality".to_owned()),
            missing_capabilities: vec!["CAP_BPF", "CAP_SYS_PTRACE"],
        };
        let checks = machine.checks();
        let statuses: Vec<Status> = checks.iter().map(|check| check.status).collect();
        assert_eq!(statuses, [Status::Error, Status::Info, Status::Info, Status::Error, Status::Error]);
        assert!(checks[0].text.starts_with("kernel 4.9.337-tegra: rosprobe needs 5.8 or later"));
        assert!(checks[4].text.ends_with("it lacks CAP_BPF, CAP_SYS_PTRACE"));
        assert!(checks.iter().filter(|check| check.status == Status::Error).all(|check| check.remedy.is_some()));
    }

    #[test]
    fn a_good_machine_is_all_well() {
        let machine = Machine {
            kernel: "6.1.0-53-amd64".to_owned(),
            btf: true,
            tracefs: Some("/sys/kernel/tracing"),
            lockdown: Some("integrity".to_owned()),
            missing_capabilities: Vec::new(),
        };
        assert!(machine.checks().iter().all(|check| check.status == Status::Ok));
    }
}
