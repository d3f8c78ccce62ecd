//! Every API at every version that the broker says it answers: the request is answered, the answer decodes as that
//! version, and says what it should.
#![allow(clippy::unwrap_used)]

use crate::wire;

use brooklet::{Broker, Record};
use brooklet_protocol::Request;
use brooklet_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use brooklet_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use brooklet_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use brooklet_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use brooklet_protocol::messages::delete_topics_request::DeleteTopicState;
use brooklet_protocol::messages::describe_configs_request::DescribeConfigsResource;
use brooklet_protocol::messages::describe_topic_partitions_request::TopicRequest;
use brooklet_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use brooklet_protocol::messages::incremental_alter_configs_request as incremental;
use brooklet_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use brooklet_protocol::messages::leave_group_request::MemberIdentity;
use brooklet_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use brooklet_protocol::messages::metadata_request::MetadataRequestTopic;
use brooklet_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use brooklet_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use brooklet_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use brooklet_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use brooklet_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use brooklet_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use brooklet_protocol::messages::*;
use brooklet_protocol::records::BatchBuilder;
use bytes::Bytes;
use uuid::Uuid;
use wire::{Client, text};

const NOW: i64 = 1_700_000_000_000;

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

/// A broker with one topic of two partitions, five records in the first, and a client.
async fn broker() -> (Broker, Client, Uuid) {
    let broker = Broker::builder().ephemeral().topic("t", 2).start().await.unwrap();
    let records = (0..5).map(|n| Record { timestamp: Some(NOW + n), ..Record::new("k", "v") });
    for record in records {
        broker.produce("t", 0, [record]).unwrap();
    }
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let named = MetadataRequestTopic::default().with_name(Some(topic_name("t")));
    let metadata = client.call(12, &MetadataRequest::default().with_topics(Some(vec![named]))).await;
    let id = metadata.topics[0].topic_id;
    (broker, client, id)
}

/// The versions that ApiVersions names for an API and that are answered.
async fn versions<R: Request>(client: &mut Client) -> std::ops::RangeInclusive<i16> {
    let all = client.call(0, &ApiVersionsRequest::default()).await;
    let range = all.api_keys.iter().find(|api| api.api_key == R::KEY).expect("the API is named");
    range.min_version.max(R::VERSIONS.min)..=range.max_version
}

#[tokio::test]
async fn api_versions() {
    let (_broker, mut client, _) = broker().await;
    for version in 0..=4 {
        let named = ApiVersionsRequest::default()
            .with_client_software_name(text(if version >= 3 { "test" } else { "" }))
            .with_client_software_version(text(if version >= 3 { "1" } else { "" }));
        let answer = client.call(version, &named).await;
        assert_eq!(answer.error_code, 0, "v{version}");
        let keys: Vec<i16> = answer.api_keys.iter().map(|api| api.api_key).collect();
        let distinct: std::collections::BTreeSet<i16> = keys.iter().copied().collect();
        assert!(distinct.len() == keys.len() && keys.len() >= 28, "v{version}: {keys:?}");
    }
    let nameless = client.call(3, &ApiVersionsRequest::default()).await;
    assert_eq!((nameless.error_code, nameless.api_keys.len()), (42, 0));
}

#[tokio::test]
async fn an_unknown_version_of_api_versions_is_answered_in_version_0_with_its_range() {
    let (_broker, mut client, _) = broker().await;
    for version in [5i16, 99] {
        let mut frame = vec![0, 0, 0, 11, 0, 18];
        frame.extend_from_slice(&version.to_be_bytes());
        frame.extend_from_slice(&[0, 0, 0, 9, 0xff, 0xff, 0]);
        client.send_bytes(&frame).await;
        let body = client.receive().await.unwrap();
        assert_eq!(body[..], [0, 0, 0, 9, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4], "as a stock broker's 16 bytes");
    }
}

