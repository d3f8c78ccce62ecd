//! What handlers ask of the group coordinator and what it answers, apart from any version of the protocol.

use brooklet_protocol::ErrorCode;
use brooklet_storage::VerificationGuard;
use bytes::Bytes;
use uuid::Uuid;

use crate::txn::requests::ProducerIdAndEpoch;

/// Names a request that waits for its answer.
pub(crate) type Token = u64;

/// A member's wish to be in a group, new or again.
#[derive(Debug, Clone)]
pub(crate) struct JoinRequest {
    pub(crate) group_id: String,
    /// Empty for a member that has no id yet.
    pub(crate) member_id: String,
    /// The id that a static member brings itself (KIP-345).
    pub(crate) group_instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout_ms: i32,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) protocol_type: String,
    /// In the member's order of preference, with its metadata for each.
    pub(crate) protocols: Vec<Protocol>,
    /// A new member must come a second time, with the id it is given (v4+, KIP-394).
    pub(crate) requires_member_id: bool,
    /// The member understands that it leads and need not assign (v9+, KIP-814).
    pub(crate) can_skip_assignment: bool,
    /// Why, in the client's words (v8+).
    pub(crate) reason: Option<String>,
}

/// A protocol, which for consumers is an assignment strategy, with a member's metadata for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) name: String,
    pub(crate) metadata: Bytes,
}

/// How a join ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinResponse {
    pub(crate) error: ErrorCode,
    pub(crate) member_id: String,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol_name: Option<String>,
    pub(crate) leader: String,
    pub(crate) skip_assignment: bool,
    /// All members, for the leader; empty for others.
    pub(crate) members: Vec<JoinedMember>,
}

impl JoinResponse {
    pub(crate) fn error(error: ErrorCode, member_id: impl Into<String>) -> Self {
        Self {
            error,
            member_id: member_id.into(),
            generation: NO_GENERATION,
            protocol_type: None,
            protocol_name: None,
            leader: String::new(),
            skip_assignment: false,
            members: Vec::new(),
        }
    }
}

/// The generation in an answer that has none.
pub(crate) const NO_GENERATION: i32 = -1;

/// A member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinedMember {
    pub(crate) member_id: String,
    pub(crate) group_instance_id: Option<String>,
    pub(crate) metadata: Bytes,
}

/// A member that waits for its assignment, or the leader that brings all of them.
#[derive(Debug, Clone)]
pub(crate) struct SyncRequest {
    pub(crate) group_id: String,
    pub(crate) member_id: String,
    pub(crate) group_instance_id: Option<String>,
    pub(crate) generation: i32,
    /// v5+.
    pub(crate) protocol_type: Option<String>,
    /// v5+.
    pub(crate) protocol_name: Option<String>,
    /// Member id and assignment; empty but for the leader.
    pub(crate) assignments: Vec<(String, Bytes)>,
}

/// A member's assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyncResponse {
    pub(crate) error: ErrorCode,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol_name: Option<String>,
    pub(crate) assignment: Bytes,
}

impl SyncResponse {
    pub(crate) fn error(error: ErrorCode) -> Self {
        Self { error, protocol_type: None, protocol_name: None, assignment: Bytes::new() }
    }
}

/// Who sends a heartbeat or a commit.
#[derive(Debug, Clone)]
pub(crate) struct MemberIdentity {
    pub(crate) group_id: String,
    pub(crate) member_id: String,
    pub(crate) group_instance_id: Option<String>,
    pub(crate) generation: i32,
}

/// A member that leaves, or is taken out by an administrator who knows only its instance id.
#[derive(Debug, Clone)]
pub(crate) struct LeavingMember {
    pub(crate) member_id: String,
    pub(crate) group_instance_id: Option<String>,
    pub(crate) reason: Option<String>,
}

/// An offset to commit.
#[derive(Debug, Clone)]
pub(crate) struct OffsetToCommit {
    pub(crate) topic: String,
    /// Nil where it is committed in a transaction, whose requests name no ids.
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

/// Offsets that a group commits.
#[derive(Debug, Clone)]
pub(crate) struct CommitRequest {
    pub(crate) member: MemberIdentity,
    /// The version tells `GROUP_ID_NOT_FOUND` instead of `ILLEGAL_GENERATION` (v9+).
    pub(crate) knows_group_id_not_found: bool,
    /// How long to keep them, where an old client says so (v2 to v4); milliseconds.
    pub(crate) retention_ms: Option<i64>,
    pub(crate) offsets: Vec<OffsetToCommit>,
}

/// Offsets that a producer commits for a group, in its transaction (KIP-98).
#[derive(Debug, Clone)]
pub(crate) struct TransactionalCommit {
    pub(crate) commit: CommitRequest,
    pub(crate) producer: ProducerIdAndEpoch,
    /// From the verification that the transaction has a part in the group's partition, if that was needed.
    pub(crate) guard: Option<VerificationGuard>,
}

/// Whether what was committed under this topic id is of that topic. Where the id is not known, the topic's name has to do.
pub(crate) fn is_of_topic(committed: Uuid, topic: Uuid) -> bool {
    committed.is_nil() || committed == topic
}

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommittedOffset {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
    /// Nil where it is not known.
    pub(crate) topic_id: Uuid,
}

/// A group in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupListing {
    pub(crate) group_id: String,
    pub(crate) kind: GroupType,
    pub(crate) protocol_type: String,
    /// Kafka's name of its state; each kind of group has its own.
    pub(crate) state: &'static str,
}

/// A group described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupDescription {
    pub(crate) state: GroupState,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) members: Vec<MemberDescription>,
}

/// A member in a described group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberDescription {
    pub(crate) member_id: String,
    pub(crate) group_instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) metadata: Bytes,
    pub(crate) assignment: Bytes,
}

/// The kinds of groups (KIP-848).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum GroupType {
    /// Members agree among themselves.
    Classic,
    /// The coordinator decides (KIP-848).
    Consumer,
    /// The coordinator spreads the tasks of an application (KIP-1071).
    Streams,
    /// Members share records, not partitions (KIP-932).
    Share,
}

impl GroupType {
    /// Kafka's name of the kind.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
            Self::Streams => "streams",
            Self::Share => "share",
        }
    }
}

/// Where a classic group stands between two generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum GroupState {
    /// No members; there may be offsets.
    Empty,
    /// Waiting for members to join.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
    /// No such group.
    Dead,
}

impl GroupState {
    /// Kafka's name of the state.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}
