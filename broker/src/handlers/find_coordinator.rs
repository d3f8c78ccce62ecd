//! FindCoordinator: v0-6
//!
//! It is always this node, at once: nothing has to be made first. v4 asks for several keys (KIP-699), v6 for share
//! groups.
//!
//! Differs from Kafka: share groups have no coordinator yet.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::find_coordinator_response::Coordinator;
use brooklet_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};

use super::text;
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<FindCoordinatorRequest>("FindCoordinator", 0..=6);

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const NOBODY: BrokerId = BrokerId(-1);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let missing = match request.key_type {
        GROUP | TRANSACTION => None,
        _ => Some("this broker has no coordinator of this type"),
    };
    let (error, message) = match missing {
        None => (ErrorCode::None, None),
        Some(message) => (ErrorCode::InvalidRequest, Some(text(message))),
    };
    let (node_id, host, port) = match missing {
        None => (BrokerId(cx.node.node_id()), text(&*cx.endpoint.host), i32::from(cx.endpoint.port)),
        Some(_) => (NOBODY, text(""), -1),
    };
    if cx.version < 4 {
        let response = FindCoordinatorResponse::default()
            .with_error_code(error.code())
            .with_node_id(node_id)
            .with_host(host)
            .with_port(port);
        return if cx.version >= 1 { response.with_error_message(message) } else { response };
    }
    let coordinators = request.coordinator_keys.into_iter().map(|key| {
        Coordinator::default()
            .with_key(key)
            .with_error_code(error.code())
            .with_error_message(message.clone())
            .with_node_id(node_id)
            .with_host(host.clone())
            .with_port(port)
    });
    FindCoordinatorResponse::default().with_coordinators(coordinators.collect())
}
