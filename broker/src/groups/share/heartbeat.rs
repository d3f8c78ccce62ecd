//! A member's heartbeat: it joins, says what it wants, learns what it has, or leaves.

use std::collections::BTreeMap;

use brooklet_protocol::coordinator::share_group::{
    CurrentMemberAssignmentValue, MemberMetadataValue, MetadataValue, PartitionsByTopic, ShareGroupKey,
    TargetAssignmentMemberValue, TargetAssignmentMetadataValue,
};

use super::assignor::{AssignableMember, assign};
use super::requests::{
    JOIN_EPOCH, LEAVE_EPOCH, ShareGroupError, ShareHeartbeat, ShareHeartbeatAnswer, ShareProposal, StatePartitions,
};
use super::{ShareGroup, ShareGroupSettings, ShareMember, record};
use crate::groups::topics_image::{TopicImage, TopicsImage};

impl ShareGroup {
    /// Whether the member may send this.
    pub(super) fn admit(&self, request: &ShareHeartbeat, settings: &ShareGroupSettings) -> Result<(), ShareGroupError> {
        let member = self.members.get(&request.member_id);
        if member.is_none() && self.members.len() >= settings.max_size {
            return Err(ShareGroupError::Full(settings.max_size));
        }
        let Some(member) = member else {
            if request.member_epoch == JOIN_EPOCH {
                return Ok(());
            }
            let (group_id, member_id) = (self.group_id.to_string(), request.member_id.clone());
            return Err(ShareGroupError::UnknownMember { group_id, member_id });
        };
        let received = request.member_epoch;
        // The one before is what a member has that missed the last answer.
        let expected = [JOIN_EPOCH, member.epoch, member.previous_epoch];
        if expected.contains(&received) {
            return Ok(());
        }
        Err(ShareGroupError::FencedEpoch { received, known: member.epoch })
    }

    /// The names of all topics of which the group will want records.
    pub(super) fn names_with(&self, request: &ShareHeartbeat) -> std::collections::BTreeSet<String> {
        let mut names: std::collections::BTreeSet<String> = self
            .members
            .iter()
            .filter(|(id, _)| request.subscribed_topic_names.is_none() || **id != request.member_id)
            .flat_map(|(_, member)| member.metadata.subscribed_topic_names.iter().cloned())
            .collect();
        names.extend(request.subscribed_topic_names.iter().flatten().cloned());
        names
    }

    /// What a heartbeat brings about. `admit` has let it pass; `new` are partitions whose share state was made just
    /// now.
    pub(super) fn heartbeat(
        &self,
        request: &ShareHeartbeat,
        new: StatePartitions,
        topics: &dyn TopicsImage,
        settings: &ShareGroupSettings,
        wall_ms: i64,
    ) -> ShareProposal<ShareHeartbeatAnswer> {
        let mut next = self.clone();
        let mut records = Vec::new();
        let ids = || (self.group_id.to_string(), request.member_id.clone());
        let before = self.members.get(&request.member_id).cloned().unwrap_or_default();

        if !new.is_empty() {
            next.initialized = self.initialized_with(new);
            records.push(self.state_partitions_record(next.initialized.clone()));
        }
        let mut member = ShareMember { metadata: told(&before.metadata, request), ..before.clone() };
        if member.metadata != before.metadata || !self.members.contains_key(&request.member_id) {
            let (group_id, member_id) = ids();
            let key = ShareGroupKey::MemberMetadata { group_id, member_id };
            records.push(record(&key, Some(member.metadata.encode())));
        }
        next.members.insert(request.member_id.clone(), member.clone());

        let names = next.subscribed_topic_names();
        let metadata_hash = hash(names.iter().filter_map(|name| topics.by_name(name)));
        let subscribes_anew = member.metadata.subscribed_topic_names != before.metadata.subscribed_topic_names;
        let pending = self.assignment_epoch >= self.epoch && next.has_unassigned();
        let bump = subscribes_anew || pending || metadata_hash != self.metadata_hash;
        if bump {
            next.epoch += 1;
            next.metadata_hash = metadata_hash;
            let key = ShareGroupKey::Metadata { group_id: self.group_id.to_string() };
            records.push(record(&key, Some(MetadataValue { epoch: next.epoch, metadata_hash }.encode())));
        }
        let due = self.assignment_timestamp.saturating_add(settings.assignment_interval_ms) <= wall_ms;
        if self.assignment_epoch < next.epoch && (due || self.assignment_timestamp == 0) {
            records.extend(next.retarget(topics, wall_ms));
        }
        if bump || member.epoch != next.assignment_epoch {
            let target = next.target.get(&request.member_id).cloned().unwrap_or_default();
            let wanted = |name: &String| topics.by_name(name).map(|image| image.id);
            let wanted: Vec<_> = member.metadata.subscribed_topic_names.iter().filter_map(wanted).collect();
            member.assigned = target.into_iter().filter(|(id, _)| wanted.contains(id)).collect();
            if member.epoch != next.assignment_epoch {
                member.previous_epoch = member.epoch;
                member.epoch = next.assignment_epoch;
            }
        }
        if member.epoch != before.epoch || member.assigned != before.assigned {
            let (group_id, member_id) = ids();
            let key = ShareGroupKey::CurrentMemberAssignment { group_id, member_id };
            let value = CurrentMemberAssignmentValue {
                member_epoch: member.epoch,
                previous_member_epoch: member.previous_epoch,
                state: 0,
                partitions: member.assigned.clone(),
            };
            records.push(record(&key, Some(value.encode())));
        }
        let is_full = request.member_epoch == JOIN_EPOCH || request.subscribed_topic_names.is_some();
        let tells = is_full || member.assigned != before.assigned;
        ShareProposal {
            answer: ShareHeartbeatAnswer {
                member_id: request.member_id.clone(),
                member_epoch: member.epoch,
                heartbeat_interval_ms: settings.heartbeat_interval_ms,
                assignment: tells.then_some(member.assigned),
            },
            records,
        }
    }

