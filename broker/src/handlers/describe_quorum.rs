//! DescribeQuorum: v0-2
//!
//! The quorum is this node: voter and leader, never behind. v1 tells when it was last heard of (KIP-836), which is now;
//! v2 its directory and its listeners (KIP-853). Only partition 0 of `__cluster_metadata` may be asked for, and alone.
//!
//! Differs from Kafka: the controller's listener is named CONTROLLER and has the address of the broker's first, since
//! there is none behind it. The end of the metadata log is a function of the time.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::describe_quorum_request::TopicData as AskedTopic;
use brooklet_protocol::messages::describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData};
use brooklet_protocol::messages::{BrokerId, DescribeQuorumRequest, DescribeQuorumResponse};

use super::quorum::{self, METADATA_TOPIC};
use super::{text, topic_name};
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<DescribeQuorumRequest>("DescribeQuorum", 0..=2);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: DescribeQuorumRequest) -> DescribeQuorumResponse {
    if !asks_for_the_quorum(&request.topics) {
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| unknown(partition.partition_index));
            TopicData::default().with_partitions(partitions.collect()).with_topic_name(topic.topic_name)
        });
        return DescribeQuorumResponse::default().with_topics(topics.collect());
    }
    let now = cx.node.clock.wall_ms();
    let end = quorum::end_offset(now);
    let node_id = BrokerId(cx.node.node_id());
    let mut voter = ReplicaState::default().with_replica_id(node_id).with_log_end_offset(end);
    if cx.version >= 1 {
        voter = voter.with_last_fetch_timestamp(now).with_last_caught_up_timestamp(now);
    }
    if cx.version >= 2 {
        voter = voter.with_replica_directory_id(cx.node.data_dir.directory_id());
    }
    let partition = PartitionData::default()
        .with_leader_id(node_id)
        .with_leader_epoch(quorum::LEADER_EPOCH)
        .with_high_watermark(end)
        .with_current_voters(vec![voter]);
    let topic = TopicData::default().with_topic_name(topic_name(METADATA_TOPIC)).with_partitions(vec![partition]);
    let response = DescribeQuorumResponse::default().with_topics(vec![topic]);
    if cx.version < 2 {
        return response;
    }
    let listeners = cx.node.endpoints.first().map(|endpoint| {
        Listener::default().with_name(text(quorum::LISTENER)).with_host(text(&*endpoint.host)).with_port(endpoint.port)
    });
    let node = Node::default().with_node_id(node_id).with_listeners(listeners.into_iter().collect());
    response.with_nodes(vec![node])
}

fn asks_for_the_quorum(topics: &[AskedTopic]) -> bool {
    let [topic] = topics else { return false };
    let [partition] = &*topic.partitions else { return false };
    **topic.topic_name == *METADATA_TOPIC && partition.partition_index == 0
}

fn unknown(index: i32) -> PartitionData {
    PartitionData::default()
        .with_partition_index(index)
        .with_error_code(ErrorCode::UnknownTopicOrPartition.code())
        .with_error_message(Some(text("only partition 0 of __cluster_metadata is described, and alone")))
}
