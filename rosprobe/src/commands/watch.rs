//! `rosprobe watch`.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use super::size::{self, Size};
use super::{Verdict, screen};
use crate::capture::{self, CaptureMode, LiveCapture};
use crate::decode::{Decoder, Limits};
use crate::event::Clock;
use crate::filter::{Filter, Subject};
use crate::invoker::Invoker;
use crate::lines::{Paint, Start, Style};
use crate::privileges;
use crate::trace::{Meta, Recorder, Source};
use crate::tui::{self, Theme};
use crate::watch::{
    Audience as _, Command, Format, Output as CommandOutput, Plan, Printer, Recording, Scope, Screen, Signals,
    WatchError,
};

/// Watch the kernel and say why nothing arrives
///
/// Watches all ROS conversations of this machine, containers and network namespaces included, from this moment on: which node was given
/// which address for which topic, what became of the connect, and what to do when it failed. Needs root: `sudo rosprobe watch`.
/// Ctrl-C or SIGTERM ends it; SIGUSR1 writes a
/// trace of what was seen so far into the current folder, and it goes on.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Only topics and services of this name: a part of it, a glob, or re: and a regular expression
    ///
    /// A part of the name (`scan`; without regard to case unless it has a capital letter), a glob for the whole name (`/camera/*`), or
    /// `re:` and a regular expression (`re:^/robot\d+/`). Observations that concern no such topic are hidden; a master that cannot be
    /// reached concerns every topic.
    #[arg(long, value_name = "PATTERN")]
    topic: Option<String>,

    /// Only this process
    #[arg(long, value_name = "PID", value_parser = parse_pid)]
    pid: Option<u32>,

    /// Only processes of this name (as `ps -o comm` shows it); patterns as for --topic
    #[arg(long, value_name = "PATTERN")]
    comm: Option<String>,

    /// Only this network namespace: a name as `ip netns` has it, or the pid of a process in it (of a container, for instance)
    ///
    /// May be given several times. Unlike the other filters it decides what is looked at: hosts that carry the same addresses in
    /// different namespaces are kept apart, and recordings hold nothing else.
    #[arg(long, value_name = "NAME|PID", conflicts_with = "command")]
    netns: Vec<String>,

    /// Only observations of something that failed, and findings that are errors or warnings
    #[arg(long)]
    failures: bool,

    /// The screen, lines of text, or JSON lines [default: tui on a terminal, else text]
    #[arg(long, value_enum, value_name = "FORM", hide_default_value = true)]
    output: Option<Form>,

    /// End after this time: 30s, 5m, 1h 30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,

    /// Record everything into this file, for `rosprobe open` and `rosprobe report`; compressed when it ends in .gz
    ///
    /// Filters do not apply to it. It is never written over an existing file, belongs to whoever called sudo, and is readable by nobody
    /// else.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    /// Copy at most this much of one XML-RPC message: 64KiB, 4MiB
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = size::parse)]
    payload_limit: Size,

    /// How payload and the results of connects are seen, instead of the best way that this kernel gives
    #[arg(long, value_enum, value_name = "MODE", hide_default_value = true)]
    capture_mode: Option<Mode>,

    /// Say on standard error what rosprobe's programs in the kernel decide
    ///
    /// How each socket was classified, payload that could not be read, and records that found no room: for a report of a fault in
    /// rosprobe itself. Each line begins with `rosprobe: kernel:`. Not with the screen, which has no place for it.
    #[arg(long)]
    kernel_log: bool,

    /// Attach programs that do nothing: for `cargo xtask bench`, which measures what the hooks alone cost
    #[arg(long, hide = true)]
    empty_programs: bool,

    /// Run this command, watch it and its descendants alone, and end with it
    ///
    /// It runs as the user who called sudo, with the environment that sudo was called with. Its output goes where rosprobe's goes; with
    /// `--output jsonl` its standard output goes to standard error; on the screen there is no place for it, and it has no input.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

const AFTER_HELP: &str = "\
Filters hold together: what is shown passes all of them. Lost events are always shown.

JSON lines have a \"type\": start (first line), observation, finding (with the same id again when it
changed), finding-over, statistics (once a second and at the end), notice.

Exit status:
  0  no finding of severity error stands at the end, among those that pass the filters
  1  there is one
  2  it could not watch, or the command could not be started
The status of COMMAND itself is said in a notice and does not count.

Examples:
  sudo rosprobe watch
  sudo rosprobe watch --topic /scan --failures
  sudo rosprobe watch -- rostopic echo /scan
  sudo rosprobe watch --output jsonl --duration 30s | jq 'select(.type == \"finding\")'";

fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write 30s, 5m or 1h 30m for instance"))
}

