//! `cargo xtask test`: every test, on a machine with nothing but Rust.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::privilege::as_root;
use crate::process::{cargo, find, run, words};

/// What the live tests need besides a kernel with eBPF: ROS 1, a compiler for roscpp nodes, and what makes a network.
const PACKAGES: [&str; 21] = [
    "dropbear-bin",
    "g++",
    "iproute2",
    "iptables",
    "libroscpp-dev",
    "libstd-msgs-dev",
    "libstd-srvs-dev",
    "openssh-client",
    "pkg-config",
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
    "tmux",
    "util-linux",
];

/// Installs, then runs what needs no privilege, then what does.
pub fn test() -> Result<()> {
    install()?;
    run(cargo().args(["test", "--locked"]))?;
    for binary in test_binaries()? {
        binary.run_privileged()?;
    }
    Ok(())
}

/// Installs the packages that are missing.
fn install() -> Result<()> {
    if find("dpkg-query").is_none() || find("apt-get").is_none() {
        bail!(
            "the live tests run ROS 1 from Debian's packages, and this is no Debian: run them in a Debian 12 machine or \
             container; `cargo test` runs everything else here"
        );
    }
    let missing: Vec<&str> = PACKAGES.into_iter().filter(|package| !is_installed(package)).collect();
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

/// A compiled test.
struct TestBinary {
    executable: PathBuf,
    package: PathBuf,
}

impl TestBinary {
    /// Runs the tests of it that plain `cargo test` ignores.
    fn run_privileged(&self) -> Result<()> {
        let by_hand = format!("{} --ignored", self.executable.display());
        let mut command = as_root(&self.executable, &by_hand)?;
        // Tests wait for the network most of the time, and each has hosts of its own.
        command.args(["--ignored", "--test-threads", "4"]).current_dir(&self.package);
        run(&mut command)
    }
}

/// A line of cargo's JSON messages, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds all tests as the caller, so that only running them needs root.
fn test_binaries() -> Result<Vec<TestBinary>> {
    let mut build = cargo();
    build.args(["test", "--locked", "--no-run", "--message-format", "json-render-diagnostics"]);
    let words = words(&build);
    let mut child = build.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run `{words}`"))?;
    let stdout = child.stdout.take().context("cargo was started with a pipe")?;
    let mut binaries = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let message: Message = serde_json::from_str(&line?).context("cargo's messages are one JSON object a line")?;
        if !message.profile.is_some_and(|profile| profile.test) {
            continue;
        }
        if let (Some(executable), Some(manifest)) = (message.executable, message.manifest_path) {
            binaries.push(TestBinary { executable, package: manifest.with_file_name("") });
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{words}` failed: {status}");
    }
    Ok(binaries)
}
