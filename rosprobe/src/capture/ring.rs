//! The reading end of the ring buffer, and when to look into it.
//!
//! A wake-up costs the watched program, and rosprobe more than the few records that came: most of what a look costs is that nothing of
//! rosprobe is in the processor's caches any more. So a wake-up says only that there will be something to look at. As long as records
//! come, the buffer is looked into now and then, and nobody listens to wake-ups; when a look finds nothing, one is waited for.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use aya::maps::{Map, RingBuf};
use rosprobe_common::WAKE_UP_INTERVAL;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until, timeout};

use super::backlog::Backlog;
use super::capture_error::CaptureError;

/// The name of its map.
const NAME: &str = "EVENTS";
/// From a wake-up to the look: what belongs to it has come by then.
const LOOK_AFTER: Duration = Duration::from_nanos(4 * WAKE_UP_INTERVAL);
/// Between two looks. Records that came without a wake-up are there after this time: the interval, and as much for one that is still on
/// its way. Twice that again: a finding is still there long before anybody asks.
const LOOK_AGAIN: Duration = Duration::from_nanos(8 * WAKE_UP_INTERVAL);
/// The same where much comes: the default buffer holds about 70 ms of the fastest that was seen, 5,000 connections in 0.3 s.
const LOOK_SOON: Duration = Duration::from_nanos(WAKE_UP_INTERVAL);
/// Bytes between two looks that are much.
const MUCH: usize = 64 * 1024;
/// A record whose program was held up for longer than that is found after this time at the latest.
const LOOK_ANYWAY: Duration = Duration::from_millis(250);

/// The reading end of the ring buffer.
pub(super) struct Ring {
    backlog: Backlog,
    /// The ring buffer's own descriptor, for wake-ups.
    descriptor: OwnedFd,
    /// Where wake-ups arrive. Only while one is waited for: each would wake us, asked or not.
    wake_ups: Option<AsyncFd<OwnedFd>>,
    pace: Pace,
    /// When to look without having been woken.
    look_again: Option<Instant>,
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
    /// A look is over: after which time comes the next; `None` when a wake-up can be relied on.
    fn next(&mut self) -> Option<Duration> {
        let much = self.found >= MUCH;
        // Nothing after a short time does not mean that the interval without wake-ups is over.
        let nothing = self.found == 0 && !self.soon;
        *self = Self { found: 0, soon: much };
        (!nothing).then_some(if much { LOOK_SOON } else { LOOK_AGAIN })
    }
}

impl Ring {
    pub fn new(map: Map, held_back: &[Vec<u8>]) -> Result<Self, CaptureError> {
        let buffer = RingBuf::try_from(map).map_err(CaptureError::map(NAME))?;
        let descriptor = buffer.as_fd().try_clone_to_owned().map_err(CaptureError::Poll)?;
        let backlog = Backlog::new(buffer, held_back);
        // For what has come since the programs were attached.
        let look_again = Some(Instant::now());
        Ok(Self { backlog, descriptor, wake_ups: None, pace: Pace::default(), look_again })
    }

    /// What is there already counts as a wake-up.
    fn listen(&mut self) -> io::Result<&mut AsyncFd<OwnedFd>> {
        let listening = if let Some(listening) = self.wake_ups.take() {
            listening
        } else {
            let descriptor = self.descriptor.try_clone()?;
            // SAFETY: it owns its descriptor, gives the same one each time, and lives as long as the registration.
            unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?
        };
        Ok(self.wake_ups.insert(listening))
    }

    /// Waits until it is time to look for records. May be dropped at any time.
    pub async fn ready(&mut self) -> io::Result<()> {
        if self.look_again.is_none()
            && let Ok(woken) = timeout(LOOK_ANYWAY, self.listen()?.readable_mut()).await
        {
            drop(woken?);
            self.look_in(LOOK_AFTER);
        }
        if let Some(at) = self.look_again {
            sleep_until(at).await;
        }
        Ok(())
    }

    /// Nobody listens until then.
    fn look_in(&mut self, pause: Duration) {
        self.wake_ups = None;
        self.look_again = Some(Instant::now() + pause);
    }

    /// Takes the next record. Without one the look is over, and `ready` waits for the next.
    pub fn next(&mut self, raw: &mut Vec<u8>) -> bool {
        if self.backlog.next(raw) {
            self.pace.found += raw.len();
            return true;
        }
        self.backlog.grows(self.pace.found >= MUCH);
        match self.pace.next() {
            Some(pause) => self.look_in(pause),
            // What came since is waited for: it counts as a wake-up.
            None => self.look_again = None,
        }
        false
    }

    /// A second has passed.
    pub fn rest(&mut self) {
        self.backlog.rest();
    }

    /// There may be more records: the look goes on at once.
    pub fn interrupted(&mut self) {
        self.backlog.grows(true);
        self.look_again = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_up_is_waited_for_only_when_the_interval_without_them_brought_nothing() {
        let mut pace = Pace::default();
        for (found, next) in [
            (0, None),
            (100, Some(LOOK_AGAIN)),
            (100, Some(LOOK_AGAIN)),
            (0, None),
            (MUCH, Some(LOOK_SOON)),
            (MUCH, Some(LOOK_SOON)),
            (100, Some(LOOK_AGAIN)),
            (MUCH, Some(LOOK_SOON)),
            (0, Some(LOOK_AGAIN)),
            (0, None),
        ] {
            pace.found = found;
            assert_eq!(pace.next(), next, "{found} bytes");
        }
        assert!(LOOK_AGAIN >= Duration::from_nanos(2 * WAKE_UP_INTERVAL), "the promise of the kernel side");
    }
}