fn parse_pid(text: &str) -> Result<u32, String> {
    let pid = text.parse().ok().filter(|pid| *pid != 0);
    pid.ok_or_else(|| "that is no process id; give a number, or use --comm for a name".to_owned())
}

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// The screen
    Tui,
    /// A line an observation, a block a finding
    Text,
    /// A JSON object a line
    Jsonl,
}

/// Where the kernel is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// The kernel's own functions: Linux 5.15 with BTF; system calls cost nothing more than without rosprobe
    Fexit,
    /// The tracepoints of sockets: Linux 6.3 with BTF
    Sock,
    /// The end of every system call: Linux 5.8; it works without BTF, and costs every system call of every process
    Syscall,
}

impl From<Mode> for CaptureMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Fexit => Self::Fexit,
            Mode::Sock => Self::Sock,
            Mode::Syscall => Self::Syscall,
        }
    }
}

/// The inodes of network namespaces given by name or by pid.
fn net_namespaces(given: &[String]) -> anyhow::Result<Vec<u64>> {
    let inode = |given: &String| {
        let path = match given.parse::<u32>() {
            Ok(pid) => PathBuf::from(format!("/proc/{pid}/ns/net")),
            Err(_) => Path::new("/run/netns").join(given),
        };
        let metadata = std::fs::metadata(&path).map_err(|error| {
            let path = path.display();
            anyhow!(
                "--netns {given}: {path}: {error}; give a name that `ip netns` lists, or the pid of a process in it"
            )
        })?;
        Ok(metadata.ino())
    };
    given.iter().map(inode).collect()
}

pub fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let filter = arguments.filter()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .context("no event loop can be made; are there too many open files (ulimit -n)?")?
        .block_on(watch(arguments, filter))
}

impl Arguments {
    fn filter(&self) -> anyhow::Result<Filter> {
        let mut filter = Filter::default();
        if let Some(pattern) = &self.topic {
            filter = filter.with_topic(pattern).context("--topic")?;
        }
        if let Some(pattern) = &self.comm {
            filter = filter.with_comm(pattern).context("--comm")?;
        }
        if let Some(pid) = self.pid {
            filter = filter.with_pid(pid);
        }
        Ok(if self.failures { filter.with_failed() } else { filter })
    }

