//! What the five APIs of the share coordinator have in common: they name a group and, by topic, partitions, and are
//! answered partition by partition. Brokers ask each other; clients of a group never do.

use brooklet_protocol::coordinator::share_state::{SharePartitionKey, StateBatch};
use brooklet_protocol::{ErrorCode, StrBytes};
use uuid::Uuid;

use super::text;
use crate::error::ToErrorCode;
use crate::share::state::shard::ShareStateError;

/// The key of a partition that a request names.
pub(super) fn share_partition(group_id: &str, topic_id: Uuid, partition: i32) -> SharePartitionKey {
    SharePartitionKey { group_id: group_id.to_owned(), topic_id, partition }
}

/// An outcome as code and message.
pub(super) fn outcome<T>(result: &Result<T, ShareStateError>) -> (i16, Option<StrBytes>) {
    match result {
        Ok(_) => (ErrorCode::None.code(), None),
        Err(error) => (error.error_code().code(), Some(text(error.to_string()))),
    }
}

/// Whether a request says enough to be answered; Kafka answers others with nothing.
pub(super) fn is_complete(group_id: &str, mut partition_counts: impl Iterator<Item = usize>) -> bool {
    !group_id.trim().is_empty() && partition_counts.all(|count| count > 0)
}

/// A batch of a request.
pub(super) fn state_batch(first_offset: i64, last_offset: i64, delivery_state: i8, delivery_count: i16) -> StateBatch {
    StateBatch { first_offset, last_offset, delivery_state, delivery_count }
}
