//! InitProducerId: v0-5
//!
//! Gives an idempotent producer an id that nobody has had, with epoch 0; one that has an id already (v3, KIP-360) gets a
//! new one too. With a transactional id the producer keeps its id and gets the next epoch, which fences whoever had it
//! before: if that one is in a transaction, this is aborted, and the answer is CONCURRENT_TRANSACTIONS until it is.
//! v4 tells PRODUCER_FENCED.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use crate::apis::{Api, RequestContext};
use crate::error::ToErrorCode;
use crate::txn::requests::{InitProducer, ProducerIdAndEpoch};

pub(crate) const API: Api = Api::new::<InitProducerIdRequest>("InitProducerId", 0..=5);

pub(crate) async fn handle(cx: &RequestContext, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let (error, producer) = match init(cx, request).await {
        Ok(producer) => (ErrorCode::None, producer),
        Err(ErrorCode::ProducerFenced) if cx.version < 4 => (ErrorCode::InvalidProducerEpoch, ProducerIdAndEpoch::NONE),
        Err(error) => (error, ProducerIdAndEpoch::NONE),
    };
    InitProducerIdResponse::default()
        .with_error_code(error.code())
        .with_producer_id(ProducerId(producer.producer_id))
        .with_producer_epoch(producer.producer_epoch)
}

async fn init(cx: &RequestContext, request: InitProducerIdRequest) -> Result<ProducerIdAndEpoch, ErrorCode> {
    let expected = match (request.producer_id.0, request.producer_epoch) {
        (-1, -1) => None,
        (-1, _) | (_, -1) => return Err(ErrorCode::InvalidRequest),
        (producer_id, producer_epoch) => Some(ProducerIdAndEpoch { producer_id, producer_epoch }),
    };
    if let Some(transactional_id) = request.transactional_id {
        let init = InitProducer {
            transactional_id: transactional_id.to_string(),
            timeout_ms: request.transaction_timeout_ms,
            expected,
            owner: None,
        };
        return cx.node.transactions.init_producer(init).await;
    }
    let id = cx.node.topics.next_producer_id().map_err(|error| {
        tracing::error!(%error, "no producer id could be given out");
        error.error_code()
    })?;
    Ok(ProducerIdAndEpoch { producer_id: id, producer_epoch: 0 })
}
