//! DescribeProducers: v0
//!
//! What partitions know of the producers that have written to them, and where their open transactions begin (KIP-664).

use brooklet_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use brooklet_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};
use brooklet_protocol::{ErrorCode, StrBytes};
use brooklet_storage::ProducerStateEntry;

use super::refusal;
use crate::apis::{Api, RequestContext};
use crate::topics::check_name;

pub(crate) const API: Api = Api::new::<DescribeProducersRequest>("DescribeProducers", 0..=0);

const NO_OFFSET: i64 = -1;

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let invalid = check_name(&topic.name).err().map(|error| refusal(&error));
        let partitions = topic.partition_indexes.into_iter().map(|index| {
            let producers = match &invalid {
                Some(refusal) => Err(refusal.clone()),
                None => producers(cx, &topic.name, index),
            };
            let response = PartitionResponse::default().with_partition_index(index);
            match producers {
                Ok(producers) => response.with_active_producers(producers),
                Err((error, message)) => response.with_error_code(error.code()).with_error_message(message),
            }
        });
        TopicResponse::default().with_partitions(partitions.collect()).with_name(topic.name.clone())
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}

fn producers(
    cx: &RequestContext,
    topic: &str,
    index: i32,
) -> Result<Vec<ProducerState>, (ErrorCode, Option<StrBytes>)> {
    let partition = cx.node.topics.by_name(topic).and_then(|topic| topic.partition(index));
    let partition = partition.ok_or((ErrorCode::UnknownTopicOrPartition, None))?;
    let producers = partition.producers().map_err(|error| refusal(&error))?;
    Ok(producers.iter().map(|(id, entry)| state(*id, entry)).collect())
}

fn state(producer_id: i64, entry: &ProducerStateEntry) -> ProducerState {
    ProducerState::default()
        .with_producer_id(ProducerId(producer_id))
        .with_producer_epoch(entry.epoch().into())
        .with_last_sequence(entry.last_sequence())
        .with_last_timestamp(entry.last_timestamp())
        .with_coordinator_epoch(entry.coordinator_epoch())
        .with_current_txn_start_offset(entry.current_txn_first_offset().unwrap_or(NO_OFFSET))
}
