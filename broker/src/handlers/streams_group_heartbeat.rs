//! StreamsGroupHeartbeat: v0 (KIP-1071)
//!
//! A member says what is new, and is told its tasks, the state of its group and where others can be asked for theirs.
//! Internal topics that the topology lacks are created for it: the answer says that they are missing, and the next
//! one, after the heartbeat's interval, has tasks.

use std::collections::{BTreeMap, BTreeSet};

use brooklet_protocol::coordinator::streams_group::{
    CopartitionGroup, Endpoint, Subtopology, TopicInfo, TopologyValue,
};
use brooklet_protocol::messages::streams_group_heartbeat_request as asked;
use brooklet_protocol::messages::streams_group_heartbeat_response as told;
use brooklet_protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse, TopicName};
use brooklet_protocol::{ErrorCode, StrBytes};

use super::group_protocols::check_streams;
use super::{text, topic_name};
use crate::apis::{Api, RequestContext};
use crate::groups::consumer::requests::GroupError;
use crate::groups::streams::requests::{
    EndpointPartitions, StatusCode, StreamsHeartbeatRequest, StreamsHeartbeatResponse,
};
use crate::topics::{NewTopic, check_name, is_internal};

pub(crate) const API: Api = Api::new::<StreamsGroupHeartbeatRequest>("StreamsGroupHeartbeat", 0..=0);

pub(crate) async fn handle(
    cx: &RequestContext,
    request: StreamsGroupHeartbeatRequest,
) -> StreamsGroupHeartbeatResponse {
    match beat(cx, request).await {
        Ok(response) => answer(response),
        Err(GroupError { code, message }) => StreamsGroupHeartbeatResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(message).filter(|message| !message.is_empty()).map(text)),
    }
}

async fn beat(
    cx: &RequestContext,
    request: StreamsGroupHeartbeatRequest,
) -> Result<StreamsHeartbeatResponse, GroupError> {
    check_streams(cx)?;
    if let Some(topology) = &request.topology {
        check_topic_names(topology)?;
    }
    let mut response = cx.node.groups.streams_heartbeat(heartbeat_request(cx, request)).await?;
    let failures = create_topics(cx, &std::mem::take(&mut response.topics_to_create));
    if !failures.is_empty() {
        let missing = response.statuses.iter_mut().find(|status| status.code == StatusCode::MissingInternalTopics);
        if let Some(status) = missing {
            status.detail = format!("{}; Creation failed: {}.", status.detail, failures.join(", "));
        }
    }
    Ok(response)
}

/// Refuses topics that no topology may have.
fn check_topic_names(topology: &asked::Topology) -> Result<(), GroupError> {
    let names = topology.subtopologies.iter().flat_map(|part| {
        let internal = part.repartition_source_topics.iter().chain(&part.state_changelog_topics);
        let external = part.source_topics.iter().chain(&part.repartition_sink_topics);
        external.chain(internal.map(|topic| &topic.name))
    });
    for name in names {
        if is_internal(name) {
            let message =
                format!("Use of Kafka internal topics {} in a Kafka Streams topology is prohibited.", &**name);
            return Err(GroupError::new(ErrorCode::StreamsInvalidTopology, message));
        }
        if let Err(error) = check_name(name) {
            return Err(GroupError::new(ErrorCode::StreamsInvalidTopology, error.to_string()));
        }
    }
    Ok(())
}

/// Creates internal topics; what could not be created is told.
fn create_topics(cx: &RequestContext, topics: &[TopicInfo]) -> Vec<String> {
    const TOLD: usize = 3;
    let layers = &cx.node.config().layers;
    let failures = topics.iter().filter_map(|topic| {
        let created = cx.node.topics.by_name_or_create(&topic.name, layers, || NewTopic {
            name: topic.name.clone(),
            partitions: topic.partitions,
            // Clients send 0 or -1 for the broker's default.
            replication_factor: match topic.replication_factor {
                ..=0 => cx.node.default_replication_factor(),
                factor => factor,
            },
            configs: topic.configs.clone(),
        });
        match created {
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, topic = topic.name, "internal topic of a streams group not created");
                Some(format!("{} ({error})", topic.name))
            }
        }
    });
    let mut failures: Vec<String> = failures.collect();
    failures.truncate(TOLD);
    failures
}

