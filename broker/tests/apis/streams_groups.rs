//! Streams groups over the wire (KIP-1071): internal topics, tasks, offsets, administration, a restart.
#![allow(clippy::unwrap_used)]

use crate::wire;

use brooklet::{Broker, BrokerBuilder};
use brooklet_protocol::messages::describe_configs_request::DescribeConfigsResource;
use brooklet_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use brooklet_protocol::messages::streams_group_heartbeat_request::{
    Endpoint, KeyValue, Subtopology, TaskIds, TopicInfo, Topology,
};
use brooklet_protocol::messages::*;
use wire::{Client, text};

const APP: &str = "app";

fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

fn topology() -> Topology {
    let compact = KeyValue::default().with_key(text("cleanup.policy")).with_value(text("compact"));
    let split = Subtopology::default()
        .with_subtopology_id(text("0"))
        .with_source_topics(vec![name("lines")])
        .with_repartition_sink_topics(vec![name("app-words-repartition")]);
    let changelog = TopicInfo::default().with_name(name("app-counts-changelog")).with_topic_configs(vec![compact]);
    let count = Subtopology::default()
        .with_subtopology_id(text("1"))
        .with_repartition_source_topics(vec![TopicInfo::default().with_name(name("app-words-repartition"))])
        .with_state_changelog_topics(vec![changelog]);
    Topology::default().with_subtopologies(vec![split, count])
}

fn beat(member: &str, epoch: i32) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest::default()
        .with_group_id(group(APP))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
}

fn join(member: &str) -> StreamsGroupHeartbeatRequest {
    let none = || Some(Vec::new());
    beat(member, 0)
        .with_rebalance_timeout_ms(10_000)
        .with_topology(Some(topology()))
        .with_process_id(Some(text(member)))
        .with_user_endpoint(Some(Endpoint::default().with_host(text(member)).with_port(8080)))
        .with_active_tasks(none())
        .with_standby_tasks(none())
        .with_warmup_tasks(none())
}

fn tasks(ids: Option<Vec<streams_group_heartbeat_response::TaskIds>>) -> Vec<(String, Vec<i32>)> {
    let ids = ids.unwrap_or_default().into_iter();
    ids.map(|ids| (ids.subtopology_id.to_string(), ids.partitions)).collect()
}

fn builder() -> BrokerBuilder {
    Broker::builder()
        .topic("lines", 2)
        .set("group.streams.assignment.interval.ms", "0")
        .set("group.streams.min.heartbeat.interval.ms", "1000")
        .set("group.streams.heartbeat.interval.ms", "1000")
}

/// Joins, and comes again once the internal topics are there: the epoch, and the tasks.
async fn joined(client: &mut Client, member: &str) -> (i32, Vec<(String, Vec<i32>)>) {
    let first = client.call(0, &join(member)).await;
    assert_eq!(first.error_code, 0, "{:?}", first.error_message);
    if first.status.unwrap().iter().all(|status| status.status_code != 3) {
        return (first.member_epoch, tasks(first.active_tasks));
    }
    let again = client.call(0, &beat(member, first.member_epoch)).await;
    (again.member_epoch, tasks(again.active_tasks))
}

