//! The records of streams groups (KIP-1071): `StreamsGroup*Key.json` and `StreamsGroup*Value.json` of Kafka's group
//! coordinator. Values have one version, 0, in the flexible encoding (KIP-482).

mod assignment;
mod member;
mod topology;

pub use super::target_assignment::TargetAssignmentMetadataValue;
pub use assignment::{CurrentMemberAssignmentValue, TargetAssignmentMemberValue, TaskEpochs, Tasks};
pub use member::{Endpoint, MemberMetadataValue};
pub use topology::{CopartitionGroup, Subtopology, TopicInfo, TopologyValue};

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};

use super::flexible_value::{flexible_value, new_value};
use crate::cursor::{
    Cursor, Malformed, put_compact_count, put_compact_string, put_string, put_tagged_field, put_unsigned_varint,
};

/// The key of a record of a streams group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamsGroupKey {
    /// The group.
    pub group_id: String,
    /// What the record says of it.
    pub subject: Subject,
}

/// What a record says of a streams group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Its epoch: [`GroupMetadataValue`].
    GroupMetadata,
    /// A member, by its id: [`MemberMetadataValue`].
    MemberMetadata(String),
    /// The epoch of its target assignment: [`TargetAssignmentMetadataValue`].
    TargetAssignmentMetadata,
    /// What a member is to have, by its id: [`TargetAssignmentMemberValue`].
    TargetAssignmentMember(String),
    /// What a member has, by its id: [`CurrentMemberAssignmentValue`].
    CurrentMemberAssignment(String),
    /// What its application does: [`TopologyValue`].
    Topology,
}

impl Subject {
    /// The record type that stands first in the key.
    fn kind(&self) -> i16 {
        match self {
            Self::GroupMetadata => 17,
            Self::MemberMetadata(_) => 19,
            Self::TargetAssignmentMetadata => 20,
            Self::TargetAssignmentMember(_) => 21,
            Self::CurrentMemberAssignment(_) => 22,
            Self::Topology => 23,
        }
    }

    /// The member, which stands in the key after the group.
    fn member(&self) -> Option<&str> {
        match self {
            Self::GroupMetadata | Self::TargetAssignmentMetadata | Self::Topology => None,
            Self::MemberMetadata(id) | Self::TargetAssignmentMember(id) | Self::CurrentMemberAssignment(id) => Some(id),
        }
    }
}

impl StreamsGroupKey {
    /// Reads what follows the record type; `None` if that is not one of a streams group.
    pub(super) fn decode_fields(kind: i16, cursor: &mut Cursor) -> Result<Option<Self>, Malformed> {
        if !matches!(kind, 17 | 19..=23) {
            return Ok(None);
        }
        let group_id = cursor.string("group")?;
        let subject = match kind {
            17 => Subject::GroupMetadata,
            19 => Subject::MemberMetadata(cursor.string("member")?),
            20 => Subject::TargetAssignmentMetadata,
            21 => Subject::TargetAssignmentMember(cursor.string("member")?),
            22 => Subject::CurrentMemberAssignment(cursor.string("member")?),
            _ => Subject::Topology,
        };
        Ok(Some(Self { group_id, subject }))
    }

    /// The key's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(8 + self.group_id.len());
        out.put_i16(self.subject.kind());
        put_string(&mut out, &self.group_id);
        if let Some(member) = self.subject.member() {
            put_string(&mut out, member);
        }
        out.freeze()
    }
}

/// The epoch of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetadataValue {
    /// It rises with every change that calls for a new assignment.
    pub epoch: i32,
    /// A hash over the topics of the topology; 0 if there are none.
    pub metadata_hash: i64,
    /// The epoch of the topology that was last found to fit the topics, or -1.
    pub validated_topology_epoch: i32,
    /// The configs that assignments were made with.
    pub last_assignment_configs: BTreeMap<String, String>,
}

const NO_TOPOLOGY: i32 = -1;

