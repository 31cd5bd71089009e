//! Records that have come and were not decoded yet: those in the ring buffer, and before them those that were taken out of it to make
//! room. Who decodes and makes findings is away from the ring buffer for as long as that takes. So while much comes a thread of its own
//! looks into it meanwhile, which only copies.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use aya::maps::{MapData, RingBuf};

use super::start::return_memory;

/// Where records come from.
pub(super) trait Source: Send + 'static {
    /// Hands the next record to `take`; false when there is none.
    fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool;
}

impl Source for RingBuf<MapData> {
    fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool {
        let Some(record) = RingBuf::next(self) else { return false };
        take(&record);
        true
    }
}

/// Bytes that are taken out of the ring buffer at most. With more, the ring buffer fills, and what finds no room there is counted as lost.
const LIMIT: usize = 32 * 1024 * 1024;
/// Bytes of one piece of memory: whole pieces are given back.
const CHUNK: usize = 1024 * 1024;
/// Bytes taken that are worth asking the allocator to give back.
const MANY: usize = 4 * CHUNK;
/// Seconds after a burst until its memory is given back: what was made of it has been printed by then.
const REST: u32 = 2;
/// Between two looks of the thread.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// All records that were not decoded yet, the oldest first.
pub(super) struct Backlog {
    shared: Arc<Shared>,
    /// Made when it is needed first.
    thread: Option<JoinHandle<()>>,
    /// What the thread was told last.
    grows: bool,
    /// Seconds since a burst; `None` when its memory was given back.
    rested: Option<u32>,
}

struct Shared {
    records: Mutex<Records>,
    told: Condvar,
}

struct Records {
    source: Box<dyn Source>,
    taken: Taken,
    task: Task,
}

/// What the thread is to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Wait,
    Take,
    End,
}

/// Records one after another in a few pieces of memory, each behind its length.
#[derive(Default)]
struct Taken {
    chunks: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk that were read.
    read: usize,
    /// Bytes in all chunks that were not read.
    bytes: usize,
    /// The most that these were, since memory was given back.
    most: usize,
}

impl Taken {
    fn push(&mut self, record: &[u8]) {
        // The kernel's records have 29 bits of length.
        let Ok(length) = u32::try_from(record.len()) else { return };
        let bytes = size_of_val(&length) + record.len();
        if self.chunks.back().is_none_or(|chunk| chunk.len() + bytes > CHUNK) {
            self.chunks.push_back(Vec::with_capacity(CHUNK.max(bytes)));
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.extend_from_slice(&length.to_ne_bytes());
            chunk.extend_from_slice(record);
            self.bytes += bytes;
            self.most = self.most.max(self.bytes);
        }
    }

    /// Replaces `raw` by the oldest record; false when there is none.
    fn pop(&mut self, raw: &mut Vec<u8>) -> bool {
        let Some(chunk) = self.chunks.front() else { return false };
        let rest = chunk.get(self.read..).unwrap_or_default();
        let Some((length, rest)) = rest.split_first_chunk() else { return false };
        let record = rest.get(..u32::from_ne_bytes(*length) as usize).unwrap_or_default();
        raw.clear();
        raw.extend_from_slice(record);
        let bytes = length.len() + record.len();
        self.read += bytes;
        self.bytes -= bytes;
        if self.read >= chunk.len() {
            self.chunks.pop_front();
            self.read = 0;
        }
        true
    }
}

impl Records {
    /// The oldest record, wherever it is.
    fn next(&mut self, raw: &mut Vec<u8>) -> bool {
        self.taken.pop(raw)
            || self.source.next(&mut |record| {
                raw.clear();
                raw.extend_from_slice(record);
            })
    }

    fn make_room(&mut self) {
        let Self { source, taken, .. } = self;
        while taken.bytes < LIMIT && source.next(&mut |record| taken.push(record)) {}
    }
}

impl Backlog {
    /// What is in `source`, after what was `held_back` of it.
    pub fn new(source: impl Source, held_back: &[Vec<u8>]) -> Self {
        let mut taken = Taken::default();
        for record in held_back {
            taken.push(record);
        }
        let records = Records { source: Box::new(source), taken, task: Task::Wait };
        let shared = Arc::new(Shared { records: Mutex::new(records), told: Condvar::new() });
        Self { shared, thread: None, grows: false, rested: None }
    }

    /// Replaces `raw` by the oldest record; false when there is none.
    pub fn next(&mut self, raw: &mut Vec<u8>) -> bool {
        self.shared.lock().next(raw)
    }

