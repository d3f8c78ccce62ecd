//! A group of any kind: they share one space of ids, and what is asked of all of them is asked here.

use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::group_metadata::GroupMetadataValue;

use super::classic::{ClassicGroup, Turn};
use super::consumer::{CommitAdmission, ConsumerGroup};
use super::offsets::OffsetsAge;
use super::requests::{GroupListing, MemberIdentity};
use super::shard::GroupRecord;
use super::share::ShareGroup;
use super::streams::StreamsGroup;

/// A group, by the protocol that its members speak.
#[derive(Debug)]
pub(crate) enum Group {
    /// Its members agree among themselves (JoinGroup, SyncGroup).
    Classic(ClassicGroup),
    /// The coordinator decides for its members (KIP-848).
    Consumer(ConsumerGroup),
    /// The coordinator spreads the tasks of an application (KIP-1071).
    Streams(StreamsGroup),
    /// Its members share records, not partitions (KIP-932).
    Share(ShareGroup),
}

impl Group {
    /// A group that nobody is in. It becomes one of another kind when its first member is.
    pub(crate) fn empty(group_id: Arc<str>, wall_ms: i64) -> Self {
        Self::Classic(ClassicGroup::new(group_id, wall_ms))
    }

    /// A classic group as it was stored.
    pub(crate) fn restore_classic(group_id: Arc<str>, value: GroupMetadataValue) -> Self {
        Self::Classic(ClassicGroup::restore(group_id, value))
    }

    /// The group if it is a classic one.
    pub(crate) fn classic(&self) -> Option<&ClassicGroup> {
        match self {
            Self::Classic(group) => Some(group),
            Self::Consumer(_) | Self::Share(_) | Self::Streams(_) => None,
        }
    }

    /// The group if it is a classic one.
    pub(crate) fn classic_mut(&mut self) -> Option<&mut ClassicGroup> {
        match self {
            Self::Classic(group) => Some(group),
            Self::Consumer(_) | Self::Share(_) | Self::Streams(_) => None,
        }
    }

    /// The group if it is one of the consumer protocol.
    pub(crate) fn consumer(&self) -> Option<&ConsumerGroup> {
        match self {
            Self::Classic(_) | Self::Share(_) | Self::Streams(_) => None,
            Self::Consumer(group) => Some(group),
        }
    }

    /// The group if it is one of the consumer protocol.
    pub(crate) fn consumer_mut(&mut self) -> Option<&mut ConsumerGroup> {
        match self {
            Self::Classic(_) | Self::Share(_) | Self::Streams(_) => None,
            Self::Consumer(group) => Some(group),
        }
    }

    /// The group if it is a streams group.
    pub(crate) fn streams(&self) -> Option<&StreamsGroup> {
        match self {
            Self::Classic(_) | Self::Consumer(_) | Self::Share(_) => None,
            Self::Streams(group) => Some(group),
        }
    }

    /// The group if it is a streams group.
    pub(crate) fn streams_mut(&mut self) -> Option<&mut StreamsGroup> {
        match self {
            Self::Classic(_) | Self::Consumer(_) | Self::Share(_) => None,
            Self::Streams(group) => Some(group),
        }
    }

    pub(crate) fn listing(&self) -> GroupListing {
        match self {
            Self::Classic(group) => group.listing(),
            Self::Consumer(group) => group.listing(),
            Self::Streams(group) => group.listing(),
            Self::Share(group) => group.listing(),
        }
    }

    /// Nobody is in it, and nobody ever was.
    pub(crate) fn is_vacant(&self) -> bool {
        match self {
            Self::Classic(group) => group.is_vacant(),
            Self::Consumer(_) | Self::Share(_) | Self::Streams(_) => false,
        }
    }

    /// Whether nobody is in it.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Classic(group) => group.is_empty(),
            Self::Consumer(group) => group.is_empty(),
            Self::Streams(group) => group.is_empty(),
            Self::Share(group) => group.check_delete().is_ok(),
        }
    }

    /// Whether an administrator may delete it.
    pub(crate) fn check_delete(&self) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(group) => group.check_delete(),
            Self::Consumer(group) => group.check_delete(),
            Self::Streams(group) => group.check_delete(),
            Self::Share(group) => group.check_delete(),
        }
    }

    /// The records that take it away.
    pub(crate) fn tombstones(&self) -> Vec<GroupRecord> {
        match self {
            Self::Classic(group) => vec![GroupRecord::group(group.id(), None)],
            Self::Consumer(group) => group.tombstones(),
            Self::Streams(group) => group.tombstones(),
            Self::Share(group) => group.tombstones(),
        }
    }

    /// Since when its offsets age; `None` while they do not.
    pub(crate) fn offsets_age(&self) -> Option<OffsetsAge> {
        match self {
            Self::Classic(group) => group.offsets_age(),
            Self::Consumer(_) | Self::Streams(_) => Some(OffsetsAge::SinceCommit),
            Self::Share(_) => None,
        }
    }

    /// Whether single offsets may be deleted, apart from those of topics that members subscribe to.
    pub(crate) fn check_offset_delete(&self) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(group) => group.check_offset_delete(),
            Self::Consumer(_) | Self::Streams(_) => Ok(()),
            Self::Share(_) => Err(ErrorCode::GroupIdNotFound),
        }
    }

    /// Whether a member subscribes to the topic, as far as can be known.
    pub(crate) fn subscribes_to(&self, topic: &str) -> bool {
        match self {
            Self::Classic(group) => group.subscribes_to(topic),
            Self::Consumer(group) => group.subscribes_to(topic),
            Self::Streams(group) => group.subscribes_to(topic),
            Self::Share(group) => group.subscribes_to(topic),
        }
    }

    /// What this member may commit now. `knows_member_epochs` says that it may be of the consumer protocol (v9+).
    pub(crate) fn admit_commit(
        &mut self,
        member: &MemberIdentity,
        knows_member_epochs: bool,
        turn: &mut Turn<'_>,
    ) -> Result<CommitAdmission, ErrorCode> {
        match self {
            Self::Classic(group) => group.admit_commit(member, turn).map(|()| CommitAdmission::Any),
            Self::Consumer(group) => group.admit_commit(member, knows_member_epochs),
            Self::Streams(group) => group.admit_commit(member, knows_member_epochs).map(|()| CommitAdmission::Any),
            Self::Share(_) => Err(ErrorCode::GroupIdNotFound),
        }
    }

    /// What may be committed in a transaction: who names a member must be it (KIP-447).
    pub(crate) fn admit_transactional_commit(&self, member: &MemberIdentity) -> Result<CommitAdmission, ErrorCode> {
        match self {
            Self::Classic(group) => group.admit_transactional_commit(member).map(|()| CommitAdmission::Any),
            Self::Consumer(group) => group.admit_transactional_commit(member),
            Self::Streams(group) => group.admit_transactional_commit(member).map(|()| CommitAdmission::Any),
            Self::Share(_) => Err(ErrorCode::GroupIdNotFound),
        }
    }

    /// Whether whoever says that it is this member may read offsets.
    pub(crate) fn admit_fetch(&self, member_id: Option<&str>, member_epoch: i32) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(_) => Ok(()),
            Self::Consumer(group) => group.admit_fetch(member_id, member_epoch),
            Self::Streams(group) => group.admit_fetch(member_id, member_epoch),
            Self::Share(_) => Err(ErrorCode::GroupIdNotFound),
        }
    }
}
