//! Members that speak the classic protocol in a group of the consumer protocol (KIP-848): a join is a heartbeat that
//! says what the member has, a sync tells what it has from then on, and a classic heartbeat only when to join again.

use std::collections::BTreeSet;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::consumer::{self, Subscription};
use brooklet_protocol::coordinator::consumer_group::{ClassicMemberMetadata, ClassicProtocol};

use super::draft::{Decision, Draft};
use super::heartbeat::without_epochs;
use super::member::{ConsumerGroupMember, MemberState};
use super::migration::{Downgrade, assignment_bytes, by_id};
use super::requests::GroupError;
use super::{ConsumerGroup, Step};
use crate::groups::classic::TimerKind;
use crate::groups::requests::{JoinRequest, JoinResponse, LeavingMember, MemberIdentity, SyncRequest, SyncResponse};

impl ConsumerGroup {
    /// A classic member joins, for the first time or again. Nobody waits for others here. `new_member_id` is the id of
    /// a member that has none yet.
    pub(crate) fn join_classic(
        &self,
        request: &JoinRequest,
        new_member_id: &str,
        step: &mut Step<'_>,
    ) -> Result<Decision<JoinResponse>, GroupError> {
        if !step.settings.migration_policy.allows_any() {
            return Err(ErrorCode::InconsistentGroupProtocol.into());
        }
        let is_new = request.member_id.is_empty();
        let member_id = if is_new { new_member_id } else { &request.member_id };
        self.check_room(member_id, step)?;
        self.check_classic_protocols(request)?;
        let instance_id = request.group_instance_id.as_deref();
        if is_new && instance_id.is_none() && request.requires_member_id {
            return Ok(Decision::only(JoinResponse::error(ErrorCode::MemberIdRequired, member_id)));
        }
        let first = request.protocols.first().ok_or(ErrorCode::InconsistentGroupProtocol)?;
        let subscription =
            Subscription::decode(first.metadata.clone()).map_err(|_| ErrorCode::InconsistentGroupProtocol)?;

        let replaced = instance_id.and_then(|instance_id| self.static_member(instance_id));
        let downgrades = replaced.is_some_and(|replaced| self.is_last_of_consumer_protocol(replaced))
            && self.may_downgrade(self.members.len(), step);
        let mut draft = Draft::of(self);
        let member = match instance_id {
            None => draft.dynamic_member(member_id, true)?,
            Some(instance_id) => draft.static_member(member_id, instance_id, is_new, true)?,
        };
        let updated = updated(&member, request, &subscription);
        let changed = draft.update_member(&member, &updated, step);
        let owned = by_id(&subscription.owned_partitions, step.topics);
        let stale = draft.group.assignment_epoch < draft.group.epoch;
        if !downgrades {
            draft.update_target_assignment(step);
        }
        let member = match downgrades && stale {
            // They join anew anyway.
            true => updated,
            false => draft.reconcile(member_id, changed, Some(&owned), step)?,
        };
        let answer = JoinResponse {
            error: ErrorCode::None,
            member_id: member_id.to_owned(),
            generation: member.epoch,
            protocol_type: Some(consumer::PROTOCOL_TYPE.to_owned()),
            protocol_name: Some(first.name.clone()),
            leader: String::new(),
            skip_assignment: false,
            members: Vec::new(),
        };
        if downgrades {
            return draft.into_classic(stale, step).map(|downgraded| downgraded.map(|()| answer));
        }
        step.timers.disarm(&self.timer(TimerKind::ClassicJoin(member_id.to_owned())));
        self.arm_session(member_id, request.session_timeout_ms, step);
        self.arm(TimerKind::ClassicSync(member_id.to_owned()), request.rebalance_timeout_ms, step);
        Ok(draft.decide(answer))
    }

    /// A classic member asks what it has.
    pub(crate) fn sync_classic(&self, request: &SyncRequest, step: &mut Step<'_>) -> Result<SyncResponse, ErrorCode> {
        let member =
            self.classic_member(&request.member_id, request.group_instance_id.as_deref(), request.generation)?;
        let known = member.classic.as_ref().ok_or(ErrorCode::UnknownMemberId)?;
        let name = known.supported_protocols.first().map(|protocol| protocol.name.as_str());
        let differs = |asked: Option<&str>, known: Option<&str>| asked.is_some() && asked != known;
        if differs(request.protocol_type.as_deref(), Some(consumer::PROTOCOL_TYPE))
            || differs(request.protocol_name.as_deref(), name)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        // One that is giving up partitions has joined already, and must be told which it keeps.
        if self.assignment_epoch > member.epoch && member.state != MemberState::UnrevokedPartitions {
            self.expect_join(member, step);
            return Err(ErrorCode::RebalanceInProgress);
        }
        step.timers.disarm(&self.timer(TimerKind::ClassicSync(member.id.clone())));
        self.arm_session(&member.id, known.session_timeout_ms, step);
        let assignment = assignment_bytes(member, &without_epochs(&member.assigned), step.topics);
        Ok(SyncResponse {
            error: ErrorCode::None,
            protocol_type: request.protocol_type.clone(),
            protocol_name: request.protocol_name.clone(),
            assignment: assignment.ok_or(ErrorCode::UnknownServerError)?,
        })
    }

