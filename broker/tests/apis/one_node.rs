//! What a cluster of one node answers to who would move replicas, elect leaders or change the quorum, at every version.
//! A stock broker of Apache Kafka 4.3.1 has passed these tests too (`KAFKA_AT`).
#![allow(clippy::unwrap_used)]

use crate::wire;

use brooklet::Broker;
use brooklet_protocol::StrBytes;
use brooklet_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use brooklet_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use brooklet_protocol::messages::create_topics_request::CreatableTopic;
use brooklet_protocol::messages::elect_leaders_request::TopicPartitions;
use brooklet_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use brooklet_protocol::messages::metadata_request::MetadataRequestTopic;
use brooklet_protocol::messages::*;
use uuid::Uuid;
use wire::{Client, broker_or_stock, text, versions};

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const REQUEST_TIMED_OUT: i16 = 7;
const UNSUPPORTED_VERSION: i16 = 35;
const INVALID_REPLICATION_FACTOR: i16 = 38;
const INVALID_REPLICA_ASSIGNMENT: i16 = 39;
const INVALID_REQUEST: i16 = 42;
const LOG_DIR_NOT_FOUND: i16 = 57;
const ELECTION_NOT_NEEDED: i16 = 84;
const NO_REASSIGNMENT_IN_PROGRESS: i16 = 85;
const BROKER_ID_NOT_REGISTERED: i16 = 102;
const INCONSISTENT_CLUSTER_ID: i16 = 104;
const DUPLICATE_VOTER: i16 = 126;
const VOTER_NOT_FOUND: i16 = 127;

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A client, and a new topic of two partitions.
async fn client_and_topic() -> (Option<Broker>, Client, String) {
    let (broker, mut client) = broker_or_stock().await;
    let name = format!("one-node-{}", Uuid::new_v4());
    let topic =
        CreatableTopic::default().with_name(topic_name(&name)).with_num_partitions(2).with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000);
    assert_eq!(client.call(5, &request).await.topics[0].error_code, 0);
    let named = MetadataRequestTopic::default().with_name(Some(topic_name(&name)));
    let metadata = MetadataRequest::default().with_topics(Some(vec![named])).with_allow_auto_topic_creation(false);
    while client.call(9, &metadata).await.topics[0].error_code != 0 {
        // A stock broker follows its controller a moment later.
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    (broker, client, name)
}

#[tokio::test]
async fn no_election_is_needed() {
    let (_broker, mut client, name) = client_and_topic().await;
    let named = |name: &str, partitions: &[i32]| {
        TopicPartitions::default().with_topic(topic_name(name)).with_partitions(partitions.to_vec())
    };
    for version in versions::<ElectLeadersRequest>(&mut client).await {
        for election_type in if version >= 1 { 0..=1 } else { 0..=0 } {
            let topics = vec![named(&name, &[0, 7]), named("gone", &[0])];
            let request =
                ElectLeadersRequest::default().with_election_type(election_type).with_topic_partitions(Some(topics));
            let answer = client.call(version, &request).await;
            let results = answer.replica_election_results.iter();
            let codes: Vec<Vec<_>> =
                results.map(|topic| topic.partition_result.iter().map(|p| p.error_code).collect()).collect();
            let expected = [vec![ELECTION_NOT_NEEDED, UNKNOWN_TOPIC_OR_PARTITION], vec![UNKNOWN_TOPIC_OR_PARTITION]];
            assert_eq!((answer.error_code, &codes[..]), (0, &expected[..]), "v{version}");

            let all = client.call(version, &request.with_topic_partitions(None)).await;
            assert_eq!(all.error_code, 0);
            let mine = all.replica_election_results.iter().find(|topic| **topic.topic == *name).unwrap();
            assert!(mine.partition_result.is_empty(), "only partitions that needed an election are told");
        }
    }
    let request = ElectLeadersRequest::default().with_election_type(5);
    let answer = client.call(2, &request.clone().with_topic_partitions(Some(vec![named("t", &[3])]))).await;
    let result = &answer.replica_election_results[0].partition_result[0];
    assert_eq!((answer.error_code, result.partition_id, result.error_code), (INVALID_REQUEST, 3, INVALID_REQUEST));
    let answer = client.call(2, &request.with_topic_partitions(None)).await;
    assert_eq!((answer.error_code, answer.replica_election_results.len()), (INVALID_REQUEST, 0));
}

