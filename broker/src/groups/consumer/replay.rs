//! Taking in the records of a group, live and at start alike: the only way in which what is stored of it changes.

use brooklet_protocol::coordinator::consumer_group::{
    CurrentMemberAssignmentValue, GroupMetadataValue, MemberMetadataValue, RegularExpressionValue, Subject,
    TargetAssignmentMemberValue, TargetAssignmentMetadataValue,
};
use bytes::Bytes;

use super::ConsumerGroup;
use super::member::{ConsumerGroupMember, LEAVE_GROUP_MEMBER_EPOCH, OwnedAssignment};
use super::subscriptions::ResolvedRegex;

/// The error of a value that is not what its key says.
type Malformed = brooklet_protocol::coordinator::Malformed;

impl ConsumerGroup {
    /// Takes in a record; without a value it takes away what the key names. That of the group itself is whoever has
    /// the group's to carry out.
    pub(crate) fn replay(&mut self, subject: &Subject, value: Option<Bytes>) -> Result<(), Malformed> {
        match (subject, value) {
            (Subject::GroupMetadata, Some(value)) => {
                let GroupMetadataValue { epoch, metadata_hash } = GroupMetadataValue::decode(value)?;
                self.epoch = epoch;
                self.metadata_hash = metadata_hash;
            }
            (Subject::GroupMetadata, None) => {}
            (Subject::PartitionMetadata, value) => self.has_partition_metadata_record = value.is_some(),
            (Subject::MemberMetadata(member_id), Some(value)) => {
                let value = MemberMetadataValue::decode(value)?;
                self.update_member(member_id, |member| member.update_metadata(value));
            }
            (Subject::MemberMetadata(member_id), None) => self.remove_member(member_id),
            (Subject::TargetAssignmentMetadata, Some(value)) => {
                let value = TargetAssignmentMetadataValue::decode(value)?;
                self.assignment_epoch = value.assignment_epoch;
                self.assignment_timestamp = value.assignment_timestamp;
            }
            (Subject::TargetAssignmentMetadata, None) => {
                self.assignment_epoch = -1;
                self.assignment_timestamp = 0;
            }
            (Subject::TargetAssignmentMember(member_id), Some(value)) => {
                let topics = TargetAssignmentMemberValue::decode(value)?.topic_partitions.into_iter();
                let topics = topics.filter(|topic| !topic.partitions.is_empty());
                let target = topics.map(|topic| (topic.topic_id, topic.partitions.into_iter().collect())).collect();
                self.target_assignment.insert(member_id.clone(), target);
            }
            (Subject::TargetAssignmentMember(member_id), None) => {
                self.target_assignment.remove(member_id);
            }
            (Subject::CurrentMemberAssignment(member_id), Some(value)) => {
                let value = CurrentMemberAssignmentValue::decode(value)?;
                self.update_member(member_id, |member| member.update_assignment(value));
            }
            (Subject::CurrentMemberAssignment(member_id), None) => {
                if let Some(member) = self.members.get_mut(member_id) {
                    member.epoch = LEAVE_GROUP_MEMBER_EPOCH;
                    member.previous_epoch = LEAVE_GROUP_MEMBER_EPOCH;
                    member.assigned = OwnedAssignment::new();
                    member.pending_revocation = OwnedAssignment::new();
                }
            }
            (Subject::RegularExpression(regex), Some(value)) => {
                let resolved = ResolvedRegex::from_value(RegularExpressionValue::decode(value)?);
                self.resolved_regexes.insert(regex.clone(), resolved);
            }
            (Subject::RegularExpression(regex), None) => {
                self.resolved_regexes.remove(regex);
            }
        }
        Ok(())
    }

    /// Changes a member, which is made if it is not there: its records may come in either order.
    fn update_member(&mut self, member_id: &str, update: impl FnOnce(&mut ConsumerGroupMember)) {
        let member = self.members.entry(member_id.to_owned()).or_insert_with(|| ConsumerGroupMember::new(member_id));
        update(member);
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member_id.to_owned());
        }
    }

    fn remove_member(&mut self, member_id: &str) {
        if let Some(ConsumerGroupMember { instance_id: Some(instance_id), .. }) = self.members.remove(member_id)
            && self.static_members.get(&instance_id).is_some_and(|current| current == member_id)
        {
            self.static_members.remove(&instance_id);
        }
    }
}
