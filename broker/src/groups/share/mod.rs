//! A share group (KIP-932): its members and what each of them is to fetch. Any number of members may have the same
//! partition; who gets which record is for `crate::share` to say.
//!
//! Its state changes only by `replay`. A step works out records, and what it answers is true once they are kept.

pub(crate) mod assignor;
mod heartbeat;
mod replay;
pub(crate) mod requests;
mod runtime;
mod shard;
mod state_partitions;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::share_group::{MemberMetadataValue, PartitionsByTopic, ShareGroupKey};
use bytes::Bytes;

use super::requests::{GroupListing, GroupType};
use super::shard::GroupRecord;
use requests::{ShareGroupDescription, ShareMemberDescription, StatePartitions};
pub(crate) use runtime::ShareCommand;

/// The configs that share groups follow. A group may have its own for some of them.
#[derive(Debug, Clone)]
pub(crate) struct ShareGroupSettings {
    /// `group.share.session.timeout.ms`.
    pub(crate) session_timeout_ms: u64,
    /// `group.share.heartbeat.interval.ms`.
    pub(crate) heartbeat_interval_ms: i32,
    /// `group.share.assignment.interval.ms`.
    pub(crate) assignment_interval_ms: i64,
    /// `group.share.max.size`.
    pub(crate) max_size: usize,
}

/// A member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ShareMember {
    metadata: MemberMetadataValue,
    epoch: i32,
    previous_epoch: i32,
    assigned: PartitionsByTopic,
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct ShareGroup {
    group_id: Arc<str>,
    epoch: i32,
    /// Tells whether the topics are those that the epoch was worked out from.
    metadata_hash: i64,
    assignment_epoch: i32,
    /// When the target assignment was worked out, in milliseconds since 1970.
    assignment_timestamp: i64,
    members: BTreeMap<String, ShareMember>,
    target: BTreeMap<String, PartitionsByTopic>,
    /// Partitions that have share state, and so can be delivered.
    initialized: StatePartitions,
}

impl ShareGroup {
    pub(crate) fn new(group_id: Arc<str>) -> Self {
        Self {
            group_id,
            epoch: 0,
            metadata_hash: 0,
            assignment_epoch: 0,
            assignment_timestamp: 0,
            members: BTreeMap::new(),
            target: BTreeMap::new(),
            initialized: StatePartitions::new(),
        }
    }

    pub(crate) fn listing(&self) -> GroupListing {
        GroupListing {
            group_id: self.group_id.to_string(),
            kind: GroupType::Share,
            protocol_type: "share".to_owned(),
            state: self.state(),
        }
    }

    pub(crate) fn check_delete(&self) -> Result<(), ErrorCode> {
        if self.members.is_empty() { Ok(()) } else { Err(ErrorCode::NonEmptyGroup) }
    }

    pub(crate) fn subscribes_to(&self, topic: &str) -> bool {
        self.members.values().any(|member| member.metadata.subscribed_topic_names.contains(topic))
    }

    /// The records that take the group away.
    pub(crate) fn tombstones(&self) -> Vec<GroupRecord> {
        let group_id = || self.group_id.to_string();
        let mut records: Vec<GroupRecord> = self.members.keys().flat_map(|id| self.member_tombstones(id)).collect();
        records.extend([
            record(&ShareGroupKey::TargetAssignmentMetadata { group_id: group_id() }, None),
            record(&ShareGroupKey::StatePartitionMetadata { group_id: group_id() }, None),
            record(&ShareGroupKey::Metadata { group_id: group_id() }, None),
        ]);
        records
    }

    /// The records that take a member away.
    fn member_tombstones(&self, member_id: &str) -> [GroupRecord; 3] {
        let ids = || (self.group_id.to_string(), member_id.to_owned());
        let ((group_id, member_id), (second_group, second_member), (third_group, third_member)) = (ids(), ids(), ids());
        [
            record(&ShareGroupKey::CurrentMemberAssignment { group_id, member_id }, None),
            record(&ShareGroupKey::TargetAssignmentMember { group_id: second_group, member_id: second_member }, None),
            record(&ShareGroupKey::MemberMetadata { group_id: third_group, member_id: third_member }, None),
        ]
    }

    fn describe(&self) -> ShareGroupDescription {
        let member = |(id, member): (&String, &ShareMember)| ShareMemberDescription {
            member_id: id.clone(),
            member_epoch: member.epoch,
            metadata: member.metadata.clone(),
            assignment: member.assigned.clone(),
        };
        ShareGroupDescription {
            state: self.state(),
            epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            members: self.members.iter().map(member).collect(),
        }
    }

    fn state(&self) -> &'static str {
        if self.members.is_empty() { "Empty" } else { "Stable" }
    }

    /// All topics that members subscribe to, by name.
    fn subscribed_topic_names(&self) -> BTreeSet<String> {
        self.members.values().flat_map(|member| member.metadata.subscribed_topic_names.iter().cloned()).collect()
    }
}

/// A record of a share group. Without a value it is a tombstone.
fn record(key: &ShareGroupKey, value: Option<Bytes>) -> GroupRecord {
    GroupRecord { group_id: key.group_id().to_owned(), key: key.encode(), value }
}
