//! Taking in what is kept of a share group, live and at start alike.

use brooklet_protocol::coordinator::Malformed;
use brooklet_protocol::coordinator::share_group::{
    CurrentMemberAssignmentValue, MemberMetadataValue, MetadataValue, ShareGroupKey, StatePartitionMetadataValue,
    TargetAssignmentMemberValue, TargetAssignmentMetadataValue,
};
use bytes::Bytes;

use super::ShareGroup;

impl ShareGroup {
    /// Takes in a record. The tombstone of the group itself is for the shard.
    pub(crate) fn replay(&mut self, key: &ShareGroupKey, value: Option<Bytes>) -> Result<(), Malformed> {
        match (key, value) {
            (ShareGroupKey::MemberMetadata { member_id, .. }, Some(value)) => {
                self.members.entry(member_id.clone()).or_default().metadata = MemberMetadataValue::decode(value)?;
            }
            (ShareGroupKey::MemberMetadata { member_id, .. }, None) => {
                self.members.remove(member_id);
            }
            (ShareGroupKey::Metadata { .. }, Some(value)) => {
                let value = MetadataValue::decode(value)?;
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            (ShareGroupKey::TargetAssignmentMetadata { .. }, value) => {
                let value = value.map(TargetAssignmentMetadataValue::decode).transpose()?;
                self.assignment_epoch = value.map_or(0, |value| value.assignment_epoch);
                self.assignment_timestamp = value.map_or(0, |value| value.assignment_timestamp);
            }
            (ShareGroupKey::TargetAssignmentMember { member_id, .. }, Some(value)) => {
                self.target.insert(member_id.clone(), TargetAssignmentMemberValue::decode(value)?.partitions);
            }
            (ShareGroupKey::TargetAssignmentMember { member_id, .. }, None) => {
                self.target.remove(member_id);
            }
            (ShareGroupKey::CurrentMemberAssignment { member_id, .. }, value) => {
                let value = value.map(CurrentMemberAssignmentValue::decode).transpose()?;
                if let Some(member) = self.members.get_mut(member_id) {
                    let value = value.unwrap_or_default();
                    member.epoch = value.member_epoch;
                    member.previous_epoch = value.previous_member_epoch;
                    member.assigned = value.partitions;
                }
            }
            (ShareGroupKey::StatePartitionMetadata { .. }, value) => {
                let value = value.map(StatePartitionMetadataValue::decode).transpose()?;
                // What another broker had begun to initialize is initialized anew when it is wanted.
                self.initialized = value.unwrap_or_default().initialized_topics;
            }
            (ShareGroupKey::Metadata { .. }, None) => {}
        }
        Ok(())
    }
}
