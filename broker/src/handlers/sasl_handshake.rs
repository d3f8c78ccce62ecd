//! SaslHandshake: v0-1
//!
//! Every listener is without SASL, and there a handshake comes too late: ILLEGAL_SASL_STATE, as from Kafka. The
//! connection stays.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};

use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<SaslHandshakeRequest>("SaslHandshake", 0..=1);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(_cx: &RequestContext, _request: SaslHandshakeRequest) -> SaslHandshakeResponse {
    SaslHandshakeResponse::default().with_error_code(ErrorCode::IllegalSaslState.code())
}
