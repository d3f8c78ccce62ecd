//! Joining: who may, and when the members that have come make a generation.

use brooklet_protocol::ErrorCode;
use uuid::Uuid;

use super::{ClassicGroup, Effect, Member, NEW_MEMBER_JOIN_TIMEOUT_MS, TimerKind, Turn};
use crate::groups::requests::{GroupState, JoinRequest, JoinResponse, Protocol, SyncResponse, Token};

impl ClassicGroup {
    /// A member joins, for the first time or again. Its answer comes when the group has a generation for it.
    pub(crate) fn join(&mut self, token: Token, request: &JoinRequest, turn: &mut Turn<'_>) {
        let refuse = |error, member_id: &str| Effect::Join(token, JoinResponse::error(error, member_id));
        if !self.has_room_for(&request.member_id, turn.settings.max_size) {
            self.remove(&request.member_id, turn);
            turn.effects.push(refuse(ErrorCode::GroupMaxSizeReached, ""));
            return;
        }
        if !self.supports_protocols(request) {
            turn.effects.push(refuse(ErrorCode::InconsistentGroupProtocol, &request.member_id));
            return;
        }
        if request.member_id.is_empty() {
            self.join_new(token, request, turn);
        } else if self.pending_joins.contains(&request.member_id) && request.group_instance_id.is_none() {
            self.add(request.member_id.clone(), token, request, turn);
        } else {
            let instance = request.group_instance_id.as_deref();
            match self.validate_member(&request.member_id, instance) {
                Ok(()) => self.rejoin(token, request, turn),
                Err(error) => turn.effects.push(refuse(error, &request.member_id)),
            }
        }
    }

    /// A member that has no id yet.
    fn join_new(&mut self, token: Token, request: &JoinRequest, turn: &mut Turn<'_>) {
        let prefix = request.group_instance_id.as_deref().unwrap_or(&request.client_id);
        let member_id = format!("{prefix}-{}", Uuid::new_v4());
        if let Some(instance) = &request.group_instance_id {
            match self.static_members.get(instance).cloned() {
                Some(old_id) => self.replace_static(&old_id, &member_id, token, request, turn),
                None => self.add(member_id, token, request, turn),
            }
        } else if request.requires_member_id {
            self.pending_joins.insert(member_id.clone());
            let timeout = u64::from(request.session_timeout_ms.unsigned_abs());
            turn.timers.arm(self.session_key(&member_id), turn.now + timeout);
            let response = JoinResponse::error(ErrorCode::MemberIdRequired, member_id);
            turn.effects.push(Effect::Join(token, response));
        } else {
            self.add(member_id, token, request, turn);
        }
    }

    /// A member of the group comes again.
    fn rejoin(&mut self, token: Token, request: &JoinRequest, turn: &mut Turn<'_>) {
        let member_id = request.member_id.as_str();
        let is_leader = self.is_leader(member_id);
        let same_protocols = self.members.get(member_id).is_some_and(|member| member.protocols == request.protocols);
        let must_rebalance = match self.state {
            GroupState::PreparingRebalance => true,
            // The answer to its first join may have been lost: the same answer again will do.
            GroupState::CompletingRebalance => !same_protocols,
            // A leader that joins wants a rebalance, as when partitions have been added.
            GroupState::Stable => is_leader || !same_protocols,
            GroupState::Empty | GroupState::Dead => {
                let response = JoinResponse::error(ErrorCode::UnknownMemberId, member_id);
                turn.effects.push(Effect::Join(token, response));
                return;
            }
        };
        if must_rebalance {
            self.update(member_id, token, request, turn);
            let reason = request.reason.as_deref().unwrap_or("not given");
            self.rebalance_or_complete(&format!("member {member_id} rejoins, its reason: {reason}"), turn);
        } else {
            let response = self.current_generation(member_id, self.state == GroupState::CompletingRebalance);
            turn.effects.push(Effect::Join(token, response));
        }
    }

    fn add(&mut self, member_id: String, token: Token, request: &JoinRequest, turn: &mut Turn<'_>) {
        let mut member = Member::new(member_id, request);
        member.awaiting_join = Some(token);
        if self.state == GroupState::PreparingRebalance && self.was_empty {
            self.new_member_added = true;
        }
        self.arm_session(&member, NEW_MEMBER_JOIN_TIMEOUT_MS, turn);
        let reason = format!("member {} joins", member.id);
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        self.insert(member);
        self.rebalance_or_complete(&reason, turn);
    }

    fn update(&mut self, member_id: &str, token: Token, request: &JoinRequest, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get_mut(member_id) else {
            return;
        };
        member.protocols.clone_from(&request.protocols);
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
        member.session_timeout_ms = request.session_timeout_ms;
        if let Some(earlier) = member.awaiting_join.replace(token) {
            // The client gave up on that request and asks again; nobody reads this answer.
            let response = JoinResponse::error(ErrorCode::UnknownMemberId, member_id);
            turn.effects.push(Effect::Join(earlier, response));
        }
    }

