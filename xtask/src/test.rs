//! `cargo xtask test`: every test, on a machine with nothing but Rust.

use anyhow::Result;

use crate::binaries::{Binary, build};
use crate::packages;
use crate::peers;
use crate::privilege::as_root;
use crate::process::{cargo, find, run};

/// What the live tests need besides a kernel with eBPF: ROS 1, a compiler for roscpp nodes, what makes a network,
/// and the kernel's headers for ARM.
const PACKAGES: [&str; 24] = [
    "dropbear-bin",
    "g++",
    "iproute2",
    "iptables",
    "libroscpp-dev",
    "libstd-msgs-dev",
    "libstd-srvs-dev",
    "linux-libc-dev-arm64-cross",
    "openssh-client",
    "pkg-config",
    "procps",
    "python3-roslaunch",
    "python3-rosnode",
    "python3-rosparam",
    "python3-rospy",
    "python3-rosservice",
    "python3-rostopic",
    "python3-std-msgs",
    "python3-std-srvs",
    "rosout",
    "sshuttle",
    "tcpdump",
    "tmux",
    "util-linux",
];

/// Programs that come with other packages too, each with Debian's: nodes of a client library for node, and what installs it.
const PROGRAMS: [(&str, &str); 2] = [("node", "nodejs"), ("npm", "npm")];

/// Installs, then runs what needs no privilege, then what does.
pub fn test() -> Result<()> {
    packages::install(&PACKAGES, "the live tests run ROS 1 from")?;
    let programs = PROGRAMS.iter().filter(|(program, _)| find(program).is_none()).map(|(_, package)| *package);
    packages::install(&programs.collect::<Vec<_>>(), "the live tests run a third client library on node from")?;
    packages::install(&peers::PACKAGES, "the live tests run Fast DDS from")?;
    run(cargo().args(["test", "--locked"]))?;
    peers::build()?;
    // Built as the caller, so that only running them needs root.
    for binary in build(cargo().args(["test", "--locked", "--no-run"]))?.iter().filter(|binary| binary.test) {
        run_privileged(binary)?;
    }
    Ok(())
}

/// Runs the tests of it that plain `cargo test` ignores.
fn run_privileged(binary: &Binary) -> Result<()> {
    let by_hand = format!("{} --ignored", binary.executable.display());
    let mut command = as_root(&binary.executable, &by_hand)?;
    // Tests wait for the network most of the time, and each has hosts of its own.
    command.args(["--ignored", "--test-threads", "4"]).current_dir(&binary.package);
    run(&mut command)
}