    /// What a member's leaving brings about.
    pub(super) fn leave(
        &self,
        member_id: &str,
        topics: &dyn TopicsImage,
    ) -> Result<ShareProposal<ShareHeartbeatAnswer>, ShareGroupError> {
        if !self.members.contains_key(member_id) {
            let (group_id, member_id) = (self.group_id.to_string(), member_id.to_owned());
            return Err(ShareGroupError::UnknownMember { group_id, member_id });
        }
        let mut left = self.clone();
        left.members.remove(member_id);
        let names = left.subscribed_topic_names();
        let metadata_hash = hash(names.iter().filter_map(|name| topics.by_name(name)));
        let mut records = self.member_tombstones(member_id).to_vec();
        let key = ShareGroupKey::Metadata { group_id: self.group_id.to_string() };
        records.push(record(&key, Some(MetadataValue { epoch: self.epoch + 1, metadata_hash }.encode())));
        let answer = ShareHeartbeatAnswer {
            member_id: member_id.to_owned(),
            member_epoch: LEAVE_EPOCH,
            heartbeat_interval_ms: 0,
            assignment: None,
        };
        Ok(ShareProposal { answer, records })
    }

    /// Whether a topic subscribed to has state for partitions that nobody has.
    fn has_unassigned(&self) -> bool {
        let names = self.subscribed_topic_names();
        let mut assigned = PartitionsByTopic::new();
        for (id, partitions) in self.target.values().flatten() {
            assigned.entry(*id).or_default().extend(partitions);
        }
        self.initialized
            .iter()
            .filter(|(_, topic)| names.contains(&topic.topic_name))
            .any(|(id, topic)| assigned.get(id) != Some(&topic.partitions))
    }

    /// Works out what members are to have, and the records that say so.
    fn retarget(&mut self, topics: &dyn TopicsImage, wall_ms: i64) -> Vec<crate::groups::shard::GroupRecord> {
        let assignable = |(id, member): (&String, &ShareMember)| {
            let names = &member.metadata.subscribed_topic_names;
            let topics = names.iter().filter_map(|name| topics.by_name(name)).map(|image| image.id).collect();
            let assigned = self.target.get(id).cloned().unwrap_or_default();
            (id.clone(), AssignableMember { topics, assigned })
        };
        let members: BTreeMap<_, _> = self.members.iter().map(assignable).collect();
        let partitions = self.initialized.iter().map(|(id, topic)| (*id, topic.partitions.clone())).collect();
        let target = assign(&members, &partitions);
        let mut records = Vec::new();
        let group_id = self.group_id.to_string();
        for (member_id, partitions) in &target {
            if self.target.get(member_id) != Some(partitions) {
                let key =
                    ShareGroupKey::TargetAssignmentMember { group_id: group_id.clone(), member_id: member_id.clone() };
                let value = TargetAssignmentMemberValue { partitions: partitions.clone() };
                records.push(record(&key, Some(value.encode())));
            }
        }
        let value = TargetAssignmentMetadataValue { assignment_epoch: self.epoch, assignment_timestamp: wall_ms };
        records.push(record(&ShareGroupKey::TargetAssignmentMetadata { group_id }, Some(value.encode())));
        self.target = target;
        self.assignment_epoch = self.epoch;
        self.assignment_timestamp = wall_ms;
        records
    }
}

/// What a member has told of itself, up to and with this heartbeat.
fn told(before: &MemberMetadataValue, request: &ShareHeartbeat) -> MemberMetadataValue {
    let names = request.subscribed_topic_names.as_ref().unwrap_or(&before.subscribed_topic_names);
    MemberMetadataValue {
        rack_id: request.rack_id.clone().or_else(|| before.rack_id.clone()),
        client_id: request.client_id.clone(),
        client_host: request.client_host.clone(),
        subscribed_topic_names: names.clone(),
    }
}

/// A number that changes when one of the topics does (FNV-1a). 0 for none.
fn hash(topics: impl Iterator<Item = TopicImage>) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut any = false;
    for image in topics {
        any = true;
        let bytes = image.name.bytes().chain([0]).chain(*image.id.as_bytes()).chain(image.partitions.to_be_bytes());
        for byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    if any { hash as i64 } else { 0 }
}
