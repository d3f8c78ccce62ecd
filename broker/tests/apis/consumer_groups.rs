//! Consumer groups (KIP-848) on the wire: both APIs at every version, and what the APIs of classic groups say of them.
#![allow(clippy::unwrap_used)]

use crate::wire;

use brooklet::{Broker, BrokerBuilder};
use brooklet_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use brooklet_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use brooklet_protocol::messages::describe_configs_request::DescribeConfigsResource;
use brooklet_protocol::messages::incremental_alter_configs_request as incremental;
use brooklet_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use brooklet_protocol::messages::metadata_request::MetadataRequestTopic;
use brooklet_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use brooklet_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use brooklet_protocol::messages::*;
use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;
use wire::{Client, text};

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn group_id(name: &str) -> GroupId {
    GroupId(text(name))
}

async fn broker_with(configure: impl FnOnce(BrokerBuilder) -> BrokerBuilder) -> (Broker, Client, Uuid) {
    let builder = Broker::builder().ephemeral().topic("t", 4);
    let broker = configure(builder).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let named = MetadataRequestTopic::default().with_name(Some(topic_name("t")));
    let metadata = client.call(12, &MetadataRequest::default().with_topics(Some(vec![named]))).await;
    let id = metadata.topics[0].topic_id;
    (broker, client, id)
}

async fn broker() -> (Broker, Client, Uuid) {
    broker_with(|builder| builder).await
}

fn join(group: &str, member: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(member))
        .with_rebalance_timeout_ms(10_000)
        .with_subscribed_topic_names(Some(vec![topic_name("t")]))
        .with_topic_partitions(Some(Vec::new()))
}

fn beat(group: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
}

fn assigned(response: &ConsumerGroupHeartbeatResponse) -> Vec<i32> {
    let topics = response.assignment.iter().flat_map(|assignment| &assignment.topic_partitions);
    topics.flat_map(|topic| topic.partitions.iter().copied()).collect()
}

