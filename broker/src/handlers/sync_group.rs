//! SyncGroup: v0-5
//!
//! v3 static members · v5 the protocol, which must be the group's (KIP-559). Waits for the leader.

use brooklet_protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use bytes::Bytes;

use super::text;
use crate::apis::{Api, RequestContext};
use crate::groups::requests::{SyncRequest, SyncResponse};

pub(crate) const API: Api = Api::new::<SyncGroupRequest>("SyncGroup", 0..=5);

pub(crate) async fn handle(cx: &RequestContext, request: SyncGroupRequest) -> SyncGroupResponse {
    // Copies, since assignments stay with the group.
    let assignments = request.assignments.iter();
    let assignments =
        assignments.map(|member| (member.member_id.to_string(), Bytes::copy_from_slice(&member.assignment)));
    let sync = SyncRequest {
        group_id: request.group_id.to_string(),
        member_id: request.member_id.to_string(),
        group_instance_id: request.group_instance_id.map(|id| id.to_string()),
        generation: request.generation_id,
        protocol_type: request.protocol_type.map(|name| name.to_string()),
        protocol_name: request.protocol_name.map(|name| name.to_string()),
        assignments: assignments.collect(),
    };
    let response = cx.node.groups.sync(sync).await.unwrap_or_else(SyncResponse::error);
    SyncGroupResponse::default()
        .with_error_code(response.error.code())
        .with_protocol_type(response.protocol_type.filter(|_| cx.version >= 5).map(text))
        .with_protocol_name(response.protocol_name.filter(|_| cx.version >= 5).map(text))
        .with_assignment(response.assignment)
}
