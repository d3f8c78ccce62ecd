//! What is stored of a streams group, taken in: live and at start alike.

use brooklet_protocol::coordinator::Malformed;
use brooklet_protocol::coordinator::streams_group::{
    CurrentMemberAssignmentValue, GroupMetadataValue, MemberMetadataValue, Subject, TargetAssignmentMemberValue,
    TargetAssignmentMetadataValue, TopologyValue,
};
use bytes::Bytes;

use super::member::StreamsGroupMember;
use super::tasks::AssignedTasks;
use super::{INITIAL_EPOCH, StreamsGroup};

impl StreamsGroup {
    /// Takes in a record; without a value it takes away what it is about. The group's own goes with the group.
    pub(crate) fn replay(&mut self, subject: &Subject, value: Option<Bytes>) -> Result<(), Malformed> {
        match (subject, value) {
            (Subject::GroupMetadata, Some(value)) => {
                let value = GroupMetadataValue::decode(value)?;
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
                self.validated_topology_epoch = value.validated_topology_epoch;
                self.assignment_configs = value.last_assignment_configs;
            }
            (Subject::GroupMetadata, None) => {}
            (Subject::Topology, value) => self.topology = value.map(TopologyValue::decode).transpose()?,
            (Subject::MemberMetadata(id), Some(value)) => {
                self.member_or_new(id).metadata = MemberMetadataValue::decode(value)?;
            }
            (Subject::MemberMetadata(id), None) => {
                self.members.remove(id);
                if self.members.is_empty() {
                    self.shutdown_requested_by = None;
                }
            }
            (Subject::TargetAssignmentMetadata, value) => {
                let none = TargetAssignmentMetadataValue { assignment_epoch: INITIAL_EPOCH, assignment_timestamp: 0 };
                self.target_metadata = value.map(TargetAssignmentMetadataValue::decode).transpose()?.unwrap_or(none);
            }
            (Subject::TargetAssignmentMember(id), Some(value)) => {
                self.target.insert(id.clone(), TargetAssignmentMemberValue::decode(value)?);
            }
            (Subject::TargetAssignmentMember(id), None) => {
                self.target.remove(id);
            }
            (Subject::CurrentMemberAssignment(id), Some(value)) => {
                let value = CurrentMemberAssignmentValue::decode(value)?;
                self.member_or_new(id).set_current_assignment(value);
            }
            (Subject::CurrentMemberAssignment(id), None) => {
                if let Some(member) = self.members.get_mut(id) {
                    member.assigned = AssignedTasks::default();
                    member.pending_revocation = AssignedTasks::default();
                }
            }
        }
        Ok(())
    }

    fn member_or_new(&mut self, id: &str) -> &mut StreamsGroupMember {
        self.members.entry(id.to_owned()).or_insert_with(|| StreamsGroupMember::new(id))
    }
}
