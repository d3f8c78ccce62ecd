//! A heartbeat: the member says what is new, the topology is held against the topics, tasks are assigned if anything
//! calls for it, and the member is brought a step nearer to its own (`GroupMetadataManager.streamsGroupHeartbeat`).

use std::collections::BTreeMap;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::streams_group::{
    GroupMetadataValue, MemberMetadataValue, Subject, TargetAssignmentMetadataValue, TopologyValue,
};

use super::assignor::{AssignmentMember, assign};
use super::endpoints::endpoint_partitions;
use super::member::{MemberState, StreamsGroupMember};
use super::reconciliation::{Ownership, reconcile};
use super::requests::{JOINING, Status, StatusCode, StreamsHeartbeatRequest, StreamsHeartbeatResponse};
use super::tasks::{Tasks, TasksTuple};
use super::topology::{ConfiguredTopology, metadata_hash};
use super::{SoftChanges, StreamsDecision, StreamsGroup, StreamsSettings, StreamsStep, StreamsTimer, TimerChange, arm};
use crate::groups::consumer::requests::GroupError;
use crate::groups::shard::GroupRecord;

/// The config of the assignor.
const STANDBY_REPLICAS: &str = "num.standby.replicas";
/// The epoch of a topology that does not fit the topics.
const NOT_VALIDATED: i32 = -1;

impl StreamsGroup {
    /// What comes of a member's leave.
    pub(crate) fn leave(
        &self,
        request: &StreamsHeartbeatRequest,
    ) -> Result<StreamsDecision<StreamsHeartbeatResponse>, GroupError> {
        let member = self.member(&request.member_id)?;
        let StreamsDecision { records, mut changes, .. } = self.fence(&member.id);
        if request.shutdown_application {
            changes.shutdown_requested_by = Some(member.id.clone());
        }
        let answer = StreamsHeartbeatResponse {
            member_id: request.member_id.clone(),
            member_epoch: request.member_epoch,
            heartbeat_interval_ms: 0,
            statuses: Vec::new(),
            tasks: None,
            endpoint_information_epoch: 0,
            endpoints: None,
            topics_to_create: Vec::new(),
        };
        Ok(StreamsDecision { answer, records, changes })
    }

    /// What comes of a heartbeat. `is_stored` says that the group is there already.
    pub(crate) fn heartbeat(
        &self,
        request: &StreamsHeartbeatRequest,
        is_stored: bool,
        step: &StreamsStep<'_>,
    ) -> Result<StreamsDecision<StreamsHeartbeatResponse>, GroupError> {
        let member = self.admit(request, step.settings)?;
        let mut beat = Beat {
            group: self,
            step: *step,
            records: Vec::new(),
            statuses: Vec::new(),
            changes: SoftChanges::default(),
            epoch: self.epoch,
            is_new_epoch: false,
            delayed: step.is_delayed,
        };
        let updated = StreamsGroupMember { metadata: said(&member.metadata, request), ..member.clone() };
        if updated.metadata != member.metadata || !self.members.contains_key(&member.id) {
            beat.keep(Subject::MemberMetadata(member.id.clone()), updated.metadata.encode());
            beat.is_new_epoch = true;
        }
        let topology = beat.topology(request)?;
        if updated.metadata.topology_epoch < topology.epoch && self.topology.is_some() {
            beat.status(
                StatusCode::StaleTopology,
                format!(
                    "The member's topology epoch {} is behind the group's topology epoch {}.",
                    updated.metadata.topology_epoch, topology.epoch
                ),
            );
        }
        let configured = beat.configure(&topology)?;
        if configured.is_ready() {
            check_owned(request, &configured)?;
        }
        beat.bump_epoch(&topology, &configured);
        beat.wait_for_more_members();
        let (target_epoch, target) = beat.target(&updated, &configured);
        let updated = beat.reconcile(&updated, target_epoch, &target, request.owned().as_ref())?;
        beat.arm(StreamsTimer::Session(updated.id.clone()), step.settings.session_timeout_ms);
        if request.shutdown_application {
            beat.changes.shutdown_requested_by = Some(updated.id.clone());
        }
        Ok(beat.answer(request, is_stored, &member, &updated, configured))
    }

