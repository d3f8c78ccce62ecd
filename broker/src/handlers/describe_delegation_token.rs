//! DescribeDelegationToken: v1-3
//!
//! No token is given out, and over PLAINTEXT none is described: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as from Kafka.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};

use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<DescribeDelegationTokenRequest>("DescribeDelegationToken", 1..=3);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(
    _cx: &RequestContext,
    _request: DescribeDelegationTokenRequest,
) -> DescribeDelegationTokenResponse {
    DescribeDelegationTokenResponse::default().with_error_code(ErrorCode::DelegationTokenRequestNotAllowed.code())
}
