//! CreateAcls: v1-3
//!
//! There is no authorizer: SECURITY_DISABLED for each ACL, as from Kafka without one. An ACL with an UNKNOWN in it (0)
//! ends the connection, as Kafka does not take it for a request.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::create_acls_response::AclCreationResult;
use brooklet_protocol::messages::{CreateAclsRequest, CreateAclsResponse};

use super::{NO_AUTHORIZER, UNKNOWN_IN_ACL, text};
use crate::apis::{Answer, Api, RequestContext};

pub(crate) const API: Api = Api::new::<CreateAclsRequest>("CreateAcls", 1..=3);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(_cx: &RequestContext, request: CreateAclsRequest) -> Answer<CreateAclsResponse> {
    let has_unknown = request
        .creations
        .iter()
        .any(|acl| [acl.resource_type, acl.resource_pattern_type, acl.operation, acl.permission_type].contains(&0));
    if has_unknown {
        return Answer::Close(UNKNOWN_IN_ACL);
    }
    let refused = AclCreationResult::default()
        .with_error_code(ErrorCode::SecurityDisabled.code())
        .with_error_message(Some(text(NO_AUTHORIZER)));
    CreateAclsResponse::default().with_results(vec![refused; request.creations.len()]).into()
}
