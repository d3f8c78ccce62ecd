//! How members go: by leaving, by silence, by not giving up partitions in time.

use std::collections::BTreeSet;

use super::draft::{Decision, Draft};
use super::member::LEAVE_GROUP_STATIC_MEMBER_EPOCH;
use super::requests::{ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, GroupError};
use super::{ConsumerGroup, Step};
use crate::groups::classic::TimerKind;
use brooklet_protocol::ErrorCode;

impl ConsumerGroup {
    /// A member leaves, or, as a static one may, leaves for a while.
    pub(crate) fn leave(
        &self,
        request: &ConsumerHeartbeatRequest,
        step: &mut Step<'_>,
    ) -> Result<Decision<ConsumerHeartbeatResponse>, GroupError> {
        let member = match &request.instance_id {
            None => self.members.get(&request.member_id).ok_or_else(|| self.unknown(&request.member_id))?,
            Some(instance_id) => {
                let member = self.static_member(instance_id).ok_or_else(|| {
                    GroupError::new(ErrorCode::UnknownMemberId, format!("instance id {instance_id} is unknown"))
                })?;
                self.check_instance(member, &request.member_id)?;
                member
            }
        };
        let answer = ConsumerHeartbeatResponse {
            member_id: request.member_id.clone(),
            member_epoch: request.member_epoch,
            heartbeat_interval_ms: 0,
            assignment: None,
        };
        if request.instance_id.is_some() && request.member_epoch == LEAVE_GROUP_STATIC_MEMBER_EPOCH {
            let mut draft = Draft::of(self);
            draft.put_assignment(&member.departed_for_now());
            return Ok(draft.decide(answer));
        }
        let leaving = BTreeSet::from([member.id.clone()]);
        Ok(self.fence(&leaving, step).map(|()| answer))
    }

    /// A timer of the group is due: its member has been silent, or has not done in time what it was asked to.
    pub(crate) fn on_timer(&self, kind: &TimerKind, step: &mut Step<'_>) -> Decision<()> {
        let (member_id, reason) = match kind {
            TimerKind::Session(member_id) => (member_id, "its session timed out"),
            TimerKind::Revocation(member_id) => (member_id, "it did not give up partitions in time"),
            TimerKind::ClassicJoin(member_id) => (member_id, "it did not rejoin in time"),
            TimerKind::ClassicSync(member_id) => (member_id, "it did not ask for its assignment in time"),
            TimerKind::Join | TimerKind::Sync | TimerKind::Streams(_) => return Decision::only(()),
        };
        if !self.members.contains_key(member_id) {
            return Decision::only(());
        }
        tracing::info!(group = %self.group_id, member = member_id, reason, "member is removed");
        self.fence(&BTreeSet::from([member_id.clone()]), step)
    }

    /// Takes members out, who must be in the group. What they had is free. When nobody is left who speaks the consumer
    /// protocol, the group becomes a classic one.
    pub(super) fn fence(&self, member_ids: &BTreeSet<String>, step: &mut Step<'_>) -> Decision<()> {
        if member_ids.is_empty() {
            return Decision::only(());
        }
        member_ids.iter().for_each(|member_id| self.disarm_all(member_id, step));
        if let Some(downgraded) = self.downgrade_without(member_ids, step) {
            return downgraded;
        }
        let mut draft = Draft::of(self);
        member_ids.iter().for_each(|member_id| draft.remove_member(member_id));
        draft.drop_unused_regexes();
        let hash = draft.group.compute_metadata_hash(step.topics);
        draft.put_epoch(self.epoch.saturating_add(1), hash);
        draft.decide(())
    }
}
