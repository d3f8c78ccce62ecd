//! Committed offsets: `OffsetCommitKey.json` and `OffsetCommitValue.json` of Kafka's group coordinator.

use bytes::{BufMut, Bytes, BytesMut};

use crate::cursor::{Cursor, Malformed, put_string};

/// The record type that stands first in the key.
pub(super) const KEY_TYPE: i16 = 1;
/// Kafka 4 writes version 3; version 4 adds only a tagged topic id.
const VALUE_VERSION: i16 = 3;

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
        Ok(Self { offset, leader_epoch, metadata, commit_timestamp, expire_timestamp })
    }

    /// The value's bytes: version 3, or 1 where it has an expiry of its own.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(32 + self.metadata.len());
        let version = if self.expire_timestamp >= 0 { 1 } else { VALUE_VERSION };
        out.put_i16(version);
        out.put_i64(self.offset);
        if version >= 3 {
            out.put_i32(self.leader_epoch);
        }
        put_string(&mut out, &self.metadata);
        out.put_i64(self.commit_timestamp);
        if version == 1 {
            out.put_i64(self.expire_timestamp);
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
        };
        let bytes =
            [&[0, 3][..], &[0, 0, 0, 0, 0, 0, 1, 2], &[0, 0, 0, 0], &[0, 1, b'm'], &[0, 0, 0, 0, 0, 0, 0, 1]].concat();
        assert_eq!(value.encode()[..], bytes[..]);
        assert_eq!(OffsetCommitValue::decode(value.encode()), Ok(value.clone()));
        let expiring = OffsetCommitValue { expire_timestamp: 99, leader_epoch: -1, ..value };
        assert_eq!(OffsetCommitValue::decode(expiring.encode()), Ok(expiring));
    }

    #[test]
    fn the_flexible_version_of_a_newer_kafka_is_read() {
        let bytes = [
            &[0, 4][..],
            &[0, 0, 0, 0, 0, 0, 0, 9],
            &[0, 0, 0, 3],
            &[2, b'm'],
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &[1, 0, 16],
            &[7; 16],
        ]
        .concat();
        let value = OffsetCommitValue::decode(Bytes::from(bytes)).unwrap();
        assert_eq!((value.offset, value.leader_epoch, value.metadata.as_str()), (9, 3, "m"));
    }
}
