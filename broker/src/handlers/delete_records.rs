//! DeleteRecords: v0-2 (KIP-107)
//!
//! Moves the start of a partition's log; -1 means its end. Segments that lie below go at once.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use brooklet_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use crate::apis::{Api, RequestContext};
use crate::error::ToErrorCode;
use crate::partition::Partition;
use crate::topics::Topic;

pub(crate) const API: Api = Api::new::<DeleteRecordsRequest>("DeleteRecords", 0..=2);

const END_OF_LOG: i64 = -1;
const UNKNOWN_OFFSET: i64 = -1;

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let found = cx.node.topics.by_name(&topic.name);
        let partitions = topic.partitions.into_iter().map(|asked| {
            let result = DeleteRecordsPartitionResult::default().with_partition_index(asked.partition_index);
            match delete(found.as_deref(), asked.partition_index, asked.offset) {
                Ok(start) => result.with_low_watermark(start),
                Err(error) => result.with_low_watermark(UNKNOWN_OFFSET).with_error_code(error.code()),
            }
        });
        DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions.collect())
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}

fn delete(topic: Option<&Topic>, index: i32, offset: i64) -> Result<i64, ErrorCode> {
    let topic = topic.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let partition = topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if topic.is_internal() {
        return Err(ErrorCode::InvalidTopicException);
    }
    let policy = topic.settings().config.cleanup_policy;
    if policy.compact && !policy.delete {
        // A compacted topic keeps the last record of each key; to delete from its start would break that.
        return Err(ErrorCode::PolicyViolation);
    }
    advance(&partition, offset)
}

fn advance(partition: &Partition, offset: i64) -> Result<i64, ErrorCode> {
    let failed = |error: brooklet_storage::Error| {
        tracing::error!(%error, partition = partition.index(), "records not deleted");
        error.error_code()
    };
    let view = partition.view().map_err(failed)?;
    let end = view.next_offset();
    let offset = if offset == END_OF_LOG { end } else { offset };
    if !(0..=end).contains(&offset) {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    partition.advance_start(offset).map_err(failed)?;
    Ok(view.log_start_offset())
}
