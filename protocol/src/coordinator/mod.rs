//! The records that coordinators keep in internal topics, in Kafka's own format, so that Apache Kafka's tools
//! read ours and we read Apache Kafka's. They are not among the wire messages of `kafka-protocol`.

pub mod consumer_group;
mod flexible_value;
pub mod group_metadata;
pub mod offset_commit;
pub mod share_group;
pub mod share_state;
pub mod streams_group;
mod target_assignment;
pub mod transaction_log;

use bytes::Bytes;

pub use crate::cursor::Malformed;

use crate::cursor::Cursor;

/// The key of a record in `__consumer_offsets`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupRecordKey {
    /// An offset that a group committed.
    OffsetCommit(offset_commit::OffsetCommitKey),
    /// The state of a classic group: its id.
    GroupMetadata(String),
    /// Something of a consumer group (KIP-848).
    ConsumerGroup(consumer_group::ConsumerGroupKey),
    /// Something of a streams group (KIP-1071).
    StreamsGroup(streams_group::StreamsGroupKey),
    /// A part of a share group's state (KIP-932).
    ShareGroup(share_group::ShareGroupKey),
    /// A kind that this version does not know, by its number: kept in the log, not interpreted.
    Unknown(i16),
}

impl GroupRecordKey {
    /// Reads a key.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        match cursor.i16("record type")? {
            0 | offset_commit::KEY_TYPE => {
                offset_commit::OffsetCommitKey::decode_fields(&mut cursor).map(Self::OffsetCommit)
            }
            group_metadata::KEY_TYPE => cursor.string("group").map(Self::GroupMetadata),
            kind if share_group::KEY_TYPES.contains(&kind) => {
                share_group::ShareGroupKey::decode_fields(kind, &mut cursor).map(Self::ShareGroup)
            }
            kind => match consumer_group::ConsumerGroupKey::decode_fields(kind, &mut cursor)? {
                Some(key) => Ok(Self::ConsumerGroup(key)),
                None => match streams_group::StreamsGroupKey::decode_fields(kind, &mut cursor)? {
                    Some(key) => Ok(Self::StreamsGroup(key)),
                    None => Ok(Self::Unknown(kind)),
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_records_never_panic(key: Vec<u8>, value: Vec<u8>) {
            let key = Bytes::from(key);
            let _ = share_state::ShareStateKey::decode(key.clone());
            let _ = GroupRecordKey::decode(key);
            let value = Bytes::from(value);
            let _ = offset_commit::OffsetCommitValue::decode(value.clone());
            let _ = group_metadata::GroupMetadataValue::decode(value.clone());
            consumer_group::tests::decode_as_every_kind(&value);
            streams_group::tests::decode_as_every_kind(&value);
            let _ = share_group::MemberMetadataValue::decode(value.clone());
            let _ = share_group::MetadataValue::decode(value.clone());
            let _ = share_group::TargetAssignmentMetadataValue::decode(value.clone());
            let _ = share_group::TargetAssignmentMemberValue::decode(value.clone());
            let _ = share_group::CurrentMemberAssignmentValue::decode(value.clone());
            let _ = share_group::StatePartitionMetadataValue::decode(value.clone());
            let _ = share_state::ShareSnapshotValue::decode(value.clone());
            let _ = share_state::ShareUpdateValue::decode(value);
        }
    }
}
