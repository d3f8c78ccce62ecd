//! WriteShareGroupState: v0-1 (KIP-932)
//!
//! Keeps changes to the share state of partitions. v1 says how many deliveries are complete (KIP-1226).

use brooklet_protocol::messages::write_share_group_state_response::{PartitionResult, WriteStateResult};
use brooklet_protocol::messages::{WriteShareGroupStateRequest, WriteShareGroupStateResponse};

use super::share_group_state::{is_complete, outcome, share_partition, state_batch};
use crate::apis::{Api, RequestContext};
use crate::share::state::shard::StateWrite;

pub(crate) const API: Api = Api::new::<WriteShareGroupStateRequest>("WriteShareGroupState", 0..=1);

pub(crate) async fn handle(cx: &RequestContext, request: WriteShareGroupStateRequest) -> WriteShareGroupStateResponse {
    let response = WriteShareGroupStateResponse::default();
    if !is_complete(&request.group_id, request.topics.iter().map(|topic| topic.partitions.len())) {
        return response;
    }
    let state = cx.node.share.state().await;
    let results = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|asked| {
            let key = share_partition(&request.group_id, topic.topic_id, asked.partition);
            let batches = asked.state_batches.iter().map(|batch| {
                state_batch(batch.first_offset, batch.last_offset, batch.delivery_state, batch.delivery_count)
            });
            let write = StateWrite {
                state_epoch: asked.state_epoch,
                leader_epoch: asked.leader_epoch,
                start_offset: asked.start_offset,
                delivery_complete_count: asked.delivery_complete_count,
                state_batches: batches.collect(),
            };
            let (error, message) = outcome(&state.write(&key, write));
            PartitionResult::default()
                .with_partition(asked.partition)
                .with_error_code(error)
                .with_error_message(message)
        });
        WriteStateResult::default().with_topic_id(topic.topic_id).with_partitions(partitions.collect())
    });
    response.with_results(results.collect())
}
