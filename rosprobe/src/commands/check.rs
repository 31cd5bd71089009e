//! `rosprobe check`.

use std::io::{self, Write};

use super::Verdict;
use crate::check::{self, NodeReport, Report};
use crate::invoker::Invoker;
use crate::lines::{Colour, Paint};
use crate::printable::printable;

/// Ask the master for every advertised address and try each from here
///
/// Asks the ROS 1 master for all nodes, looks each one up, connects to its XML-RPC address, asks it for one of its topics, and connects
/// to the address that it names, all from this host. Needs no privileges and changes nothing.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The master's URI.
    #[arg(long, value_name = "URI", help = "The master's URI [default: $ROS_MASTER_URI, else http://localhost:11311]")]
    master: Option<String>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let uri = arguments.master.clone().or_else(from_environment);
    let report = check::check(uri.as_deref().unwrap_or("http://localhost:11311"))?;
    let mut out = io::stdout().lock();
    let paint = Paint::for_stream(&out);
    print(&mut out, paint, &report)?;
    let wrong = report.nodes.iter().any(|node| node.trouble.is_some());
    Ok(if wrong { Verdict::Errors } else { Verdict::Clean })
}

fn from_environment() -> Option<String> {
    let set = std::env::var("ROS_MASTER_URI").ok().filter(|uri| !uri.is_empty());
    set.or_else(|| {
        let invoker = Invoker::of_this_process()?;
        let found = invoker.environment().iter().find(|(name, _)| name == "ROS_MASTER_URI")?;
        found.1.to_str().filter(|uri| !uri.is_empty()).map(str::to_owned)
    })
}

fn print(out: &mut impl Write, paint: Paint, report: &Report) -> io::Result<()> {
    let state = &report.state;
    let counts = format!("{} published topics, {} services", state.publishers.len(), state.services.len());
    writeln!(out, "master {}: {} nodes, {counts}", printable(&report.master), report.nodes.len())?;
    let width = report.nodes.iter().map(|node| node.node.chars().count()).max().unwrap_or(0).min(40);
    for node in &report.nodes {
        print_node(out, paint, node, width)?;
    }
    let failed = report.nodes.iter().filter(|node| node.trouble.is_some()).count();
    if failed == 0 {
        writeln!(out, "every node can be reached from this host")
    } else {
        writeln!(out, "{failed} of {} nodes cannot be reached from this host", report.nodes.len())
    }
}

fn print_node(out: &mut impl Write, paint: Paint, node: &NodeReport, width: usize) -> io::Result<()> {
    let (colour, word) = if node.trouble.is_some() { (Colour::Red, "error") } else { (Colour::Green, "ok") };
    let (name, uri) = (printable(&node.node), printable(node.uri.as_deref().unwrap_or("-")));
    let reached = node.reached.join(", ");
    writeln!(out, "  {:<5} {name:<width$}  {uri}  {}", paint.paint(colour, word), printable(&reached))?;
    if let Some(trouble) = &node.trouble {
        writeln!(out, "        {}", printable(&trouble.text))?;
        if !node.publishes.is_empty() {
            writeln!(out, "        These topics do not arrive from it here: {}", printable(&node.publishes.join(" ")))?;
        }
        writeln!(out, "        Fix: {}", printable(&trouble.remedy))?;
    }
    Ok(())
}
