//! What members of a consumer group are to have and what they have: `ConsumerGroupTargetAssignmentMemberValue.json`
//! and `ConsumerGroupCurrentMemberAssignmentValue.json`.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use crate::coordinator::flexible_value::{flexible_value, new_value};
use crate::cursor::{Cursor, Malformed, put_compact_count, put_tagged_field};

/// Partitions of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPartitions {
    /// The topic.
    pub topic_id: Uuid,
    /// Their indexes.
    pub partitions: Vec<i32>,
}

/// What a member is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetAssignmentMemberValue {
    /// By topic.
    pub topic_partitions: Vec<TopicPartitions>,
}

impl TargetAssignmentMemberValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "target assignment version")?;
        let topic_partitions = cursor.compact_array(SHORTEST_TOPIC, "topic partitions", |cursor| {
            let topic = TopicPartitions { topic_id: cursor.uuid("topic id")?, partitions: indexes(cursor)? };
            cursor.no_tagged_fields()?;
            Ok(topic)
        })?;
        cursor.no_tagged_fields()?;
        Ok(Self { topic_partitions })
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = new_value();
        put_compact_count(&mut out, self.topic_partitions.len());
        for topic in &self.topic_partitions {
            out.put_slice(topic.topic_id.as_bytes());
            put_indexes(&mut out, &topic.partitions);
            out.put_u8(0);
        }
        out.put_u8(0);
        out.freeze()
    }
}

/// Partitions of a topic that a member has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedPartitions {
    /// The topic.
    pub topic_id: Uuid,
    /// Their indexes.
    pub partitions: Vec<i32>,
    /// The epoch at which each was given to the member; `None` where that was not kept.
    pub assignment_epochs: Option<Vec<i32>>,
}

/// What a member has, and how far it is on its way to what it is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentMemberAssignmentValue {
    /// The epoch that the member is expected to send.
    pub member_epoch: i32,
    /// The one before, which it sends if the answer with the newer one was lost.
    pub previous_member_epoch: i32,
    /// Kafka's `MemberState`.
    pub state: i8,
    /// What it has.
    pub assigned_partitions: Vec<OwnedPartitions>,
    /// What it is to give up.
    pub partitions_pending_revocation: Vec<OwnedPartitions>,
}

impl CurrentMemberAssignmentValue {
    /// Reads a value.
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = flexible_value(bytes, "current assignment version")?;
        let value = Self {
            member_epoch: cursor.i32("member epoch")?,
            previous_member_epoch: cursor.i32("previous member epoch")?,
            state: cursor.i8("member state")?,
            assigned_partitions: owned(&mut cursor)?,
            partitions_pending_revocation: owned(&mut cursor)?,
        };
        cursor.no_tagged_fields()?;
        Ok(value)
    }

    /// The value's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = new_value();
        out.put_i32(self.member_epoch);
        out.put_i32(self.previous_member_epoch);
        out.put_i8(self.state);
        put_owned(&mut out, &self.assigned_partitions);
        put_owned(&mut out, &self.partitions_pending_revocation);
        out.put_u8(0);
        out.freeze()
    }
}

/// Bytes of a topic without partitions: id, count, tagged fields.
const SHORTEST_TOPIC: usize = 18;

fn owned(cursor: &mut Cursor) -> Result<Vec<OwnedPartitions>, Malformed> {
    cursor.compact_array(SHORTEST_TOPIC, "owned partitions", |cursor| {
        let mut topic = OwnedPartitions {
            topic_id: cursor.uuid("topic id")?,
            partitions: indexes(cursor)?,
            assignment_epochs: None,
        };
        cursor.tagged_fields(|tag, mut field| {
            // Null is written as a length of 0.
            if tag == 0 && field.remaining() > 1 {
                topic.assignment_epochs = Some(indexes(&mut field)?);
            }
            Ok(())
        })?;
        Ok(topic)
    })
}

fn put_owned(out: &mut BytesMut, topics: &[OwnedPartitions]) {
    put_compact_count(out, topics.len());
    for topic in topics {
        out.put_slice(topic.topic_id.as_bytes());
        put_indexes(out, &topic.partitions);
        let mut epochs = BytesMut::new();
        match &topic.assignment_epochs {
            Some(known) => put_indexes(&mut epochs, known),
            None => epochs.put_u8(0),
        }
        out.put_u8(1);
        put_tagged_field(out, 0, &epochs);
    }
}

fn indexes(cursor: &mut Cursor) -> Result<Vec<i32>, Malformed> {
    cursor.compact_array(4, "partitions", |cursor| cursor.i32("partition"))
}

fn put_indexes(out: &mut BytesMut, indexes: &[i32]) {
    put_compact_count(out, indexes.len());
    for index in indexes {
        out.put_i32(*index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some_owned() -> impl Strategy<Value = Vec<OwnedPartitions>> {
        let partitions = prop::collection::vec((any::<i32>(), any::<i32>()), 1..40);
        let topic = (any::<u128>(), partitions, any::<bool>()).prop_map(|(id, partitions, with_epochs)| {
            let (partitions, epochs): (Vec<_>, Vec<_>) = partitions.into_iter().unzip();
            OwnedPartitions {
                topic_id: Uuid::from_u128(id),
                partitions,
                assignment_epochs: with_epochs.then_some(epochs),
            }
        });
        prop::collection::vec(topic, 0..4)
    }

    #[test]
    fn an_assignment_has_kafkas_bytes() {
        let topic_id = Uuid::from_u128(7);
        let value = CurrentMemberAssignmentValue {
            member_epoch: 3,
            previous_member_epoch: 2,
            state: 1,
            assigned_partitions: vec![OwnedPartitions {
                topic_id,
                partitions: vec![5],
                assignment_epochs: Some(vec![2]),
            }],
            partitions_pending_revocation: vec![],
        };
        let topic = [&topic_id.as_bytes()[..], &[2, 0, 0, 0, 5], &[1, 0, 5, 2, 0, 0, 0, 2]].concat();
        let bytes = [&[0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 1, 2][..], &topic, &[1, 0]].concat();
        assert_eq!(value.encode()[..], bytes[..]);
    }

    proptest! {
        #[test]
        fn assignments_round_trip(
            member_epoch: i32, previous_member_epoch: i32, state: i8, assigned in some_owned(), pending in some_owned(),
        ) {
            let target = TargetAssignmentMemberValue {
                topic_partitions: assigned
                    .iter()
                    .map(|topic| TopicPartitions { topic_id: topic.topic_id, partitions: topic.partitions.clone() })
                    .collect(),
            };
            prop_assert_eq!(TargetAssignmentMemberValue::decode(target.encode()), Ok(target));
            let current = CurrentMemberAssignmentValue {
                member_epoch, previous_member_epoch, state, assigned_partitions: assigned,
                partitions_pending_revocation: pending,
            };
            prop_assert_eq!(CurrentMemberAssignmentValue::decode(current.encode()), Ok(current));
        }
    }
}
