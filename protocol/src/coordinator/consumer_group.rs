//! The records of consumer groups (KIP-848): `ConsumerGroup*Key.json` and `ConsumerGroup*Value.json` of Kafka's group
//! coordinator. Values have one version, 0, in the flexible encoding (KIP-482).

mod assignment;
mod member_metadata;

pub use super::target_assignment::TargetAssignmentMetadataValue;
pub use assignment::{CurrentMemberAssignmentValue, OwnedPartitions, TargetAssignmentMemberValue, TopicPartitions};
pub use member_metadata::{ClassicMemberMetadata, ClassicProtocol, MemberMetadataValue};

use bytes::{BufMut, Bytes, BytesMut};

use super::flexible_value::{flexible_value, new_value, put_tagged_i64};
use crate::cursor::{Cursor, Malformed, put_compact_count, put_compact_string, put_string};

/// The key of a record of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConsumerGroupKey {
    /// The group.
    pub group_id: String,
    /// What the record says of it.
    pub subject: Subject,
}

/// What a record says of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Its epoch: [`GroupMetadataValue`].
    GroupMetadata,
    /// The partitions of its topics, as Kafka before 4.1 kept them. Only tombstones are written.
    PartitionMetadata,
    /// A member, by its id: [`MemberMetadataValue`].
    MemberMetadata(String),
    /// The epoch of its target assignment: [`TargetAssignmentMetadataValue`].
    TargetAssignmentMetadata,
    /// What a member is to have, by its id: [`TargetAssignmentMemberValue`].
    TargetAssignmentMember(String),
    /// What a member has, by its id: [`CurrentMemberAssignmentValue`].
    CurrentMemberAssignment(String),
    /// Which topics a regular expression matches: [`RegularExpressionValue`].
    RegularExpression(String),
}

impl Subject {
    /// The record type that stands first in the key.
    fn kind(&self) -> i16 {
        match self {
            Self::GroupMetadata => 3,
            Self::PartitionMetadata => 4,
            Self::MemberMetadata(_) => 5,
            Self::TargetAssignmentMetadata => 6,
            Self::TargetAssignmentMember(_) => 7,
            Self::CurrentMemberAssignment(_) => 8,
            Self::RegularExpression(_) => 16,
        }
    }

    /// What stands in the key after the group.
    fn name(&self) -> Option<&str> {
        match self {
            Self::GroupMetadata | Self::PartitionMetadata | Self::TargetAssignmentMetadata => None,
            Self::MemberMetadata(name)
            | Self::TargetAssignmentMember(name)
            | Self::CurrentMemberAssignment(name)
            | Self::RegularExpression(name) => Some(name),
        }
    }
}

impl ConsumerGroupKey {
    /// Reads what follows the record type; `None` if that is not one of a consumer group.
    pub(super) fn decode_fields(kind: i16, cursor: &mut Cursor) -> Result<Option<Self>, Malformed> {
        if !matches!(kind, 3..=8 | 16) {
            return Ok(None);
        }
        let group_id = cursor.string("group")?;
        let subject = match kind {
            3 => Subject::GroupMetadata,
            4 => Subject::PartitionMetadata,
            5 => Subject::MemberMetadata(cursor.string("member")?),
            6 => Subject::TargetAssignmentMetadata,
            7 => Subject::TargetAssignmentMember(cursor.string("member")?),
            8 => Subject::CurrentMemberAssignment(cursor.string("member")?),
            _ => Subject::RegularExpression(cursor.string("regular expression")?),
        };
        Ok(Some(Self { group_id, subject }))
    }

    /// The key's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(8 + self.group_id.len());
        out.put_i16(self.subject.kind());
        put_string(&mut out, &self.group_id);
        if let Some(name) = self.subject.name() {
            put_string(&mut out, name);
        }
        out.freeze()
    }
}

/// The epoch of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetadataValue {
    /// It rises with every change that calls for a new assignment.
    pub epoch: i32,
    /// A hash over the topics that the group subscribes to (KIP-1101); 0 if there are none.
    pub metadata_hash: i64,
}

