//! What the group coordinator does for share groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use brooklet_protocol::coordinator::Malformed;
use brooklet_protocol::coordinator::share_group::{ShareGroupKey, TopicPartitionsInfo};
use brooklet_protocol::coordinator::share_state::SharePartitionKey;
use bytes::Bytes;
use uuid::Uuid;

use super::requests::{
    JOIN_EPOCH, ShareGroupDescription, ShareGroupError, ShareHeartbeat, ShareHeartbeatAnswer, ShareProposal,
    StatePartitions,
};
use super::{ShareGroup, ShareGroupSettings};
use crate::groups::classic::{TimerKey, TimerKind};
use crate::groups::group::Group;
use crate::groups::group_configs::GroupConfigs;
use crate::groups::shard::{GroupRecord, GroupShard, Surroundings};

impl GroupShard {
    /// The configs that a group follows.
    fn share_settings(&self, group_id: &str, configs: &GroupConfigs) -> ShareGroupSettings {
        let config = configs.of(group_id);
        ShareGroupSettings {
            session_timeout_ms: u64::try_from(config.share_session_timeout_ms).unwrap_or_default(),
            heartbeat_interval_ms: config.share_heartbeat_interval_ms,
            assignment_interval_ms: config.share_assignment_interval_ms.into(),
            max_size: self.settings.share_max_size,
        }
    }

    /// What of the topics subscribed to has no share state yet, and the epoch that state made now begins with, if the
    /// member may send this heartbeat.
    pub(super) fn admit_share_heartbeat(
        &self,
        request: &ShareHeartbeat,
        around: &Surroundings<'_>,
    ) -> Result<(i32, StatePartitions), ShareGroupError> {
        let group = self.share_group_or_new(&request.group_id, request.member_epoch == JOIN_EPOCH)?;
        group.admit(request, &self.share_settings(&request.group_id, around.configs))?;
        Ok((group.epoch + 1, group.uninitialized(&group.names_with(request), around.topics)))
    }

    /// What a heartbeat that was admitted brings about. `new` are partitions whose share state was made just now.
    pub(super) fn share_heartbeat(
        &self,
        request: &ShareHeartbeat,
        new: StatePartitions,
        around: &Surroundings<'_>,
    ) -> Result<ShareProposal<ShareHeartbeatAnswer>, ShareGroupError> {
        let settings = self.share_settings(&request.group_id, around.configs);
        let group = self.share_group_or_new(&request.group_id, request.member_epoch == JOIN_EPOCH)?;
        Ok(group.heartbeat(request, new, around.topics, &settings, around.now.wall_ms))
    }

    pub(super) fn share_leave(
        &self,
        group_id: &str,
        member_id: &str,
        around: &Surroundings<'_>,
    ) -> Result<ShareProposal<ShareHeartbeatAnswer>, ShareGroupError> {
        self.share_group(group_id)?.leave(member_id, around.topics)
    }

    /// A member was heard of: its session begins anew.
    pub(super) fn share_member_heard(&mut self, group_id: &str, member_id: &str, around: &Surroundings<'_>) {
        let settings = self.share_settings(group_id, around.configs);
        let at = around.now.monotonic.saturating_add(settings.session_timeout_ms);
        self.timers.arm(session(group_id.into(), member_id), at);
    }

    pub(super) fn share_member_left(&mut self, group_id: &str, member_id: &str) {
        self.timers.disarm(&session(group_id.into(), member_id));
    }

    pub(super) fn share_describe(&self, group_id: &str) -> Result<ShareGroupDescription, ShareGroupError> {
        self.share_group(group_id).map(ShareGroup::describe)
    }

    /// The partitions that have share state; none for what is no share group.
    pub(super) fn share_initialized(&self, group_id: &str) -> StatePartitions {
        self.share_group(group_id).map(|group| group.initialized().clone()).unwrap_or_default()
    }

    /// The share partitions of a group that may be deleted.
    pub(super) fn deletable_share_partitions(&self, group_id: &str) -> Vec<SharePartitionKey> {
        match self.share_group(group_id) {
            Ok(group) if group.check_delete().is_ok() => group.share_partitions(),
            _ => Vec::new(),
        }
    }

