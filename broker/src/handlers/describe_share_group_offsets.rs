//! DescribeShareGroupOffsets: v0-1 (KIP-932)
//!
//! Where delivery to groups begins in each partition, of the partitions asked for or of all that have share state. v1
//! tells how many records are still to be delivered (KIP-1226). Where a group has not begun, both are -1.

use std::collections::BTreeMap;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::share_state::NO_DELIVERY_COMPLETE_COUNT;
use brooklet_protocol::messages::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestTopic;
use brooklet_protocol::messages::describe_share_group_offsets_response::{
    DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
};
use brooklet_protocol::messages::{DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse};

use super::group_protocols::check_share;
use super::share_group_state::share_partition;
use super::{text, topic_name};
use crate::apis::{Api, RequestContext};
use crate::error::ToErrorCode;
use crate::share::state::ShareCoordinator;
use crate::share::state::shard::NO_START_OFFSET;
use crate::topics::Topic;

pub(crate) const API: Api = Api::new::<DescribeShareGroupOffsetsRequest>("DescribeShareGroupOffsets", 0..=1);

const NO_LAG: i64 = -1;

pub(crate) async fn handle(
    cx: &RequestContext,
    request: DescribeShareGroupOffsetsRequest,
) -> DescribeShareGroupOffsetsResponse {
    let state = cx.node.share.state().await;
    let mut groups = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        let asked = match (check_share(cx), group.topics) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(topics)) => Ok(topics),
            (Ok(()), None) => all_topics(cx, &group.group_id).await,
        };
        let response = DescribeShareGroupOffsetsResponseGroup::default();
        let response = match asked {
            Ok(topics) => {
                let described = topics.into_iter().map(|topic| describe(cx, state, &group.group_id, topic));
                response.with_topics(described.collect())
            }
            Err(error) => response.with_error_code(error.code()),
        };
        groups.push(response.with_group_id(group.group_id));
    }
    DescribeShareGroupOffsetsResponse::default().with_groups(groups)
}

/// The topics with the partitions that have share state.
async fn all_topics(
    cx: &RequestContext,
    group_id: &str,
) -> Result<Vec<DescribeShareGroupOffsetsRequestTopic>, ErrorCode> {
    let initialized = cx.node.groups.share_initialized(group_id.to_owned()).await?;
    let named: BTreeMap<String, Vec<i32>> = initialized
        .into_iter()
        .filter_map(|(id, topic)| {
            Some((cx.node.topics.by_id(id)?.name().to_owned(), topic.partitions.into_iter().collect()))
        })
        .collect();
    let topics = named.into_iter().map(|(name, partitions)| {
        DescribeShareGroupOffsetsRequestTopic::default().with_topic_name(topic_name(&name)).with_partitions(partitions)
    });
    Ok(topics.collect())
}

fn describe(
    cx: &RequestContext,
    state: &ShareCoordinator,
    group_id: &str,
    asked: DescribeShareGroupOffsetsRequestTopic,
) -> DescribeShareGroupOffsetsResponseTopic {
    let topic = cx.node.topics.by_name(&asked.topic_name);
    let partitions = asked.partitions.into_iter().map(|index| match &topic {
        Some(topic) => describe_partition(state, group_id, topic, index),
        None => not_begun(index),
    });
    DescribeShareGroupOffsetsResponseTopic::default()
        .with_topic_id(topic.as_ref().map(|topic| topic.id()).unwrap_or_default())
        .with_partitions(partitions.collect())
        .with_topic_name(asked.topic_name)
}

fn describe_partition(
    state: &ShareCoordinator,
    group_id: &str,
    topic: &Topic,
    index: i32,
) -> DescribeShareGroupOffsetsResponsePartition {
    // A partition that is not there is one of which nothing was read.
    let Ok(Some(kept)) = state.summary(&share_partition(group_id, topic.id(), index)) else {
        return not_begun(index);
    };
    let response = DescribeShareGroupOffsetsResponsePartition::default()
        .with_partition_index(index)
        .with_start_offset(kept.start_offset)
        .with_leader_epoch(kept.leader_epoch);
    if kept.start_offset == NO_START_OFFSET || kept.delivery_complete_count == NO_DELIVERY_COMPLETE_COUNT {
        return response.with_lag(NO_LAG);
    }
    let end = topic.partition(index).map(|partition| partition.view().map(|view| view.next_offset()));
    match end {
        Some(Ok(end)) => response.with_lag(end - kept.start_offset - i64::from(kept.delivery_complete_count)),
        Some(Err(error)) => DescribeShareGroupOffsetsResponsePartition::default()
            .with_partition_index(index)
            .with_error_code(error.error_code().code())
            .with_error_message(Some(text(error.to_string()))),
        None => not_begun(index),
    }
}

fn not_begun(index: i32) -> DescribeShareGroupOffsetsResponsePartition {
    DescribeShareGroupOffsetsResponsePartition::default()
        .with_partition_index(index)
        .with_start_offset(NO_START_OFFSET)
        .with_lag(NO_LAG)
}
