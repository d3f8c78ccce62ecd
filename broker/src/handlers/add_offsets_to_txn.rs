//! AddOffsetsToTxn: v0-4
//!
//! A producer of the first transaction version says before it commits offsets for a group that its transaction does: the
//! group's partition of `__consumer_offsets` is added to it. v2 tells PRODUCER_FENCED · v3 flexible · v4
//! TRANSACTION_ABORTABLE (KIP-890).

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use crate::apis::{Api, RequestContext};
use crate::groups::offsets_topic::placement_of;
use crate::topics::CONSUMER_OFFSETS;
use crate::txn::requests::{PartitionsOfTransaction, ProducerIdAndEpoch, TopicPartition};

pub(crate) const API: Api = Api::new::<AddOffsetsToTxnRequest>("AddOffsetsToTxn", 0..=4);

pub(crate) async fn handle(cx: &RequestContext, request: AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse {
    let partitions = cx.node.config().broker.offsets_topic_num_partitions;
    let partition = placement_of(&cx.node.topics, &request.group_id, partitions);
    let added = PartitionsOfTransaction {
        transactional_id: request.transactional_id.to_string(),
        producer: ProducerIdAndEpoch { producer_id: request.producer_id.0, producer_epoch: request.producer_epoch },
        partitions: vec![TopicPartition::new(CONSUMER_OFFSETS, partition)],
        version: TransactionVersion::V0,
    };
    let error = match cx.node.transactions.add_partitions(added).await {
        ErrorCode::ProducerFenced if cx.version < 2 => ErrorCode::InvalidProducerEpoch,
        outcome => outcome,
    };
    AddOffsetsToTxnResponse::default().with_error_code(error.code())
}
