//! What is asked of consumer groups and what they answer, apart from any version of the protocol.

use std::collections::BTreeSet;

use brooklet_protocol::ErrorCode;

use super::ConsumerGroupState;
use super::member::{LEAVE_GROUP_MEMBER_EPOCH, LEAVE_GROUP_STATIC_MEMBER_EPOCH};
use crate::groups::assignor::{Assignment, Assignor};

/// A refusal, and what a person should read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupError {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl GroupError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// There is no consumer group of this id.
    pub(crate) fn not_found(group_id: &str) -> Self {
        Self::new(ErrorCode::GroupIdNotFound, format!("there is no consumer group '{group_id}'"))
    }

    fn invalid(message: &str) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }
}

impl From<ErrorCode> for GroupError {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: String::new() }
    }
}

/// A heartbeat of a member (`ConsumerGroupHeartbeatRequest.json`). What is `None` is as it was.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConsumerHeartbeatRequest {
    pub(crate) group_id: String,
    /// Empty for a member that has none yet (v0), which is then known by `new_member_id`.
    pub(crate) member_id: String,
    pub(crate) new_member_id: String,
    /// 0 to join, -1 to leave, -2 to leave for a while.
    pub(crate) member_epoch: i32,
    pub(crate) instance_id: Option<String>,
    pub(crate) rack_id: Option<String>,
    pub(crate) rebalance_timeout_ms: Option<i32>,
    pub(crate) subscribed_topic_names: Option<BTreeSet<String>>,
    pub(crate) subscribed_topic_regex: Option<String>,
    pub(crate) server_assignor: Option<String>,
    /// What the member has.
    pub(crate) owned: Option<Assignment>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    /// The version wants members to make their ids themselves (v1+, KIP-1082).
    pub(crate) requires_member_id: bool,
}

impl ConsumerHeartbeatRequest {
    /// Checks what can be checked without the group.
    pub(crate) fn check(&self, assignors: &[Assignor]) -> Result<(), GroupError> {
        let epoch = self.member_epoch;
        let blank = |text: &str| text.trim().is_empty();
        if (self.requires_member_id || epoch > 0 || epoch == LEAVE_GROUP_MEMBER_EPOCH) && blank(&self.member_id) {
            return Err(GroupError::invalid("MemberId can't be empty."));
        }
        if blank(&self.group_id) {
            return Err(GroupError::invalid("GroupId can't be empty."));
        }
        if self.instance_id.as_deref().is_some_and(blank) {
            return Err(GroupError::invalid("InstanceId can't be empty."));
        }
        if self.rack_id.as_deref().is_some_and(blank) {
            return Err(GroupError::invalid("RackId can't be empty."));
        }
        if epoch == 0 {
            self.check_join()?;
        } else if epoch == LEAVE_GROUP_STATIC_MEMBER_EPOCH && self.instance_id.is_none() {
            return Err(GroupError::invalid("InstanceId can't be null."));
        } else if epoch < LEAVE_GROUP_STATIC_MEMBER_EPOCH {
            return Err(GroupError::invalid("MemberEpoch is invalid."));
        }
        let known = |name: &str| assignors.iter().any(|assignor| assignor.name() == name);
        match &self.server_assignor {
            Some(name) if !known(name) => {
                let names: Vec<_> = assignors.iter().map(|assignor| assignor.name()).collect();
                let message =
                    format!("ServerAssignor {name} is not supported. Supported assignors: {}.", names.join(", "));
                Err(GroupError::new(ErrorCode::UnsupportedAssignor, message))
            }
            _ => Ok(()),
        }
    }

    fn check_join(&self) -> Result<(), GroupError> {
        if self.rebalance_timeout_ms.is_none() {
            return Err(GroupError::invalid("RebalanceTimeoutMs must be provided in first request."));
        }
        if self.owned.as_ref().is_none_or(|owned| !owned.is_empty()) {
            return Err(GroupError::invalid("TopicPartitions must be empty when (re-)joining."));
        }
        if self.subscribed_topic_names.is_none() && self.subscribed_topic_regex.is_none() {
            let message = "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.";
            return Err(GroupError::invalid(message));
        }
        Ok(())
    }

    /// Whether it says everything, as after a join or an error: then the member wants to be told everything.
    pub(super) fn is_full(&self) -> bool {
        self.rebalance_timeout_ms.is_some()
            && (self.subscribed_topic_names.is_some() || self.subscribed_topic_regex.is_some())
            && self.owned.is_some()
    }

    /// Whether the member leaves, for good or for a while.
    pub(crate) fn is_leave(&self) -> bool {
        matches!(self.member_epoch, LEAVE_GROUP_MEMBER_EPOCH | LEAVE_GROUP_STATIC_MEMBER_EPOCH)
    }
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsumerHeartbeatResponse {
    pub(crate) member_id: String,
    pub(crate) member_epoch: i32,
    /// When the next is due; 0 for a member that has left.
    pub(crate) heartbeat_interval_ms: i32,
    /// What the member has from now on; `None` if that is as before.
    pub(crate) assignment: Option<Assignment>,
}

/// A consumer group described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsumerGroupDescription {
    pub(crate) state: ConsumerGroupState,
    pub(crate) epoch: i32,
    pub(crate) assignment_epoch: i32,
    pub(crate) assignor: &'static str,
    pub(crate) members: Vec<ConsumerMemberDescription>,
}

/// A member in a described consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsumerMemberDescription {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) rack_id: Option<String>,
    pub(crate) epoch: i32,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) subscribed_topic_names: Vec<String>,
    pub(crate) subscribed_topic_regex: Option<String>,
    /// What it has, and what it has yet to give up.
    pub(crate) assignment: Assignment,
    pub(crate) target_assignment: Assignment,
    pub(crate) uses_classic_protocol: bool,
}
