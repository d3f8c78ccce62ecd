//! Committed offsets: `OffsetCommitKey.json` and `OffsetCommitValue.json` of Kafka's group coordinator.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use crate::cursor::{Cursor, Malformed, put_compact_string, put_string, put_tagged_field};

/// The record type that stands first in the key.
pub(super) const KEY_TYPE: i16 = 1;
/// What Kafka has written since 4.3 (KAFKA-19187), but for values with an expiry of their own.
const VALUE_VERSION: i16 = 4;
/// The tagged field of version 4.
const TOPIC_ID: u32 = 0;

/// Whose offset it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OffsetCommitKey {
    /// The group.
    pub group: String,
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// What was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetCommitValue {
    /// The next offset to read.
    pub offset: i64,
    /// Epoch of the last record read, or -1.
    pub leader_epoch: i32,
    /// The client's own note.
    pub metadata: String,
    /// When, in milliseconds since 1970.
    pub commit_timestamp: i64,
    /// When it expires, where an old client asked for a time of its own; -1 otherwise.
    pub expire_timestamp: i64,
    /// The topic's id; nil where it is not known: in versions before 4, and where a transaction committed the offset.
    pub topic_id: Uuid,
}

impl OffsetCommitKey {
    pub(super) fn decode_fields(cursor: &mut Cursor) -> Result<Self, Malformed> {
        Ok(Self { group: cursor.string("group")?, topic: cursor.string("topic")?, partition: cursor.i32("partition")? })
    }

    /// The key's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(10 + self.group.len() + self.topic.len());
        out.put_i16(KEY_TYPE);
        put_string(&mut out, &self.group);
        put_string(&mut out, &self.topic);
        out.put_i32(self.partition);
        out.freeze()
    }
}

impl OffsetCommitValue {
    /// Reads a value of any version from 0 to 4.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        let version = cursor.i16("value version")?;
        if !(0..=4).contains(&version) {
            return Err(Malformed("offset commit value version"));
        }
        let offset = cursor.i64("offset")?;
        let leader_epoch = if version >= 3 { cursor.i32("leader epoch")? } else { -1 };
        let metadata = if version >= 4 { cursor.compact_string("metadata")? } else { cursor.string("metadata")? };
        let commit_timestamp = cursor.i64("commit timestamp")?;
        let expire_timestamp = if version == 1 { cursor.i64("expire timestamp")? } else { -1 };
        let mut topic_id = Uuid::nil();
        if version >= 4 {
            cursor.tagged_fields(|tag, mut field| {
                if tag == TOPIC_ID {
                    topic_id = field.uuid("topic id")?;
                }
                Ok(())
            })?;
        }
        Ok(Self { offset, leader_epoch, metadata, commit_timestamp, expire_timestamp, topic_id })
    }

    /// The value's bytes: version 4, or 1 where it has an expiry of its own.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(48 + self.metadata.len());
        if self.expire_timestamp >= 0 {
            out.put_i16(1);
            out.put_i64(self.offset);
            put_string(&mut out, &self.metadata);
            out.put_i64(self.commit_timestamp);
            out.put_i64(self.expire_timestamp);
            return out.freeze();
        }
        out.put_i16(VALUE_VERSION);
        out.put_i64(self.offset);
        out.put_i32(self.leader_epoch);
        put_compact_string(&mut out, &self.metadata);
        out.put_i64(self.commit_timestamp);
        out.put_u8(u8::from(!self.topic_id.is_nil()));
        if !self.topic_id.is_nil() {
            put_tagged_field(&mut out, TOPIC_ID, self.topic_id.as_bytes());
        }
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::GroupRecordKey;

    #[test]
    fn keys_and_values_have_kafkas_bytes() {
        let key = OffsetCommitKey { group: "g".into(), topic: "tt".into(), partition: 5 };
        assert_eq!(key.encode()[..], [0, 1, 0, 1, b'g', 0, 2, b't', b't', 0, 0, 0, 5]);
        assert_eq!(GroupRecordKey::decode(key.encode()), Ok(GroupRecordKey::OffsetCommit(key)));
        let value = OffsetCommitValue {
            offset: 258,
            leader_epoch: 0,
            metadata: "m".into(),
            commit_timestamp: 1,
            expire_timestamp: -1,
            topic_id: Uuid::from_bytes([7; 16]),
        };
        let fields = [&[0, 4][..], &[0, 0, 0, 0, 0, 0, 1, 2], &[0; 4], &[2, b'm'], &[0, 0, 0, 0, 0, 0, 0, 1]].concat();
        assert_eq!(value.encode()[..], [&fields[..], &[1, 0, 16], &[7; 16]].concat());
        assert_eq!(OffsetCommitValue::decode(value.encode()), Ok(value.clone()));
        let of_no_id = OffsetCommitValue { topic_id: Uuid::nil(), ..value.clone() };
        assert_eq!(of_no_id.encode()[..], [&fields[..], &[0]].concat());
        assert_eq!(OffsetCommitValue::decode(of_no_id.encode()), Ok(of_no_id.clone()));
        let expiring = OffsetCommitValue { expire_timestamp: 99, leader_epoch: -1, ..of_no_id };
        assert_eq!(OffsetCommitValue::decode(expiring.encode()), Ok(expiring));
    }

    #[test]
    fn what_kafka_wrote_before_4_3_is_read() {
        let bytes = [&[0, 3][..], &[0, 0, 0, 0, 0, 0, 0, 9], &[0, 0, 0, 3], &[0, 1, b'm'], &[0, 0, 0, 0, 0, 0, 0, 1]];
        let value = OffsetCommitValue::decode(Bytes::from(bytes.concat())).unwrap();
        assert_eq!((value.offset, value.leader_epoch, value.metadata.as_str()), (9, 3, "m"));
        assert!(value.topic_id.is_nil());
    }
}