#[tokio::test]
async fn versions_and_apis_that_are_not_there_end_the_connection() {
    let (broker, mut client, _) = broker().await;
    for (key, version) in [(0i16, 2i16), (1, 3), (3, 99), (999, 0), (4, 7), (52, 0), (22, 6)] {
        let mut frame = vec![0, 0, 0, 10];
        frame.extend_from_slice(&key.to_be_bytes());
        frame.extend_from_slice(&version.to_be_bytes());
        frame.extend_from_slice(&[0, 0, 0, 1, 0xff, 0xff]);
        let mut other = Client::connect(broker.bootstrap_servers()).await;
        other.send_bytes(&frame).await;
        assert!(other.receive().await.is_none(), "API {key} v{version}");
    }
    client.call(0, &ApiVersionsRequest::default()).await;
}

#[tokio::test]
async fn metadata() {
    let (_broker, mut client, id) = broker().await;
    for version in versions::<MetadataRequest>(&mut client).await {
        let all = if version == 0 { Some(Vec::new()) } else { None };
        let answer = client.call(version, &MetadataRequest::default().with_topics(all)).await;
        assert_eq!(answer.brokers.len(), 1, "v{version}");
        let t = answer.topics.iter().find(|topic| topic.name == Some(topic_name("t"))).unwrap();
        assert_eq!(t.partitions.len(), 2, "v{version}");
        if version >= 1 {
            assert_eq!(answer.controller_id, BrokerId(1));
            let none = client.call(version, &MetadataRequest::default().with_topics(Some(Vec::new()))).await;
            assert!(none.topics.is_empty(), "v{version}: an empty list asks for none");
        }
        if version >= 12 {
            let by_id = MetadataRequestTopic::default().with_topic_id(id).with_name(None);
            let unknown = MetadataRequestTopic::default().with_topic_id(Uuid::from_u128(9)).with_name(None);
            let request = MetadataRequest::default().with_topics(Some(vec![by_id, unknown]));
            let answer = client.call(version, &request).await;
            assert_eq!(answer.topics[0].name, Some(topic_name("t")));
            assert_eq!(answer.topics[1].error_code, 100);
        }
        if version >= 8 {
            let named = MetadataRequestTopic::default().with_name(Some(topic_name("t")));
            let request = MetadataRequest::default()
                .with_topics(Some(vec![named]))
                .with_include_topic_authorized_operations(true);
            assert_eq!(client.call(version, &request).await.topics[0].topic_authorized_operations, 3576);
        }
        let fresh = format!("made-by-v{version}");
        let named = MetadataRequestTopic::default().with_name(Some(topic_name(&fresh)));
        let request =
            MetadataRequest::default().with_topics(Some(vec![named.clone()])).with_allow_auto_topic_creation(true);
        let made = client.call(version, &request).await;
        assert_eq!((made.topics[0].error_code, made.topics[0].partitions.len()), (0, 1), "v{version}");
        if version >= 4 {
            let other = MetadataRequestTopic::default().with_name(Some(topic_name("not-made")));
            let request = request.with_topics(Some(vec![other])).with_allow_auto_topic_creation(false);
            assert_eq!(client.call(version, &request).await.topics[0].error_code, 3);
        }
    }
}

fn batch(value: &str) -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.push(NOW, Some(b"k"), Some(value.as_bytes()), &[]);
    builder.build().unwrap()
}

fn produce(version: i16, id: Uuid, partition: i32, records: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records));
    let topic = TopicProduceData::default().with_partition_data(vec![data]);
    let topic = if version >= 13 { topic.with_topic_id(id) } else { topic.with_name(topic_name("t")) };
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic])
}

