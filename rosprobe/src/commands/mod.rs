//! The command line: one file a subcommand, wiring only.

mod check;
mod demo;
mod doctor;
mod domain;
mod export;
mod files;
mod open;
mod report;
mod screen;
mod size;
mod watch;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::diagnosis::Severity;
use crate::printable::printable;

/// Says why a ROS topic is listed but nothing arrives.
///
/// rosprobe watches the kernel, understands what ROS nodes say to each other, and names the process that was given an address, the
/// connect that failed, its errno, and what to do. Nothing is restarted and nothing is configured.
#[derive(Debug, Parser)]
#[command(name = "rosprobe", version, max_term_width = 100, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit status:
  0  nothing wrong was found
  1  there are findings of severity error
  2  it could not run: usage, rights, or a file that cannot be read";

#[derive(Debug, Subcommand)]
enum Command {
    Watch(watch::Arguments),
    Check(check::Arguments),
    Doctor(doctor::Arguments),
    Domain(domain::Arguments),
    Open(open::Arguments),
    Demo(demo::Arguments),
    Report(report::Arguments),
    Export(export::Arguments),
}

/// What a command found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing wrong.
    Clean,
    /// Findings of severity error.
    Errors,
}

impl Verdict {
    fn of(mut severities: impl Iterator<Item = Severity>) -> Self {
        if severities.any(|severity| severity == Severity::Error) { Self::Errors } else { Self::Clean }
    }
}

/// Runs the program: parses the arguments, calls the command, maps its result to an exit status.
pub fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let result = match command_line.command {
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Domain(arguments) => domain::run(&arguments),
        Command::Open(arguments) => open::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
    };
    match result {
        Ok(Verdict::Clean) => ExitCode::SUCCESS,
        Ok(Verdict::Errors) => ExitCode::from(1),
        // Whoever reads our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if is_of_output(&error) => {
            let reason = printable(&on_one_line(&error)).into_owned();
            eprintln!("rosprobe: standard output cannot be written: {reason}; make room there, or send it elsewhere");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("rosprobe: {}", printable(&on_one_line(&error)));
            ExitCode::from(2)
        }
    }
}

/// What went wrong with its causes. Errors that quote their cause are not followed by it once more.
fn on_one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(|cause| without_number(&cause.to_string())) {
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

/// `No such file or directory (os error 2)`: the number helps nobody.
fn without_number(text: &str) -> String {
    let mut rest = text;
    let mut clean = String::new();
    while let Some((before, after)) = rest.split_once(" (os error ") {
        clean.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    clean + rest
}

/// Whether writing to standard output failed: whatever else is read or written says its name.
fn is_of_output(error: &anyhow::Error) -> bool {
    let outermost = error.chain().next();
    outermost.is_some_and(|error| {
        error.is::<io::Error>() || error.downcast_ref::<serde_json::Error>().is_some_and(serde_json::Error::is_io)
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>().map(io::Error::kind));
    kinds.into_iter().any(|kind| kind == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_said_once_and_without_their_numbers() {
        let cause = io::Error::from_raw_os_error(2);
        let error =
            anyhow::Error::new(io::Error::other(format!("cannot read x: {cause}; look there"))).context("reading");
        assert_eq!(on_one_line(&error), "reading: cannot read x: No such file or directory; look there");
        let error =
            anyhow::Error::new(cause).context("cannot read x: No such file or directory (os error 2); look there");
        assert_eq!(on_one_line(&error), "cannot read x: No such file or directory; look there");
    }
}
