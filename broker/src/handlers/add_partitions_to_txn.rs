//! AddPartitionsToTxn: v0-5
//!
//! A producer of the first transaction version says before it writes to a partition that its transaction does. v2 tells
//! PRODUCER_FENCED · v3 flexible · v4 is for brokers: several transactions, and questions that add nothing (KIP-890).
//! A partition that does not exist keeps the others of its transaction from being added.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use brooklet_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use brooklet_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};

use crate::apis::{Api, RequestContext};
use crate::topics::is_internal;
use crate::txn::requests::{PartitionsOfTransaction, ProducerIdAndEpoch, TopicPartition};

pub(crate) const API: Api = Api::new::<AddPartitionsToTxnRequest>("AddPartitionsToTxn", 0..=5);

pub(crate) async fn handle(cx: &RequestContext, request: AddPartitionsToTxnRequest) -> AddPartitionsToTxnResponse {
    if cx.version < 4 {
        let transaction = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(request.v3_and_below_transactional_id)
            .with_producer_id(request.v3_and_below_producer_id)
            .with_producer_epoch(request.v3_and_below_producer_epoch)
            .with_topics(request.v3_and_below_topics);
        let results = add(cx, transaction, TransactionVersion::V0).await;
        return AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results);
    }
    let mut results = Vec::with_capacity(request.transactions.len());
    for transaction in request.transactions {
        let transactional_id = transaction.transactional_id.clone();
        let topics = add(cx, transaction, TransactionVersion::V2).await;
        results.push(
            AddPartitionsToTxnResult::default().with_transactional_id(transactional_id).with_topic_results(topics),
        );
    }
    AddPartitionsToTxnResponse::default().with_results_by_transaction(results)
}

async fn add(
    cx: &RequestContext,
    transaction: AddPartitionsToTxnTransaction,
    version: TransactionVersion,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let partitions = partitions_of(&transaction.topics);
    let obstacles: Vec<_> = partitions.iter().map(|at| obstacle(cx, at)).collect();
    let outcomes = match obstacles.iter().any(Option::is_some) {
        true => obstacles.into_iter().map(|error| error.unwrap_or(ErrorCode::OperationNotAttempted)).collect(),
        false => ask(cx, &transaction, partitions, version).await,
    };
    results(transaction.topics, outcomes)
}

/// Why a partition cannot be added at all.
fn obstacle(cx: &RequestContext, at: &TopicPartition) -> Option<ErrorCode> {
    if cx.version < 4 && is_internal(&at.topic) {
        return Some(ErrorCode::TopicAuthorizationFailed);
    }
    let exists = cx.node.topics.by_name(&at.topic).is_some_and(|topic| topic.partition(at.partition).is_some());
    (!exists).then_some(ErrorCode::UnknownTopicOrPartition)
}

async fn ask(
    cx: &RequestContext,
    transaction: &AddPartitionsToTxnTransaction,
    partitions: Vec<TopicPartition>,
    version: TransactionVersion,
) -> Vec<ErrorCode> {
    let count = partitions.len();
    let request = PartitionsOfTransaction {
        transactional_id: transaction.transactional_id.to_string(),
        producer: ProducerIdAndEpoch {
            producer_id: transaction.producer_id.0,
            producer_epoch: transaction.producer_epoch,
        },
        partitions,
        version,
    };
    let outcomes = match transaction.verify_only {
        true => cx.node.transactions.verify_partitions(request).await,
        false => Err(cx.node.transactions.add_partitions(request).await),
    };
    outcomes.unwrap_or_else(|error| match error {
        // Clients of then know no other code for it.
        ErrorCode::ProducerFenced if cx.version < 2 => vec![ErrorCode::InvalidProducerEpoch; count],
        error => vec![error; count],
    })
}

fn partitions_of(topics: &[AddPartitionsToTxnTopic]) -> Vec<TopicPartition> {
    let each = topics.iter().flat_map(|topic| topic.partitions.iter().map(|index| (&topic.name, *index)));
    each.map(|(name, index)| TopicPartition::new(name, index)).collect()
}

fn results(topics: Vec<AddPartitionsToTxnTopic>, outcomes: Vec<ErrorCode>) -> Vec<AddPartitionsToTxnTopicResult> {
    let mut outcomes = outcomes.into_iter();
    let result = |(index, outcome): (i32, ErrorCode)| {
        AddPartitionsToTxnPartitionResult::default()
            .with_partition_index(index)
            .with_partition_error_code(outcome.code())
    };
    let topics = topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().zip(&mut outcomes).map(result).collect();
        AddPartitionsToTxnTopicResult::default().with_name(topic.name).with_results_by_partition(partitions)
    });
    topics.collect()
}
