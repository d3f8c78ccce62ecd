//! The share coordinator: how far each partition was delivered to each share group, kept in `__share_group_state`.
//!
//! [`shard::ShareStateShard`] is the state machine. It is asked synchronously, by whoever delivers records and by the
//! group coordinator, so it stands behind a lock: a change is an append and a look-up.

pub(crate) mod combine;
mod coordinator_key;
pub(crate) mod shard;
mod state_topic;

use std::sync::Arc;
use std::time::Duration;

use brooklet_protocol::coordinator::share_state::{SharePartitionKey, ShareSnapshotValue};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::clock::Clock;
pub(crate) use coordinator_key::is_coordinator_key;
use shard::{ShareStateError, ShareStateRecord, ShareStateShard, StateWrite};
pub(crate) use state_topic::ShareStateTopic;

/// The share coordinator.
#[derive(Debug)]
pub(crate) struct ShareCoordinator {
    topic: ShareStateTopic,
    /// `share.coordinator.snapshot.update.records.per.snapshot`.
    updates_per_snapshot: u32,
    clock: Clock,
    shard: OnceCell<Mutex<ShareStateShard>>,
}

impl ShareCoordinator {
    /// A coordinator that has not looked at what is kept. [`ShareCoordinator::load`] does.
    pub(crate) fn new(topic: ShareStateTopic, updates_per_snapshot: u32, clock: Clock) -> Self {
        Self { topic, updates_per_snapshot, clock, shard: OnceCell::new() }
    }

    /// Takes in what is kept, off the runtime's threads, unless that was done.
    pub(crate) async fn load(self: &Arc<Self>) {
        let load = || async {
            let coordinator = Arc::clone(self);
            let loaded = tokio::task::spawn_blocking(move || {
                let mut shard = ShareStateShard::new(coordinator.updates_per_snapshot);
                coordinator.topic.load(|key, value| shard.replay(key, value));
                shard
            });
            match loaded.await {
                Ok(shard) => Mutex::new(shard),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        };
        self.shard.get_or_init(load).await;
    }

    /// Begins a share partition's state, or begins it anew. `start_offset` is -1 where the group's first reader is to
    /// find it.
    pub(crate) fn initialize(
        &self,
        key: &SharePartitionKey,
        state_epoch: i32,
        start_offset: i64,
    ) -> Result<(), ShareStateError> {
        self.check(key)?;
        let mut shard = self.loaded()?;
        let record = shard.initialize(key, state_epoch, start_offset, self.clock.wall_ms())?;
        self.keep(&mut shard, record)
    }

    /// A share partition's state, for its leader.
    pub(crate) fn read(
        &self,
        key: &SharePartitionKey,
        leader_epoch: i32,
    ) -> Result<ShareSnapshotValue, ShareStateError> {
        self.check(key)?;
        let mut shard = self.loaded()?;
        let (state, record) = shard.read(key, leader_epoch, self.clock.wall_ms())?;
        let state = state.clone();
        if let Some(record) = record {
            self.keep(&mut shard, record)?;
        }
        Ok(state)
    }

    /// Keeps a change. When this returns, it survives the death of this process.
    pub(crate) fn write(&self, key: &SharePartitionKey, write: StateWrite) -> Result<(), ShareStateError> {
        self.check(key)?;
        let mut shard = self.loaded()?;
        let record = shard.write(key, write, self.clock.wall_ms())?;
        self.keep(&mut shard, record)
    }

    /// Ends a share partition's state.
    pub(crate) fn delete(&self, key: &SharePartitionKey) -> Result<(), ShareStateError> {
        self.check(key)?;
        let mut shard = self.loaded()?;
        match shard.delete(key) {
            Some(record) => self.keep(&mut shard, record),
            None => Ok(()),
        }
    }

    /// A share partition's state, if it has any, for who asks how far a group has come.
    pub(crate) fn summary(&self, key: &SharePartitionKey) -> Result<Option<ShareSnapshotValue>, ShareStateError> {
        self.check(key)?;
        Ok(self.loaded()?.state(key).cloned())
    }

    /// A topic has been deleted: the state of its partitions means nothing any more.
    pub(crate) fn forget_topic(&self, topic_id: Uuid) {
        // What was not loaded is told by the topic's absence when it is.
        let Ok(mut shard) = self.loaded() else {
            return;
        };
        for record in shard.forget_topic(topic_id) {
            if let Err(error) = self.keep(&mut shard, record) {
                tracing::warn!(%error, %topic_id, "share state of a deleted topic remains");
            }
        }
    }

    /// Makes old snapshots anew, so that what was written before them can be given up.
    pub(crate) fn snapshot_cold(&self, interval: Duration) {
        // What nobody has asked for grows no log.
        let Ok(mut shard) = self.loaded() else {
            return;
        };
        let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        for record in shard.snapshot_cold(interval_ms, self.clock.wall_ms()) {
            if let Err(error) = self.keep(&mut shard, record) {
                tracing::warn!(%error, "no snapshot of old share state; it is tried again later");
                return;
            }
        }
    }

    fn check(&self, key: &SharePartitionKey) -> Result<(), ShareStateError> {
        if key.partition < 0 {
            return Err(ShareStateError::NegativePartition);
        }
        let topic = self.topic.topics.by_id(key.topic_id).ok_or(ShareStateError::UnknownPartition)?;
        topic.partition(key.partition).map(drop).ok_or(ShareStateError::UnknownPartition)
    }

    fn loaded(&self) -> Result<MutexGuard<'_, ShareStateShard>, ShareStateError> {
        self.shard.get().map(Mutex::lock).ok_or(ShareStateError::Loading)
    }

    fn keep(&self, shard: &mut ShareStateShard, record: ShareStateRecord) -> Result<(), ShareStateError> {
        self.topic.append(&record, self.clock.wall_ms())?;
        shard.replay(record.key, record.value);
        Ok(())
    }
}
