//! DeleteShareGroupOffsets: v0 (KIP-932)
//!
//! Ends the share state of whole topics, for a group without members.

use brooklet_protocol::messages::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponseTopic;
use brooklet_protocol::messages::{DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse};
use brooklet_protocol::{ErrorCode, StrBytes};

use super::group_protocols::{SHARE_IS_OFF, check_share};
use super::share_group_state::outcome;
use super::text;
use crate::apis::{Api, RequestContext};
use crate::error::ToErrorCode;

pub(crate) const API: Api = Api::new::<DeleteShareGroupOffsetsRequest>("DeleteShareGroupOffsets", 0..=0);

pub(crate) async fn handle(
    cx: &RequestContext,
    request: DeleteShareGroupOffsetsRequest,
) -> DeleteShareGroupOffsetsResponse {
    let response = DeleteShareGroupOffsetsResponse::default();
    if let Err(error) = check_share(cx) {
        return response.with_error_code(error.code()).with_error_message(Some(text(SHARE_IS_OFF)));
    }
    if request.group_id.is_empty() {
        return response
            .with_error_code(ErrorCode::InvalidGroupId.code())
            .with_error_message(Some(text("the group's id is empty")));
    }
    let id_of = |name: &str| cx.node.topics.by_name(name).map(|topic| topic.id());
    let topics = request.topics.iter().filter_map(|topic| id_of(&topic.topic_name)).collect();
    let group_id = request.group_id.to_string();
    let outcomes = match cx.node.groups.share_delete_offsets(group_id.clone(), topics).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            return response
                .with_error_code(error.error_code().code())
                .with_error_message(Some(text(error.to_string())));
        }
    };
    cx.node.share.forget(|key| key.group_id == group_id && outcomes.contains_key(&key.topic_id));
    let topics = request.topics.into_iter().map(|asked| {
        let id = id_of(&asked.topic_name);
        let (error, message) = match id {
            None => unknown("there is no such topic"),
            Some(id) => outcomes.get(&id).map_or_else(|| unknown("the group has no offsets in the topic"), outcome),
        };
        DeleteShareGroupOffsetsResponseTopic::default()
            .with_topic_id(id.unwrap_or_default())
            .with_error_code(error)
            .with_error_message(message)
            .with_topic_name(asked.topic_name)
    });
    response.with_responses(topics.collect())
}

fn unknown(message: &str) -> (i16, Option<StrBytes>) {
    (ErrorCode::UnknownTopicOrPartition.code(), Some(text(message)))
}
