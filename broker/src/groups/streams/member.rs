//! A member of a streams group: one thread of an instance of the application.

use brooklet_protocol::coordinator::streams_group::{CurrentMemberAssignmentValue, MemberMetadataValue};

use super::tasks::AssignedTasks;

/// How far a member is on the way to its target assignment (`MemberState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberState {
    /// It has what it is to have.
    Stable,
    /// It is to give up tasks before it can go on.
    UnrevokedTasks,
    /// It waits for tasks that others have not given up yet.
    UnreleasedTasks,
    /// A newer broker knows.
    Unknown,
}

impl MemberState {
    /// Kafka's code.
    fn code(self) -> i8 {
        match self {
            Self::Stable => 1,
            Self::UnrevokedTasks => 2,
            Self::UnreleasedTasks => 3,
            Self::Unknown => 127,
        }
    }

    fn from_code(code: i8) -> Self {
        let known = [Self::Stable, Self::UnrevokedTasks, Self::UnreleasedTasks];
        known.into_iter().find(|state| state.code() == code).unwrap_or(Self::Unknown)
    }
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamsGroupMember {
    pub(crate) id: String,
    /// The group's epoch that it has come to; 0 before its first.
    pub(crate) epoch: i32,
    /// The one before, with which it may still come if an answer was lost.
    pub(crate) previous_epoch: i32,
    pub(crate) state: MemberState,
    /// What it says of itself.
    pub(crate) metadata: MemberMetadataValue,
    pub(crate) assigned: AssignedTasks,
    /// What it has and is to give up.
    pub(crate) pending_revocation: AssignedTasks,
}

impl StreamsGroupMember {
    /// A member of which nothing is known yet.
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            epoch: 0,
            previous_epoch: 0,
            state: MemberState::Stable,
            metadata: MemberMetadataValue {
                instance_id: None,
                rack_id: None,
                client_id: String::new(),
                client_host: String::new(),
                rebalance_timeout_ms: -1,
                topology_epoch: -1,
                process_id: String::new(),
                user_endpoint: None,
                client_tags: std::collections::BTreeMap::new(),
            },
            assigned: AssignedTasks::default(),
            pending_revocation: AssignedTasks::default(),
        }
    }

    pub(crate) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == target_epoch
    }

    /// What is stored of its assignment.
    pub(crate) fn current_assignment(&self) -> CurrentMemberAssignmentValue {
        CurrentMemberAssignmentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: self.state.code(),
            active: self.assigned.active.clone(),
            standby: self.assigned.standby.clone(),
            warmup: self.assigned.warmup.clone(),
            active_pending_revocation: self.pending_revocation.active.clone(),
            standby_pending_revocation: self.pending_revocation.standby.clone(),
            warmup_pending_revocation: self.pending_revocation.warmup.clone(),
        }
    }

    /// Takes in what is stored of its assignment.
    pub(crate) fn set_current_assignment(&mut self, value: CurrentMemberAssignmentValue) {
        self.epoch = value.member_epoch;
        self.previous_epoch = value.previous_member_epoch;
        self.state = MemberState::from_code(value.state);
        self.assigned = AssignedTasks { active: value.active, standby: value.standby, warmup: value.warmup };
        self.pending_revocation = AssignedTasks {
            active: value.active_pending_revocation,
            standby: value.standby_pending_revocation,
            warmup: value.warmup_pending_revocation,
        };
    }
}