    /// The assignment for which the group waited for more members.
    pub(super) fn delayed_assignment(&self, wall_ms: i64) -> Vec<GroupRecord> {
        match &self.configured {
            Some(configured) if !self.is_empty() && self.epoch > self.target_metadata.assignment_epoch => {
                let target = self.new_target(None, configured, &self.assignment_configs);
                self.target_records(&target, self.epoch, wall_ms)
            }
            _ => Vec::new(),
        }
    }

    /// The member that a heartbeat is of, if it may be.
    fn admit(
        &self,
        request: &StreamsHeartbeatRequest,
        settings: &StreamsSettings,
    ) -> Result<StreamsGroupMember, GroupError> {
        if request.member_epoch == JOINING {
            if self.members.len() >= settings.max_size {
                let message =
                    format!("The streams group has reached its maximum capacity of {} members.", settings.max_size);
                return Err(GroupError::new(ErrorCode::GroupMaxSizeReached, message));
            }
            let known = self.members.get(&request.member_id).cloned();
            return Ok(known.unwrap_or_else(|| StreamsGroupMember::new(&request.member_id)));
        }
        let member = self.member(&request.member_id)?;
        let epoch = request.member_epoch;
        // With the epoch before it may come if the answer was lost, and it has no more than it was given then.
        let answer_lost = || {
            epoch == member.previous_epoch && request.owned().is_some_and(|owned| member.assigned.contains_all(&owned))
        };
        if epoch > member.epoch || (epoch < member.epoch && !answer_lost()) {
            let than = if epoch > member.epoch { "greater" } else { "smaller" };
            return Err(GroupError::new(
                ErrorCode::FencedMemberEpoch,
                format!(
                    "The streams group member has a {than} member epoch ({epoch}) than the one known by the group \
                     coordinator ({}). The member must abandon all its partitions and rejoin.",
                    member.epoch
                ),
            ));
        }
        Ok(member.clone())
    }

    /// What each member is to have, `updated` standing for the member of its id.
    fn new_target(
        &self,
        updated: Option<&StreamsGroupMember>,
        configured: &ConfiguredTopology,
        configs: &BTreeMap<String, String>,
    ) -> BTreeMap<String, TasksTuple> {
        let others = self.members.values().filter(|member| updated.is_none_or(|updated| updated.id != member.id));
        let none = TasksTuple::default();
        let members: Vec<_> = others
            .chain(updated)
            .map(|member| AssignmentMember {
                id: &member.id,
                process_id: &member.metadata.process_id,
                target: self.target.get(&member.id).unwrap_or(&none),
            })
            .collect();
        match &configured.subtopologies {
            Some(parts) if configured.is_ready() => {
                let replicas = configs.get(STANDBY_REPLICAS).and_then(|text| text.parse().ok()).unwrap_or(0);
                assign(&members, parts, replicas)
            }
            _ => members.iter().map(|member| (member.id.to_owned(), TasksTuple::default())).collect(),
        }
    }

    /// The records of a target assignment, as far as it is another than before.
    fn target_records(&self, target: &BTreeMap<String, TasksTuple>, epoch: i32, wall_ms: i64) -> Vec<GroupRecord> {
        let changed = target.iter().filter(|(member_id, tasks)| self.target.get(*member_id) != Some(*tasks));
        let records = changed.map(|(member_id, tasks)| {
            self.record(Subject::TargetAssignmentMember(member_id.clone()), Some(tasks.encode()))
        });
        let metadata = TargetAssignmentMetadataValue { assignment_epoch: epoch, assignment_timestamp: wall_ms };
        records.chain([self.record(Subject::TargetAssignmentMetadata, Some(metadata.encode()))]).collect()
    }
}

/// A heartbeat that is being worked out.
struct Beat<'a> {
    group: &'a StreamsGroup,
    step: StreamsStep<'a>,
    records: Vec<GroupRecord>,
    statuses: Vec<Status>,
    changes: SoftChanges,
    epoch: i32,
    /// Something calls for a new assignment.
    is_new_epoch: bool,
    /// The group waits for more members.
    delayed: bool,
}