#[tokio::test]
async fn a_member_joins_beats_and_leaves_in_every_version() {
    let (_broker, mut client, id) = broker().await;
    for version in 0..=1 {
        let group = format!("g{version}");
        // In v0 the coordinator gives out the id.
        let member = if version == 0 { "" } else { "member" };
        let joined = client.call(version, &join(&group, member)).await;
        assert_eq!((joined.error_code, joined.member_epoch, joined.heartbeat_interval_ms), (0, 2, 5000), "v{version}");
        assert_eq!(assigned(&joined), [0, 1, 2, 3]);
        assert_eq!(joined.assignment.unwrap().topic_partitions[0].topic_id, id);
        let member = joined.member_id.unwrap().to_string();
        assert_eq!(member == "member", version == 1);

        let beaten = client.call(version, &beat(&group, &member, 2)).await;
        assert_eq!((beaten.error_code, beaten.member_epoch, beaten.assignment), (0, 2, None));
        let left = client.call(version, &beat(&group, &member, -1)).await;
        assert_eq!((left.error_code, left.member_epoch), (0, -1));
        assert_eq!(client.call(version, &beat(&group, &member, 2)).await.error_code, 25);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_heartbeat_is_said() {
    let (_broker, mut client, _) = broker_with(|builder| builder.set("group.consumer.max.size", "1")).await;
    assert_eq!(client.call(1, &join("g", "a")).await.error_code, 0);
    let refused = [
        (join("", "a"), 42),
        (join("g", ""), 42),
        (join("g", "a").with_instance_id(Some(text(""))), 42),
        (join("g", "a").with_rack_id(Some(text(" "))), 42),
        (join("g", "a").with_rebalance_timeout_ms(-1), 42),
        (join("g", "a").with_topic_partitions(None), 42),
        (join("g", "a").with_topic_partitions(Some(vec![TopicPartitions::default()])), 42),
        (join("g", "a").with_subscribed_topic_names(None), 42),
        (beat("g", "a", -2), 42),
        (beat("g", "a", -3), 42),
        (join("g", "a").with_server_assignor(Some(text("sticky"))), 112),
        (join("g", "a").with_subscribed_topic_regex(Some(text("("))), 128),
        (join("g", "b"), 81),
        (beat("g", "a", 3), 110),
        (beat("g", "a", 1), 110),
        (beat("other", "a", 2), 69),
        (beat("g", "a", -2).with_instance_id(Some(text("i"))), 25),
    ];
    for (request, code) in refused {
        let answer = client.call(1, &request).await;
        assert_eq!(answer.error_code, code, "{request:?}");
        assert!(answer.error_message.is_some_and(|message| !message.is_empty()), "{request:?}");
    }
    assert_eq!(client.call(1, &beat("g", "a", 2)).await.error_code, 0, "the member is as it was");
}

#[tokio::test]
async fn a_static_member_leaves_for_a_while_and_comes_back_to_what_it_had() {
    let (_broker, mut client, _) = broker().await;
    let with_instance = |request: ConsumerGroupHeartbeatRequest| request.with_instance_id(Some(text("i")));
    assert_eq!(assigned(&client.call(1, &with_instance(join("g", "a"))).await).len(), 4);
    assert_eq!(client.call(1, &with_instance(join("g", "b"))).await.error_code, 111);
    assert_eq!(client.call(1, &with_instance(beat("g", "b", 2))).await.error_code, 82);
    let left = client.call(1, &with_instance(beat("g", "a", -2))).await;
    assert_eq!((left.error_code, left.member_epoch), (0, -2));
    let back = client.call(1, &with_instance(join("g", "b"))).await;
    assert_eq!((back.error_code, back.member_epoch, assigned(&back).len()), (0, 2, 4));
}

#[tokio::test]
async fn patterns_and_new_partitions_are_followed_at_once() {
    let (broker, mut client, _) = broker().await;
    let by_pattern = join("g", "a").with_subscribed_topic_names(None).with_subscribed_topic_regex(Some(text("t.*")));
    let joined = client.call(1, &by_pattern).await;
    assert_eq!((joined.error_code, assigned(&joined).len()), (0, 4));

    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    broker.create_topic("t-2", 2).unwrap();
    let grown = client.call(1, &beat("g", "a", 2)).await;
    assert_eq!((grown.member_epoch, assigned(&grown).len()), (3, 6));

    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let more = CreatePartitionsTopic::default().with_name(topic_name("t")).with_count(5).with_assignments(None);
    let request = CreatePartitionsRequest::default().with_topics(vec![more]).with_timeout_ms(1000);
    assert_eq!(client.call(3, &request).await.results[0].error_code, 0);
    let grown = client.call(1, &beat("g", "a", 3)).await;
    assert_eq!((grown.member_epoch, assigned(&grown).len()), (4, 7));
}

#[tokio::test]
async fn a_group_is_described_and_listed_as_what_it_is() {
    let (_broker, mut client, _) = broker().await;
    client.call(1, &join("g", "a").with_rack_id(Some(text("r")))).await;
    for version in 0..=1 {
        let request = ConsumerGroupDescribeRequest::default()
            .with_group_ids(vec![group_id("g"), group_id("none"), group_id("")])
            .with_include_authorized_operations(true);
        let answer = client.call(version, &request).await;
        let [group, none, empty] = &answer.groups[..] else {
            panic!("{answer:?}");
        };
        assert_eq!((none.error_code, empty.error_code), (69, 24), "v{version}");
        assert_eq!((&*group.group_state, &*group.assignor_name), ("Stable", "uniform"));
        assert_eq!((group.group_epoch, group.assignment_epoch), (2, 2));
        assert!(group.authorized_operations > 0);
        let member = &group.members[0];
        assert_eq!((&*member.member_id, member.member_epoch, &*member.client_host), ("a", 2, "/127.0.0.1"));
        assert_eq!(member.subscribed_topic_names, [topic_name("t")]);
        assert_eq!(member.member_type, if version == 0 { -1 } else { 1 });
        for assignment in [&member.assignment, &member.target_assignment] {
            assert_eq!(assignment.topic_partitions[0].topic_name, topic_name("t"));
            assert_eq!(assignment.topic_partitions[0].partitions, [0, 1, 2, 3]);
        }
    }
    for (types, states, count) in [("Consumer", "stable", 1), ("classic", "stable", 0), ("consumer", "empty", 0)] {
        let request =
            ListGroupsRequest::default().with_types_filter(vec![text(types)]).with_states_filter(vec![text(states)]);
        assert_eq!(client.call(5, &request).await.groups.len(), count, "{types} {states}");
    }
    let listed = client.call(5, &ListGroupsRequest::default()).await.groups;
    assert_eq!((&*listed[0].group_type, &*listed[0].protocol_type), ("consumer", "consumer"));
    for version in 5..=6 {
        let request = DescribeGroupsRequest::default().with_groups(vec![group_id("g")]);
        let group = &client.call(version, &request).await.groups[0];
        assert_eq!((&*group.group_state, group.error_code), ("Dead", if version == 6 { 69 } else { 0 }));
    }
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![group_id("g")]);
    assert_eq!(client.call(2, &delete).await.results[0].error_code, 68);
    client.call(1, &beat("g", "a", -1)).await;
    assert_eq!(client.call(2, &delete).await.results[0].error_code, 0);
    assert!(client.call(5, &ListGroupsRequest::default()).await.groups.is_empty());
}

fn commit(group: &str, member: &str, epoch: i32) -> OffsetCommitRequest {
    let offset =
        OffsetCommitRequestPartition::default().with_committed_offset(7).with_committed_metadata(Some(text("")));
    let topic = OffsetCommitRequestTopic::default().with_name(topic_name("t")).with_partitions(vec![offset]);
    OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(member))
        .with_generation_id_or_member_epoch(epoch)
        .with_topics(vec![topic])
}

