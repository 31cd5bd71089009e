//! UDP sockets of DDS that had their ports and groups before the capture began, from `/proc`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use procfs::FromBufReadSI;
use procfs::net::UdpNetEntries;

use super::bounded;
use crate::domain::{Purpose, read_port};
use crate::event::{SocketRef, Transport};

/// How much of a table below `/proc/PID/net` is read, in bytes.
pub(super) const TABLE_LIMIT: u64 = 1024 * 1024;
/// Descriptors of one process that are looked at.
const DESCRIPTOR_LIMIT: usize = 64 * 1024;
/// Processes looked at.
const PROCESS_LIMIT: usize = 32 * 1024;
/// Discovery multicast of domain 0.
const FIRST_PORT: u16 = 7400;
/// Above this Linux hands out ephemeral ports, unless told otherwise, so that a number says nothing.
const LAST_PORT: u16 = 32767;
/// Where participants of every domain announce themselves.
pub(super) const DISCOVERY_GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 0, 1);

/// A socket with its holder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Existing {
    pub pid: u32,
    pub net_namespace: u64,
    /// Inode of the socket.
    pub inode: u64,
    pub local: SocketAddr,
    /// Whether its network namespace is in the discovery group, and it has a discovery port.
    pub in_group: bool,
}

/// Tells numbers of sockets that were read from `/proc` from the kernel's cookies.
pub(super) const BY_INODE: u64 = 1 << 62;

impl Existing {
    /// The socket. The kernel side knows it by another number, which `/proc` does not show.
    pub fn reference(&self) -> SocketRef {
        SocketRef {
            id: BY_INODE | self.inode,
            transport: Transport::Udp,
            local: Some(self.local),
            remote: None,
            net_namespace: self.net_namespace,
        }
    }
}

/// The sockets below a mounted procfs whose ports look like those of DDS, as do their process's.
pub(super) fn existing(proc: &Path) -> Vec<Existing> {
    let mut namespaces: BTreeMap<u64, Vec<(u32, PathBuf)>> = BTreeMap::new();
    for (pid, folder) in processes(proc) {
        if let Ok(namespace) = fs::metadata(folder.join("ns/net")) {
            namespaces.entry(namespace.ino()).or_default().push((pid, folder));
        }
    }
    let mut found: Vec<_> =
        namespaces.iter().flat_map(|(namespace, processes)| of_namespace(*namespace, processes)).collect();
    found.sort();
    found
}

pub(super) fn processes(proc: &Path) -> Vec<(u32, PathBuf)> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let numbered = entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
    numbered.take(PROCESS_LIMIT).collect()
}

fn of_namespace(net_namespace: u64, processes: &[(u32, PathBuf)]) -> Vec<Existing> {
    // A process that ends meanwhile shows nothing; the next one does.
    let Some(folder) = processes.iter().map(|(_, folder)| folder.join("net")).find(|net| net.join("udp").exists())
    else {
        return Vec::new();
    };
    let mut sockets = bound(&folder.join("udp"));
    sockets.extend(bound(&folder.join("udp6")));
    if !sockets.values().any(|local| is_telling(local.port())) {
        return Vec::new();
    }
    let groups = groups(&bounded::read_text(&folder.join("igmp"), TABLE_LIMIT).unwrap_or_default());
    let of_process = |(pid, folder): &(u32, PathBuf)| {
        let held: Vec<_> = held(folder).into_iter().filter_map(|inode| Some((inode, *sockets.get(&inode)?))).collect();
        let of_dds = held.iter().any(|(_, local)| is_telling(local.port()));
        let held = if of_dds { held } else { Vec::new() };
        let pid = *pid;
        held.into_iter().map(move |(inode, local)| (pid, inode, local)).collect::<Vec<_>>()
    };
    processes
        .iter()
        .flat_map(of_process)
        .map(|(pid, inode, local)| {
            let in_group = is_discovery(local.port()) && groups.contains(&DISCOVERY_GROUP);
            Existing { pid, net_namespace, inode, local, in_group }
        })
        .collect()
}

/// Sockets with a port that may be one of RTPS, by inode.
fn bound(path: &Path) -> BTreeMap<u64, SocketAddr> {
    let bytes = bounded::read(path, TABLE_LIMIT).unwrap_or_default();
    let entries = UdpNetEntries::from_buf_read(&bytes[..], procfs::current_system_info());
    let entries = entries.map(|UdpNetEntries(entries)| entries).unwrap_or_default();
    let of_rtps = entries.into_iter().filter(|entry| entry.local_address.port() >= FIRST_PORT);
    of_rtps.map(|entry| (entry.inode, entry.local_address)).collect()
}

fn is_discovery(port: u16) -> bool {
    read_port(port).iter().any(|reading| reading.purpose == Purpose::DiscoveryMulticast)
}

fn is_telling(port: u16) -> bool {
    is_discovery(port) || (port <= LAST_PORT && !read_port(port).is_empty())
}

/// Inodes of the sockets that a process has descriptors of.
pub(super) fn held(folder: &Path) -> BTreeSet<u64> {
    let descriptors = fs::read_dir(folder.join("fd")).into_iter().flatten().flatten().take(DESCRIPTOR_LIMIT);
    let targets = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    targets.filter_map(|target| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()).collect()
}

/// Groups in `/proc/PID/net/igmp`: on lines of their own, the address printed as a number of the machine's own byte order.
fn groups(igmp: &str) -> HashSet<Ipv4Addr> {
    let lines = igmp.lines().skip(1).filter(|line| line.starts_with('\t'));
    let numbers = lines.filter_map(|line| u32::from_str_radix(line.split_whitespace().next()?, 16).ok());
    numbers.map(|number| Ipv4Addr::from(number.to_ne_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_as_the_kernel_prints_them() {
        let igmp = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
                    1\tlo        :     1      V3\n\
                    \t\t\t\t010000E0     1 0:00000000\t\t0\n\
                    4\teth0      :     2      V3\n\
                    \t\t\t\t0100FFEF     1 0:00000000\t\t0\n\
                    \t\t\t\tnonsense\n";
        let little = cfg!(target_endian = "little");
        assert_eq!(groups(igmp).contains(&DISCOVERY_GROUP), little);
        assert_eq!(groups(igmp).len(), 2);
        assert_eq!(groups(""), HashSet::new());
    }

    #[test]
    fn ports_that_only_dds_has_tell() {
        for (port, telling) in [(7400, true), (7410, true), (7402, false), (5353, false), (34900, true), (45678, false)]
        {
            assert_eq!(is_telling(port), telling, "{port}");
        }
    }
}
