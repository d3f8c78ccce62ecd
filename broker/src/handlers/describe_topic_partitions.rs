//! DescribeTopicPartitions: v0 (KIP-966)
//!
//! Topics by name in order, a page at a time: at most `response_partition_limit` partitions (2,000 at the most), then
//! a cursor where to go on. No names means all topics.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use brooklet_protocol::messages::{BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};

use super::{operations, topic_name};
use crate::apis::{Api, RequestContext};
use crate::topics::Topic;

pub(crate) const API: Api = Api::new::<DescribeTopicPartitionsRequest>("DescribeTopicPartitions", 0..=0);

/// `max.request.partition.size.limit`.
const MAX_PARTITIONS: i32 = 2000;

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(
    cx: &RequestContext,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let mut names: Vec<String> = match request.topics.is_empty() {
        true => cx.node.topics.all().iter().map(|topic| topic.name().to_owned()).collect(),
        false => request.topics.iter().map(|topic| topic.name.to_string()).collect(),
    };
    names.sort_unstable();
    names.dedup();
    let mut first_partition = 0;
    if let Some(cursor) = &request.cursor {
        names.retain(|name| name.as_str() >= &**cursor.topic_name);
        if names.first().is_some_and(|name| name.as_str() == &**cursor.topic_name) {
            first_partition = cursor.partition_index.max(0);
        }
    }
    let mut left = request.response_partition_limit.clamp(1, MAX_PARTITIONS);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names {
        let first = std::mem::take(&mut first_partition);
        if left == 0 {
            response.next_cursor = Some(cursor(&name, first));
            break;
        }
        let Some(topic) = cx.node.topics.by_name(&name) else {
            // With all topics asked for, one that has just been deleted is not missed.
            if !request.topics.is_empty() {
                response.topics.push(unknown(&name));
            }
            continue;
        };
        let end = topic.partition_count().min(first.saturating_add(left));
        left -= (end - first).max(0);
        response.topics.push(described(&topic, first..end, BrokerId(cx.node.node_id())));
        if end < topic.partition_count() {
            response.next_cursor = Some(cursor(&name, end));
            break;
        }
    }
    response
}

fn described(
    topic: &Topic,
    partitions: std::ops::Range<i32>,
    node_id: BrokerId,
) -> DescribeTopicPartitionsResponseTopic {
    let partition = |index| {
        DescribeTopicPartitionsResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(node_id)
            .with_leader_epoch(topic.partition(index).map_or(-1, |partition| partition.leader_epoch()))
            .with_replica_nodes(vec![node_id])
            .with_isr_nodes(vec![node_id])
            .with_eligible_leader_replicas(Some(Vec::new()))
            .with_last_known_elr(Some(Vec::new()))
    };
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(topic_name(topic.name())))
        .with_topic_id(topic.id())
        .with_is_internal(topic.is_internal())
        .with_partitions(partitions.map(partition).collect())
        .with_topic_authorized_operations(operations::TOPIC)
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(topic_name(name)))
        .with_error_code(ErrorCode::UnknownTopicOrPartition.code())
}

fn cursor(topic: &str, partition: i32) -> Cursor {
    Cursor::default().with_topic_name(topic_name(topic)).with_partition_index(partition)
}
