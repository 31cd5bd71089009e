//! `rosprobe export`.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::bail;

use super::Verdict;
use super::files;
use crate::trace;

/// Writes a trace in another form: packets for Wireshark, or the JSON document
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Traces, recordings, pcap or pcapng files; several are joined; - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// pcapng: packets made from the observations, with process, errno and findings as comments; json: the trace document
    #[arg(long, value_enum)]
    format: Format,
    /// The file to write, never over an existing one, compressed when it ends in .gz [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace parameter values, host names, user names, addresses and GUIDs by placeholders (they are left as they are by default)
    ///
    /// The same original has the same placeholder everywhere, and subnets stay subnets. Names of topics, nodes, types and parameters,
    /// commands, process ids and ports stay as they are: look through the result before you publish it.
    #[arg(long)]
    redact: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Pcapng,
    Json,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let output = arguments.output.as_ref().filter(|path| path.as_os_str() != "-");
    if output.is_none() && arguments.format == Format::Pcapng && io::stdout().is_terminal() {
        bail!("packets are no text for a terminal: name a file with --output FILE, or redirect the output");
    }
    let mut opened = files::open(&arguments.files)?;
    if arguments.redact {
        opened = trace::redact(&opened);
    }
    match (arguments.format, output) {
        (Format::Json, Some(path)) => {
            trace::write_document(path, trace::Existing::Keep, &opened.meta, &opened.session)?;
        }
        (Format::Pcapng, Some(path)) => trace::write_pcapng(path, &opened)?,
        (format, None) => {
            let bytes = match format {
                Format::Json => trace::document_to_string(&opened.meta, &opened.session)?.into_bytes(),
                Format::Pcapng => trace::pcapng_bytes(&opened)?,
            };
            let mut out = io::stdout().lock();
            out.write_all(&bytes).and_then(|()| out.flush())?;
        }
    }
    for sentence in &opened.missing {
        eprintln!("rosprobe: incomplete: {}", crate::printable::printable(sentence));
    }
    Ok(Verdict::Clean)
}
