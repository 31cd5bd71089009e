//! `rosprobe doctor`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Verdict;
use crate::doctor::{Check, Machine, Settings, Status};
use crate::lines::{Colour, Paint};
use crate::printable::printable;
use crate::reach;

/// Can rosprobe work here, and what is odd about this machine's ROS settings
///
/// Looks at the kernel and at the rights that `rosprobe watch` needs, and holds the ROS variables of this shell against the addresses
/// and names of this machine. sudo keeps ROS variables from its command: run it without sudo to check your shell's settings, and
/// through sudo to check the rights.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// How long the master may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

pub fn run(_arguments: &Arguments) -> anyhow::Result<Verdict> {
    let machine = Machine::read().checks();
    let environment: BTreeMap<String, String> = std::env::vars().filter(|(name, _)| name.starts_with("ROS_")).collect();
    let settings = Settings {
        environment,
        hostname: nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        addresses: own_addresses(),
        resolve: &reach::resolve,
        connect: &|address, port| {
            let connected = reach::connect(SocketAddr::new(address, port), CONNECT_LIMIT);
            connected.map(drop).map_err(|error| error.to_string())
        },
    };
    let settings = settings.checks();
    let mut out = io::stdout().lock();
    let paint = Paint::for_stream(&out);
    print(&mut out, paint, "Can rosprobe watch here?", &machine)?;
    writeln!(out)?;
    print(&mut out, paint, "ROS settings of this shell", &settings)?;
    let wrong = machine.iter().chain(&settings).any(|check| check.status == Status::Error);
    Ok(if wrong { Verdict::Errors } else { Verdict::Clean })
}

fn print(out: &mut impl Write, paint: Paint, title: &str, checks: &[Check]) -> io::Result<()> {
    writeln!(out, "{}", paint.paint(Colour::Bold, title))?;
    for check in checks {
        let colour = match check.status {
            Status::Error => Colour::Red,
            Status::Warning => Colour::Yellow,
            Status::Info => Colour::Cyan,
            Status::Ok => Colour::Green,
        };
        writeln!(out, "  {:<8} {}", paint.paint(colour, check.status.word()), printable(&check.text))?;
        if let Some(remedy) = &check.remedy {
            writeln!(out, "           Fix: {}", printable(remedy))?;
        }
    }
    Ok(())
}

fn own_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
    };
    interfaces.filter_map(address).collect()
}
