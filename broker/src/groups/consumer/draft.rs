//! A group as it will be: records are written to it, and it is as they make it, before they are stored.

use std::borrow::Cow;

use brooklet_protocol::coordinator::consumer_group::{
    ConsumerGroupKey, GroupMetadataValue, Subject, TargetAssignmentMemberValue, TargetAssignmentMetadataValue,
    TopicPartitions,
};
use bytes::Bytes;

use super::migration::Downgrade;
use super::subscriptions::ResolvedRegex;
use super::{ConsumerGroup, ConsumerGroupMember};
use crate::groups::assignor::Assignment;
use crate::groups::shard::GroupRecord;

/// An answer, and what makes it true: it may be given when the records are stored and replayed.
#[derive(Debug)]
pub(crate) struct Decision<T> {
    pub(crate) answer: T,
    pub(crate) records: Vec<GroupRecord>,
    /// The group is a classic one from then on.
    pub(crate) downgrade: Option<Box<Downgrade>>,
}

impl<T> Decision<T> {
    /// An answer that changes nothing.
    pub(crate) fn only(answer: T) -> Self {
        Self { answer, records: Vec::new(), downgrade: None }
    }

    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Decision<U> {
        Decision { answer: change(self.answer), records: self.records, downgrade: self.downgrade }
    }
}

/// A group with records that are not stored yet.
pub(crate) struct Draft<'a> {
    pub(super) group: Cow<'a, ConsumerGroup>,
    pub(super) records: Vec<GroupRecord>,
}

impl<'a> Draft<'a> {
    /// A group as it is.
    pub(crate) fn of(group: &'a ConsumerGroup) -> Self {
        Self { group: Cow::Borrowed(group), records: Vec::new() }
    }

    /// A group that is yet to be stored: these records do so, or make room for it.
    pub(crate) fn new(group: ConsumerGroup, records: Vec<GroupRecord>) -> Self {
        Self { group: Cow::Owned(group), records }
    }

    pub(super) fn decide<T>(self, answer: T) -> Decision<T> {
        Decision { answer, records: self.records, downgrade: None }
    }

    pub(super) fn put_epoch(&mut self, epoch: i32, metadata_hash: i64) {
        self.write(Subject::GroupMetadata, Some(GroupMetadataValue { epoch, metadata_hash }.encode()));
    }

    pub(super) fn put_metadata(&mut self, member: &ConsumerGroupMember) {
        self.write(Subject::MemberMetadata(member.id.clone()), Some(member.metadata().encode()));
    }

    pub(super) fn put_assignment(&mut self, member: &ConsumerGroupMember) {
        self.write(Subject::CurrentMemberAssignment(member.id.clone()), Some(member.current_assignment().encode()));
    }

    pub(super) fn put_target(&mut self, member_id: &str, target: &Assignment) {
        let topics = target.iter().map(|(topic_id, partitions)| TopicPartitions {
            topic_id: *topic_id,
            partitions: partitions.iter().copied().collect(),
        });
        let value = TargetAssignmentMemberValue { topic_partitions: topics.collect() };
        self.write(Subject::TargetAssignmentMember(member_id.to_owned()), Some(value.encode()));
    }

    pub(super) fn put_target_epoch(&mut self, assignment_epoch: i32, assignment_timestamp: i64) {
        let value = TargetAssignmentMetadataValue { assignment_epoch, assignment_timestamp };
        self.write(Subject::TargetAssignmentMetadata, Some(value.encode()));
    }

    pub(super) fn put_regex(&mut self, regex: &str, resolved: &ResolvedRegex) {
        self.write(Subject::RegularExpression(regex.to_owned()), Some(resolved.value().encode()));
    }

    pub(super) fn remove_regex(&mut self, regex: &str) {
        self.write(Subject::RegularExpression(regex.to_owned()), None);
    }

    /// What an older Kafka left behind.
    pub(super) fn remove_partition_metadata(&mut self) {
        self.write(Subject::PartitionMetadata, None);
    }

    /// Takes a member out, in the order in which Kafka does.
    pub(super) fn remove_member(&mut self, member_id: &str) {
        self.write(Subject::CurrentMemberAssignment(member_id.to_owned()), None);
        self.write(Subject::TargetAssignmentMember(member_id.to_owned()), None);
        self.write(Subject::MemberMetadata(member_id.to_owned()), None);
    }

    fn write(&mut self, subject: Subject, value: Option<Bytes>) {
        let replayed = self.group.to_mut().replay(&subject, value.clone());
        debug_assert_eq!(replayed, Ok(()), "what is written can be read");
        self.records.push(record(&self.group.group_id, subject, value));
    }
}

impl ConsumerGroup {
    /// The records that take the group away with all its members.
    pub(crate) fn tombstones(&self) -> Vec<GroupRecord> {
        let each = |subject: fn(String) -> Subject| self.members.keys().map(move |id| subject(id.clone()));
        let subjects = each(Subject::CurrentMemberAssignment)
            .chain(each(Subject::TargetAssignmentMember))
            .chain([Subject::TargetAssignmentMetadata])
            .chain(each(Subject::MemberMetadata))
            .chain(self.resolved_regexes.keys().map(|regex| Subject::RegularExpression(regex.clone())))
            .chain(self.has_partition_metadata_record.then_some(Subject::PartitionMetadata))
            .chain([Subject::GroupMetadata]);
        subjects.map(|subject| record(&self.group_id, subject, None)).collect()
    }
}

fn record(group_id: &str, subject: Subject, value: Option<Bytes>) -> GroupRecord {
    let key = ConsumerGroupKey { group_id: group_id.to_owned(), subject };
    GroupRecord { group_id: group_id.to_owned(), key: key.encode(), value }
}
