//! A timer of the kernel's. tokio's own wakes us twice for each time: once more where it crosses a multiple of 64 ms.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub(super) struct Timer {
    timer: TimerFd,
    expirations: AsyncFd<OwnedFd>,
}

impl Timer {
    /// A timer that is not set. Call it inside a tokio runtime.
    pub fn new() -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let expirations = readable(&timer)?;
        Ok(Self { timer, expirations })
    }

    /// Expires once in each `period` from now on.
    pub fn set(&self, period: Duration) -> io::Result<()> {
        Ok(self.timer.set(Expiration::Interval(TimeSpec::from_duration(period)), TimerSetTimeFlags::empty())?)
    }

    /// Waits until it expires. May be dropped at any time.
    pub async fn expired(&self) -> io::Result<()> {
        loop {
            self.expirations.readable().await?.clear_ready();
            // It goes on only once that was read. Set again meanwhile, it has not expired.
            match self.timer.wait() {
                Err(Errno::EAGAIN) => {}
                read => return Ok(read?),
            }
        }
    }
}

/// Waits for `descriptor` to become readable, once for each time that it says so. Call it inside a tokio runtime.
pub(super) fn readable(descriptor: &impl AsFd) -> io::Result<AsyncFd<OwnedFd>> {
    let descriptor = descriptor.as_fd().try_clone_to_owned()?;
    // SAFETY: it owns its descriptor, gives the same one each time, and lives as long as the registration.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn it_expires_each_time_and_anew_when_it_is_set_again() {
        let timer = Timer::new().unwrap();
        let soon = Duration::from_secs(20);
        assert!(timeout(Duration::from_millis(30), timer.expired()).await.is_err(), "it is not set");
        timer.set(Duration::from_millis(5)).unwrap();
        for _ in 0..3 {
            timeout(soon, timer.expired()).await.unwrap().unwrap();
        }
        timer.set(Duration::from_hours(1)).unwrap();
        assert!(timeout(Duration::from_millis(30), timer.expired()).await.is_err(), "an hour is not over");
    }
}
