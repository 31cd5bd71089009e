//! How many labs may run at the same moment: what a test waits for must not wait for a processor.

use std::sync::{Condvar, Mutex, PoisonError};

/// Labs at the same moment, in all tests of this process.
const LABS: u32 = 4;

static RUNNING: Mutex<u32> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// The right to one lab, or to be the only one.
pub struct Permit(u32);

impl Permit {
    /// Waits until there is room for one more.
    pub fn one() -> Self {
        Self::take(1)
    }

    /// Waits until no other lab runs, and keeps others from it.
    pub fn all() -> Self {
        Self::take(LABS)
    }

    fn take(share: u32) -> Self {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |running: &mut u32| *running + share > LABS;
        let mut running = ENDED.wait_while(running, full).unwrap_or_else(PoisonError::into_inner);
        *running += share;
        Self(share)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        ENDED.notify_all();
    }
}