    /// A static member that lost its id (it restarted) takes the place it had, without a rebalance if that changes
    /// nothing for the others.
    fn replace_static(&mut self, old_id: &str, new_id: &str, token: Token, request: &JoinRequest, turn: &mut Turn<'_>) {
        let old_leader = self.leader.clone();
        self.rename_member(old_id, new_id, turn);
        self.update(new_id, token, request, turn);
        self.renew_session(new_id, turn);
        match self.state {
            GroupState::Stable if self.select_protocol().as_deref() == self.protocol.as_deref() => {
                self.persist(turn);
                let mut response = self.current_generation(new_id, request.can_skip_assignment);
                if request.can_skip_assignment {
                    response.skip_assignment = self.is_leader(new_id);
                } else {
                    // An old client that saw itself as the leader would assign; it must not.
                    response.leader = old_leader.unwrap_or_default();
                }
                if let Some(member) = self.members.get_mut(new_id) {
                    member.awaiting_join = None;
                    member.is_new = false;
                }
                turn.effects.push(Effect::Join(token, response));
            }
            GroupState::Stable => {
                self.rebalance_or_complete(&format!("static member {new_id} changed its protocols"), turn);
            }
            GroupState::CompletingRebalance => {
                // The leader may be assigning to the old id at this moment.
                self.prepare_rebalance(&format!("static member {new_id} came back"), turn);
            }
            GroupState::PreparingRebalance | GroupState::Empty | GroupState::Dead => {
                self.complete_if_all_joined(turn);
            }
        }
    }

    fn rename_member(&mut self, old_id: &str, new_id: &str, turn: &mut Turn<'_>) {
        turn.timers.disarm(&self.session_key(old_id));
        let Some(mut member) = self.members.remove(old_id) else {
            return;
        };
        // Whoever still waits under the old id is another incarnation of the member.
        if let Some(token) = member.awaiting_join.take() {
            let response = JoinResponse::error(ErrorCode::FencedInstanceId, old_id);
            turn.effects.push(Effect::Join(token, response));
        }
        if let Some(token) = member.awaiting_sync.take() {
            turn.effects.push(Effect::Sync(token, SyncResponse::error(ErrorCode::FencedInstanceId)));
        }
        if self.is_leader(old_id) {
            self.leader = Some(new_id.to_owned());
        }
        if self.pending_syncs.remove(old_id) {
            self.pending_syncs.insert(new_id.to_owned());
        }
        new_id.clone_into(&mut member.id);
        self.insert(member);
    }

    /// The members' agreement as it stands, for one of them.
    fn current_generation(&self, member_id: &str, with_members: bool) -> JoinResponse {
        let members = if with_members && self.is_leader(member_id) { self.joined_members() } else { Vec::new() };
        JoinResponse {
            error: ErrorCode::None,
            member_id: member_id.to_owned(),
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            members,
        }
    }

    /// All members are to join anew.
    pub(crate) fn rebalance(&mut self, reason: &str, turn: &mut Turn<'_>) {
        self.prepare_rebalance(reason, turn);
    }

    pub(super) fn rebalance_or_complete(&mut self, reason: &str, turn: &mut Turn<'_>) {
        match self.state {
            GroupState::Empty | GroupState::CompletingRebalance | GroupState::Stable => {
                self.prepare_rebalance(reason, turn);
            }
            GroupState::PreparingRebalance | GroupState::Dead => self.complete_if_all_joined(turn),
        }
    }

    pub(super) fn prepare_rebalance(&mut self, reason: &str, turn: &mut Turn<'_>) {
        if self.state == GroupState::CompletingRebalance {
            self.refuse_syncs(ErrorCode::RebalanceInProgress, turn);
        }
        self.pending_syncs.clear();
        turn.timers.disarm(&self.timer(TimerKind::Sync));
        self.was_empty = self.state == GroupState::Empty;
        self.transition(GroupState::PreparingRebalance, turn);
        tracing::debug!(group = %self.group_id, generation = self.generation, reason, "preparing to rebalance");
        if !self.was_empty {
            self.complete_or_wait(turn);
            return;
        }
        let delay = turn.settings.initial_rebalance_delay_ms;
        self.new_member_added = false;
        self.delay_left = self.rebalance_timeout_ms().saturating_sub(delay);
        if delay == 0 {
            self.complete_join(turn);
        } else {
            turn.timers.arm(self.timer(TimerKind::Join), turn.now + delay);
        }
    }

