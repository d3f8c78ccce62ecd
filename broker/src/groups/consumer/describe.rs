//! What an administrator is shown of a group.

use super::heartbeat::without_epochs;
use super::requests::{ConsumerGroupDescription, ConsumerMemberDescription};
use super::{ConsumerGroup, ConsumerGroupMember, ConsumerGroupSettings};

impl ConsumerGroup {
    pub(crate) fn describe(&self, settings: &ConsumerGroupSettings) -> ConsumerGroupDescription {
        ConsumerGroupDescription {
            state: self.state(),
            epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            assignor: self.assignor(settings).name(),
            members: self.members.values().map(|member| self.describe_member(member)).collect(),
        }
    }

    fn describe_member(&self, member: &ConsumerGroupMember) -> ConsumerMemberDescription {
        let mut assignment = without_epochs(&member.assigned);
        for (topic, partitions) in without_epochs(&member.pending_revocation) {
            assignment.entry(topic).or_default().extend(partitions);
        }
        ConsumerMemberDescription {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            rack_id: member.rack_id.clone(),
            epoch: member.epoch,
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            subscribed_topic_names: member.subscribed_topic_names.iter().cloned().collect(),
            subscribed_topic_regex: member.subscribed_topic_regex.clone(),
            assignment,
            target_assignment: self.target_of(&member.id),
            uses_classic_protocol: member.uses_classic_protocol(),
        }
    }
}
