//! DeleteTopics: v1-6
//!
//! By name, from v6 also by id. A quota on changes of topics refuses what is too much from v5 on, and holds back before. Whoever still fetches is told at once; the files go in the background.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::delete_topics_request::DeleteTopicState;
use brooklet_protocol::messages::delete_topics_response::DeletableTopicResult;
use brooklet_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};

use super::{refusal, text, topic_name};
use crate::apis::{Api, RequestContext};
use crate::quotas::mutation::MutationQuota;

pub(crate) const API: Api = Api::new::<DeleteTopicsRequest>("DeleteTopics", 1..=6);

pub(crate) async fn handle(cx: &RequestContext, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let named = request.topic_names.into_iter().map(|name| DeleteTopicState::default().with_name(Some(name)));
    let topics: Vec<_> = if cx.version >= 6 { request.topics } else { named.collect() };
    let enabled = cx.node.config().broker.delete_topic_enable;
    let mut responses = Vec::with_capacity(topics.len());
    let mut quota = cx.node.quotas.mutation(cx.client(), cx.version >= 5);
    for asked in topics {
        responses.push(delete(cx, asked, enabled, &mut quota).await);
    }
    cx.throttle(quota.throttle_ms());
    DeleteTopicsResponse::default().with_responses(responses)
}

async fn delete(
    cx: &RequestContext,
    asked: DeleteTopicState,
    enabled: bool,
    quota: &mut MutationQuota<'_>,
) -> DeletableTopicResult {
    let result = DeletableTopicResult::default().with_name(asked.name.clone());
    let result = if cx.version >= 6 { result.with_topic_id(asked.topic_id) } else { result };
    if !enabled {
        // Before v3 there was no code for it.
        let error = if cx.version >= 3 { ErrorCode::TopicDeletionDisabled } else { ErrorCode::InvalidRequest };
        return result.with_error_code(error.code());
    }
    let (found, missing) = match &asked.name {
        Some(name) => (cx.node.topics.by_name(name), ErrorCode::UnknownTopicOrPartition),
        None => (cx.node.topics.by_id(asked.topic_id), ErrorCode::UnknownTopicId),
    };
    let Some(topic) = found else {
        return with_message(cx, result.with_error_code(missing.code()), missing.message());
    };
    let result = result.with_name(Some(topic_name(topic.name())));
    let result = if cx.version >= 6 { result.with_topic_id(topic.id()) } else { result };
    if let Err(error) = quota.record(topic.partition_count()) {
        return with_message(cx, result.with_error_code(error.code()), error.message());
    }
    match cx.node.delete_topic(&topic).await {
        Ok(()) => result,
        Err(error) => {
            let (code, _) = refusal(&error);
            with_message(cx, result.with_error_code(code.code()), &error.to_string())
        }
    }
}

/// Messages came with v5.
fn with_message(cx: &RequestContext, result: DeletableTopicResult, message: &str) -> DeletableTopicResult {
    if cx.version >= 5 { result.with_error_message(Some(text(message))) } else { result }
}
