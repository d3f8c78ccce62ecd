//! OffsetForLeaderEpoch: v2-4 (KIP-320)
//!
//! Where the records of a leader epoch end. A log that was made here has one epoch, which ends where the log does; one that
//! Kafka wrote before may have more. A later epoch is unknown, an undefined one (-1) has no end.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use brooklet_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::apis::{Api, RequestContext};
use crate::error::ToErrorCode;

pub(crate) const API: Api = Api::new::<OffsetForLeaderEpochRequest>("OffsetForLeaderEpoch", 2..=4);

const UNDEFINED_EPOCH: i32 = -1;
const UNDEFINED_OFFSET: i64 = -1;

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let found = cx.node.topics.by_name(&topic.topic);
        let partitions = topic.partitions.into_iter().map(|asked| {
            let response = EpochEndOffset::default()
                .with_partition(asked.partition)
                .with_leader_epoch(UNDEFINED_EPOCH)
                .with_end_offset(UNDEFINED_OFFSET);
            let partition = found.as_ref().and_then(|topic| topic.partition(asked.partition));
            let end = match partition {
                None => Err(ErrorCode::UnknownTopicOrPartition),
                Some(partition) => partition.check_leader_epoch(asked.current_leader_epoch).and_then(|()| {
                    let view = partition.view().map_err(|error| error.error_code())?;
                    Ok(view.leader_epochs().end_offset_for(asked.leader_epoch, view.next_offset()))
                }),
            };
            match end {
                Ok(Some((epoch, end))) => response.with_leader_epoch(epoch).with_end_offset(end),
                Ok(None) => response,
                Err(error) => response.with_error_code(error.code()),
            }
        });
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions.collect())
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}