#[tokio::test]
async fn an_application_gets_its_topics_and_its_tasks() {
    let broker = builder().start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let first = client.call(0, &join("a")).await;
    assert_eq!((first.error_code, first.heartbeat_interval_ms), (0, 1000));
    let status = &first.status.unwrap()[0];
    assert_eq!(status.status_code, 3);
    assert!(status.status_detail.contains("app-counts-changelog, app-words-repartition"), "{}", status.status_detail);

    // They are there, as the application wants them.
    let metadata = client.call(12, &MetadataRequest::default().with_topics(None)).await;
    let partitions =
        |topic: &str| metadata.topics.iter().find(|t| t.name == Some(name(topic))).map(|t| t.partitions.len());
    assert_eq!(partitions("app-words-repartition"), Some(2));
    assert_eq!(partitions("app-counts-changelog"), Some(2));
    let changelog = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("app-counts-changelog"))
        .with_configuration_keys(Some(vec![text("cleanup.policy")]));
    let configs = client.call(4, &DescribeConfigsRequest::default().with_resources(vec![changelog])).await;
    assert_eq!(configs.results[0].configs[0].value.as_deref(), Some("compact"));

    let second = client.call(0, &beat("a", first.member_epoch)).await;
    assert_eq!(second.status, Some(Vec::new()));
    assert_eq!(tasks(second.active_tasks), [("0".to_owned(), vec![0, 1]), ("1".to_owned(), vec![0, 1])]);
    let endpoints = second.partitions_by_user_endpoint.unwrap();
    assert_eq!((&*endpoints[0].user_endpoint.host, endpoints[0].user_endpoint.port), ("a", 8080));
    assert_eq!(endpoints[0].active_partitions.len(), 2);

    let asked = StreamsGroupDescribeRequest::default()
        .with_group_ids(vec![group(APP), group("nobody")])
        .with_include_authorized_operations(true);
    let described = client.call(0, &asked).await;
    let app = &described.groups[0];
    assert_eq!((app.error_code, &*app.group_state, app.group_epoch, app.assignment_epoch), (0, "Stable", 3, 3));
    assert_eq!(app.authorized_operations, 3400);
    let parts = app.topology.as_ref().unwrap().subtopologies.as_ref().unwrap();
    assert_eq!(parts[1].state_changelog_topics[0].partitions, 2);
    assert_eq!(app.members[0].assignment, app.members[0].target_assignment);
    assert_eq!((&*app.members[0].client_host, &*app.members[0].process_id), ("/127.0.0.1", "a"));
    assert_eq!((described.groups[1].error_code, described.groups[1].topology.is_none()), (69, true));

    let listed = client.call(5, &ListGroupsRequest::default().with_types_filter(vec![text("streams")])).await;
    let listed = &listed.groups[0];
    assert_eq!((&*listed.group_type, &*listed.group_state, &*listed.protocol_type), ("streams", "Stable", "streams"));
    // To those who know only classic groups it is none.
    let dead = client.call(5, &DescribeGroupsRequest::default().with_groups(vec![group(APP)])).await;
    assert_eq!(&*dead.groups[0].group_state, "Dead");
}

#[tokio::test]
async fn members_share_tasks_and_take_over_those_of_one_that_leaves() {
    let broker = builder().start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let (a_epoch, a_tasks) = joined(&mut client, "a").await;
    assert_eq!(a_tasks.len(), 2);
    let (b_epoch, b_tasks) = joined(&mut client, "b").await;
    assert!(b_tasks.is_empty(), "the first has not given up anything yet");

    let told = client.call(0, &beat("a", a_epoch)).await;
    let kept = told.active_tasks.unwrap();
    let count = |tasks: &[(String, Vec<i32>)]| tasks.iter().map(|(_, partitions)| partitions.len()).sum::<usize>();
    assert_eq!(count(&tasks(Some(kept.clone()))), 2);
    let owned = kept
        .into_iter()
        .map(|ids| TaskIds::default().with_subtopology_id(ids.subtopology_id).with_partitions(ids.partitions));
    let given_up = beat("a", told.member_epoch)
        .with_active_tasks(Some(owned.collect()))
        .with_standby_tasks(Some(Vec::new()))
        .with_warmup_tasks(Some(Vec::new()));
    assert_eq!(client.call(0, &given_up).await.error_code, 0);
    let taken = client.call(0, &beat("b", b_epoch)).await;
    assert_eq!(count(&tasks(taken.active_tasks)), 2);

    let left = client.call(0, &beat("a", -1)).await;
    assert_eq!((left.error_code, left.member_epoch), (0, -1));
    let all = client.call(0, &beat("b", taken.member_epoch)).await;
    assert_eq!(count(&tasks(all.active_tasks)), 4);
}

