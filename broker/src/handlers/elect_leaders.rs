//! ElectLeaders: v0-2
//!
//! This node leads every partition, and is the replica that is preferred for it: ELECTION_NOT_NEEDED for each that is
//! named. Null asks for all topics, of which those are told that needed an election: none. From v1 a client says which
//! election, preferred (0) or unclean (1).

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::elect_leaders_request::TopicPartitions;
use brooklet_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use brooklet_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use super::{text, topic_name};
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<ElectLeadersRequest>("ElectLeaders", 0..=2);

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: ElectLeadersRequest) -> ElectLeadersResponse {
    if !matches!(request.election_type, PREFERRED | UNCLEAN) {
        let message = format!("election type must be 0 (preferred) or 1 (unclean), not {}", request.election_type);
        let refused = |_: &str, index| result(index, ErrorCode::InvalidRequest, message.clone());
        return ElectLeadersResponse::default()
            .with_error_code(ErrorCode::InvalidRequest.code())
            .with_replica_election_results(each(request.topic_partitions.unwrap_or_default(), refused));
    }
    let Some(named) = request.topic_partitions else {
        let all = cx.node.topics.all();
        let topics = all.iter().map(|topic| ReplicaElectionResult::default().with_topic(topic_name(topic.name())));
        return ElectLeadersResponse::default().with_replica_election_results(topics.collect());
    };
    let elect = |topic: &str, index: i32| {
        if cx.node.topics.by_name(topic).is_some_and(|found| found.partition(index).is_some()) {
            let message = "this node is the leader, and the only replica".to_owned();
            return result(index, ErrorCode::ElectionNotNeeded, message);
        }
        result(index, ErrorCode::UnknownTopicOrPartition, format!("there is no partition {topic}-{index}"))
    };
    ElectLeadersResponse::default().with_replica_election_results(each(named, elect))
}

fn each(topics: Vec<TopicPartitions>, outcome: impl Fn(&str, i32) -> PartitionResult) -> Vec<ReplicaElectionResult> {
    let topics = topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|index| outcome(&topic.topic, *index)).collect();
        ReplicaElectionResult::default().with_topic(topic.topic).with_partition_result(partitions)
    });
    topics.collect()
}

fn result(index: i32, error: ErrorCode, message: String) -> PartitionResult {
    PartitionResult::default()
        .with_partition_id(index)
        .with_error_code(error.code())
        .with_error_message(Some(text(message)))
}
