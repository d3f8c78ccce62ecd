//! DescribeGroups: v0-6
//!
//! v3 authorized operations · v4 instance ids · v6 a group that does not exist is GROUP_ID_NOT_FOUND (KIP-1043); before,
//! it was described as Dead.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use brooklet_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};

use super::{operations, text};
use crate::apis::{Api, RequestContext};
use crate::groups::requests::{GroupDescription, GroupState, MemberDescription};

pub(crate) const API: Api = Api::new::<DescribeGroupsRequest>("DescribeGroups", 0..=6);

pub(crate) async fn handle(cx: &RequestContext, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let operations = operations::if_asked(request.include_authorized_operations, operations::GROUP);
    let mut groups = Vec::with_capacity(request.groups.len());
    for group_id in request.groups {
        let described = match cx.node.groups.describe(group_id.to_string()).await {
            Ok(Some(group)) => describe(cx.version, group).with_authorized_operations(operations),
            Ok(None) => missing(cx.version, &group_id).with_authorized_operations(operations),
            Err(error) => DescribedGroup::default().with_error_code(error.code()),
        };
        groups.push(described.with_group_id(group_id));
    }
    DescribeGroupsResponse::default().with_groups(groups)
}

fn describe(version: i16, group: GroupDescription) -> DescribedGroup {
    let member = |member: MemberDescription| {
        DescribedGroupMember::default()
            .with_member_id(text(member.member_id))
            .with_group_instance_id(member.group_instance_id.filter(|_| version >= 4).map(text))
            .with_client_id(text(member.client_id))
            .with_client_host(text(member.client_host))
            .with_member_metadata(member.metadata)
            .with_member_assignment(member.assignment)
    };
    DescribedGroup::default()
        .with_group_state(text(group.state.name()))
        .with_protocol_type(text(group.protocol_type))
        .with_protocol_data(text(group.protocol))
        .with_members(group.members.into_iter().map(member).collect())
}

fn missing(version: i16, group_id: &GroupId) -> DescribedGroup {
    let dead = DescribedGroup::default().with_group_state(text(GroupState::Dead.name()));
    if version < 6 {
        return dead;
    }
    let message = format!("group {} does not exist", &**group_id);
    dead.with_error_code(ErrorCode::GroupIdNotFound.code()).with_error_message(Some(text(message)))
}
