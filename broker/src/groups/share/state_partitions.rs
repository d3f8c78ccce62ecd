//! Which partitions have share state for a group: only those are assigned. State is made when a member first
//! subscribes to a topic, or an administrator sets offsets, and goes with the group, the topic or the offsets.

use std::collections::BTreeSet;

use brooklet_protocol::coordinator::share_group::{ShareGroupKey, StatePartitionMetadataValue, TopicPartitionsInfo};
use brooklet_protocol::coordinator::share_state::SharePartitionKey;
use uuid::Uuid;

use super::requests::StatePartitions;
use super::{ShareGroup, record};
use crate::groups::shard::GroupRecord;
use crate::groups::topics_image::TopicsImage;

impl ShareGroup {
    /// The partitions that have share state.
    pub(crate) fn initialized(&self) -> &StatePartitions {
        &self.initialized
    }

    /// The share partitions of the group.
    pub(crate) fn share_partitions(&self) -> Vec<SharePartitionKey> {
        let all = self.initialized.iter().flat_map(|(id, topic)| topic.partitions.iter().map(|index| (*id, *index)));
        all.map(|(topic_id, partition)| SharePartitionKey { group_id: self.group_id.to_string(), topic_id, partition })
            .collect()
    }

    /// Of the topics subscribed to, the partitions that have no share state yet.
    pub(super) fn uninitialized(&self, names: &BTreeSet<String>, topics: &dyn TopicsImage) -> StatePartitions {
        let mut missing = StatePartitions::new();
        for image in names.iter().filter_map(|name| topics.by_name(name)) {
            let known = self.initialized.get(&image.id).map(|topic| &topic.partitions);
            let is_new = |index: &i32| !known.is_some_and(|known| known.contains(index));
            let partitions: BTreeSet<i32> = (0..image.partitions).filter(is_new).collect();
            if !partitions.is_empty() {
                missing.insert(image.id, TopicPartitionsInfo { topic_name: image.name.to_string(), partitions });
            }
        }
        missing
    }

    /// What has share state once `more` has too.
    pub(super) fn initialized_with(&self, more: StatePartitions) -> StatePartitions {
        let mut initialized = self.initialized.clone();
        for (id, info) in more {
            let topic = initialized.entry(id).or_default();
            topic.topic_name = info.topic_name;
            topic.partitions.extend(info.partitions);
        }
        initialized
    }

    /// The record that says which partitions have share state.
    pub(super) fn state_partitions_record(&self, initialized_topics: StatePartitions) -> GroupRecord {
        let value = StatePartitionMetadataValue { initialized_topics, ..StatePartitionMetadataValue::default() };
        let key = ShareGroupKey::StatePartitionMetadata { group_id: self.group_id.to_string() };
        record(&key, Some(value.encode()))
    }

    /// The record that follows the end of a topic, if the group had state for it.
    pub(crate) fn forget_topic(&self, id: Uuid) -> Option<GroupRecord> {
        let mut left = self.initialized.clone();
        left.remove(&id)?;
        Some(self.state_partitions_record(left))
    }
}
