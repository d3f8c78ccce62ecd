//! OffsetFetch: v1-10
//!
//! v2 null topics ask for all · v5 leader epoch · v7 only stable offsets: one that a transaction has yet to decide on is
//! UNSTABLE_OFFSET_COMMIT (KIP-447) · v8 several groups (KIP-709) · v9 who asks, whose epoch must be its own in a
//! consumer group (KIP-848) · v10 topics by id. What was never committed is -1, which is no error.

use brooklet_protocol::messages::offset_fetch_request::OffsetFetchRequestTopics;
use brooklet_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use brooklet_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};
use brooklet_protocol::{ErrorCode, StrBytes};
use uuid::Uuid;

use super::{text, topic_name};
use crate::apis::{Api, RequestContext};
use crate::groups::requests::{CommittedOffset, is_of_topic};
use crate::groups::runtime::OffsetsWanted;

pub(crate) const API: Api = Api::new::<OffsetFetchRequest>("OffsetFetch", 1..=10);

pub(crate) async fn handle(cx: &RequestContext, request: OffsetFetchRequest) -> OffsetFetchResponse {
    if cx.version < 8 {
        let asked = request.topics.map(|topics| {
            let each = topics.into_iter().map(|topic| (topic.name, topic.partition_indexes));
            each.collect::<Vec<_>>()
        });
        let wanted = OffsetsWanted {
            group_id: request.group_id.to_string(),
            member_epoch: -1,
            require_stable: request.require_stable,
            ..OffsetsWanted::default()
        };
        return match offsets(cx, wanted, asked.as_deref()).await {
            Ok(found) => OffsetFetchResponse::default().with_topics(found.into_iter().map(topic_before_v8).collect()),
            Err(error) if cx.version < 2 => {
                let asked = asked.unwrap_or_default().into_iter();
                OffsetFetchResponse::default().with_topics(asked.map(|asked| refused_in_v1(asked, error)).collect())
            }
            Err(error) => OffsetFetchResponse::default().with_error_code(error.code()),
        };
    }
    let mut groups = Vec::with_capacity(request.groups.len());
    for mut group in request.groups {
        let group_id = std::mem::take(&mut group.group_id);
        let wanted = OffsetsWanted {
            group_id: group_id.to_string(),
            member_id: group.member_id.map(|id| id.to_string()),
            member_epoch: group.member_epoch,
            partitions: None,
            require_stable: request.require_stable,
        };
        let response = match in_group(cx, wanted, group.topics).await {
            Ok(topics) => OffsetFetchResponseGroup::default().with_topics(topics),
            Err(error) => OffsetFetchResponseGroup::default().with_error_code(error.code()),
        };
        groups.push(response.with_group_id(group_id));
    }
    OffsetFetchResponse::default().with_groups(groups)
}

/// What one of several groups has committed. Topics with unknown ids come last.
async fn in_group(
    cx: &RequestContext,
    wanted: OffsetsWanted,
    asked: Option<Vec<OffsetFetchRequestTopics>>,
) -> Result<Vec<OffsetFetchResponseTopics>, ErrorCode> {
    let by_id = cx.version >= 10;
    let mut unknown = Vec::new();
    let asked = asked.map(|topics| {
        let mut known = Vec::with_capacity(topics.len());
        for topic in topics {
            if !by_id {
                known.push((topic.name, topic.partition_indexes));
            } else if let Some(found) = cx.node.topics.by_id(topic.topic_id) {
                known.push((topic_name(found.name()), topic.partition_indexes));
            } else {
                unknown.push(of_unknown_id(topic));
            }
        }
        known
    });
    let found = offsets(cx, wanted, asked.as_deref()).await?;
    let topics = found.into_iter().filter_map(|(name, mut partitions)| {
        if !by_id {
            return Some(topic((name, partitions)));
        }
        // Without an id a topic cannot be told of: it went away since its offsets were committed.
        let id = cx.node.topics.by_name(&name)?.id();
        partitions.iter_mut().for_each(|(_, fetched)| without_those_of_another(id, fetched));
        Some(topic((name, partitions)).with_topic_id(id))
    });
    Ok(topics.chain(unknown).collect())
}

