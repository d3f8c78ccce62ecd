//! UnregisterBroker: v0
//!
//! A broker that is not there is BROKER_ID_NOT_REGISTERED.
//!
//! Differs from Kafka: this broker itself cannot be unregistered (INVALID_REQUEST). Kafka grants that even to the last
//! broker that runs, which then names no broker and leads nothing until it is started again.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};

use super::text;
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<UnregisterBrokerRequest>("UnregisterBroker", 0..=0);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: UnregisterBrokerRequest) -> UnregisterBrokerResponse {
    let id = request.broker_id.0;
    let (error, message) = if id == cx.node.node_id() {
        (ErrorCode::InvalidRequest, format!("broker {id} is the one that answers; it cannot be unregistered"))
    } else {
        (ErrorCode::BrokerIdNotRegistered, format!("there is no broker {id}"))
    };
    UnregisterBrokerResponse::default().with_error_code(error.code()).with_error_message(Some(text(message)))
}