async fn commit(client: &mut Client, version: i16, member: &str, epoch: i32) -> i16 {
    let offset = OffsetCommitRequestPartition::default().with_committed_offset(7).with_committed_metadata(None);
    let topic = OffsetCommitRequestTopic::default().with_name(name("lines")).with_partitions(vec![offset]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group(APP))
        .with_member_id(text(member))
        .with_generation_id_or_member_epoch(epoch)
        .with_topics(vec![topic]);
    client.call(version, &request).await.topics[0].partitions[0].error_code
}

#[tokio::test]
async fn a_group_outlives_a_restart_and_is_deleted_when_it_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let broker = builder().data_dir(dir.path()).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let (epoch, _) = joined(&mut client, "a").await;
    assert_eq!(commit(&mut client, 9, "a", epoch).await, 0);
    assert_eq!(commit(&mut client, 9, "a", epoch + 1).await, 113, "STALE_MEMBER_EPOCH");
    assert_eq!(commit(&mut client, 9, "b", epoch).await, 25, "UNKNOWN_MEMBER_ID");
    assert_eq!(commit(&mut client, 8, "a", epoch).await, 35, "UNSUPPORTED_VERSION");
    broker.shutdown().await;

    let broker = builder().data_dir(dir.path()).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let beaten = client.call(0, &beat("a", epoch)).await;
    assert_eq!((beaten.error_code, beaten.member_epoch, beaten.active_tasks), (0, epoch, None), "nothing has changed");
    assert_eq!(commit(&mut client, 9, "a", epoch).await, 0);
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![group(APP)]);
    assert_eq!(client.call(2, &delete).await.results[0].error_code, 68, "NON_EMPTY_GROUP");
    client.call(0, &beat("a", -1)).await;
    assert_eq!(client.call(2, &delete).await.results[0].error_code, 0);
    assert_eq!(client.call(0, &beat("a", epoch)).await.error_code, 69);
    broker.shutdown().await;

    let broker = builder().data_dir(dir.path()).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    assert!(client.call(5, &ListGroupsRequest::default()).await.groups.is_empty());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let broker = builder().start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let internal = Subtopology::default().with_source_topics(vec![name("__consumer_offsets")]);
    let misnamed = Subtopology::default().with_source_topics(vec![name("no topic")]);
    for part in [internal, misnamed] {
        let request = join("a").with_topology(Some(Topology::default().with_subtopologies(vec![part])));
        assert_eq!(client.call(0, &request).await.error_code, 130, "STREAMS_INVALID_TOPOLOGY");
    }
    assert_eq!(client.call(0, &join("a").with_instance_id(Some(text("i")))).await.error_code, 42);
    assert_eq!(client.call(0, &join("")).await.error_code, 42);
    assert_eq!(client.call(0, &beat("a", 5)).await.error_code, 69);
    joined(&mut client, "a").await;
    assert_eq!(client.call(0, &beat("a", 77)).await.error_code, 110, "FENCED_MEMBER_EPOCH");
    assert_eq!(client.call(0, &beat("b", 1)).await.error_code, 25);
    let unfit = TopicInfo::default().with_name(name("t")).with_partitions(5);
    let other = Subtopology::default().with_source_topics(vec![name("lines")]).with_state_changelog_topics(vec![unfit]);
    let request = join("a").with_topology(Some(Topology::default().with_subtopologies(vec![other])));
    assert_eq!(client.call(0, &request).await.error_code, 130);
    // A classic member cannot join it.
    let classic = JoinGroupRequest::default()
        .with_group_id(group(APP))
        .with_session_timeout_ms(6000)
        .with_rebalance_timeout_ms(6000)
        .with_protocol_type(text("consumer"));
    assert_eq!(client.call(3, &classic).await.error_code, 23, "INCONSISTENT_GROUP_PROTOCOL");
}
