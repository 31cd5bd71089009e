//! The machines that qemu makes here, and the kernels that Debian has for them.

use clap::ValueEnum;

/// An architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Architecture {
    /// 64-bit PCs
    #[value(name = "x86_64")]
    X86,
    /// 64-bit ARM: Raspberry Pi, Jetson
    #[value(name = "aarch64")]
    Arm,
}

impl Architecture {
    /// The one that this runs on.
    pub fn native() -> Option<Self> {
        Self::value_variants().iter().copied().find(|architecture| architecture.name() == std::env::consts::ARCH)
    }

    /// As `uname -m` says.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }

    /// As Debian says.
    pub fn debian(self) -> &'static str {
        match self {
            Self::X86 => "amd64",
            Self::Arm => "arm64",
        }
    }

    /// The emulator, and the package that has it.
    pub fn emulator(self) -> (&'static str, &'static str) {
        match self {
            Self::X86 => ("qemu-system-x86_64", "qemu-system-x86"),
            Self::Arm => ("qemu-system-aarch64", "qemu-system-arm"),
        }
    }

    /// The board and its processor, without the host's help: `/dev/kvm` is not everywhere, and not everywhere it works.
    pub fn board(self) -> &'static [&'static str] {
        match self {
            Self::X86 => &["-machine", "q35", "-cpu", "max"],
            // Pointer authentication alone takes half of the emulator's time with its standard cipher.
            Self::Arm => &["-machine", "virt", "-cpu", "max,pauth-impdef=on"],
        }
    }

    /// The serial console that the kernel writes to.
    pub fn console(self) -> &'static str {
        match self {
            Self::X86 => "ttyS0",
            Self::Arm => "ttyAMA0",
        }
    }
}

/// A kernel of Debian's, and what is to be seen on it.
#[derive(Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The series: `6.1`.
    pub series: &'static str,
    /// Debian's release that it comes with.
    pub suite: &'static str,
    /// For which architecture.
    pub architecture: Architecture,
    /// What it is booted with besides.
    pub parameters: &'static str,
    /// The values of `--capture-mode` that are tested there, best first; with `-bounded`, by the programs for kernels without
    /// `bpf_loop()`, of which Debian has none between 5.10 and 6.1. Without any, rosprobe has to say why.
    pub modes: &'static [&'static str],
}

/// The kernels, by architecture in the order in which they are tested.
pub const KERNELS: &[Kernel] = &[
    x86("6.1", "bookworm-security", &["fexit", "syscall", "fexit-bounded"]),
    x86("5.10", "bullseye-security", &["syscall"]),
    x86("6.12", "bookworm-security", &["sock", "syscall"]),
    Kernel { parameters: "lockdown=confidentiality", ..x86("6.1", "bookworm-security", &[]) },
    arm("6.1", "bookworm-security", &["syscall"]),
    arm("6.12", "bookworm-security", &["sock", "fexit", "syscall"]),
];

const fn x86(series: &'static str, suite: &'static str, modes: &'static [&'static str]) -> Kernel {
    Kernel { series, suite, architecture: Architecture::X86, parameters: "", modes }
}

const fn arm(series: &'static str, suite: &'static str, modes: &'static [&'static str]) -> Kernel {
    Kernel { series, suite, architecture: Architecture::Arm, parameters: "", modes }
}

/// The kernels of an architecture, or those of them that are asked for.
pub fn kernels(architecture: Architecture, asked: &[String]) -> anyhow::Result<Vec<&'static Kernel>> {
    let all: Vec<_> = KERNELS.iter().filter(|kernel| kernel.architecture == architecture).collect();
    for series in asked {
        if !all.iter().any(|kernel| kernel.series == series) {
            let known: Vec<_> = all.iter().map(|kernel| kernel.series).collect();
            anyhow::bail!("no kernel {series} for {}: there are {}", architecture.name(), known.join(", "));
        }
    }
    let wanted = |kernel: &&Kernel| asked.is_empty() || asked.iter().any(|series| series == kernel.series);
    Ok(all.into_iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_is_not_there_is_refused_with_those_that_are() {
        let error = kernels(Architecture::X86, &["2.6".to_owned()]).unwrap_err().to_string();
        assert!(error.starts_with("no kernel 2.6 for x86_64: there are ") && error.contains("6.1"), "{error}");
        for architecture in [Architecture::X86, Architecture::Arm] {
            let series = |asked: &[String]| -> Vec<_> {
                kernels(architecture, asked).unwrap().iter().map(|kernel| kernel.series).collect()
            };
            let asked = series(&["6.1".to_owned()]);
            assert!(!asked.is_empty() && asked.iter().all(|series| *series == "6.1"), "{asked:?}");
            assert!(series(&[]).len() > 1 && series(&[]).contains(&"6.1"), "{:?}", series(&[]));
        }
    }
}
