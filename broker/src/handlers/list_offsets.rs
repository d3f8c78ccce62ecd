//! ListOffsets: v1-11
//!
//! By time: the first record at or after it. Specials: -1 latest (the last stable offset for who reads committed
//! records), -2 earliest, -3 that of the greatest timestamp (v7, KIP-734), -4 earliest local (v8), -5 latest tiered
//! (v9), -6 earliest that waits for its upload (v11, KIP-1023). There are no tiers: the earliest local is the earliest,
//! nothing is tiered and nothing waits. A partition that is named twice is INVALID_REQUEST each time.

use std::collections::HashMap;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::list_offsets_request::ListOffsetsPartition;
use brooklet_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use brooklet_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use brooklet_storage::{LogView, TimestampAndOffset};

use crate::apis::{Api, RequestContext};
use crate::error::ToErrorCode;

pub(crate) const API: Api = Api::new::<ListOffsetsRequest>("ListOffsets", 1..=11);

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;
const NOWHERE: TimestampAndOffset = TimestampAndOffset { timestamp: -1, offset: -1 };
const READ_COMMITTED: i8 = 1;

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let committed_only = request.isolation_level == READ_COMMITTED;
    let mut times_named = HashMap::new();
    for topic in &request.topics {
        for asked in &topic.partitions {
            *times_named.entry((topic.name.clone(), asked.partition_index)).or_insert(0) += 1;
        }
    }
    let topics = request.topics.into_iter().map(|topic| {
        let found = cx.node.topics.by_name(&topic.name);
        let partition = |asked: &ListOffsetsPartition| {
            let response = ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
            let partition = found.as_ref().and_then(|topic| topic.partition(asked.partition_index));
            let named_twice = times_named[&(topic.name.clone(), asked.partition_index)] > 1;
            let offset = match partition {
                _ if named_twice => Err(ErrorCode::InvalidRequest),
                _ if !is_known(asked.timestamp, cx.version) => Err(ErrorCode::UnsupportedVersion),
                None => Err(ErrorCode::UnknownTopicOrPartition),
                Some(partition) => partition.check_leader_epoch(asked.current_leader_epoch).and_then(|()| {
                    let view = partition.view().map_err(|error| error.error_code())?;
                    let found = look_up(view, asked.timestamp, committed_only)?;
                    Ok((found, view.leader_epochs().at(found.offset)))
                }),
            };
            match offset {
                Ok((found, epoch)) => {
                    let response = response.with_timestamp(found.timestamp).with_offset(found.offset);
                    match epoch.filter(|_| found.offset >= 0 && cx.version >= 4) {
                        Some(epoch) => response.with_leader_epoch(epoch),
                        None => response,
                    }
                }
                Err(error) => response.with_error_code(error.code()),
            }
        };
        let partitions = topic.partitions.iter().map(partition).collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

/// Whether a version has this special timestamp, or it is a time.
fn is_known(timestamp: i64, version: i16) -> bool {
    match timestamp {
        0.. | EARLIEST | LATEST => true,
        MAX_TIMESTAMP => version >= 7,
        EARLIEST_LOCAL => version >= 8,
        LATEST_TIERED => version >= 9,
        EARLIEST_PENDING_UPLOAD => version >= 11,
        _ => false,
    }
}

fn look_up(view: &LogView, timestamp: i64, committed_only: bool) -> Result<TimestampAndOffset, ErrorCode> {
    let end = if committed_only { view.last_stable_offset() } else { view.next_offset() };
    let at = |offset| Ok(TimestampAndOffset { timestamp: -1, offset });
    let stored = |found: Result<Option<TimestampAndOffset>, brooklet_storage::Error>| {
        let found = found.map_err(|error| error.error_code())?;
        // What the client could not read must not be found either.
        Ok(found.filter(|found| found.offset < end).unwrap_or(NOWHERE))
    };
    match timestamp {
        LATEST => at(end),
        EARLIEST | EARLIEST_LOCAL => at(view.log_start_offset()),
        MAX_TIMESTAMP => stored(view.max_timestamp()),
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => Ok(NOWHERE),
        timestamp => stored(view.first_at_or_after(timestamp)),
    }
}
