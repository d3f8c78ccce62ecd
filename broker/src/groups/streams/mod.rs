//! A streams group (KIP-1071): the coordinator knows the application's topology, and gives its tasks to the members.
//!
//! What is stored of a group changes only by [`StreamsGroup::replay`]. A step works out an answer and records; when
//! those are kept and replayed, what is not stored follows by [`StreamsGroup::follow`].

pub(crate) mod member;
pub(crate) mod requests;
pub(crate) mod topology;

mod assignor;
mod describe;
mod endpoints;
mod heartbeat;
mod offsets;
mod partition_counts;
mod process_state;
mod reconciliation;
mod replay;
mod tasks;

use std::collections::BTreeMap;
use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::streams_group::{
    GroupMetadataValue, StreamsGroupKey, Subject, TargetAssignmentMetadataValue, TopologyValue,
};
use bytes::Bytes;

use self::member::{MemberState, StreamsGroupMember};
use self::tasks::TasksTuple;
use self::topology::ConfiguredTopology;
use super::consumer::requests::GroupError;
use super::requests::{GroupListing, GroupType};
use super::shard::{GroupRecord, Now};
use super::topics_image::TopicsImage;
use crate::config::GroupConfig;
use crate::coordinator::timer::Millis;

/// What configs say of a streams group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamsSettings {
    pub(crate) heartbeat_interval_ms: i32,
    pub(crate) session_timeout_ms: i32,
    pub(crate) initial_rebalance_delay_ms: u32,
    pub(crate) assignment_interval_ms: u32,
    pub(crate) max_size: usize,
    pub(crate) num_standby_replicas: u32,
}

impl StreamsSettings {
    /// Those of a group with these configs, in which at most so many members may be.
    pub(crate) fn of(config: &GroupConfig, max_size: usize) -> Self {
        Self {
            heartbeat_interval_ms: config.streams_heartbeat_interval_ms,
            session_timeout_ms: config.streams_session_timeout_ms,
            initial_rebalance_delay_ms: config.streams_initial_rebalance_delay_ms.unsigned_abs(),
            assignment_interval_ms: config.streams_assignment_interval_ms.unsigned_abs(),
            max_size,
            num_standby_replicas: config.streams_num_standby_replicas.unsigned_abs(),
        }
    }
}

/// What a streams group waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum StreamsTimer {
    /// More members, before the first assignment.
    InitialRebalance,
    /// A heartbeat of this member.
    Session(String),
    /// That this member gives up tasks.
    Revocation(String),
}

/// What a timer is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TimerChange {
    Arm(StreamsTimer, Millis),
    Disarm(StreamsTimer),
}

/// What a step may look at beside the group.
#[derive(Clone, Copy)]
pub(crate) struct StreamsStep<'a> {
    pub(crate) now: Now,
    pub(crate) topics: &'a dyn TopicsImage,
    pub(crate) settings: &'a StreamsSettings,
    /// Whether the group waits for more members before its first assignment.
    pub(crate) is_delayed: bool,
}

/// An answer, with what must be kept before it is given and what follows then.
#[derive(Debug)]
pub(crate) struct StreamsDecision<T> {
    pub(crate) answer: T,
    pub(crate) records: Vec<GroupRecord>,
    pub(crate) changes: SoftChanges,
}

/// What changes of a group that is not stored.
#[derive(Debug, Default)]
pub(crate) struct SoftChanges {
    configured: Option<ConfiguredTopology>,
    /// Some instance has other tasks than before.
    endpoints_changed: bool,
    /// This member wants the whole application to stop.
    shutdown_requested_by: Option<String>,
    pub(crate) timers: Vec<TimerChange>,
}

/// The epoch of a group that nobody has joined yet, and of its target assignment.
const INITIAL_EPOCH: i32 = 1;

/// A streams group.
#[derive(Debug)]
pub(crate) struct StreamsGroup {
    id: Arc<str>,
    epoch: i32,
    metadata_hash: i64,
    validated_topology_epoch: i32,
    assignment_configs: BTreeMap<String, String>,
    topology: Option<TopologyValue>,
    members: BTreeMap<String, StreamsGroupMember>,
    /// What each member is to have.
    target: BTreeMap<String, TasksTuple>,
    target_metadata: TargetAssignmentMetadataValue,

    // Not stored.
    configured: Option<ConfiguredTopology>,
    endpoint_information_epoch: i32,
    shutdown_requested_by: Option<String>,
}

