//! WriteTxnMarkers: v1-2
//!
//! How brokers end transactions in each other's partitions. Here only an administrator sends it, to end one that hangs
//! (KIP-664). v2 says of which transaction version it is (KIP-1228).

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::messages::write_txn_markers_request::WritableTxnMarkerTopic;
use brooklet_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use brooklet_protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use brooklet_protocol::records::EndTransactionMarker;

use crate::apis::{Api, RequestContext};
use crate::txn::markers::Marker;
use crate::txn::requests::{ProducerIdAndEpoch, TopicPartition};

pub(crate) const API: Api = Api::new::<WriteTxnMarkersRequest>("WriteTxnMarkers", 1..=2);

pub(crate) async fn handle(cx: &RequestContext, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
    let mut results = Vec::with_capacity(request.markers.len());
    for wanted in request.markers {
        let marker = Marker {
            producer: ProducerIdAndEpoch { producer_id: wanted.producer_id.0, producer_epoch: wanted.producer_epoch },
            end: EndTransactionMarker {
                commit: wanted.transaction_result,
                coordinator_epoch: wanted.coordinator_epoch,
            },
            version: TransactionVersion::from_level(wanted.transaction_version.into()),
        };
        let mut topics = Vec::with_capacity(wanted.topics.len());
        for topic in wanted.topics {
            topics.push(write(cx, marker, topic).await);
        }
        results.push(WritableTxnMarkerResult::default().with_producer_id(wanted.producer_id).with_topics(topics));
    }
    WriteTxnMarkersResponse::default().with_markers(results)
}

async fn write(cx: &RequestContext, marker: Marker, topic: WritableTxnMarkerTopic) -> WritableTxnMarkerTopicResult {
    let mut partitions = Vec::with_capacity(topic.partition_indexes.len());
    for index in topic.partition_indexes {
        let written = cx.node.markers.append(marker, &TopicPartition::new(&topic.name, index)).await;
        let error = written.err().unwrap_or(ErrorCode::None);
        partitions.push(
            WritableTxnMarkerPartitionResult::default().with_partition_index(index).with_error_code(error.code()),
        );
    }
    WritableTxnMarkerTopicResult::default().with_name(topic.name).with_partitions(partitions)
}