#[tokio::test]
async fn produce_and_fetch() {
    let (_broker, mut client, id) = broker().await;
    let mut next = 5;
    for version in versions::<ProduceRequest>(&mut client).await {
        let answer = client.call(version, &produce(version, id, 0, batch("x"))).await;
        let partition = &answer.responses[0].partition_responses[0];
        assert_eq!((partition.error_code, partition.base_offset), (0, next), "v{version}");
        next += 1;
        let wrong = client.call(version, &produce(version, id, 7, batch("x"))).await;
        assert_eq!(wrong.responses[0].partition_responses[0].error_code, 3, "v{version}");
        let mut broken = batch("x").to_vec();
        *broken.last_mut().unwrap() ^= 1;
        let broken = client.call(version, &produce(version, id, 0, Bytes::from(broken))).await;
        let partition = &broken.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, 2, "v{version}");
        assert_eq!(partition.error_message.is_some(), version >= 8, "v{version}");
    }
    for version in versions::<FetchRequest>(&mut client).await {
        let partition =
            FetchPartition::default().with_partition(0).with_fetch_offset(3).with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default().with_partitions(vec![partition]);
        let topic = if version >= 13 { topic.with_topic_id(id) } else { topic.with_topic(topic_name("t")) };
        let request = FetchRequest::default()
            .with_max_wait_ms(0)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let answer = client.call(version, &request).await;
        let partition = &answer.responses[0].partitions[0];
        assert_eq!((partition.error_code, partition.high_watermark), (0, next), "v{version}");
        let offsets: Vec<_> = brooklet_protocol::records::batches(partition.records.clone().unwrap())
            .map(|batch| batch.unwrap().header().base_offset)
            .collect();
        assert_eq!(offsets, (3..next).collect::<Vec<_>>(), "v{version}");
    }
}

#[tokio::test]
async fn acks_0_has_no_answer_and_an_error_ends_the_connection() {
    let (broker, mut client, id) = broker().await;
    client.send(9, &produce(9, id, 0, batch("x")).with_acks(0)).await;
    client.call(0, &ApiVersionsRequest::default()).await;
    assert_eq!(broker.records("t").unwrap().len(), 6);
    client.send(9, &produce(9, id, 7, batch("x")).with_acks(0)).await;
    assert!(client.receive().await.is_none());
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let odd = client.call(9, &produce(9, id, 0, batch("x")).with_acks(2)).await;
    assert_eq!(odd.responses[0].partition_responses[0].error_code, 21);
}

#[tokio::test]
async fn list_offsets() {
    let (_broker, mut client, _) = broker().await;
    for version in versions::<ListOffsetsRequest>(&mut client).await {
        for (timestamp, from, expected) in [
            (-1, 1, 5),
            (-2, 1, 0),
            (-3, 7, 4),
            (-4, 8, 0),
            (-5, 9, -1),
            (-6, 11, -1),
            (NOW + 2, 1, 2),
            (NOW + 9, 1, -1),
            (0, 1, 0),
        ] {
            if version < from {
                continue;
            }
            let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
            let topic = ListOffsetsTopic::default().with_name(topic_name("t")).with_partitions(vec![partition]);
            let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
            let answer = client.call(version, &request).await;
            let partition = &answer.topics[0].partitions[0];
            assert_eq!((partition.error_code, partition.offset), (0, expected), "v{version} at {timestamp}");
        }
    }
}

#[tokio::test]
async fn offset_for_leader_epoch() {
    let (_broker, mut client, _) = broker().await;
    for version in versions::<OffsetForLeaderEpochRequest>(&mut client).await {
        let partition = OffsetForLeaderPartition::default().with_leader_epoch(0).with_current_leader_epoch(0);
        let topic = OffsetForLeaderTopic::default().with_topic(topic_name("t")).with_partitions(vec![partition]);
        let answer = client.call(version, &OffsetForLeaderEpochRequest::default().with_topics(vec![topic])).await;
        let partition = &answer.topics[0].partitions[0];
        assert_eq!((partition.error_code, partition.leader_epoch, partition.end_offset), (0, 0, 5));
    }
}

#[tokio::test]
async fn init_producer_id() {
    let (_broker, mut client, _) = broker().await;
    let mut seen = std::collections::HashSet::new();
    for version in versions::<InitProducerIdRequest>(&mut client).await {
        let answer = client.call(version, &InitProducerIdRequest::default().with_transactional_id(None)).await;
        assert_eq!((answer.error_code, answer.producer_epoch), (0, 0));
        assert!(seen.insert(answer.producer_id), "every producer gets an id of its own");
    }
}

