//! JoinGroup: v0-9
//!
//! v1 rebalance timeout · v4 a new member comes twice (KIP-394) · v5 static members (KIP-345) · v7 protocol type ·
//! v8 reason · v9 a leader may be told not to assign (KIP-814). Waits until the group has a generation.

use brooklet_protocol::messages::join_group_response::JoinGroupResponseMember;
use brooklet_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use bytes::Bytes;

use super::text;
use crate::apis::{Api, RequestContext};
use crate::groups::requests::{JoinRequest, JoinResponse, Protocol};

pub(crate) const API: Api = Api::new::<JoinGroupRequest>("JoinGroup", 0..=9);

pub(crate) async fn handle(cx: &RequestContext, request: JoinGroupRequest) -> JoinGroupResponse {
    let member_id = request.member_id.clone();
    let joined = cx.node.groups.join(join_request(cx, request)).await;
    let response = joined.unwrap_or_else(|error| JoinResponse::error(error, &*member_id));
    // Before v7 the name of the protocol could not be null.
    let no_protocol = if cx.version >= 7 { None } else { Some(text("")) };
    let members = response.members.into_iter().map(|member| {
        JoinGroupResponseMember::default()
            .with_member_id(text(member.member_id))
            .with_group_instance_id(member.group_instance_id.filter(|_| cx.version >= 5).map(text))
            .with_metadata(member.metadata)
    });
    JoinGroupResponse::default()
        .with_error_code(response.error.code())
        .with_generation_id(response.generation)
        .with_protocol_type(response.protocol_type.filter(|_| cx.version >= 7).map(text))
        .with_protocol_name(response.protocol_name.map(text).or(no_protocol))
        .with_leader(text(response.leader))
        .with_skip_assignment(response.skip_assignment)
        .with_member_id(text(response.member_id))
        .with_members(members.collect())
}

fn join_request(cx: &RequestContext, request: JoinGroupRequest) -> JoinRequest {
    // Names and metadata are copied: they stay for as long as the member does, and must not hold the request's frame.
    let protocols = request.protocols.iter().map(|protocol| Protocol {
        name: protocol.name.to_string(),
        metadata: Bytes::copy_from_slice(&protocol.metadata),
    });
    JoinRequest {
        group_id: request.group_id.to_string(),
        member_id: request.member_id.to_string(),
        group_instance_id: request.group_instance_id.map(|id| id.to_string()),
        client_id: cx.client_id.as_deref().unwrap_or_default().to_owned(),
        client_host: format!("/{}", cx.peer.ip()),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: match cx.version {
            0 => request.session_timeout_ms,
            _ => request.rebalance_timeout_ms,
        },
        protocol_type: request.protocol_type.to_string(),
        protocols: protocols.collect(),
        requires_member_id: cx.version >= 4,
        can_skip_assignment: cx.version >= 9,
        reason: request.reason.map(|reason| reason.to_string()),
    }
}
