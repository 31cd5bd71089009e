//! `cargo xtask aarch64`: rosprobe for ARM boards, built on a PC.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::binaries::build;
use crate::ebpf::Toolchain;
use crate::packages;
use crate::process::{cargo, output, workspace};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";

/// How to build it.
#[derive(clap::Args)]
pub struct Arguments {
    /// Optimized, for use on a robot
    #[arg(long)]
    release: bool,
}

/// Builds it, and says where it is.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut cargo = cargo_for_aarch64("build")?;
    cargo.args(["--locked", "--package", "rosprobe"]);
    if arguments.release {
        cargo.arg("--release");
    }
    for binary in build(&mut cargo)?.iter().filter(|binary| binary.name == "rosprobe") {
        println!("{}", binary.executable.display());
    }
    Ok(())
}

/// A cargo that builds for aarch64: the machine's own where its compiler has a standard library for that, else Debian's.
pub fn cargo_for_aarch64(task: &str) -> Result<Command> {
    packages::install(&["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"], "the linker for aarch64 is one of")?;
    let own = output(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    let mut command = if Path::new(&own).is_dir() {
        let mut command = cargo();
        command.args([task, "--target", TARGET]);
        command
    } else {
        let debian = Toolchain::debian()?;
        debian.add_library("arm64", TARGET)?;
        let mut command = debian.cargo();
        // Nothing here is unstable, and build scripts would think that everything may be.
        command.env_remove("RUSTC_BOOTSTRAP").current_dir(workspace());
        // A folder of its own, because this is another version of the compiler than the machine's.
        command.args([task, "--target", TARGET, "--target-dir"]).arg(workspace().join("target/aarch64"));
        command
    };
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER);
    Ok(command)
}