impl Beat<'_> {
    fn keep(&mut self, subject: Subject, value: bytes::Bytes) {
        self.records.push(self.group.record(subject, Some(value)));
    }

    fn status(&mut self, code: StatusCode, detail: impl Into<String>) {
        self.statuses.push(Status::new(code, detail));
    }

    fn arm(&mut self, timer: StreamsTimer, after_ms: i32) {
        self.changes.timers.push(arm(timer, self.step.now.monotonic, after_ms));
    }

    /// The group's topology, which is that of the first member that comes.
    fn topology(&mut self, request: &StreamsHeartbeatRequest) -> Result<TopologyValue, GroupError> {
        match (&self.group.topology, &request.topology) {
            (None, Some(first)) => {
                self.keep(Subject::Topology, first.encode());
                Ok(first.clone())
            }
            (Some(known), Some(other)) if other.epoch >= known.epoch && other != known => {
                Err(GroupError::new(ErrorCode::InvalidRequest, "Topology updates are not supported yet."))
            }
            (Some(known), _) => Ok(known.clone()),
            (None, None) => Err(GroupError::new(ErrorCode::UnknownServerError, "the group has no topology")),
        }
    }

    /// The topology over the topics, put together anew if either is new.
    fn configure(&mut self, topology: &TopologyValue) -> Result<ConfiguredTopology, GroupError> {
        let group = self.group;
        let hash = metadata_hash(topology, self.step.topics);
        self.is_new_epoch |= hash != group.metadata_hash;
        match &group.configured {
            Some(configured) if group.topology.is_some() && hash == group.metadata_hash => Ok(configured.clone()),
            _ => {
                let configured = ConfiguredTopology::configure(topology, self.step.topics)?;
                self.changes.configured = Some(configured.clone());
                Ok(configured)
            }
        }
    }

    /// Begins a new epoch of the group, if anything calls for it.
    fn bump_epoch(&mut self, topology: &TopologyValue, configured: &ConfiguredTopology) {
        let validated_topology_epoch = if configured.is_ready() { topology.epoch } else { NOT_VALIDATED };
        let configs = assignment_configs(self.step.settings);
        self.is_new_epoch |=
            validated_topology_epoch != self.group.validated_topology_epoch || configs != self.group.assignment_configs;
        if !self.is_new_epoch {
            return;
        }
        self.epoch += 1;
        let metadata = GroupMetadataValue {
            epoch: self.epoch,
            metadata_hash: metadata_hash(topology, self.step.topics),
            validated_topology_epoch,
            last_assignment_configs: configs,
        };
        self.keep(Subject::GroupMetadata, metadata.encode());
    }

    fn wait_for_more_members(&mut self) {
        let delay_ms = self.step.settings.initial_rebalance_delay_ms;
        if self.group.is_empty() && delay_ms > 0 && !self.delayed {
            self.delayed = true;
            self.arm(StreamsTimer::InitialRebalance, i32::try_from(delay_ms).unwrap_or(i32::MAX));
        }
    }

    /// What the member is to have, and the epoch of that: worked out anew for all if the group's epoch is another.
    fn target(&mut self, member: &StreamsGroupMember, configured: &ConfiguredTopology) -> (i32, TasksTuple) {
        let group = self.group;
        let target_epoch = group.target_metadata.assignment_epoch;
        if self.delayed {
            let detail = "Assignment delayed due to the configured initial rebalance delay.";
            self.status(StatusCode::AssignmentDelayed, detail);
            return (target_epoch, TasksTuple::default());
        }
        let last = || (target_epoch, group.target.get(&member.id).cloned().unwrap_or_default());
        if target_epoch >= self.epoch {
            return last();
        }
        let next_ms = group.target_metadata.assignment_timestamp + i64::from(self.step.settings.assignment_interval_ms);
        let now_ms = self.step.now.wall_ms;
        // A clock that went back must not keep the group waiting.
        if now_ms < next_ms && now_ms >= group.target_metadata.assignment_timestamp {
            let detail = "Assignment delayed due to the configured assignment interval.";
            self.status(StatusCode::AssignmentDelayed, detail);
            return last();
        }
        let target = group.new_target(Some(member), configured, &assignment_configs(self.step.settings));
        self.records.extend(group.target_records(&target, self.epoch, now_ms));
        (self.epoch, target.get(&member.id).cloned().unwrap_or_default())
    }

    fn reconcile(
        &mut self,
        member: &StreamsGroupMember,
        target_epoch: i32,
        target: &TasksTuple,
        owned: Option<&TasksTuple>,
    ) -> Result<StreamsGroupMember, GroupError> {
        if member.is_reconciled_to(target_epoch) {
            return Ok(member.clone());
        }
        let updated = reconcile(member, target_epoch, target, owned, &Ownership::of(self.group))?;
        if updated != *member {
            let value = updated.current_assignment().encode();
            self.keep(Subject::CurrentMemberAssignment(updated.id.clone()), value);
            let timer = StreamsTimer::Revocation(updated.id.clone());
            match updated.state {
                MemberState::UnrevokedTasks => self.arm(timer, updated.metadata.rebalance_timeout_ms),
                _ => self.changes.timers.push(TimerChange::Disarm(timer)),
            }
        }
        Ok(updated)
    }

    fn answer(
        mut self,
        request: &StreamsHeartbeatRequest,
        is_stored: bool,
        before: &StreamsGroupMember,
        updated: &StreamsGroupMember,
        configured: ConfiguredTopology,
    ) -> StreamsDecision<StreamsHeartbeatResponse> {
        let changed = request.member_epoch == JOINING || before.assigned != updated.assigned;
        let tasks = changed.then(|| TasksTuple {
            active: updated.assigned.active_tasks(),
            standby: updated.assigned.standby.clone(),
            warmup: updated.assigned.warmup.clone(),
        });
        self.changes.endpoints_changed = changed && updated.metadata.user_endpoint.is_some();
        let endpoints_epoch = self.group.endpoint_information_epoch + i32::from(self.changes.endpoints_changed);
        let endpoints = (endpoints_epoch != request.endpoint_information_epoch)
            .then(|| endpoint_partitions(self.group, updated, &configured, self.step.topics));
        let topics_to_create = match configured.problem {
            Some(problem) => {
                self.statuses.push(problem);
                configured.missing
            }
            None => Vec::new(),
        };
        let shutdown = self.group.shutdown_requested_by.as_ref().or(self.changes.shutdown_requested_by.as_ref());
        if let Some(member_id) = shutdown {
            let detail = format!(
                "Streams group member {member_id} encountered a fatal error and requested a shutdown for the entire \
                 application."
            );
            self.status(StatusCode::ShutdownApplication, detail);
        }
        let answer = StreamsHeartbeatResponse {
            member_id: updated.id.clone(),
            member_epoch: updated.epoch,
            heartbeat_interval_ms: self.step.settings.heartbeat_interval_ms,
            statuses: self.statuses,
            tasks,
            // A group that is only made now has none that would still be known.
            endpoint_information_epoch: if is_stored { endpoints_epoch } else { 0 },
            endpoints,
            topics_to_create,
        };
        StreamsDecision { answer, records: self.records, changes: self.changes }
    }
}

