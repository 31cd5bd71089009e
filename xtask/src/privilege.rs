//! Running single commands as root, never a compiler.

use std::ffi::OsStr;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process::find;

/// A command that runs `program` as root: itself for root, through sudo for others.
///
/// # Errors
///
/// When this is not root and there is no sudo: the message ends with `by_hand`, what to do as root.
pub fn as_root(program: impl AsRef<OsStr>, by_hand: &str) -> Result<Command> {
    if nix::unistd::geteuid().is_root() {
        return Ok(Command::new(program));
    }
    if find("sudo").is_none() {
        bail!("this needs root, and there is no sudo here. As root, run: {by_hand}");
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    Ok(command)
}
