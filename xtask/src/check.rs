//! `cargo xtask check`: formatting and lints.

use anyhow::Result;

use crate::peers;
use crate::process::{cargo, run};

/// Everything that needs no test to be run. The eBPF crate compiles for its own target alone: `cargo xtask ebpf check`.
pub fn check() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    let mut peers = cargo();
    run(peers.current_dir(peers::sources()).args(["fmt", "--all", "--check"]))?;
    let workspace = ["clippy", "--locked", "--workspace", "--exclude", "rosprobe-ebpf", "--all-targets"];
    run(cargo().args(workspace).args(["--", "-D", "warnings"]))
}
