//! What was said already, so that discovery's endless repetitions do not become endless observations.

use std::collections::HashMap;
use std::hash::Hash;

use crate::event::Monotonic;

/// What is not repeated for this long may be forgotten when room is needed, in nanoseconds.
const FORGET_AFTER_NS: u64 = 600_000_000_000;
/// Room is made at most this often, in nanoseconds.
const SWEEP_INTERVAL_NS: u64 = 1_000_000_000;

/// A bounded map whose entries know when they were used last.
#[derive(Debug)]
pub(super) struct Seen<K, V> {
    entries: HashMap<K, (V, Monotonic)>,
    limit: usize,
    swept: Option<Monotonic>,
}

impl<K: Eq + Hash, V: Default> Seen<K, V> {
    pub fn new(limit: usize) -> Self {
        Self { entries: HashMap::new(), limit, swept: None }
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The entry of `key`, made when there is none; `None` when there is no room for it.
    pub fn entry(&mut self, key: K, now: Monotonic) -> Option<&mut V> {
        if self.entries.len() >= self.limit && !self.entries.contains_key(&key) {
            let due = self.swept.is_none_or(|swept| now.since(swept).as_nanos() >= u128::from(SWEEP_INTERVAL_NS));
            if due {
                self.swept = Some(now);
                self.entries.retain(|_, (_, used)| now.since(*used).as_nanos() < u128::from(FORGET_AFTER_NS));
            }
            if self.entries.len() >= self.limit {
                return None;
            }
        }
        let (value, used) = self.entries.entry(key).or_insert_with(|| (V::default(), now));
        *used = now;
        Some(value)
    }

    pub fn remove_if(&mut self, mut condition: impl FnMut(&K) -> bool) {
        self.entries.retain(|key, _| !condition(key));
    }

    pub fn contains(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(value, _)| value)
    }

    pub fn drain(&mut self) -> impl Iterator<Item = (K, V)> {
        self.entries.drain().map(|(key, (value, _))| (key, value))
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_and_the_stale_make_room() {
        let mut seen: Seen<u32, u32> = Seen::new(2);
        assert!(seen.entry(1, Monotonic(0)).is_some());
        assert!(seen.entry(2, Monotonic(FORGET_AFTER_NS)).is_some());
        assert!(seen.entry(3, Monotonic(FORGET_AFTER_NS)).is_some(), "1 was forgotten");
        assert!(seen.entry(4, Monotonic(FORGET_AFTER_NS + SWEEP_INTERVAL_NS)).is_none());
        assert!(seen.contains(&2) && seen.contains(&3) && seen.len() == 2);
    }
}
