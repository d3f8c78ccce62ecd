//! Each API of transactions at every version that the broker says it answers.
#![allow(clippy::unwrap_used)]

use crate::wire;

use brooklet::Broker;
use brooklet_protocol::Request;
use brooklet_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use brooklet_protocol::messages::describe_producers_request::TopicRequest;
use brooklet_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use brooklet_protocol::messages::*;
use wire::transactional::{Generation, Producer, committed, init_request, read_committed, topic_name};
use wire::{Client, text};

async fn broker() -> (Broker, Client) {
    let broker = Broker::builder().ephemeral().topic("t", 3).start().await.unwrap();
    let client = Client::connect(broker.bootstrap_servers()).await;
    (broker, client)
}

async fn versions<R: Request>(client: &mut Client) -> std::ops::RangeInclusive<i16> {
    let all = client.call(0, &ApiVersionsRequest::default()).await;
    let range = all.api_keys.iter().find(|api| api.api_key == R::KEY).expect("the API is named");
    range.min_version..=range.max_version
}

fn transactional_id(id: &str) -> TransactionalId {
    TransactionalId(text(id))
}

#[tokio::test]
async fn init_producer_id() {
    let (_broker, mut client) = broker().await;
    for version in versions::<InitProducerIdRequest>(&mut client).await {
        let id = format!("v{version}");
        for epoch in 0..3 {
            let answer = client.call(version, &init_request(&id)).await;
            assert_eq!((answer.error_code, answer.producer_epoch), (0, epoch), "v{version}");
        }
        let empty = client.call(version, &init_request("")).await;
        assert_eq!((empty.error_code, empty.producer_id.0, empty.producer_epoch), (42, -1, -1));
        let too_long = init_request(&id).with_transaction_timeout_ms(900_001);
        assert_eq!(client.call(version, &too_long).await.error_code, 50);
        if version >= 3 {
            let current = client.call(version, &init_request(&id)).await;
            let goes_on = |epoch| init_request(&id).with_producer_id(current.producer_id).with_producer_epoch(epoch);
            assert_eq!(client.call(version, &goes_on(3)).await.producer_epoch, 4);
            assert_eq!(client.call(version, &goes_on(3)).await.producer_epoch, 4, "the answer was lost");
            let fenced = if version >= 4 { 90 } else { 47 };
            assert_eq!(client.call(version, &goes_on(1)).await.error_code, fenced);
            assert_eq!(client.call(version, &goes_on(-1)).await.error_code, 42);
        }
    }
}

#[tokio::test]
async fn add_partitions_to_txn() {
    let (broker, mut client) = broker().await;
    let mut producer = Producer::begin(broker.bootstrap_servers(), "a", Generation::First).await;
    let topic = |name: &str, partitions: &[i32]| {
        AddPartitionsToTxnTopic::default().with_name(topic_name(name)).with_partitions(partitions.to_vec())
    };
    for version in versions::<AddPartitionsToTxnRequest>(&mut client).await {
        let codes = async |client: &mut Client, epoch: i16, verify_only: bool, topics: Vec<AddPartitionsToTxnTopic>| {
            let request = match version {
                ..=3 => AddPartitionsToTxnRequest::default()
                    .with_v3_and_below_transactional_id(transactional_id("a"))
                    .with_v3_and_below_producer_id(ProducerId(producer.producer_id))
                    .with_v3_and_below_producer_epoch(epoch)
                    .with_v3_and_below_topics(topics),
                _ => AddPartitionsToTxnRequest::default().with_transactions(vec![
                    AddPartitionsToTxnTransaction::default()
                        .with_transactional_id(transactional_id("a"))
                        .with_producer_id(ProducerId(producer.producer_id))
                        .with_producer_epoch(epoch)
                        .with_verify_only(verify_only)
                        .with_topics(topics),
                ]),
            };
            let answer = client.call(version, &request).await;
            let results = match version {
                ..=3 => answer.results_by_topic_v3_and_below,
                _ => answer.results_by_transaction.into_iter().next().unwrap().topic_results,
            };
            let partitions = results.into_iter().flat_map(|topic| topic.results_by_partition);
            partitions.map(|partition| partition.partition_error_code).collect::<Vec<_>>()
        };
        let epoch = producer.epoch;
        assert_eq!(codes(&mut client, epoch, false, vec![topic("t", &[0, 1])]).await, [0, 0], "v{version}");
        assert_eq!(codes(&mut client, epoch, false, vec![topic("t", &[2]), topic("gone", &[0])]).await, [55, 3]);
        let fenced = if version >= 2 { 90 } else { 47 };
        assert_eq!(codes(&mut client, epoch + 1, false, vec![topic("t", &[0])]).await, [fenced]);
        if version >= 4 {
            assert_eq!(codes(&mut client, epoch, true, vec![topic("t", &[1, 2])]).await, [0, 120]);
        } else {
            let internal = vec![topic("__consumer_offsets", &[0])];
            assert_eq!(codes(&mut client, epoch, false, internal).await, [29]);
        }
        assert_eq!(producer.end(false).await, 0, "v{version}: it was begun");
    }
}

