//! Debian's packages, installed on this machine.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::privilege::as_root;
use crate::process::{find, run};

/// Installs those that are missing; `purpose` says what for: "the live tests run ROS 1 from".
pub fn install(packages: &[&str], purpose: &str) -> Result<()> {
    if find("dpkg-query").is_none() || find("apt-get").is_none() {
        bail!(
            "{purpose} Debian's packages, and this is no Debian: run them in a Debian 12 machine or container; \
             `cargo test` runs everything else here"
        );
    }
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get update && apt-get install --no-install-recommends {}", missing.join(" "));
    run(as_root("apt-get", &by_hand)?.arg("update"))?;
    let mut install = as_root("env", &by_hand)?;
    install.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--no-install-recommends"]);
    run(install.args(missing).stdin(Stdio::null()))
}

fn is_installed(package: &str) -> bool {
    let status = Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]).output();
    status.is_ok_and(|output| output.stdout == b"installed")
}
