//! The offsets that groups have committed. Changed by [`CommittedOffsets::replay`] alone, live and at start alike, and
//! where a transaction ends by [`CommittedOffsets::materialise`].

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use brooklet_protocol::coordinator::offset_commit::{OffsetCommitKey, OffsetCommitValue};
use uuid::Uuid;

use super::requests::{CommittedOffset, is_of_topic};

/// Committed offsets by group.
#[derive(Debug, Default)]
pub(crate) struct CommittedOffsets {
    groups: HashMap<String, GroupOffsets>,
    records: RecordOrder,
}

type GroupOffsets = BTreeMap<(String, i32), (RecordOrder, OffsetCommitValue)>;

/// Where a record stands among all that were taken in.
pub(crate) type RecordOrder = u64;

impl CommittedOffsets {
    /// Takes in a record; without a value it takes the offset away.
    pub(crate) fn replay(&mut self, key: OffsetCommitKey, value: Option<OffsetCommitValue>) {
        let order = self.next_order();
        let OffsetCommitKey { group, topic, partition } = key;
        if let Some(value) = value {
            self.groups.entry(group).or_default().insert((topic, partition), (order, value));
        } else if let Some(offsets) = self.groups.get_mut(&group) {
            offsets.remove(&(topic, partition));
            if offsets.is_empty() {
                self.groups.remove(&group);
            }
        }
    }

    /// The place of a record that is taken in now.
    pub(crate) fn next_order(&mut self) -> RecordOrder {
        self.records += 1;
        self.records
    }

    /// Takes in an offset whose transaction was committed, unless another was committed after its record was written.
    pub(crate) fn materialise(&mut self, key: OffsetCommitKey, order: RecordOrder, value: OffsetCommitValue) {
        let OffsetCommitKey { group, topic, partition } = key;
        let offsets = self.groups.entry(group).or_default();
        if offsets.get(&(topic.clone(), partition)).is_none_or(|(committed, _)| *committed < order) {
            offsets.insert((topic, partition), (order, value));
        }
    }

    pub(crate) fn has_any(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    pub(crate) fn of(&self, group: &str, topic: &str, partition: i32) -> Option<CommittedOffset> {
        let (_, value) = self.groups.get(group)?.get(&(topic.to_owned(), partition))?;
        Some(committed(value))
    }

    /// All of a group's offsets, by topic and partition.
    pub(crate) fn all_of(&self, group: &str) -> Vec<(String, i32, CommittedOffset)> {
        let offsets = self.groups.get(group).into_iter().flatten();
        offsets.map(|((topic, partition), (_, value))| (topic.clone(), *partition, committed(value))).collect()
    }

    /// The keys of all of a group's offsets.
    pub(crate) fn keys_of(&self, group: &str) -> Vec<OffsetCommitKey> {
        let offsets = self.groups.get(group).into_iter().flat_map(BTreeMap::keys);
        offsets.map(|(topic, partition)| key(group, topic, *partition)).collect()
    }

    /// The keys of a group's offsets that have reached their age, apart from partitions that `is_kept` names, and
    /// whether those are all it has.
    pub(crate) fn expired(
        &self,
        group: &str,
        age: OffsetsAge,
        now_ms: i64,
        retention_ms: i64,
        is_kept: impl Fn(&str, i32) -> bool,
    ) -> (Vec<OffsetCommitKey>, bool) {
        let Some(offsets) = self.groups.get(group) else {
            return (Vec::new(), true);
        };
        let over = offsets.iter().filter(|((topic, partition), (_, value))| {
            age.is_over(value, now_ms, retention_ms) && !is_kept(topic, *partition)
        });
        let keys: Vec<_> = over.map(|((topic, partition), _)| key(group, topic, *partition)).collect();
        let all = keys.len() == offsets.len();
        (keys, all)
    }

    /// The keys of all offsets of a topic, in any group. One that was committed for another topic of that name is not
    /// among them.
    pub(crate) fn keys_of_topic(&self, topic: &str, id: Uuid) -> Vec<OffsetCommitKey> {
        let from = (topic.to_owned(), i32::MIN);
        let upto = (topic.to_owned(), i32::MAX);
        let range = (Bound::Included(&from), Bound::Included(&upto));
        let mut keys = Vec::new();
        for (group, offsets) in &self.groups {
            let of_name = offsets.range::<(String, i32), _>(range);
            let of_topic = of_name.filter(|(_, (_, value))| is_of_topic(value.topic_id, id));
            keys.extend(of_topic.map(|((topic, partition), _)| key(group, topic, *partition)));
        }
        keys
    }
}

/// Since when the offsets of a group age, if nobody reads the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OffsetsAge {
    /// Since each was committed.
    SinceCommit,
    /// Since the group was left by its last member, in milliseconds since 1970.
    Since(i64),
}

impl OffsetsAge {
    /// Whether an offset has reached its age. One that was committed with an age of its own has that.
    fn is_over(self, value: &OffsetCommitValue, now_ms: i64, retention_ms: i64) -> bool {
        if value.expire_timestamp >= 0 {
            return now_ms >= value.expire_timestamp;
        }
        let since = match self {
            Self::SinceCommit => value.commit_timestamp,
            Self::Since(ms) => ms,
        };
        now_ms.saturating_sub(since) >= retention_ms
    }
}

fn key(group: &str, topic: &str, partition: i32) -> OffsetCommitKey {
    OffsetCommitKey { group: group.to_owned(), topic: topic.to_owned(), partition }
}

fn committed(value: &OffsetCommitValue) -> CommittedOffset {
    CommittedOffset {
        offset: value.offset,
        leader_epoch: value.leader_epoch,
        metadata: value.metadata.clone(),
        topic_id: value.topic_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topics_end_takes_its_own_offsets_and_those_of_no_known_topic() {
        let mut offsets = CommittedOffsets::default();
        let ids = [Uuid::nil(), Uuid::from_u128(1), Uuid::from_u128(2)];
        for (partition, topic_id) in (0..).zip(ids) {
            let value = OffsetCommitValue {
                offset: 5,
                leader_epoch: 0,
                metadata: String::new(),
                commit_timestamp: 0,
                expire_timestamp: -1,
                topic_id,
            };
            offsets.replay(key("g", "t", partition), Some(value));
        }
        let gone: Vec<i32> = offsets.keys_of_topic("t", ids[1]).into_iter().map(|key| key.partition).collect();
        assert_eq!(gone, [0, 1], "partition 2's is of the topic that was made anew");
    }
}
