//! RemoveRaftVoter: v0
//!
//! The quorum is this node and stays. Whoever is to be removed is VOTER_NOT_FOUND: this node too, as with Kafka, since a
//! quorum without voters is none. Before that come another cluster's id and a voter without id or directory.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::{RemoveRaftVoterRequest, RemoveRaftVoterResponse};

use super::quorum;
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<RemoveRaftVoterRequest>("RemoveRaftVoter", 0..=0);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: RemoveRaftVoterRequest) -> RemoveRaftVoterResponse {
    let (error, message) = quorum::outcome(refuse(cx, &request));
    RemoveRaftVoterResponse::default().with_error_code(error).with_error_message(message)
}

fn refuse(cx: &RequestContext, request: &RemoveRaftVoterRequest) -> Result<(), (ErrorCode, String)> {
    quorum::check_cluster_id(cx, request.cluster_id.as_ref())?;
    let voter = (request.voter_id, request.voter_directory_id);
    if voter.0 < 0 || voter.1.is_nil() {
        return Err((ErrorCode::InvalidRequest, "a voter has an id and a directory id".to_owned()));
    }
    Err((ErrorCode::VoterNotFound, format!("there is no voter {} with directory {} beside the last", voter.0, voter.1)))
}
