//! The TCP sockets of a process's network namespace, from `/proc/PID/net`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use procfs::FromBufReadSI;
use procfs::net::{TcpNetEntries, TcpNetEntry};

use super::bounded;
use super::existing::TABLE_LIMIT;
use crate::event::WaitsFor;

/// All sockets that fit into [`TABLE_LIMIT`] bytes of each table.
pub(super) fn entries(folder: &Path) -> Vec<TcpNetEntry> {
    tables(folder).iter().flat_map(|table| parsed(table)).collect()
}

/// Whole lines of both tables.
fn tables(folder: &Path) -> [Vec<u8>; 2] {
    ["net/tcp", "net/tcp6"].map(|name| {
        let mut bytes = bounded::read(&folder.join(name), TABLE_LIMIT).unwrap_or_default();
        // At the limit the last line may be half a line.
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        bytes
    })
}

fn parsed(table: &[u8]) -> Vec<TcpNetEntry> {
    let entries = TcpNetEntries::from_buf_read(table, procfs::current_system_info());
    entries.map(|TcpNetEntries(entries)| entries).unwrap_or_default()
}

/// What waits to be sent through a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SendQueue {
    /// Not sent yet, or not acknowledged.
    pub bytes: u32,
    /// `None` for nothing, or for the acknowledgement of what was sent just now.
    pub waits_for: Option<WaitsFor>,
}

/// Of all connections of a network namespace.
pub(super) struct SendQueues(HashMap<[SocketAddr; 2], SendQueue>);

impl SendQueues {
    /// Those of the network namespace of the process whose folder it is.
    pub fn read(folder: &Path) -> Self {
        let of_table = |table: &Vec<u8>| {
            let lines = table.split(|byte| *byte == b'\n').skip(1);
            let queue = |(entry, line): (TcpNetEntry, &[u8])| {
                let queue = SendQueue { bytes: entry.tx_queue, waits_for: waits_for(line) };
                (ends(entry.local_address, entry.remote_address), queue)
            };
            parsed(table).into_iter().zip(lines).map(queue).collect::<Vec<_>>()
        };
        Self(tables(folder).iter().flat_map(of_table).collect())
    }

    /// `None` for a connection that is not there.
    pub fn of(&self, local: SocketAddr, remote: SocketAddr) -> Option<SendQueue> {
        self.0.get(&ends(local, remote)).copied()
    }
}

/// By the columns of `get_tcp4_sock` in the kernel's `net/ipv4/tcp_ipv4.c` that procfs leaves out: which timer runs, how often it ran
/// out since something was acknowledged, and how many probes for room were not answered.
fn waits_for(line: &[u8]) -> Option<WaitsFor> {
    let mut columns = line.split(u8::is_ascii_whitespace).filter(|column| !column.is_empty()).skip(5);
    let probes = columns.next()?.starts_with(b"04:");
    let (timeouts, unanswered) = (columns.next()?, columns.nth(1)?);
    match unanswered {
        // The probe that was sent last may be on its way.
        b"0" | b"1" if probes => Some(WaitsFor::Room),
        _ if probes || timeouts.iter().any(|digit| *digit != b'0') => Some(WaitsFor::Acknowledgement),
        _ => None,
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
        assert_eq!(waiting(&sender), Some(SendQueue { bytes: 0, waits_for: None }));

        sender.set_nonblocking(true).unwrap();
        let mut bytes = vec![0; 64 * 1024];
        while sender.write(&bytes).map_err(|error| error.kind()) != Err(ErrorKind::WouldBlock) {}
        let begun = Instant::now();
        // What is on its way is acknowledged first.
        while !waiting(&sender).is_some_and(|queue| queue.waits_for == Some(WaitsFor::Room) && queue.bytes > 0) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", waiting(&sender));
        }

        reader.set_nonblocking(true).unwrap();
        let begun = Instant::now();
        while waiting(&sender) != Some(SendQueue { bytes: 0, waits_for: None }) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", waiting(&sender));
            // There may be nothing at the moment.
            let _ = reader.read(&mut bytes);
        }
        let [local, remote] = [&sender, &reader].map(|end| end.local_addr().unwrap());
        drop((sender, reader));
        assert!(SendQueues::read(Path::new("/proc/self")).of(remote, local).is_none());
    }

    #[test]
    fn only_probes_that_are_answered_tell_of_a_full_buffer() {
        let line = |timer: &str, timeouts: &str, unanswered: &str| {
            let before = "   3: 0100007F:8B1D 0100007F:D2F6 01 000F0000:00000000";
            let line = format!("{before} {timer}:00000064 {timeouts}     0        {unanswered} 33011 2 0");
            waits_for(line.as_bytes())
        };
        assert_eq!(line("04", "00000000", "0"), Some(WaitsFor::Room));
        assert_eq!(line("04", "00000000", "1"), Some(WaitsFor::Room));
        assert_eq!(line("04", "00000007", "7"), Some(WaitsFor::Acknowledgement), "nobody answers");
        assert_eq!(line("01", "00000003", "0"), Some(WaitsFor::Acknowledgement));
        assert_eq!(line("01", "00000000", "0"), None, "sent just now");
        assert_eq!(line("00", "00000000", "0"), None);
        assert_eq!(waits_for(b""), None);
        assert_eq!(waits_for(b"   3: 0100007F:8B1D"), None);
    }
}