/// A topic with what is committed for its partitions.
type TopicOffsets = (TopicName, Vec<(i32, Fetched)>);
type Fetched = Result<Option<CommittedOffset>, ErrorCode>;

/// An offset that was committed for another topic of that name is none.
fn without_those_of_another(id: Uuid, fetched: &mut Fetched) {
    let of_topic = |offset: &CommittedOffset| is_of_topic(offset.topic_id, id);
    *fetched = std::mem::replace(fetched, Ok(None)).map(|offset| offset.filter(of_topic));
}

async fn offsets(
    cx: &RequestContext,
    wanted: OffsetsWanted,
    asked: Option<&[(TopicName, Vec<i32>)]>,
) -> Result<Vec<TopicOffsets>, ErrorCode> {
    let partitions = asked.map(|topics| {
        let each = topics
            .iter()
            .flat_map(|(name, partitions)| partitions.iter().map(|partition| (name.to_string(), *partition)));
        each.collect()
    });
    let found = cx.node.groups.fetch_offsets(OffsetsWanted { partitions, ..wanted }).await?;
    let mut topics: Vec<TopicOffsets> = Vec::new();
    for (topic, partition, offset) in found {
        match topics.last_mut().filter(|(name, _)| **name == *topic) {
            Some((_, partitions)) => partitions.push((partition, offset)),
            None => topics.push((topic_name(&topic), vec![(partition, offset)])),
        }
    }
    Ok(topics)
}

/// Version 1 has no error for the whole, so that each partition gets it.
fn refused_in_v1((name, partitions): (TopicName, Vec<i32>), error: ErrorCode) -> OffsetFetchResponseTopic {
    let partitions = partitions.into_iter().map(|index| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(index)
            .with_committed_offset(-1)
            .with_error_code(error.code())
    });
    OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect())
}

fn of_unknown_id(topic: OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    let partitions = topic.partition_indexes.into_iter().map(|index| {
        OffsetFetchResponsePartitions::default()
            .with_partition_index(index)
            .with_committed_offset(-1)
            .with_error_code(ErrorCode::UnknownTopicId.code())
    });
    OffsetFetchResponseTopics::default().with_topic_id(topic.topic_id).with_partitions(partitions.collect())
}

fn topic_before_v8((name, partitions): TopicOffsets) -> OffsetFetchResponseTopic {
    let partitions = partitions.into_iter().map(|(index, offset)| {
        let (error, offset, leader_epoch, metadata) = fields(offset);
        OffsetFetchResponsePartition::default()
            .with_partition_index(index)
            .with_error_code(error.code())
            .with_committed_offset(offset)
            .with_committed_leader_epoch(leader_epoch)
            .with_metadata(Some(metadata))
    });
    OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect())
}

fn topic((name, partitions): TopicOffsets) -> OffsetFetchResponseTopics {
    let partitions = partitions.into_iter().map(|(index, offset)| {
        let (error, offset, leader_epoch, metadata) = fields(offset);
        OffsetFetchResponsePartitions::default()
            .with_partition_index(index)
            .with_error_code(error.code())
            .with_committed_offset(offset)
            .with_committed_leader_epoch(leader_epoch)
            .with_metadata(Some(metadata))
    });
    OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions.collect())
}

fn fields(offset: Fetched) -> (ErrorCode, i64, i32, StrBytes) {
    match offset {
        Ok(Some(found)) => (ErrorCode::None, found.offset, found.leader_epoch, text(found.metadata)),
        Ok(None) => (ErrorCode::None, -1, -1, text("")),
        Err(error) => (error, -1, -1, text("")),
    }
}
