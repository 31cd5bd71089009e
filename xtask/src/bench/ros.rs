//! A talker and a listener of each client library, with and without somebody who watches.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::figure::Report;
use super::host::Running;
use super::usage::pass;
use super::watcher::{Place, Watcher};
use super::{Bench, Pace};
use crate::process::{run_quietly, workspace};

/// How long ROS may take to get going.
const START: Duration = Duration::from_mins(1);
/// Bytes of a message, and messages a second.
const TRAFFIC: [(&str, u32, u32); 2] =
    [("1 kHz of 100 bytes", 100, 1000), ("100 MB/s in messages of 1 MB", 1_000_000, 100)];

/// What a listener says of the time since it said something last.
#[derive(Deserialize)]
struct Heard {
    messages_per_second: f64,
    latency_us: f64,
}

/// Measures, and adds the figures.
pub fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let roscpp = compile()?;
    let nodes = workspace().join("xtask/src/bench/nodes");
    let core = Running::start(ros(bench, Path::new("roscore")).arg("-v"))?;
    core.wait_for(START, |line| line.contains("started core service"))?;
    let python = nodes.join("rospy_bench.py");
    for (library, command) in [("roscpp", vec![roscpp]), ("rospy", vec![PathBuf::from("python3"), python])] {
        for (title, bytes, rate) in TRAFFIC {
            if let Err(error) = pair(bench, report, &command, &format!("{library} {title}"), bytes, rate) {
                report.failed.push(format!("{library} talker -> listener, {title}: {error:#}"));
            }
        }
    }
    Ok(())
}

fn pair(bench: &Bench, report: &mut Report, command: &[PathBuf], title: &str, bytes: u32, rate: u32) -> Result<()> {
    let start = |role: &str| {
        let (program, rest) = command.split_first().context("a command has words")?;
        let words = [role.to_owned(), bytes.to_string(), rate.to_string()];
        Running::start(ros(bench, program).args(rest).args(words))
    };
    let listener = start("listener")?;
    let talker = start("talker")?;
    listener.wait_for(START, |line| line.starts_with('{')).context("the listener hears nothing")?;
    // strace --seccomp-bpf cannot be attached to what runs already.
    let watchers: Vec<Watcher> =
        Watcher::all(&bench.modes).into_iter().filter(|watcher| *watcher != Watcher::StraceSeccomp).collect();
    let rounds = if bench.pace == Pace::Quick { 1 } else { 3 };
    let mut all: BTreeMap<usize, Vec<Heard>> = BTreeMap::new();
    for round in 0..rounds {
        for step in 0..watchers.len() {
            let at = (step + round) % watchers.len();
            let watcher = &watchers[at];
            super::check_interrupted()?;
            bench.say(&format!("{title}, round {} of {rounds}: {}", round + 1, watcher.title()));
            match heard(bench, watcher, &listener, talker.pid()) {
                Ok(heard) => all.entry(at).or_default().push(heard),
                Err(error) => report.failed.push(format!("{title} under {}: {error:#}", watcher.title())),
            }
        }
    }
    for (at, heard) in all {
        let watcher = watchers[at].title();
        let rate = heard.iter().map(|heard| heard.messages_per_second);
        report.add(format!("{title}, {watcher}: rate"), "messages/s", rate, None);
        let latency = heard.iter().map(|heard| heard.latency_us);
        report.add(format!("{title}, {watcher}: latency"), "us", latency, None);
    }
    Ok(())
}

/// What the listener says after a while under this watcher.
fn heard(bench: &Bench, watcher: &Watcher, listener: &Running, talker: u32) -> Result<Heard> {
    let place = Place { host: &bench.host, on: &bench.watchers_on, rosprobe: &bench.rosprobe };
    let watching = if *watcher == Watcher::Strace {
        let mut strace = Command::new("taskset");
        strace.args(["-c", &bench.watchers_on, "strace", "-f", "-e", "trace=network", "-o", "/dev/null"]);
        strace.args(["-p", &listener.pid().to_string(), "-p", &talker.to_string()]);
        let strace = Running::start(&mut strace)?;
        strace.wait_for(START, |line| line.contains("attached"))?;
        Some(strace)
    } else {
        watcher.start(&place)?
    };
    pass(Duration::from_millis(300));
    // What it says of the time before is of no interest.
    listener.lines();
    listener.wait_for(START, |line| line.starts_with('{'))?;
    let line = listener.wait_for(START, |line| line.starts_with('{'))?;
    if let Some(watching) = watching {
        // A killed strace leaves what it traced stopped.
        watching.end()?;
    }
    serde_json::from_str(&line.text).context("the listener's line is one JSON object")
}

/// A program with the environment of ROS.
fn ros(bench: &Bench, program: &Path) -> Command {
    let mut command = bench.host.command(&format!("{},{}", bench.load_on, bench.watchers_on), program);
    let home = workspace().join("target/bench/ros");
    command.env("ROS_MASTER_URI", "http://localhost:11311").env("ROS_IP", "127.0.0.1").env("ROS_HOME", home);
    // The ROS of Debian's packages, with the Python that it is made for.
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("PYTHONUNBUFFERED", "1").env("LC_ALL", "C.UTF-8");
    command
}

fn compile() -> Result<PathBuf> {
    let source = workspace().join("xtask/src/bench/nodes/roscpp_bench.cpp");
    let target = workspace().join("target/bench/roscpp_bench");
    std::fs::create_dir_all(workspace().join("target/bench"))?;
    let script = "g++ -O2 -o \"$2\" \"$1\" $(pkg-config --cflags --libs roscpp rostime roscpp_serialization)";
    run_quietly(Command::new("sh").args(["-c", script, "sh"]).arg(source).arg(&target))
        .context("the roscpp nodes cannot be compiled; `cargo xtask test` installs what they need")?;
    Ok(target)
}
