//! Timers as data: a coordinator arms and disarms them by key, and whoever drives it asks when to wake up and what
//! is due. No clock, no task; a test moves time by passing another `now`.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// Milliseconds on a clock that never goes back. Its zero is whoever drives the coordinator's own.
pub(crate) type Millis = u64;

/// Deadlines by key; a key has at most one.
#[derive(Debug)]
pub(crate) struct TimerQueue<K> {
    deadlines: HashMap<K, Millis>,
    order: BTreeSet<(Millis, K)>,
}

impl<K> Default for TimerQueue<K> {
    fn default() -> Self {
        Self { deadlines: HashMap::new(), order: BTreeSet::new() }
    }
}

impl<K: Clone + Eq + Hash + Ord> TimerQueue<K> {
    /// Sets the deadline for `key`, in place of the one it had.
    pub(crate) fn arm(&mut self, key: K, at: Millis) {
        self.disarm(&key);
        self.deadlines.insert(key.clone(), at);
        self.order.insert((at, key));
    }

    /// Whether there is a deadline for `key`.
    pub(crate) fn is_armed(&self, key: &K) -> bool {
        self.deadlines.contains_key(key)
    }

    /// Takes the deadline away, if there is one.
    pub(crate) fn disarm(&mut self, key: &K) {
        if let Some(at) = self.deadlines.remove(key) {
            self.order.remove(&(at, key.clone()));
        }
    }

    /// When the next timer is due.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes the first timer that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Millis) -> Option<K> {
        let (at, _) = self.order.first()?;
        if *at > now {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.deadlines.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_due_in_order_and_only_as_last_armed() {
        let mut timers = TimerQueue::default();
        timers.arm("a", 10);
        timers.arm("b", 5);
        timers.arm("c", 7);
        timers.arm("b", 20);
        timers.disarm(&"c");
        assert_eq!(timers.next_deadline(), Some(10));
        assert_eq!(timers.pop_due(9), None);
        assert_eq!(timers.pop_due(30), Some("a"));
        assert_eq!(timers.pop_due(30), Some("b"));
        assert_eq!(timers.pop_due(30), None);
        assert_eq!(timers.next_deadline(), None);
    }
}
