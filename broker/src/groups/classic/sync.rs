//! Syncing: the leader brings the assignments, every member takes its own. And the heartbeats that follow.

use std::collections::HashMap;

use brooklet_protocol::ErrorCode;
use bytes::Bytes;

use super::{ClassicGroup, Effect, TimerKind, Turn};
use crate::groups::requests::{GroupState, MemberIdentity, SyncRequest, SyncResponse, Token};

impl ClassicGroup {
    /// A member asks for its assignment; the leader brings all of them. Answers come when the leader has been here.
    pub(crate) fn sync(&mut self, token: Token, request: &SyncRequest, turn: &mut Turn<'_>) {
        if let Err(error) = self.check_sync(request) {
            turn.effects.push(Effect::Sync(token, SyncResponse::error(error)));
            return;
        }
        self.pending_syncs.remove(&request.member_id);
        if self.pending_syncs.is_empty() {
            turn.timers.disarm(&self.timer(TimerKind::Sync));
        }
        if self.state == GroupState::Stable {
            let response = self.assignment_of(&request.member_id);
            turn.effects.push(Effect::Sync(token, response));
            return;
        }
        if let Some(member) = self.members.get_mut(&request.member_id)
            && let Some(earlier) = member.awaiting_sync.replace(token)
        {
            let response = SyncResponse::error(ErrorCode::RebalanceInProgress);
            turn.effects.push(Effect::Sync(earlier, response));
        }
        if self.is_leader(&request.member_id) {
            self.assign(&request.assignments, turn);
        }
    }

    fn check_sync(&self, request: &SyncRequest) -> Result<(), ErrorCode> {
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs =
            |asked: &Option<String>, agreed: &Option<String>| asked.is_some() && agreed.is_some() && asked != agreed;
        if differs(&request.protocol_type, &self.protocol_type) || differs(&request.protocol_name, &self.protocol) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        match self.state {
            GroupState::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            GroupState::Empty | GroupState::Dead => Err(ErrorCode::UnknownMemberId),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }

    fn assign(&mut self, assignments: &[(String, Bytes)], turn: &mut Turn<'_>) {
        let by_member: HashMap<&str, &Bytes> =
            assignments.iter().map(|(member_id, assignment)| (member_id.as_str(), assignment)).collect();
        for member in self.members.values_mut() {
            member.assignment = by_member.get(member.id.as_str()).map(|bytes| (*bytes).clone()).unwrap_or_default();
        }
        self.transition(GroupState::Stable, turn);
        self.persist(turn);
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for member_id in ids {
            let response = self.assignment_of(&member_id);
            if let Some(token) = self.members.get_mut(&member_id).and_then(|member| member.awaiting_sync.take()) {
                turn.effects.push(Effect::Sync(token, response));
                self.renew_session(&member_id, turn);
            }
        }
    }

    /// Members that wait for an assignment are told why there is none.
    pub(super) fn refuse_syncs(&mut self, error: ErrorCode, turn: &mut Turn<'_>) {
        let mut answered = Vec::new();
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            if let Some(token) = member.awaiting_sync.take() {
                turn.effects.push(Effect::Sync(token, SyncResponse::error(error)));
                answered.push(member.id.clone());
            }
        }
        for member_id in answered {
            self.renew_session(&member_id, turn);
        }
    }

    fn assignment_of(&self, member_id: &str) -> SyncResponse {
        SyncResponse {
            error: ErrorCode::None,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment: self.members.get(member_id).map(|member| member.assignment.clone()).unwrap_or_default(),
        }
    }

    /// A member says that it lives.
    pub(crate) fn heartbeat(&mut self, member: &MemberIdentity, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
        self.validate_member(&member.member_id, member.group_instance_id.as_deref())?;
        if member.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        self.renew_session(&member.member_id, turn);
        match self.state {
            GroupState::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            GroupState::Empty | GroupState::Dead => Err(ErrorCode::UnknownMemberId),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }
}
