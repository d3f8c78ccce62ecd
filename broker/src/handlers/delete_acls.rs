//! DeleteAcls: v1-3
//!
//! There is no authorizer: SECURITY_DISABLED for each filter, as from Kafka without one. A filter with an UNKNOWN in it
//! (0) ends the connection, as Kafka does not take it for a request.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use brooklet_protocol::messages::{DeleteAclsRequest, DeleteAclsResponse};

use super::{NO_AUTHORIZER, UNKNOWN_IN_ACL, text};
use crate::apis::{Answer, Api, RequestContext};

pub(crate) const API: Api = Api::new::<DeleteAclsRequest>("DeleteAcls", 1..=3);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(_cx: &RequestContext, request: DeleteAclsRequest) -> Answer<DeleteAclsResponse> {
    let has_unknown = request.filters.iter().any(|filter| {
        [filter.resource_type_filter, filter.pattern_type_filter, filter.operation, filter.permission_type].contains(&0)
    });
    if has_unknown {
        return Answer::Close(UNKNOWN_IN_ACL);
    }
    let refused = DeleteAclsFilterResult::default()
        .with_error_code(ErrorCode::SecurityDisabled.code())
        .with_error_message(Some(text(NO_AUTHORIZER)));
    DeleteAclsResponse::default().with_filter_results(vec![refused; request.filters.len()]).into()
}
