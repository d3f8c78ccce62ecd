//! The state of a share group (KIP-932) in `__consumer_offsets`: `ShareGroup*Key.json` and `ShareGroup*Value.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

pub use super::target_assignment::TargetAssignmentMetadataValue;

use super::flexible_value::{flexible_value, new_value};
use crate::cursor::{
    Cursor, Malformed, put_compact_count, put_compact_nullable_string, put_compact_string, put_string,
};

/// The record types of share groups, which stand first in the key.
pub(super) const KEY_TYPES: RangeInclusive<i16> = 10..=15;
const UUID_LEN: usize = 16;

/// Partitions by topic id.
pub type PartitionsByTopic = BTreeMap<Uuid, BTreeSet<i32>>;

/// The key of a share group's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShareGroupKey {
    /// What a member told of itself.
    MemberMetadata {
        /// The group.
        group_id: String,
        /// The member.
        member_id: String,
    },
    /// The group's epoch.
    Metadata {
        /// The group.
        group_id: String,
    },
    /// The epoch of the target assignment.
    TargetAssignmentMetadata {
        /// The group.
        group_id: String,
    },
    /// What a member is to have.
    TargetAssignmentMember {
        /// The group.
        group_id: String,
        /// The member.
        member_id: String,
    },
    /// What a member has.
    CurrentMemberAssignment {
        /// The group.
        group_id: String,
        /// The member.
        member_id: String,
    },
    /// The partitions for which there is share state.
    StatePartitionMetadata {
        /// The group.
        group_id: String,
    },
}

impl ShareGroupKey {
    pub(super) fn decode_fields(kind: i16, cursor: &mut Cursor) -> Result<Self, Malformed> {
        let group_id = cursor.string("group")?;
        Ok(match kind {
            10 => Self::MemberMetadata { group_id, member_id: cursor.string("member")? },
            11 => Self::Metadata { group_id },
            12 => Self::TargetAssignmentMetadata { group_id },
            13 => Self::TargetAssignmentMember { group_id, member_id: cursor.string("member")? },
            14 => Self::CurrentMemberAssignment { group_id, member_id: cursor.string("member")? },
            15 => Self::StatePartitionMetadata { group_id },
            _ => return Err(Malformed("share group record type")),
        })
    }

    /// The group that the record is about.
    pub fn group_id(&self) -> &str {
        match self {
            Self::MemberMetadata { group_id, .. }
            | Self::Metadata { group_id }
            | Self::TargetAssignmentMetadata { group_id }
            | Self::TargetAssignmentMember { group_id, .. }
            | Self::CurrentMemberAssignment { group_id, .. }
            | Self::StatePartitionMetadata { group_id } => group_id,
        }
    }

    fn member_id(&self) -> Option<&str> {
        match self {
            Self::MemberMetadata { member_id, .. }
            | Self::TargetAssignmentMember { member_id, .. }
            | Self::CurrentMemberAssignment { member_id, .. } => Some(member_id),
            Self::Metadata { .. } | Self::TargetAssignmentMetadata { .. } | Self::StatePartitionMetadata { .. } => None,
        }
    }

    /// The key's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(6 + self.group_id().len() + self.member_id().map_or(0, str::len));
        out.put_i16(match self {
            Self::MemberMetadata { .. } => 10,
            Self::Metadata { .. } => 11,
            Self::TargetAssignmentMetadata { .. } => 12,
            Self::TargetAssignmentMember { .. } => 13,
            Self::CurrentMemberAssignment { .. } => 14,
            Self::StatePartitionMetadata { .. } => 15,
        });
        put_string(&mut out, self.group_id());
        if let Some(member_id) = self.member_id() {
            put_string(&mut out, member_id);
        }
        out.freeze()
    }
}

/// What a member told of itself (`ShareGroupMemberMetadataValue.json`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberMetadataValue {
    /// Where it runs.
    pub rack_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// The topics that it wants records of.
    pub subscribed_topic_names: BTreeSet<String>,
}

impl MemberMetadataValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "share group value version")?;
        let rack_id = cursor.compact_nullable_string("rack")?;
        let client_id = cursor.compact_string("client id")?;
        let client_host = cursor.compact_string("client host")?;
        let names = cursor.compact_array(1, "subscribed topics", |cursor| cursor.compact_string("subscribed topic"))?;
        let subscribed_topic_names = names.into_iter().collect();
        cursor.no_tagged_fields()?;
        Ok(Self { rack_id, client_id, client_host, subscribed_topic_names })
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        encode_value(|out| {
            put_compact_nullable_string(out, self.rack_id.as_deref());
            put_compact_string(out, &self.client_id);
            put_compact_string(out, &self.client_host);
            put_compact_count(out, self.subscribed_topic_names.len());
            for name in &self.subscribed_topic_names {
                put_compact_string(out, name);
            }
        })
    }
}

