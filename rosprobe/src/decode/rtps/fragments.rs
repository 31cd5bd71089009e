//! Samples of discovery that came in fragments (`DATA_FRAG`), put together by writer and sequence number.

use std::collections::HashMap;

use super::cursor::Wrong;
use super::message::DataFrag;
use crate::event::Monotonic;
use crate::observation::dds::Guid;

/// Samples under way at one time.
const SAMPLE_LIMIT: usize = 64;
/// Largest sample that is put together, in bytes.
const SAMPLE_SIZE_LIMIT: u32 = 1 << 20;
/// Bytes of all samples under way.
const TOTAL_LIMIT: usize = 8 << 20;
/// A sample whose fragments stay away this long is given up, in nanoseconds.
const PATIENCE_NS: u64 = 30_000_000_000;

/// Samples under way.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    samples: HashMap<(Guid, u64), Sample>,
    given_up: u64,
}

#[derive(Debug)]
struct Sample {
    bytes: Vec<u8>,
    have: Vec<bool>,
    missing: usize,
    fragment_size: u16,
    touched: Monotonic,
}

impl Fragments {
    /// Adds fragments. The whole sample when these were the last that it lacked.
    pub fn insert(&mut self, now: Monotonic, writer: Guid, frag: &DataFrag<'_>) -> Result<Option<Vec<u8>>, Wrong> {
        if frag.sample_size > SAMPLE_SIZE_LIMIT {
            return Err(Wrong::SampleTooLarge(frag.sample_size));
        }
        if frag.fragment_size == 0 || frag.first == 0 {
            return Err(Wrong::Fragments);
        }
        let key = (writer, frag.sequence_number);
        if !self.samples.contains_key(&key) {
            self.make_room(now, frag.sample_size as usize);
        }
        let sample = self.samples.entry(key).or_insert_with(|| Sample::new(frag));
        sample.touched = now;
        sample.add(frag)?;
        if sample.missing > 0 {
            return Ok(None);
        }
        Ok(self.samples.remove(&key).map(|sample| sample.bytes))
    }

    /// Samples given up since this was asked last, because their fragments never came or too many were under way.
    pub fn take_given_up(&mut self) -> u64 {
        std::mem::take(&mut self.given_up)
    }

    /// Samples still under way; they are forgotten.
    pub fn finish(&mut self) -> u64 {
        let under_way = self.samples.len() as u64;
        self.samples.clear();
        under_way
    }

    fn make_room(&mut self, now: Monotonic, size: usize) {
        let before = self.samples.len();
        self.samples.retain(|_, sample| now.since(sample.touched).as_nanos() < u128::from(PATIENCE_NS));
        while self.samples.len() >= SAMPLE_LIMIT || self.total() + size > TOTAL_LIMIT {
            let Some(oldest) = self.samples.iter().min_by_key(|(_, sample)| sample.touched).map(|(key, _)| *key) else {
                break;
            };
            self.samples.remove(&oldest);
        }
        self.given_up += (before - self.samples.len()) as u64;
    }

    fn total(&self) -> usize {
        self.samples.values().map(|sample| sample.bytes.len()).sum()
    }
}

impl Sample {
    fn new(frag: &DataFrag<'_>) -> Self {
        let fragments = frag.sample_size.div_ceil(u32::from(frag.fragment_size)) as usize;
        Self {
            bytes: vec![0; frag.sample_size as usize],
            have: vec![false; fragments],
            missing: fragments,
            fragment_size: frag.fragment_size,
            touched: Monotonic::default(),
        }
    }

    fn add(&mut self, frag: &DataFrag<'_>) -> Result<(), Wrong> {
        if frag.fragment_size != self.fragment_size || frag.sample_size as usize != self.bytes.len() {
            return Err(Wrong::Fragments);
        }
        let size = usize::from(self.fragment_size);
        let mut payload = frag.payload;
        for number in 0..usize::from(frag.count) {
            let index = frag.first as usize - 1 + number;
            let Some(have) = self.have.get_mut(index) else { return Err(Wrong::Fragments) };
            let start = index * size;
            let end = (start + size).min(self.bytes.len());
            let (fragment, rest) = payload.split_at_checked(end - start).ok_or(Wrong::Short("a fragment"))?;
            self.bytes[start..end].copy_from_slice(fragment);
            if !std::mem::replace(have, true) {
                self.missing -= 1;
            }
            payload = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::dds::EntityId;

    fn frag(sequence_number: u64, first: u32, sample_size: u32, payload: &[u8]) -> DataFrag<'_> {
        let writer = EntityId::SEDP_PUBLICATIONS_WRITER;
        DataFrag { writer, sequence_number, first, count: 1, fragment_size: 4, sample_size, payload }
    }

    fn writer() -> Guid {
        Guid::from_bytes([7; 16])
    }

    #[test]
    fn any_order_and_twice_the_same() {
        let mut fragments = Fragments::default();
        let now = Monotonic(0);
        for (first, payload) in [(3, &b"ij"[..]), (1, b"abcd"), (1, b"abcd")] {
            assert_eq!(fragments.insert(now, writer(), &frag(1, first, 10, payload)), Ok(None));
        }
        assert_eq!(fragments.insert(now, writer(), &frag(1, 2, 10, b"efgh")), Ok(Some(b"abcdefghij".to_vec())));
        assert_eq!(fragments.finish(), 0);
    }

    #[test]
    fn contradictions_are_refused() {
        let mut fragments = Fragments::default();
        let now = Monotonic(0);
        assert_eq!(fragments.insert(now, writer(), &frag(1, 1, 10, b"abcd")), Ok(None));
        assert_eq!(fragments.insert(now, writer(), &frag(1, 4, 10, b"abcd")), Err(Wrong::Fragments));
        assert_eq!(fragments.insert(now, writer(), &frag(1, 2, 12, b"abcd")), Err(Wrong::Fragments));
        assert_eq!(fragments.insert(now, writer(), &frag(1, 0, 10, b"abcd")), Err(Wrong::Fragments));
        assert_eq!(fragments.insert(now, writer(), &frag(1, 2, 10, b"ab")), Err(Wrong::Short("a fragment")));
        let huge = frag(2, 1, u32::MAX, b"abcd");
        assert_eq!(fragments.insert(now, writer(), &huge), Err(Wrong::SampleTooLarge(u32::MAX)));
    }

    #[test]
    fn what_never_completes_is_given_up_and_counted() {
        let mut fragments = Fragments::default();
        for sequence_number in 0..1000 {
            let _ = fragments.insert(Monotonic(0), writer(), &frag(sequence_number, 1, SAMPLE_SIZE_LIMIT, b"abcd"));
            assert!(fragments.total() <= TOTAL_LIMIT);
        }
        assert_eq!(fragments.take_given_up() + fragments.finish(), 1000);
        let _ = fragments.insert(Monotonic(0), writer(), &frag(1, 1, 8, b"abcd"));
        let _ = fragments.insert(Monotonic(PATIENCE_NS), writer(), &frag(2, 1, 8, b"abcd"));
        assert_eq!(fragments.take_given_up(), 1);
    }
}