#[tokio::test]
async fn cluster_and_coordinators() {
    let (broker, mut client, _) = broker().await;
    let port = broker.addresses()[0].bound.port();
    for version in versions::<DescribeClusterRequest>(&mut client).await {
        let answer = client.call(version, &DescribeClusterRequest::default()).await;
        assert_eq!((answer.error_code, answer.brokers[0].port), (0, i32::from(port)), "v{version}");
        if version >= 1 {
            let controllers = client.call(version, &DescribeClusterRequest::default().with_endpoint_type(2)).await;
            assert_eq!(controllers.error_code, 114);
        }
    }
    for version in versions::<FindCoordinatorRequest>(&mut client).await {
        let request = FindCoordinatorRequest::default();
        if version < 4 {
            let answer = client.call(version, &request.with_key(text("g"))).await;
            assert_eq!((answer.error_code, answer.node_id, answer.port), (0, BrokerId(1), i32::from(port)));
        } else {
            let answer = client.call(version, &request.with_coordinator_keys(vec![text("g"), text("h")])).await;
            assert_eq!(answer.coordinators.len(), 2);
            assert_eq!((answer.coordinators[1].error_code, &*answer.coordinators[1].key), (0, "h"));
        }
    }
}

#[tokio::test]
async fn describe_topic_partitions_pages() {
    let (_broker, mut client, _) = broker().await;
    let named =
        vec![TopicRequest::default().with_name(topic_name("t")), TopicRequest::default().with_name(topic_name("u"))];
    let request = DescribeTopicPartitionsRequest::default().with_topics(named).with_response_partition_limit(1);
    let first = client.call(0, &request).await;
    let cursor = first.next_cursor.expect("a second page");
    assert_eq!((first.topics.len(), &**cursor.topic_name, cursor.partition_index), (1, "t", 1));
    let cursor = brooklet_protocol::messages::describe_topic_partitions_request::Cursor::default()
        .with_topic_name(cursor.topic_name)
        .with_partition_index(1);
    let request = request.with_cursor(Some(cursor)).with_response_partition_limit(100);
    let second = client.call(0, &request).await;
    assert_eq!(second.topics[0].partitions[0].partition_index, 1);
    assert_eq!((second.topics[1].error_code, second.next_cursor), (3, None));
}

#[tokio::test]
async fn topics_are_made_grown_and_deleted() {
    let (_broker, mut client, _) = broker().await;
    for version in versions::<CreateTopicsRequest>(&mut client).await {
        let name = format!("c{version}");
        let config =
            CreatableTopicConfig::default().with_name(text("cleanup.policy")).with_value(Some(text("compact")));
        let plain =
            CreatableTopic::default().with_name(topic_name(&name)).with_num_partitions(3).with_replication_factor(3);
        let odd = CreatableTopic::default()
            .with_name(topic_name("odd"))
            .with_num_partitions(1)
            .with_replication_factor(1)
            .with_configs(vec![
                CreatableTopicConfig::default().with_name(text("no.such.config")).with_value(Some(text("1"))),
            ]);
        let again = plain.clone().with_name(topic_name("t")).with_configs(vec![config]);
        let request = CreateTopicsRequest::default().with_topics(vec![plain, odd, again]).with_timeout_ms(1000);
        let answer = client.call(version, &request).await;
        let codes: Vec<_> = answer.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [0, 40, 36], "v{version}");
        if version >= 5 {
            let made = &answer.topics[0];
            assert_eq!((made.num_partitions, made.replication_factor), (3, 3));
            // A null array here is what kills the Java admin client when a topic has no configs.
            assert_eq!(made.configs.as_ref().expect("configs are listed").len(), 33);
        }
    }
    for version in versions::<CreatePartitionsRequest>(&mut client).await {
        let count = 4 + i32::from(version);
        let grown =
            CreatePartitionsTopic::default().with_name(topic_name("c2")).with_count(count).with_assignments(None);
        let shrunk = grown.clone().with_name(topic_name("c3")).with_count(1);
        let request = CreatePartitionsRequest::default().with_topics(vec![grown, shrunk]).with_timeout_ms(1000);
        let answer = client.call(version, &request).await;
        assert_eq!(answer.results.iter().map(|r| r.error_code).collect::<Vec<_>>(), [0, 37], "v{version}");
    }
    for version in versions::<DeleteTopicsRequest>(&mut client).await {
        let name = topic_name(&format!("c{}", version + 1));
        let request = DeleteTopicsRequest::default().with_timeout_ms(1000);
        let request = if version >= 6 {
            let by_name = DeleteTopicState::default().with_name(Some(name));
            let by_id = DeleteTopicState::default().with_name(None).with_topic_id(Uuid::from_u128(5));
            request.with_topics(vec![by_name, by_id])
        } else {
            request.with_topic_names(vec![name, topic_name("gone")])
        };
        let codes: Vec<_> = client.call(version, &request).await.responses.iter().map(|r| r.error_code).collect();
        assert_eq!(codes, if version >= 6 { [0, 100] } else { [0, 3] }, "v{version}");
    }
}

