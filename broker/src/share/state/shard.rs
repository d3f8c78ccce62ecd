//! The share coordinator as a state machine (Kafka's `ShareCoordinatorShard`): how far each partition was delivered to
//! each share group. Requests come in with the time; records come out, and nothing has happened until they are kept
//! and replayed.

use std::collections::HashMap;

use brooklet_protocol::coordinator::share_state::{
    NO_DELIVERY_COMPLETE_COUNT, SharePartitionKey, ShareSnapshotValue, ShareStateKey, ShareUpdateValue, StateBatch,
};
use bytes::Bytes;
use uuid::Uuid;

use super::combine::combine;

/// The start offset of a share partition from which nothing was read yet.
pub(crate) const NO_START_OFFSET: i64 = -1;
/// The epoch in a request that does not say one.
const ANY_EPOCH: i32 = -1;

/// A record for `__share_group_state`. Without a value it is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShareStateRecord {
    /// By which the partition is chosen in which it stands.
    pub(crate) share_partition: SharePartitionKey,
    pub(crate) key: Bytes,
    pub(crate) value: Option<Bytes>,
    /// It makes all that came before it for this share partition superfluous.
    pub(crate) supersedes: bool,
}

impl ShareStateRecord {
    fn snapshot(key: &SharePartitionKey, value: Option<&ShareSnapshotValue>) -> Self {
        Self {
            share_partition: key.clone(),
            key: key.encode_snapshot(),
            value: value.map(ShareSnapshotValue::encode),
            supersedes: true,
        }
    }

    fn update(key: &SharePartitionKey, value: &ShareUpdateValue) -> Self {
        Self { share_partition: key.clone(), key: key.encode_update(), value: Some(value.encode()), supersedes: false }
    }
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShareStateError {
    #[error("the share partition has not been initialized")]
    Uninitialized,
    #[error("the leader epoch is below the one known to the share coordinator")]
    FencedLeaderEpoch,
    #[error("the state epoch is below the one known to the share coordinator")]
    FencedStateEpoch,
    #[error("there is no such topic or partition")]
    UnknownPartition,
    #[error("the partition's index is negative")]
    NegativePartition,
    #[error("the share coordinator could not keep its state")]
    NotKept,
    #[error("the share coordinator is loading")]
    Loading,
}

/// A change of a share partition's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateWrite {
    pub(crate) state_epoch: i32,
    pub(crate) leader_epoch: i32,
    /// -1 where it has not moved.
    pub(crate) start_offset: i64,
    pub(crate) delivery_complete_count: i32,
    pub(crate) state_batches: Vec<StateBatch>,
}

#[derive(Debug)]
struct Known {
    state: ShareSnapshotValue,
    /// Updates since the last snapshot.
    updates: u32,
}

/// The state of all share partitions.
#[derive(Debug)]
pub(crate) struct ShareStateShard {
    /// `share.coordinator.snapshot.update.records.per.snapshot`.
    updates_per_snapshot: u32,
    known: HashMap<SharePartitionKey, Known>,
}

impl ShareStateShard {
    pub(crate) fn new(updates_per_snapshot: u32) -> Self {
        Self { updates_per_snapshot, known: HashMap::new() }
    }

    /// What is known of a share partition.
    pub(crate) fn state(&self, key: &SharePartitionKey) -> Option<&ShareSnapshotValue> {
        self.known.get(key).map(|known| &known.state)
    }

    /// The record that begins a share partition's state, or begins it anew at an offset.
    pub(crate) fn initialize(
        &self,
        key: &SharePartitionKey,
        state_epoch: i32,
        start_offset: i64,
        wall_ms: i64,
    ) -> Result<ShareStateRecord, ShareStateError> {
        let known = self.state(key);
        if state_epoch != ANY_EPOCH && known.is_some_and(|known| known.state_epoch > state_epoch) {
            return Err(ShareStateError::FencedStateEpoch);
        }
        let begins = start_offset != NO_START_OFFSET;
        let value = ShareSnapshotValue {
            snapshot_epoch: known.map_or(0, |known| known.snapshot_epoch.wrapping_add(1)),
            state_epoch,
            leader_epoch: 0,
            start_offset,
            delivery_complete_count: if begins { 0 } else { NO_DELIVERY_COMPLETE_COUNT },
            create_timestamp: wall_ms,
            write_timestamp: wall_ms,
            state_batches: Vec::new(),
        };
        Ok(ShareStateRecord::snapshot(key, Some(&value)))
    }

