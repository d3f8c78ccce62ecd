//! How a fetch waits for records (`fetch.min.bytes`, `fetch.max.wait.ms`) without asking again and again.
//!
//! A fetch that finds too little registers one [`FetchWaiter`] with each of its partitions. An append credits the
//! waiter with its bytes; when enough have come, or something happened that the client must know, it wakes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// One waiting fetch.
#[derive(Debug)]
pub(crate) struct FetchWaiter {
    /// Bytes that must still come.
    missing: AtomicI64,
    notify: Notify,
    /// It reads committed records only.
    committed_only: bool,
}

impl FetchWaiter {
    pub(crate) fn new(missing: i64, committed_only: bool) -> Arc<Self> {
        Arc::new(Self { missing: AtomicI64::new(missing), notify: Notify::new(), committed_only })
    }

    /// Returns when enough bytes have come, also if they came before this was called.
    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }

    /// So many of the missing bytes have come.
    pub(crate) fn credit(&self, bytes: i64) {
        if bytes > 0 && self.missing.fetch_sub(bytes, Ordering::AcqRel) <= bytes {
            self.notify.notify_one();
        }
    }
}

/// The fetches that wait on a partition.
#[derive(Debug, Default)]
pub(crate) struct FetchWaiters {
    waiting: Mutex<Vec<Arc<FetchWaiter>>>,
}

impl FetchWaiters {
    /// Registers a waiter until the returned guard is dropped.
    pub(crate) fn register<'a>(&'a self, waiter: &Arc<FetchWaiter>) -> Registration<'a> {
        self.waiting.lock().push(Arc::clone(waiter));
        Registration { waiters: self, waiter: Arc::clone(waiter) }
    }

    /// Records of this many bytes were appended. Those that lie behind the beginning of an open transaction are nothing to
    /// who reads committed records: of what was appended, `stable` bytes do not.
    pub(crate) fn appended(&self, bytes: usize, stable: usize) {
        for waiter in self.waiting.lock().iter() {
            let bytes = if waiter.committed_only { stable } else { bytes };
            waiter.credit(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// A transaction has ended, so that who reads committed records gets what it held back.
    pub(crate) fn stabilised(&self) {
        for waiter in self.waiting.lock().iter().filter(|waiter| waiter.committed_only) {
            waiter.notify.notify_one();
        }
    }

    /// Something else happened that a fetch must answer: the partition is gone.
    pub(crate) fn wake_all(&self) {
        for waiter in self.waiting.lock().iter() {
            waiter.notify.notify_one();
        }
    }
}

/// Keeps a waiter registered.
#[derive(Debug)]
pub(crate) struct Registration<'a> {
    waiters: &'a FetchWaiters,
    waiter: Arc<FetchWaiter>,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        let mut waiting = self.waiters.waiting.lock();
        if let Some(index) = waiting.iter().position(|waiter| Arc::ptr_eq(waiter, &self.waiter)) {
            waiting.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn is_woken(waiter: &FetchWaiter) -> bool {
        tokio::time::timeout(Duration::from_millis(20), waiter.woken()).await.is_ok()
    }

    #[tokio::test]
    async fn it_wakes_when_enough_has_come_and_not_before() {
        let waiters = FetchWaiters::default();
        let waiter = FetchWaiter::new(100, false);
        let registration = waiters.register(&waiter);
        waiters.appended(60, 60);
        assert!(!is_woken(&waiter).await);
        waiters.appended(40, 40);
        assert!(is_woken(&waiter).await, "what came before it was waited for counts");
        drop(registration);
        assert!(waiters.waiting.lock().is_empty());
    }

    #[tokio::test]
    async fn open_transactions_do_not_wake_who_reads_committed_records() {
        let waiters = FetchWaiters::default();
        let waiter = FetchWaiter::new(1, true);
        let _registration = waiters.register(&waiter);
        waiters.appended(60, 0);
        assert!(!is_woken(&waiter).await);
        waiters.stabilised();
        assert!(is_woken(&waiter).await);
    }
}