#[tokio::test]
async fn replicas_stay_where_they_are() {
    let (_broker, mut client, name) = client_and_topic().await;
    let cases: [(&str, i32, Option<&[i32]>, i16); 9] = [
        (&name, 0, Some(&[1]), 0),
        (&name, 0, Some(&[1, 2]), INVALID_REPLICA_ASSIGNMENT),
        (&name, 0, Some(&[2]), INVALID_REPLICA_ASSIGNMENT),
        (&name, 0, Some(&[-1]), INVALID_REPLICA_ASSIGNMENT),
        (&name, 0, Some(&[]), INVALID_REPLICA_ASSIGNMENT),
        (&name, 0, Some(&[1, 1]), INVALID_REPLICA_ASSIGNMENT),
        (&name, 0, None, NO_REASSIGNMENT_IN_PROGRESS),
        (&name, 9, Some(&[1]), UNKNOWN_TOPIC_OR_PARTITION),
        ("gone", 0, Some(&[1]), UNKNOWN_TOPIC_OR_PARTITION),
    ];
    for version in versions::<AlterPartitionReassignmentsRequest>(&mut client).await {
        for (topic, index, replicas, expected) in cases {
            for may_change_factor in if version >= 1 { vec![true, false] } else { vec![true] } {
                let replicas = replicas.map(|ids| ids.iter().map(|id| BrokerId(*id)).collect());
                let partition =
                    ReassignablePartition::default().with_partition_index(index).with_replicas(replicas.clone());
                let topic = ReassignableTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
                let request = AlterPartitionReassignmentsRequest::default()
                    .with_allow_replication_factor_change(may_change_factor)
                    .with_topics(vec![topic]);
                let answer = client.call(version, &request).await;
                let partition = &answer.responses[0].partitions[0];
                assert_eq!((answer.error_code, partition.error_code), (0, expected), "v{version}: {replicas:?}");
                assert_eq!(
                    (answer.allow_replication_factor_change, partition.partition_index),
                    (may_change_factor, index)
                );
            }
        }
    }
    for version in versions::<ListPartitionReassignmentsRequest>(&mut client).await {
        let answer = client.call(version, &ListPartitionReassignmentsRequest::default().with_topics(None)).await;
        assert_eq!((answer.error_code, answer.error_message, answer.topics.len()), (0, None, 0));
    }
}

#[tokio::test]
async fn replicas_that_cannot_be_placed_are_refused_where_that_is_asked_for() {
    let broker = Broker::builder().ephemeral().set("brooklet.strict.replication", "true").start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    for (factor, expected) in [(3, INVALID_REPLICATION_FACTOR), (1, 0), (-1, 0)] {
        let topic = CreatableTopic::default().with_name(topic_name(&format!("of-{factor}"))).with_num_partitions(1);
        let request = CreateTopicsRequest::default().with_topics(vec![topic.with_replication_factor(factor)]);
        assert_eq!(client.call(7, &request).await.topics[0].error_code, expected, "{factor}");
    }
}

#[tokio::test]
async fn a_declared_replication_factor_acts_as_one() {
    let broker = Broker::builder().ephemeral().start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let topic = CreatableTopic::default().with_name(topic_name("t")).with_num_partitions(1).with_replication_factor(3);
    client.call(5, &CreateTopicsRequest::default().with_topics(vec![topic])).await;
    let partition = ReassignablePartition::default().with_replicas(Some(vec![BrokerId(1)]));
    let topic = ReassignableTopic::default().with_name(topic_name("t")).with_partitions(vec![partition]);
    let request = AlterPartitionReassignmentsRequest::default()
        .with_allow_replication_factor_change(false)
        .with_topics(vec![topic]);
    assert_eq!(client.call(1, &request).await.responses[0].partitions[0].error_code, 0);
}

#[tokio::test]
async fn logs_stay_in_the_one_directory() {
    let (_broker, mut client, name) = client_and_topic().await;
    let own = client.call(1, &DescribeLogDirsRequest::default().with_topics(None)).await.results[0].log_dir.clone();
    for version in versions::<AlterReplicaLogDirsRequest>(&mut client).await {
        let cases: [(&StrBytes, &str, [i16; 2]); 4] = [
            (&own, &name, [0, UNKNOWN_TOPIC_OR_PARTITION]),
            (&own, "gone", [UNKNOWN_TOPIC_OR_PARTITION; 2]),
            (&text("/nope"), &name, [LOG_DIR_NOT_FOUND; 2]),
            (&text("relative"), "gone", [LOG_DIR_NOT_FOUND; 2]),
        ];
        for (path, topic, expected) in cases {
            let named = AlterReplicaLogDirTopic::default().with_name(topic_name(topic)).with_partitions(vec![0, 9]);
            let dir = AlterReplicaLogDir::default().with_path(path.clone()).with_topics(vec![named]);
            let answer = client.call(version, &AlterReplicaLogDirsRequest::default().with_dirs(vec![dir])).await;
            let mut codes: Vec<_> =
                answer.results[0].partitions.iter().map(|p| (p.partition_index, p.error_code)).collect();
            codes.sort_unstable();
            assert_eq!(codes, [(0, expected[0]), (9, expected[1])], "v{version}: {topic} to {path}");
        }
    }
    let described = client.call(5, &DescribeLogDirsRequest::default().with_topics(None)).await;
    assert_eq!((described.results.len(), described.results[0].is_cordoned), (1, false));
}