/// A group's epoch (`ShareGroupMetadataValue.json`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataValue {
    /// It rises with every change of members, subscriptions or topics.
    pub epoch: i32,
    /// What of the topics subscribed to the epoch was worked out from.
    pub metadata_hash: i64,
}

impl MetadataValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "share group value version")?;
        let value = Self { epoch: cursor.i32("epoch")?, metadata_hash: cursor.i64("metadata hash")? };
        cursor.no_tagged_fields()?;
        Ok(value)
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        encode_value(|out| {
            out.put_i32(self.epoch);
            out.put_i64(self.metadata_hash);
        })
    }
}

/// What a member is to have (`ShareGroupTargetAssignmentMemberValue.json`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetAssignmentMemberValue {
    /// The partitions.
    pub partitions: PartitionsByTopic,
}

impl TargetAssignmentMemberValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "share group value version")?;
        let partitions = partitions_by_topic(&mut cursor)?;
        cursor.no_tagged_fields()?;
        Ok(Self { partitions })
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        encode_value(|out| put_partitions_by_topic(out, &self.partitions))
    }
}

/// What a member has (`ShareGroupCurrentMemberAssignmentValue.json`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CurrentMemberAssignmentValue {
    /// The epoch that the member was told.
    pub member_epoch: i32,
    /// The one before, which a member that missed an answer may still have.
    pub previous_member_epoch: i32,
    /// The number of Kafka's `MemberState`; share groups know only 0, stable.
    pub state: i8,
    /// The partitions.
    pub partitions: PartitionsByTopic,
}

impl CurrentMemberAssignmentValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "share group value version")?;
        let value = Self {
            member_epoch: cursor.i32("member epoch")?,
            previous_member_epoch: cursor.i32("previous member epoch")?,
            state: cursor.i8("member state")?,
            partitions: partitions_by_topic(&mut cursor)?,
        };
        cursor.no_tagged_fields()?;
        Ok(value)
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        encode_value(|out| {
            out.put_i32(self.member_epoch);
            out.put_i32(self.previous_member_epoch);
            out.put_i8(self.state);
            put_partitions_by_topic(out, &self.partitions);
        })
    }
}

/// The partitions of a topic for which there is share state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicPartitionsInfo {
    /// The topic's name.
    pub topic_name: String,
    /// The partitions.
    pub partitions: BTreeSet<i32>,
}

/// The partitions for which there is share state, by topic id (`ShareGroupStatePartitionMetadataValue.json`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatePartitionMetadataValue {
    /// Those whose state is being made.
    pub initializing_topics: BTreeMap<Uuid, TopicPartitionsInfo>,
    /// Those that have state.
    pub initialized_topics: BTreeMap<Uuid, TopicPartitionsInfo>,
    /// Topics, by name, whose state is being taken away.
    pub deleting_topics: BTreeMap<Uuid, String>,
}

impl StatePartitionMetadataValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "share group value version")?;
        let initializing_topics = topic_infos(&mut cursor)?;
        let initialized_topics = topic_infos(&mut cursor)?;
        let deleting_topics = cursor.compact_array(UUID_LEN + 2, "deleting topics", |cursor| {
            let topic = (cursor.uuid("deleting topic")?, cursor.compact_string("deleting topic's name")?);
            cursor.no_tagged_fields()?;
            Ok(topic)
        })?;
        cursor.no_tagged_fields()?;
        Ok(Self { initializing_topics, initialized_topics, deleting_topics: deleting_topics.into_iter().collect() })
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        encode_value(|out| {
            for topics in [&self.initializing_topics, &self.initialized_topics] {
                put_compact_count(out, topics.len());
                for (id, topic) in topics {
                    out.put_slice(id.as_bytes());
                    put_compact_string(out, &topic.topic_name);
                    put_partitions(out, &topic.partitions);
                    put_no_tags(out);
                }
            }
            put_compact_count(out, self.deleting_topics.len());
            for (id, name) in &self.deleting_topics {
                out.put_slice(id.as_bytes());
                put_compact_string(out, name);
                put_no_tags(out);
            }
        })
    }
}

/// A value's version, its fields and no tagged ones.
fn encode_value(fields: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = new_value();
    fields(&mut out);
    put_no_tags(&mut out);
    out.freeze()
}

fn topic_infos(cursor: &mut Cursor) -> Result<BTreeMap<Uuid, TopicPartitionsInfo>, Malformed> {
    let topics = cursor.compact_array(UUID_LEN + 3, "topics", |cursor| {
        let id = cursor.uuid("topic")?;
        let topic_name = cursor.compact_string("topic's name")?;
        let partitions = partitions(cursor)?;
        cursor.no_tagged_fields()?;
        Ok((id, TopicPartitionsInfo { topic_name, partitions }))
    })?;
    Ok(topics.into_iter().collect())
}

