//! ExpireDelegationToken: v1-2
//!
//! No token is given out, and over PLAINTEXT none is made to expire either: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as from Kafka.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::{ExpireDelegationTokenRequest, ExpireDelegationTokenResponse};

use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<ExpireDelegationTokenRequest>("ExpireDelegationToken", 1..=2);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(
    _cx: &RequestContext,
    _request: ExpireDelegationTokenRequest,
) -> ExpireDelegationTokenResponse {
    ExpireDelegationTokenResponse::default()
        .with_error_code(ErrorCode::DelegationTokenRequestNotAllowed.code())
        .with_expiry_timestamp_ms(-1)
}
