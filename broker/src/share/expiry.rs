//! What happens by itself: records that members have kept for too long are taken back, and old state is kept small.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::ShareGroups;
use super::delivery::DeliveredPartition;
use crate::coordinator::timer::Millis;

impl ShareGroups {
    /// Serves all locks until `stop`: one task, which sleeps until the first of them ends.
    pub(crate) async fn expire_locks(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let next = self.next_deadline();
            self.next_expiry.store(next.unwrap_or(Millis::MAX), Ordering::Release);
            // A lock that was given between the look and the store has told nobody.
            if self.next_deadline() != next {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.earlier_expiry.notified() => {}
                () = self.clock.sleep_until(next) => self.expire_due(),
            }
        }
    }

    /// Makes old snapshots of share state anew every so often, until `stop`.
    pub(crate) async fn snapshot_cold(self: Arc<Self>, interval: Duration, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(interval) => self.state.snapshot_cold(interval),
            }
        }
    }

    fn expire_due(&self) {
        let now = self.clock.monotonic();
        for partition in self.delivered() {
            if partition.next_deadline().is_some_and(|at| at <= now) {
                partition.expire(now, &self.state, &self.config(&partition.key().group_id));
            }
        }
    }

    fn next_deadline(&self) -> Option<Millis> {
        self.delivered().iter().filter_map(|partition| partition.next_deadline()).min()
    }

    fn delivered(&self) -> Vec<Arc<DeliveredPartition>> {
        self.partitions.lock().values().cloned().collect()
    }
}
