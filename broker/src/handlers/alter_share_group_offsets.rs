//! AlterShareGroupOffsets: v0 (KIP-932)
//!
//! Sets where delivery begins, for a group without members, which need not exist. What was delivered to it before counts
//! no more.

use std::collections::BTreeMap;

use brooklet_protocol::messages::alter_share_group_offsets_response::{
    AlterShareGroupOffsetsResponsePartition, AlterShareGroupOffsetsResponseTopic,
};
use brooklet_protocol::messages::{AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse};
use brooklet_protocol::{ErrorCode, StrBytes};

use super::group_protocols::{SHARE_IS_OFF, check_share};
use super::share_group_state::outcome;
use super::text;
use crate::apis::{Api, RequestContext};
use crate::error::ToErrorCode;
use crate::groups::share::requests::ShareOffsetsToSet;

pub(crate) const API: Api = Api::new::<AlterShareGroupOffsetsRequest>("AlterShareGroupOffsets", 0..=0);

pub(crate) async fn handle(
    cx: &RequestContext,
    request: AlterShareGroupOffsetsRequest,
) -> AlterShareGroupOffsetsResponse {
    let response = AlterShareGroupOffsetsResponse::default();
    if let Err(error) = check_share(cx) {
        return response.with_error_code(error.code()).with_error_message(Some(text(SHARE_IS_OFF)));
    }
    if request.group_id.is_empty() {
        return response
            .with_error_code(ErrorCode::InvalidGroupId.code())
            .with_error_message(Some(text("the group's id is empty")));
    }
    let mut topics = Vec::new();
    for asked in &request.topics {
        if let Some(topic) = cx.node.topics.by_name(&asked.topic_name) {
            let exists = |index: &i32| topic.partition(*index).is_some();
            let offsets = asked.partitions.iter().map(|asked| (asked.partition_index, asked.start_offset));
            let offsets: BTreeMap<i32, i64> = offsets.filter(|(index, _)| exists(index)).collect();
            topics.push((topic.name().to_owned(), topic.id(), offsets));
        }
    }
    let group_id = request.group_id.to_string();
    let offsets = ShareOffsetsToSet { group_id: group_id.clone(), topics };
    let outcomes = match cx.node.groups.share_set_offsets(offsets).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            return response
                .with_error_code(error.error_code().code())
                .with_error_message(Some(text(error.to_string())));
        }
    };
    cx.node.share.forget(|key| key.group_id == group_id && outcomes.contains_key(&(key.topic_id, key.partition)));
    let topics = request.topics.into_iter().map(|asked| {
        let id = cx.node.topics.by_name(&asked.topic_name).map(|topic| topic.id()).unwrap_or_default();
        let partitions = asked.partitions.into_iter().map(|asked| {
            let (error, message) = outcomes.get(&(id, asked.partition_index)).map_or_else(unknown, outcome);
            AlterShareGroupOffsetsResponsePartition::default()
                .with_partition_index(asked.partition_index)
                .with_error_code(error)
                .with_error_message(message)
        });
        AlterShareGroupOffsetsResponseTopic::default()
            .with_topic_id(id)
            .with_partitions(partitions.collect())
            .with_topic_name(asked.topic_name)
    });
    response.with_responses(topics.collect())
}

fn unknown() -> (i16, Option<StrBytes>) {
    let error = ErrorCode::UnknownTopicOrPartition;
    (error.code(), Some(text("there is no such topic or partition")))
}
