//! `cargo xtask bench`: what rosprobe costs, against nothing, against programs that do nothing, and against what people use otherwise.

mod figure;
mod host;
mod overhead;
mod own;
mod page;
mod pipeline;
mod ros;
mod spread;
mod usage;
mod watcher;

use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use self::figure::Report;
use self::host::Host;
use crate::process::{cargo, output, run, workspace};

/// What to measure, and how thoroughly.
#[derive(clap::Args)]
pub struct Arguments {
    /// A tenth of the samples, for a look; nothing is written unless --output says where
    #[arg(long)]
    quick: bool,
    /// Only this part; may be given several times. Nothing is written unless --output says where
    #[arg(long, value_name = "NAME")]
    only: Vec<Part>,
    /// Say what changed since the run of this JSON file
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Measure this executable instead of building one
    #[arg(long, value_name = "FILE")]
    rosprobe: Option<PathBuf>,
    /// Where the page goes, and the JSON beside it [default: rosprobe/docs/benchmarks.md for a whole run]
    #[arg(long, value_name = "FILE.md")]
    output: Option<PathBuf>,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// System calls, TCP, UDP, connect and XML-RPC under every watcher
    Overhead,
    /// Talkers and listeners of both client libraries under every watcher
    Ros,
    /// Start to attached
    Start,
    /// rosprobe at rest
    Idle,
    /// 200 XML-RPC calls a second
    Rates,
    /// 20,000 XML-RPC calls a second
    Storm,
    /// 10,000 sockets and 5,000 links
    Links,
    /// 1,000 processes
    Processes,
    /// Failing connect to finding
    Findings,
    /// XML-RPC decode
    Decode,
    /// 24 hours in short
    Day,
}

/// How thoroughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    Quick,
    Full,
}

/// Everything that a part needs.
struct Bench {
    pace: Pace,
    host: Host,
    /// `load`, see `xtask/src/bin/load`.
    load: PathBuf,
    rosprobe: PathBuf,
    modes: Vec<String>,
    /// Processors for loads, as taskset takes them.
    load_on: String,
    /// Processors for watchers.
    watchers_on: String,
}

impl Bench {
    fn say(&self, text: &str) {
        eprintln!("bench: {text}");
        debug_assert!(self.load.exists());
    }
}

/// Set by Ctrl-C: the part that runs ends with the processes that it waits for, and what was measured until then is written.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn interrupted(_: i32) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// An error after Ctrl-C: a part of many turns stops between two.
fn check_interrupted() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// Measures and writes.
pub fn bench(arguments: &Arguments) -> Result<()> {
    demand_root()?;
    let before = arguments.compare.as_deref().map(read).transpose()?;
    let bench = prepare(arguments)?;
    let mut report = Report {
        date: now()?,
        command: std::env::args().skip(1).fold("cargo xtask".to_owned(), |words, word| words + " " + &word),
        machine: machine(),
        commit: output(Command::new("git").current_dir(workspace()).args(["describe", "--always", "--dirty"]))?,
        modes: bench.modes.clone(),
        ..Report::default()
    };
    catch_interrupts()?;
    for part in Part::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(part) {
            continue;
        }
        if INTERRUPTED.load(Ordering::Relaxed) {
            report.failed.push(format!("{part:?}: interrupted before it"));
            continue;
        }
        bench.say(&format!("{part:?}"));
        // A part that fails, and be it by a fault of its own, shall not take the others with it.
        let measured = std::panic::catch_unwind(AssertUnwindSafe(|| measure(*part, &bench, &mut report)));
        match measured {
            Ok(Ok(())) => {}
            Ok(Err(error)) => report.failed.push(format!("{part:?}: {error:#}")),
            Err(_) => report.failed.push(format!("{part:?}: it panicked; the message is above")),
        }
    }
    finish(arguments, &report, before.as_ref())
}

fn measure(part: Part, bench: &Bench, report: &mut Report) -> Result<()> {
    match part {
        Part::Overhead => overhead::measure(bench, report),
        Part::Ros => ros::measure(bench, report),
        Part::Start => own::start(bench, report),
        Part::Idle => own::idle(bench, report),
        Part::Rates => own::rates(bench, report),
        Part::Storm => own::storm(bench, report),
        Part::Links => own::links(bench, report),
        Part::Processes => own::processes(bench, report),
        Part::Findings => own::findings(bench, report),
        Part::Decode => pipeline::decode(bench, report),
        Part::Day => pipeline::day(bench, report),
    }
}

fn demand_root() -> Result<()> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    bail!(
        "measuring loads eBPF programs and makes network namespaces, which needs root: run `cargo xtask bench` as root"
    )
}

fn prepare(arguments: &Arguments) -> Result<Bench> {
    for program in ["ip", "nsenter", "taskset", "strace", "tcpdump", "bpftrace"] {
        if crate::process::find(program).is_none() {
            bail!(
                "{program} is missing: apt-get install --no-install-recommends iproute2 util-linux strace tcpdump bpftrace"
            );
        }
    }
    run(cargo().args(["build", "--release", "--package", "xtask", "--bin", "load"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let rosprobe = if let Some(given) = &arguments.rosprobe {
        given.clone()
    } else {
        run(cargo().args(["build", "--release", "--package", "rosprobe"]))?;
        target.join("release/rosprobe")
    };
    let modes = watcher::modes(&rosprobe);
    let processors = std::thread::available_parallelism()?.get();
    Ok(Bench {
        pace: if arguments.quick { Pace::Quick } else { Pace::Full },
        host: Host::new()?,
        load: target.join("release/load"),
        rosprobe,
        modes,
        load_on: (processors - 1).to_string(),
        watchers_on: format!("0-{}", processors.saturating_sub(2)),
    })
}

/// What was measured is written, even when the run is broken off.
fn catch_interrupts() -> Result<()> {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    let action = SigAction::new(SigHandler::Handler(interrupted), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler only stores into an atomic.
        unsafe { sigaction(signal, &action) }.with_context(|| format!("cannot catch {signal}"))?;
    }
    Ok(())
}

fn finish(arguments: &Arguments, report: &Report, before: Option<&Report>) -> Result<()> {
    let page = page::page(report);
    println!("{page}");
    let whole = !arguments.quick && arguments.only.is_empty();
    let path = arguments.output.clone().or_else(|| whole.then(|| workspace().join("rosprobe/docs/benchmarks.md")));
    if let Some(path) = path {
        write(&path, &page)?;
        write(&path.with_extension("json"), &(serde_json::to_string_pretty(report)? + "\n"))?;
    }
    if let Some(before) = before {
        println!("## Changed since {}\n", before.date);
        for line in page::changes(before, report) {
            println!("{line}");
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("bench: wrote {}", path.display());
    Ok(())
}

fn read(path: &Path) -> Result<Report> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no report of `cargo xtask bench`", path.display()))
}

fn now() -> Result<String> {
    output(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))
}

/// Processor, kernel and memory.
fn machine() -> String {
    let line = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let (model, memory) = (line("/proc/cpuinfo", "model name"), line("/proc/meminfo", "MemTotal"));
    format!("{processors} x {model}, {memory} of memory, Linux {}", kernel.trim())
}
