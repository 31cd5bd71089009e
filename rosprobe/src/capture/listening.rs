//! TCP sockets at which nodes of ROS 1 listened before the capture began, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use procfs::net::TcpState;

use super::existing::{BY_INODE, held, processes};
use super::{bounded, library, tcp_table};
use crate::event::{SocketRef, Transport};

/// How much of an environment or a command line is searched, in bytes.
const TEXT_LIMIT: u64 = 256 * 1024;
/// Sockets that are told of.
const SOCKET_LIMIT: usize = 16 * 1024;

/// A listening socket with its holder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listening {
    pub pid: u32,
    pub net_namespace: u64,
    /// Inode of the socket.
    pub inode: u64,
    pub local: SocketAddr,
}

impl Listening {
    /// The socket. The kernel side knows it by another number, which `/proc` does not show.
    pub fn reference(&self) -> SocketRef {
        let (transport, local) = (Transport::Tcp, Some(self.local));
        SocketRef { id: BY_INODE | self.inode, transport, local, remote: None, net_namespace: self.net_namespace }
    }
}

/// The listening sockets below a mounted procfs of processes that were started for ROS 1: with its variables, or with a node's name.
pub(super) fn listening(proc: &Path) -> Vec<Listening> {
    let mut tables: BTreeMap<u64, BTreeMap<u64, SocketAddr>> = BTreeMap::new();
    let mut found = Vec::new();
    for (pid, folder) in processes(proc).into_iter().filter(|(_, folder)| is_for_ros(folder)) {
        let Ok(namespace) = fs::metadata(folder.join("ns/net")).map(|namespace| namespace.ino()) else { continue };
        let table = tables.entry(namespace).or_insert_with(|| table(&folder));
        let own = held(&folder).into_iter().filter_map(|inode| Some((inode, *table.get(&inode)?)));
        found.extend(own.map(|(inode, local)| Listening { pid, net_namespace: namespace, inode, local }));
        if found.len() >= SOCKET_LIMIT {
            break;
        }
    }
    found.truncate(SOCKET_LIMIT);
    found.sort();
    found
}

fn is_for_ros(folder: &Path) -> bool {
    let read = |name| bounded::read(&folder.join(name), TEXT_LIMIT).unwrap_or_default();
    let named = |line: &[u8]| line.split(|byte| *byte == 0).any(|word| word.starts_with(b"__name:="));
    library::has_ros_variable(&read("environ")) || named(&read("cmdline"))
}

/// Listening sockets of a process's network namespace, by inode.
fn table(folder: &Path) -> BTreeMap<u64, SocketAddr> {
    let listening = tcp_table::entries(folder).into_iter().filter(|entry| entry.state == TcpState::Listen);
    listening.map(|entry| (entry.inode, entry.local_address)).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_table_has_what_listens_and_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connection = std::net::TcpStream::connect(address).unwrap();
        let own = Path::new("/proc/self");
        let table = table(own);
        let inodes: Vec<u64> = held(own).into_iter().filter(|inode| table.get(inode) == Some(&address)).collect();
        assert_eq!(inodes.len(), 1, "{table:?}");
        assert!(!table.values().any(|local| *local == connection.local_addr().unwrap()), "{table:?}");
    }

    #[test]
    fn who_was_not_started_for_ros_is_left_out() {
        let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!listening(Path::new("/proc")).iter().any(|socket| socket.pid == std::process::id()));
    }
}
