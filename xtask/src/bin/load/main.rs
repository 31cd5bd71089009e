//! Load for `cargo xtask bench`: each command does one thing as often as it can, or at a given rate, on the loopback of the network
//! namespace that it runs in, and prints what came of it as one JSON object.

mod failing;
mod links;
mod measure;
mod repeat;
mod storm;
mod transfer;
mod xmlrpc;

use std::time::Duration;

use clap::{Parser, Subcommand};

/// Load for `cargo xtask bench`.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    load: Load,
}

#[derive(Subcommand)]
enum Load {
    /// Several of the loads that are measured, one after another.
    Measure {
        /// How long each is repeated, in milliseconds.
        #[arg(long, default_value_t = 250)]
        milliseconds: u64,
        /// Their names.
        names: Vec<String>,
    },
    /// XML-RPC calls at a rate.
    Calls(storm::Calls),
    /// Connections with a TCPROS header, held until standard input ends.
    Links {
        /// How many.
        #[arg(long, default_value_t = 5000)]
        count: u16,
    },
    /// Processes that make one XML-RPC call each.
    Processes {
        /// How many.
        #[arg(long, default_value_t = 1000)]
        count: u32,
    },
    /// One XML-RPC call to a server on this port.
    Call {
        /// The port.
        port: u16,
    },
    /// A subscriber that is told addresses to which `connect()` fails, one after another.
    Failing {
        /// How many.
        #[arg(long, default_value_t = 20)]
        count: u32,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().load {
        Load::Measure { milliseconds, names } => measure::run(&names, Duration::from_millis(milliseconds)),
        Load::Calls(calls) => storm::calls(&calls),
        Load::Links { count } => links::links(count),
        Load::Processes { count } => storm::processes(count),
        Load::Call { port } => storm::call(port),
        Load::Failing { count } => failing::failing(count),
    }
}
