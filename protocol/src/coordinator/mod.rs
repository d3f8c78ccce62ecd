//! The records that coordinators keep in internal topics, in Kafka's own format, so that Apache Kafka's tools
//! read ours and we read Apache Kafka's. They are not among the wire messages of `kafka-protocol`.

pub mod consumer_group;
pub mod group_metadata;
pub mod offset_commit;
pub mod streams_group;
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
            let _ = GroupRecordKey::decode(Bytes::from(key));
            let value = Bytes::from(value);
            let _ = offset_commit::OffsetCommitValue::decode(value.clone());
            let _ = group_metadata::GroupMetadataValue::decode(value.clone());
            consumer_group::tests::decode_as_every_kind(&value);
            streams_group::tests::decode_as_every_kind(&value);
        }
    }
}
