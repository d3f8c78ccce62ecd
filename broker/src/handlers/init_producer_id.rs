//! InitProducerId: v0-5
//!
//! Gives an idempotent producer an id that nobody has had, with epoch 0. A producer that already has an id (v3,
//! KIP-360) asks again after an error: it gets a new one too.
//!
//! Differs from Kafka: a transactional id is refused; there are no transactions yet.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use crate::apis::{Api, RequestContext};
use crate::error::ToErrorCode;

pub(crate) const API: Api = Api::new::<InitProducerIdRequest>("InitProducerId", 0..=5);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let outcome = match request.transactional_id {
        Some(_) => Err(ErrorCode::InvalidRequest),
        None => cx.node.topics.next_producer_id().map_err(|error| {
            tracing::error!(%error, "no producer id could be given out");
            error.error_code()
        }),
    };
    match outcome {
        Ok(id) => InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0),
        Err(error) => InitProducerIdResponse::default()
            .with_error_code(error.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1),
    }
}
