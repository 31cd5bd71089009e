//! `cargo xtask peers`: three implementations of DDS for the live tests of ROS 2, and a fourth that reads packet captures, under `target/peers`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::files;
use crate::process::{cargo, run, workspace};

/// What it needs besides Rust.
pub const PACKAGES: [&str; 4] = ["fastdds-tools", "g++", "libfastrtps-dev", "python3-venv"];
/// From `PyPI`. What it would bring along is for its command line.
const CYCLONE: &str = "cyclonedds==11.0.1";

/// Where their sources are.
pub fn sources() -> PathBuf {
    workspace().join("rosprobe/tests/live/dds/peers")
}

/// Builds what is missing or older than its source.
pub fn build() -> Result<()> {
    let (sources, target) = (sources(), workspace().join("target/peers"));
    files::make_folder(&target)?;
    cyclone(&target.join("venv"))?;
    fast_dds(&sources.join("fastdds.cpp"), &target.join("fastdds"))?;
    // A workspace of its own: ros2-client and dust_dds are no part of rosprobe.
    let mut peers = cargo();
    peers.current_dir(&sources).args(["build", "--locked", "--workspace", "--target-dir"]).arg(&target);
    run(&mut peers)
}

fn cyclone(venv: &Path) -> Result<()> {
    let done = venv.join(CYCLONE);
    if done.exists() {
        return Ok(());
    }
    run(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(venv))?;
    run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--no-deps", CYCLONE]))?;
    files::write(&done, "")
}

fn fast_dds(source: &Path, program: &Path) -> Result<()> {
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    if changed(program) > changed(source) {
        return Ok(());
    }
    run(Command::new("g++").arg("-o").args([program, source]).args(["-lfastrtps", "-lfastcdr"]))
}
