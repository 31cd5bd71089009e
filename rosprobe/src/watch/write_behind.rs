//! What is printed, on its way out. A disk that writes back, or a reader that pauses, takes nothing for up to some hundred milliseconds,
//! while the ring buffer holds 35 of a storm. So little is written at once, and much by a thread of its own.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Bytes that are handed over at once. Less is written without the thread: waking it costs more than writing.
const CHUNK: usize = 128 * 1024;
/// Chunks that wait, 32 MB. With more, printing waits; what finds no room in the ring buffer then is counted as lost.
const WAITING_LIMIT: usize = 256;
/// Empty chunks that are kept to be filled again: giving so much memory back and asking for it again costs more than filling it.
const EMPTY_LIMIT: usize = 4;

/// A buffer before `W`. What is written keeps its order; an error may be that of an earlier write.
#[derive(Debug)]
pub(super) struct WriteBehind<W> {
    out: Arc<Mutex<W>>,
    chunk: Vec<u8>,
    /// Made when it is needed first.
    thread: Option<Thread>,
}

#[derive(Debug)]
struct Thread {
    chunks: Option<SyncSender<Vec<u8>>>,
    /// Those that were written.
    empty: Receiver<Vec<u8>>,
    state: Arc<State>,
    handle: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// Chunks that are not written yet.
    waiting: AtomicUsize,
    /// Why the thread has ended.
    failure: Mutex<Option<io::Error>>,
}

impl<W: Write + Send + 'static> WriteBehind<W> {
    pub fn new(out: W) -> Self {
        Self { out: Arc::new(Mutex::new(out)), chunk: Vec::with_capacity(CHUNK), thread: None }
    }

    /// Waits until everything is written.
    pub fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        let state = self.thread.take().map(|thread| Arc::clone(&thread.state));
        state.map_or(Ok(()), |state| state.check())?;
        lock(&self.out).flush()
    }

    /// What was written to, with everything written.
    #[cfg(test)]
    pub fn into_inner(mut self) -> io::Result<W> {
        self.finish()?;
        let out = Arc::into_inner(self.out).ok_or_else(|| io::Error::other("the thread still has it"))?;
        Ok(out.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let thread = match &mut self.thread {
            Some(thread) => thread,
            none => none.insert(Thread::start(Arc::clone(&self.out))?),
        };
        let empty = thread.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(CHUNK));
        thread.take(std::mem::replace(&mut self.chunk, empty))
    }
}

impl<W: Write + Send + 'static> Write for WriteBehind<W> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A chunk that grew would be copied.
        if !self.chunk.is_empty() && self.chunk.len() + bytes.len() > CHUNK {
            self.hand_over()?;
        }
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK {
            self.hand_over()?;
        }
        Ok(bytes.len())
    }

    /// Without the loop for a writer that takes a part: a line is written in hundreds of pieces.
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes).map(drop)
    }

    /// Afterwards everything is written, or the thread has it.
    fn flush(&mut self) -> io::Result<()> {
        if let Some(thread) = &self.thread {
            thread.state.check()?;
            if thread.state.waiting.load(Ordering::Acquire) > 0 {
                return if self.chunk.is_empty() { Ok(()) } else { self.hand_over() };
            }
        }
        let mut out = lock(&self.out);
        let written = out.write_all(&self.chunk);
        self.chunk.clear();
        written?;
        out.flush()
    }
}

