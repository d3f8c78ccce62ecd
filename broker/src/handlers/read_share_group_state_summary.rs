//! ReadShareGroupStateSummary: v0-1 (KIP-932)
//!
//! How far a group has come in partitions; start offset -1 where it has not begun. v1 says how many deliveries are
//! complete (KIP-1226).

use brooklet_protocol::coordinator::share_state::NO_DELIVERY_COMPLETE_COUNT;
use brooklet_protocol::messages::read_share_group_state_summary_response::{PartitionResult, ReadStateSummaryResult};
use brooklet_protocol::messages::{ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse};

use super::share_group_state::{is_complete, outcome, share_partition};
use crate::apis::{Api, RequestContext};
use crate::share::state::shard::NO_START_OFFSET;

pub(crate) const API: Api = Api::new::<ReadShareGroupStateSummaryRequest>("ReadShareGroupStateSummary", 0..=1);

pub(crate) async fn handle(
    cx: &RequestContext,
    request: ReadShareGroupStateSummaryRequest,
) -> ReadShareGroupStateSummaryResponse {
    let response = ReadShareGroupStateSummaryResponse::default();
    if !is_complete(&request.group_id, request.topics.iter().map(|topic| topic.partitions.len())) {
        return response;
    }
    let state = cx.node.share.state().await;
    let results = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|asked| {
            let key = share_partition(&request.group_id, topic.topic_id, asked.partition);
            let result = state.summary(&key);
            let (error, message) = outcome(&result);
            let answer = PartitionResult::default()
                .with_partition(asked.partition)
                .with_error_code(error)
                .with_error_message(message);
            let (start_offset, complete) = match &result {
                Ok(Some(kept)) => (kept.start_offset, kept.delivery_complete_count),
                Ok(None) | Err(_) => (NO_START_OFFSET, NO_DELIVERY_COMPLETE_COUNT),
            };
            let answer = match result {
                Ok(Some(kept)) => answer.with_state_epoch(kept.state_epoch).with_leader_epoch(kept.leader_epoch),
                Ok(None) | Err(_) => answer,
            };
            let answer = answer.with_start_offset(start_offset);
            if cx.version >= 1 { answer.with_delivery_complete_count(complete) } else { answer }
        });
        ReadStateSummaryResult::default().with_topic_id(topic.topic_id).with_partitions(partitions.collect())
    });
    response.with_results(results.collect())
}
