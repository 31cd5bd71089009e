//! A compiler and a linker for the BPF target: the user's own nightly where it has the standard library's sources, or
//! Debian's packages unpacked under `target/`, because installing them would replace somebody's compiler.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::debian::{Debian, version_of};
use crate::files;
use crate::process::{self, workspace};

/// Debian's compiler with its sources, the LLVM that it was built with, and what these load at run time.
const PACKAGES: &[&str] = &[
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    LIBRARY,
    "libllvm22",
    "libgit2-1.5",
    "libhttp-parser2.9",
    "libmbedtls14",
    "libmbedx509-1",
    "libmbedcrypto7",
    "libssh2-1",
    "llvm-22",
    "llvm-22-dev",
    "libpolly-22-dev",
    "libzstd-dev",
    "zlib1g-dev",
];

/// The standard library that Debian's compiler links into programs.
const LIBRARY: &str = "libstd-rust-web-dev";

const BPF_LINKER: &str = "0.13.0";

/// What an object was built with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// As `rustc --version` says.
    pub rustc: String,
    /// As `bpf-linker --version` says.
    pub bpf_linker: String,
    /// As LLVM's own programs say.
    pub llvm: String,
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.rustc, self.bpf_linker, self.llvm)
    }
}

/// A toolchain that builds for BPF.
pub enum Toolchain {
    /// `rustup`'s nightly with `rust-src`, and a `bpf-linker` on the path.
    Nightly,
    /// Debian's packages, unpacked here.
    Debian(PathBuf),
}

impl Toolchain {
    /// The user's own, or Debian's; fetches the latter when it is not there yet.
    pub fn find_or_fetch() -> Result<Self> {
        if nightly_has_sources() && process::find("bpf-linker").is_some() {
            return Ok(Self::Nightly);
        }
        let by_hand = "no toolchain for the BPF target: on Debian 12 this fetches one; elsewhere run \
             `rustup toolchain install nightly --component rust-src` and `cargo install bpf-linker`";
        let toolchain = Self::debian().context(by_hand)?;
        if let Self::Debian(folder) = &toolchain {
            build_linker(folder).context(by_hand)?;
        }
        Ok(toolchain)
    }

    /// Debian's compiler; fetches it when it is not there yet.
    pub fn debian() -> Result<Self> {
        let folder = workspace().join("target/ebpf-toolchain");
        let unpacked = folder.join("unpacked");
        if !unpacked.exists() {
            unpack(&folder)?;
            files::write(&unpacked, PACKAGES.join("\n"))?;
        }
        Ok(Self::Debian(folder))
    }

    /// Adds the standard library of another of Debian's architectures (`arm64`), in the compiler's own version.
    pub fn add_library(&self, architecture: &'static str, target: &str) -> Result<()> {
        let Self::Debian(folder) = self else {
            bail!("run `rustup target add {target}`");
        };
        let root = folder.join("sysroot");
        if root.join("usr/lib/rustlib").join(target).exists() {
            return Ok(());
        }
        let apt = folder.join("apt");
        let debian = Debian::open(&apt, architecture, &["bookworm", "bookworm-security"])?;
        let package = format!("{LIBRARY}={}", version_of(LIBRARY, &folder.join("packages"))?);
        debian.unpack(&[&package], &root).with_context(|| {
            format!(
                "Debian no longer has {package} for {architecture}: remove {}, and it is fetched anew",
                folder.display()
            )
        })?;
        files::remove_folder(&apt)
    }

    /// `cargo`, set up to use this toolchain's compiler.
    pub fn cargo(&self) -> Command {
        match self {
            Self::Nightly => {
                let mut command = Command::new("rustup");
                command.args(["run", "nightly", "cargo"]);
                command
            }
            Self::Debian(folder) => {
                let mut command = Command::new(folder.join("sysroot/usr/bin/cargo"));
                command
                    .env("RUSTC", folder.join("sysroot/usr/bin/rustc"))
                    .env("LD_LIBRARY_PATH", libraries(folder))
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env_remove("RUSTUP_TOOLCHAIN");
                command
            }
        }
    }

    fn rustc(&self) -> Command {
        match self {
            Self::Nightly => {
                let mut command = Command::new("rustup");
                command.args(["run", "nightly", "rustc"]);
                command
            }
            Self::Debian(folder) => {
                let mut command = Command::new(folder.join("sysroot/usr/bin/rustc"));
                command.env("LD_LIBRARY_PATH", libraries(folder));
                command
            }
        }
    }

