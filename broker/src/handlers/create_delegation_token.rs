//! CreateDelegationToken: v1-3
//!
//! Every listener is PLAINTEXT, over which no token is ever given: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as from Kafka.
//! The owner is who the client says (v3) or the client itself, which is User:ANONYMOUS.

use brooklet_protocol::messages::{CreateDelegationTokenRequest, CreateDelegationTokenResponse};
use brooklet_protocol::{ErrorCode, StrBytes};

use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<CreateDelegationTokenRequest>("CreateDelegationToken", 1..=3);

const USER: StrBytes = StrBytes::from_static_str("User");
const ANONYMOUS: StrBytes = StrBytes::from_static_str("ANONYMOUS");

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(
    cx: &RequestContext,
    request: CreateDelegationTokenRequest,
) -> CreateDelegationTokenResponse {
    let owner = match request.owner_principal_name.filter(|name| !name.is_empty()) {
        Some(name) => (request.owner_principal_type.unwrap_or(USER), name),
        None => (USER, ANONYMOUS),
    };
    let response = CreateDelegationTokenResponse::default()
        .with_error_code(ErrorCode::DelegationTokenRequestNotAllowed.code())
        .with_principal_type(owner.0)
        .with_principal_name(owner.1)
        .with_issue_timestamp_ms(-1)
        .with_expiry_timestamp_ms(-1)
        .with_max_timestamp_ms(-1);
    if cx.version < 3 {
        return response;
    }
    response.with_token_requester_principal_type(USER).with_token_requester_principal_name(ANONYMOUS)
}
