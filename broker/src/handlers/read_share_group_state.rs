//! ReadShareGroupState: v0 (KIP-932)
//!
//! The share state of partitions, for their leader. A leader epoch that is new is kept.

use brooklet_protocol::coordinator::share_state::StateBatch as KeptBatch;
use brooklet_protocol::messages::read_share_group_state_response::{PartitionResult, ReadStateResult, StateBatch};
use brooklet_protocol::messages::{ReadShareGroupStateRequest, ReadShareGroupStateResponse};

use super::share_group_state::{is_complete, outcome, share_partition};
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<ReadShareGroupStateRequest>("ReadShareGroupState", 0..=0);

pub(crate) async fn handle(cx: &RequestContext, request: ReadShareGroupStateRequest) -> ReadShareGroupStateResponse {
    let response = ReadShareGroupStateResponse::default();
    if !is_complete(&request.group_id, request.topics.iter().map(|topic| topic.partitions.len())) {
        return response;
    }
    let state = cx.node.share.state().await;
    let results = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|asked| {
            let key = share_partition(&request.group_id, topic.topic_id, asked.partition);
            let result = state.read(&key, asked.leader_epoch);
            let (error, message) = outcome(&result);
            let answer = PartitionResult::default()
                .with_partition(asked.partition)
                .with_error_code(error)
                .with_error_message(message);
            match result {
                Ok(kept) => answer
                    .with_state_epoch(kept.state_epoch)
                    .with_start_offset(kept.start_offset)
                    .with_state_batches(kept.state_batches.into_iter().map(batch).collect()),
                Err(_) => answer,
            }
        });
        ReadStateResult::default().with_topic_id(topic.topic_id).with_partitions(partitions.collect())
    });
    response.with_results(results.collect())
}

fn batch(kept: KeptBatch) -> StateBatch {
    StateBatch::default()
        .with_first_offset(kept.first_offset)
        .with_last_offset(kept.last_offset)
        .with_delivery_state(kept.delivery_state)
        .with_delivery_count(kept.delivery_count)
}
