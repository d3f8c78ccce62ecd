//! Heartbeat: v0-4
//!
//! v3 static members. Tells a member of a rebalance.

use brooklet_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::apis::{Api, RequestContext};
use crate::groups::requests::MemberIdentity;

pub(crate) const API: Api = Api::new::<HeartbeatRequest>("Heartbeat", 0..=4);

pub(crate) async fn handle(cx: &RequestContext, request: HeartbeatRequest) -> HeartbeatResponse {
    let member = MemberIdentity {
        group_id: request.group_id.to_string(),
        member_id: request.member_id.to_string(),
        group_instance_id: request.group_instance_id.map(|id| id.to_string()),
        generation: request.generation_id,
    };
    let error = cx.node.groups.heartbeat(member).await.unwrap_or_else(|error| error);
    HeartbeatResponse::default().with_error_code(error.code())
}
