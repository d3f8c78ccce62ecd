//! A group of any kind: they share one space of ids, and what is asked of all of them is asked here.

use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::group_metadata::GroupMetadataValue;

use super::classic::{ClassicGroup, Turn};
use super::requests::{GroupListing, MemberIdentity};

/// A group, by the protocol that its members speak.
#[derive(Debug)]
pub(crate) enum Group {
    /// Its members agree among themselves (JoinGroup, SyncGroup).
    Classic(ClassicGroup),
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
        }
    }

    /// The group if it is a classic one.
    pub(crate) fn classic_mut(&mut self) -> Option<&mut ClassicGroup> {
        match self {
            Self::Classic(group) => Some(group),
        }
    }

    pub(crate) fn listing(&self) -> GroupListing {
        match self {
            Self::Classic(group) => group.listing(),
        }
    }

    /// Nobody is in it or on the way, and nobody ever was: without offsets there is nothing to know of it.
    pub(crate) fn is_vacant(&self) -> bool {
        match self {
            Self::Classic(group) => group.is_unused() && group.was_never_used(),
        }
    }

    /// Whether an administrator may delete it.
    pub(crate) fn check_delete(&self) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(group) => group.check_delete(),
        }
    }

    /// Whether single offsets may be deleted, apart from those of topics that members subscribe to.
    pub(crate) fn check_offset_delete(&self) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(group) => group.check_offset_delete(),
        }
    }

    /// Whether a member subscribes to the topic, as far as can be known.
    pub(crate) fn subscribes_to(&self, topic: &str) -> bool {
        match self {
            Self::Classic(group) => group.subscribes_to(topic),
        }
    }

    /// Whether this member may commit offsets now.
    pub(crate) fn admit_commit(&mut self, member: &MemberIdentity, turn: &mut Turn<'_>) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(group) => group.admit_commit(member, turn),
        }
    }

    /// Whether offsets may be committed in a transaction: who names a member must be it (KIP-447).
    pub(crate) fn admit_transactional_commit(&self, member: &MemberIdentity) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(group) => group.admit_transactional_commit(member),
        }
    }

    /// Begins the sessions of the members of a group that was stored.
    pub(crate) fn resume(&mut self, turn: &mut Turn<'_>) {
        match self {
            Self::Classic(group) => group.resume(turn),
        }
    }
}
