//! EndTxn: v0-5
//!
//! Commits or aborts a producer's transaction. v2 tells PRODUCER_FENCED · v3 flexible · v4 TRANSACTION_ABORTABLE · v5 is
//! the second transaction version (KIP-890): the answer has the id and epoch for the next transaction.
//!
//! Differs from Kafka: the answer comes when the markers stand, not before.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::messages::{EndTxnRequest, EndTxnResponse, ProducerId};

use crate::apis::{Api, RequestContext};
use crate::txn::requests::{EndTransaction, ProducerIdAndEpoch};

pub(crate) const API: Api = Api::new::<EndTxnRequest>("EndTxn", 0..=5);

pub(crate) async fn handle(cx: &RequestContext, request: EndTxnRequest) -> EndTxnResponse {
    let end = EndTransaction {
        transactional_id: request.transactional_id.to_string(),
        producer: ProducerIdAndEpoch { producer_id: request.producer_id.0, producer_epoch: request.producer_epoch },
        commit: request.committed,
        version: if cx.version >= 5 { TransactionVersion::V2 } else { TransactionVersion::V0 },
    };
    let (error, producer) = match cx.node.transactions.end(end).await {
        Ok(producer) => (ErrorCode::None, producer),
        Err(ErrorCode::ProducerFenced) if cx.version < 2 => (ErrorCode::InvalidProducerEpoch, ProducerIdAndEpoch::NONE),
        Err(error) => (error, ProducerIdAndEpoch::NONE),
    };
    let response = EndTxnResponse::default().with_error_code(error.code());
    if cx.version < 5 {
        return response;
    }
    response.with_producer_id(ProducerId(producer.producer_id)).with_producer_epoch(producer.producer_epoch)
}
