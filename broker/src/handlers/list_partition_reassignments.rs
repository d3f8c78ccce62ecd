//! ListPartitionReassignments: v0
//!
//! A partition never moves on one node, so that there is none to list.

use brooklet_protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<ListPartitionReassignmentsRequest>("ListPartitionReassignments", 0..=0);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(
    _cx: &RequestContext,
    _request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default().with_error_message(None)
}
