//! The group coordinator as a state machine. Requests come in with the time; answers, timers and records come out.

mod consumer;
mod expiration;
mod streams;

use std::collections::HashMap;
use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::GroupRecordKey;
use brooklet_protocol::coordinator::group_metadata::{self, GroupMetadataValue};
use brooklet_protocol::coordinator::offset_commit::{OffsetCommitKey, OffsetCommitValue};
use bytes::Bytes;
use uuid::Uuid;

use super::classic::{ClassicGroup, Effect, GroupSettings, TimerKey, TimerKind, Turn};
use super::consumer::{CommitAdmission, ConsumerGroup, Decision};
use super::group::Group;
use super::group_configs::GroupConfigs;
use super::offsets::CommittedOffsets;
use super::requests::{
    CommitRequest, CommittedOffset, GroupDescription, GroupListing, JoinRequest, JoinResponse, LeavingMember,
    MemberIdentity, SyncRequest, SyncResponse, Token,
};
use super::topics_image::TopicsImage;
use super::transactional_offsets::TransactionalOffsets;
use crate::coordinator::timer::{Millis, TimerQueue};

/// A record for `__consumer_offsets`. Without a value it is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupRecord {
    /// The group whose partition it belongs in.
    pub(crate) group_id: String,
    pub(crate) key: Bytes,
    pub(crate) value: Option<Bytes>,
}

impl GroupRecord {
    fn offset(key: &OffsetCommitKey, value: Option<&OffsetCommitValue>) -> Self {
        Self { group_id: key.group.clone(), key: key.encode(), value: value.map(OffsetCommitValue::encode) }
    }

    pub(crate) fn group(group_id: &str, value: Option<&GroupMetadataValue>) -> Self {
        Self {
            group_id: group_id.to_owned(),
            key: group_metadata::encode_key(group_id),
            value: value.map(GroupMetadataValue::encode),
        }
    }
}

/// An outcome for each of several things, and the records that make it true: nothing has happened until they are
/// stored and replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub(crate) outcomes: Vec<ErrorCode>,
    pub(crate) records: Vec<GroupRecord>,
}

/// The two clocks of a step: one for timeouts, one for what is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) monotonic: Millis,
    /// Milliseconds since 1970.
    pub(crate) wall_ms: i64,
}

/// What a step may look at beside the groups: the time, the topics, the configs.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) now: Now,
    pub(crate) topics: &'a dyn TopicsImage,
    pub(crate) configs: &'a GroupConfigs,
}

/// All groups.
#[derive(Debug)]
pub(crate) struct GroupShard {
    pub(super) settings: GroupSettings,
    pub(super) groups: HashMap<Arc<str>, Group>,
    pub(super) offsets: CommittedOffsets,
    pub(super) transactional: TransactionalOffsets,
    pub(super) timers: TimerQueue<TimerKey>,
    effects: Vec<Effect>,
    /// When offsets that have reached their age are looked for.
    next_expiration: Option<Millis>,
}

impl GroupShard {
    pub(crate) fn new(settings: GroupSettings) -> Self {
        Self {
            settings,
            groups: HashMap::new(),
            offsets: CommittedOffsets::default(),
            transactional: TransactionalOffsets::default(),
            timers: TimerQueue::default(),
            effects: Vec::new(),
            next_expiration: None,
        }
    }

    #[cfg(test)]
    pub(crate) fn group(&self, group_id: &str) -> Option<&Group> {
        self.groups.get(group_id)
    }

