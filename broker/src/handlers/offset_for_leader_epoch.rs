//! OffsetForLeaderEpoch: v2-4 (KIP-320)
//!
//! Where the records of a leader epoch end. There has been one epoch: it ends where the log does. A later epoch is
//! unknown, an undefined one (-1) has no end.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use brooklet_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::apis::{Api, RequestContext};
use crate::error::ToErrorCode;
use crate::partition::LEADER_EPOCH;

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
                Some(_) if asked.current_leader_epoch > LEADER_EPOCH => Err(ErrorCode::UnknownLeaderEpoch),
                Some(_) if asked.leader_epoch != LEADER_EPOCH => Ok(None),
                Some(partition) => {
                    partition.view().map(|view| Some(view.next_offset())).map_err(|error| error.error_code())
                }
            };
            match end {
                Ok(Some(end)) => response.with_leader_epoch(LEADER_EPOCH).with_end_offset(end),
                Ok(None) => response,
                Err(error) => response.with_error_code(error.code()),
            }
        });
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions.collect())
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}
