//! What is asked of share groups and answered, apart from any version of the protocol.

use std::collections::{BTreeMap, BTreeSet};

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::share_group::{MemberMetadataValue, PartitionsByTopic, TopicPartitionsInfo};
use uuid::Uuid;

use crate::groups::shard::GroupRecord;

/// The epoch of a member that joins.
pub(crate) const JOIN_EPOCH: i32 = 0;
/// The epoch of a member that leaves.
pub(crate) const LEAVE_EPOCH: i32 = -1;

/// Partitions for which there is share state, by topic id.
pub(crate) type StatePartitions = BTreeMap<Uuid, TopicPartitionsInfo>;

/// Why a request about a share group was refused, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShareGroupError {
    #[error("there is no share group '{0}'")]
    UnknownGroup(String),
    #[error("group '{0}' is not a share group")]
    OtherKind(String),
    #[error("'{member_id}' is not a member of group '{group_id}'")]
    UnknownMember { group_id: String, member_id: String },
    #[error("the group has its {0} members already (group.share.max.size)")]
    Full(usize),
    #[error("the member's epoch is {received}, not {known}: it must give up its partitions and join again")]
    FencedEpoch { received: i32, known: i32 },
    #[error("the group has members")]
    NotEmpty,
    #[error("{0}")]
    Invalid(&'static str),
    #[error("the group coordinator could not keep its records")]
    NotKept(ErrorCode),
}

/// A member's heartbeat (ShareGroupHeartbeat).
#[derive(Debug, Clone, Default)]
pub(crate) struct ShareHeartbeat {
    pub(crate) group_id: String,
    pub(crate) member_id: String,
    pub(crate) member_epoch: i32,
    pub(crate) rack_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    /// `None` where it has not changed.
    pub(crate) subscribed_topic_names: Option<BTreeSet<String>>,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShareHeartbeatAnswer {
    pub(crate) member_id: String,
    pub(crate) member_epoch: i32,
    pub(crate) heartbeat_interval_ms: i32,
    /// `None` where it has not changed.
    pub(crate) assignment: Option<PartitionsByTopic>,
}

/// An answer, and the records that make it true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShareProposal<T> {
    pub(crate) answer: T,
    pub(crate) records: Vec<GroupRecord>,
}

/// A share group described (ShareGroupDescribe).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShareGroupDescription {
    pub(crate) state: &'static str,
    pub(crate) epoch: i32,
    pub(crate) assignment_epoch: i32,
    pub(crate) members: Vec<ShareMemberDescription>,
}

/// A member in a described share group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShareMemberDescription {
    pub(crate) member_id: String,
    pub(crate) member_epoch: i32,
    pub(crate) metadata: MemberMetadataValue,
    pub(crate) assignment: PartitionsByTopic,
}

/// New start offsets of an empty group (AlterShareGroupOffsets).
#[derive(Debug, Clone)]
pub(crate) struct ShareOffsetsToSet {
    pub(crate) group_id: String,
    /// Topics that exist, with partitions that exist and their offsets.
    pub(crate) topics: Vec<(String, Uuid, BTreeMap<i32, i64>)>,
}