#[tokio::test]
async fn offsets_are_committed_and_fetched_at_the_members_epoch() {
    let (_broker, mut client, _) = broker().await;
    client.call(1, &join("g", "a")).await;
    let cases = [(9, "a", 2, 0), (9, "a", 3, 113), (9, "a", 1, 113), (8, "a", 2, 35), (9, "b", 2, 25), (9, "", -1, 25)];
    for (version, member, epoch, code) in cases {
        let answer = client.call(version, &commit("g", member, epoch)).await;
        assert_eq!(answer.topics[0].partitions[0].error_code, code, "v{version} {member} {epoch}");
    }
    for (member, epoch, code) in [(Some("a"), 2, 0), (Some("a"), 1, 113), (Some("b"), 2, 25), (None, -1, 0)] {
        let topic = OffsetFetchRequestTopics::default().with_name(topic_name("t")).with_partition_indexes(vec![0]);
        let asked = OffsetFetchRequestGroup::default()
            .with_group_id(group_id("g"))
            .with_member_id(member.map(text))
            .with_member_epoch(epoch)
            .with_topics(Some(vec![topic]));
        let answer = client.call(9, &OffsetFetchRequest::default().with_groups(vec![asked])).await;
        assert_eq!(answer.groups[0].error_code, code, "{member:?} {epoch}");
        if code == 0 {
            assert_eq!(answer.groups[0].topics[0].partitions[0].committed_offset, 7);
        }
    }
}