    /// Where the compiler keeps its libraries and their sources.
    pub fn sysroot(&self) -> Result<PathBuf> {
        process::output(self.rustc().args(["--print", "sysroot"])).map(PathBuf::from)
    }

    /// The linker.
    pub fn linker(&self) -> PathBuf {
        match self {
            Self::Nightly => PathBuf::from("bpf-linker"),
            Self::Debian(folder) => folder.join("linker/bin/bpf-linker"),
        }
    }

    /// A command that strips debug sections.
    pub fn objcopy(&self) -> OsString {
        match self {
            Self::Nightly => OsString::from("llvm-objcopy"),
            Self::Debian(folder) => folder.join("sysroot/usr/lib/llvm-22/bin/llvm-objcopy").into(),
        }
    }

    /// What it is, as its own programs say.
    pub fn versions(&self) -> Result<Versions> {
        let mut linker = Command::new(self.linker());
        if let Self::Debian(folder) = self {
            linker.env("LD_LIBRARY_PATH", libraries(folder));
        }
        Ok(Versions {
            rustc: process::output(self.rustc().arg("--version"))?,
            bpf_linker: process::output(linker.arg("--version"))?.replace('\n', ", "),
            llvm: llvm_version(&process::output(Command::new(self.objcopy()).arg("--version"))?)?,
        })
    }
}

fn llvm_version(text: &str) -> Result<String> {
    let line = text.lines().map(str::trim).find(|line| line.contains("LLVM version"));
    line.map(str::to_owned).with_context(|| format!("llvm-objcopy --version names no LLVM version: {text:?}"))
}

fn nightly_has_sources() -> bool {
    let mut rustc = Command::new("rustup");
    rustc.args(["run", "nightly", "rustc", "--print", "sysroot"]).stderr(std::process::Stdio::null());
    let Ok(output) = rustc.output() else { return false };
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success() && Path::new(&sysroot).join("lib/rustlib/src/rust/library/core").is_dir()
}

fn libraries(folder: &Path) -> PathBuf {
    folder.join("sysroot/usr/lib/x86_64-linux-gnu")
}

/// Builds the linker against Debian's LLVM, once.
fn build_linker(folder: &Path) -> Result<()> {
    if folder.join("linker/bin/bpf-linker").exists() {
        return Ok(());
    }
    println!("building bpf-linker {BPF_LINKER} (a few minutes, once)");
    let features = ["--no-default-features", "--features", "llvm-22"];
    process::run(
        Command::new("cargo")
            .args(["install", "bpf-linker", "--quiet", "--locked", "--version", BPF_LINKER])
            .args(features)
            .arg("--root")
            .arg(folder.join("linker"))
            .env("LLVM_PREFIX", folder.join("sysroot/usr/lib/llvm-22"))
            .env("LIBRARY_PATH", libraries(folder))
            .env("LD_LIBRARY_PATH", libraries(folder))
            .env_remove("CARGO_TARGET_DIR"),
    )
}

fn unpack(folder: &Path) -> Result<()> {
    let (packages, root) = (folder.join("packages"), folder.join("sysroot"));
    for folder in [&packages, &root] {
        files::fresh_folder(folder)?;
    }
    println!("fetching Debian's compiler for the BPF target (220 MB, once)");
    let names = package_names()?;
    process::run(Command::new("apt-get").args(["download", "--quiet"]).args(&names).current_dir(&packages))
        .context("Debian's packages cannot be fetched: run `sudo apt-get update` and try again")?;
    for package in files::entries(&packages)? {
        process::run(Command::new("dpkg").arg("-x").arg(&package).arg(&root))?;
    }
    Ok(())
}

/// The packages, and the standard library that this version of the compiler depends on, whose name carries the version.
fn package_names() -> Result<Vec<String>> {
    let mut names: Vec<_> = PACKAGES.iter().map(|&name| name.to_owned()).collect();
    let depends = process::output(Command::new("apt-cache").args(["depends", LIBRARY]))?;
    let library = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).find(|name| {
        name.strip_prefix("libstd-rust-web-").is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
    });
    let Some(library) = library else {
        bail!("Debian's {LIBRARY} names no library: run `sudo apt-get update` and try again")
    };
    names.push(library.to_owned());
    Ok(names)
}
