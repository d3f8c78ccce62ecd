//! Streams groups among the others: which group a request is for, what it must be, and what comes of it.

use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::Malformed;
use brooklet_protocol::coordinator::streams_group::{StreamsGroupKey, Subject};
use bytes::Bytes;

use super::{GroupShard, Now, Surroundings};
use crate::coordinator::timer::Millis;
use crate::groups::classic::{Effect, TimerKey, TimerKind};
use crate::groups::consumer::Decision;
use crate::groups::consumer::requests::GroupError;
use crate::groups::group::Group;
use crate::groups::requests::CommitRequest;
use crate::groups::streams::requests::{
    JOINING, StreamsGroupDescription, StreamsHeartbeatRequest, StreamsHeartbeatResponse,
};
use crate::groups::streams::{
    SoftChanges, StreamsDecision, StreamsGroup, StreamsSettings, StreamsStep, StreamsTimer, TimerChange, not_found,
};

/// When a timer's doing is tried again whose records could not be kept.
const RETRY_MS: Millis = 1000;

impl GroupShard {
    /// A heartbeat of a member of a streams group (KIP-1071). The answer may be given when its records are kept.
    pub(crate) fn streams_heartbeat(
        &self,
        request: &StreamsHeartbeatRequest,
        around: &Surroundings<'_>,
    ) -> Result<StreamsDecision<StreamsHeartbeatResponse>, GroupError> {
        request.check()?;
        let group_id: Arc<str> = request.group_id.as_str().into();
        let known = self.groups.get(&*group_id);
        if request.is_leave() {
            let group = known.and_then(Group::streams).ok_or_else(|| not_found(&group_id))?;
            return group.leave(request);
        }
        let delay = streams_timer(&group_id, StreamsTimer::InitialRebalance);
        let step = StreamsStep {
            now: around.now,
            topics: around.topics,
            settings: &self.streams_settings(&group_id, around),
            is_delayed: self.timers.is_armed(&delay),
        };
        let joins = request.member_epoch == JOINING;
        match known {
            Some(Group::Streams(group)) => group.heartbeat(request, true, &step),
            None if joins => StreamsGroup::new(group_id).heartbeat(request, false, &step),
            Some(Group::Classic(classic)) if joins && classic.is_empty() => {
                let mut decision = StreamsGroup::new(group_id).heartbeat(request, false, &step)?;
                let tombstones = known.map(Group::tombstones).unwrap_or_default();
                decision.records.splice(0..0, tombstones);
                Ok(decision)
            }
            None => Err(not_found(&group_id)),
            Some(_) => {
                Err(GroupError::new(ErrorCode::GroupIdNotFound, format!("Group {group_id} is not a streams group.")))
            }
        }
    }

    /// Lets a group follow what has been decided, when its records are kept.
    pub(crate) fn follow_streams(&mut self, group_id: &str, mut changes: SoftChanges) {
        let group_id: Arc<str> = group_id.into();
        self.change_timers(&group_id, std::mem::take(&mut changes.timers));
        if let Some(group) = self.groups.get_mut(&group_id).and_then(Group::streams_mut) {
            group.follow(changes);
        }
    }

    pub(crate) fn describe_streams_group(&self, group_id: &str) -> Result<StreamsGroupDescription, GroupError> {
        let group = self.groups.get(group_id).and_then(Group::streams);
        group.ok_or_else(|| not_found(group_id))?.describe()
    }

    /// Whether a member of a streams group that has been admitted may commit all these offsets.
    pub(in crate::groups) fn check_commits_of_tasks(&self, request: &CommitRequest) -> Result<(), ErrorCode> {
        let member = &request.member;
        let Some(group) = self.groups.get(member.group_id.as_str()).and_then(Group::streams) else {
            return Ok(());
        };
        request.offsets.iter().try_for_each(|offset| group.check_commit(member, &offset.topic, offset.partition))
    }

    pub(super) fn on_streams_timer(&mut self, group_id: &Arc<str>, timer: &StreamsTimer, now: Now) {
        let Some(group) = self.groups.get(group_id).and_then(Group::streams) else {
            return;
        };
        let records = group.on_timer(timer, now.wall_ms);
        if records.is_empty() {
            return;
        }
        // Should they not be kept. (An assignment that was waited for comes with the next heartbeat.)
        if *timer != StreamsTimer::InitialRebalance {
            self.timers.arm(streams_timer(group_id, timer.clone()), now.monotonic + RETRY_MS);
        }
        self.effects.push(Effect::Decide(Box::new(Decision { answer: None, records, downgrade: None })));
    }

    /// Begins the sessions of the members of a group that was stored.
    pub(super) fn resume_streams(&mut self, group_id: &Arc<str>, around: &Surroundings<'_>) {
        let settings = self.streams_settings(group_id, around);
        let group = self.groups.get(group_id).and_then(Group::streams);
        let timers = group.map(|group| group.resume(around.now.monotonic, &settings));
        self.change_timers(group_id, timers.unwrap_or_default());
    }

    /// Takes in a record of a streams group. The first makes the group, that of the group without a value takes it
    /// away.
    pub(super) fn replay_streams(&mut self, key: StreamsGroupKey, value: Option<Bytes>) -> Result<(), Malformed> {
        let StreamsGroupKey { group_id, subject } = key;
        let known = self.groups.get_mut(group_id.as_str());
        let is_free = known.as_ref().is_none_or(|group| group.is_vacant());
        match known.and_then(Group::streams_mut) {
            Some(_) if subject == Subject::GroupMetadata && value.is_none() => {
                self.groups.remove(group_id.as_str());
                self.timers.disarm(&streams_timer(&group_id.into(), StreamsTimer::InitialRebalance));
            }
            Some(group) => group.replay(&subject, value)?,
            None if value.is_none() => {}
            None if is_free => {
                let group_id: Arc<str> = group_id.into();
                let mut group = StreamsGroup::new(Arc::clone(&group_id));
                group.replay(&subject, value)?;
                self.groups.insert(group_id, Group::Streams(group));
            }
            None => tracing::warn!(group = group_id, "a record of a streams group is one of another group's"),
        }
        Ok(())
    }

    fn streams_settings(&self, group_id: &str, around: &Surroundings<'_>) -> StreamsSettings {
        StreamsSettings::of(around.configs.of(group_id), self.settings.streams_max_size)
    }

    fn change_timers(&mut self, group_id: &Arc<str>, changes: Vec<TimerChange>) {
        for change in changes {
            match change {
                TimerChange::Arm(timer, at) => self.timers.arm(streams_timer(group_id, timer), at),
                TimerChange::Disarm(timer) => self.timers.disarm(&streams_timer(group_id, timer)),
            }
        }
    }
}

fn streams_timer(group_id: &Arc<str>, timer: StreamsTimer) -> TimerKey {
    TimerKey { group_id: Arc::clone(group_id), kind: TimerKind::Streams(timer) }
}