#[tokio::test]
async fn members_go_on_after_a_restart() {
    let dir = std::env::temp_dir().join(format!("brooklet-consumer-groups-{}", std::process::id()));
    let start = || Broker::builder().data_dir(&dir).listen("127.0.0.1:0").topic("t", 4).start();
    let broker = start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    assert_eq!(client.call(1, &join("g", "a")).await.member_epoch, 2);
    broker.shutdown().await;
    let broker = start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let beaten = client.call(1, &beat("g", "a", 2)).await;
    assert_eq!((beaten.error_code, beaten.member_epoch, beaten.assignment), (0, 2, None));
    broker.shutdown().await;
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn members_learn_the_names_of_what_they_were_given_by_its_id() {
    let (_broker, mut client, id) = broker().await;
    for name in [None, Some(topic_name(""))] {
        let asked = MetadataRequestTopic::default().with_topic_id(id).with_name(name);
        for version in 12..=13 {
            let request = MetadataRequest::default().with_topics(Some(vec![asked.clone()]));
            let topic = &client.call(version, &request).await.topics[0];
            assert_eq!((topic.error_code, &topic.name), (0, &Some(topic_name("t"))), "v{version}");
        }
    }
}

/// A classic consumer's subscription to `t`, version 0.
fn subscription() -> Bytes {
    let mut out = BytesMut::new();
    out.put_slice(&[0, 0, 0, 0, 0, 1, 0, 1, b't', 0xff, 0xff, 0xff, 0xff]);
    out.freeze()
}

fn classic_join(group: &str, member: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(subscription());
    JoinGroupRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(member))
        .with_session_timeout_ms(6000)
        .with_rebalance_timeout_ms(10_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

fn sync(group: &str, member: &str, generation: i32) -> SyncGroupRequest {
    SyncGroupRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(member))
        .with_generation_id(generation)
}

/// The partitions in what a leader, or the coordinator, assigned.
fn classic_assignment(bytes: &Bytes) -> Vec<i32> {
    if bytes.len() < 17 {
        return Vec::new();
    }
    // Version, count of topics, "t", count of partitions.
    bytes[13..bytes.len() - 4].chunks(4).map(|index| i32::from_be_bytes(index.try_into().unwrap())).collect()
}

#[tokio::test]
async fn a_classic_group_goes_over_to_the_consumer_protocol_and_back_while_its_members_go_on() {
    let (_broker, mut client, _) =
        broker_with(|builder| builder.set("group.consumer.assignment.interval.ms", "0")).await;
    // One classic member, who assigns everything to himself.
    let classic = client.call(9, &classic_join("g", "")).await.member_id.to_string();
    let joined = client.call(9, &classic_join("g", &classic)).await;
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    let mut all = BytesMut::new();
    all.put_slice(&[0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 4]);
    (0..4).for_each(|partition| all.put_i32(partition));
    all.put_i32(-1);
    let own = sync_group_request::SyncGroupRequestAssignment::default()
        .with_member_id(text(&classic))
        .with_assignment(all.freeze());
    client.call(5, &sync("g", &classic, 1).with_assignments(vec![own])).await;

    // A member of the consumer protocol comes: the group is one of that now, and the classic member joins again.
    let consumer = client.call(1, &join("g", "new")).await;
    assert_eq!((consumer.error_code, consumer.member_epoch, assigned(&consumer).len()), (0, 2, 0));
    let beats = HeartbeatRequest::default().with_group_id(group_id("g")).with_member_id(text(&classic));
    assert_eq!(client.call(4, &beats.clone().with_generation_id(1)).await.error_code, 27);
    let rejoined = client.call(9, &classic_join("g", &classic)).await;
    assert_eq!((rejoined.error_code, &*rejoined.protocol_name.unwrap()), (0, "range"));
    let generation = rejoined.generation_id;
    let synced = client.call(5, &sync("g", &classic, generation)).await;
    assert_eq!((synced.error_code, classic_assignment(&synced.assignment).len()), (0, 2));
    let consumer = client.call(1, &beat("g", "new", 2)).await;
    assert_eq!((consumer.member_epoch, assigned(&consumer).len()), (2, 2));
    let described = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id("g")]);
    let described = client.call(1, &described).await;
    let mut types: Vec<_> = described.groups[0].members.iter().map(|member| member.member_type).collect();
    types.sort_unstable();
    assert_eq!(types, [0, 1]);

    // It leaves: the group is a classic one again.
    assert_eq!(client.call(1, &beat("g", "new", -1)).await.error_code, 0);
    let listed = client.call(5, &ListGroupsRequest::default()).await.groups;
    assert_eq!(&*listed[0].group_type, "classic");
    assert_eq!(client.call(4, &beats.with_generation_id(generation)).await.error_code, 27);
    let rejoined = client.call(9, &classic_join("g", &classic)).await;
    assert_eq!((rejoined.error_code, rejoined.members.len()), (0, 1));
}

#[tokio::test]
async fn an_empty_group_becomes_what_its_next_member_speaks() {
    let (_broker, mut client, _) = broker().await;
    client.call(1, &join("g", "a")).await;
    client.call(1, &beat("g", "a", -1)).await;
    let asked = client.call(9, &classic_join("g", "")).await;
    assert_eq!(asked.error_code, 79);
    let classic = asked.member_id.to_string();
    let joined = client.call(9, &classic_join("g", &classic)).await;
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    let leave = LeaveGroupRequest::default()
        .with_group_id(group_id("g"))
        .with_members(vec![leave_group_request::MemberIdentity::default().with_member_id(text(&classic))]);
    assert_eq!(client.call(5, &leave).await.members[0].error_code, 0);
    assert_eq!(client.call(1, &join("g", "a")).await.error_code, 0);
}

