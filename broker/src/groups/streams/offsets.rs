//! Who may commit and read offsets of a streams group.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::streams_group::Subtopology;

use super::StreamsGroup;
use super::topology::sources;
use crate::groups::requests::MemberIdentity;

impl StreamsGroup {
    /// Whether this member may commit offsets. `knows_member_epochs` says that it may be of such a group (v9+).
    pub(crate) fn admit_commit(&self, member: &MemberIdentity, knows_member_epochs: bool) -> Result<(), ErrorCode> {
        // Whoever assigns its own partitions, or an administrator.
        if member.generation < 0 && self.is_empty() {
            return Ok(());
        }
        let known = self.members.get(&member.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if !knows_member_epochs {
            return Err(ErrorCode::UnsupportedVersion);
        }
        if member.generation > known.epoch { Err(ErrorCode::StaleMemberEpoch) } else { Ok(()) }
    }

    /// Whether offsets may be committed in a transaction: who names a member must be it.
    pub(crate) fn admit_transactional_commit(&self, member: &MemberIdentity) -> Result<(), ErrorCode> {
        let names_nobody = member.member_id.is_empty() && member.group_instance_id.is_none();
        if member.generation < 0 && (names_nobody || self.is_empty()) {
            return Ok(());
        }
        let known = self.members.get(&member.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if member.generation > known.epoch { Err(ErrorCode::IllegalGeneration) } else { Ok(()) }
    }

    /// Whether a member that has been admitted may commit an offset of this partition: with an older epoch than its
    /// own it may if it had the task already then.
    pub(crate) fn check_commit(&self, member: &MemberIdentity, topic: &str, partition: i32) -> Result<(), ErrorCode> {
        let stale = ErrorCode::StaleMemberEpoch;
        let Some(known) = self.members.get(&member.member_id).filter(|known| member.generation < known.epoch) else {
            return Ok(());
        };
        let subtopology = self.subtopology_of(topic).ok_or(stale)?;
        let tasks = [&known.assigned.active, &known.pending_revocation.active];
        let assigned_in = tasks.into_iter().find_map(|tasks| tasks.get(&subtopology.id)?.get(&partition));
        if assigned_in.is_some_and(|epoch| member.generation >= *epoch) { Ok(()) } else { Err(stale) }
    }

    /// Whether whoever says that it is this member at this epoch may read offsets.
    pub(crate) fn admit_fetch(&self, member_id: Option<&str>, member_epoch: i32) -> Result<(), ErrorCode> {
        if member_id.is_none() && member_epoch < 0 {
            return Ok(());
        }
        let member = member_id.and_then(|id| self.members.get(id)).ok_or(ErrorCode::UnknownMemberId)?;
        if member.epoch == member_epoch { Ok(()) } else { Err(ErrorCode::StaleMemberEpoch) }
    }

    /// The part of the topology that reads a topic.
    pub(super) fn subtopology_of(&self, topic: &str) -> Option<&Subtopology> {
        let parts = self.topology.as_ref()?.subtopologies.iter();
        parts.into_iter().find(|part| sources(part).any(|source| source == topic))
    }
}
