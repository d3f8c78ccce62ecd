//! DescribeAcls: v1-3
//!
//! There is no authorizer: SECURITY_DISABLED, as from Kafka without one. A filter with an UNKNOWN in it (0) ends the
//! connection, as Kafka does not take it for a request.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};

use super::{NO_AUTHORIZER, UNKNOWN_IN_ACL, text};
use crate::apis::{Answer, Api, RequestContext};

pub(crate) const API: Api = Api::new::<DescribeAclsRequest>("DescribeAcls", 1..=3);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(_cx: &RequestContext, request: DescribeAclsRequest) -> Answer<DescribeAclsResponse> {
    let kinds = [request.resource_type_filter, request.pattern_type_filter, request.operation, request.permission_type];
    if kinds.contains(&0) {
        return Answer::Close(UNKNOWN_IN_ACL);
    }
    let response = DescribeAclsResponse::default()
        .with_error_code(ErrorCode::SecurityDisabled.code())
        .with_error_message(Some(text(NO_AUTHORIZER)));
    Answer::Message(response)
}