impl GroupMetadataValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "group metadata version")?;
        let mut value = Self {
            epoch: cursor.i32("epoch")?,
            metadata_hash: cursor.i64("metadata hash")?,
            validated_topology_epoch: NO_TOPOLOGY,
            last_assignment_configs: BTreeMap::new(),
        };
        cursor.tagged_fields(|tag, mut field| {
            match tag {
                0 => value.validated_topology_epoch = field.i32("topology epoch")?,
                1 => value.last_assignment_configs = pairs(&mut field, "assignment configs")?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(value)
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = new_value();
        out.put_i32(self.epoch);
        out.put_i64(self.metadata_hash);
        let validated = self.validated_topology_epoch != NO_TOPOLOGY;
        put_unsigned_varint(&mut out, 1 + u64::from(validated));
        if validated {
            put_tagged_field(&mut out, 0, &self.validated_topology_epoch.to_be_bytes());
        }
        let mut configs = BytesMut::new();
        put_pairs(&mut configs, &self.last_assignment_configs);
        put_tagged_field(&mut out, 1, &configs);
        out.freeze()
    }
}

/// Structs of a key and a value each.
fn pairs(cursor: &mut Cursor, what: &'static str) -> Result<BTreeMap<String, String>, Malformed> {
    let pairs = cursor.compact_array(3, what, |cursor| {
        let pair = (cursor.compact_string(what)?, cursor.compact_string(what)?);
        cursor.no_tagged_fields()?;
        Ok(pair)
    })?;
    Ok(pairs.into_iter().collect())
}

fn put_pairs(out: &mut BytesMut, pairs: &BTreeMap<String, String>) {
    put_compact_count(out, pairs.len());
    for (key, value) in pairs {
        put_compact_string(out, key);
        put_compact_string(out, value);
        out.put_u8(0);
    }
}

fn strings(cursor: &mut Cursor, what: &'static str) -> Result<Vec<String>, Malformed> {
    cursor.compact_array(1, what, |cursor| cursor.compact_string(what))
}

fn put_strings(out: &mut BytesMut, strings: &[String]) {
    put_compact_count(out, strings.len());
    strings.iter().for_each(|text| put_compact_string(out, text));
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// No value of any kind may make a reader panic.
    pub(in crate::coordinator) fn decode_as_every_kind(value: &Bytes) {
        let _ = GroupMetadataValue::decode(value.clone());
        let _ = TargetAssignmentMetadataValue::decode(value.clone());
        let _ = TargetAssignmentMemberValue::decode(value.clone());
        let _ = CurrentMemberAssignmentValue::decode(value.clone());
        let _ = MemberMetadataValue::decode(value.clone());
        let _ = TopologyValue::decode(value.clone());
    }

    fn text() -> impl Strategy<Value = String> {
        "[a-z0-9é]{0,8}"
    }

    fn texts() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(text(), 0..3)
    }

    fn map() -> impl Strategy<Value = BTreeMap<String, String>> {
        prop::collection::btree_map(text(), text(), 0..3)
    }

    fn tasks() -> impl Strategy<Value = Tasks> {
        prop::collection::btree_map(text(), prop::collection::btree_set(any::<i32>(), 0..4), 0..3)
    }

    fn epochs() -> impl Strategy<Value = TaskEpochs> {
        let partitions = prop::collection::btree_map(any::<i32>(), any::<i32>(), 0..4);
        prop::collection::btree_map(text(), partitions, 0..3)
    }

    prop_compose! {
        fn topic()(name in text(), partitions: i32, replication_factor: i16, configs in map()) -> TopicInfo {
            TopicInfo { name, partitions, replication_factor, configs }
        }
    }

    prop_compose! {
        fn subtopology()(
            id in text(), source_topics in texts(), source_topic_regex in texts(), sinks in texts(),
            changelogs in prop::collection::vec(topic(), 0..3), sources in prop::collection::vec(topic(), 0..3),
            indexes in prop::collection::vec(any::<i16>(), 0..3),
        ) -> Subtopology {
            Subtopology {
                id, source_topics, source_topic_regex, repartition_sink_topics: sinks,
                state_changelog_topics: changelogs, repartition_source_topics: sources,
                copartition_groups: vec![CopartitionGroup {
                    source_topics: indexes.clone(), source_topic_regex: vec![], repartition_source_topics: indexes,
                }],
            }
        }
    }

    proptest! {
        #[test]
        fn values_round_trip(
            epoch: i32, hash: i64, validated: i32, configs in map(), instance_id in prop::option::of(text()),
            rack_id in prop::option::of(text()), names in (text(), text(), text()), timeout: i32,
            endpoint in prop::option::of((text(), any::<u16>())), epochs in (epochs(), epochs()),
            tasks in (tasks(), tasks()), state: i8, subtopologies in prop::collection::vec(subtopology(), 0..3),
        ) {
            let value = GroupMetadataValue {
                epoch, metadata_hash: hash, validated_topology_epoch: validated,
                last_assignment_configs: configs.clone(),
            };
            prop_assert_eq!(GroupMetadataValue::decode(value.encode()), Ok(value));
            let value = TargetAssignmentMetadataValue { assignment_epoch: epoch, assignment_timestamp: hash };
            prop_assert_eq!(TargetAssignmentMetadataValue::decode(value.encode()), Ok(value));
            let value = MemberMetadataValue {
                instance_id, rack_id, client_id: names.0, client_host: names.1, rebalance_timeout_ms: timeout,
                topology_epoch: epoch, process_id: names.2,
                user_endpoint: endpoint.map(|(host, port)| Endpoint { host, port }), client_tags: configs,
            };
            prop_assert_eq!(MemberMetadataValue::decode(value.encode()), Ok(value));
            let value = TargetAssignmentMemberValue {
                active: tasks.0.clone(), standby: tasks.1.clone(), warmup: tasks.0.clone(),
            };
            prop_assert_eq!(TargetAssignmentMemberValue::decode(value.encode()), Ok(value));
            let value = CurrentMemberAssignmentValue {
                member_epoch: epoch, previous_member_epoch: validated, state, active: epochs.0,
                standby: tasks.0.clone(), warmup: tasks.1.clone(), active_pending_revocation: epochs.1,
                standby_pending_revocation: tasks.1, warmup_pending_revocation: tasks.0,
            };
            prop_assert_eq!(CurrentMemberAssignmentValue::decode(value.encode()), Ok(value));
            let value = TopologyValue { epoch, subtopologies };
            prop_assert_eq!(TopologyValue::decode(value.encode()), Ok(value));
        }
    }

    #[test]
    fn values_have_kafkas_bytes() {
        let key = StreamsGroupKey { group_id: "g".into(), subject: Subject::CurrentMemberAssignment("m".into()) };
        assert_eq!(key.encode()[..], [0, 22, 0, 1, b'g', 0, 1, b'm']);
        let value = TargetAssignmentMemberValue {
            active: Tasks::from([("s".to_owned(), BTreeSet::from([1, 2]))]),
            standby: Tasks::new(),
            warmup: Tasks::new(),
        };
        assert_eq!(value.encode()[..], [0, 0, 2, 2, b's', 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 1, 0]);
    }
}
