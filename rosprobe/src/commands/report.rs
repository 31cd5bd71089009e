//! `rosprobe report`.

use std::io::{self, Write};
use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::Verdict;
use super::files;
use crate::diagnosis::Severity;
use crate::lines::{Alike, Colour, Paint, Style};
use crate::printable::{counted, printable};
use crate::trace::{self, Opened, Report};

/// What is wrong according to a file: a trace, a recording, a pcap or a pcapng
///
/// Several files of the same time are joined: both ends of a connection are matched by their addresses, and the clocks of the hosts
/// are aligned.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Traces, recordings, pcap or pcapng files, compressed with gzip or not; - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// For a person, for an issue, or for a script
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Replace parameter values, host names, user names, addresses and GUIDs by placeholders [default with --format markdown]
    ///
    /// The same original has the same placeholder everywhere, and subnets stay subnets. Names of topics, nodes, types and parameters,
    /// commands, process ids and ports stay as they are: look through the result before you publish it.
    #[arg(long, overrides_with = "no_redact")]
    redact: bool,
    /// Leave everything as it is [default with --format text and json]
    #[arg(long, overrides_with = "redact")]
    no_redact: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a person
    Text,
    /// For an issue; redacted unless --no-redact is given
    Markdown,
    /// For a script: {"findings": [...], ...}
    Json,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let mut opened = files::open(&arguments.files)?;
    let redact = arguments.redact || (arguments.format == Format::Markdown && !arguments.no_redact);
    if redact {
        opened = trace::redact(&opened);
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Text => text(&mut out, &opened)?,
        Format::Markdown => out.write_all(trace::markdown(&opened).as_bytes())?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &Report::of(&opened))?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    let wrong = opened.session.findings().iter().any(|finding| finding.severity == Severity::Error);
    Ok(if wrong { Verdict::Errors } else { Verdict::Clean })
}

fn text(out: &mut impl Write, opened: &Opened) -> io::Result<()> {
    let paint = Paint::for_stream(&io::stdout());
    let style = Style { paint, zone: TimeZone::system() };
    let report = Report::of(opened);
    writeln!(out, "{}", paint.paint(Colour::Bold, printable(&trace::provenance(&opened.meta))))?;
    for sentence in &opened.missing {
        writeln!(out, "{} {}", paint.paint(Colour::Yellow, "incomplete"), printable(sentence))?;
    }
    let mut alike = Alike::default();
    for finding in report.findings {
        let said = match alike.said_of(finding) {
            None => style.finding(finding),
            Some(other) => style.alike(finding, other),
        };
        writeln!(out, "\n{}", said.trim_end())?;
    }
    let (counts, links) = (report.counts, report.links);
    if report.findings.is_empty() {
        let whole = opened.missing.is_empty();
        let nothing = if whole { "Nothing wrong was found." } else { "Nothing wrong was found in what could be read." };
        writeln!(out, "\n{}", paint.paint(Colour::Green, nothing))?;
    }
    writeln!(
        out,
        "\n{}, {}, {}; links: {} ok, {} pending, {} failed; {}",
        counted(counts.error, "error"),
        counted(counts.warning, "warning"),
        counted(counts.info, "note"),
        links.ok,
        links.pending,
        links.failed,
        counted(report.observations, "observation"),
    )
}