#[tokio::test]
async fn offsets_in_transactions() {
    let (broker, mut client) = broker().await;
    let mut producer = Producer::begin(broker.bootstrap_servers(), "a", Generation::First).await;
    for version in versions::<AddOffsetsToTxnRequest>(&mut client).await {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(transactional_id("a"))
            .with_producer_id(ProducerId(producer.producer_id))
            .with_group_id(GroupId(text("g")));
        let fenced = request.clone().with_producer_epoch(producer.epoch + 1);
        let unknown = request.clone().with_transactional_id(transactional_id("b"));
        let request = request.with_producer_epoch(producer.epoch);
        for (request, error) in [(request, 0), (fenced, if version >= 2 { 90 } else { 47 }), (unknown, 49)] {
            assert_eq!(client.call(version, &request).await.error_code, error, "v{version}");
        }
    }
    assert_eq!(producer.end(true).await, 0);
    for version in versions::<TxnOffsetCommitRequest>(&mut client).await {
        let offset = 10 + i64::from(version);
        let request = producer.offset_commit("g", "t", offset);
        if version < 5 {
            let unverified = client.call(version, &request).await.topics[0].partitions[0].error_code;
            assert_eq!(unverified, if version >= 4 { 120 } else { 48 }, "v{version}: the group was not added");
            let add = AddOffsetsToTxnRequest::default()
                .with_transactional_id(transactional_id("a"))
                .with_producer_id(ProducerId(producer.producer_id))
                .with_producer_epoch(producer.epoch)
                .with_group_id(GroupId(text("g")));
            assert_eq!(client.call(0, &add).await.error_code, 0);
        }
        let mut two = request.clone();
        two.topics.push(two.topics[0].clone().with_name(topic_name("gone")));
        let codes: Vec<_> =
            client.call(version, &two).await.topics.iter().map(|t| t.partitions[0].error_code).collect();
        assert_eq!(codes, [0, 3], "v{version}");
        let nameless = request.clone().with_group_id(GroupId(text("")));
        assert_eq!(client.call(version, &nameless).await.topics[0].partitions[0].error_code, 24);
        assert_eq!(committed(&mut client, "g", "t", true).await.0, 88);
        let request = producer.end_request(true);
        let ended = client.call(if version < 5 { 4 } else { 5 }, &request).await;
        assert_eq!(ended.error_code, 0);
        assert_eq!(committed(&mut client, "g", "t", true).await, (0, offset), "v{version}");
    }
}

#[tokio::test]
async fn end_txn() {
    let (broker, mut client) = broker().await;
    let address = broker.bootstrap_servers();
    for version in versions::<EndTxnRequest>(&mut client).await {
        let generation = if version < 5 { Generation::First } else { Generation::Second };
        let mut producer = Producer::begin(address, &format!("v{version}"), generation).await;
        producer.send("t", "v").await;
        let ended = client.call(version, &producer.end_request(true)).await;
        assert_eq!(ended.error_code, 0);
        let next = if version >= 5 { (producer.producer_id, producer.epoch + 1) } else { (-1, -1) };
        assert_eq!((ended.producer_id.0, ended.producer_epoch), next, "v{version}");
        assert_eq!(client.call(version, &producer.end_request(true)).await, ended, "the same again");
        assert_eq!(client.call(version, &producer.end_request(false)).await.error_code, 48);
        producer.epoch -= 1;
        let fenced = if version >= 2 { 90 } else { 47 };
        assert_eq!(client.call(version, &producer.end_request(true)).await.error_code, fenced);
        producer.producer_id += 1000;
        assert_eq!(client.call(version, &producer.end_request(true)).await.error_code, 49);
    }
}

