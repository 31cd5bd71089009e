//! The TCP sockets of a process's network namespace, from `/proc/PID/net`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use procfs::FromBufReadSI;
use procfs::net::{TcpNetEntries, TcpNetEntry};

use super::bounded;
use super::existing::TABLE_LIMIT;

/// All sockets that fit into [`TABLE_LIMIT`] bytes of each table.
pub(super) fn entries(folder: &Path) -> Vec<TcpNetEntry> {
    let of_family = |name: &str| {
        let bytes = bounded::read(&folder.join(name), TABLE_LIMIT).unwrap_or_default();
        // At the limit the last line may be half a line.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let entries = TcpNetEntries::from_buf_read(&bytes[..whole], procfs::current_system_info());
        entries.map(|TcpNetEntries(entries)| entries).unwrap_or_default()
    };
    ["net/tcp", "net/tcp6"].into_iter().flat_map(of_family).collect()
}

/// What waits in the send queues of connections: bytes that were not sent yet, or not acknowledged.
pub(super) struct SendQueues(HashMap<[SocketAddr; 2], u32>);

impl SendQueues {
    /// Those of the network namespace of the process whose folder it is.
    pub fn read(folder: &Path) -> Self {
        let queue = |entry: TcpNetEntry| (ends(entry.local_address, entry.remote_address), entry.tx_queue);
        Self(entries(folder).into_iter().map(queue).collect())
    }

    /// Bytes; `None` for a connection that is not there.
    pub fn of(&self, local: SocketAddr, remote: SocketAddr) -> Option<u32> {
        self.0.get(&ends(local, remote)).copied()
    }
}

/// A socket of IPv6 that speaks IPv4 stands in the other table.
fn ends(local: SocketAddr, remote: SocketAddr) -> [SocketAddr; 2] {
    [local, remote].map(|end| SocketAddr::new(end.ip().to_canonical(), end.port()))
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_nobody_reads_waits_at_the_sender() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut reader, _) = listener.accept().unwrap();
        let waiting = |sender: &TcpStream| {
            SendQueues::read(Path::new("/proc/self")).of(sender.local_addr().unwrap(), sender.peer_addr().unwrap())
        };
        assert_eq!(waiting(&sender), Some(0));

        sender.set_nonblocking(true).unwrap();
        let mut bytes = vec![0; 64 * 1024];
        while sender.write(&bytes).map_err(|error| error.kind()) != Err(ErrorKind::WouldBlock) {}
        assert!(waiting(&sender) > Some(0));

        reader.set_nonblocking(true).unwrap();
        let begun = Instant::now();
        while waiting(&sender) != Some(0) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", waiting(&sender));
            // There may be nothing at the moment.
            let _ = reader.read(&mut bytes);
        }
        let [local, remote] = [&sender, &reader].map(|end| end.local_addr().unwrap());
        drop((sender, reader));
        assert!(SendQueues::read(Path::new("/proc/self")).of(remote, local).is_none());
    }
}
