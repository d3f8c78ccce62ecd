//! The records of `__share_group_state` (KIP-932): how far the records of a partition have been delivered to a share
//! group. `ShareSnapshotKey.json`, `ShareSnapshotValue.json`, `ShareUpdateKey.json` and `ShareUpdateValue.json`.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use super::flexible_value::{flexible_value, new_value};
use crate::cursor::{Cursor, Malformed, put_compact_count, put_string, put_tagged_field};

const SNAPSHOT_KEY_TYPE: i16 = 0;
const UPDATE_KEY_TYPE: i16 = 1;
/// First and last offset, delivery state and count, and the count of tagged fields.
const BATCH_LEN: usize = 20;
/// The tag of `DeliveryCompleteCount` (KIP-1226).
const DELIVERY_COMPLETE_COUNT_TAG: u32 = 0;
/// The value of `DeliveryCompleteCount` where there is none.
pub const NO_DELIVERY_COMPLETE_COUNT: i32 = -1;

/// A partition as a share group sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SharePartitionKey {
    /// The group.
    pub group_id: String,
    /// The topic.
    pub topic_id: Uuid,
    /// The partition's index.
    pub partition: i32,
}

/// The key of a record in `__share_group_state`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShareStateKey {
    /// The whole state; without a value, its end.
    Snapshot(SharePartitionKey),
    /// A change.
    Update(SharePartitionKey),
    /// A kind that this version does not know, by its number.
    Unknown(i16),
}

impl ShareStateKey {
    /// Reads a key.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        match cursor.i16("record type")? {
            SNAPSHOT_KEY_TYPE => SharePartitionKey::decode_fields(&mut cursor).map(Self::Snapshot),
            UPDATE_KEY_TYPE => SharePartitionKey::decode_fields(&mut cursor).map(Self::Update),
            kind => Ok(Self::Unknown(kind)),
        }
    }
}

impl SharePartitionKey {
    fn decode_fields(cursor: &mut Cursor) -> Result<Self, Malformed> {
        Ok(Self {
            group_id: cursor.string("group")?,
            topic_id: cursor.uuid("topic id")?,
            partition: cursor.i32("partition")?,
        })
    }

    /// The bytes of the key of a snapshot.
    pub fn encode_snapshot(&self) -> Bytes {
        self.encode(SNAPSHOT_KEY_TYPE)
    }

    /// The bytes of the key of an update.
    pub fn encode_update(&self) -> Bytes {
        self.encode(UPDATE_KEY_TYPE)
    }

    fn encode(&self, kind: i16) -> Bytes {
        let mut out = BytesMut::with_capacity(24 + self.group_id.len());
        out.put_i16(kind);
        put_string(&mut out, &self.group_id);
        out.put_slice(self.topic_id.as_bytes());
        out.put_i32(self.partition);
        out.freeze()
    }
}

/// Offsets that have one state and one delivery count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateBatch {
    /// The first offset.
    pub first_offset: i64,
    /// The last offset.
    pub last_offset: i64,
    /// 0 available, 2 acknowledged, 4 archived.
    pub delivery_state: i8,
    /// How often they were delivered.
    pub delivery_count: i16,
}

/// The whole state of a share partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareSnapshotValue {
    /// The number of the snapshot.
    pub snapshot_epoch: i32,
    /// It rises whenever the state is made anew.
    pub state_epoch: i32,
    /// The epoch of the partition's leader that wrote last.
    pub leader_epoch: i32,
    /// The first offset whose delivery is not known to be complete; -1 if the group has not begun.
    pub start_offset: i64,
    /// Of the offsets from the start on, how many are complete; [`NO_DELIVERY_COMPLETE_COUNT`] if that is not known.
    pub delivery_complete_count: i32,
    /// When the state was made, in milliseconds since 1970.
    pub create_timestamp: i64,
    /// When it was written, in milliseconds since 1970.
    pub write_timestamp: i64,
    /// Ascending, without overlap.
    pub state_batches: Vec<StateBatch>,
}

/// A change to a share partition's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareUpdateValue {
    /// The number of the snapshot that it follows.
    pub snapshot_epoch: i32,
    /// The epoch of the partition's leader.
    pub leader_epoch: i32,
    /// The new start, or -1 for none.
    pub start_offset: i64,
    /// As in [`ShareSnapshotValue`].
    pub delivery_complete_count: i32,
    /// What has changed.
    pub state_batches: Vec<StateBatch>,
}

