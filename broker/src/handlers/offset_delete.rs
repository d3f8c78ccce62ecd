//! OffsetDelete: v0 (KIP-496)
//!
//! Takes offsets of a group away, but for topics to which a member subscribes. Partitions that do not exist are refused one
//! by one.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use brooklet_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<OffsetDeleteRequest>("OffsetDelete", 0..=0);

pub(crate) async fn handle(cx: &RequestContext, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let each = request
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|partition| (topic.name.to_string(), partition.partition_index)));
    let outcomes = cx.node.groups.delete_offsets(request.group_id.to_string(), each.collect()).await;
    let mut outcomes = match outcomes {
        Ok(outcomes) => outcomes.into_iter(),
        Err(error) => return OffsetDeleteResponse::default().with_error_code(error.code()),
    };
    let topics = request.topics.into_iter().map(|topic| {
        let known = cx.node.topics.by_name(&topic.name);
        let partitions = topic.partitions.into_iter().zip(&mut outcomes).map(|(partition, outcome)| {
            let index = partition.partition_index;
            let exists = known.as_ref().is_some_and(|topic| topic.partition(index).is_some());
            let error = if exists { outcome } else { ErrorCode::UnknownTopicOrPartition };
            OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(error.code())
        });
        OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(partitions.collect())
    });
    OffsetDeleteResponse::default().with_topics(topics.collect())
}
