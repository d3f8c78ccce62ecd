//! How members go: by leaving, by silence, by not asking for their assignment.

use brooklet_protocol::ErrorCode;

use super::{ClassicGroup, TimerKind, Turn};
use crate::groups::requests::{GroupState, LeavingMember};

impl ClassicGroup {
    /// Members leave, or are taken out by an administrator. Each has its own outcome.
    pub(crate) fn leave(&mut self, members: &[LeavingMember], turn: &mut Turn<'_>) -> Vec<ErrorCode> {
        let outcomes: Vec<ErrorCode> =
            members.iter().map(|member| self.leave_one(member, turn).err().unwrap_or_default()).collect();
        if outcomes.contains(&ErrorCode::None) {
            self.after_departure("members left", turn);
        }
        outcomes
    }

    fn leave_one(&mut self, leaving: &LeavingMember, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
        let instance = leaving.group_instance_id.as_deref();
        let member_id = if leaving.member_id.is_empty() {
            let current = instance.and_then(|instance| self.static_members.get(instance));
            current.cloned().ok_or(ErrorCode::UnknownMemberId)?
        } else {
            if !self.pending_joins.contains(&leaving.member_id) {
                self.validate_member(&leaving.member_id, instance)?;
            }
            leaving.member_id.clone()
        };
        let reason = leaving.reason.as_deref().unwrap_or("not given");
        tracing::debug!(group = %self.group_id, member = member_id, reason, "member leaves");
        self.remove(&member_id, turn);
        Ok(())
    }

    /// A member's session has ended: it has been silent, or never came with the id it was given.
    pub(crate) fn on_session_timer(&mut self, member_id: &str, turn: &mut Turn<'_>) {
        // Who waits for the others is silent because it must be; only a new member may have waited in vain.
        let waits = |member: &super::Member| {
            !member.is_new && (member.awaiting_join.is_some() || member.awaiting_sync.is_some())
        };
        if self.members.get(member_id).is_some_and(waits) {
            return;
        }
        if !self.members.contains_key(member_id) && !self.pending_joins.contains(member_id) {
            return;
        }
        if self.members.contains_key(member_id) {
            tracing::info!(group = %self.group_id, member = member_id, "session timed out, member is removed");
        }
        self.remove(member_id, turn);
        self.after_departure("a session timed out", turn);
    }

    /// The time to ask for assignments has passed: who has not is taken out.
    pub(crate) fn on_sync_timer(&mut self, turn: &mut Turn<'_>) {
        if !matches!(self.state, GroupState::CompletingRebalance | GroupState::Stable) || self.pending_syncs.is_empty()
        {
            return;
        }
        let late: Vec<String> = self.pending_syncs.iter().cloned().collect();
        tracing::info!(group = %self.group_id, members = ?late, "members did not ask for their assignment in time");
        for member_id in late {
            self.remove(&member_id, turn);
        }
        self.prepare_rebalance("members did not sync in time", turn);
    }

    fn after_departure(&mut self, reason: &str, turn: &mut Turn<'_>) {
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(reason, turn),
            GroupState::PreparingRebalance => {
                if self.members.is_empty() && self.pending_joins.is_empty() {
                    // Nobody is left to wait for, whatever delay the first rebalance had.
                    turn.timers.disarm(&self.timer(TimerKind::Join));
                    self.was_empty = false;
                }
                self.complete_if_all_joined(turn);
            }
            GroupState::Empty | GroupState::Dead => {}
        }
    }
}
