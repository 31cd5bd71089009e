//! The command line: one file a subcommand, wiring only.

mod check;
mod doctor;
mod domain;
mod export;
mod files;
mod open;
mod report;
mod screen;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    Check(check::Arguments),
    Doctor(doctor::Arguments),
    Domain(domain::Arguments),
    Open(open::Arguments),
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

/// Runs the program: parses the arguments, calls the command, maps its result to an exit status.
pub fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let result = match command_line.command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Domain(arguments) => domain::run(&arguments),
        Command::Open(arguments) => open::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
    };
    match result {
        Ok(Verdict::Clean) => ExitCode::SUCCESS,
        Ok(Verdict::Errors) => ExitCode::from(1),
        // Whoever reads our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // The alternate form is the whole chain of causes on one line.
            eprintln!("rosprobe: {}", printable(&format!("{error:#}")));
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>().map(io::Error::kind));
    kinds.into_iter().any(|kind| kind == io::ErrorKind::BrokenPipe)
}