fn heartbeat_request(cx: &RequestContext, request: StreamsGroupHeartbeatRequest) -> StreamsHeartbeatRequest {
    let owned = |text: Option<StrBytes>| text.map(|text| text.to_string());
    let tags = request.client_tags.map(|tags| pairs(&tags));
    StreamsHeartbeatRequest {
        group_id: request.group_id.to_string(),
        member_id: request.member_id.to_string(),
        member_epoch: request.member_epoch,
        endpoint_information_epoch: request.endpoint_information_epoch,
        group_instance_id: owned(request.instance_id),
        rack_id: owned(request.rack_id),
        rebalance_timeout_ms: Some(request.rebalance_timeout_ms).filter(|ms| *ms != -1),
        topology: request.topology.map(topology),
        owned_active: request.active_tasks.as_deref().map(tasks),
        owned_standby: request.standby_tasks.as_deref().map(tasks),
        owned_warmup: request.warmup_tasks.as_deref().map(tasks),
        process_id: owned(request.process_id),
        user_endpoint: request.user_endpoint.map(|at| Endpoint { host: at.host.to_string(), port: at.port }),
        client_tags: tags,
        has_task_offsets: request.task_offsets.is_some() || request.task_end_offsets.is_some(),
        shutdown_application: request.shutdown_application,
        client_id: cx.client_id.as_deref().unwrap_or_default().to_owned(),
        client_host: format!("/{}", cx.peer.ip()),
    }
}

fn topology(topology: asked::Topology) -> TopologyValue {
    let mut subtopologies: Vec<_> = topology.subtopologies.into_iter().map(subtopology).collect();
    subtopologies.sort_by(|a, b| a.id.cmp(&b.id));
    TopologyValue { epoch: topology.epoch, subtopologies }
}

fn subtopology(part: asked::Subtopology) -> Subtopology {
    let names = |names: &[TopicName]| names.iter().map(|name| name.to_string()).collect();
    let topics = |topics: Vec<asked::TopicInfo>| {
        let each = topics.into_iter().map(|topic| TopicInfo {
            name: topic.name.to_string(),
            partitions: topic.partitions,
            replication_factor: topic.replication_factor,
            configs: pairs(&topic.topic_configs),
        });
        each.collect()
    };
    let groups = part.copartition_groups.into_iter().map(|group| CopartitionGroup {
        source_topics: group.source_topics,
        source_topic_regex: group.source_topic_regex,
        repartition_source_topics: group.repartition_source_topics,
    });
    Subtopology {
        id: part.subtopology_id.to_string(),
        source_topics: names(&part.source_topics),
        source_topic_regex: part.source_topic_regex.iter().map(ToString::to_string).collect(),
        state_changelog_topics: topics(part.state_changelog_topics),
        repartition_sink_topics: names(&part.repartition_sink_topics),
        repartition_source_topics: topics(part.repartition_source_topics),
        copartition_groups: groups.collect(),
    }
}

fn pairs(pairs: &[asked::KeyValue]) -> BTreeMap<String, String> {
    pairs.iter().map(|pair| (pair.key.to_string(), pair.value.to_string())).collect()
}

fn tasks(tasks: &[asked::TaskIds]) -> BTreeMap<String, BTreeSet<i32>> {
    let mut all: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for ids in tasks {
        all.entry(ids.subtopology_id.to_string()).or_default().extend(&ids.partitions);
    }
    all
}

fn answer(response: StreamsHeartbeatResponse) -> StreamsGroupHeartbeatResponse {
    let status = |status: crate::groups::streams::requests::Status| {
        told::Status::default().with_status_code(status.code as i8).with_status_detail(text(status.detail))
    };
    let tasks = |tasks: &BTreeMap<String, BTreeSet<i32>>| {
        let each = tasks.iter().map(|(subtopology, partitions)| {
            told::TaskIds::default()
                .with_subtopology_id(text(subtopology.clone()))
                .with_partitions(partitions.iter().copied().collect())
        });
        each.collect::<Vec<_>>()
    };
    let answer = StreamsGroupHeartbeatResponse::default()
        .with_member_id(text(response.member_id))
        .with_member_epoch(response.member_epoch)
        .with_heartbeat_interval_ms(response.heartbeat_interval_ms)
        .with_status(Some(response.statuses.into_iter().map(status).collect()))
        .with_endpoint_information_epoch(response.endpoint_information_epoch)
        .with_partitions_by_user_endpoint(response.endpoints.map(|all| all.into_iter().map(endpoint).collect()));
    match response.tasks {
        None => answer,
        Some(assigned) => answer
            .with_active_tasks(Some(tasks(&assigned.active)))
            .with_standby_tasks(Some(tasks(&assigned.standby)))
            .with_warmup_tasks(Some(tasks(&assigned.warmup))),
    }
}

fn endpoint(partitions: EndpointPartitions) -> told::EndpointToPartitions {
    let topics = |topics: Vec<(String, Vec<i32>)>| {
        let each = topics.into_iter().map(|(topic, partitions)| {
            told::TopicPartition::default().with_topic(topic_name(&topic)).with_partitions(partitions)
        });
        each.collect()
    };
    let Endpoint { host, port } = partitions.endpoint;
    told::EndpointToPartitions::default()
        .with_user_endpoint(told::Endpoint::default().with_host(text(host)).with_port(port))
        .with_active_partitions(topics(partitions.active))
        .with_standby_partitions(topics(partitions.standby))
}
