//! InitializeShareGroupState: v0 (KIP-932)
//!
//! Begins the share state of partitions, or begins it anew at an offset. Answered by the code that the group coordinator
//! calls itself.

use brooklet_protocol::messages::initialize_share_group_state_response::{InitializeStateResult, PartitionResult};
use brooklet_protocol::messages::{InitializeShareGroupStateRequest, InitializeShareGroupStateResponse};

use super::share_group_state::{is_complete, outcome, share_partition};
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<InitializeShareGroupStateRequest>("InitializeShareGroupState", 0..=0);

pub(crate) async fn handle(
    cx: &RequestContext,
    request: InitializeShareGroupStateRequest,
) -> InitializeShareGroupStateResponse {
    let response = InitializeShareGroupStateResponse::default();
    if !is_complete(&request.group_id, request.topics.iter().map(|topic| topic.partitions.len())) {
        return response;
    }
    let state = cx.node.share.state().await;
    let results = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|asked| {
            let key = share_partition(&request.group_id, topic.topic_id, asked.partition);
            let result = state.initialize(&key, asked.state_epoch, asked.start_offset);
            if result.is_ok() {
                cx.node.share.forget(|other| *other == key);
            }
            let (error, message) = outcome(&result);
            PartitionResult::default()
                .with_partition(asked.partition)
                .with_error_code(error)
                .with_error_message(message)
        });
        InitializeStateResult::default().with_topic_id(topic.topic_id).with_partitions(partitions.collect())
    });
    response.with_results(results.collect())
}
