//! The reading end of the ring buffer, and when to look into it.
//!
//! A wake-up costs the watched program, and rosprobe more than the few records that came: most of what a look costs is that nothing of
//! rosprobe is in the processor's caches any more. So a wake-up says only that there will be something to look at. As long as records
//! come, the buffer is looked into now and then, and the kernel side, which is told so, wakes nobody unless the buffer fills; when a look
//! finds nothing, a wake-up is waited for.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{Array, MapData, RingBuf};
use rosprobe_common::WAKE_UP_INTERVAL;
use tokio::io::unix::AsyncFd;

use super::backlog::Backlog;
use super::capture_error::CaptureError;
use super::object;
use super::timer::{Timer, readable};

/// From a wake-up to the look: what belongs to it has come by then.
const LOOK_AFTER: Duration = Duration::from_nanos(4 * WAKE_UP_INTERVAL);
/// Between two looks: a finding is still there before anybody asks. Records that came when nobody was to be woken for them are there
/// after twice the interval.
const LOOK_AGAIN: Duration = Duration::from_nanos(12 * WAKE_UP_INTERVAL);
/// The same where much comes: the default buffer holds about 35 ms of the fastest that was seen, 20,000 calls of 1 kB a second.
const LOOK_SOON: Duration = Duration::from_nanos(WAKE_UP_INTERVAL);
/// Bytes that are much after [`LOOK_SOON`], and in the same time after [`LOOK_AGAIN`].
const MUCH: [usize; 2] = [64 * 1024, 12 * 64 * 1024];
/// A record whose program was held up for longer than that is found after this time at the latest.
const LOOK_ANYWAY: Duration = Duration::from_millis(250);

/// The reading end of the ring buffer.
pub(super) struct Ring {
    backlog: Backlog,
    /// Where wake-ups arrive.
    wake_ups: AsyncFd<OwnedFd>,
    /// Tells the kernel side whether a look is to come.
    looking: Array<MapData, u32>,
    /// What it was told last.
    told: bool,
    timer: Timer,
    pace: Pace,
    next: Look,
}

/// When to look for records the next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Now,
    /// When the timer expires, or earlier where the ring buffer fills.
    Later,
    /// Some time after the next wake-up.
    WhenWoken,
}

/// How soon to look again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pace {
    /// Bytes that this look has found so far.
    found: usize,
    /// The last look found much, so that this one came soon.
    soon: bool,
}

impl Pace {
    /// Whether this look has found so much that the next comes soon.
    fn much(self) -> bool {
        let [soon, again] = MUCH;
        self.found >= if self.soon { soon } else { again }
    }

    /// A look is over: after which time comes the next; `None` when a wake-up can be relied on.
    fn next(&mut self) -> Option<Duration> {
        let much = self.much();
        // Nothing after a short time does not mean that the interval without wake-ups is over.
        let nothing = self.found == 0 && !self.soon;
        *self = Self { found: 0, soon: much };
        (!nothing).then_some(if much { LOOK_SOON } else { LOOK_AGAIN })
    }
}

impl Ring {
    /// Takes its maps out of `ebpf`. Call it inside a tokio runtime.
    pub fn new(ebpf: &mut Ebpf, held_back: &[Vec<u8>]) -> Result<Self, CaptureError> {
        let buffer = RingBuf::try_from(object::take_map(ebpf, "EVENTS")?).map_err(CaptureError::map("EVENTS"))?;
        let looking = Array::try_from(object::take_map(ebpf, "LOOKING")?).map_err(CaptureError::map("LOOKING"))?;
        let wake_ups = readable(&buffer).map_err(CaptureError::Poll)?;
        let timer = Timer::new().map_err(CaptureError::Poll)?;
        let backlog = Backlog::new(buffer, held_back);
        // For what has come since the programs were attached.
        Ok(Self { backlog, wake_ups, looking, told: false, timer, pace: Pace::default(), next: Look::Now })
    }

