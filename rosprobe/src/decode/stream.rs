//! Bytes of one direction of a stream, put in order by their offsets.
//!
//! A passive reader cannot ask again: bytes that it did not see stay unseen, so a gap is a value, handed on with its cause.

use std::collections::BTreeMap;

use crate::event::{Chunk, GapCause, Monotonic};

/// What comes next in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes, in order, none of them handed out before.
    Bytes {
        /// Offset of the first one.
        offset: u64,
        /// At least one.
        bytes: Vec<u8>,
    },
    /// Bytes that were not seen and never will be.
    Gap(Gap),
}

/// Bytes of a stream that are missing for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// First missing byte.
    pub from: u64,
    /// First byte after it; always greater.
    pub to: u64,
    /// Why.
    pub cause: GapCause,
}

/// Why a chunk was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The end of the chunk is beyond what an offset can count.
    #[error("a chunk of {length} bytes at offset {offset} ends beyond the largest offset")]
    OffsetOverflow {
        /// Where it should begin.
        offset: u64,
        /// How long it is.
        length: u64,
    },
}

#[derive(Debug)]
enum Held {
    Bytes(Vec<u8>),
    Missing { length: u64, cause: GapCause },
}

impl Held {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Missing { length, .. } => *length,
        }
    }

    fn stored(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Missing { .. } => 0,
        }
    }
}

/// Puts the chunks of one direction in order. Overlaps and duplicates are trimmed; what comes too early is held, within bounds.
#[derive(Debug)]
pub struct Assembler {
    next: u64,
    held: BTreeMap<u64, Held>,
    held_bytes: usize,
    held_limit: usize,
    waiting_since: Option<Monotonic>,
}

impl Assembler {
    /// Chunks held at most because earlier bytes are missing, whatever their size.
    const HELD_CHUNKS: usize = 256;

    /// For a stream from offset 0, holding at most `held_limit` bytes out of order.
    pub fn new(held_limit: usize) -> Self {
        Self { next: 0, held: BTreeMap::new(), held_bytes: 0, held_limit, waiting_since: None }
    }

    /// Since when bytes are held because earlier ones are missing.
    pub fn waiting_since(&self) -> Option<Monotonic> {
        self.waiting_since
    }

    /// Bytes held.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Takes a chunk and appends what is in order now to `pieces`.
    pub fn insert(&mut self, chunk: Chunk, now: Monotonic, pieces: &mut Vec<Piece>) -> Result<(), StreamError> {
        let Chunk { offset, bytes, length, cut, .. } = chunk;
        let stored = bytes.len() as u64;
        let length = stored.max(length.into());
        if offset.checked_add(length).is_none() {
            return Err(StreamError::OffsetOverflow { offset, length });
        }
        self.place(offset, Held::Bytes(bytes), pieces);
        let cause = cut.unwrap_or(GapCause::Lost);
        self.place(offset + stored, Held::Missing { length: length - stored, cause }, pieces);
        while self.held_bytes > self.held_limit || self.held.len() > Self::HELD_CHUNKS {
            self.skip_to_held(pieces);
        }
        self.waiting_since = (!self.held.is_empty()).then(|| self.waiting_since.unwrap_or(now));
        Ok(())
    }

    /// Stops waiting: whatever is missing before held bytes becomes a gap, and they are handed out.
    pub fn give_up(&mut self, pieces: &mut Vec<Piece>) {
        while !self.held.is_empty() {
            self.skip_to_held(pieces);
        }
        self.waiting_since = None;
    }

    fn place(&mut self, offset: u64, held: Held, pieces: &mut Vec<Piece>) {
        if held.len() == 0 || offset + held.len() <= self.next {
            return;
        }
        if offset > self.next {
            self.hold(offset, held);
            return;
        }
        self.hand_out(offset, held, pieces);
        self.hand_out_held(pieces);
    }

    fn hold(&mut self, offset: u64, held: Held) {
        let known = self.held.get(&offset).map_or((0, 0), |known| (known.len(), known.stored()));
        if (held.len(), held.stored()) <= known {
            return;
        }
        self.held_bytes = self.held_bytes - known.1 + held.stored();
        self.held.insert(offset, held);
    }

    fn hand_out_held(&mut self, pieces: &mut Vec<Piece>) {
        while let Some(entry) = self.held.first_entry().filter(|entry| *entry.key() <= self.next) {
            let (offset, held) = entry.remove_entry();
            self.held_bytes -= held.stored();
            if offset + held.len() > self.next {
                self.hand_out(offset, held, pieces);
            }
        }
    }

