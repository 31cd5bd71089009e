//! The TCP sockets of a process's network namespace, from `/proc/PID/net`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;

use procfs::FromBufReadSI;
use procfs::net::{TcpNetEntries, TcpNetEntry};

use super::bounded;
use super::existing::TABLE_LIMIT;
use crate::event::WaitsFor;

/// One for each family of addresses; there may be none for IPv6.
const TABLES: [&str; 2] = ["net/tcp", "net/tcp6"];

/// How much of a table is searched for what waits, in bytes: 28,000 connections.
const SEARCHED: u64 = 4 * 1024 * 1024;

/// All sockets that fit into [`TABLE_LIMIT`] bytes of each table.
pub(super) fn entries(folder: &Path) -> Vec<TcpNetEntry> {
    let of_table = |name: &str| {
        let bytes = bounded::read(&folder.join(name), TABLE_LIMIT).unwrap_or_default();
        // At the limit the last line may be half a line.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        parsed(&bytes[..whole])
    };
    TABLES.into_iter().flat_map(of_table).collect()
}

/// Of whole lines, the first of which is the heading.
fn parsed(table: &[u8]) -> Vec<TcpNetEntry> {
    let entries = TcpNetEntries::from_buf_read(table, procfs::current_system_info());
    entries.map(|TcpNetEntries(entries)| entries).unwrap_or_default()
}

/// What waits to be sent through a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SendQueue {
    /// Not sent yet, or not acknowledged.
    pub bytes: u32,
    /// `None` for nothing, or for the acknowledgement of what was sent just now.
    pub waits_for: Option<WaitsFor>,
}

/// Of all connections of a network namespace.
pub(super) struct SendQueues {
    /// Those in which something waits: of ten thousand connections, a few.
    waiting: HashMap<[SocketAddr; 2], SendQueue>,
    /// Whether all connections were looked at.
    whole: bool,
}

impl SendQueues {
    /// Those of the network namespace of the process whose folder it is.
    pub fn read(folder: &Path) -> Self {
        let mut queues = Self { waiting: HashMap::new(), whole: folder.join(TABLES[0]).exists() };
        for name in TABLES {
            // Without IPv6 there is no second table, and nobody in it.
            let Ok(table) = File::open(folder.join(name)) else { continue };
            match waiting_lines(table) {
                Ok((lines, whole)) => {
                    queues.whole &= whole;
                    queues.add(&lines);
                }
                Err(_) => queues.whole = false,
            }
        }
        queues
    }

    fn add(&mut self, table: &[u8]) {
        let lines = table.split(|byte| *byte == b'\n').skip(1);
        self.waiting.extend(parsed(table).into_iter().zip(lines).map(|(entry, line)| {
            let queue = SendQueue { bytes: entry.tx_queue, waits_for: waits_for(line) };
            (ends(entry.local_address, entry.remote_address), queue)
        }));
    }

    /// An empty one for a connection in which nothing waits, or that is no more; `None` when that cannot be known.
    pub fn of(&self, local: SocketAddr, remote: SocketAddr) -> Option<SendQueue> {
        let empty = self.whole.then(SendQueue::default);
        self.waiting.get(&ends(local, remote)).copied().or(empty)
    }
}

/// The heading and the lines of connections with something in their send queues, and whether these are all.
fn waiting_lines(table: File) -> io::Result<(Vec<u8>, bool)> {
    let mut reader = BufReader::new(table.take(SEARCHED));
    let (mut kept, mut line) = (Vec::new(), Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        let mut columns = line.split(u8::is_ascii_whitespace).filter(|column| !column.is_empty());
        let waits = columns.nth(4).is_some_and(|queues| !queues.starts_with(b"00000000:"));
        if line.ends_with(b"\n") && (waits || kept.is_empty()) {
            kept.extend_from_slice(&line);
        }
        line.clear();
    }
    Ok((kept, reader.into_inner().limit() > 0))
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
    use std::io::{ErrorKind, Write as _};
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
        assert_eq!(waiting(&sender), Some(SendQueue::default()));

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
        while waiting(&sender) != Some(SendQueue::default()) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", waiting(&sender));
            // There may be nothing at the moment.
            let _ = reader.read(&mut bytes);
        }
        let [local, remote] = [&sender, &reader].map(|end| end.local_addr().unwrap());
        drop((sender, reader));
        assert_eq!(SendQueues::read(Path::new("/proc/self")).of(remote, local), Some(SendQueue::default()));
        let of_nobody = SendQueues::read(Path::new("/proc/0"));
        assert_eq!(of_nobody.of(remote, local), None, "there is no table to tell");
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