impl GroupMetadataValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "group metadata version")?;
        let mut value = Self { epoch: cursor.i32("epoch")?, metadata_hash: 0 };
        cursor.tagged_fields(|tag, mut field| {
            if tag == 0 {
                value.metadata_hash = field.i64("metadata hash")?;
            }
            Ok(())
        })?;
        Ok(value)
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = new_value();
        out.put_i32(self.epoch);
        put_tagged_i64(&mut out, self.metadata_hash);
        out.freeze()
    }
}

/// The topics that a regular expression matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegularExpressionValue {
    /// Their names.
    pub topics: Vec<String>,
    /// The version of the topics it was matched against; it means something to the broker that wrote it.
    pub version: i64,
    /// When, in milliseconds since 1970.
    pub timestamp: i64,
}

impl RegularExpressionValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "regular expression version")?;
        let value = Self {
            topics: cursor.compact_array(1, "topics", |cursor| cursor.compact_string("topic"))?,
            version: cursor.i64("version")?,
            timestamp: cursor.i64("timestamp")?,
        };
        cursor.no_tagged_fields()?;
        Ok(value)
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = new_value();
        put_compact_count(&mut out, self.topics.len());
        for topic in &self.topics {
            put_compact_string(&mut out, topic);
        }
        out.put_i64(self.version);
        out.put_i64(self.timestamp);
        out.put_u8(0);
        out.freeze()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::coordinator::GroupRecordKey;
    use proptest::prelude::*;

    pub(in crate::coordinator) fn decode_as_every_kind(value: &Bytes) {
        let _ = GroupMetadataValue::decode(value.clone());
        let _ = TargetAssignmentMetadataValue::decode(value.clone());
        let _ = RegularExpressionValue::decode(value.clone());
        let _ = MemberMetadataValue::decode(value.clone());
        let _ = TargetAssignmentMemberValue::decode(value.clone());
        let _ = CurrentMemberAssignmentValue::decode(value.clone());
    }

    #[test]
    fn keys_and_values_have_kafkas_bytes() {
        let key = ConsumerGroupKey { group_id: "g".into(), subject: Subject::MemberMetadata("mm".into()) };
        assert_eq!(key.encode()[..], [0, 5, 0, 1, b'g', 0, 2, b'm', b'm']);
        let value = GroupMetadataValue { epoch: 7, metadata_hash: 258 };
        assert_eq!(value.encode()[..], [0, 0, 0, 0, 0, 7, 1, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2]);
        let value = TargetAssignmentMetadataValue { assignment_epoch: 7, assignment_timestamp: 0 };
        assert_eq!(value.encode()[..], [0, 0, 0, 0, 0, 7, 0]);
    }

    proptest! {
        #[test]
        fn keys_round_trip(group_id in "[a-zé]{0,9}", name in "[a-z.*]{0,9}", kind in 0usize..7) {
            let subject = [
                Subject::GroupMetadata,
                Subject::PartitionMetadata,
                Subject::MemberMetadata(name.clone()),
                Subject::TargetAssignmentMetadata,
                Subject::TargetAssignmentMember(name.clone()),
                Subject::CurrentMemberAssignment(name.clone()),
                Subject::RegularExpression(name),
            ][kind].clone();
            let key = ConsumerGroupKey { group_id, subject };
            prop_assert_eq!(GroupRecordKey::decode(key.encode()), Ok(GroupRecordKey::ConsumerGroup(key)));
        }

        #[test]
        fn values_round_trip(
            epoch: i32, long: i64, version: i64, topics in prop::collection::vec("[a-zé]{0,200}", 0..5),
        ) {
            let value = GroupMetadataValue { epoch, metadata_hash: long };
            prop_assert_eq!(GroupMetadataValue::decode(value.encode()), Ok(value));
            let value = TargetAssignmentMetadataValue { assignment_epoch: epoch, assignment_timestamp: long };
            prop_assert_eq!(TargetAssignmentMetadataValue::decode(value.encode()), Ok(value));
            let value = RegularExpressionValue { topics, version, timestamp: long };
            prop_assert_eq!(RegularExpressionValue::decode(value.encode()), Ok(value));
        }
    }
}
