//! What handlers ask of streams groups and what is answered, apart from any version of the protocol.

use std::collections::{BTreeMap, HashSet};

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::streams_group::{Endpoint, Subtopology, TopicInfo, TopologyValue};

use super::tasks::{Tasks, TasksTuple};
use crate::groups::consumer::requests::GroupError;

/// The epoch with which a member joins.
pub(crate) const JOINING: i32 = 0;
/// The epoch with which a member leaves.
const LEAVING: i32 = -1;
/// The epoch with which a static member leaves for a while.
const LEAVING_FOR_A_WHILE: i32 = -2;

/// A heartbeat. What a member has said before it leaves out, unless it joins.
#[derive(Debug, Clone)]
pub(crate) struct StreamsHeartbeatRequest {
    pub(crate) group_id: String,
    pub(crate) member_id: String,
    pub(crate) member_epoch: i32,
    /// The last endpoints' epoch that it was told.
    pub(crate) endpoint_information_epoch: i32,
    pub(crate) group_instance_id: Option<String>,
    pub(crate) rack_id: Option<String>,
    /// Milliseconds; `None` where the request has -1.
    pub(crate) rebalance_timeout_ms: Option<i32>,
    pub(crate) topology: Option<TopologyValue>,
    pub(crate) owned_active: Option<Tasks>,
    pub(crate) owned_standby: Option<Tasks>,
    pub(crate) owned_warmup: Option<Tasks>,
    pub(crate) process_id: Option<String>,
    pub(crate) user_endpoint: Option<Endpoint>,
    pub(crate) client_tags: Option<BTreeMap<String, String>>,
    pub(crate) has_task_offsets: bool,
    pub(crate) shutdown_application: bool,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
}

impl StreamsHeartbeatRequest {
    /// Checks what can be told without the group (`throwIfStreamsGroupHeartbeatRequestIsInvalid`).
    pub(crate) fn check(&self) -> Result<(), GroupError> {
        let invalid = |what: &str| Err(GroupError::new(ErrorCode::InvalidRequest, what));
        if self.group_instance_id.is_some() {
            return invalid("Static membership is not yet supported.");
        }
        if self.has_task_offsets {
            return invalid("TaskOffsets are not supported yet.");
        }
        if self.owned_warmup.as_ref().is_some_and(|tasks| !tasks.is_empty()) {
            return invalid("WarmupTasks are not supported yet.");
        }
        if self.member_id.is_empty() {
            return invalid("MemberId can't be empty.");
        }
        if self.group_id.is_empty() {
            return invalid("GroupId can't be empty.");
        }
        if self.rack_id.as_ref().is_some_and(String::is_empty) {
            return invalid("RackId can't be empty.");
        }
        if self.member_epoch < LEAVING_FOR_A_WHILE {
            return invalid("MemberEpoch must be greater than or equal to -2.");
        }
        if self.member_epoch == LEAVING_FOR_A_WHILE {
            return invalid("InstanceId can't be null.");
        }
        let owned = [&self.owned_active, &self.owned_standby, &self.owned_warmup];
        if owned.iter().any(|tasks| tasks.is_some()) && owned.iter().any(|tasks| tasks.is_none()) {
            return invalid("If one task-type is non-null, all must be non-null.");
        }
        match &self.topology {
            Some(_) if self.member_epoch != JOINING => invalid("Topology can only be provided when (re-)joining."),
            None if self.member_epoch == JOINING => invalid("Topology must be non-null when (re-)joining."),
            Some(_) if self.rebalance_timeout_ms.is_none() => {
                invalid("RebalanceTimeoutMs must be provided in first request.")
            }
            Some(_) if owned.into_iter().flatten().any(|tasks| !tasks.is_empty()) => {
                invalid("Tasks must be empty when (re-)joining.")
            }
            Some(topology) => check_topology(topology),
            None => Ok(()),
        }
    }

    pub(crate) fn is_leave(&self) -> bool {
        self.member_epoch == LEAVING
    }

    /// What it owns, if it says so.
    pub(crate) fn owned(&self) -> Option<TasksTuple> {
        let (active, standby) = (self.owned_active.clone()?, self.owned_standby.clone()?);
        Some(TasksTuple { active, standby, warmup: self.owned_warmup.clone()? })
    }
}

fn check_topology(topology: &TopologyValue) -> Result<(), GroupError> {
    let invalid = |what: String| Err(GroupError::new(ErrorCode::StreamsInvalidTopology, what));
    let mut seen = HashSet::new();
    for part in &topology.subtopologies {
        if !part.source_topic_regex.is_empty() {
            let what = "Regular expressions for source topics are not supported yet.";
            return Err(GroupError::new(ErrorCode::InvalidRequest, what));
        }
        if let Some(topic) = part.state_changelog_topics.iter().find(|topic| topic.partitions != 0) {
            return invalid(format!(
                "Changelog topic {} must have an undefined partition count, but it is set to {}.",
                topic.name, topic.partitions
            ));
        }
        if !seen.insert(&part.id) {
            return invalid(format!("subtopology {} is there twice", part.id));
        }
        if !places_exist(part) {
            return invalid(format!("co-partitioned topics of subtopology {} are not among its sources", part.id));
        }
    }
    if topology.epoch < 0 {
        return invalid("the epoch of a topology cannot be negative".to_owned());
    }
    Ok(())
}

fn places_exist(part: &Subtopology) -> bool {
    let exist =
        |places: &[i16], len: usize| places.iter().all(|place| usize::try_from(*place).is_ok_and(|place| place < len));
    part.copartition_groups.iter().all(|group| {
        exist(&group.source_topics, part.source_topics.len())
            && exist(&group.repartition_source_topics, part.repartition_source_topics.len())
    })
}

/// What a member is told about its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: StatusCode,
    pub(crate) detail: String,
}

impl Status {
    pub(crate) fn new(code: StatusCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// `StreamsGroupHeartbeatResponse.Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusCode {
    StaleTopology = 0,
    MissingSourceTopics = 1,
    IncorrectlyPartitionedTopics = 2,
    MissingInternalTopics = 3,
    ShutdownApplication = 4,
    AssignmentDelayed = 5,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamsHeartbeatResponse {
    pub(crate) member_id: String,
    pub(crate) member_epoch: i32,
    pub(crate) heartbeat_interval_ms: i32,
    pub(crate) statuses: Vec<Status>,
    /// What the member is to do now, if that has changed.
    pub(crate) tasks: Option<TasksTuple>,
    pub(crate) endpoint_information_epoch: i32,
    /// Which instance has what, if that has changed.
    pub(crate) endpoints: Option<Vec<EndpointPartitions>>,
    /// Internal topics that are to be created.
    pub(crate) topics_to_create: Vec<TopicInfo>,
}

/// The partitions whose state can be asked for at an endpoint (interactive queries).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndpointPartitions {
    pub(crate) endpoint: Endpoint,
    /// Partitions by topic.
    pub(crate) active: Vec<(String, Vec<i32>)>,
    pub(crate) standby: Vec<(String, Vec<i32>)>,
}

/// A streams group described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamsGroupDescription {
    pub(crate) state: &'static str,
    pub(crate) epoch: i32,
    pub(crate) assignment_epoch: i32,
    pub(crate) topology: TopologyValue,
    pub(crate) members: Vec<StreamsMemberDescription>,
}

/// A member of a described streams group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamsMemberDescription {
    pub(crate) member: super::member::StreamsGroupMember,
    pub(crate) target: TasksTuple,
}
