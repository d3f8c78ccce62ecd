//! DeleteShareGroupState: v0 (KIP-932)
//!
//! Ends the share state of partitions. Where there is none, that is no error.

use brooklet_protocol::messages::delete_share_group_state_response::{DeleteStateResult, PartitionResult};
use brooklet_protocol::messages::{DeleteShareGroupStateRequest, DeleteShareGroupStateResponse};

use super::share_group_state::{is_complete, outcome, share_partition};
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<DeleteShareGroupStateRequest>("DeleteShareGroupState", 0..=0);

pub(crate) async fn handle(
    cx: &RequestContext,
    request: DeleteShareGroupStateRequest,
) -> DeleteShareGroupStateResponse {
    let response = DeleteShareGroupStateResponse::default();
    if !is_complete(&request.group_id, request.topics.iter().map(|topic| topic.partitions.len())) {
        return response;
    }
    let state = cx.node.share.state().await;
    let results = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|asked| {
            let key = share_partition(&request.group_id, topic.topic_id, asked.partition);
            let result = state.delete(&key);
            if result.is_ok() {
                cx.node.share.forget(|other| *other == key);
            }
            let (error, message) = outcome(&result);
            PartitionResult::default()
                .with_partition(asked.partition)
                .with_error_code(error)
                .with_error_message(message)
        });
        DeleteStateResult::default().with_topic_id(topic.topic_id).with_partitions(partitions.collect())
    });
    response.with_results(results.collect())
}