    /// What has come of the steps since this was last asked.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// When [`GroupShard::on_time`] wants to be called next.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.timers.next_deadline().into_iter().chain(self.next_expiration).min()
    }

    /// Does what is due.
    pub(crate) fn on_time(&mut self, around: &Surroundings<'_>) {
        let now = around.now;
        while let Some(TimerKey { group_id, kind }) = self.timers.pop_due(now.monotonic) {
            if let (TimerKind::Session(member_id), Some(Group::Share(_))) = (&kind, self.groups.get(&group_id)) {
                let member_id = member_id.clone();
                self.effects.push(Effect::ShareSessionExpired { group_id, member_id });
                continue;
            }
            self.on_consumer_timer(&group_id, &kind, around);
            if let TimerKind::Streams(timer) = kind {
                self.on_streams_timer(&group_id, &timer, now);
                continue;
            }
            self.step_classic(&group_id, now, |group, turn| match kind {
                TimerKind::Join => group.on_join_timer(turn),
                TimerKind::Sync => group.on_sync_timer(turn),
                TimerKind::Session(member_id) => group.on_session_timer(&member_id, turn),
                TimerKind::Revocation(_)
                | TimerKind::ClassicJoin(_)
                | TimerKind::ClassicSync(_)
                | TimerKind::Streams(_) => {}
            });
        }
        self.expire_offsets_if_due(now);
    }

    pub(crate) fn join(&mut self, token: Token, request: &JoinRequest, around: &Surroundings<'_>) {
        let now = around.now;
        if let Err(error) = self.check_join(request) {
            let response = JoinResponse::error(error, request.member_id.as_str());
            self.effects.push(Effect::Join(token, response));
            return;
        }
        if self.join_consumer_group(token, request, around) {
            return;
        }
        self.group_or_new(&request.group_id, now);
        if self.step_classic(&request.group_id, now, |group, turn| group.join(token, request, turn)).is_none() {
            let error = ErrorCode::InconsistentGroupProtocol;
            self.effects.push(Effect::Join(token, JoinResponse::error(error, request.member_id.as_str())));
        }
    }

    fn check_join(&self, request: &JoinRequest) -> Result<(), ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let sessions = self.settings.min_session_timeout_ms..=self.settings.max_session_timeout_ms;
        if !sessions.contains(&request.session_timeout_ms) {
            return Err(ErrorCode::InvalidSessionTimeout);
        }
        if !request.member_id.is_empty() && !self.groups.contains_key(request.group_id.as_str()) {
            return Err(ErrorCode::UnknownMemberId);
        }
        Ok(())
    }

    pub(crate) fn sync(&mut self, token: Token, request: &SyncRequest, around: &Surroundings<'_>) {
        let now = around.now;
        if request.group_id.is_empty() {
            self.effects.push(Effect::Sync(token, SyncResponse::error(ErrorCode::InvalidGroupId)));
            return;
        }
        if let Some(synced) =
            self.with_consumer(&request.group_id, around, |group, step| group.sync_classic(request, step))
        {
            self.effects.push(Effect::Sync(token, synced.unwrap_or_else(SyncResponse::error)));
            return;
        }
        if self.step_classic(&request.group_id, now, |group, turn| group.sync(token, request, turn)).is_some() {
            return;
        }
        self.effects.push(Effect::Sync(token, SyncResponse::error(ErrorCode::UnknownMemberId)));
    }

    pub(crate) fn heartbeat(&mut self, member: &MemberIdentity, around: &Surroundings<'_>) -> ErrorCode {
        let now = around.now;
        if member.group_id.is_empty() {
            return ErrorCode::InvalidGroupId;
        }
        let beaten = self.with_consumer(&member.group_id, around, |group, step| group.heartbeat_classic(member, step));
        if let Some(outcome) = beaten {
            return outcome.err().unwrap_or_default();
        }
        let outcome = self.step_classic(&member.group_id, now, |group, turn| group.heartbeat(member, turn));
        match outcome {
            Some(outcome) => outcome.err().unwrap_or_default(),
            None => ErrorCode::UnknownMemberId,
        }
    }

    /// An outcome for each member, or one for all.
    pub(crate) fn leave(
        &mut self,
        group_id: &str,
        members: &[LeavingMember],
        around: &Surroundings<'_>,
    ) -> Result<Decision<Vec<ErrorCode>>, ErrorCode> {
        if group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let left = self.with_consumer(group_id, around, |group, step| group.leave_classic(members, step));
        if let Some(decision) = left {
            return Ok(decision);
        }
        let outcomes = self.step_classic(group_id, around.now, |group, turn| group.leave(members, turn));
        Ok(Decision::only(outcomes.unwrap_or_else(|| vec![ErrorCode::UnknownMemberId; members.len()])))
    }

    /// The records that commit the offsets, or why none may be.
    pub(crate) fn commit(&mut self, request: &CommitRequest, around: &Surroundings<'_>) -> Result<Proposal, ErrorCode> {
        let (member, now) = (&request.member, around.now);
        let knows_epochs = request.knows_group_id_not_found;
        let admitted = self.step(&member.group_id, now, |group, turn| group.admit_commit(member, knows_epochs, turn));
        let admission = match admitted {
            Some(admitted) => admitted?,
            // A group without members: whoever assigns its own partitions, or an administrator.
            None if member.generation < 0 => CommitAdmission::Any,
            None if request.knows_group_id_not_found => return Err(ErrorCode::GroupIdNotFound),
            None => return Err(ErrorCode::IllegalGeneration),
        };
        self.check_commits_of_tasks(request)?;
        self.propose_commit(request, &admission, around)
    }

    /// The records of offsets that may be committed, but for those whose metadata is too large.
    pub(super) fn propose_commit(
        &self,
        request: &CommitRequest,
        admission: &CommitAdmission,
        around: &Surroundings<'_>,
    ) -> Result<Proposal, ErrorCode> {
        let now = around.now;
        let expire_timestamp = request.retention_ms.map_or(-1, |retention| now.wall_ms.saturating_add(retention));
        let mut proposal = Proposal { outcomes: Vec::new(), records: Vec::new() };
        for offset in &request.offsets {
            if offset.metadata.len() > self.settings.offset_metadata_max_bytes {
                proposal.outcomes.push(ErrorCode::OffsetMetadataTooLarge);
                continue;
            }
            admission.check(|| Some(around.topics.by_name(&offset.topic)?.id), offset.partition)?;
            let key = OffsetCommitKey {
                group: request.member.group_id.clone(),
                topic: offset.topic.clone(),
                partition: offset.partition,
            };
            let value = OffsetCommitValue {
                offset: offset.offset,
                leader_epoch: offset.leader_epoch,
                metadata: offset.metadata.clone(),
                commit_timestamp: now.wall_ms,
                expire_timestamp,
                topic_id: offset.topic_id,
            };
            proposal.outcomes.push(ErrorCode::None);
            proposal.records.push(GroupRecord::offset(&key, Some(&value)));
        }
        Ok(proposal)
    }

    /// Whether whoever says that it is this member may read the group's offsets.
    pub(crate) fn admit_fetch(
        &self,
        group_id: &str,
        member_id: Option<&str>,
        member_epoch: i32,
    ) -> Result<(), ErrorCode> {
        self.groups.get(group_id).map_or(Ok(()), |group| group.admit_fetch(member_id, member_epoch))
    }

    /// The committed offsets of these partitions; `None` where there is none.
    pub(crate) fn offsets(&self, group_id: &str, partitions: &[(String, i32)]) -> Vec<Option<CommittedOffset>> {
        let of = |(topic, partition): &(String, i32)| self.offsets.of(group_id, topic, *partition);
        partitions.iter().map(of).collect()
    }

    pub(crate) fn all_offsets(&self, group_id: &str) -> Vec<(String, i32, CommittedOffset)> {
        self.offsets.all_of(group_id)
    }

    /// The records that take these offsets away. Those of topics to which a member subscribes stay.
    pub(crate) fn delete_offsets(&self, group_id: &str, partitions: &[(String, i32)]) -> Result<Proposal, ErrorCode> {
        if group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let group = self.groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
        group.check_offset_delete()?;
        let mut proposal = Proposal { outcomes: Vec::new(), records: Vec::new() };
        for (topic, partition) in partitions {
            if group.subscribes_to(topic) {
                proposal.outcomes.push(ErrorCode::GroupSubscribedToTopic);
                continue;
            }
            proposal.outcomes.push(ErrorCode::None);
            let is_pending = self.transactional.is_pending(group_id, topic, *partition);
            if is_pending || self.offsets.of(group_id, topic, *partition).is_some() {
                let key = OffsetCommitKey { group: group_id.to_owned(), topic: topic.clone(), partition: *partition };
                proposal.records.push(GroupRecord::offset(&key, None));
            }
        }
        Ok(proposal)
    }

    /// The records that take groups away with all they have. Groups with members stay.
    pub(crate) fn delete_groups(&self, group_ids: &[String]) -> Proposal {
        let mut proposal = Proposal { outcomes: Vec::new(), records: Vec::new() };
        for group_id in group_ids {
            let outcome = match self.groups.get(group_id.as_str()) {
                None => ErrorCode::GroupIdNotFound,
                Some(group) => match group.check_delete() {
                    Err(error) => error,
                    Ok(()) => {
                        let keys = self.offset_keys(group_id);
                        proposal.records.extend(keys.iter().map(|key| GroupRecord::offset(key, None)));
                        proposal.records.extend(group.tombstones());
                        ErrorCode::None
                    }
                },
            };
            proposal.outcomes.push(outcome);
        }
        proposal
    }

    /// The records that take away what groups have in a topic that is no more.
    pub(crate) fn forget_topic(&self, topic: &str, id: Uuid) -> Vec<GroupRecord> {
        let keys = [self.offsets.keys_of_topic(topic, id), self.transactional.keys_of_topic(topic)].concat();
        let mut records: Vec<GroupRecord> = keys.iter().map(|key| GroupRecord::offset(key, None)).collect();
        records.extend(self.groups.values().filter_map(|group| match group {
            Group::Share(group) => group.forget_topic(id),
            Group::Classic(_) | Group::Consumer(_) | Group::Streams(_) => None,
        }));
        records
    }

    pub(crate) fn list(&self) -> Vec<GroupListing> {
        let is_shown = |group: &&Group| group.classic().is_none_or(ClassicGroup::is_shown);
        self.groups.values().filter(is_shown).map(Group::listing).collect()
    }

    pub(crate) fn describe(&self, group_id: &str) -> Option<GroupDescription> {
        let group = self.groups.get(group_id)?.classic()?;
        group.is_shown().then(|| group.describe())
    }

    /// Takes in a record that is stored, live. Group metadata is not taken in: the group that wrote it is ahead of it.
    pub(crate) fn replay(&mut self, record: &GroupRecord, now: Now) {
        self.take_in(record.key.clone(), record.value.clone(), now, false);
    }

    /// Takes in a record at start. [`GroupShard::loaded`] follows the last.
    pub(crate) fn load(&mut self, key: Bytes, value: Option<Bytes>, now: Now) {
        self.take_in(key, value, now, true);
    }

    /// All records have been taken in: the members that were there are expected to be heard from.
    pub(crate) fn loaded(&mut self, around: &Surroundings<'_>) {
        let group_ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for group_id in group_ids {
            self.step_classic(&group_id, around.now, |group, turn| group.resume(turn));
            self.with_consumer(&group_id, around, ConsumerGroup::resume);
            self.resume_streams(&group_id, around);
            self.resume_share(&group_id, around);
        }
        self.next_expiration = Some(around.now.monotonic + self.settings.offsets_retention_check_interval_ms);
    }

    fn take_in(&mut self, key: Bytes, value: Option<Bytes>, now: Now, loading: bool) {
        let taken = GroupRecordKey::decode(key).and_then(|key| {
            match key {
                GroupRecordKey::OffsetCommit(key) => {
                    let value = value.map(OffsetCommitValue::decode).transpose()?;
                    match value {
                        Some(_) => self.keep_group(&key.group, now),
                        None => self.transactional.forget(&key),
                    }
                    self.offsets.replay(key, value);
                }
                GroupRecordKey::ConsumerGroup(key) => self.replay_consumer(key, value)?,
                GroupRecordKey::StreamsGroup(key) => self.replay_streams(key, value)?,
                GroupRecordKey::GroupMetadata(group_id) => match value {
                    None => {
                        if self.groups.get(group_id.as_str()).is_some_and(|group| group.classic().is_some()) {
                            self.groups.remove(group_id.as_str());
                        }
                    }
                    Some(value) if loading => {
                        let group_id: Arc<str> = group_id.into();
                        let value = GroupMetadataValue::decode(value)?;
                        self.groups.insert(Arc::clone(&group_id), Group::restore_classic(group_id, value));
                    }
                    Some(_) => {}
                },
                GroupRecordKey::ShareGroup(key) => self.take_in_share(&key, value)?,
                GroupRecordKey::Unknown(_) => {}
            }
            Ok(())
        });
        if let Err(error) = taken {
            tracing::warn!(%error, "a record in __consumer_offsets is passed over");
        }
    }

    /// An offset of a group is kept, which makes it one if it was none.
    pub(super) fn keep_group(&mut self, group_id: &str, now: Now) {
        if let Some(group) = self.group_or_new(group_id, now).classic_mut() {
            group.keep();
        }
    }

    fn group_or_new(&mut self, group_id: &str, now: Now) -> &mut Group {
        // Most are there: an id is only copied for a new one.
        if !self.groups.contains_key(group_id) {
            let id: Arc<str> = group_id.into();
            self.groups.insert(Arc::clone(&id), Group::empty(id, now.wall_ms));
        }
        self.groups.get_mut(group_id).expect("it is there by now")
    }

    /// Lets a classic group take a step; `None` if there is no such group, or it is of another kind.
    fn step_classic<T>(
        &mut self,
        group_id: &str,
        now: Now,
        step: impl FnOnce(&mut ClassicGroup, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        self.step(group_id, now, |group, turn| group.classic_mut().map(|group| step(group, turn))).flatten()
    }

    /// Lets a group take a step, if it exists.
    fn step<T>(&mut self, group_id: &str, now: Now, step: impl FnOnce(&mut Group, &mut Turn<'_>) -> T) -> Option<T> {
        let group = self.groups.get_mut(group_id)?;
        let mut turn = Turn {
            now: now.monotonic,
            wall_ms: now.wall_ms,
            settings: &self.settings,
            timers: &mut self.timers,
            effects: &mut self.effects,
        };
        Some(step(group, &mut turn))
    }
}
