//! `cargo xtask check`: formatting, lints and links within the documentation.

use anyhow::Result;

use crate::peers;
use crate::process::{cargo, run};

/// Everything that needs no test to be run. The eBPF crate compiles for its own target alone: `cargo xtask ebpf check`.
pub fn check() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    let mut peers = cargo();
    run(peers.current_dir(peers::sources()).args(["fmt", "--all", "--check"]))?;
    let workspace = ["--locked", "--workspace", "--exclude", "rosprobe-ebpf"];
    run(cargo().arg("clippy").args(workspace).args(["--all-targets", "--", "-D", "warnings"]))?;
    let mut documentation = cargo();
    documentation.env("RUSTDOCFLAGS", "-D warnings").arg("doc").args(workspace);
    run(documentation.args(["--no-deps", "--document-private-items"]))
}
