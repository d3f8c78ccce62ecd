//! Consumer groups among the others: which group a request is for, what it must become first, and what comes of it.

use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::Malformed;
use brooklet_protocol::coordinator::consumer_group::{ConsumerGroupKey, Subject};
use bytes::Bytes;
use uuid::Uuid;

use super::{GroupShard, Surroundings};
use crate::coordinator::timer::Millis;
use crate::groups::classic::{Effect, TimerKey, TimerKind, Turn};
use crate::groups::consumer::requests::{
    ConsumerGroupDescription, ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, GroupError,
};
use crate::groups::consumer::{ConsumerGroup, Decision, Downgrade, Draft, Step};
use crate::groups::group::Group;
use crate::groups::requests::{JoinRequest, JoinResponse, Token};

/// When a timer's doing is tried again whose records could not be kept.
const RETRY_MS: Millis = 1000;

impl GroupShard {
    /// A heartbeat of a member of a consumer group (KIP-848). The answer may be given when its records are kept.
    pub(crate) fn consumer_heartbeat(
        &mut self,
        request: &ConsumerHeartbeatRequest,
        around: &Surroundings<'_>,
    ) -> Result<Decision<ConsumerHeartbeatResponse>, GroupError> {
        request.check(&self.settings.consumer.assignors)?;
        let group_id = request.group_id.as_str();
        if request.is_leave() {
            let left = self.with_consumer(group_id, around, |group, step| group.leave(request, step));
            return left.unwrap_or_else(|| Err(GroupError::not_found(group_id)));
        }
        let mut step = Step {
            now: around.now,
            topics: around.topics,
            configs: around.configs,
            settings: &self.settings.consumer,
            timers: &mut self.timers,
        };
        let joins = request.member_epoch == 0;
        let decision = match self.groups.get(group_id) {
            Some(Group::Consumer(group)) => Draft::of(group).heartbeat(request, &mut step)?,
            None if joins => {
                let group = ConsumerGroup::new(group_id.into());
                Draft::new(group, Vec::new()).heartbeat(request, &mut step)?
            }
            Some(Group::Classic(classic)) if joins && classic.is_empty() => {
                let (group, tombstone) = (ConsumerGroup::new(group_id.into()), self.groups[group_id].tombstones());
                Draft::new(group, tombstone).heartbeat(request, &mut step)?
            }
            Some(Group::Classic(classic)) if joins => {
                ConsumerGroup::upgraded(classic, &step)?.heartbeat(request, &mut step)?
            }
            _ => return Err(GroupError::not_found(group_id)),
        };
        match self.groups.get_mut(group_id) {
            // What the topics are is known to be stored, if there was nothing to store.
            Some(Group::Consumer(group)) if decision.records.is_empty() => {
                group.has_seen_topics(around.topics.version());
            }
            Some(Group::Classic(classic)) => classic.abandon(&mut Turn {
                now: around.now.monotonic,
                wall_ms: around.now.wall_ms,
                settings: &self.settings,
                timers: &mut self.timers,
                effects: &mut self.effects,
            }),
            _ => {}
        }
        Ok(decision)
    }

    pub(crate) fn describe_consumer_group(&self, group_id: &str) -> Result<ConsumerGroupDescription, GroupError> {
        let group = self.groups.get(group_id).and_then(Group::consumer);
        let group = group.ok_or_else(|| GroupError::not_found(group_id))?;
        Ok(group.describe(&self.settings.consumer))
    }

    /// Records have been kept that make a consumer group a classic one.
    pub(crate) fn downgrade(&mut self, downgrade: Downgrade, around: &Surroundings<'_>) {
        let Downgrade { group, rebalances } = downgrade;
        let group_id: Arc<str> = group.id().into();
        self.groups.insert(Arc::clone(&group_id), Group::Classic(group));
        self.step_classic(&group_id, around.now, |group, turn| {
            group.resume(turn);
            if rebalances {
                group.rebalance("the last member of the consumer protocol has gone", turn);
            }
        });
    }