#[tokio::test]
async fn what_has_configs_is_listed() {
    let (_broker, mut client, name) = client_and_topic().await;
    for (of_type, config, value) in [(32, "consumer.session.timeout.ms", "50000"), (16, "interval.ms", "5000")] {
        let config = AlterableConfig::default().with_name(text(config)).with_value(Some(text(value)));
        let resource = AlterConfigsResource::default()
            .with_resource_type(of_type)
            .with_resource_name(text(&name))
            .with_configs(vec![config]);
        let altered = client.call(1, &IncrementalAlterConfigsRequest::default().with_resources(vec![resource])).await;
        assert_eq!(altered.responses[0].error_code, 0, "{:?}", altered.responses[0].error_message);
    }
    // A stock broker follows its controller a moment later.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let ask = |types: &[i8]| ListConfigResourcesRequest::default().with_resource_types(types.to_vec());
    let subscriptions = client.call(0, &ask(&[])).await;
    let listed = subscriptions.config_resources.iter().filter(|resource| *resource.resource_name == *name).count();
    assert_eq!((subscriptions.error_code, listed), (0, 1), "v0 lists subscriptions to metrics alone");
    let types = [vec![], vec![2], vec![4], vec![8], vec![16], vec![32], vec![8, 2]];
    for asked in types {
        let answer = client.call(1, &ask(&asked)).await;
        let lists = |name: &str, of_type: i8| {
            answer.config_resources.iter().any(|r| *r.resource_name == *name && r.resource_type == of_type)
        };
        let wanted = |of_type| asked.is_empty() || asked.contains(&of_type);
        assert_eq!(answer.error_code, 0, "{asked:?}");
        assert_eq!(lists(&name, 2), wanted(2), "{asked:?}");
        assert_eq!(lists("1", 4), wanted(4), "{asked:?}");
        assert_eq!(lists("1", 8), wanted(8), "{asked:?}");
        assert_eq!(lists(&name, 16), wanted(16), "{asked:?}");
        assert_eq!(lists(&name, 32), wanted(32), "{asked:?}");
        assert!(answer.config_resources.iter().all(|resource| wanted(resource.resource_type)));
    }
    for unknown in [0, 3, 64] {
        let answer = client.call(1, &ask(&[2, unknown])).await;
        assert_eq!((answer.error_code, answer.config_resources.len()), (UNSUPPORTED_VERSION, 0), "{unknown}");
    }
}

mod quorum {
    use super::*;
    use brooklet_protocol::messages::add_raft_voter_request::Listener;
    use brooklet_protocol::messages::describe_quorum_request::{PartitionData, TopicData};

    fn ask(topics: &[(&str, &[i32])]) -> DescribeQuorumRequest {
        let topic = |(name, partitions): &(&str, &[i32])| {
            let partitions = partitions.iter().map(|index| PartitionData::default().with_partition_index(*index));
            TopicData::default().with_topic_name(topic_name(name)).with_partitions(partitions.collect())
        };
        DescribeQuorumRequest::default().with_topics(topics.iter().map(topic).collect())
    }

    #[tokio::test]
    async fn is_this_node_which_is_never_behind() {
        let (_broker, mut client) = broker_or_stock().await;
        let mut end = 0;
        for version in versions::<DescribeQuorumRequest>(&mut client).await {
            let answer = client.call(version, &ask(&[("__cluster_metadata", &[0])])).await;
            let partition = &answer.topics[0].partitions[0];
            assert_eq!((answer.error_code, partition.error_code, partition.leader_id), (0, 0, BrokerId(1)));
            assert!(partition.leader_epoch > 0);
            assert!(partition.high_watermark >= end, "the metadata log never gets shorter");
            end = partition.high_watermark;
            assert_eq!((partition.current_voters.len(), partition.observers.len()), (1, 0));
            let voter = &partition.current_voters[0];
            assert_eq!((voter.replica_id, voter.log_end_offset), (BrokerId(1), end));
            assert_eq!(voter.last_fetch_timestamp > 0, version >= 1, "v{version}");
            assert_eq!(voter.last_caught_up_timestamp > 0, version >= 1, "v{version}");
            assert_eq!(voter.replica_directory_id.is_nil(), version < 2, "v{version}");
            assert_eq!(answer.nodes.len(), usize::from(version >= 2));
            if let [node] = &answer.nodes[..] {
                assert_eq!((node.node_id, &*node.listeners[0].name), (BrokerId(1), "CONTROLLER"));
                assert!(node.listeners[0].port > 0);
            }
        }
    }