    /// The timer of the join phase: of a first rebalance it may be set again, while members still come.
    pub(crate) fn on_join_timer(&mut self, turn: &mut Turn<'_>) {
        if self.state != GroupState::PreparingRebalance {
            return;
        }
        if self.was_empty && self.new_member_added && self.delay_left > 0 {
            self.new_member_added = false;
            let delay = turn.settings.initial_rebalance_delay_ms.min(self.delay_left);
            self.delay_left -= delay;
            turn.timers.arm(self.timer(TimerKind::Join), turn.now + delay);
        } else {
            self.complete_join(turn);
        }
    }

    /// While the first rebalance is delayed, that all have joined means nothing: more may be on the way.
    pub(super) fn complete_if_all_joined(&mut self, turn: &mut Turn<'_>) {
        if self.state == GroupState::PreparingRebalance && !self.was_empty && self.has_all_joined() {
            self.complete_join(turn);
        }
    }

    fn complete_or_wait(&mut self, turn: &mut Turn<'_>) {
        if self.has_all_joined() {
            self.complete_join(turn);
        } else {
            turn.timers.arm(self.timer(TimerKind::Join), turn.now + self.rebalance_timeout_ms());
        }
    }

    /// Ends the join phase: those who have come are the next generation.
    fn complete_join(&mut self, turn: &mut Turn<'_>) {
        turn.timers.disarm(&self.timer(TimerKind::Join));
        let late: Vec<String> = self
            .members
            .values()
            .filter(|member| member.awaiting_join.is_none() && !member.is_static())
            .map(|member| member.id.clone())
            .collect();
        for member_id in &late {
            self.remove(member_id, turn);
        }
        if !late.is_empty() {
            tracing::info!(group = %self.group_id, members = ?late, "members did not rejoin in time");
        }
        if !self.members.is_empty() && !self.elect_leader_who_joined() {
            // Only static members are left and none has come back: wait for their sessions to end.
            turn.timers.arm(self.timer(TimerKind::Join), turn.now + self.rebalance_timeout_ms());
            return;
        }
        self.begin_generation(turn);
    }

    fn begin_generation(&mut self, turn: &mut Turn<'_>) {
        self.generation = self.generation.checked_add(1).unwrap_or(0);
        self.was_empty = false;
        if self.members.is_empty() {
            self.protocol = None;
            self.leader = None;
            self.transition(GroupState::Empty, turn);
            self.persist(turn);
            return;
        }
        self.protocol = self.select_protocol();
        self.transition(GroupState::CompletingRebalance, turn);
        tracing::debug!(
            group = %self.group_id, generation = self.generation, members = self.members.len(), "generation begins"
        );
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for member_id in ids {
            let response = self.current_generation(&member_id, true);
            self.pending_syncs.insert(member_id.clone());
            if let Some(member) = self.members.get_mut(&member_id) {
                member.is_new = false;
                if let Some(token) = member.awaiting_join.take() {
                    turn.effects.push(Effect::Join(token, response));
                }
            }
            self.renew_session(&member_id, turn);
        }
        turn.timers.arm(self.timer(TimerKind::Sync), turn.now + self.rebalance_timeout_ms());
    }

    /// Keeps a leader who has joined, or makes one of those who have.
    fn elect_leader_who_joined(&mut self) -> bool {
        let has_joined = |id: &String| self.members.get(id).is_some_and(|member| member.awaiting_join.is_some());
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let joined = self.members.values().find(|member| member.awaiting_join.is_some());
        match joined.map(|member| member.id.clone()) {
            Some(member_id) => {
                self.leader = Some(member_id);
                true
            }
            None => false,
        }
    }

    /// The protocol that all members know and most of them like best.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let first = self.members.values().next()?;
        let candidates: Vec<&str> = first
            .protocols
            .iter()
            .map(|protocol| protocol.name.as_str())
            .filter(|name| self.members.values().all(|member| member.supports(name)))
            .collect();
        let votes = |name: &str| self.members.values().filter(|member| member.vote(&candidates) == Some(name)).count();
        // Of equals, the first member's preference counts.
        let best = candidates.iter().rev().max_by_key(|name| votes(name))?;
        Some((*best).to_owned())
    }

    fn supports_protocols(&self, request: &JoinRequest) -> bool {
        if request.protocol_type.is_empty() || request.protocols.is_empty() {
            return false;
        }
        if self.members.is_empty() {
            return true;
        }
        let known_to_all = |protocol: &Protocol| self.members.values().all(|member| member.supports(&protocol.name));
        self.protocol_type.as_deref() == Some(&request.protocol_type) && request.protocols.iter().any(known_to_all)
    }

    /// `group.max.size`. While members gather, those who wait count, so that a group whose limit was lowered sheds
    /// the last to come.
    fn has_room_for(&self, member_id: &str, max: usize) -> bool {
        let member = self.members.get(member_id);
        match self.state {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                member.is_some_and(|member| member.awaiting_join.is_some())
                    || self.members.values().filter(|member| member.awaiting_join.is_some()).count() < max
            }
            GroupState::CompletingRebalance | GroupState::Stable => member.is_some() || self.members.len() < max,
        }
    }
}
