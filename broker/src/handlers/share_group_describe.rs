//! ShareGroupDescribe: v1 (KIP-932)
//!
//! Members with their epochs and partitions. What is no share group is GROUP_ID_NOT_FOUND.

use std::collections::BTreeMap;

use brooklet_protocol::coordinator::share_group::PartitionsByTopic;
use brooklet_protocol::messages::share_group_describe_response::{Assignment, DescribedGroup, Member, TopicPartitions};
use brooklet_protocol::messages::{ShareGroupDescribeRequest, ShareGroupDescribeResponse};

use super::group_protocols::check_share;
use super::{operations, text, topic_name};
use crate::apis::{Api, RequestContext};
use crate::error::ToErrorCode;
use crate::groups::share::requests::{ShareGroupDescription, ShareMemberDescription};

pub(crate) const API: Api = Api::new::<ShareGroupDescribeRequest>("ShareGroupDescribe", 1..=1);

const ASSIGNOR: &str = "simple";

pub(crate) async fn handle(cx: &RequestContext, request: ShareGroupDescribeRequest) -> ShareGroupDescribeResponse {
    if let Err(error) = check_share(cx) {
        let refused =
            |id| DescribedGroup::default().with_group_id(id).with_error_code(error.code()).with_error_message(None);
        return ShareGroupDescribeResponse::default().with_groups(request.group_ids.into_iter().map(refused).collect());
    }
    let operations = operations::if_asked(request.include_authorized_operations, operations::GROUP);
    let mut groups = Vec::with_capacity(request.group_ids.len());
    for group_id in request.group_ids {
        let described = match cx.node.groups.share_describe(group_id.to_string()).await {
            Ok(group) => describe(cx, group).with_authorized_operations(operations),
            Err(error) => DescribedGroup::default()
                .with_error_code(error.error_code().code())
                .with_error_message(Some(text(error.to_string()))),
        };
        groups.push(described.with_group_id(group_id));
    }
    ShareGroupDescribeResponse::default().with_groups(groups)
}

fn describe(cx: &RequestContext, group: ShareGroupDescription) -> DescribedGroup {
    let member = |member: ShareMemberDescription| {
        let names = member.metadata.subscribed_topic_names.iter().map(|name| topic_name(name));
        Member::default()
            .with_member_id(text(member.member_id))
            .with_rack_id(member.metadata.rack_id.map(text))
            .with_member_epoch(member.member_epoch)
            .with_client_id(text(member.metadata.client_id))
            .with_client_host(text(member.metadata.client_host))
            .with_subscribed_topic_names(names.collect())
            .with_assignment(assignment(cx, member.assignment))
    };
    DescribedGroup::default()
        .with_group_state(text(group.state))
        .with_group_epoch(group.epoch)
        .with_assignment_epoch(group.assignment_epoch)
        .with_assignor_name(text(ASSIGNOR))
        .with_members(group.members.into_iter().map(member).collect())
}

/// Without topics that are no more.
fn assignment(cx: &RequestContext, partitions: PartitionsByTopic) -> Assignment {
    let named: BTreeMap<_, _> = partitions
        .into_iter()
        .filter_map(|(id, partitions)| Some((cx.node.topics.by_id(id)?.name().to_owned(), (id, partitions))))
        .collect();
    let topics = named.into_iter().map(|(name, (id, partitions))| {
        TopicPartitions::default()
            .with_topic_id(id)
            .with_topic_name(topic_name(&name))
            .with_partitions(partitions.into_iter().collect())
    });
    Assignment::default().with_topic_partitions(topics.collect())
}