    /// The record that keeps a change.
    pub(crate) fn write(
        &self,
        key: &SharePartitionKey,
        write: StateWrite,
        wall_ms: i64,
    ) -> Result<ShareStateRecord, ShareStateError> {
        let known = self.known.get(key).ok_or(ShareStateError::Uninitialized)?;
        let state = &known.state;
        if write.leader_epoch != ANY_EPOCH && state.leader_epoch > write.leader_epoch {
            return Err(ShareStateError::FencedLeaderEpoch);
        }
        if write.state_epoch != ANY_EPOCH && state.state_epoch > write.state_epoch {
            return Err(ShareStateError::FencedStateEpoch);
        }
        Ok(Self::record(key, known, write, state.leader_epoch, wall_ms, self.updates_per_snapshot))
    }

    /// A share partition's state for its leader, and the record that keeps the leader's epoch if it is new.
    pub(crate) fn read(
        &self,
        key: &SharePartitionKey,
        leader_epoch: i32,
        wall_ms: i64,
    ) -> Result<(&ShareSnapshotValue, Option<ShareStateRecord>), ShareStateError> {
        let known = self.known.get(key).ok_or(ShareStateError::Uninitialized)?;
        let state = &known.state;
        if leader_epoch != ANY_EPOCH && state.leader_epoch > leader_epoch {
            return Err(ShareStateError::FencedLeaderEpoch);
        }
        if leader_epoch == ANY_EPOCH || leader_epoch == state.leader_epoch {
            return Ok((state, None));
        }
        let write = StateWrite {
            state_epoch: state.state_epoch,
            leader_epoch,
            start_offset: state.start_offset,
            delivery_complete_count: state.delivery_complete_count,
            state_batches: Vec::new(),
        };
        let record = Self::record(key, known, write, leader_epoch, wall_ms, self.updates_per_snapshot);
        Ok((state, Some(record)))
    }

    /// Snapshots of the share partitions whose last one is older than `interval_ms`: as long as an old one stands, the log
    /// that came after it stays too. None where nothing was written since all had such snapshots.
    pub(crate) fn snapshot_cold(&self, interval_ms: i64, wall_ms: i64) -> Vec<ShareStateRecord> {
        // A snapshot that was made for its age alone is told by its two times.
        let is_quiet =
            |known: &Known| known.updates == 0 && known.state.create_timestamp != known.state.write_timestamp;
        if self.known.values().all(is_quiet) {
            return Vec::new();
        }
        let cold = self.known.iter().filter(|(_, known)| wall_ms - known.state.write_timestamp >= interval_ms);
        cold.map(|(key, Known { state, .. })| {
            let snapshot = ShareSnapshotValue {
                snapshot_epoch: state.snapshot_epoch.wrapping_add(1),
                write_timestamp: wall_ms,
                ..state.clone()
            };
            ShareStateRecord::snapshot(key, Some(&snapshot))
        })
        .collect()
    }

    /// The record that ends a share partition's state, if it has any.
    pub(crate) fn delete(&self, key: &SharePartitionKey) -> Option<ShareStateRecord> {
        self.known.contains_key(key).then(|| ShareStateRecord::snapshot(key, None))
    }

    /// The records that end the state of a topic's partitions.
    pub(crate) fn forget_topic(&self, topic_id: Uuid) -> Vec<ShareStateRecord> {
        let of_topic = self.known.keys().filter(|key| key.topic_id == topic_id);
        of_topic.map(|key| ShareStateRecord::snapshot(key, None)).collect()
    }

