//! StreamsGroupDescribe: v0 (KIP-1071)
//!
//! The group's topology, with the partitions of its internal topics once it fits the topics, and its members with what
//! they have and are to have.

use std::collections::{BTreeMap, BTreeSet};

use brooklet_protocol::coordinator::streams_group::{Subtopology, TopicInfo, TopologyValue};
use brooklet_protocol::messages::streams_group_describe_response as told;
use brooklet_protocol::messages::{GroupId, StreamsGroupDescribeRequest, StreamsGroupDescribeResponse, TopicName};

use super::group_protocols::check_streams;
use super::{operations, text, topic_name};
use crate::apis::{Api, RequestContext};
use crate::groups::consumer::requests::GroupError;
use crate::groups::streams::requests::{StreamsGroupDescription, StreamsMemberDescription};

pub(crate) const API: Api = Api::new::<StreamsGroupDescribeRequest>("StreamsGroupDescribe", 0..=0);

pub(crate) async fn handle(cx: &RequestContext, request: StreamsGroupDescribeRequest) -> StreamsGroupDescribeResponse {
    let operations = operations::if_asked(request.include_authorized_operations, operations::GROUP);
    let mut groups = Vec::with_capacity(request.group_ids.len());
    for group_id in request.group_ids {
        let described = match describe(cx, &group_id).await {
            Ok(description) => group(group_id, description).with_authorized_operations(operations),
            Err(GroupError { code, message }) => told::DescribedGroup::default()
                .with_group_id(group_id)
                .with_error_code(code.code())
                .with_error_message(Some(message).filter(|message| !message.is_empty()).map(text)),
        };
        groups.push(described);
    }
    StreamsGroupDescribeResponse::default().with_groups(groups)
}

async fn describe(cx: &RequestContext, group_id: &GroupId) -> Result<StreamsGroupDescription, GroupError> {
    check_streams(cx)?;
    cx.node.groups.describe_streams_group(group_id.to_string()).await
}

fn group(group_id: GroupId, group: StreamsGroupDescription) -> told::DescribedGroup {
    told::DescribedGroup::default()
        .with_group_id(group_id)
        .with_group_state(text(group.state))
        .with_group_epoch(group.epoch)
        .with_assignment_epoch(group.assignment_epoch)
        .with_topology(Some(topology(group.topology)))
        .with_members(group.members.into_iter().map(member).collect())
}

fn topology(topology: TopologyValue) -> told::Topology {
    let parts = topology.subtopologies.into_iter().map(subtopology);
    told::Topology::default().with_epoch(topology.epoch).with_subtopologies(Some(parts.collect()))
}

fn subtopology(part: Subtopology) -> told::Subtopology {
    let names = |mut names: Vec<String>| {
        names.sort_unstable();
        names.iter().map(|name| topic_name(name)).collect::<Vec<TopicName>>()
    };
    let topics = |mut topics: Vec<TopicInfo>| {
        topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let each = topics.into_iter().map(|topic| {
            told::TopicInfo::default()
                .with_name(topic_name(&topic.name))
                .with_partitions(topic.partitions)
                .with_replication_factor(topic.replication_factor)
                .with_topic_configs(pairs(topic.configs))
        });
        each.collect::<Vec<_>>()
    };
    told::Subtopology::default()
        .with_subtopology_id(text(part.id))
        .with_source_topics(names(part.source_topics))
        .with_repartition_sink_topics(names(part.repartition_sink_topics))
        .with_state_changelog_topics(topics(part.state_changelog_topics))
        .with_repartition_source_topics(topics(part.repartition_source_topics))
}

fn pairs(pairs: BTreeMap<String, String>) -> Vec<told::KeyValue> {
    let each =
        pairs.into_iter().map(|(key, value)| told::KeyValue::default().with_key(text(key)).with_value(text(value)));
    each.collect()
}

fn member(StreamsMemberDescription { member, target }: StreamsMemberDescription) -> told::Member {
    let said = member.metadata;
    let has = told::Assignment::default()
        .with_active_tasks(tasks(&member.assigned.active_tasks()))
        .with_standby_tasks(tasks(&member.assigned.standby))
        .with_warmup_tasks(tasks(&member.assigned.warmup));
    let is_to_have = told::Assignment::default()
        .with_active_tasks(tasks(&target.active))
        .with_standby_tasks(tasks(&target.standby))
        .with_warmup_tasks(tasks(&target.warmup));
    let endpoint = |at: brooklet_protocol::coordinator::streams_group::Endpoint| {
        told::Endpoint::default().with_host(text(at.host)).with_port(at.port)
    };
    told::Member::default()
        .with_member_id(text(member.id))
        .with_member_epoch(member.epoch)
        .with_instance_id(said.instance_id.map(text))
        .with_rack_id(said.rack_id.map(text))
        .with_client_id(text(said.client_id))
        .with_client_host(text(said.client_host))
        .with_topology_epoch(said.topology_epoch)
        .with_process_id(text(said.process_id))
        .with_user_endpoint(said.user_endpoint.map(endpoint))
        .with_client_tags(pairs(said.client_tags))
        .with_assignment(has)
        .with_target_assignment(is_to_have)
}

fn tasks(tasks: &BTreeMap<String, BTreeSet<i32>>) -> Vec<told::TaskIds> {
    let each = tasks.iter().map(|(subtopology, partitions)| {
        told::TaskIds::default()
            .with_subtopology_id(text(subtopology.clone()))
            .with_partitions(partitions.iter().copied().collect())
    });
    each.collect()
}
