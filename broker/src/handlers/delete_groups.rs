//! DeleteGroups: v0-2 (KIP-229)
//!
//! Takes groups without members away, with their offsets and share state.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::delete_groups_response::DeletableGroupResult;
use brooklet_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<DeleteGroupsRequest>("DeleteGroups", 0..=2);

pub(crate) async fn handle(cx: &RequestContext, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let group_ids: Vec<String> = request.groups_names.iter().map(|id| id.to_string()).collect();
    let count = group_ids.len();
    let outcomes = match cx.node.groups.delete_groups(group_ids.clone()).await {
        Ok(outcomes) => outcomes,
        Err(error) => vec![error; count],
    };
    let gone: Vec<_> =
        group_ids.iter().zip(&outcomes).filter(|(_, error)| **error == ErrorCode::None).map(|(id, _)| id).collect();
    cx.node.share.forget(|key| gone.contains(&&key.group_id));
    let results =
        request.groups_names.into_iter().zip(outcomes).map(|(group_id, error)| {
            DeletableGroupResult::default().with_group_id(group_id).with_error_code(error.code())
        });
    DeleteGroupsResponse::default().with_results(results.collect())
}
