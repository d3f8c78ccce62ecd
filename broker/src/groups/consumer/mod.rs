//! A consumer group (KIP-848): the coordinator decides who has which partitions, and members follow by heartbeats.
//! What is decided, and in which order, is what Kafka's `GroupMetadataManager` decides.
//!
//! A group has an epoch that rises with everything that calls for a new assignment, a target assignment made for one
//! of these epochs, and members that come to it one by one. All of this is stored, and changes only when a record is
//! taken in (`replay`): a request is answered from what comes of it, with the records that make it true.

mod classic_member;
mod departure;
mod describe;
mod draft;
mod heartbeat;
mod member;
mod migration;
mod offsets;
mod reconciliation;
mod replay;
pub(crate) mod requests;
mod subscriptions;
mod target_assignment;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::consumer;
use uuid::Uuid;

use super::assignor::{Assignment, Assignor};
use super::classic::{TimerKey, TimerKind};
use super::group_configs::GroupConfigs;
use super::requests::{GroupListing, GroupType};
use super::shard::Now;
use super::topics_image::TopicsImage;
use crate::coordinator::timer::TimerQueue;
pub(crate) use draft::{Decision, Draft};
use member::{ConsumerGroupMember, MemberState};
pub(crate) use migration::{Downgrade, MigrationPolicy};
pub(crate) use offsets::CommitAdmission;
use subscriptions::ResolvedRegex;

/// The configs that consumer groups follow and that stay while the broker runs.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerGroupSettings {
    /// `group.consumer.assignors`, of which the first is the default; at least one.
    pub(crate) assignors: Vec<Assignor>,
    /// `group.consumer.max.size`.
    pub(crate) max_size: usize,
    /// `group.consumer.migration.policy`.
    pub(crate) migration_policy: MigrationPolicy,
    /// `group.max.size`, which counts for what a group becomes when it becomes a classic one.
    pub(crate) classic_max_size: usize,
}

impl ConsumerGroupSettings {
    /// The assignor of a group whose members want none in particular.
    pub(crate) fn default_assignor(&self) -> Assignor {
        self.assignors.first().copied().unwrap_or(Assignor::Uniform)
    }
}

/// What a step of a consumer group may look at, and the timers that it sets.
pub(crate) struct Step<'a> {
    pub(crate) now: Now,
    pub(crate) topics: &'a dyn TopicsImage,
    pub(crate) configs: &'a GroupConfigs,
    pub(crate) settings: &'a ConsumerGroupSettings,
    pub(crate) timers: &'a mut TimerQueue<TimerKey>,
}

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsumerGroup {
    group_id: Arc<str>,
    epoch: i32,
    /// A hash over the topics subscribed to, as they were when the epoch was last looked at.
    metadata_hash: i64,
    assignment_epoch: i32,
    /// When the target assignment was made, in milliseconds since 1970; 0 if that is not known.
    assignment_timestamp: i64,
    members: BTreeMap<String, ConsumerGroupMember>,
    /// Member ids by instance id.
    static_members: HashMap<String, String>,
    target_assignment: BTreeMap<String, Assignment>,
    /// Patterns that members subscribe by, and the topics they match.
    resolved_regexes: BTreeMap<String, ResolvedRegex>,
    /// An older Kafka left a record that is of no use any more.
    has_partition_metadata_record: bool,
    /// The version of the topics for which [`Self::metadata_hash`] is known to hold. It is not stored.
    seen_topics_version: u64,
}

/// Where a group stands (`ConsumerGroupState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConsumerGroupState {
    /// Nobody is in it.
    Empty,
    /// There is no target assignment yet for its epoch.
    Assigning,
    /// Members are on their way to the target assignment.
    Reconciling,
    /// All members have what they are to have.
    Stable,
}

impl ConsumerGroupState {
    /// Kafka's name of the state.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

impl ConsumerGroup {
    pub(crate) fn new(group_id: Arc<str>) -> Self {
        Self {
            group_id,
            epoch: 1,
            metadata_hash: 0,
            assignment_epoch: 1,
            assignment_timestamp: 0,
            members: BTreeMap::new(),
            static_members: HashMap::new(),
            target_assignment: BTreeMap::new(),
            resolved_regexes: BTreeMap::new(),
            has_partition_metadata_record: false,
            seen_topics_version: 0,
        }
    }

    pub(crate) fn state(&self) -> ConsumerGroupState {
        if self.members.is_empty() {
            ConsumerGroupState::Empty
        } else if self.epoch > self.assignment_epoch {
            ConsumerGroupState::Assigning
        } else if self.members.values().all(|member| member.is_reconciled_to(self.assignment_epoch)) {
            ConsumerGroupState::Stable
        } else {
            ConsumerGroupState::Reconciling
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn listing(&self) -> GroupListing {
        GroupListing {
            group_id: self.group_id.to_string(),
            kind: GroupType::Consumer,
            protocol_type: consumer::PROTOCOL_TYPE.to_owned(),
            state: self.state().name(),
        }
    }

    /// Only an empty group may be deleted.
    pub(crate) fn check_delete(&self) -> Result<(), ErrorCode> {
        if self.is_empty() { Ok(()) } else { Err(ErrorCode::NonEmptyGroup) }
    }

    /// The sessions of a group's members begin when it has been loaded, and the time that they have to give up
    /// partitions.
    pub(crate) fn resume(&self, step: &mut Step<'_>) {
        for member in self.members.values() {
            let session_ms = step.configs.of(&self.group_id).consumer_session_timeout_ms;
            self.arm_session(&member.id, session_ms, step);
            self.arm_rebalance(member, step);
        }
    }

    fn static_member(&self, instance_id: &str) -> Option<&ConsumerGroupMember> {
        self.members.get(self.static_members.get(instance_id)?)
    }

    fn target_of(&self, member_id: &str) -> Assignment {
        self.target_assignment.get(member_id).cloned().unwrap_or_default()
    }

    /// Whether any member has this partition, or has yet to give it up.
    fn is_owned(&self, topic: Uuid, partition: i32) -> bool {
        self.members.values().any(|member| member.owns(topic, partition))
    }

    fn timer(&self, kind: TimerKind) -> TimerKey {
        TimerKey { group_id: Arc::clone(&self.group_id), kind }
    }

    fn arm_session(&self, member_id: &str, timeout_ms: i32, step: &mut Step<'_>) {
        self.arm(TimerKind::Session(member_id.to_owned()), timeout_ms, step);
    }

    /// Begins the time that a member has to give up partitions, or ends it.
    fn arm_rebalance(&self, member: &ConsumerGroupMember, step: &mut Step<'_>) {
        let kind = TimerKind::Revocation(member.id.clone());
        if member.state == MemberState::UnrevokedPartitions && !member.uses_classic_protocol() {
            self.arm(kind, member.rebalance_timeout_ms, step);
        } else {
            step.timers.disarm(&self.timer(kind));
        }
    }

    fn arm(&self, kind: TimerKind, timeout_ms: i32, step: &mut Step<'_>) {
        let at = step.now.monotonic + u64::try_from(timeout_ms).unwrap_or_default();
        step.timers.arm(self.timer(kind), at);
    }

    fn disarm_all(&self, member_id: &str, step: &mut Step<'_>) {
        for kind in [TimerKind::Session, TimerKind::Revocation, TimerKind::ClassicJoin, TimerKind::ClassicSync] {
            step.timers.disarm(&self.timer(kind(member_id.to_owned())));
        }
    }
}
