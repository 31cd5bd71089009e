//! The serial console of a virtual machine: shown as it comes, and judged by what it said.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What `init` says last, before the status of the job.
pub const EXIT_STATUS: &str = "rosprobe vm-test: exit status ";
/// How many lines a message about a machine that hangs or dies repeats.
const REPEATED: usize = 40;

/// How long a machine may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without saying a word.
    pub silence: Duration,
    /// Altogether.
    pub total: Duration,
}

/// What was said so far.
#[derive(Debug, Default)]
struct Transcript {
    last: VecDeque<String>,
    status: Option<i32>,
    panic: Option<String>,
}

impl Transcript {
    fn hear(&mut self, line: &str) {
        if let Some(status) = line.strip_prefix(EXIT_STATUS) {
            self.status = status.parse().ok();
        }
        if self.panic.is_none() && PANICS.iter().any(|panic| line.contains(panic)) {
            self.panic = Some(line.to_owned());
        }
        if self.last.len() == REPEATED {
            self.last.pop_front();
        }
        self.last.push_back(line.to_owned());
    }

    /// The status of the job; the error of a machine that did not come to it, `end` being what stopped it.
    fn judge(&self, end: &str) -> Result<i32> {
        let what = match (&self.panic, self.status) {
            (Some(panic), _) => format!("the kernel panicked: {panic}"),
            (None, Some(status)) => return Ok(status),
            (None, None) => end.to_owned(),
        };
        let said = self.last.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "  {line}");
            text
        });
        bail!("{what}. The console said last:\n{said}")
    }
}

/// How a kernel says that it is beside itself; `oops=panic` is on its command line.
const PANICS: [&str; 3] = ["Kernel panic - not syncing", "BUG: ", "Oops: "];

/// Shows every line with `label` before it until the console closes, and gives the status that the job ended with.
///
/// # Errors
///
/// When the kernel panics, when the machine ends without a status, and when it takes longer than its limits; the console's last
/// lines are in the message.
pub fn follow(console: impl Read + Send + 'static, label: &str, limits: Limits) -> Result<i32> {
    hear(&lines_of(console), label, limits)
}

/// The lines of a console as they come, until it closes.
fn lines_of(console: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut console = BufReader::new(console);
        let mut bytes = Vec::new();
        while console.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
            let line = printable(&String::from_utf8_lossy(&bytes));
            bytes.clear();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn hear(lines: &Receiver<String>, label: &str, limits: Limits) -> Result<i32> {
    let end = Instant::now() + limits.total;
    let mut transcript = Transcript::default();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left.min(limits.silence)) {
            Ok(line) => {
                println!("[{label}] {line}");
                transcript.hear(&line);
            }
            Err(RecvTimeoutError::Disconnected) => return transcript.judge("it ended without the status of its job"),
            Err(RecvTimeoutError::Timeout) if left <= limits.silence => {
                return transcript.judge(&format!("it had not ended after {} s", limits.total.as_secs()));
            }
            Err(RecvTimeoutError::Timeout) => {
                return transcript.judge(&format!("it said nothing for {} s", limits.silence.as_secs()));
            }
        }
    }
}

/// Without line ends, and without what the firmware sends to clear a terminal.
fn printable(line: &str) -> String {
    line.trim_end().chars().filter(|&c| c == '\t' || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn heard(text: &'static str) -> Result<i32> {
        follow(text.as_bytes(), "test", Limits { silence: LONG, total: LONG })
    }

    #[test]
    fn the_job_s_status_is_the_machine_s_unless_the_kernel_panics() {
        assert_eq!(heard("booting\r\nrosprobe vm-test: exit status 0\r\npower down\r\n").unwrap(), 0);
        assert_eq!(heard("rosprobe vm-test: exit status 101\n").unwrap(), 101);
        let cases = [
            (
                "rosprobe vm-test: exit status 0\nKernel panic - not syncing: Attempted\n",
                "the kernel panicked: Kernel panic",
            ),
            (
                "a\nBUG: kernel NULL pointer dereference\nrosprobe vm-test: exit status 0\n",
                "the kernel panicked: BUG: ",
            ),
            ("Loading\nexit status 0\n", "ended without the status of its job"),
            ("", "ended without the status of its job"),
            ("rosprobe vm-test: exit status \n", "ended without the status of its job"),
        ];
        for (text, expected) in cases {
            let error = heard(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            let last = text.lines().last().map_or_else(String::new, |line| format!("  {}\n", line.trim_end()));
            assert!(error.ends_with(&last), "{error}");
        }
    }

    #[test]
    fn a_machine_that_hangs_is_cut_off_with_its_last_words() {
        let lines: Vec<String> = lines_of(&b"\x1b[2Jlast words\r\n"[..]).iter().collect();
        assert_eq!(lines, ["[2Jlast words"]);
        // Both are still there to say more, and do not.
        for (silence, total, end) in
            [(Duration::ZERO, LONG, "it said nothing for 0 s"), (LONG, Duration::ZERO, "it had not ended after 0 s")]
        {
            let (machine, console) = channel();
            machine.send("last words".to_owned()).unwrap();
            let error = hear(&console, "test", Limits { silence, total }).unwrap_err().to_string();
            assert_eq!(error, format!("{end}. The console said last:\n  last words\n"));
        }
    }
}