/// What a member has said of itself by now.
fn said(before: &MemberMetadataValue, request: &StreamsHeartbeatRequest) -> MemberMetadataValue {
    MemberMetadataValue {
        instance_id: None,
        rack_id: request.rack_id.clone().or_else(|| before.rack_id.clone()),
        client_id: request.client_id.clone(),
        client_host: request.client_host.clone(),
        rebalance_timeout_ms: request.rebalance_timeout_ms.unwrap_or(before.rebalance_timeout_ms),
        topology_epoch: request.topology.as_ref().map_or(before.topology_epoch, |topology| topology.epoch),
        process_id: request.process_id.clone().unwrap_or_else(|| before.process_id.clone()),
        user_endpoint: request.user_endpoint.clone().or_else(|| before.user_endpoint.clone()),
        client_tags: request.client_tags.clone().unwrap_or_else(|| before.client_tags.clone()),
    }
}

/// The configs that the assignor looks at.
fn assignment_configs(settings: &StreamsSettings) -> BTreeMap<String, String> {
    BTreeMap::from([(STANDBY_REPLICAS.to_owned(), settings.num_standby_replicas.to_string())])
}

/// Refuses tasks that the topology does not have.
fn check_owned(request: &StreamsHeartbeatRequest, configured: &ConfiguredTopology) -> Result<(), GroupError> {
    let Some(parts) = &configured.subtopologies else { return Ok(()) };
    let owned = [&request.owned_active, &request.owned_standby, &request.owned_warmup];
    for (subtopology, partitions) in owned.into_iter().flatten().flat_map(Tasks::iter) {
        let invalid = |what: String| Err(GroupError::new(ErrorCode::InvalidRequest, what));
        let Some(part) = parts.get(subtopology) else {
            return invalid(format!("Subtopology {subtopology} does not exist in the topology."));
        };
        if let Some(partition) = partitions.iter().find(|partition| !(0..part.tasks).contains(partition)) {
            return invalid(format!(
                "Task {partition} for subtopology {subtopology} is invalid. Number of tasks for this subtopology: {}",
                part.tasks
            ));
        }
    }
    Ok(())
}
