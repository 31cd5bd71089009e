//! What a program has said so far, for whoever waits for the next thing it says.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A growing list that others can wait on.
pub struct Record<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    items: Vec<T>,
    closed: bool,
}

impl<T> Default for Record<T> {
    fn default() -> Self {
        Self { state: Mutex::new(State { items: Vec::new(), closed: false }), changed: Condvar::new() }
    }
}

impl<T> Record<T> {
    pub fn push(&self, item: T) {
        self.lock().items.push(item);
        self.changed.notify_all();
    }

    /// Nothing further will come: nobody needs to wait any more.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Looks at all items whenever one is added, until `find` finds what it is after, nothing more can come, or time is up.
    pub fn wait<R>(&self, limit: Duration, mut find: impl FnMut(&[T]) -> Option<R>) -> Option<R> {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if let Some(found) = find(&state.items) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until nothing further can come.
    pub fn wait_closed(&self, limit: Duration) {
        self.wait(limit, |_| None::<()>);
    }

    /// Looks at all items now.
    pub fn with<R>(&self, look: impl FnOnce(&[T]) -> R) -> R {
        look(&self.lock().items)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
