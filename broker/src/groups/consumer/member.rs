//! A member of a consumer group: what it said of itself, and how far it is on its way to what it is to have.

use std::collections::{BTreeMap, BTreeSet};

use brooklet_protocol::coordinator::consumer_group::{
    ClassicMemberMetadata, CurrentMemberAssignmentValue, MemberMetadataValue, OwnedPartitions,
};
use uuid::Uuid;

/// The epoch by which a member leaves, and the one it has once it has left.
pub(crate) const LEAVE_GROUP_MEMBER_EPOCH: i32 = -1;
/// The epoch by which a static member leaves that will be back.
pub(crate) const LEAVE_GROUP_STATIC_MEMBER_EPOCH: i32 = -2;

/// Partitions by topic, each with the epoch at which it was given to the member. No topic is without partitions.
pub(crate) type OwnedAssignment = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// How far a member is (`MemberState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberState {
    /// It has what it is to have at its epoch.
    Stable,
    /// It has yet to give up partitions.
    UnrevokedPartitions,
    /// It has yet to get partitions that others have not given up.
    UnreleasedPartitions,
    /// A newer Kafka wrote it: the member must start anew.
    Unknown,
}

impl MemberState {
    fn from_code(code: i8) -> Self {
        match code {
            0 => Self::Stable,
            1 => Self::UnrevokedPartitions,
            2 => Self::UnreleasedPartitions,
            _ => Self::Unknown,
        }
    }

    fn code(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
            Self::Unknown => 127,
        }
    }
}

/// A member of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsumerGroupMember {
    pub(crate) id: String,
    /// The epoch that it is expected to send; 0 until it has one.
    pub(crate) epoch: i32,
    /// The one before, which it sends if an answer was lost.
    pub(crate) previous_epoch: i32,
    pub(crate) state: MemberState,
    pub(crate) assigned: OwnedAssignment,
    pub(crate) pending_revocation: OwnedAssignment,
    pub(crate) instance_id: Option<String>,
    pub(crate) rack_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) subscribed_topic_names: BTreeSet<String>,
    pub(crate) subscribed_topic_regex: Option<String>,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) server_assignor: Option<String>,
    /// What it said when it joined, if it speaks the classic protocol.
    pub(crate) classic: Option<ClassicMemberMetadata>,
}

impl ConsumerGroupMember {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            epoch: 0,
            previous_epoch: -1,
            state: MemberState::Stable,
            assigned: OwnedAssignment::new(),
            pending_revocation: OwnedAssignment::new(),
            instance_id: None,
            rack_id: None,
            client_id: String::new(),
            client_host: String::new(),
            subscribed_topic_names: BTreeSet::new(),
            subscribed_topic_regex: Some(String::new()),
            rebalance_timeout_ms: -1,
            server_assignor: None,
            classic: None,
        }
    }

    pub(crate) fn uses_classic_protocol(&self) -> bool {
        self.classic.is_some()
    }

    /// The pattern that it subscribes by, if there is one.
    pub(crate) fn regex(&self) -> Option<&str> {
        self.subscribed_topic_regex.as_deref().filter(|regex| !regex.is_empty())
    }

    pub(crate) fn is_reconciled_to(&self, assignment_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == assignment_epoch
    }

    /// Goes to an epoch, or stays at it.
    pub(crate) fn advance(&mut self, epoch: i32) {
        self.previous_epoch = self.epoch;
        self.epoch = epoch;
    }

    /// Whether it has the partition, or has yet to give it up.
    pub(crate) fn owns(&self, topic: Uuid, partition: i32) -> bool {
        self.assignment_epoch(topic, partition).is_some()
    }

    /// The epoch at which it was given a partition that it has or has yet to give up.
    pub(crate) fn assignment_epoch(&self, topic: Uuid, partition: i32) -> Option<i32> {
        let of = |owned: &OwnedAssignment| owned.get(&topic)?.get(&partition).copied();
        of(&self.assigned).or_else(|| of(&self.pending_revocation))
    }

    /// What it said of itself, as it is stored.
    pub(crate) fn metadata(&self) -> MemberMetadataValue {
        MemberMetadataValue {
            instance_id: self.instance_id.clone(),
            rack_id: self.rack_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            subscribed_topic_names: self.subscribed_topic_names.iter().cloned().collect(),
            subscribed_topic_regex: self.subscribed_topic_regex.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            server_assignor: self.server_assignor.clone(),
            classic: self.classic.clone(),
        }
    }

    /// Takes in what it said of itself.
    pub(crate) fn update_metadata(&mut self, value: MemberMetadataValue) {
        self.instance_id = value.instance_id;
        self.rack_id = value.rack_id;
        self.client_id = value.client_id;
        self.client_host = value.client_host;
        self.subscribed_topic_names = value.subscribed_topic_names.into_iter().collect();
        self.subscribed_topic_regex = value.subscribed_topic_regex;
        self.rebalance_timeout_ms = value.rebalance_timeout_ms;
        self.server_assignor = value.server_assignor;
        self.classic = value.classic;
    }

    /// What it has, as it is stored.
    pub(crate) fn current_assignment(&self) -> CurrentMemberAssignmentValue {
        CurrentMemberAssignmentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: self.state.code(),
            assigned_partitions: stored(&self.assigned),
            partitions_pending_revocation: stored(&self.pending_revocation),
        }
    }

    /// Takes in what it has.
    pub(crate) fn update_assignment(&mut self, value: CurrentMemberAssignmentValue) {
        self.epoch = value.member_epoch;
        self.previous_epoch = value.previous_member_epoch;
        self.state = MemberState::from_code(value.state);
        self.assigned = restored(value.assigned_partitions, value.member_epoch);
        self.pending_revocation = restored(value.partitions_pending_revocation, value.member_epoch);
    }

    /// As a static member that has left and will be back leaves it: it keeps its partitions, and whoever comes back
    /// has had them from the beginning.
    pub(crate) fn departed_for_now(&self) -> Self {
        let mut departed = self.clone();
        departed.epoch = LEAVE_GROUP_STATIC_MEMBER_EPOCH;
        departed.pending_revocation.clear();
        departed.assigned.values_mut().flat_map(BTreeMap::values_mut).for_each(|epoch| *epoch = 0);
        departed
    }
}

fn stored(owned: &OwnedAssignment) -> Vec<OwnedPartitions> {
    let topics = owned.iter().map(|(topic_id, partitions)| OwnedPartitions {
        topic_id: *topic_id,
        partitions: partitions.keys().copied().collect(),
        assignment_epochs: Some(partitions.values().copied().collect()),
    });
    topics.collect()
}

/// Where epochs were not kept, partitions were given at the member's own.
fn restored(stored: Vec<OwnedPartitions>, member_epoch: i32) -> OwnedAssignment {
    let topics = stored.into_iter().filter(|topic| !topic.partitions.is_empty()).map(|topic| {
        let epochs = topic
            .assignment_epochs
            .filter(|epochs| epochs.len() == topic.partitions.len())
            .unwrap_or_else(|| vec![member_epoch.max(0); topic.partitions.len()]);
        (topic.topic_id, topic.partitions.into_iter().zip(epochs).collect())
    });
    topics.collect()
}