fn partitions_by_topic(cursor: &mut Cursor) -> Result<PartitionsByTopic, Malformed> {
    let topics = cursor.compact_array(UUID_LEN + 2, "topics", |cursor| {
        let topic = (cursor.uuid("topic")?, partitions(cursor)?);
        cursor.no_tagged_fields()?;
        Ok(topic)
    })?;
    Ok(topics.into_iter().collect())
}

fn partitions(cursor: &mut Cursor) -> Result<BTreeSet<i32>, Malformed> {
    let partitions = cursor.compact_array(4, "partitions", |cursor| cursor.i32("partition"))?;
    Ok(partitions.into_iter().collect())
}

fn put_partitions_by_topic(out: &mut BytesMut, topics: &PartitionsByTopic) {
    put_compact_count(out, topics.len());
    for (id, partitions) in topics {
        out.put_slice(id.as_bytes());
        put_partitions(out, partitions);
        put_no_tags(out);
    }
}

fn put_partitions(out: &mut BytesMut, partitions: &BTreeSet<i32>) {
    put_compact_count(out, partitions.len());
    for partition in partitions {
        out.put_i32(*partition);
    }
}

fn put_no_tags(out: &mut BytesMut) {
    out.put_u8(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::GroupRecordKey;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        "[a-z0-9é]{0,12}"
    }

    fn partition_set() -> impl Strategy<Value = BTreeSet<i32>> {
        prop::collection::btree_set(any::<i32>(), 0..5)
    }

    fn id() -> impl Strategy<Value = Uuid> {
        any::<u128>().prop_map(Uuid::from_u128)
    }

    fn assignment() -> impl Strategy<Value = PartitionsByTopic> {
        prop::collection::btree_map(id(), partition_set(), 0..4)
    }

    fn infos() -> impl Strategy<Value = BTreeMap<Uuid, TopicPartitionsInfo>> {
        let info = (text(), partition_set())
            .prop_map(|(topic_name, partitions)| TopicPartitionsInfo { topic_name, partitions });
        prop::collection::btree_map(id(), info, 0..4)
    }

    proptest! {
        #[test]
        fn records_round_trip(
            group_id in text(), member_id in text(), rack_id in prop::option::of(text()),
            topics in prop::collection::btree_set(text(), 0..5), epoch: i32, timestamp: i64, state: i8,
            partitions in assignment(), initializing in infos(), initialized in infos(),
            deleting in prop::collection::btree_map(id(), text(), 0..4),
        ) {
            let (group, member) = (group_id.clone(), member_id.clone());
            let keys = [
                ShareGroupKey::MemberMetadata { group_id: group.clone(), member_id: member.clone() },
                ShareGroupKey::Metadata { group_id: group.clone() },
                ShareGroupKey::TargetAssignmentMetadata { group_id: group.clone() },
                ShareGroupKey::TargetAssignmentMember { group_id: group.clone(), member_id: member.clone() },
                ShareGroupKey::CurrentMemberAssignment { group_id: group.clone(), member_id: member },
                ShareGroupKey::StatePartitionMetadata { group_id: group },
            ];
            for key in keys {
                prop_assert_eq!(GroupRecordKey::decode(key.encode()), Ok(GroupRecordKey::ShareGroup(key)));
            }
            let value = MemberMetadataValue {
                rack_id, client_id: group_id, client_host: member_id, subscribed_topic_names: topics,
            };
            prop_assert_eq!(MemberMetadataValue::decode(value.encode()), Ok(value));
            let value = MetadataValue { epoch, metadata_hash: timestamp };
            prop_assert_eq!(MetadataValue::decode(value.encode()), Ok(value));
            let value = TargetAssignmentMetadataValue { assignment_epoch: epoch, assignment_timestamp: timestamp };
            prop_assert_eq!(TargetAssignmentMetadataValue::decode(value.encode()), Ok(value));
            let value = TargetAssignmentMemberValue { partitions: partitions.clone() };
            prop_assert_eq!(TargetAssignmentMemberValue::decode(value.encode()), Ok(value));
            let value = CurrentMemberAssignmentValue {
                member_epoch: epoch, previous_member_epoch: epoch.wrapping_sub(1), state, partitions,
            };
            prop_assert_eq!(CurrentMemberAssignmentValue::decode(value.encode()), Ok(value));
            let value = StatePartitionMetadataValue {
                initializing_topics: initializing, initialized_topics: initialized, deleting_topics: deleting,
            };
            prop_assert_eq!(StatePartitionMetadataValue::decode(value.encode()), Ok(value));
        }
    }
}
