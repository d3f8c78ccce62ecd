//! ConsumerGroupDescribe: v0-1 (KIP-848)
//!
//! Members with what they have and are to have. v1 tells members that speak the classic protocol (KIP-1099). A group
//! that is not there or of another kind is GROUP_ID_NOT_FOUND: clients then ask by DescribeGroups.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use brooklet_protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, GroupId};

use super::group_protocols::check_consumer;
use super::{operations, text, topic_name};
use crate::apis::{Api, RequestContext};
use crate::groups::assignor;
use crate::groups::consumer::requests::{ConsumerGroupDescription, ConsumerMemberDescription, GroupError};

pub(crate) const API: Api = Api::new::<ConsumerGroupDescribeRequest>("ConsumerGroupDescribe", 0..=1);

pub(crate) async fn handle(
    cx: &RequestContext,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    let operations = operations::if_asked(request.include_authorized_operations, operations::GROUP);
    let mut groups = Vec::with_capacity(request.group_ids.len());
    for group_id in request.group_ids {
        let described = match describe(cx, &group_id).await {
            Ok(group) => described(cx, group).with_authorized_operations(operations),
            Err(GroupError { code, message }) => DescribedGroup::default()
                .with_error_code(code.code())
                .with_error_message(Some(message).filter(|message| !message.is_empty()).map(text)),
        };
        groups.push(described.with_group_id(group_id));
    }
    ConsumerGroupDescribeResponse::default().with_groups(groups)
}

async fn describe(cx: &RequestContext, group_id: &GroupId) -> Result<ConsumerGroupDescription, GroupError> {
    check_consumer(cx)?;
    if group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId.into());
    }
    cx.node.groups.describe_consumer_group(group_id.to_string()).await
}

fn described(cx: &RequestContext, group: ConsumerGroupDescription) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_state(text(group.state.name()))
        .with_group_epoch(group.epoch)
        .with_assignment_epoch(group.assignment_epoch)
        .with_assignor_name(text(group.assignor))
        .with_members(group.members.into_iter().map(|described| member(cx, described)).collect())
}

fn member(cx: &RequestContext, member: ConsumerMemberDescription) -> Member {
    let topics = member.subscribed_topic_names.iter().map(|name| topic_name(name));
    let described = Member::default()
        .with_member_id(text(member.member_id))
        .with_instance_id(member.instance_id.map(text))
        .with_rack_id(member.rack_id.map(text))
        .with_member_epoch(member.epoch)
        .with_client_id(text(member.client_id))
        .with_client_host(text(member.client_host))
        .with_subscribed_topic_names(topics.collect())
        .with_subscribed_topic_regex(member.subscribed_topic_regex.map(text))
        .with_assignment(assignment(cx, &member.assignment))
        .with_target_assignment(assignment(cx, &member.target_assignment));
    match cx.version {
        0 => described,
        _ => described.with_member_type(if member.uses_classic_protocol { 0 } else { 1 }),
    }
}

/// What is assigned of topics that exist.
fn assignment(cx: &RequestContext, assignment: &assignor::Assignment) -> Assignment {
    let topics = assignment.iter().filter_map(|(topic_id, partitions)| {
        let topic = cx.node.topics.by_id(*topic_id)?;
        let described = TopicPartitions::default().with_topic_id(*topic_id).with_topic_name(topic_name(topic.name()));
        Some(described.with_partitions(partitions.iter().copied().collect()))
    });
    Assignment::default().with_topic_partitions(topics.collect())
}
