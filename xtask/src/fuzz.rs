//! `cargo xtask fuzz`: the fuzz targets under libFuzzer, with stable Rust.

use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::files;
use crate::process::{cargo, output, run, words, workspace};

/// What tells libFuzzer which input went where: counters at every edge, and what was compared with what.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg fuzzing",
];
/// Longest input, in bytes.
const MAX_LENGTH: &str = "-max_len=65536";
/// An input that takes longer is a bug: that many seconds for 64 KiB are no work in proportion to it.
const TIMEOUT: &str = "-timeout=20";
/// Memory of one fuzzer, in MiB: its corpus, and what `bounds.rs` grants to one input.
const MEMORY: &str = "-rss_limit_mb=2048";
/// Lines of a fuzzer's log that are shown when it fails.
const TAIL: usize = 40;

/// What to fuzz, and how long.
#[derive(Args)]
pub struct Arguments {
    /// How long each target runs, in seconds.
    #[arg(long, default_value_t = 600, value_name = "N")]
    seconds: u64,
    /// How many targets run at the same time; as many as there are processors when absent.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Run this input once instead of looking for others.
    #[arg(long, value_name = "FILE", requires = "targets")]
    replay: Option<PathBuf>,
    /// Only these targets.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

/// Builds the targets and runs each of them; fails when one finds a bug.
pub fn fuzz(arguments: &Arguments) -> Result<()> {
    let binaries = build()?;
    if let (Some(input), [target]) = (&arguments.replay, arguments.targets.as_slice()) {
        return run(Command::new(binaries.join(target)).args([TIMEOUT, MEMORY]).arg(input));
    }
    let folder = workspace().join("target/fuzz");
    let known = seeds(&binaries, &folder)?;
    let targets = if arguments.targets.is_empty() { known.clone() } else { arguments.targets.clone() };
    if let Some(unknown) = targets.iter().find(|target| !known.contains(target)) {
        bail!("there is no fuzz target {unknown}; there are: {}", known.join(", "));
    }
    let jobs = arguments.jobs.map_or_else(|| std::thread::available_parallelism().map(usize::from), Ok)?.max(1);
    let waiting = Mutex::new(targets.into_iter());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || -> Result<Vec<String>> {
        let mut failed = Vec::new();
        while let Some(target) = next() {
            if !fuzz_one(&target, &binaries, &folder, arguments.seconds)? {
                failed.push(target);
            }
        }
        Ok(failed)
    };
    let failed: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        let ended = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        ended.collect::<Result<Vec<_>>>()
    })?
    .concat();
    if !failed.is_empty() {
        bail!("fuzzing found bugs: {}", failed.join(", "));
    }
    Ok(())
}

/// Builds the targets; gives the folder of their executables.
fn build() -> Result<PathBuf> {
    let folder = workspace().join("rosprobe/fuzz");
    // The same versions as everywhere else; what the fuzzer alone needs is added to them.
    fs::copy(workspace().join("Cargo.lock"), folder.join("Cargo.lock"))
        .with_context(|| format!("cannot copy Cargo.lock to {}", folder.display()))?;
    let host = host()?;
    let target = workspace().join("target/fuzz");
    let mut build = cargo();
    build.current_dir(&folder).env("RUSTFLAGS", COVERAGE.join(" ")).args(["build", "--release", "--bins"]);
    // With a target given, build scripts and macros are compiled without counters.
    run(build.args(["--target", &host, "--target-dir"]).arg(&target))?;
    Ok(target.join(host).join("release"))
}

fn host() -> Result<String> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}

/// Writes the seeds, cut out of the captures of the tests; gives the names of the targets.
fn seeds(binaries: &Path, folder: &Path) -> Result<Vec<String>> {
    let seeds = folder.join("seeds");
    let mut command = Command::new(binaries.join("seeds"));
    run(command.arg(&seeds).arg(workspace().join("rosprobe/tests/fixtures")))?;
    let mut names = Vec::new();
    for path in files::entries(&seeds)? {
        names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// Runs a target for that many seconds; false when it finds a bug, which is said then.
fn fuzz_one(target: &str, binaries: &Path, folder: &Path, seconds: u64) -> Result<bool> {
    let (corpus, crashes) = (folder.join("corpus").join(target), folder.join("crashes").join(target));
    files::make_folder(&corpus)?;
    files::make_folder(&crashes)?;
    let mut command = Command::new(binaries.join(target));
    command.args([MAX_LENGTH, TIMEOUT, MEMORY, "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", crashes.display()));
    // What is found goes to the first folder.
    command.arg(&corpus).arg(folder.join("seeds").join(target));
    let regressions = workspace().join("rosprobe/fuzz/regressions").join(target);
    if regressions.is_dir() {
        command.arg(regressions);
    }
    let log = folder.join(format!("{target}.log"));
    let out = files::create(&log)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(out);
    eprintln!("$ {}", words(&command));
    let status = command.status().with_context(|| format!("cannot run {target}"))?;
    let log = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if status.success() {
        let number = |name| log.lines().find_map(|line| line.strip_prefix(name)).map_or("?", str::trim);
        let (inputs, slowest) = (number("stat::number_of_executed_units:"), number("stat::slowest_unit_time_sec:"));
        eprintln!("{target}: {inputs} inputs, the slowest took {slowest} s");
        return Ok(true);
    }
    let lines: Vec<&str> = log.lines().collect();
    eprintln!("{}", lines[lines.len().saturating_sub(TAIL)..].join("\n"));
    eprintln!("{target}: {status}. The input is in {}. Run it again:", crashes.display());
    eprintln!("    cargo xtask fuzz --replay FILE {target}");
    eprintln!("When it is mended, copy it to rosprobe/fuzz/regressions/{target}/: `cargo test` runs it from then on.");
    Ok(false)
}