    #[tokio::test]
    async fn of_other_logs_there_is_none() {
        let (_broker, mut client) = broker_or_stock().await;
        let asked: [&[(&str, &[i32])]; 5] = [
            &[("__cluster_metadata", &[1])],
            &[("__cluster_metadata", &[0, 1])],
            &[("__cluster_metadata", &[0]), ("t", &[0])],
            &[("t", &[0])],
            &[],
        ];
        for version in versions::<DescribeQuorumRequest>(&mut client).await {
            for topics in asked {
                let answer = client.call(version, &ask(topics)).await;
                assert_eq!((answer.error_code, answer.topics.len(), answer.nodes.len()), (0, topics.len(), 0));
                let mut partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
                assert!(partitions.all(|p| p.error_code == UNKNOWN_TOPIC_OR_PARTITION && p.current_voters.is_empty()));
            }
        }
    }

    #[tokio::test]
    async fn takes_in_nobody() {
        let (_broker, mut client) = broker_or_stock().await;
        let directory = Uuid::from_u128(5);
        let listener = |name| Listener::default().with_name(text(name)).with_host(text("127.0.0.1")).with_port(1);
        let request = AddRaftVoterRequest::default()
            .with_cluster_id(None)
            .with_voter_id(2)
            .with_voter_directory_id(directory)
            .with_timeout_ms(2000)
            .with_listeners(vec![listener("CONTROLLER")]);
        let cases = [
            (request.clone().with_cluster_id(Some(text("other"))), INCONSISTENT_CLUSTER_ID),
            (request.clone().with_voter_id(-1), INVALID_REQUEST),
            (request.clone().with_voter_directory_id(Uuid::nil()), INVALID_REQUEST),
            (request.clone().with_voter_id(1).with_listeners(vec![listener("PLAINTEXT")]), INVALID_REQUEST),
            (request.clone().with_voter_id(1), DUPLICATE_VOTER),
            (request, REQUEST_TIMED_OUT),
        ];
        for version in versions::<AddRaftVoterRequest>(&mut client).await {
            for (request, expected) in &cases {
                let answer = client.call(version, request).await;
                assert_eq!(answer.error_code, *expected, "v{version}: {request:?}");
                assert!(answer.error_message.is_some_and(|message| !message.is_empty()));
            }
        }
    }

    #[tokio::test]
    async fn lets_nobody_go() {
        let (broker, mut client) = broker_or_stock().await;
        let request = RemoveRaftVoterRequest::default().with_cluster_id(None);
        let directory = Uuid::from_u128(5);
        let voter = |id, directory| request.clone().with_voter_id(id).with_voter_directory_id(directory);
        let cases = [
            (voter(1, directory).with_cluster_id(Some(text("other"))), INCONSISTENT_CLUSTER_ID),
            (voter(-1, directory), INVALID_REQUEST),
            (voter(1, Uuid::nil()), INVALID_REQUEST),
            (voter(1, directory), VOTER_NOT_FOUND),
            (voter(2, directory), VOTER_NOT_FOUND),
        ];
        for (request, expected) in cases {
            assert_eq!(client.call(0, &request).await.error_code, expected, "{request:?}");
        }
        let quorum = client.call(2, &ask(&[("__cluster_metadata", &[0])])).await;
        let own = quorum.topics[0].partitions[0].current_voters[0].replica_directory_id;
        assert_eq!(client.call(0, &voter(1, own)).await.error_code, VOTER_NOT_FOUND, "the last voter stays");
        // A stock broker forgets itself, and leads nothing until it is started again.
        if broker.is_some() {
            let unregister = UnregisterBrokerRequest::default().with_broker_id(BrokerId(1));
            assert_eq!(client.call(0, &unregister).await.error_code, INVALID_REQUEST);
        }
        let unregister = UnregisterBrokerRequest::default().with_broker_id(BrokerId(7));
        assert_eq!(client.call(0, &unregister).await.error_code, BROKER_ID_NOT_REGISTERED);
    }
}
