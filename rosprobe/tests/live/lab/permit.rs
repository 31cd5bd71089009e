//! How many labs may run at the same moment: what a test waits for must not wait for a processor.

use std::sync::{Condvar, Mutex, PoisonError};

/// Labs at the same moment, in all tests of this process.
const LABS: u32 = 4;

static RUNNING: Mutex<u32> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// The right to one lab.
pub struct Permit(());

impl Permit {
    /// Waits until there is room.
    pub fn new() -> Self {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = ENDED.wait_while(running, |running| *running >= LABS).unwrap_or_else(PoisonError::into_inner);
        *running += 1;
        Self(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_one();
    }
}
