//! UDPROS in packets: messages and bytes are counted by connection, as in the kernel.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rosprobe_common::{UDPROS_DATA0, UDPROS_DATAN, UDPROS_HEADER, UDPROS_OPENING, begins_udpros, udpros_operation};

use crate::event::{Direction, Fact};

/// Connections that are counted at once; further ones are not.
const CONNECTION_LIMIT: usize = 4096;
/// Totals are told again after this time, in nanoseconds.
const TELL_AFTER: u64 = 1_000_000_000;

/// Source and destination of a datagram.
type Ends = (SocketAddr, SocketAddr);

#[derive(Clone, Copy, Debug, Default)]
struct Total {
    messages: u64,
    bytes: u64,
    /// When it was told last, and the bytes then.
    told: (u64, u64),
}

/// All connections that were seen.
#[derive(Debug, Default)]
pub(super) struct Connections {
    totals: BTreeMap<(Ends, u32), Total>,
}

impl Connections {
    /// Counts a datagram of `length` bytes, of which `bytes` were captured, when it is UDPROS. Gives totals when they are due.
    pub fn take(&mut self, time: u64, ends: Ends, bytes: &[u8], length: u32) -> Option<Fact> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let (connection, control) = (word(0)?, word(4)?);
        let key = (ends, connection);
        if length <= UDPROS_HEADER {
            return None;
        }
        if !self.totals.contains_key(&key) {
            let size = word(8).filter(|_| length >= UDPROS_OPENING)?;
            if !begins_udpros([connection, control, size], length) || self.totals.len() >= CONNECTION_LIMIT {
                return None;
            }
        }
        let operation = udpros_operation(control);
        if operation != UDPROS_DATA0 && operation != UDPROS_DATAN {
            return None;
        }
        let total = self.totals.entry(key).or_default();
        total.messages += u64::from(operation == UDPROS_DATA0);
        total.bytes += u64::from(length - UDPROS_HEADER);
        let due = total.told.1 == 0 || time.saturating_sub(total.told.0) >= TELL_AFTER;
        due.then(|| {
            total.told = (time, total.bytes);
            total.fact(connection)
        })
    }

    /// The capture is over: totals that were not told.
    pub fn finish(&mut self) -> Vec<(SocketAddr, SocketAddr, Fact)> {
        let untold = std::mem::take(&mut self.totals).into_iter().filter(|(_, total)| total.told.1 != total.bytes);
        untold
            .map(|(((source, destination), connection), total)| (source, destination, total.fact(connection)))
            .collect()
    }
}

impl Total {
    fn fact(&self, connection: u32) -> Fact {
        Fact::UdprosData { direction: Direction::Sent, connection, messages: self.messages, bytes: self.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(operation: u8, block: u16, message: u32, payload: usize) -> Vec<u8> {
        let [low, high] = block.to_le_bytes();
        let mut bytes = vec![7, 0, 0, 0, operation, 1, low, high];
        let body = [&message.to_le_bytes()[..], &[9; 2000]].concat();
        bytes.extend(&body[..payload]);
        bytes
    }

    #[test]
    fn messages_are_counted_by_their_first_datagrams_and_told_once_a_second() {
        let ends = ("10.0.1.1:49432".parse().unwrap(), "10.0.1.2:56876".parse().unwrap());
        let mut connections = Connections::default();
        let mut take = |time, bytes: &[u8]| connections.take(time, ends, bytes, u32::try_from(bytes.len()).unwrap());
        let fact = |messages, bytes| Fact::UdprosData { direction: Direction::Sent, connection: 7, messages, bytes };
        assert_eq!(take(0, &datagram(1, 1, 0, 100)), None, "what begins in the middle is not known yet");
        assert_eq!(take(1, &datagram(0, 2, 1600, 1492)), Some(fact(1, 1492)));
        assert_eq!(take(2, &datagram(1, 1, 0, 112)), None);
        assert_eq!(take(3, &datagram(2, 1, 0, 10)), None, "a ping is no data");
        assert_eq!(take(1_500_000_000, &datagram(0, 1, 9, 13)), Some(fact(2, 1617)));
        assert_eq!(take(1_500_000_001, &datagram(0, 1, 9, 13)), None);
        assert_eq!(connections.finish(), [(ends.0, ends.1, fact(3, 1630))]);
        assert_eq!(connections.finish(), []);
    }

    #[test]
    fn other_datagrams_are_none_of_ours() {
        let ends = ("10.0.1.1:1".parse().unwrap(), "10.0.1.2:2".parse().unwrap());
        let mut connections = Connections::default();
        for bytes in [&b""[..], b"short", b"\0\0\0\0\0\0\0\0", b"\0\0\0\0\0\x01\x01\0\xff\xff\xff\xff and more"] {
            assert_eq!(connections.take(0, ends, bytes, u32::try_from(bytes.len()).unwrap()), None);
        }
        assert_eq!(connections.finish(), []);
    }
}