#[tokio::test]
async fn a_policy_keeps_the_protocols_apart() {
    let (_broker, mut client, _) =
        broker_with(|builder| builder.set("group.consumer.migration.policy", "disabled")).await;
    let classic = client.call(9, &classic_join("classic", "")).await.member_id.to_string();
    client.call(9, &classic_join("classic", &classic)).await;
    assert_eq!(client.call(1, &join("classic", "a")).await.error_code, 69);
    client.call(1, &join("consumer", "a")).await;
    assert_eq!(client.call(9, &classic_join("consumer", "")).await.error_code, 23);
}

#[tokio::test]
async fn a_broker_may_not_offer_the_protocol() {
    let (_broker, mut client, _) =
        broker_with(|builder| builder.set("group.coordinator.rebalance.protocols", "classic")).await;
    assert_eq!(client.call(1, &join("g", "a")).await.error_code, 35);
    let describe = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id("g")]);
    assert_eq!(client.call(1, &describe).await.groups[0].error_code, 35);
}

#[tokio::test]
async fn groups_have_configs_that_are_kept_checked_and_followed() {
    let (_broker, mut client, _) = broker().await;
    let alter = |name: &str, op: i8, value: Option<&str>| {
        let config = incremental::AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(op)
            .with_value(value.map(text));
        let resource = incremental::AlterConfigsResource::default()
            .with_resource_type(32)
            .with_resource_name(text("g"))
            .with_configs(vec![config]);
        IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
    };
    let interval = "consumer.heartbeat.interval.ms";
    for (request, code) in [
        (alter(interval, 0, Some("7000")), 0),
        (alter(interval, 0, Some("1000")), 40),
        (alter(interval, 0, Some("20000")), 40),
        (alter("consumer.session.timeout.ms", 0, Some("nothing")), 40),
        (alter("share.auto.offset.reset", 0, Some("by_duration:PT1H30.5S")), 0),
        (alter("share.auto.offset.reset", 0, Some("by_duration:1H")), 40),
        (alter("no.such.config", 0, Some("1")), 40),
    ] {
        assert_eq!(client.call(1, &request).await.responses[0].error_code, code, "{request:?}");
    }
    let resource = DescribeConfigsResource::default()
        .with_resource_type(32)
        .with_resource_name(text("g"))
        .with_configuration_keys(None);
    let describe = DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
    let described = client.call(4, &describe).await;
    let configs = &described.results[0].configs;
    assert_eq!(configs.len(), 17);
    let entry = configs.iter().find(|config| &*config.name == interval).unwrap();
    assert_eq!((entry.value.as_deref(), entry.config_source, entry.read_only), (Some("7000"), 8, false));
    let synonyms: Vec<_> = entry.synonyms.iter().map(|synonym| (&*synonym.name, synonym.source)).collect();
    assert_eq!(synonyms, [(interval, 8), ("group.consumer.heartbeat.interval.ms", 5)]);
    assert_eq!(client.call(1, &join("g", "a")).await.heartbeat_interval_ms, 7000);
    client.call(1, &alter(interval, 1, None)).await;
    assert_eq!(client.call(1, &beat("g", "a", 2)).await.heartbeat_interval_ms, 5000);
    let nameless = DescribeConfigsResource::default().with_resource_type(32);
    let describe = DescribeConfigsRequest::default().with_resources(vec![nameless]);
    assert_eq!(client.call(4, &describe).await.results[0].error_code, 42);
}

#[tokio::test]
async fn offsets_that_have_reached_their_age_go_and_the_empty_group_with_them() {
    let (_broker, mut client, _) =
        broker_with(|builder| builder.set("offsets.retention.check.interval.ms", "50")).await;
    // Version 2 says how long to keep them.
    let short = commit("short", "", -1).with_retention_time_ms(1);
    assert_eq!(client.call(2, &short).await.topics[0].partitions[0].error_code, 0);
    assert_eq!(client.call(9, &commit("long", "", -1)).await.topics[0].partitions[0].error_code, 0);
    let names = |groups: Vec<list_groups_response::ListedGroup>| -> Vec<String> {
        groups.into_iter().map(|group| group.group_id.to_string()).collect()
    };
    for attempt in 0.. {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let left = names(client.call(5, &ListGroupsRequest::default()).await.groups);
        if left == ["long"] {
            break;
        }
        assert!(attempt < 100, "still there: {left:?}");
    }
}
