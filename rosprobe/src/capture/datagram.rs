//! Datagrams, put together again from the pieces of memory that a process gave or took them in.

use std::collections::HashMap;

use crate::event::{Direction, Fact};

use super::record::Parsed;

/// Datagrams in pieces at one time; more than threads send at the same moment.
const UNFINISHED_LIMIT: usize = 256;

/// Datagrams of which pieces are missing.
#[derive(Debug, Default)]
pub struct Datagrams {
    /// By socket, direction and thread: several threads may use one socket at once.
    unfinished: HashMap<(u64, bool, i32), Vec<u8>>,
}

impl Datagrams {
    /// The datagram that this record completes; `None` while more of it is to come. A piece that does not follow the one before
    /// it ends what was there.
    pub fn add(&mut self, parsed: &Parsed<'_>) -> Option<Fact> {
        let (record, direction) = (&parsed.record, parsed.direction().ok()?);
        let key = (record.socket, direction == Direction::Sent, record.fd);
        let mut bytes = self.unfinished.remove(&key).unwrap_or_default();
        if record.value == 0 {
            bytes.clear();
        }
        let expected = bytes.len() as u64 == record.value;
        if expected {
            bytes.extend_from_slice(parsed.payload);
        }
        let complete = bytes.len() as u64 >= u64::from(record.length);
        let readable = expected && parsed.record.copied > 0;
        if complete || !readable {
            return Some(Fact::Datagram { direction, bytes, length: record.length });
        }
        if self.unfinished.len() < UNFINISHED_LIMIT {
            self.unfinished.insert(key, bytes);
        }
        None
    }
}
