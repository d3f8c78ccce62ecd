//! AddRaftVoter: v0-1
//!
//! The quorum is this node and takes in no other. What is wrong with a request is told in Kafka's order: another
//! cluster's id, no voter, no listener of controllers, a voter that is one already (DUPLICATE_VOTER). A good one ends as
//! with Kafka when the new voter cannot be reached: REQUEST_TIMED_OUT, at once. v1 may wish to be answered before the
//! change is committed.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::{AddRaftVoterRequest, AddRaftVoterResponse};

use super::quorum;
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<AddRaftVoterRequest>("AddRaftVoter", 0..=1);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: AddRaftVoterRequest) -> AddRaftVoterResponse {
    let (error, message) = quorum::outcome(refuse(cx, &request));
    AddRaftVoterResponse::default().with_error_code(error).with_error_message(message)
}

fn refuse(cx: &RequestContext, request: &AddRaftVoterRequest) -> Result<(), (ErrorCode, String)> {
    quorum::check_cluster_id(cx, request.cluster_id.as_ref())?;
    let voter = request.voter_id;
    if voter < 0 || request.voter_directory_id.is_nil() {
        return Err((ErrorCode::InvalidRequest, "a voter has an id and a directory id".to_owned()));
    }
    if !request.listeners.iter().any(|listener| &*listener.name == quorum::LISTENER) {
        let message = format!("the voter has no listener {}", quorum::LISTENER);
        return Err((ErrorCode::InvalidRequest, message));
    }
    if voter == cx.node.node_id() {
        return Err((ErrorCode::DuplicateVoter, format!("{voter} is a voter already")));
    }
    Err((ErrorCode::RequestTimedOut, format!("{voter} cannot join: this node is a quorum of one, and stays it")))
}
