//! `rosprobe open`.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Verdict;
use super::screen;
use crate::filter::Filter;
use crate::trace;

/// A trace, a pcap or a pcapng, on the same screen as `rosprobe watch`
///
/// Nothing is captured and no rights are needed. Several files of the same time are joined, as `rosprobe report` does, which says the
/// same as text. Exit status 1: there are findings of severity error.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file, compressed with gzip or not; - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Show only what this filter lets through, as `/` on the screen does
    #[arg(long, value_name = "FILTER", default_value = "")]
    filter: String,
    /// Show failures only, as `f` on the screen does
    #[arg(long)]
    failures: bool,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    Filter::parse(&arguments.filter).context("--filter")?;
    let files = arguments.files.clone();
    let as_text: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let as_text = format!("rosprobe report {}", as_text.join(" "));
    let total = files.iter().filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    let name = files.iter().map(|file| name(file)).collect::<Vec<_>>().join(", ");
    let options = screen::options(&name, &arguments.filter, arguments.failures);
    screen::show(total, &as_text, options, move |progress| trace::open_all(&files, progress))
}

fn name(file: &Path) -> String {
    if file == Path::new(trace::STANDARD_INPUT) {
        return "standard input".to_owned();
    }
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}