    /// Whether so much comes that the ring buffer is to be looked into meanwhile.
    pub fn grows(&mut self, grows: bool) {
        if grows == self.grows {
            return;
        }
        self.grows = grows;
        self.shared.tell(if grows { Task::Take } else { Task::Wait });
        if grows && self.thread.is_none() {
            let shared = Arc::clone(&self.shared);
            // Without it the ring buffer is all the room there is, and what is lost then is counted.
            self.thread = thread::Builder::new().name("reading".to_owned()).spawn(move || shared.stand_in()).ok();
        }
    }

    /// A second has passed. Gives back the memory of a burst that is over, with what was made of it and freed since.
    pub fn rest(&mut self) {
        if self.grows || std::mem::take(&mut self.shared.lock().taken.most) >= MANY {
            self.rested = Some(0);
        } else if let Some(seconds) = &mut self.rested {
            *seconds += 1;
            if *seconds >= REST {
                self.rested = None;
                return_memory();
            }
        }
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.shared.tell(Task::End);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl Shared {
    /// A panic of the other side leaves whole records behind.
    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, task: Task) {
        self.lock().task = task;
        self.told.notify_one();
    }

    fn stand_in(&self) {
        let mut records = self.lock();
        loop {
            match records.task {
                Task::Wait => records = self.told.wait(records).unwrap_or_else(PoisonError::into_inner),
                Task::Take => {
                    records.make_room();
                    drop(records);
                    thread::sleep(LOOK_EVERY);
                    records = self.lock();
                }
                Task::End => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Gives records of its own size with numbers, as many as it is allowed to.
    struct Numbers {
        next: u64,
        allowed: Arc<Mutex<u64>>,
        size: usize,
    }

    impl Source for Numbers {
        fn next(&mut self, take: &mut dyn FnMut(&[u8])) -> bool {
            if self.next == *self.allowed.lock().unwrap() {
                return false;
            }
            let mut record = vec![0; self.size];
            record[..8].copy_from_slice(&self.next.to_ne_bytes());
            take(&record);
            self.next += 1;
            true
        }
    }

    fn backlog(size: usize, held_back: &[Vec<u8>]) -> (Backlog, Arc<Mutex<u64>>) {
        let allowed = Arc::new(Mutex::new(0));
        (Backlog::new(Numbers { next: 0, allowed: Arc::clone(&allowed), size }, held_back), allowed)
    }

    fn numbers(backlog: &mut Backlog) -> Vec<u64> {
        let mut raw = Vec::new();
        std::iter::from_fn(|| backlog.next(&mut raw).then(|| u64::from_ne_bytes(raw[..8].try_into().unwrap())))
            .collect()
    }

    fn until(what: impl Fn() -> bool) {
        let begun = Instant::now();
        while !what() {
            assert!(begun.elapsed() < Duration::from_secs(20));
            thread::sleep(LOOK_EVERY);
        }
    }

    #[test]
    fn records_keep_their_order_wherever_they_waited() {
        let held_back = [7_u64, 8].map(|number| [number.to_ne_bytes(), [0; 8]].concat());
        let (mut backlog, allowed) = backlog(1000, &held_back);
        assert_eq!(numbers(&mut backlog), [7, 8]);
        *allowed.lock().unwrap() = 5000;
        backlog.grows(true);
        until(|| backlog.shared.lock().taken.bytes == 5000 * 1004);
        backlog.grows(false);
        *allowed.lock().unwrap() = 6000;
        assert_eq!(numbers(&mut backlog), (0..6000).collect::<Vec<_>>());
        assert!(backlog.shared.lock().taken.chunks.is_empty(), "memory is given back");
    }

    #[test]
    fn what_is_taken_ahead_is_bounded_and_the_rest_stays_where_it_is() {
        let (mut backlog, allowed) = backlog(100_000, &[]);
        *allowed.lock().unwrap() = 1000;
        backlog.grows(true);
        until(|| backlog.shared.lock().taken.bytes >= LIMIT);
        thread::sleep(LOOK_EVERY * 4);
        let bytes = backlog.shared.lock().taken.bytes;
        assert!(bytes < LIMIT + 100_004, "{bytes}");
        assert_eq!(numbers(&mut backlog), (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn in_calm_nothing_is_taken_ahead() {
        let (mut backlog, allowed) = backlog(100, &[]);
        backlog.grows(true);
        backlog.grows(false);
        thread::sleep(LOOK_EVERY * 4);
        *allowed.lock().unwrap() = 10;
        thread::sleep(LOOK_EVERY * 4);
        assert_eq!(backlog.shared.lock().taken.bytes, 0);
        assert_eq!(numbers(&mut backlog).len(), 10);
    }
}