    fn record(
        key: &SharePartitionKey,
        known: &Known,
        write: StateWrite,
        leader_epoch: i32,
        wall_ms: i64,
        updates_per_snapshot: u32,
    ) -> ShareStateRecord {
        let StateWrite { start_offset, delivery_complete_count, state_batches, .. } = write;
        let state = &known.state;
        if known.updates < updates_per_snapshot {
            let update = ShareUpdateValue {
                snapshot_epoch: state.snapshot_epoch,
                leader_epoch,
                start_offset,
                delivery_complete_count,
                state_batches: combine(&[], state_batches, start_offset),
            };
            return ShareStateRecord::update(key, &update);
        }
        let start_offset = if start_offset == NO_START_OFFSET { state.start_offset } else { start_offset };
        let snapshot = ShareSnapshotValue {
            snapshot_epoch: state.snapshot_epoch.wrapping_add(1),
            state_epoch: state.state_epoch,
            leader_epoch,
            start_offset,
            delivery_complete_count,
            create_timestamp: wall_ms,
            write_timestamp: wall_ms,
            state_batches: combine(&state.state_batches, state_batches, start_offset),
        };
        ShareStateRecord::snapshot(key, Some(&snapshot))
    }

    /// Takes in a record that is kept, live and at start alike.
    pub(crate) fn replay(&mut self, key: Bytes, value: Option<Bytes>) {
        let taken = ShareStateKey::decode(key).and_then(|key| {
            match (key, value) {
                (ShareStateKey::Snapshot(key), None) => {
                    self.known.remove(&key);
                }
                (ShareStateKey::Snapshot(key), Some(value)) => {
                    let state = ShareSnapshotValue::decode(value)?;
                    self.known.insert(key, Known { state, updates: 0 });
                }
                (ShareStateKey::Update(key), Some(value)) => self.update(&key, ShareUpdateValue::decode(value)?),
                (ShareStateKey::Update(_), None) | (ShareStateKey::Unknown(_), _) => {}
            }
            Ok(())
        });
        if let Err(error) = taken {
            tracing::warn!(%error, "a record in __share_group_state is passed over");
        }
    }

    fn update(&mut self, key: &SharePartitionKey, update: ShareUpdateValue) {
        let Some(Known { state, updates }) = self.known.get_mut(key) else {
            tracing::warn!(?key, "an update in __share_group_state without a snapshot before it is passed over");
            return;
        };
        *updates += 1;
        if update.start_offset != NO_START_OFFSET {
            state.start_offset = update.start_offset;
        }
        if update.leader_epoch != ANY_EPOCH {
            state.leader_epoch = update.leader_epoch;
        }
        state.delivery_complete_count = update.delivery_complete_count;
        state.state_batches = combine(&state.state_batches, update.state_batches, state.start_offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: i32) -> SharePartitionKey {
        SharePartitionKey { group_id: "g".into(), topic_id: Uuid::from_u128(1), partition }
    }

    fn keep(shard: &mut ShareStateShard, record: ShareStateRecord) {
        shard.replay(record.key, record.value);
    }

    fn accept(shard: &mut ShareStateShard, partition: i32, upto: i64, wall_ms: i64) {
        let write = StateWrite {
            state_epoch: 0,
            leader_epoch: 0,
            start_offset: upto,
            delivery_complete_count: 0,
            state_batches: Vec::new(),
        };
        let record = shard.write(&key(partition), write, wall_ms).unwrap();
        keep(shard, record);
    }

    #[test]
    fn old_snapshots_are_made_anew_until_all_is_quiet() {
        let mut shard = ShareStateShard::new(100);
        for partition in 0..2 {
            let record = shard.initialize(&key(partition), 0, 0, 0).unwrap();
            keep(&mut shard, record);
        }
        accept(&mut shard, 0, 7, 10);
        assert!(shard.snapshot_cold(300, 299).is_empty(), "none is old enough");
        let of_both = shard.snapshot_cold(300, 300);
        assert_eq!(of_both.len(), 2);
        let before = shard.state(&key(0)).unwrap().clone();
        of_both.into_iter().for_each(|record| keep(&mut shard, record));
        let after = shard.state(&key(0)).unwrap();
        assert_eq!((after.snapshot_epoch, after.write_timestamp), (before.snapshot_epoch + 1, 300));
        assert_eq!((after.start_offset, after.create_timestamp), (7, 0));
        assert!(shard.snapshot_cold(300, 900).is_empty(), "nothing was written since");
        accept(&mut shard, 0, 8, 901);
        assert_eq!(shard.snapshot_cold(300, 902).len(), 2, "the idle one would keep what the other writes");
    }
}
