//! FindCoordinator: v0-6
//!
//! It is always this node, at once: nothing has to be made first. v4 asks for several keys (KIP-699), v6 for share
//! partitions.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::find_coordinator_response::Coordinator;
use brooklet_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};

use super::text;
use crate::apis::{Api, RequestContext};
use crate::share::state::is_coordinator_key;

pub(crate) const API: Api = Api::new::<FindCoordinatorRequest>("FindCoordinator", 0..=6);

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
const NOBODY: BrokerId = BrokerId(-1);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    if cx.version < 4 {
        let found = find(cx, request.key_type, &request.key);
        let response = FindCoordinatorResponse::default()
            .with_error_code(found.error_code)
            .with_node_id(found.node_id)
            .with_host(found.host)
            .with_port(found.port);
        return if cx.version >= 1 { response.with_error_message(found.error_message) } else { response };
    }
    let coordinators = request.coordinator_keys.into_iter().map(|key| find(cx, request.key_type, &key).with_key(key));
    FindCoordinatorResponse::default().with_coordinators(coordinators.collect())
}

fn find(cx: &RequestContext, key_type: i8, key: &str) -> Coordinator {
    let refused = match key_type {
        GROUP | TRANSACTION => None,
        SHARE if cx.version < 6 => Some("share groups came with version 6"),
        SHARE if is_coordinator_key(key) => None,
        SHARE => Some("a share coordinator's key is group:topic id:partition"),
        _ => Some("this broker has no coordinator of this type"),
    };
    match refused {
        None => Coordinator::default()
            .with_node_id(BrokerId(cx.node.node_id()))
            .with_host(text(&*cx.endpoint.host))
            .with_port(i32::from(cx.endpoint.port)),
        Some(reason) => Coordinator::default()
            .with_error_code(ErrorCode::InvalidRequest.code())
            .with_error_message(Some(text(reason)))
            .with_node_id(NOBODY)
            .with_port(-1),
    }
}
