//! OffsetFetch: v1-9
//!
//! v2 null topics ask for all · v5 leader epoch · v7 only stable offsets, of which all are while nobody commits in
//! transactions · v8 several groups (KIP-709). What was never committed is -1, which is no error.

use brooklet_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use brooklet_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};
use brooklet_protocol::{ErrorCode, StrBytes};

use super::{text, topic_name};
use crate::apis::{Api, RequestContext};
use crate::groups::requests::CommittedOffset;

pub(crate) const API: Api = Api::new::<OffsetFetchRequest>("OffsetFetch", 1..=9);

pub(crate) async fn handle(cx: &RequestContext, request: OffsetFetchRequest) -> OffsetFetchResponse {
    if cx.version < 8 {
        let asked = request.topics.map(|topics| {
            let each = topics.into_iter().map(|topic| (topic.name, topic.partition_indexes));
            each.collect::<Vec<_>>()
        });
        return match offsets(cx, &request.group_id, asked).await {
            Ok(found) => OffsetFetchResponse::default().with_topics(found.into_iter().map(topic_before_v8).collect()),
            Err(error) => OffsetFetchResponse::default().with_error_code(error.code()),
        };
    }
    let mut groups = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        let asked = group.topics.map(|topics| {
            let each = topics.into_iter().map(|topic| (topic.name, topic.partition_indexes));
            each.collect::<Vec<_>>()
        });
        let response = match offsets(cx, &group.group_id, asked).await {
            Ok(found) => OffsetFetchResponseGroup::default().with_topics(found.into_iter().map(topic).collect()),
            Err(error) => OffsetFetchResponseGroup::default().with_error_code(error.code()),
        };
        groups.push(response.with_group_id(group.group_id));
    }
    OffsetFetchResponse::default().with_groups(groups)
}

/// A topic with what is committed for its partitions.
type TopicOffsets = (TopicName, Vec<(i32, Option<CommittedOffset>)>);

async fn offsets(
    cx: &RequestContext,
    group_id: &str,
    asked: Option<Vec<(TopicName, Vec<i32>)>>,
) -> Result<Vec<TopicOffsets>, ErrorCode> {
    let partitions = asked.map(|topics| {
        let each = topics
            .iter()
            .flat_map(|(name, partitions)| partitions.iter().map(|partition| (name.to_string(), *partition)));
        each.collect()
    });
    let found = cx.node.groups.fetch_offsets(group_id.to_owned(), partitions).await?;
    let mut topics: Vec<TopicOffsets> = Vec::new();
    for (topic, partition, offset) in found {
        match topics.last_mut().filter(|(name, _)| **name == *topic) {
            Some((_, partitions)) => partitions.push((partition, offset)),
            None => topics.push((topic_name(&topic), vec![(partition, offset)])),
        }
    }
    Ok(topics)
}

fn topic_before_v8((name, partitions): TopicOffsets) -> OffsetFetchResponseTopic {
    let partitions = partitions.into_iter().map(|(index, offset)| {
        let (offset, leader_epoch, metadata) = fields(offset);
        OffsetFetchResponsePartition::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_committed_leader_epoch(leader_epoch)
            .with_metadata(Some(metadata))
    });
    OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect())
}

fn topic((name, partitions): TopicOffsets) -> OffsetFetchResponseTopics {
    let partitions = partitions.into_iter().map(|(index, offset)| {
        let (offset, leader_epoch, metadata) = fields(offset);
        OffsetFetchResponsePartitions::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_committed_leader_epoch(leader_epoch)
            .with_metadata(Some(metadata))
    });
    OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions.collect())
}

fn fields(offset: Option<CommittedOffset>) -> (i64, i32, StrBytes) {
    offset.map_or((-1, -1, text("")), |found| (found.offset, found.leader_epoch, text(found.metadata)))
}
