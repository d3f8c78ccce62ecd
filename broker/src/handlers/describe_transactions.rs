//! DescribeTransactions: v0
//!
//! What the coordinator knows of transactional ids (KIP-664). One that it does not know is TRANSACTIONAL_ID_NOT_FOUND.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use brooklet_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ProducerId, TransactionalId,
};

use super::{text, topic_name};
use crate::apis::{Api, RequestContext};
use crate::txn::requests::{TopicPartition, TransactionDescription};

pub(crate) const API: Api = Api::new::<DescribeTransactionsRequest>("DescribeTransactions", 0..=0);

pub(crate) async fn handle(cx: &RequestContext, request: DescribeTransactionsRequest) -> DescribeTransactionsResponse {
    let mut states = Vec::with_capacity(request.transactional_ids.len());
    for id in request.transactional_ids {
        let described = match id.is_empty() {
            true => Err(ErrorCode::InvalidRequest),
            false => cx.node.transactions.describe(id.to_string()).await,
        };
        states.push(match described {
            Ok(Some(found)) => state(found).with_transactional_id(id),
            Ok(None) => refused(id, ErrorCode::TransactionalIdNotFound),
            Err(error) => refused(id, error),
        });
    }
    DescribeTransactionsResponse::default().with_transaction_states(states)
}

fn state(found: TransactionDescription) -> TransactionState {
    let mut topics: Vec<TopicData> = Vec::new();
    for TopicPartition { topic, partition } in found.partitions {
        match topics.last_mut().filter(|last| *last.topic == *topic) {
            Some(last) => last.partitions.push(partition),
            None => {
                topics.push(TopicData::default().with_topic(topic_name(&topic)).with_partitions(vec![partition]));
            }
        }
    }
    TransactionState::default()
        .with_transaction_state(text(found.state.name()))
        .with_transaction_timeout_ms(found.timeout_ms)
        .with_transaction_start_time_ms(found.start_timestamp)
        .with_producer_id(ProducerId(found.producer.producer_id))
        .with_producer_epoch(found.producer.producer_epoch)
        .with_topics(topics)
}

fn refused(id: TransactionalId, error: ErrorCode) -> TransactionState {
    TransactionState::default().with_transactional_id(id).with_error_code(error.code())
}