impl StreamsGroup {
    pub(crate) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: INITIAL_EPOCH,
            metadata_hash: 0,
            validated_topology_epoch: 0,
            assignment_configs: BTreeMap::new(),
            topology: None,
            members: BTreeMap::new(),
            target: BTreeMap::new(),
            target_metadata: TargetAssignmentMetadataValue { assignment_epoch: INITIAL_EPOCH, assignment_timestamp: 0 },
            configured: None,
            endpoint_information_epoch: 0,
            shutdown_requested_by: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Kafka's name of its state.
    pub(crate) fn state(&self) -> &'static str {
        let validated = |topology: &TopologyValue| topology.epoch == self.validated_topology_epoch;
        let target_epoch = self.target_metadata.assignment_epoch;
        if self.members.is_empty() {
            "Empty"
        } else if !self.topology.as_ref().is_some_and(validated) {
            "NotReady"
        } else if self.epoch > target_epoch {
            "Assigning"
        } else if self.members.values().any(|member| !member.is_reconciled_to(target_epoch)) {
            "Reconciling"
        } else {
            "Stable"
        }
    }

    pub(crate) fn listing(&self) -> GroupListing {
        GroupListing {
            group_id: self.id.to_string(),
            kind: GroupType::Streams,
            protocol_type: "streams".to_owned(),
            state: self.state(),
        }
    }

    pub(crate) fn check_delete(&self) -> Result<(), ErrorCode> {
        if self.is_empty() { Ok(()) } else { Err(ErrorCode::NonEmptyGroup) }
    }

    /// Whether the topology reads a topic, while there are members.
    pub(crate) fn subscribes_to(&self, topic: &str) -> bool {
        !self.is_empty() && self.subtopology_of(topic).is_some()
    }

    /// The records that take the group away.
    pub(crate) fn tombstones(&self) -> Vec<GroupRecord> {
        let members = || self.members.keys().cloned();
        let subjects = members()
            .map(Subject::CurrentMemberAssignment)
            .chain(members().map(Subject::TargetAssignmentMember))
            .chain([Subject::TargetAssignmentMetadata])
            .chain(members().map(Subject::MemberMetadata))
            .chain([Subject::GroupMetadata, Subject::Topology]);
        subjects.map(|subject| self.record(subject, None)).collect()
    }

    /// The records that take a member away; what it was to do is for others (`streamsGroupFenceMember`).
    pub(crate) fn fence(&self, member_id: &str) -> StreamsDecision<()> {
        let id = || member_id.to_owned();
        let mut records: Vec<GroupRecord> = [
            Subject::CurrentMemberAssignment(id()),
            Subject::TargetAssignmentMember(id()),
            Subject::MemberMetadata(id()),
        ]
        .into_iter()
        .map(|subject| self.record(subject, None))
        .collect();
        let metadata = GroupMetadataValue { epoch: self.epoch + 1, ..self.metadata() };
        records.push(self.record(Subject::GroupMetadata, Some(metadata.encode())));
        let timers = [StreamsTimer::Session(id()), StreamsTimer::Revocation(id())];
        let changes =
            SoftChanges { timers: timers.into_iter().map(TimerChange::Disarm).collect(), ..SoftChanges::default() };
        StreamsDecision { answer: (), records, changes }
    }

    /// What is due: the records that come of it.
    pub(crate) fn on_timer(&self, timer: &StreamsTimer, wall_ms: i64) -> Vec<GroupRecord> {
        let fenced = |member_id: &str, why: &str| {
            tracing::info!(group = %self.id, member = member_id, "member fenced: {why}");
            self.fence(member_id).records
        };
        match timer {
            StreamsTimer::InitialRebalance => self.delayed_assignment(wall_ms),
            StreamsTimer::Session(id) if self.members.contains_key(id) => fenced(id, "its session expired"),
            StreamsTimer::Revocation(id) if self.is_revoking(id) => fenced(id, "it did not give up tasks in time"),
            StreamsTimer::Session(_) | StreamsTimer::Revocation(_) => Vec::new(),
        }
    }

    /// The timers of a group that was stored.
    pub(crate) fn resume(&self, now: Millis, settings: &StreamsSettings) -> Vec<TimerChange> {
        let mut timers = Vec::new();
        for member in self.members.values() {
            timers.push(arm(StreamsTimer::Session(member.id.clone()), now, settings.session_timeout_ms));
            if member.state == MemberState::UnrevokedTasks {
                let timeout_ms = member.metadata.rebalance_timeout_ms;
                timers.push(arm(StreamsTimer::Revocation(member.id.clone()), now, timeout_ms));
            }
        }
        timers
    }

    /// Takes over what is not stored, once the records of the same step have been replayed.
    pub(crate) fn follow(&mut self, changes: SoftChanges) {
        if let Some(configured) = changes.configured {
            self.configured = Some(configured);
        }
        if changes.endpoints_changed {
            self.endpoint_information_epoch += 1;
        }
        if self.shutdown_requested_by.is_none() && !self.members.is_empty() {
            self.shutdown_requested_by = changes.shutdown_requested_by;
        }
    }

    fn is_revoking(&self, member_id: &str) -> bool {
        self.members.get(member_id).is_some_and(|member| member.state == MemberState::UnrevokedTasks)
    }

    fn member(&self, member_id: &str) -> Result<&StreamsGroupMember, GroupError> {
        self.members.get(member_id).ok_or_else(|| {
            let message = format!("Member {member_id} is not a member of group {}.", self.id);
            GroupError::new(ErrorCode::UnknownMemberId, message)
        })
    }

    /// What is stored of the group itself.
    fn metadata(&self) -> GroupMetadataValue {
        GroupMetadataValue {
            epoch: self.epoch,
            metadata_hash: self.metadata_hash,
            validated_topology_epoch: self.validated_topology_epoch,
            last_assignment_configs: self.assignment_configs.clone(),
        }
    }

    fn record(&self, subject: Subject, value: Option<Bytes>) -> GroupRecord {
        let key = StreamsGroupKey { group_id: self.id.to_string(), subject };
        GroupRecord { group_id: self.id.to_string(), key: key.encode(), value }
    }
}

/// There is no streams group of this id.
pub(crate) fn not_found(group_id: &str) -> GroupError {
    GroupError::new(ErrorCode::GroupIdNotFound, format!("Streams group {group_id} not found."))
}

fn arm(timer: StreamsTimer, now: Millis, after_ms: i32) -> TimerChange {
    TimerChange::Arm(timer, now.saturating_add(u64::try_from(after_ms).unwrap_or(0)))
}

#[cfg(test)]
mod tests;