#[tokio::test]
async fn records_are_deleted_and_sizes_told() {
    let (broker, mut client, _) = broker().await;
    for (version, offset) in versions::<DeleteRecordsRequest>(&mut client).await.zip(1i64..) {
        let partition = |offset| DeleteRecordsPartition::default().with_offset(offset);
        let beyond = partition(99).with_partition_index(0);
        let topic =
            DeleteRecordsTopic::default().with_name(topic_name("t")).with_partitions(vec![partition(offset), beyond]);
        let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000);
        let answer = client.call(version, &request).await;
        let partitions = &answer.topics[0].partitions;
        assert_eq!((partitions[0].error_code, partitions[0].low_watermark), (0, offset));
        assert_eq!(partitions[1].error_code, 1);
        assert_eq!(broker.records("t").unwrap()[0].offset, offset);
    }
    for version in versions::<DescribeLogDirsRequest>(&mut client).await {
        let answer = client.call(version, &DescribeLogDirsRequest::default().with_topics(None)).await;
        let dir = &answer.results[0];
        assert_eq!(dir.topics[0].partitions.len(), 2);
        assert!(dir.topics[0].partitions[0].partition_size > 300, "v{version}");
        assert_eq!(dir.total_bytes > 0, version >= 4, "v{version}");
    }
}

#[tokio::test]
async fn configs_are_described_and_altered() {
    let (_broker, mut client, _) = broker().await;
    for version in versions::<AlterConfigsRequest>(&mut client).await {
        let config = AlterableConfig::default().with_name(text("retention.ms")).with_value(Some(text("1000")));
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text("t"))
            .with_configs(vec![config]);
        let answer = client.call(version, &AlterConfigsRequest::default().with_resources(vec![resource])).await;
        assert_eq!(answer.responses[0].error_code, 0, "v{version}");
    }
    for version in versions::<IncrementalAlterConfigsRequest>(&mut client).await {
        let config =
            incremental::AlterableConfig::default().with_name(text("segment.bytes")).with_value(Some(text("2000000")));
        let bad = incremental::AlterableConfig::default().with_name(text("segment.bytes")).with_value(Some(text("-5")));
        let resource = |config| {
            incremental::AlterConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(text("t"))
                .with_configs(vec![config])
        };
        let (good, bad) = (resource(config), resource(bad));
        for (resources, expected) in
            [(vec![good.clone()], vec![0]), (vec![bad.clone()], vec![40]), (vec![good, bad], vec![42, 42])]
        {
            let request = IncrementalAlterConfigsRequest::default().with_resources(resources);
            let answer = client.call(version, &request).await;
            let codes: Vec<_> = answer.responses.iter().map(|r| r.error_code).collect();
            assert_eq!(codes, expected, "v{version}: a resource may be named once");
        }
    }
    for version in versions::<DescribeConfigsRequest>(&mut client).await {
        let topic = DescribeConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text("t"))
            .with_configuration_keys(None);
        let broker = topic.clone().with_resource_type(4).with_resource_name(text("1"));
        let unknown = topic.clone().with_resource_name(text("gone"));
        let request =
            DescribeConfigsRequest::default().with_resources(vec![topic, broker, unknown]).with_include_synonyms(true);
        let answer = client.call(version, &request).await;
        assert_eq!((answer.results[0].configs.len(), answer.results[1].configs.len()), (33, 340), "v{version}");
        assert_eq!(answer.results[2].error_code, 3);
        let retention = answer.results[0].configs.iter().find(|config| &*config.name == "retention.ms").unwrap();
        assert_eq!((retention.value.as_deref(), retention.config_source), (Some("1000"), 1));
        let segment = answer.results[0].configs.iter().find(|config| &*config.name == "segment.bytes").unwrap();
        assert_eq!(segment.value.as_deref(), Some("2000000"));
    }
}

