//! Who watches while something is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::host::{Host, Line, Running};
use crate::process::workspace;

/// How long a watcher may take to get going on a busy machine.
const START: Duration = Duration::from_secs(30);

/// sysdig's job: every payload of every process, looked at for a word of ROS.
const BPFTRACE: &str = include_str!("payload.bt");

/// Who watches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watcher {
    /// Nobody: what everything is compared with.
    Nothing,
    /// The same hooks as rosprobe in this mode, with programs that return at once.
    Floor(String),
    /// rosprobe in this mode.
    Rosprobe(String),
    /// `tcpdump -w /dev/null`.
    Tcpdump,
    /// A bpftrace script that does sysdig's job.
    Bpftrace,
    /// `strace -f --seccomp-bpf`.
    StraceSeccomp,
    /// `strace -f`.
    Strace,
}

impl Watcher {
    /// All of them, where rosprobe can work in these modes.
    pub fn all(modes: &[String]) -> Vec<Self> {
        let mut all = vec![Self::Nothing];
        for mode in modes {
            all.extend([Self::Floor(mode.clone()), Self::Rosprobe(mode.clone())]);
        }
        all.extend([Self::Tcpdump, Self::Bpftrace, Self::StraceSeccomp, Self::Strace]);
        all
    }

    /// As a table shows it.
    pub fn title(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Floor(mode) => format!("empty programs ({mode})"),
            Self::Rosprobe(mode) => format!("rosprobe ({mode})"),
            Self::Tcpdump => "tcpdump".to_owned(),
            Self::Bpftrace => "bpftrace".to_owned(),
            Self::StraceSeccomp => "strace --seccomp-bpf".to_owned(),
            Self::Strace => "strace".to_owned(),
        }
    }

    /// Words that go before the command that it watches, for those that have to start it themselves.
    pub fn prefix(&self) -> &'static [&'static str] {
        match self {
            Self::Strace => &["strace", "-f", "-e", "trace=network", "-o", "/dev/null", "--"],
            Self::StraceSeccomp => &["strace", "-f", "--seccomp-bpf", "-e", "trace=network", "-o", "/dev/null", "--"],
            _ => &[],
        }
    }

    /// Starts it, for those that watch beside, and waits until it watches.
    pub fn start(&self, place: &Place<'_>) -> Result<Option<Running>> {
        let Place { host, on, rosprobe } = place;
        let (mut command, ready): (Command, fn(&str) -> bool) = match self {
            Self::Nothing | Self::Strace | Self::StraceSeccomp => return Ok(None),
            Self::Floor(mode) => {
                let mut command = rosprobe_command(rosprobe, Some(on), &chosen(mode));
                command.arg("--empty-programs");
                (command, is_start)
            }
            Self::Rosprobe(mode) => (rosprobe_command(rosprobe, Some(on), &chosen(mode)), is_start),
            Self::Tcpdump => {
                let mut command = host.command(on, "tcpdump");
                command.args(["--immediate-mode", "-i", "lo", "-w", "/dev/null"]);
                (command, |line| line.contains("listening on"))
            }
            Self::Bpftrace => {
                let mut command = host.command(on, "bpftrace");
                let script = workspace().join("target/bench/payload.bt");
                fs::create_dir_all(workspace().join("target/bench"))?;
                fs::write(&script, BPFTRACE).with_context(|| format!("cannot write {}", script.display()))?;
                command.arg(script);
                (command, |line| line == "ready")
            }
        };
        let running = Running::start(&mut command)?;
        running.wait_for(START, ready).with_context(|| format!("{} does not get going", self.title()))?;
        Ok(Some(running))
    }
}

/// Where watchers run.
pub struct Place<'a> {
    /// The network namespace.
    pub host: &'a Host,
    /// Processors for watchers.
    pub on: &'a str,
    /// rosprobe's executable.
    pub rosprobe: &'a Path,
}

fn is_start(line: &str) -> bool {
    line.contains("\"type\":\"start\"")
}

/// `rosprobe watch` with JSON lines.
fn rosprobe_command(rosprobe: &Path, on: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = match on {
        Some(on) => {
            let mut command = Command::new("taskset");
            command.args(["-c", on]).arg(rosprobe);
            command
        }
        None => Command::new(rosprobe),
    };
    command.args(["watch", "--output", "jsonl"]).args(arguments);
    command
}

/// `rosprobe watch`, with the first line that it printed.
pub fn start_rosprobe(rosprobe: &Path, arguments: &[&str]) -> Result<(Running, Line)> {
    let running = Running::start(&mut rosprobe_command(rosprobe, None, arguments))?;
    let first = running.wait_for(START, |_| true)?;
    anyhow::ensure!(is_start(&first.text), "rosprobe cannot watch: {}", first.text);
    Ok((running, first))
}

/// What rosprobe prints into a file, which goes with this.
pub struct Printed(PathBuf);

impl Printed {
    /// The last line of statistics.
    pub fn last_statistics(&self) -> Result<String> {
        let text = fs::read_to_string(&self.0).with_context(|| format!("cannot read {}", self.0.display()))?;
        let last = text.lines().rev().find(|line| line.contains("\"type\":\"statistics\""));
        last.map(str::to_owned).context("rosprobe said no statistics at its end")
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// `rosprobe watch` that prints into a file.
pub fn start_rosprobe_into_file(rosprobe: &Path, arguments: &[&str]) -> Result<(Running, Printed)> {
    let folder = workspace().join("target/bench");
    fs::create_dir_all(&folder)?;
    let printed = Printed(folder.join(format!("rosprobe-{}.jsonl", std::process::id())));
    let file = fs::File::create(&printed.0).with_context(|| format!("cannot write {}", printed.0.display()))?;
    let running = Running::start_into(&mut rosprobe_command(rosprobe, None, arguments), file)?;
    let deadline = Instant::now() + START;
    while fs::metadata(&printed.0)?.len() == 0 {
        anyhow::ensure!(Instant::now() < deadline, "rosprobe does not get going within {START:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok((running, printed))
}

/// The mode that rosprobe takes when it is not told one.
pub const DEFAULT: &str = "default";

/// Arguments that choose a mode.
fn chosen(mode: &str) -> Vec<&str> {
    if mode == DEFAULT { Vec::new() } else { vec!["--capture-mode", mode] }
}

/// The capture modes that work here: each is tried. An executable that cannot be told one has its default.
pub fn modes(rosprobe: &Path) -> Vec<String> {
    let works = |mode: &&str| start_rosprobe(rosprobe, &chosen(mode)).is_ok();
    let modes: Vec<&str> = ["fexit", "sock", "syscall"].into_iter().filter(works).collect();
    let modes = if modes.is_empty() { vec![DEFAULT] } else { modes };
    modes.into_iter().map(str::to_owned).collect()
}
