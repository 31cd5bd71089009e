//! Programs and tests that cargo builds, and where they are.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::process::words;

/// A compiled program or test.
#[derive(Debug)]
pub struct Binary {
    /// The name of the program or of the test's file.
    pub name: String,
    /// Where it is.
    pub executable: PathBuf,
    /// The folder of its package.
    pub package: PathBuf,
    /// Whether it is a test.
    pub test: bool,
}

/// A line of cargo's JSON messages, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    profile: Option<Profile>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Runs a build, and gives what can be executed of it.
pub fn build(cargo: &mut Command) -> Result<Vec<Binary>> {
    cargo.args(["--message-format", "json-render-diagnostics"]);
    let words = words(cargo);
    eprintln!("$ {words}");
    let mut child = cargo.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run `{words}`"))?;
    let stdout = child.stdout.take().context("cargo was started with a pipe")?;
    let mut binaries = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let message: Message = serde_json::from_str(&line?).context("cargo's messages are one JSON object a line")?;
        let (Some(executable), Some(manifest)) = (message.executable, message.manifest_path) else { continue };
        let name = message.target.map(|target| target.name).unwrap_or_default();
        let test = message.profile.is_some_and(|profile| profile.test);
        binaries.push(Binary { name, executable, package: manifest.with_file_name(""), test });
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{words}` failed: {status}");
    }
    Ok(binaries)
}
