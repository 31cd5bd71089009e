//! A network namespace with nothing but its own loopback, and the programs that run in it.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{output, run_quietly};

/// How long a program may take to end after it was asked to.
const END: Duration = Duration::from_secs(5);

/// A network namespace, gone when dropped.
pub struct Host {
    name: String,
}

impl Host {
    /// Makes it.
    pub fn new() -> Result<Self> {
        let host = Self { name: format!("rp-bench-{}", std::process::id()) };
        run_quietly(Command::new("ip").args(["netns", "add", &host.name]))?;
        run_quietly(Command::new("ip").args(["-netns", &host.name, "link", "set", "lo", "up"]))?;
        Ok(host)
    }

    /// A program to be run here on the processors `on` (a list as taskset takes it). Its pid is that of the program itself.
    pub fn command(&self, on: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        // Not `ip netns exec`, which gives it another /sys, without tracefs.
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name)).args(["taskset", "-c", on]).arg(program);
        command
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Ok(pids) = output(Command::new("ip").args(["netns", "pids", &self.name])) {
            for pid in pids.split_whitespace().filter_map(|pid| pid.parse().ok()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        drop(run_quietly(Command::new("ip").args(["netns", "del", &self.name])));
    }
}

/// A line of a program, and when it was read.
#[derive(Debug)]
pub struct Line {
    /// Without its end.
    pub text: String,
    /// On `CLOCK_MONOTONIC`, in nanoseconds.
    pub read_ns: u64,
}

/// A running program, killed when dropped.
pub struct Running {
    words: String,
    child: Child,
    lines: Receiver<Line>,
}

impl Running {
    /// Starts it and reads what it prints on both of its outputs.
    pub fn start(command: &mut Command) -> Result<Self> {
        let words = crate::process::words(command);
        Self::spawn(command.stdout(Stdio::piped()), words)
    }

    /// Starts it with a file for what it prints.
    pub fn start_into(command: &mut Command, file: std::fs::File) -> Result<Self> {
        let words = crate::process::words(command);
        Self::spawn(command.stdout(file), words)
    }

    fn spawn(command: &mut Command, words: String) -> Result<Self> {
        let spawned = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.with_context(|| format!("cannot run `{words}`"))?;
        let (sender, lines) = channel();
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as _),
            child.stderr.take().map(|stream| Box::new(stream) as _),
        ];
        for stream in streams.into_iter().flatten() {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                let mut bytes = Vec::new();
                while stream.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
                    let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                    if sender.send(Line { text, read_ns: now_ns() }).is_err() {
                        // Nobody wants it any more, but a full pipe would hold the program up.
                        drop(std::io::copy(&mut stream, &mut std::io::sink()));
                    }
                    bytes.clear();
                }
            });
        }
        Ok(Self { words, child, lines })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input; dropping it is an end of file for the program.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// The next line that `wanted` accepts; the ones before it are passed over.
    pub fn wait_for(&self, limit: Duration, wanted: impl Fn(&str) -> bool) -> Result<Line> {
        let deadline = Instant::now() + limit;
        let mut last = String::new();
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if wanted(&line.text) => return Ok(line),
                Ok(line) => last = line.text,
                Err(RecvTimeoutError::Timeout) => {
                    bail!("`{}` did not say what was waited for within {limit:?}; its last line: {last}", self.words)
                }
                Err(RecvTimeoutError::Disconnected) => bail!("`{}` ended early; its last line: {last}", self.words),
            }
        }
    }

    /// The lines that are there already.
    pub fn lines(&self) -> Vec<Line> {
        self.lines.try_iter().collect()
    }

    /// Asks it to end with SIGINT, waits, and gives the lines that are left.
    pub fn end(mut self) -> Result<Vec<Line>> {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGINT)
            .with_context(|| format!("cannot end `{}`", self.words))?;
        let deadline = Instant::now() + END;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("`{}` did not end within {END:?} of SIGINT", self.words);
            }
            thread::sleep(Duration::from_millis(5));
        }
        // The readers end with the pipes.
        Ok(self.lines.iter().collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The time on `CLOCK_MONOTONIC` in nanoseconds.
pub fn now_ns() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map(Duration::from);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}