    /// Waits until it is time to look for records. May be dropped at any time.
    pub async fn ready(&mut self) -> io::Result<()> {
        if self.next == Look::WhenWoken {
            tokio::select! {
                woken = self.woken() => woken?,
                expired = self.timer.expired() => return expired,
            }
            self.look_in(LOOK_AFTER);
        }
        if self.next == Look::Later {
            return tokio::select! {
                woken = self.woken() => woken,
                expired = self.timer.expired() => expired,
            };
        }
        // Else nothing else would get its turn.
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn woken(&self) -> io::Result<()> {
        self.wake_ups.readable().await?.clear_ready();
        Ok(())
    }

    fn look_in(&mut self, pause: Duration) {
        self.tell_looking(true);
        // A timer that cannot be set costs time of the processor, and no record.
        self.next = if self.timer.set(pause).is_ok() { Look::Later } else { Look::Now };
    }

    fn look_when_woken(&mut self) {
        self.tell_looking(false);
        self.next = if self.timer.set(LOOK_ANYWAY).is_ok() { Look::WhenWoken } else { Look::Now };
    }

    fn tell_looking(&mut self, looking: bool) {
        // Who was not told wakes for nothing, or not, and then there is a look anyway.
        if looking != self.told && self.looking.set(0, u32::from(looking), 0).is_ok() {
            self.told = looking;
        }
    }

    /// Takes the next record. Without one the look is over, and `ready` waits for the next.
    pub fn next(&mut self, raw: &mut Vec<u8>) -> bool {
        if self.take(raw) {
            return true;
        }
        self.backlog.grows(self.pace.much());
        match self.pace.next() {
            Some(pause) => self.look_in(pause),
            None if self.next == Look::WhenWoken => {}
            None => {
                self.look_when_woken();
                // For what has come before that was heard nobody is woken.
                return self.take(raw);
            }
        }
        false
    }

    fn take(&mut self, raw: &mut Vec<u8>) -> bool {
        let taken = self.backlog.next(raw);
        if taken {
            self.pace.found += raw.len();
        }
        taken
    }

    /// A second has passed.
    pub fn rest(&mut self) {
        self.backlog.rest();
    }

    /// There may be more records: the look goes on at once.
    pub fn interrupted(&mut self) {
        self.backlog.grows(true);
        self.tell_looking(true);
        self.next = Look::Now;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use tokio::time::timeout;

    use super::*;
    use crate::capture::Options;
    use crate::capture::start::{self, Started};

    /// A call that somebody sends and somebody else reads.
    fn call(bytes: usize) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let request = format!("POST / HTTP/1.1\r\nContent-Length: {bytes}\r\n\r\n{}", "x".repeat(bytes));
        let reader = std::thread::spawn(move || server.read_to_end(&mut Vec::new()));
        client.write_all(request.as_bytes()).unwrap();
        drop(client);
        reader.join().unwrap().unwrap();
    }

    #[tokio::test(flavor = "current_thread")]
    #[ignore = "needs root and a kernel that loads eBPF"]
    async fn until_the_next_look_a_wake_up_comes_only_when_the_ring_buffer_fills() {
        let Started { mut ebpf, held_back, .. } = start::climb(&Options::default()).unwrap();
        let mut ring = Ring::new(&mut ebpf, &held_back).unwrap();
        let short = Duration::from_millis(100);
        let mut raw = Vec::new();
        while ring.next(&mut raw) || ring.next != Look::WhenWoken {}
        // What has come until now may have woken somebody.
        let _ = timeout(short, ring.woken()).await;
        call(100);
        timeout(short * 100, ring.woken()).await.expect("who waits is woken").unwrap();

        ring.look_in(Duration::from_hours(1));
        call(100);
        assert!(timeout(short, ring.ready()).await.is_err(), "nobody is woken for a little");
        // A quarter of the buffer is a megabyte, and each byte is seen at both ends.
        for _ in 0..10 {
            call(100_000);
            std::thread::sleep(Duration::from_nanos(2 * WAKE_UP_INTERVAL));
        }
        timeout(short * 100, ring.ready()).await.expect("the buffer fills").unwrap();

        while ring.next(&mut raw) {}
        assert_eq!(ring.next, Look::Later);
    }

    #[test]
    fn a_wake_up_is_waited_for_only_when_the_interval_without_them_brought_nothing() {
        let mut pace = Pace::default();
        let [soon, again] = MUCH;
        for (found, next) in [
            (0, None),
            (100, Some(LOOK_AGAIN)),
            (again - 1, Some(LOOK_AGAIN)),
            (0, None),
            (again, Some(LOOK_SOON)),
            (soon, Some(LOOK_SOON)),
            (soon - 1, Some(LOOK_AGAIN)),
            (soon, Some(LOOK_AGAIN)),
            (again, Some(LOOK_SOON)),
            (0, Some(LOOK_AGAIN)),
            (0, None),
        ] {
            pace.found = found;
            assert_eq!(pace.next(), next, "{found} bytes");
        }
        assert!(LOOK_AGAIN >= Duration::from_nanos(2 * WAKE_UP_INTERVAL), "the promise of the kernel side");
    }
}
