//! The command that is watched alone: run as the user who called sudo, ended with the watch.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};
use tokio::process::Child;

use crate::invoker::Invoker;

/// Where the command's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// To ours.
    Inherit,
    /// To our standard error: our standard output carries JSON lines.
    StandardError,
    /// Nowhere, and it has no input: the screen belongs to us.
    Nowhere,
}

/// The command could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot run {}: {reason}; {}", name.display(), remedy(reason))]
pub struct CommandError {
    name: OsString,
    reason: io::Error,
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "give its path, or run rosprobe from a shell whose PATH has it (source ROS's setup.bash there first)"
        }
        io::ErrorKind::PermissionDenied => "it runs as the user who called sudo, who must be allowed to execute it",
        _ => "check that it runs without rosprobe",
    }
}

/// A running command.
#[derive(Debug)]
pub struct Command {
    child: Child,
    name: OsString,
    pid: Option<Pid>,
}

impl Command {
    /// Starts `words` as the user who called sudo, or as ourselves. An error when there is no such program or it may not be run.
    pub fn start(words: &[OsString], invoker: Option<&Invoker>, output: Output) -> Result<Self, CommandError> {
        let name = words.first().cloned().unwrap_or_default();
        let mut command = tokio::process::Command::new(&name);
        command.args(words.iter().skip(1)).kill_on_drop(true);
        let failed = |reason| CommandError { name: name.clone(), reason };
        match output {
            Output::Inherit => {}
            Output::StandardError => {
                let stderr = io::stderr().as_fd().try_clone_to_owned().map_err(failed)?;
                command.stdout(Stdio::from(stderr));
            }
            Output::Nowhere => {
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            }
        }
        if let Some(invoker) = invoker {
            invoker.apply(&mut command);
        }
        let child = command.spawn().map_err(failed)?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
        Ok(Self { child, name, pid })
    }

    /// Waits for its end; says how it ended. May be dropped at any time.
    pub async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => describe(&self.name, status),
            Err(error) => format!("{} could not be waited for: {error}", self.name.display()),
        }
    }

    /// Hands a signal on. SIGINT from the terminal has reached it already: it is in our process group.
    pub fn ask_to_end(&self, signal: Signal) {
        let from_terminal = signal == Signal::SIGINT && in_foreground();
        if let Some(pid) = self.pid.filter(|_| !from_terminal) {
            // It may have ended by itself in this moment.
            let _ = kill(pid, signal);
        }
    }

    /// Says that it had to be ended by force.
    pub fn killed(&self) -> String {
        format!("{} did not end when it was asked to, and was killed", self.name.display())
    }

    /// Ends it by force.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.child.kill().await
    }
}

fn in_foreground() -> bool {
    let Ok(terminal) = std::fs::File::open("/dev/tty") else { return false };
    tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp())
}

fn describe(name: &OsStr, status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    let name = name.display();
    match (status.code(), status.signal().map(Signal::try_from)) {
        (Some(0), _) => format!("{name} ended"),
        (Some(code), _) => format!("{name} ended with exit status {code}"),
        (None, Some(Ok(signal))) => format!("{name} was ended by {}", signal.as_str()),
        (None, _) => format!("{name} was ended by a signal"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn how_it_ended_is_said() {
        let cases = [
            (vec!["true"], "true ended"),
            (vec!["sh", "-c", "exit 3"], "sh ended with exit status 3"),
            (vec!["sh", "-c", "kill -9 $$"], "sh was ended by SIGKILL"),
        ];
        for (line, expected) in cases {
            let mut command = Command::start(&words(&line), None, Output::Nowhere).unwrap();
            assert_eq!(command.ended().await, expected);
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_cannot_be_started_says_why_and_what_to_do() {
        let error = Command::start(&words(&["/no/such/rostopic"]), None, Output::Nowhere).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("cannot run /no/such/rostopic: No such file or directory"), "{text}");
        assert!(text.contains("PATH"), "{text}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn signals_reach_it() {
        let mut command = Command::start(&words(&["sleep", "600"]), None, Output::Nowhere).unwrap();
        command.ask_to_end(Signal::SIGTERM);
        assert_eq!(command.ended().await, "sleep was ended by SIGTERM");
    }
}
