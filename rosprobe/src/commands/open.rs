//! `rosprobe open`.

use std::path::PathBuf;

use super::Verdict;
use super::screen;
use crate::trace;

/// A trace, a pcap or a pcapng, on the same screen as `rosprobe watch`
///
/// Nothing is captured and no rights are needed. The same as text: `rosprobe report FILE`. Exit status 1: the file holds findings of
/// severity error.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file; compressed with gzip or not
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Show only what this filter lets through, as `/` on the screen does
    #[arg(long, value_name = "FILTER", default_value = "")]
    filter: String,
    /// Show failures only, as `f` on the screen does
    #[arg(long)]
    failures: bool,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let file = arguments.file.clone();
    let as_text = format!("rosprobe report {}", file.display());
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let options = screen::options(&name, &arguments.filter, arguments.failures);
    screen::show(&arguments.file, &as_text, options, move |progress| trace::open_until(&file, progress))
}