#[tokio::test]
async fn a_group_lives_and_dies() {
    let (_broker, mut client, id) = broker().await;
    for version in versions::<JoinGroupRequest>(&mut client).await {
        let name = format!("g{version}");
        let protocol =
            JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(b"m"));
        let mut join = JoinGroupRequest::default()
            .with_group_id(group(&name))
            .with_session_timeout_ms(6000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        if version >= 1 {
            join.rebalance_timeout_ms = 10_000;
        }
        let mut joined = client.call(version, &join).await;
        if version >= 4 {
            assert_eq!(joined.error_code, 79, "v{version}: a new member is asked to come with its id");
            join.member_id = joined.member_id;
            joined = client.call(version, &join).await;
        }
        assert_eq!((joined.error_code, joined.generation_id, joined.members.len()), (0, 1, 1), "v{version}");
        assert_eq!(joined.leader, joined.member_id);

        let assignment = SyncGroupRequestAssignment::default()
            .with_member_id(joined.member_id.clone())
            .with_assignment(Bytes::from_static(b"mine"));
        let sync = SyncGroupRequest::default()
            .with_group_id(group(&name))
            .with_generation_id(1)
            .with_member_id(joined.member_id.clone())
            .with_assignments(vec![assignment]);
        let sync_version = version.min(5);
        let synced = client.call(sync_version, &sync).await;
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"mine"[..]), "v{sync_version}");

        let beat = HeartbeatRequest::default()
            .with_group_id(group(&name))
            .with_generation_id(1)
            .with_member_id(joined.member_id.clone());
        assert_eq!(client.call(version.min(4), &beat).await.error_code, 0);

        let offset = OffsetCommitRequestPartition::default()
            .with_committed_offset(3)
            .with_committed_metadata(Some(text("note")));
        let strange = OffsetCommitRequestPartition::default().with_partition_index(9).with_committed_metadata(None);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(topic_name("t"))
            .with_topic_id(id)
            .with_partitions(vec![offset, strange]);
        let commit = OffsetCommitRequest::default()
            .with_group_id(group(&name))
            .with_generation_id_or_member_epoch(1)
            .with_member_id(joined.member_id.clone())
            .with_topics(vec![topic]);
        // Two APIs that are a version ahead of JoinGroup.
        let commit_version = (version + 1).max(2);
        let committed = client.call(commit_version, &commit).await;
        let codes: Vec<_> = committed.topics[0].partitions.iter().map(|p| p.error_code).collect();
        assert_eq!(codes, [0, 3], "v{commit_version}");

        fetch_offsets(&mut client, &name, id, version + 1).await;

        let leave = LeaveGroupRequest::default().with_group_id(group(&name));
        let leave_version = version.min(5);
        let leave = if leave_version >= 3 {
            leave.with_members(vec![MemberIdentity::default().with_member_id(joined.member_id)])
        } else {
            leave.with_member_id(joined.member_id)
        };
        let left = client.call(leave_version, &leave).await;
        assert_eq!(left.error_code, 0, "v{leave_version}");
        assert!(left.members.iter().all(|member| member.error_code == 0));
    }
}

