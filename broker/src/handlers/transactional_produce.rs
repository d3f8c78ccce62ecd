//! What a Produce request writes in a transaction: it is appended once the transaction coordinator knows that the partitions are
//! part of it.

use std::time::Instant;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::ProduceRequest;
use brooklet_protocol::records::BatchHeader;
use brooklet_storage::AppendOrigin;

use super::produce::{Append, Refusal, TopicAppends};
use super::refusal;
use crate::apis::RequestContext;
use crate::txn::requests::{ProducerIdAndEpoch, TopicPartition};
use crate::txn::verification::TransactionSupport;

/// Why nothing of a request can be appended, whatever is in the batches.
pub(super) fn refusal_of_all(request: &ProduceRequest) -> Option<ErrorCode> {
    let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let headers = partitions.filter_map(|data| BatchHeader::parse(data.records.as_deref()?).ok());
    let mut producers =
        headers.filter(|header| header.attributes.is_transactional()).map(|header| producer_of(&header));
    let first = producers.next()?;
    if request.transactional_id.is_none() {
        return Some(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    producers.any(|other| other != first).then_some(ErrorCode::InvalidProducerIdMapping)
}

fn producer_of(header: &BatchHeader) -> ProducerIdAndEpoch {
    ProducerIdAndEpoch { producer_id: header.producer_id, producer_epoch: header.producer_epoch }
}

/// Has the partitions of transactional batches verified, or added. What the coordinator does not admit is refused.
pub(super) async fn admit(cx: &RequestContext, transactional_id: &str, topics: &mut [TopicAppends]) {
    let support = TransactionSupport::of_produce(cx.version);
    let (backoff, longest) = {
        let broker = &cx.node.config().broker;
        (broker.add_partitions_to_txn_retry_backoff, broker.add_partitions_to_txn_retry_backoff_max)
    };
    let started = Instant::now();
    while !admit_once(cx, transactional_id, topics, support, started.elapsed() >= longest).await {
        // The transaction before is being completed, which is over soon. The client would wait longer.
        tokio::time::sleep(backoff).await;
    }
}

/// Returns whether that was all there is to do: CONCURRENT_TRANSACTIONS may pass, unless this is the `last` try.
async fn admit_once(
    cx: &RequestContext,
    transactional_id: &str,
    topics: &mut [TopicAppends],
    support: TransactionSupport,
    last: bool,
) -> bool {
    let (unverified, producer) = begin(cx, topics, support);
    let asks = support == TransactionSupport::AddsPartitions
        || cx.node.config().broker.transaction_partition_verification_enable;
    let Some(producer) = producer.filter(|_| asks) else {
        return true;
    };
    let partitions = unverified.iter().map(|(at, _)| at.clone()).collect();
    let outcomes = cx.node.transactions.admit(transactional_id, producer, partitions, support).await;
    let may_pass = support == TransactionSupport::AddsPartitions && !last;
    if may_pass && outcomes.contains(&ErrorCode::ConcurrentTransactions) {
        return false;
    }
    for ((_, (topic, partition)), outcome) in unverified.into_iter().zip(outcomes) {
        if outcome != ErrorCode::None {
            topics[topic].partitions[partition].1 = Err(refused(outcome, support));
        }
    }
    true
}

/// Where an append stands among those of the request.
type Place = (usize, usize);

/// Begins the verification of what needs one, and returns which that is, and whose.
fn begin(
    cx: &RequestContext,
    topics: &mut [TopicAppends],
    support: TransactionSupport,
) -> (Vec<(TopicPartition, Place)>, Option<ProducerIdAndEpoch>) {
    let now_ms = cx.node.clock.wall_ms();
    let mut unverified = Vec::new();
    let mut producer = None;
    for (topic_place, TopicAppends { topic, partitions, .. }) in topics.iter_mut().enumerate() {
        for (place, (index, append)) in partitions.iter_mut().enumerate() {
            let Ok(Append { partition, batch, origin, .. }) = append else { continue };
            if !batch.header.attributes.is_transactional() {
                continue;
            }
            match partition.begin_verification(&batch.header, support.version(), now_ms) {
                Ok(None) => *origin = AppendOrigin::Client,
                Ok(Some(guard)) => {
                    *origin = AppendOrigin::VerifiedClient(guard);
                    let topic = topic.as_ref().map_or("", |topic| topic.name());
                    unverified.push((TopicPartition::new(topic, *index), (topic_place, place)));
                    producer = Some(producer_of(&batch.header));
                }
                Err(error) => *append = Err(refusal(&error).into()),
            }
        }
    }
    (unverified, producer)
}

/// In the codes that make producers do the right thing: ask again where that may help, abort where it will not.
fn refused(outcome: ErrorCode, support: TransactionSupport) -> Refusal {
    let adds = support == TransactionSupport::AddsPartitions;
    match outcome {
        ErrorCode::InvalidTxnState => Refusal::because(outcome, "the partition was not added to the transaction"),
        ErrorCode::ConcurrentTransactions if adds => {
            Refusal::because(outcome, "the producer's transaction before is being completed")
        }
        ErrorCode::ConcurrentTransactions
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator => Refusal::because(
            ErrorCode::NotEnoughReplicas,
            format!("the transaction coordinator could not be asked about the partition: {outcome}"),
        ),
        _ => Refusal::because(outcome, format!("the transaction coordinator does not admit the partition: {outcome}")),
    }
}
