//! The group coordinator as a state machine. Requests come in with the time; answers, timers and records come out.

use std::collections::HashMap;
use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::GroupRecordKey;
use brooklet_protocol::coordinator::group_metadata::{self, GroupMetadataValue};
use brooklet_protocol::coordinator::offset_commit::{OffsetCommitKey, OffsetCommitValue};
use bytes::Bytes;

use super::classic::{ClassicGroup, Effect, GroupSettings, TimerKey, TimerKind, Turn};
use super::group::Group;
use super::offsets::CommittedOffsets;
use super::requests::{
    CommitRequest, CommittedOffset, GroupDescription, GroupListing, JoinRequest, JoinResponse, LeavingMember,
    MemberIdentity, SyncRequest, SyncResponse, Token,
};
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

/// All groups.
#[derive(Debug)]
pub(crate) struct GroupShard {
    settings: GroupSettings,
    pub(super) groups: HashMap<Arc<str>, Group>,
    pub(super) offsets: CommittedOffsets,
    pub(super) transactional: TransactionalOffsets,
    timers: TimerQueue<TimerKey>,
    effects: Vec<Effect>,
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
        }
    }

    /// What has come of the steps since this was last asked.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// When [`GroupShard::on_time`] wants to be called next.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.timers.next_deadline()
    }

    /// Does what is due.
    pub(crate) fn on_time(&mut self, now: Now) {
        while let Some(TimerKey { group_id, kind }) = self.timers.pop_due(now.monotonic) {
            self.step_classic(&group_id, now, |group, turn| match kind {
                TimerKind::Join => group.on_join_timer(turn),
                TimerKind::Sync => group.on_sync_timer(turn),
                TimerKind::Session(member_id) => group.on_session_timer(&member_id, turn),
            });
        }
    }

    pub(crate) fn join(&mut self, token: Token, request: &JoinRequest, now: Now) {
        if let Err(error) = self.check_join(request) {
            let response = JoinResponse::error(error, request.member_id.as_str());
            self.effects.push(Effect::Join(token, response));
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

    pub(crate) fn sync(&mut self, token: Token, request: &SyncRequest, now: Now) {
        if self.step_classic(&request.group_id, now, |group, turn| group.sync(token, request, turn)).is_some() {
            return;
        }
        let error = match request.group_id.is_empty() {
            true => ErrorCode::InvalidGroupId,
            false => ErrorCode::UnknownMemberId,
        };
        self.effects.push(Effect::Sync(token, SyncResponse::error(error)));
    }

    pub(crate) fn heartbeat(&mut self, member: &MemberIdentity, now: Now) -> ErrorCode {
        let outcome = self.step_classic(&member.group_id, now, |group, turn| group.heartbeat(member, turn));
        match outcome {
            Some(outcome) => outcome.err().unwrap_or_default(),
            None if member.group_id.is_empty() => ErrorCode::InvalidGroupId,
            None => ErrorCode::UnknownMemberId,
        }
    }

    /// An outcome for each member, or one for all.
    pub(crate) fn leave(
        &mut self,
        group_id: &str,
        members: &[LeavingMember],
        now: Now,
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        if group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let outcomes = self.step_classic(group_id, now, |group, turn| group.leave(members, turn));
        Ok(outcomes.unwrap_or_else(|| vec![ErrorCode::UnknownMemberId; members.len()]))
    }

    /// The records that commit the offsets, or why none may be.
    pub(crate) fn commit(&mut self, request: &CommitRequest, now: Now) -> Result<Proposal, ErrorCode> {
        let member = &request.member;
        if member.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        match self.step(&member.group_id, now, |group, turn| group.admit_commit(member, turn)) {
            Some(admitted) => admitted?,
            // A group without members: whoever assigns its own partitions, or an administrator.
            None if member.generation < 0 => {}
            None if request.knows_group_id_not_found => return Err(ErrorCode::GroupIdNotFound),
            None => return Err(ErrorCode::IllegalGeneration),
        }
        Ok(self.propose_commit(request, now))
    }

    /// The records of offsets that may be committed, but for those whose metadata is too large.
    pub(super) fn propose_commit(&self, request: &CommitRequest, now: Now) -> Proposal {
        let expire_timestamp = request.retention_ms.map_or(-1, |retention| now.wall_ms.saturating_add(retention));
        let mut proposal = Proposal { outcomes: Vec::new(), records: Vec::new() };
        for offset in &request.offsets {
            if offset.metadata.len() > self.settings.offset_metadata_max_bytes {
                proposal.outcomes.push(ErrorCode::OffsetMetadataTooLarge);
                continue;
            }
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
            };
            proposal.outcomes.push(ErrorCode::None);
            proposal.records.push(GroupRecord::offset(&key, Some(&value)));
        }
        proposal
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
                _ if group_id.is_empty() => ErrorCode::InvalidGroupId,
                None => ErrorCode::GroupIdNotFound,
                Some(group) => match group.check_delete() {
                    Err(error) => error,
                    Ok(()) => {
                        let keys = self.offset_keys(group_id);
                        proposal.records.extend(keys.iter().map(|key| GroupRecord::offset(key, None)));
                        proposal.records.push(GroupRecord::group(group_id, None));
                        ErrorCode::None
                    }
                },
            };
            proposal.outcomes.push(outcome);
        }
        proposal
    }

    /// The records that take away the offsets in a topic that is no more.
    pub(crate) fn forget_topic(&self, topic: &str) -> Vec<GroupRecord> {
        let keys = [self.offsets.keys_of_topic(topic), self.transactional.keys_of_topic(topic)].concat();
        keys.iter().map(|key| GroupRecord::offset(key, None)).collect()
    }

    pub(crate) fn list(&self) -> Vec<GroupListing> {
        self.groups.values().map(Group::listing).collect()
    }

    pub(crate) fn describe(&self, group_id: &str) -> Option<GroupDescription> {
        self.groups.get(group_id)?.classic().map(ClassicGroup::describe)
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
    pub(crate) fn loaded(&mut self, now: Now) {
        let group_ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for group_id in group_ids {
            self.step(&group_id, now, Group::resume);
        }
    }

    fn take_in(&mut self, key: Bytes, value: Option<Bytes>, now: Now, loading: bool) {
        let taken = GroupRecordKey::decode(key).and_then(|key| {
            match key {
                GroupRecordKey::OffsetCommit(key) => {
                    let value = value.map(OffsetCommitValue::decode).transpose()?;
                    match value {
                        Some(_) => self.group_or_new(&key.group, now),
                        None => self.transactional.forget(&key),
                    }
                    self.offsets.replay(key, value);
                }
                GroupRecordKey::GroupMetadata(group_id) => match value {
                    None => {
                        self.groups.remove(group_id.as_str());
                    }
                    Some(value) if loading => {
                        let group_id: Arc<str> = group_id.into();
                        let value = GroupMetadataValue::decode(value)?;
                        self.groups.insert(Arc::clone(&group_id), Group::restore_classic(group_id, value));
                    }
                    Some(_) => {}
                },
                GroupRecordKey::Unknown(_) => {}
            }
            Ok(())
        });
        if let Err(error) = taken {
            tracing::warn!(%error, "a record in __consumer_offsets is passed over");
        }
    }

    pub(super) fn group_or_new(&mut self, group_id: &str, now: Now) {
        if !self.groups.contains_key(group_id) {
            let id: Arc<str> = group_id.into();
            self.groups.insert(Arc::clone(&id), Group::empty(id, now.wall_ms));
        }
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

    /// Lets a group take a step, if it exists. A group that nobody ever made use of is gone after it.
    fn step<T>(&mut self, group_id: &str, now: Now, step: impl FnOnce(&mut Group, &mut Turn<'_>) -> T) -> Option<T> {
        let group = self.groups.get_mut(group_id)?;
        let mut turn = Turn {
            now: now.monotonic,
            wall_ms: now.wall_ms,
            settings: &self.settings,
            timers: &mut self.timers,
            effects: &mut self.effects,
        };
        let outcome = step(group, &mut turn);
        if group.is_vacant() && !self.offsets.has_any(group_id) && !self.transactional.has_any(group_id) {
            self.groups.remove(group_id);
        }
        Some(outcome)
    }
}