impl Thread {
    fn start<W: Write + Send + 'static>(out: Arc<Mutex<W>>) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING_LIMIT);
        let (emptied, empty) = sync_channel(EMPTY_LIMIT);
        let state = Arc::new(State::default());
        let of_thread = Arc::clone(&state);
        let builder = thread::Builder::new().name("printing".to_owned());
        let handle = builder.spawn(move || of_thread.write(&receiver, &emptied, &out))?;
        Ok(Self { chunks: Some(sender), empty, state, handle: Some(handle) })
    }

    fn take(&self, chunk: Vec<u8>) -> io::Result<()> {
        self.state.waiting.fetch_add(1, Ordering::AcqRel);
        let taken = self.chunks.as_ref().is_some_and(|chunks| chunks.send(chunk).is_ok());
        if taken {
            return Ok(());
        }
        self.state.check()?;
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

impl Drop for Thread {
    /// Waits until it has written what waits.
    fn drop(&mut self) {
        self.chunks = None;
        drop(self.handle.take().map(JoinHandle::join));
    }
}

impl State {
    fn check(&self) -> io::Result<()> {
        lock(&self.failure).take().map_or(Ok(()), Err)
    }

    fn write<W: Write>(&self, chunks: &Receiver<Vec<u8>>, emptied: &SyncSender<Vec<u8>>, out: &Mutex<W>) {
        for mut chunk in chunks {
            let mut out = lock(out);
            let written = out.write_all(&chunk).and_then(|()| {
                let last = self.waiting.load(Ordering::Acquire) == 1;
                if last { out.flush() } else { Ok(()) }
            });
            if let Err(error) = written {
                *lock(&self.failure) = Some(error);
                return;
            }
            drop(out);
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            chunk.clear();
            chunk.shrink_to(CHUNK);
            // One that there is no room for is given back.
            let _ = emptied.try_send(chunk);
        }
    }
}

/// A panic of the other side leaves bytes behind and nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    use super::*;

    /// Takes a write each time it is allowed to, and all when nobody can allow it any more.
    struct Slow {
        allowed: Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.allowed.recv();
            lock(&self.written).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (WriteBehind<Slow>, Sender<()>, Arc<Mutex<Vec<u8>>>) {
        let (allow, allowed) = channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        (WriteBehind::new(Slow { allowed, written: Arc::clone(&written) }), allow, written)
    }

    fn lines(range: std::ops::Range<usize>) -> String {
        range.map(|number| format!("{{\"type\":\"observation\",\"id\":{number}}}\n")).collect::<Vec<_>>().concat()
    }

    #[test]
    fn nobody_waits_for_a_disk_that_takes_nothing_and_order_is_kept() {
        let (mut out, allow, written) = slow();
        let much = lines(0..100_000);
        for line in much.split_inclusive('\n') {
            out.write_all(line.as_bytes()).unwrap();
        }
        // Little that comes after much waits behind it.
        out.flush().unwrap();
        let after = lines(100_000..100_010);
        out.write_all(after.as_bytes()).unwrap();
        out.flush().unwrap();
        assert!(much.len() > 20 * CHUNK && lock(&written).is_empty(), "it came to here although nothing was taken");
        drop(allow);
        out.finish().unwrap();
        assert_eq!(*lock(&written), (much + &after).into_bytes());
    }

    #[test]
    fn little_is_there_after_a_flush_and_needs_no_thread() {
        let (mut out, allow, written) = slow();
        drop(allow);
        for _ in 0..100 {
            out.write_all(b"a line\n").unwrap();
            out.flush().unwrap();
        }
        assert_eq!((lock(&written).len(), out.thread.is_none()), (700, true));
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut out, allow, written) = slow();
        let (said, heard) = channel();
        let chunk = vec![b'x'; CHUNK];
        let printing = thread::spawn(move || {
            for number in 0..WAITING_LIMIT + 10 {
                out.write_all(&chunk).unwrap();
                said.send(number).unwrap();
            }
            out.finish().unwrap();
        });
        let last = std::iter::from_fn(|| heard.recv_timeout(Duration::from_millis(500)).ok()).last();
        // One is with the thread already.
        assert!(last.is_some_and(|last| (WAITING_LIMIT - 1..=WAITING_LIMIT).contains(&last)), "{last:?}");
        drop(allow);
        let _ = heard.iter().last();
        printing.join().unwrap();
        assert_eq!(lock(&written).len(), (WAITING_LIMIT + 10) * CHUNK);
    }

    #[test]
    fn that_nobody_reads_any_more_is_told_by_a_later_write_or_at_the_end() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut out, chunk) = (WriteBehind::new(Closed), vec![0; CHUNK]);
        let error = (0..100).find_map(|_| out.write_all(&chunk).err()).or_else(|| out.finish().err());
        assert_eq!(error.map(|error| error.kind()), Some(io::ErrorKind::BrokenPipe));
        let mut out = WriteBehind::new(Closed);
        out.write_all(b"a line\n").unwrap();
        assert_eq!(out.flush().map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe));
    }
}
