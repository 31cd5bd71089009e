//! `rosprobe domain`.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

use super::Verdict;
use crate::domain::{Domain, DomainReport, Machine, PortReport};

/// Where the domain comes from when the command line names none.
const VARIABLE: &str = "ROS_DOMAIN_ID";

/// ROS 2 domain and port arithmetic, checked against this machine
///
/// For a domain: its UDP ports, how many processes fit on one machine, which domains are safe here, and who has its ports bound now.
/// Without an ID it is the one in ROS_DOMAIN_ID, else 0. Ephemeral ports belong to a network namespace: those of the one that rosprobe
/// runs in are read. Exit status 1: the domain, or so many processes of it, cannot work here without luck.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The domain, 0 to 232
    #[arg(value_name = "ID", allow_hyphen_values = true, conflicts_with = "port")]
    domain: Option<String>,
    /// Say instead which domain and participant a UDP port belongs to
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// What happens when so many processes of the domain run on this machine
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000), conflicts_with = "port")]
    participants: Option<u32>,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For a person
    Text,
    /// One JSON object, for a script
    Json,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    if let Some(port) = arguments.port {
        print(&PortReport::new(port, &Machine::read()?), arguments.format)?;
        return Ok(Verdict::Clean);
    }
    let (text, source) = given(arguments.domain.clone());
    let domain = Domain::parse(&text).map_err(|error| match source {
        VARIABLE => anyhow::anyhow!("{VARIABLE}: {error}"),
        _ => error.into(),
    })?;
    let report = DomainReport::new(domain, source, arguments.participants, &Machine::read()?);
    print(&report, arguments.format)?;
    Ok(if report.is_sound() { Verdict::Clean } else { Verdict::Errors })
}

fn given(argument: Option<String>) -> (String, &'static str) {
    let variable = || std::env::var(VARIABLE).ok().filter(|value| !value.is_empty());
    match argument {
        Some(text) => (text, "the command line"),
        None => variable().map_or_else(|| ("0".to_owned(), "the default"), |text| (text, VARIABLE)),
    }
}

fn print(report: &(impl Serialize + std::fmt::Display), format: Format) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Text => write!(out, "{report}")?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, report)?;
            writeln!(out)?;
        }
    }
    Ok(())
}