impl ShareSnapshotValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "share state value version")?;
        let mut value = Self {
            snapshot_epoch: cursor.i32("snapshot epoch")?,
            state_epoch: cursor.i32("state epoch")?,
            leader_epoch: cursor.i32("leader epoch")?,
            start_offset: cursor.i64("start offset")?,
            delivery_complete_count: NO_DELIVERY_COMPLETE_COUNT,
            create_timestamp: cursor.i64("create timestamp")?,
            write_timestamp: cursor.i64("write timestamp")?,
            state_batches: state_batches(&mut cursor)?,
        };
        value.delivery_complete_count = delivery_complete_count(&mut cursor)?;
        Ok(value)
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = new_value();
        out.reserve(64 + BATCH_LEN * self.state_batches.len());
        out.put_i32(self.snapshot_epoch);
        out.put_i32(self.state_epoch);
        out.put_i32(self.leader_epoch);
        out.put_i64(self.start_offset);
        out.put_i64(self.create_timestamp);
        out.put_i64(self.write_timestamp);
        put_end(&mut out, &self.state_batches, self.delivery_complete_count);
        out.freeze()
    }
}

impl ShareUpdateValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "share state value version")?;
        let mut value = Self {
            snapshot_epoch: cursor.i32("snapshot epoch")?,
            leader_epoch: cursor.i32("leader epoch")?,
            start_offset: cursor.i64("start offset")?,
            delivery_complete_count: NO_DELIVERY_COMPLETE_COUNT,
            state_batches: state_batches(&mut cursor)?,
        };
        value.delivery_complete_count = delivery_complete_count(&mut cursor)?;
        Ok(value)
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = new_value();
        out.reserve(40 + BATCH_LEN * self.state_batches.len());
        out.put_i32(self.snapshot_epoch);
        out.put_i32(self.leader_epoch);
        out.put_i64(self.start_offset);
        put_end(&mut out, &self.state_batches, self.delivery_complete_count);
        out.freeze()
    }
}

fn state_batches(cursor: &mut Cursor) -> Result<Vec<StateBatch>, Malformed> {
    cursor.compact_array(BATCH_LEN, "state batches", |cursor| {
        let batch = StateBatch {
            first_offset: cursor.i64("first offset")?,
            last_offset: cursor.i64("last offset")?,
            delivery_state: cursor.i8("delivery state")?,
            delivery_count: cursor.i16("delivery count")?,
        };
        cursor.no_tagged_fields()?;
        Ok(batch)
    })
}

fn delivery_complete_count(cursor: &mut Cursor) -> Result<i32, Malformed> {
    let mut count = NO_DELIVERY_COMPLETE_COUNT;
    cursor.tagged_fields(|tag, mut field| {
        if tag == DELIVERY_COMPLETE_COUNT_TAG {
            count = field.i32("delivery complete count")?;
        }
        Ok(())
    })?;
    Ok(count)
}

fn put_end(out: &mut BytesMut, batches: &[StateBatch], delivery_complete_count: i32) {
    put_compact_count(out, batches.len());
    for batch in batches {
        out.put_i64(batch.first_offset);
        out.put_i64(batch.last_offset);
        out.put_i8(batch.delivery_state);
        out.put_i16(batch.delivery_count);
        out.put_u8(0);
    }
    if delivery_complete_count == NO_DELIVERY_COMPLETE_COUNT {
        out.put_u8(0);
    } else {
        out.put_u8(1);
        put_tagged_field(out, DELIVERY_COMPLETE_COUNT_TAG, &delivery_complete_count.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_round_trip(
            group_id in "[a-z0-9é]{0,12}", topic: u128, partition: i32, epochs: [i32; 3], start_offset: i64,
            delivery_complete_count: i32, timestamps: [i64; 2],
            batches in prop::collection::vec((any::<i64>(), any::<i64>(), any::<i8>(), any::<i16>()), 0..6),
        ) {
            let key = SharePartitionKey { group_id, topic_id: Uuid::from_u128(topic), partition };
            let snapshot = ShareStateKey::decode(key.encode_snapshot());
            prop_assert_eq!(snapshot, Ok(ShareStateKey::Snapshot(key.clone())));
            prop_assert_eq!(ShareStateKey::decode(key.encode_update()), Ok(ShareStateKey::Update(key)));
            let batch = |(first_offset, last_offset, delivery_state, delivery_count)| {
                StateBatch { first_offset, last_offset, delivery_state, delivery_count }
            };
            let state_batches: Vec<_> = batches.into_iter().map(batch).collect();
            let [snapshot_epoch, state_epoch, leader_epoch] = epochs;
            let update = ShareUpdateValue {
                snapshot_epoch, leader_epoch, start_offset, delivery_complete_count,
                state_batches: state_batches.clone(),
            };
            prop_assert_eq!(ShareUpdateValue::decode(update.encode()), Ok(update));
            let [create_timestamp, write_timestamp] = timestamps;
            let snapshot = ShareSnapshotValue {
                snapshot_epoch, state_epoch, leader_epoch, start_offset, delivery_complete_count, create_timestamp,
                write_timestamp, state_batches,
            };
            prop_assert_eq!(ShareSnapshotValue::decode(snapshot.encode()), Ok(snapshot));
        }
    }
}
