//! SaslAuthenticate: v0-2
//!
//! As with SaslHandshake, nobody is to authenticate on a listener without SASL: ILLEGAL_SASL_STATE.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};

use super::text;
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<SaslAuthenticateRequest>("SaslAuthenticate", 0..=2);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(_cx: &RequestContext, _request: SaslAuthenticateRequest) -> SaslAuthenticateResponse {
    SaslAuthenticateResponse::default()
        .with_error_code(ErrorCode::IllegalSaslState.code())
        .with_error_message(Some(text("this listener has no SASL: whoever connects is authenticated already")))
}
