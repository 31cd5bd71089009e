//! How late this machine wakes whoever asked to be woken: where a promise is about time, that much is not rosprobe's fault.

use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// What is asked for, over and over.
const NAP: Duration = Duration::from_millis(10);
/// As late as this anybody is at times.
const USUAL: SignedDuration = SignedDuration::from_millis(2);

static NAPS: Mutex<Naps> = Mutex::new(Naps { last: Timestamp::UNIX_EPOCH, late: Vec::new() });
static ENDED: Condvar = Condvar::new();

struct Naps {
    /// When the last one should have ended.
    last: Timestamp,
    /// When a late one should have ended, and how late it was.
    late: Vec<(Timestamp, SignedDuration)>,
}

/// Begins to look at it, once for all tests.
pub fn look() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| drop(thread::spawn(nap)));
}

fn nap() {
    loop {
        let due = Timestamp::now() + NAP;
        thread::sleep(NAP);
        let late = Timestamp::now().duration_since(due);
        let mut naps = naps();
        naps.last = due;
        if late > USUAL {
            naps.late.push((due, late));
        }
        ENDED.notify_all();
    }
}

/// How late it was altogether between two moments that are over.
pub fn between(begin: Timestamp, end: Timestamp) -> SignedDuration {
    let naps = ENDED.wait_while(naps(), |naps| naps.last <= end).unwrap_or_else(PoisonError::into_inner);
    let within = naps.late.iter().filter(|(due, late)| *due < end && *due + *late > begin);
    within.map(|(_, late)| *late).sum()
}

fn naps() -> MutexGuard<'static, Naps> {
    NAPS.lock().unwrap_or_else(PoisonError::into_inner)
}
