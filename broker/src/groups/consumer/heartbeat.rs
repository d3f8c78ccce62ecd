//! A member's heartbeat: it joins, tells what has changed of it and what it has given up, and learns what it has from
//! then on.

use brooklet_protocol::ErrorCode;

use super::draft::{Decision, Draft};
use super::member::{ConsumerGroupMember, LEAVE_GROUP_STATIC_MEMBER_EPOCH, OwnedAssignment};
use super::reconciliation::Reconciliation;
use super::requests::{ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, GroupError};
use super::{ConsumerGroup, Step};
use crate::groups::assignor::Assignment;
use crate::groups::subscription_regex::SubscriptionRegex;

impl Draft<'_> {
    /// Takes in a heartbeat that is not one of a member that leaves.
    pub(crate) fn heartbeat(
        mut self,
        request: &ConsumerHeartbeatRequest,
        step: &mut Step<'_>,
    ) -> Result<Decision<ConsumerHeartbeatResponse>, GroupError> {
        self.group.check_room(&request.member_id, step)?;
        let member_id = match request.member_id.as_str() {
            "" => request.new_member_id.as_str(),
            own => own,
        };
        let joins = request.member_epoch == 0;
        let member = match request.instance_id.as_deref() {
            None => self.dynamic_member(member_id, joins)?,
            Some(instance_id) => self.static_member(member_id, instance_id, joins, false)?,
        };
        check_epoch(&member, request)?;
        let updated = updated(&member, request);
        if updated.regex() != member.regex()
            && let Some(regex) = updated.regex()
        {
            SubscriptionRegex::new(regex).map_err(|error| {
                let message = format!("SubscribedTopicRegex `{regex}` is not a valid regular expression: {error}");
                GroupError::new(ErrorCode::InvalidRegularExpression, message)
            })?;
        }
        let has_subscription_changed = self.update_member(&member, &updated, step);
        self.update_target_assignment(step);
        let reconciled = self.reconcile(member_id, has_subscription_changed, request.owned.as_ref(), step)?;

        let config = step.configs.of(&self.group.group_id);
        let (session_ms, heartbeat_interval_ms) =
            (config.consumer_session_timeout_ms, config.consumer_heartbeat_interval_ms);
        self.group.arm_session(member_id, session_ms, step);
        let tells_assignment = joins || request.is_full() || reconciled.assigned != member.assigned;
        Ok(self.decide(ConsumerHeartbeatResponse {
            member_id: member_id.to_owned(),
            member_epoch: reconciled.epoch,
            heartbeat_interval_ms,
            assignment: tells_assignment.then(|| without_epochs(&reconciled.assigned)),
        }))
    }

    pub(super) fn dynamic_member(&self, member_id: &str, may_join: bool) -> Result<ConsumerGroupMember, GroupError> {
        match self.group.members.get(member_id) {
            Some(member) => Ok(member.clone()),
            None if may_join => Ok(ConsumerGroupMember::new(member_id)),
            None => Err(self.group.unknown(member_id)),
        }
    }

    /// A static member, which takes the place of the one that had its instance id before (KIP-345).
    pub(super) fn static_member(
        &mut self,
        member_id: &str,
        instance_id: &str,
        may_join: bool,
        uses_classic_protocol: bool,
    ) -> Result<ConsumerGroupMember, GroupError> {
        let Some(existing) = self.group.static_member(instance_id).cloned() else {
            if may_join {
                return self.dynamic_member(member_id, true);
            }
            let message = format!("instance id {instance_id} is unknown");
            return Err(GroupError::new(ErrorCode::UnknownMemberId, message));
        };
        if !may_join {
            self.group.check_instance(&existing, member_id)?;
            return Ok(existing);
        }
        let released = existing.epoch == LEAVE_GROUP_STATIC_MEMBER_EPOCH;
        if !uses_classic_protocol && !existing.uses_classic_protocol() && !released {
            let message = format!("instance id {instance_id} is that of member {}, which has not left", existing.id);
            return Err(GroupError::new(ErrorCode::UnreleasedInstanceId, message));
        }
        let target = self.group.target_of(&existing.id);
        let mut replacement = existing.clone();
        member_id.clone_into(&mut replacement.id);
        (replacement.epoch, replacement.previous_epoch) = (0, 0);
        self.remove_member(&existing.id);
        self.put_metadata(&replacement);
        self.put_target(member_id, &target);
        self.put_assignment(&replacement);
        Ok(replacement)
    }

    /// Stores what has changed of a member, and the group's epoch if that calls for a new assignment. Whether the
    /// member subscribes to something else.
    pub(super) fn update_member(
        &mut self,
        member: &ConsumerGroupMember,
        updated: &ConsumerGroupMember,
        step: &Step<'_>,
    ) -> bool {
        if member != updated {
            self.put_metadata(updated);
        }
        let names_changed = member.subscribed_topic_names != updated.subscribed_topic_names;
        let regex_changed = member.regex() != updated.regex();
        if regex_changed {
            self.drop_unused_regexes();
        }
        let matches_changed = self.resolve_regexes(step);
        self.update_epoch(names_changed || regex_changed || matches_changed, step);
        names_changed || regex_changed
    }

    /// Raises the group's epoch, if `raise` says so or the topics it subscribes to have changed.
    fn update_epoch(&mut self, raise: bool, step: &Step<'_>) {
        if !raise && self.group.seen_topics_version == step.topics.version() {
            return;
        }
        let hash = self.group.compute_metadata_hash(step.topics);
        if raise || hash != self.group.metadata_hash {
            self.put_epoch(self.group.epoch.saturating_add(1), hash);
        }
        if self.group.has_partition_metadata_record {
            self.remove_partition_metadata();
        }
    }

    /// Brings a member one step towards its target, if it is not there.
    pub(super) fn reconcile(
        &mut self,
        member_id: &str,
        has_subscription_changed: bool,
        owned: Option<&Assignment>,
        step: &mut Step<'_>,
    ) -> Result<ConsumerGroupMember, GroupError> {
        let group = &*self.group;
        let member = group.members.get(member_id).cloned().unwrap_or_else(|| ConsumerGroupMember::new(member_id));
        if !has_subscription_changed && member.is_reconciled_to(group.assignment_epoch) {
            return Ok(member);
        }
        let next = Reconciliation {
            target_epoch: group.assignment_epoch,
            target: &group.target_of(member_id),
            subscribed: &group.subscribed_topics(&member, step.topics),
            has_subscription_changed,
            owned,
            is_owned: &|topic, partition| group.is_owned(topic, partition),
        }
        .advance(&member);
        let Some(next) = next else {
            let message = "the member is in a state unknown here; it must give up all partitions and rejoin";
            return Err(GroupError::new(ErrorCode::FencedMemberEpoch, message));
        };
        if next != member {
            self.put_assignment(&next);
            self.group.arm_rebalance(&next, step);
        }
        Ok(next)
    }
}