async fn fetch_offsets(client: &mut Client, name: &str, id: Uuid, version: i16) {
    for all in [false, true] {
        if all && version < 2 {
            continue;
        }
        let request = OffsetFetchRequest::default();
        let found: Vec<(i32, i64)> = if version < 8 {
            let topic =
                OffsetFetchRequestTopic::default().with_name(topic_name("t")).with_partition_indexes(vec![0, 1]);
            let topics = if all { None } else { Some(vec![topic]) };
            let answer = client.call(version, &request.with_group_id(group(name)).with_topics(topics)).await;
            let partitions = &answer.topics[0].partitions;
            partitions.iter().map(|p| (p.partition_index, p.committed_offset)).collect()
        } else {
            let topic = OffsetFetchRequestTopics::default()
                .with_name(topic_name("t"))
                .with_topic_id(id)
                .with_partition_indexes(vec![0, 1]);
            let topics = if all { None } else { Some(vec![topic]) };
            let asked = OffsetFetchRequestGroup::default().with_group_id(group(name)).with_topics(topics);
            let answer = client.call(version, &request.with_groups(vec![asked])).await;
            let partitions = &answer.groups[0].topics[0].partitions;
            partitions.iter().map(|p| (p.partition_index, p.committed_offset)).collect()
        };
        assert_eq!(found, if all { vec![(0, 3)] } else { vec![(0, 3), (1, -1)] }, "v{version}");
    }
}

#[tokio::test]
async fn groups_are_listed_described_and_deleted() {
    let (_broker, mut client, _) = broker().await;
    let commit = |name: &str| {
        let offset =
            OffsetCommitRequestPartition::default().with_committed_offset(1).with_committed_metadata(Some(text("")));
        let topic = OffsetCommitRequestTopic::default().with_name(topic_name("t")).with_partitions(vec![offset]);
        OffsetCommitRequest::default()
            .with_group_id(group(name))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic])
    };
    for name in ["a", "b", "c", "d"] {
        assert_eq!(client.call(8, &commit(name)).await.topics[0].partitions[0].error_code, 0);
    }
    for version in versions::<ListGroupsRequest>(&mut client).await {
        let answer = client.call(version, &ListGroupsRequest::default()).await;
        assert_eq!(answer.groups.len(), 4, "v{version}");
        if version >= 4 {
            assert_eq!(&*answer.groups[0].group_state, "Empty");
            let stable = ListGroupsRequest::default().with_states_filter(vec![text("stable")]);
            assert!(client.call(version, &stable).await.groups.is_empty());
        }
        if version >= 5 {
            let classic = ListGroupsRequest::default().with_types_filter(vec![text("CLASSIC")]);
            assert_eq!(client.call(version, &classic).await.groups.len(), 4);
        }
    }
    for version in versions::<DescribeGroupsRequest>(&mut client).await {
        let request = DescribeGroupsRequest::default().with_groups(vec![group("a"), group("none")]);
        let answer = client.call(version, &request).await;
        assert_eq!((&*answer.groups[0].group_state, &*answer.groups[1].group_state), ("Empty", "Dead"));
        assert_eq!(answer.groups[1].error_code, if version >= 6 { 69 } else { 0 });
    }
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(0);
    let topic = OffsetDeleteRequestTopic::default().with_name(topic_name("t")).with_partitions(vec![partition]);
    let delete = OffsetDeleteRequest::default().with_group_id(group("a")).with_topics(vec![topic]);
    let deleted = client.call(0, &delete).await;
    assert_eq!((deleted.error_code, deleted.topics[0].partitions[0].error_code), (0, 0));
    for (version, name) in versions::<DeleteGroupsRequest>(&mut client).await.zip(["b", "c", "d"]) {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![group(name), group("none")]);
        let codes: Vec<_> = client.call(version, &request).await.results.iter().map(|r| r.error_code).collect();
        assert_eq!(codes, [0, 69], "v{version}");
    }
}
