//! Who waits for the disk, and who sees to it that nobody waits longer than for one flush.
//!
//! By default nobody does: an acknowledged record survives the process. A flush is asked for by `flush.messages` (the append
//! that reaches it waits), by `flush.ms` (nobody waits), and with [`brooklet.flush.before.ack`](crate::config) by each
//! append with acks=all and by all that coordinators write.
//!
//! A partition flushes on the blocking pool, without its lock. Whoever asks while it does so waits for the next flush,
//! which is for all of them. What coordinators have written is noted here, and no request is answered that may speak of it
//! before it is on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use brooklet_storage::Error;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::partition::Partition;

/// See the module.
#[derive(Debug)]
pub(crate) struct Flusher {
    /// `brooklet.flush.before.ack`.
    before_ack: bool,
    runtime: Handle,
    /// Partitions with records of coordinators that somebody must wait for.
    unflushed: Mutex<Vec<Arc<Partition>>>,
    /// Whether there are any.
    any_unflushed: AtomicBool,
    /// How often a partition could not be flushed.
    failures: AtomicU64,
}

/// How many flushes had failed when a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FailuresSeen(u64);

/// Whoever waits for a flush is told how it went.
pub(crate) type FlushWaiter = oneshot::Sender<Result<(), Error>>;

/// Who waits for a partition's next flush.
#[derive(Debug, Default)]
pub(crate) struct FlushWaiters {
    running: bool,
    waiting: Vec<FlushWaiter>,
}

impl FlushWaiters {
    /// Adds who waits for what has been appended to be on disk. Returns whether flushing must be begun for it.
    pub(crate) fn add(&mut self, waiter: FlushWaiter) -> bool {
        self.waiting.push(waiter);
        !std::mem::replace(&mut self.running, true)
    }

    /// Those for whom a flush is now begun; `None` ends the flushing.
    fn next_round(&mut self) -> Option<Vec<FlushWaiter>> {
        self.running = !self.waiting.is_empty();
        self.running.then(|| std::mem::take(&mut self.waiting))
    }
}

impl Flusher {
    /// For the runtime that this is called in.
    pub(crate) fn new(before_ack: bool) -> Self {
        Self {
            before_ack,
            runtime: Handle::current(),
            unflushed: Mutex::default(),
            any_unflushed: AtomicBool::new(false),
            failures: AtomicU64::new(0),
        }
    }

    /// Whether an append waits for the disk before it is acknowledged, where its producer wants all replicas to have it.
    pub(crate) fn before_ack(&self) -> bool {
        self.before_ack
    }

    /// Flushes a partition for those who wait, round after round.
    pub(crate) fn begin(&self, partition: &Arc<Partition>) {
        let partition = Arc::clone(partition);
        self.runtime.spawn_blocking(move || {
            loop {
                let Some(round) = partition.flush_waiters().lock().next_round() else {
                    return;
                };
                let flushed = partition.flush_appended();
                for waiter in round {
                    // Who waited may have gone.
                    let _ = waiter.send(flushed.clone());
                }
            }
        });
    }

    /// Flushes a partition after a time, unless it is gone by then.
    pub(crate) fn begin_after(&self, partition: &Arc<Partition>, delay: Duration) {
        let partition = Arc::downgrade(partition);
        self.runtime.spawn(async move {
            tokio::time::sleep(delay).await;
            if let Some(partition) = partition.upgrade() {
                // The log tells of a failure.
                let _ = partition.flush_on_time().await;
            }
        });
    }

    /// Takes note of records that a coordinator has written.
    pub(crate) fn note(&self, partition: &Arc<Partition>) {
        let mut unflushed = self.unflushed.lock();
        if !unflushed.iter().any(|known| Arc::ptr_eq(known, partition)) {
            unflushed.push(Arc::clone(partition));
        }
        self.any_unflushed.store(true, Ordering::Release);
    }

    /// To be asked before anything is written that [`Flusher::coordinators_flushed`] is to be asked about.
    pub(crate) fn failures_seen(&self) -> FailuresSeen {
        FailuresSeen(self.failures.load(Ordering::Acquire))
    }

    /// Takes note that a partition could not be flushed.
    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::AcqRel);
    }

    /// Waits until all that coordinators have written is on disk, as far as anybody must wait for that. Returns whether it
    /// is: not if a flush has failed since `seen`.
    pub(crate) async fn coordinators_flushed(&self, seen: FailuresSeen) -> bool {
        if self.any_unflushed.load(Ordering::Acquire) {
            let noted = self.unflushed.lock().clone();
            for partition in &noted {
                // A failure is counted.
                let _ = partition.flushed().await;
            }
            let mut unflushed = self.unflushed.lock();
            unflushed.retain(|partition| !partition.is_flushed());
            self.any_unflushed.store(!unflushed.is_empty(), Ordering::Release);
        }
        self.failures_seen() == seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(waiters: &mut FlushWaiters, count: usize) -> usize {
        (0..count).filter(|_| waiters.add(oneshot::channel().0)).count()
    }

    #[test]
    fn one_flush_serves_all_who_wait_and_those_who_come_meanwhile_have_the_next() {
        let mut waiters = FlushWaiters::default();
        let mut served = Vec::new();
        assert_eq!(wait(&mut waiters, 100), 1, "one of them begins");
        while let Some(round) = waiters.next_round() {
            served.push(round.len());
            // While it runs.
            assert_eq!(wait(&mut waiters, if served.len() < 3 { 50 } else { 0 }), 0);
        }
        assert_eq!(served, [100, 50, 50], "200 wait for three flushes");
        assert_eq!(wait(&mut waiters, 2), 1, "it begins anew");
    }
}