impl ConsumerGroup {
    /// `group.consumer.max.size`.
    pub(super) fn check_room(&self, member_id: &str, step: &Step<'_>) -> Result<(), GroupError> {
        if self.members.len() < step.settings.max_size || self.members.contains_key(member_id) {
            return Ok(());
        }
        let message = format!("the group has {} members, as many as it may", self.members.len());
        Err(GroupError::new(ErrorCode::GroupMaxSizeReached, message))
    }

    pub(super) fn unknown(&self, member_id: &str) -> GroupError {
        let message = format!("{member_id} is no member of group {}", self.group_id);
        GroupError::new(ErrorCode::UnknownMemberId, message)
    }

    /// Whether the member with an instance id is the one that says so.
    pub(super) fn check_instance(&self, holder: &ConsumerGroupMember, member_id: &str) -> Result<(), GroupError> {
        if holder.id == member_id {
            return Ok(());
        }
        let instance_id = holder.instance_id.as_deref().unwrap_or_default();
        let message = format!("instance id {instance_id} is that of member {}, not of {member_id}", holder.id);
        Err(GroupError::new(ErrorCode::FencedInstanceId, message))
    }

    /// The topics are known to be what [`Self::metadata_hash`] says as of this version.
    pub(crate) fn has_seen_topics(&mut self, version: u64) {
        self.seen_topics_version = version;
    }
}

/// A member must come with its epoch, or with the one before if it may not have heard of its own; with 0 it begins
/// anew.
fn check_epoch(member: &ConsumerGroupMember, request: &ConsumerHeartbeatRequest) -> Result<(), GroupError> {
    let epoch = request.member_epoch;
    let missed_one = || epoch == member.previous_epoch && is_subset(request.owned.as_ref(), &member.assigned);
    if epoch == 0 || epoch == member.epoch || (epoch < member.epoch && missed_one()) {
        return Ok(());
    }
    let message = format!(
        "the member came with epoch {epoch} while its epoch is {}; it must give up all partitions and rejoin",
        member.epoch
    );
    Err(GroupError::new(ErrorCode::FencedMemberEpoch, message))
}

/// Whether a member says what it has, and that is no more than it was given.
fn is_subset(owned: Option<&Assignment>, given: &OwnedAssignment) -> bool {
    let has_been_given = |(topic, partitions): (&uuid::Uuid, &std::collections::BTreeSet<i32>)| {
        let given = given.get(topic);
        partitions.iter().all(|partition| given.is_some_and(|given| given.contains_key(partition)))
    };
    owned.is_some_and(|owned| owned.iter().all(has_been_given))
}

fn updated(member: &ConsumerGroupMember, request: &ConsumerHeartbeatRequest) -> ConsumerGroupMember {
    let mut updated = member.clone();
    let set = |field: &mut Option<String>, given: &Option<String>| {
        if given.is_some() {
            field.clone_from(given);
        }
    };
    set(&mut updated.instance_id, &request.instance_id);
    set(&mut updated.rack_id, &request.rack_id);
    set(&mut updated.server_assignor, &request.server_assignor);
    set(&mut updated.subscribed_topic_regex, &request.subscribed_topic_regex);
    if let Some(timeout) = request.rebalance_timeout_ms {
        updated.rebalance_timeout_ms = timeout;
    }
    if let Some(names) = &request.subscribed_topic_names {
        updated.subscribed_topic_names.clone_from(names);
    }
    updated.client_id.clone_from(&request.client_id);
    updated.client_host.clone_from(&request.client_host);
    updated.classic = None;
    updated
}

pub(super) fn without_epochs(owned: &OwnedAssignment) -> Assignment {
    owned.iter().map(|(topic, partitions)| (*topic, partitions.keys().copied().collect())).collect()
}
