//! Which offsets a member may commit and read: those of partitions that were its own at the epoch it comes with.

use brooklet_protocol::ErrorCode;
use uuid::Uuid;

use super::{ConsumerGroup, ConsumerGroupMember};
use crate::groups::requests::MemberIdentity;

/// What a member may commit.
#[derive(Debug)]
pub(crate) enum CommitAdmission {
    /// Offsets of any partition.
    Any,
    /// Offsets of partitions that were given to it no later than at the epoch that it came with.
    Assigned(Box<CommitsOfAssigned>),
}

/// A member that comes with an epoch older than its own.
#[derive(Debug)]
pub(crate) struct CommitsOfAssigned {
    member: ConsumerGroupMember,
    epoch: i32,
}

impl CommitAdmission {
    /// Whether the offset of a partition may be committed. Where one may not, none of the request's is.
    /// `topic` finds the topic.
    pub(crate) fn check(&self, topic: impl FnOnce() -> Option<Uuid>, partition: i32) -> Result<(), ErrorCode> {
        let Self::Assigned(known) = self else {
            return Ok(());
        };
        match topic().and_then(|topic| known.member.assignment_epoch(topic, partition)) {
            Some(assigned_at) if known.epoch >= assigned_at => Ok(()),
            _ => Err(stale(&known.member)),
        }
    }
}

impl ConsumerGroup {
    /// Whether this member may commit offsets.
    pub(crate) fn admit_commit(
        &self,
        identity: &MemberIdentity,
        knows_member_epochs: bool,
    ) -> Result<CommitAdmission, ErrorCode> {
        let epoch = identity.generation;
        if epoch < 0 && self.is_empty() {
            return Ok(CommitAdmission::Any);
        }
        let member = self.members.get(&identity.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if !member.uses_classic_protocol() && !knows_member_epochs {
            return Err(ErrorCode::UnsupportedVersion);
        }
        match epoch.cmp(&member.epoch) {
            std::cmp::Ordering::Equal => Ok(CommitAdmission::Any),
            std::cmp::Ordering::Greater => Err(stale(member)),
            std::cmp::Ordering::Less => {
                Ok(CommitAdmission::Assigned(Box::new(CommitsOfAssigned { member: member.clone(), epoch })))
            }
        }
    }

    /// What this member may commit in a transaction, or whoever does not say which it is.
    pub(crate) fn admit_transactional_commit(&self, identity: &MemberIdentity) -> Result<CommitAdmission, ErrorCode> {
        let MemberIdentity { member_id, group_instance_id, generation, .. } = identity;
        if *generation == -1 && member_id.is_empty() && group_instance_id.is_none() {
            return Ok(CommitAdmission::Any);
        }
        self.admit_commit(identity, true).map_err(|error| match error {
            ErrorCode::StaleMemberEpoch => ErrorCode::IllegalGeneration,
            other => other,
        })
    }

    /// Whether whoever says that it is this member at this epoch may read offsets.
    pub(crate) fn admit_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        if member_id.is_none() && epoch < 0 {
            return Ok(());
        }
        let member = member_id.and_then(|id| self.members.get(id)).ok_or(ErrorCode::UnknownMemberId)?;
        if member.epoch == epoch { Ok(()) } else { Err(stale(member)) }
    }
}

/// An epoch that is not the member's, in the words of its protocol.
fn stale(member: &ConsumerGroupMember) -> ErrorCode {
    match member.uses_classic_protocol() {
        true => ErrorCode::IllegalGeneration,
        false => ErrorCode::StaleMemberEpoch,
    }
}