    /// The epoch that state at given offsets begins with, if the group may be given them.
    pub(super) fn admit_share_offsets(&self, group_id: &str) -> Result<i32, ShareGroupError> {
        let group = self.share_group_or_new(group_id, true)?;
        group.check_delete().map_err(|_| ShareGroupError::NotEmpty)?;
        Ok(group.epoch)
    }

    /// The record that follows the making of share state for a group that may not exist yet.
    pub(super) fn share_offsets_set(
        &self,
        group_id: &str,
        new: StatePartitions,
    ) -> Result<Vec<GroupRecord>, ShareGroupError> {
        let group = self.share_group_or_new(group_id, true)?;
        Ok(vec![group.state_partitions_record(group.initialized_with(new))])
    }

    /// Of the topics, the partitions that have share state, if the group may lose them.
    pub(super) fn admit_share_offset_delete(
        &self,
        group_id: &str,
        topics: &[Uuid],
    ) -> Result<BTreeMap<Uuid, TopicPartitionsInfo>, ShareGroupError> {
        let group = self.share_group(group_id)?;
        group.check_delete().map_err(|_| ShareGroupError::NotEmpty)?;
        let known = topics.iter().filter_map(|id| group.initialized().get_key_value(id));
        Ok(known.map(|(id, topic)| (*id, topic.clone())).collect())
    }

    /// The record that follows the end of share state.
    pub(super) fn share_offsets_deleted(&self, group_id: &str, gone: &BTreeSet<Uuid>) -> Vec<GroupRecord> {
        let Ok(group) = self.share_group(group_id) else {
            return Vec::new();
        };
        let left = group.initialized().iter().filter(|(id, _)| !gone.contains(*id));
        vec![group.state_partitions_record(left.map(|(id, topic)| (*id, topic.clone())).collect())]
    }

    /// Begins the sessions of the members of a group that was stored, if it is a share group.
    pub(in crate::groups) fn resume_share(&mut self, group_id: &str, around: &Surroundings<'_>) {
        let members = self.share_group(group_id).map(|group| group.members.keys().cloned().collect::<Vec<_>>());
        for member_id in members.unwrap_or_default() {
            self.share_member_heard(group_id, &member_id, around);
        }
    }

    /// Takes in a record of a share group.
    pub(in crate::groups) fn take_in_share(
        &mut self,
        key: &ShareGroupKey,
        value: Option<Bytes>,
    ) -> Result<(), Malformed> {
        let group_id = key.group_id();
        if matches!(key, ShareGroupKey::Metadata { .. }) && value.is_none() {
            self.groups.remove(group_id);
            return Ok(());
        }
        if value.is_some() && !self.groups.contains_key(group_id) {
            let id: Arc<str> = group_id.into();
            self.groups.insert(Arc::clone(&id), Group::Share(ShareGroup::new(id)));
        }
        match self.groups.get_mut(group_id) {
            Some(Group::Share(group)) => group.replay(key, value),
            None => Ok(()),
            Some(_) => Err(Malformed("share group: another kind of group has its id")),
        }
    }

    fn share_group(&self, group_id: &str) -> Result<&ShareGroup, ShareGroupError> {
        match self.groups.get(group_id) {
            Some(Group::Share(group)) => Ok(group),
            Some(_) => Err(ShareGroupError::OtherKind(group_id.to_owned())),
            None => Err(ShareGroupError::UnknownGroup(group_id.to_owned())),
        }
    }

    fn share_group_or_new(&self, group_id: &str, may_be_new: bool) -> Result<ShareGroup, ShareGroupError> {
        match self.share_group(group_id) {
            Err(ShareGroupError::UnknownGroup(_)) if may_be_new => Ok(ShareGroup::new(group_id.into())),
            found => found.cloned(),
        }
    }
}

fn session(group_id: Arc<str>, member_id: &str) -> TimerKey {
    TimerKey { group_id, kind: TimerKind::Session(member_id.to_owned()) }
}