    /// Hands out what of `held`, which begins at or before the next byte and ends after it, is new.
    fn hand_out(&mut self, offset: u64, held: Held, pieces: &mut Vec<Piece>) {
        let (from, to) = (self.next, offset + held.len());
        self.next = to;
        pieces.push(match held {
            Held::Bytes(mut bytes) => {
                let old = usize::try_from(from - offset).unwrap_or(bytes.len()).min(bytes.len());
                bytes.drain(..old);
                Piece::Bytes { offset: from, bytes }
            }
            Held::Missing { cause, .. } => Piece::Gap(Gap { from, to, cause }),
        });
    }

    fn skip_to_held(&mut self, pieces: &mut Vec<Piece>) {
        if let Some((&to, _)) = self.held.first_key_value() {
            pieces.push(Piece::Gap(Gap { from: self.next, to, cause: GapCause::Lost }));
            self.next = to;
            self.hand_out_held(pieces);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Direction;

    fn chunk(offset: u64, bytes: &[u8]) -> Chunk {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Chunk { direction: Direction::Sent, offset, bytes: bytes.to_vec(), length, cut: None }
    }

    fn insert(assembler: &mut Assembler, chunk: Chunk) -> Vec<Piece> {
        let mut pieces = Vec::new();
        assembler.insert(chunk, Monotonic(1), &mut pieces).expect("in range");
        pieces
    }

    fn bytes(offset: u64, bytes: &[u8]) -> Piece {
        Piece::Bytes { offset, bytes: bytes.to_vec() }
    }

    fn lost(from: u64, to: u64) -> Piece {
        Piece::Gap(Gap { from, to, cause: GapCause::Lost })
    }

    #[test]
    fn overlaps_and_duplicates_are_trimmed() {
        let mut stream = Assembler::new(100);
        assert_eq!(insert(&mut stream, chunk(0, b"abcd")), [bytes(0, b"abcd")]);
        assert_eq!(insert(&mut stream, chunk(0, b"abcd")), []);
        assert_eq!(insert(&mut stream, chunk(2, b"cdef")), [bytes(4, b"ef")]);
        assert_eq!(insert(&mut stream, chunk(6, b"")), []);
        assert_eq!(insert(&mut stream, chunk(6, b"g")), [bytes(6, b"g")]);
    }

    #[test]
    fn what_comes_early_waits_for_what_is_late() {
        let mut stream = Assembler::new(100);
        assert_eq!(insert(&mut stream, chunk(6, b"gh")), []);
        assert_eq!(insert(&mut stream, chunk(3, b"def")), []);
        assert_eq!(insert(&mut stream, chunk(3, b"de")), []);
        assert_eq!(stream.waiting_since(), Some(Monotonic(1)));
        assert_eq!(stream.held_bytes(), 5);
        assert_eq!(insert(&mut stream, chunk(0, b"abcde")), [bytes(0, b"abcde"), bytes(5, b"f"), bytes(6, b"gh")]);
        assert_eq!((stream.waiting_since(), stream.held_bytes()), (None, 0));
    }

    #[test]
    fn bytes_that_were_not_copied_are_a_gap_with_their_cause() {
        let mut stream = Assembler::new(100);
        let cut = Chunk { length: 10, cut: Some(GapCause::Limit), ..chunk(0, b"abcd") };
        let gap = Piece::Gap(Gap { from: 4, to: 10, cause: GapCause::Limit });
        assert_eq!(insert(&mut stream, cut), [bytes(0, b"abcd"), gap]);
        assert_eq!(insert(&mut stream, chunk(10, b"x")), [bytes(10, b"x")]);
    }

    #[test]
    fn waiting_ends_at_the_limit_and_when_given_up() {
        let mut stream = Assembler::new(4);
        assert_eq!(insert(&mut stream, chunk(2, b"cd")), []);
        assert_eq!(insert(&mut stream, chunk(8, b"ijk")), [lost(0, 2), bytes(2, b"cd")]);
        let mut pieces = Vec::new();
        stream.give_up(&mut pieces);
        assert_eq!(pieces, [lost(4, 8), bytes(8, b"ijk")]);
        assert_eq!(stream.waiting_since(), None);
    }

    #[test]
    fn many_tiny_chunks_out_of_order_are_bounded_too() {
        let mut stream = Assembler::new(1 << 20);
        let pieces: Vec<_> = (1..=300).flat_map(|n| insert(&mut stream, chunk(n * 2, b"x"))).collect();
        assert!(pieces.len() >= 2 * (300 - Assembler::HELD_CHUNKS));
    }

    #[test]
    fn offsets_beyond_the_end_of_counting_are_an_error() {
        let mut stream = Assembler::new(4);
        let error = stream.insert(chunk(u64::MAX, b"ab"), Monotonic(1), &mut Vec::new());
        assert_eq!(error, Err(StreamError::OffsetOverflow { offset: u64::MAX, length: 2 }));
    }
}
