//! What this machine leaves of the domains: its ephemeral ports, and ports of a domain that are bound already.

use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use procfs::process::FDTarget;
use serde::Serialize;

use super::{Ephemeral, Reading, read_port};

/// The network namespace that rosprobe runs in, as far as domains go.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Ports that the kernel hands out.
    pub ephemeral: Ephemeral,
    /// Inode of the network namespace; these settings belong to it.
    pub net_namespace: u64,
    /// UDP ports of domains that are bound.
    pub bound: Vec<BoundPort>,
}

/// A bound UDP port that is one of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BoundPort {
    /// The port.
    pub port: u16,
    /// Ways to read it, the likeliest first.
    pub readings: Vec<Reading>,
    /// Who holds it: pid and the kernel's name of the process; empty where that may not be read.
    pub holders: Vec<(i32, String)>,
}

/// Why the machine's settings are not known.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// A file of `/proc` could not be read.
    #[error("{path}: {source}; rosprobe reads the machine's UDP settings there: is /proc mounted?", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of `/proc` says something else than a range of ports.
    #[error("{path} says {text:?}, which is no range of ports; is this Linux's own /proc?", path = path.display())]
    Unexpected {
        /// The file.
        path: PathBuf,
        /// What it says.
        text: String,
    },
}

impl Machine {
    /// Reads the settings of the network namespace of this process. An error names the file of `/proc` that is not there or not as
    /// Linux writes it.
    pub fn read() -> Result<Self, MachineError> {
        let range = read_file("/proc/sys/net/ipv4/ip_local_port_range")?;
        let range = parse_range(&range).ok_or_else(|| unexpected("/proc/sys/net/ipv4/ip_local_port_range", &range))?;
        let reserved = read_file("/proc/sys/net/ipv4/ip_local_reserved_ports")?;
        let reserved = parse_reserved(&reserved)
            .ok_or_else(|| unexpected("/proc/sys/net/ipv4/ip_local_reserved_ports", &reserved))?;
        let namespace = PathBuf::from("/proc/self/ns/net");
        let net_namespace = std::fs::metadata(&namespace)
            .map(|metadata| std::os::unix::fs::MetadataExt::ino(&metadata))
            .map_err(|source| MachineError::Unreadable { path: namespace, source })?;
        Ok(Self { ephemeral: Ephemeral::new(range, reserved), net_namespace, bound: bound_ports() })
    }
}

fn read_file(path: &str) -> Result<String, MachineError> {
    std::fs::read_to_string(path).map_err(|source| MachineError::Unreadable { path: path.into(), source })
}

fn unexpected(path: &str, text: &str) -> MachineError {
    MachineError::Unexpected { path: path.into(), text: text.trim().chars().take(80).collect() }
}

fn parse_range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut ports = text.split_whitespace().map(str::parse);
    match (ports.next(), ports.next(), ports.next()) {
        (Some(Ok(first)), Some(Ok(last)), None) => Some(first..=last),
        _ => None,
    }
}

/// What `ip_local_reserved_ports` says; `None` when it is no list of ports.
pub(crate) fn parse_reserved(text: &str) -> Option<Vec<RangeInclusive<u16>>> {
    let parts = text.trim().split(',').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(first.parse().ok()?..=last.parse().ok()?)
        })
        .collect()
}

/// Bound UDP ports of domains in this network namespace; none where `/proc/net` cannot be read.
fn bound_ports() -> Vec<BoundPort> {
    let entries = [procfs::net::udp(), procfs::net::udp6()].into_iter().flatten().flatten();
    let mut inodes: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
    for entry in entries {
        inodes.entry(entry.local_address.port()).or_default().push(entry.inode);
    }
    inodes.retain(|port, _| !read_port(*port).is_empty());
    let holders = if inodes.is_empty() { BTreeMap::new() } else { socket_holders() };
    let bound = inodes.into_iter().map(|(port, inodes)| {
        let mut holders: Vec<_> =
            inodes.iter().flat_map(|inode| holders.get(inode).into_iter().flatten().cloned()).collect();
        holders.sort();
        holders.dedup();
        BoundPort { port, readings: read_port(port), holders }
    });
    bound.collect()
}

fn socket_holders() -> BTreeMap<u64, Vec<(i32, String)>> {
    let mut holders: BTreeMap<u64, Vec<(i32, String)>> = BTreeMap::new();
    let processes = procfs::process::all_processes().into_iter().flatten().flatten();
    for process in processes {
        let (Ok(stat), Ok(descriptors)) = (process.stat(), process.fd()) else { continue };
        for descriptor in descriptors.flatten() {
            if let FDTarget::Socket(inode) = descriptor.target {
                holders.entry(inode).or_default().push((stat.pid, stat.comm.clone()));
            }
        }
    }
    holders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_reserved_ports_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_range("32768\t60999\n"), Some(32768..=60999));
        assert_eq!(parse_range("32768"), None);
        assert_eq!(parse_range("1 2 3"), None);
        assert_eq!(parse_range("1 70000"), None);
        assert_eq!(parse_reserved("\n"), Some(Vec::new()));
        assert_eq!(parse_reserved("8080,9000-9010\n"), Some(vec![8080..=8080, 9000..=9010]));
        assert_eq!(parse_reserved("x"), None);
    }

    #[test]
    fn a_port_bound_by_this_process_is_found_with_its_holder() {
        let Some((port, _socket)) = (7400..32000)
            .find_map(|port| std::net::UdpSocket::bind(("127.0.0.1", port)).ok().map(|socket| (port, socket)))
        else {
            panic!("no UDP port between 7400 and 32000 is free");
        };
        let machine = Machine::read().unwrap();
        let readings = read_port(port);
        let bound = machine.bound.iter().find(|bound| bound.port == port);
        if readings.is_empty() {
            assert_eq!(bound, None);
        } else {
            let pid = i32::try_from(std::process::id()).unwrap();
            assert!(bound.unwrap().holders.iter().any(|(holder, _)| *holder == pid), "{bound:?}");
        }
    }
}
