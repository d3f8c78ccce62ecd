//! LeaveGroup: v0-5
//!
//! v3 several members, by which an administrator takes out static ones by their instance id (KIP-345) · v5 reason.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::leave_group_response::MemberResponse;
use brooklet_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use crate::apis::{Api, RequestContext};
use crate::groups::requests::LeavingMember;

pub(crate) const API: Api = Api::new::<LeaveGroupRequest>("LeaveGroup", 0..=5);

pub(crate) async fn handle(cx: &RequestContext, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let leaving: Vec<LeavingMember> = match cx.version {
        0..=2 => {
            vec![LeavingMember { member_id: request.member_id.to_string(), group_instance_id: None, reason: None }]
        }
        _ => request
            .members
            .iter()
            .map(|member| LeavingMember {
                member_id: member.member_id.to_string(),
                group_instance_id: member.group_instance_id.as_deref().map(str::to_owned),
                reason: member.reason.as_deref().map(str::to_owned),
            })
            .collect(),
    };
    let outcomes = match cx.node.groups.leave(request.group_id.to_string(), leaving).await {
        Ok(outcomes) => outcomes,
        Err(error) => return LeaveGroupResponse::default().with_error_code(error.code()),
    };
    if cx.version < 3 {
        let error = outcomes.first().copied().unwrap_or(ErrorCode::UnknownMemberId);
        return LeaveGroupResponse::default().with_error_code(error.code());
    }
    let members = request.members.into_iter().zip(outcomes).map(|(member, error)| {
        MemberResponse::default()
            .with_member_id(member.member_id)
            .with_group_instance_id(member.group_instance_id)
            .with_error_code(error.code())
    });
    LeaveGroupResponse::default().with_members(members.collect())
}