#[tokio::test]
async fn transactions_and_producers_are_described_and_a_hanging_one_is_ended() {
    let (broker, mut client) = broker().await;
    let mut producer = Producer::begin(broker.bootstrap_servers(), "a", Generation::Second).await;
    Producer::begin(broker.bootstrap_servers(), "b", Generation::Second).await;
    producer.send("t", "v").await;
    for version in versions::<DescribeTransactionsRequest>(&mut client).await {
        let ids = ["a", "b", "unknown", ""].map(transactional_id).to_vec();
        let request = DescribeTransactionsRequest::default().with_transactional_ids(ids);
        let states = client.call(version, &request).await.transaction_states;
        let a = &states[0];
        assert_eq!((a.error_code, &*a.transaction_state, a.transaction_timeout_ms), (0, "Ongoing", 60_000));
        assert_eq!((a.producer_id.0, a.producer_epoch), (producer.producer_id, producer.epoch));
        assert!(a.transaction_start_time_ms > 1_700_000_000_000);
        assert_eq!((a.topics[0].topic.as_str(), &a.topics[0].partitions[..]), ("t", &[0][..]));
        assert_eq!((&*states[1].transaction_state, states[1].transaction_start_time_ms), ("Empty", -1));
        assert_eq!((states[2].error_code, states[3].error_code), (105, 42));
    }
    for version in versions::<ListTransactionsRequest>(&mut client).await {
        let list = async |client: &mut Client, request: ListTransactionsRequest| {
            let answer = client.call(version, &request).await;
            let mut ids: Vec<_> =
                answer.transaction_states.iter().map(|state| state.transactional_id.to_string()).collect();
            ids.sort();
            (answer.error_code, ids.concat(), answer.unknown_state_filters.len())
        };
        let all = ListTransactionsRequest::default();
        assert_eq!(list(&mut client, all.clone()).await, (0, "ab".to_owned(), 0), "v{version}");
        let states = all.clone().with_state_filters(vec![text("Ongoing"), text("Odd")]);
        assert_eq!(list(&mut client, states).await, (0, "a".to_owned(), 1));
        let producers = all.clone().with_producer_id_filters(vec![ProducerId(producer.producer_id)]);
        assert_eq!(list(&mut client, producers).await, (0, "a".to_owned(), 0));
        if version >= 1 {
            let long = all.clone().with_state_filters(vec![text("Ongoing")]).with_duration_filter(60_000);
            assert_eq!(list(&mut client, long).await, (0, String::new(), 0));
        }
        if version >= 2 {
            for (pattern, expected) in
                [("a|c", (0, "a")), ("", (0, "ab")), (".", (0, "ab")), ("x?", (0, "")), ("(", (128, ""))]
            {
                let request = all.clone().with_transactional_id_pattern(Some(text(pattern)));
                let (error, ids, _) = list(&mut client, request).await;
                assert_eq!((error, ids.as_str()), expected, "{pattern}");
            }
        }
    }
    let topics = [("t", vec![0, 1, 9]), ("gone", vec![0]), ("not a topic", vec![0])];
    let topics = topics.map(|(name, partitions)| {
        TopicRequest::default().with_name(topic_name(name)).with_partition_indexes(partitions)
    });
    let describe = DescribeProducersRequest::default().with_topics(topics.to_vec());
    let described = client.call(0, &describe).await.topics;
    let codes: Vec<Vec<i16>> =
        described.iter().map(|topic| topic.partitions.iter().map(|partition| partition.error_code).collect()).collect();
    assert_eq!(codes, [vec![0, 0, 3], vec![3], vec![17]]);
    let active = &described[0].partitions[0].active_producers[0];
    assert_eq!((active.producer_id.0, active.producer_epoch), (producer.producer_id, producer.epoch.into()));
    assert_eq!((active.last_sequence, active.current_txn_start_offset, active.coordinator_epoch), (0, 0, -1));
    assert!(described[0].partitions[1].active_producers.is_empty());

    for version in versions::<WriteTxnMarkersRequest>(&mut client).await {
        // With the records' own epoch a marker of the second version would be late.
        let topics = ["t", "gone"]
            .map(|name| WritableTxnMarkerTopic::default().with_name(topic_name(name)).with_partition_indexes(vec![0]));
        let marker = WritableTxnMarker::default()
            .with_producer_id(ProducerId(producer.producer_id))
            .with_producer_epoch(producer.epoch)
            .with_transaction_result(false)
            .with_topics(topics.to_vec());
        let answer = client.call(version, &WriteTxnMarkersRequest::default().with_markers(vec![marker])).await;
        let codes: Vec<_> = answer.markers[0].topics.iter().map(|topic| topic.partitions[0].error_code).collect();
        assert_eq!(codes, [0, 3], "v{version}");
    }
    let ended = client.call(0, &describe).await;
    assert_eq!(ended.topics[0].partitions[0].active_producers[0].current_txn_start_offset, -1);
    assert!(read_committed(&mut client, "t", 1 << 20).await.is_empty());
}

#[tokio::test]
async fn coordinators_are_found_and_features_told() {
    let (_broker, mut client) = broker().await;
    for version in versions::<FindCoordinatorRequest>(&mut client).await.filter(|version| *version >= 1) {
        let request = FindCoordinatorRequest::default().with_key_type(1);
        let node = match version {
            ..=3 => client.call(version, &request.with_key(text("a"))).await.node_id,
            _ => client.call(version, &request.with_coordinator_keys(vec![text("a")])).await.coordinators[0].node_id,
        };
        assert_eq!(node, BrokerId(1), "v{version}");
    }
    for version in [3, 4] {
        let named =
            ApiVersionsRequest::default().with_client_software_name(text("x")).with_client_software_version(text("1"));
        let answer = client.call(version, &named).await;
        let supported: Vec<_> = answer.supported_features.iter().map(|feature| feature.name.to_string()).collect();
        assert_eq!(supported.len(), if version >= 4 { 7 } else { 1 }, "v{version}: {supported:?}");
        let finalized =
            answer.finalized_features.iter().find(|feature| &*feature.name == "transaction.version").unwrap();
        assert_eq!((finalized.min_version_level, finalized.max_version_level), (2, 2));
        assert!(answer.finalized_features_epoch >= 0);
    }
}
