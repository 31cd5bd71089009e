//! `cargo xtask watch`: build, then run as root.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};

use crate::privilege::as_root;
use crate::process::{cargo, run, words, workspace};

/// Builds rosprobe as the caller and becomes `rosprobe watch`, as root.
pub fn watch() -> Result<()> {
    run(cargo().args(["build", "--release", "--package", "rosprobe"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), Into::into);
    let rosprobe = target.join("release/rosprobe");
    let mut command = as_root(&rosprobe, &format!("{} watch", rosprobe.display()))?;
    // As they were typed: clap swallows the `--` before a command to be watched.
    command.arg("watch").args(std::env::args_os().skip(2).collect::<Vec<OsString>>());
    eprintln!("$ {}", words(&command));
    Err(command.exec()).with_context(|| format!("cannot run `{}`", words(&command)))
}