    /// A classic member says that it lives, and is told whether it should join again.
    pub(crate) fn heartbeat_classic(&self, identity: &MemberIdentity, step: &mut Step<'_>) -> Result<(), ErrorCode> {
        let instance_id = identity.group_instance_id.as_deref();
        let member = self.classic_member(&identity.member_id, instance_id, identity.generation)?;
        if let Some(known) = &member.classic {
            self.arm_session(&member.id, known.session_timeout_ms, step);
        }
        let has_more_to_get = member.state == MemberState::UnreleasedPartitions && !self.waits_for_others(member);
        if member.epoch < self.assignment_epoch || member.state == MemberState::UnrevokedPartitions || has_more_to_get {
            self.expect_join(member, step);
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// Members leave, or are taken out by an administrator, whatever they speak. Each has its own outcome.
    pub(crate) fn leave_classic(&self, members: &[LeavingMember], step: &mut Step<'_>) -> Decision<Vec<ErrorCode>> {
        let mut leaving = BTreeSet::new();
        let outcomes = members.iter().map(|member| match self.leaving(member) {
            Ok(member_id) => {
                leaving.insert(member_id);
                ErrorCode::None
            }
            Err(error) => error,
        });
        let outcomes: Vec<ErrorCode> = outcomes.collect();
        self.fence(&leaving, step).map(|()| outcomes)
    }

    fn leaving(&self, leaving: &LeavingMember) -> Result<String, ErrorCode> {
        let Some(instance_id) = &leaving.group_instance_id else {
            let member = self.members.get(&leaving.member_id).ok_or(ErrorCode::UnknownMemberId)?;
            return Ok(member.id.clone());
        };
        let member = self.static_member(instance_id).ok_or(ErrorCode::UnknownMemberId)?;
        match leaving.member_id.is_empty() || leaving.member_id == member.id {
            true => Ok(member.id.clone()),
            false => Err(ErrorCode::FencedInstanceId),
        }
    }

    /// Whether the member shares a protocol with all classic members there are.
    fn check_classic_protocols(&self, request: &JoinRequest) -> Result<(), ErrorCode> {
        let supports = |member: &ConsumerGroupMember, name: &str| {
            let known = member.classic.as_ref();
            known.is_none_or(|known| known.supported_protocols.iter().any(|protocol| protocol.name == name))
        };
        let shared =
            request.protocols.iter().any(|own| self.members.values().all(|member| supports(member, &own.name)));
        match request.protocol_type == consumer::PROTOCOL_TYPE && shared {
            true => Ok(()),
            false => Err(ErrorCode::InconsistentGroupProtocol),
        }
    }

    /// The classic member that comes with this identity and generation.
    fn classic_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<&ConsumerGroupMember, ErrorCode> {
        let member = match instance_id {
            None => self.members.get(member_id),
            Some(instance_id) => self.static_member(instance_id),
        };
        let member = member.ok_or(ErrorCode::UnknownMemberId)?;
        if member.id != member_id {
            return Err(ErrorCode::FencedInstanceId);
        }
        if !member.uses_classic_protocol() {
            return Err(ErrorCode::UnknownMemberId);
        }
        if member.epoch == generation { Ok(member) } else { Err(ErrorCode::IllegalGeneration) }
    }

    /// A member that has been told to join again must do so in time.
    fn expect_join(&self, member: &ConsumerGroupMember, step: &mut Step<'_>) {
        let kind = TimerKind::ClassicJoin(member.id.clone());
        if !step.timers.is_armed(&self.timer(kind.clone())) {
            self.arm(kind, member.rebalance_timeout_ms, step);
        }
    }

    /// Whether a partition that the member is to have is still another's.
    fn waits_for_others(&self, member: &ConsumerGroupMember) -> bool {
        self.target_of(&member.id).iter().any(|(topic, partitions)| {
            let assigned = member.assigned.get(topic);
            let mut missing =
                partitions.iter().filter(|partition| !assigned.is_some_and(|has| has.contains_key(*partition)));
            missing.any(|partition| self.is_owned(*topic, *partition))
        })
    }

    fn is_last_of_consumer_protocol(&self, member: &ConsumerGroupMember) -> bool {
        !member.uses_classic_protocol()
            && self
                .members
                .values()
                .filter(|other| other.id != member.id)
                .all(ConsumerGroupMember::uses_classic_protocol)
    }
}

impl Draft<'_> {
    /// The group, all of whose members are classic now, as a classic one.
    fn into_classic(mut self, rebalances: bool, step: &Step<'_>) -> Result<Decision<()>, GroupError> {
        let members = self.group.members.values().map(|member| (member, member.id.as_str()));
        let group = self.group.as_classic(members, step).ok_or_else(|| {
            let message = "the group cannot become a classic one: what its members say of themselves cannot be read";
            GroupError::new(ErrorCode::GroupIdNotFound, message)
        })?;
        self.records.extend(self.group.tombstones());
        self.records.push(group.record());
        let downgrade = Some(Box::new(Downgrade { group, rebalances }));
        Ok(Decision { answer: (), records: self.records, downgrade })
    }
}

fn updated(member: &ConsumerGroupMember, request: &JoinRequest, subscription: &Subscription) -> ConsumerGroupMember {
    let mut updated = member.clone();
    if request.group_instance_id.is_some() {
        updated.instance_id.clone_from(&request.group_instance_id);
    }
    if let Some(rack) = subscription.rack_id.as_ref().filter(|rack| !rack.is_empty()) {
        updated.rack_id = Some(rack.clone());
    }
    if request.rebalance_timeout_ms != -1 {
        updated.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    updated.subscribed_topic_names = subscription.topics.iter().cloned().collect();
    // Classic members match patterns themselves.
    updated.subscribed_topic_regex = Some(String::new());
    updated.client_id.clone_from(&request.client_id);
    updated.client_host.clone_from(&request.client_host);
    let protocols = request.protocols.iter();
    let protocols =
        protocols.map(|protocol| ClassicProtocol { name: protocol.name.clone(), metadata: protocol.metadata.clone() });
    updated.classic = Some(ClassicMemberMetadata {
        session_timeout_ms: request.session_timeout_ms,
        supported_protocols: protocols.collect(),
    });
    updated
}