    /// Takes a join if it is one to a consumer group, which it is if that has members: without any, the group becomes
    /// a classic one.
    pub(super) fn join_consumer_group(
        &mut self,
        token: Token,
        request: &JoinRequest,
        around: &Surroundings<'_>,
    ) -> bool {
        let group_id = request.group_id.as_str();
        let Some(group) = self.groups.get(group_id).and_then(Group::consumer) else {
            return false;
        };
        if group.is_empty() {
            if !request.member_id.is_empty() {
                let response = JoinResponse::error(ErrorCode::UnknownMemberId, request.member_id.as_str());
                self.effects.push(Effect::Join(token, response));
                return true;
            }
            let records = group.tombstones();
            self.effects.push(Effect::Decide(Box::new(Decision { answer: None, records, downgrade: None })));
            self.groups.insert(group_id.into(), Group::empty(group_id.into(), around.now.wall_ms));
            return false;
        }
        let prefix = request.group_instance_id.as_deref().unwrap_or(&request.client_id);
        let new_member_id = format!("{prefix}-{}", Uuid::new_v4());
        let joined =
            self.with_consumer(group_id, around, |group, step| group.join_classic(request, &new_member_id, step));
        let effect = match joined {
            Some(Ok(decision)) => Effect::Decide(Box::new(decision.map(|response| Some((token, response))))),
            Some(Err(error)) => Effect::Join(token, JoinResponse::error(error.code, request.member_id.as_str())),
            None => return false,
        };
        self.effects.push(effect);
        true
    }

    pub(super) fn on_consumer_timer(&mut self, group_id: &Arc<str>, kind: &TimerKind, around: &Surroundings<'_>) {
        let Some(decision) = self.with_consumer(group_id, around, |group, step| group.on_timer(kind, step)) else {
            return;
        };
        if decision.records.is_empty() {
            return;
        }
        if decision.downgrade.is_none() {
            let key = TimerKey { group_id: Arc::clone(group_id), kind: kind.clone() };
            self.timers.arm(key, around.now.monotonic + RETRY_MS);
        }
        self.effects.push(Effect::Decide(Box::new(decision.map(|()| None))));
    }

    /// Lets a consumer group take a step; `None` if there is no such group, or it is of another kind.
    pub(super) fn with_consumer<T>(
        &mut self,
        group_id: &str,
        around: &Surroundings<'_>,
        act: impl FnOnce(&ConsumerGroup, &mut Step<'_>) -> T,
    ) -> Option<T> {
        let group = self.groups.get(group_id)?.consumer()?;
        let mut step = Step {
            now: around.now,
            topics: around.topics,
            configs: around.configs,
            settings: &self.settings.consumer,
            timers: &mut self.timers,
        };
        Some(act(group, &mut step))
    }

    /// Takes in a record of a consumer group. The first makes the group, that of the group without a value takes it
    /// away.
    pub(super) fn replay_consumer(&mut self, key: ConsumerGroupKey, value: Option<Bytes>) -> Result<(), Malformed> {
        let ConsumerGroupKey { group_id, subject } = key;
        let known = self.groups.get_mut(group_id.as_str());
        let is_free = known.as_ref().is_none_or(|group| group.is_vacant());
        match known.and_then(Group::consumer_mut) {
            Some(_) if subject == Subject::GroupMetadata && value.is_none() => {
                self.groups.remove(group_id.as_str());
            }
            Some(group) => group.replay(&subject, value)?,
            None if value.is_none() => {}
            None if is_free => {
                let group_id: Arc<str> = group_id.into();
                let mut group = ConsumerGroup::new(Arc::clone(&group_id));
                group.replay(&subject, value)?;
                self.groups.insert(group_id, Group::Consumer(group));
            }
            None => tracing::warn!(group = group_id, "a record of a consumer group is one of another group's"),
        }
        Ok(())
    }
}
