//! A program that a test started: it is ended and waited for with the test, and its output is shown when the test fails.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::record::Record;

/// Lines of its output that a failing test shows.
const SHOWN_LINES: usize = 60;

/// A running program.
pub struct Program {
    name: String,
    child: Child,
    output: Arc<Record<String>>,
}

impl Program {
    pub fn start(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        let output = Arc::new(Record::default());
        if let Some(stdout) = child.stdout.take() {
            read_lines(stdout, Arc::clone(&output));
        }
        if let Some(stderr) = child.stderr.take() {
            read_lines(stderr, Arc::clone(&output));
        }
        Self { name: name.to_owned(), child, output }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it prints a line that contains `text`.
    pub fn wait_for(&self, text: &str, limit: Duration) -> String {
        self.wait_for_any(&[text], limit)
    }

    /// Waits until it prints a line that contains one of `texts`.
    pub fn wait_for_any(&self, texts: &[&str], limit: Duration) -> String {
        let wanted = |line: &&String| texts.iter().any(|text| line.contains(text));
        let found = self.output.wait(limit, |lines| lines.iter().find(wanted).cloned());
        found.unwrap_or_else(|| panic!("{} did not print any of {texts:?} within {limit:?}", self.name))
    }

    /// True when it has printed a line that contains `text`.
    pub fn has_said(&self, text: &str) -> bool {
        self.output.with(|lines| lines.iter().any(|line| line.contains(text)))
    }

    pub fn signal(&self, signal: Signal) {
        if let Err(error) = kill(self.raw_pid(), signal) {
            panic!("cannot send {signal} to {}: {error}", self.name);
        }
    }

    /// False once it has ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) {
        assert!(self.ends_within(limit), "{} did not end within {limit:?}", self.name);
    }

    /// Waits whether it ends.
    pub fn ends_within(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while !self.child.try_wait().is_ok_and(|status| status.is_some()) {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    fn raw_pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("process ids of Linux fit in an i32"))
    }

    fn show(&self) {
        self.output.with(|lines| {
            let last = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n    ");
            let (name, pid) = (&self.name, self.child.id());
            // Past the test harness, which shows nothing of a row that succeeds when it is run again.
            drop(writeln!(std::io::stderr(), "--- last output of {name} [{pid}]\n    {last}"));
        });
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A stopped process dies of SIGKILL as well; what has ended already only leaves nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            self.show();
        }
    }
}

fn read_lines(stream: impl Read + Send + 'static, output: Arc<Record<String>>) {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            output.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    });
}