    /// The filter as it would be typed on the screen; `--failures` has a switch of its own there.
    fn typed_filter(&self) -> String {
        let comm = self.comm.as_ref().map(|pattern| format!("comm:{pattern}"));
        let pid = self.pid.map(|pid| format!("pid:{pid}"));
        [self.topic.clone(), comm, pid].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn form(&self) -> Form {
        let terminal = screen::is_possible() && io::stdin().is_terminal();
        self.output.unwrap_or(if terminal { Form::Tui } else { Form::Text })
    }

    fn words(&self) -> Vec<String> {
        self.command.iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }
}

async fn watch(arguments: &Arguments, filter: Filter) -> anyhow::Result<Verdict> {
    anyhow::ensure!(
        !arguments.kernel_log || arguments.form() != Form::Tui,
        "--kernel-log writes to standard error, where the screen is: add --output text or --output jsonl"
    );
    let options = capture::Options {
        payload_limit: arguments.payload_limit.bytes(),
        kernel_log: arguments.kernel_log,
        empty_programs: arguments.empty_programs,
        without_types: false,
        object: None,
        misplaced: None,
        mode: arguments.capture_mode.map(CaptureMode::from),
        ..capture::Options::default()
    };
    let namespaces = net_namespaces(&arguments.netns)?;
    let signals = Signals::new().context("signals cannot be caught; are there too many open files (ulimit -n)?")?;
    let mut capture = LiveCapture::start(&options)?;
    let clock = clock(&capture);
    let mut meta = Meta::here(Source::Live, clock, capture.now());
    meta.capture_mode = Some(capture.description().mode.to_string());
    let recorder = arguments.record.as_ref().map(|path| Recorder::create(path, meta.clone())).transpose()?;
    let mut decoder = Decoder::with_limits(clock, limits(arguments.payload_limit));
    let mut command = start_command(arguments, &mut capture)?;
    let scope = match &command {
        Some(_) => Scope::descendants(),
        None if namespaces.is_empty() => Scope::everything(),
        None => Scope::namespaces(namespaces),
    };
    privileges::drop_unneeded().context(
        "privileges that are no longer needed could not be dropped; please report it with what `rosprobe doctor` says",
    )?;
    let words = arguments.words();
    let description = capture.description();
    let start = Start {
        rosprobe: env!("CARGO_PKG_VERSION"),
        time: jiff::Timestamp::now(),
        kernel: &description.kernel,
        capture_mode: description.mode.name(),
        attached: &description.programs,
        pid: std::process::id(),
        command: (!words.is_empty()).then_some(&words),
        netns: &arguments.netns,
    };
    let screen = screen_options(arguments, &start);
    let plan = Plan { scope, signals, duration: arguments.duration, command: command.as_mut() };
    match arguments.form() {
        Form::Tui => {
            let (sender, receiver) = mpsc::unbounded_channel();
            let mut audience = Recording::new(Screen::new(sender), recorder, meta.clone());
            let watching = crate::watch::watch(&mut capture, &mut decoder, &mut audience, plan);
            let (session, watched) = tokio::join!(tui::run(receiver, screen, meta), watching);
            let session = session?;
            let result = audience.finish(Some(session.findings()));
            ended(watched)?;
            result?;
            let shown = session.findings().iter().filter(|finding| filter.matches(&Subject::of_finding(finding)));
            Ok(Verdict::of(shown.map(|finding| finding.severity)))
        }
        form => {
            let format = if form == Form::Jsonl { Format::Json } else { text() };
            let mut printer = Printer::new(io::stdout(), format, filter);
            printer.start(start)?;
            for note in &description.notes {
                printer.notice(note)?;
            }
            let mut audience = Recording::new(printer, recorder, meta);
            let watched = crate::watch::watch(&mut capture, &mut decoder, &mut audience, plan).await;
            let result = audience.finish(None);
            ended(watched)?;
            Ok(if result?.has_errors() { Verdict::Errors } else { Verdict::Clean })
        }
    }
}

/// Nobody looking any more is an end like any other.
fn ended(watched: Result<(), WatchError>) -> anyhow::Result<()> {
    match watched {
        Err(WatchError::Audience(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        // Standard output's, as everywhere.
        Err(WatchError::Audience(error)) => Err(error.into()),
        other => Ok(other?),
    }
}

/// Starts the command only now that the capture is attached, so that nothing of it is missed.
fn start_command(arguments: &Arguments, capture: &mut LiveCapture) -> anyhow::Result<Option<Command>> {
    if arguments.command.is_empty() {
        return Ok(None);
    }
    capture.follow(std::process::id())?;
    let output = match arguments.form() {
        Form::Tui => CommandOutput::Nowhere,
        Form::Text => CommandOutput::Inherit,
        Form::Jsonl => CommandOutput::StandardError,
    };
    Ok(Some(Command::start(&arguments.command, Invoker::of_this_process().as_ref(), output)?))
}

fn clock(capture: &LiveCapture) -> Clock {
    let since_zero = Duration::from_nanos(capture.now().0);
    let zero = jiff::Timestamp::now().checked_sub(since_zero);
    Clock { zero: zero.unwrap_or(jiff::Timestamp::UNIX_EPOCH) }
}

fn limits(payload_limit: Size) -> Limits {
    Limits { message: payload_limit.bytes() as usize, ..Limits::default() }
}

fn text() -> Format {
    Format::Text(Style { paint: Paint::for_stream(&io::stdout()), zone: TimeZone::system() })
}

fn screen_options(arguments: &Arguments, start: &Start<'_>) -> tui::Options {
    let mode = format!("{} mode", start.capture_mode);
    tui::Options {
        source: tui::Source::Live { what: start.what(), mode },
        filter: arguments.typed_filter(),
        failures: arguments.failures,
        theme: Theme::from_environment(|name| std::env::var(name).ok()),
        zone: TimeZone::system(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use clap::{Args as _, FromArgMatches as _};

    use super::super::{is_of_output, on_one_line};
    use super::{Arguments, ended, limits};
    use crate::decode::Limits;
    use crate::watch::WatchError;

    fn parsed(words: &[&str]) -> Arguments {
        let command = Arguments::augment_args(clap::Command::new("watch").no_binary_name(true));
        Arguments::from_arg_matches(&command.get_matches_from(words)).unwrap()
    }

    #[test]
    fn what_ends_a_watch_early_says_whose_fault_it_is() {
        let (full, gone, bad) = [28, 32, 9].map(io::Error::from_raw_os_error).into();
        assert!(is_of_output(&ended(Err(WatchError::Audience(full))).unwrap_err()));
        assert!(ended(Err(WatchError::Audience(gone))).is_ok());
        let error = ended(Err(WatchError::Capture(bad))).unwrap_err();
        assert!(!is_of_output(&error));
        assert_eq!(
            on_one_line(&error),
            "the kernel's events can no longer be waited for: Bad file descriptor; start the watch again"
        );
    }

    #[test]
    fn the_decoder_takes_as_much_of_a_message_as_the_capture_copies() {
        let cases =
            [(&[][..], 1 << 20), (&["--payload-limit", "64KiB"], 64 << 10), (&["--payload-limit", "4MiB"], 4 << 20)];
        for (words, bytes) in cases {
            let arguments = parsed(words);
            assert_eq!(arguments.payload_limit.bytes() as usize, bytes, "{words:?}");
            assert_eq!(limits(arguments.payload_limit), Limits { message: bytes, ..Limits::default() }, "{words:?}");
        }
    }
}
