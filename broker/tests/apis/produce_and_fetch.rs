//! What producers and consumers rely on, by the wire: duplicates, sequences, refusals with their codes, waiting, limits,
//! sessions.
#![allow(clippy::unwrap_used)]

use crate::wire;

use std::time::{Duration, Instant};

use brooklet::{Broker, Record};
use brooklet_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use brooklet_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use brooklet_protocol::messages::produce_response::PartitionProduceResponse;
use brooklet_protocol::messages::{FetchRequest, FetchResponse, InitProducerIdRequest, ProduceRequest, TopicName};
use brooklet_protocol::records::{BatchBuilder, CompressionType, batches};
use bytes::Bytes;
use wire::{Client, text};

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn request(topic: &str, records: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_records(Some(records));
    let topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic])
}

async fn produce(client: &mut Client, version: i16, topic: &str, records: Bytes) -> PartitionProduceResponse {
    client.call(version, &request(topic, records)).await.responses.remove(0).partition_responses.remove(0)
}

fn batch(builder: BatchBuilder, values: &[&str]) -> Bytes {
    let mut builder = builder;
    for value in values {
        builder.push(1_700_000_000_000, Some(b"k"), Some(value.as_bytes()), &[]);
    }
    builder.build().unwrap()
}

#[tokio::test]
async fn a_batch_sent_again_is_stored_once_and_answered_with_its_first_offset() {
    let broker = Broker::builder().topic("t", 1).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let id = client.call(4, &InitProducerIdRequest::default().with_transactional_id(None)).await.producer_id.0;
    let sent = |epoch, sequence| batch(BatchBuilder::new().producer(id, epoch, sequence), &["a", "b"]);
    for sequence in [0, 2, 4, 6, 8, 10] {
        let stored = produce(&mut client, 9, "t", sent(0, sequence)).await;
        assert_eq!((stored.error_code, stored.base_offset), (0, i64::from(sequence)));
    }
    for sequence in [2, 4, 6, 8, 10] {
        let again = produce(&mut client, 9, "t", sent(0, sequence)).await;
        assert_eq!((again.error_code, again.base_offset), (0, i64::from(sequence)), "one of the last five");
    }
    let out_of_order = [(0, 0), (0, 14), (0, 11)];
    for (epoch, sequence) in out_of_order {
        let refused = produce(&mut client, 9, "t", sent(epoch, sequence)).await;
        assert_eq!((refused.error_code, refused.base_offset), (45, -1), "sequence {sequence}");
    }
    assert_eq!(produce(&mut client, 9, "t", sent(1, 5)).await.error_code, 45, "a new epoch begins at 0");
    assert_eq!(produce(&mut client, 9, "t", sent(1, 0)).await.error_code, 0);
    assert_eq!(produce(&mut client, 9, "t", sent(0, 12)).await.error_code, 47, "the old one has been fenced");
    assert_eq!(broker.records("t").unwrap().len(), 14);
}

#[tokio::test]
async fn what_a_topic_does_not_allow_is_refused_with_kafkas_codes() {
    let broker = Broker::builder().start().await.unwrap();
    broker.create_topic_with("small", 1, [("max.message.bytes", "200")]).unwrap();
    broker.create_topic_with("compacted", 1, [("cleanup.policy", "compact")]).unwrap();
    broker.create_topic_with("recent", 1, [("message.timestamp.before.max.ms", "1000")]).unwrap();
    broker.create_topic_with("appended", 1, [("message.timestamp.type", "LogAppendTime")]).unwrap();
    broker.create_topic("t", 1).unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;

    let large = batch(BatchBuilder::new(), &[&"x".repeat(300)]);
    assert_eq!(produce(&mut client, 9, "small", large).await.error_code, 10);

    let mut keyless = BatchBuilder::new();
    keyless.push(1_700_000_000_000, Some(b"k"), None, &[]);
    keyless.push(1_700_000_000_000, None, Some(b"v"), &[]);
    let refused = produce(&mut client, 9, "compacted", keyless.build().unwrap()).await;
    assert_eq!((refused.error_code, refused.record_errors.len()), (87, 1));
    assert_eq!(refused.record_errors[0].batch_index, 1);
    assert!(refused.error_message.is_some());

    assert_eq!(produce(&mut client, 9, "recent", batch(BatchBuilder::new(), &["old"])).await.error_code, 32);

    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let stored = produce(&mut client, 9, "appended", batch(BatchBuilder::new(), &["v"])).await;
    assert!(stored.log_append_time_ms >= i64::try_from(before).unwrap());
    assert_eq!(broker.records("appended").unwrap()[0].timestamp, stored.log_append_time_ms);
    assert_eq!(produce(&mut client, 9, "t", batch(BatchBuilder::new(), &["v"])).await.log_append_time_ms, -1);

    let zstd = batch(BatchBuilder::new().compression(CompressionType::Zstd), &["v"]);
    assert_eq!(produce(&mut client, 6, "t", zstd.clone()).await.error_code, 76);
    assert_eq!(produce(&mut client, 7, "t", zstd).await.error_code, 0);

    let one = batch(BatchBuilder::new(), &["v"]);
    let mut old = one.to_vec();
    old[16] = 1;
    assert_eq!(produce(&mut client, 9, "t", Bytes::from(old)).await.error_code, 87, "format v1");
    let two = Bytes::from([&one[..], &one[..]].concat());
    assert_eq!(produce(&mut client, 9, "t", two).await.error_code, 87, "two batches");
    assert_eq!(produce(&mut client, 9, "t", Bytes::new()).await.error_code, 87, "none");
    let cut = one.slice(..one.len() - 3);
    assert_eq!(produce(&mut client, 9, "t", cut).await.error_code, 87, "cut short, so none");
    let transactional = batch(BatchBuilder::new().producer(1, 0, 0).transactional(), &["v"]);
    assert_eq!(produce(&mut client, 9, "t", transactional).await.error_code, 53, "no transactional id");
    assert_eq!(produce(&mut client, 9, "__consumer_offsets", one.clone()).await.error_code, 3);
}

#[tokio::test]
async fn the_topics_compression_is_what_is_stored() {
    let broker = Broker::builder().start().await.unwrap();
    broker.create_topic_with("t", 1, [("compression.type", "zstd")]).unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let plain = batch(BatchBuilder::new(), &[&"x".repeat(5000)]);
    assert_eq!(produce(&mut client, 9, "t", plain).await.error_code, 0);
    let answer = client.call(12, &fetch(&[("t", 0, 0)], 0, 1)).await;
    let records = answer.responses[0].partitions[0].records.clone().unwrap();
    let stored = batches(records).next().unwrap().unwrap();
    assert_eq!(stored.header().attributes.compression(), Ok(CompressionType::Zstd));
    assert!(stored.bytes().len() < 200);
    assert_eq!(broker.records("t").unwrap()[0].value.as_ref().unwrap().len(), 5000);
}

fn fetch(partitions: &[(&str, i32, i64)], max_wait_ms: i32, min_bytes: i32) -> FetchRequest {
    let topics = partitions.iter().map(|(topic, index, offset)| {
        let partition = FetchPartition::default()
            .with_partition(*index)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(1 << 20);
        FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition])
    });
    FetchRequest::default()
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(min_bytes)
        .with_max_bytes(50 << 20)
        .with_session_epoch(-1)
        .with_topics(topics.collect())
}

fn sizes(answer: &FetchResponse) -> Vec<usize> {
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| partition.records.as_ref().map_or(0, Bytes::len)).collect()
}

#[tokio::test]
async fn a_fetch_waits_until_there_is_enough_or_its_time_is_over() {
    let broker = Broker::builder().topic("t", 2).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let begun = Instant::now();
    let empty = client.call(12, &fetch(&[("t", 0, 0)], 100, 1)).await;
    assert_eq!(sizes(&empty), [0]);
    assert!(begun.elapsed() >= Duration::from_millis(100), "it came back after {:?}", begun.elapsed());

    client.send(12, &fetch(&[("t", 0, 0), ("t", 1, 0)], 20_000, 1)).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    broker.produce("t", 1, [Record::new("k", "v")]).unwrap();
    assert!(client.receive().await.is_some());
    assert!(begun.elapsed() < Duration::from_secs(5), "a record reached who waited after {:?}", begun.elapsed());

    client.send(12, &fetch(&[("t", 0, 0)], 20_000, 2000)).await;
    broker.produce("t", 0, [Record::new("k", "too little")]).unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), client.receive()).await;
    assert!(early.is_err(), "answered below fetch.min.bytes");
    broker.produce("t", 0, [Record::new("k", vec![7; 2000])]).unwrap();
    assert!(client.receive().await.is_some_and(|body| body.len() > 2000));
}

#[tokio::test]
async fn limits_hold_for_each_partition_and_in_all_but_a_first_batch_always_comes() {
    let broker = Broker::builder().topic("t", 3).start().await.unwrap();
    for partition in 0..3 {
        for _ in 0..10 {
            broker.produce("t", partition, [Record::new("k", vec![7; 10_000])]).unwrap();
        }
    }
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let limited = |partition_max: i32, max: i32| {
        let mut request = fetch(&[("t", 0, 0), ("t", 1, 0), ("t", 2, 0)], 0, 1);
        request.max_bytes = max;
        for topic in &mut request.topics {
            topic.partitions[0].partition_max_bytes = partition_max;
        }
        request
    };
    let one = sizes(&client.call(12, &limited(1 << 20, 1 << 20)).await)[0] / 10;
    for (partition_max, max, expected) in [
        (25_000, 1 << 20, [2, 2, 2]),
        (1 << 20, 45_000, [4, 0, 0]),
        (25_000, 45_000, [2, 2, 0]),
        (1, 1 << 20, [1, 0, 0]),
        (1, 1, [1, 0, 0]),
    ] {
        let found = sizes(&client.call(12, &limited(partition_max, max)).await);
        assert_eq!(found, expected.map(|count| count * one), "{partition_max} and {max}");
    }
}

#[tokio::test]
async fn a_session_answers_only_what_is_new() {
    let broker = Broker::builder().topic("t", 1).topic("u", 1).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let first = client.call(12, &fetch(&[("t", 0, 0), ("u", 0, 0)], 0, 1).with_session_epoch(0)).await;
    assert_eq!((first.responses.len(), first.error_code), (2, 0));
    let session = first.session_id;
    assert_ne!(session, 0);
    let next = |epoch| fetch(&[], 0, 1).with_session_id(session).with_session_epoch(epoch);

    let nothing = client.call(12, &next(1)).await;
    assert_eq!((nothing.session_id, nothing.responses.len()), (session, 0));
    broker.produce("u", 0, [Record::new("k", "v")]).unwrap();
    let one = client.call(12, &next(2)).await;
    assert_eq!((one.responses.len(), &**one.responses[0].topic), (1, "u"));

    let forgotten = ForgottenTopic::default().with_topic(topic_name("u")).with_partitions(vec![0]);
    let forgetting = next(3).with_forgotten_topics_data(vec![forgotten]);
    assert_eq!(client.call(12, &forgetting).await.responses.len(), 0);
    broker.produce("u", 0, [Record::new("k", "v")]).unwrap();
    assert_eq!(client.call(12, &next(4)).await.responses.len(), 0, "it was forgotten");

    assert_eq!(client.call(12, &next(99)).await.error_code, 71);
    assert_eq!(client.call(12, &next(1).with_session_id(12345)).await.error_code, 70);
}

#[tokio::test]
async fn a_fetch_names_what_is_not_there() {
    let broker = Broker::builder().topic("t", 1).start().await.unwrap();
    broker.produce("t", 0, [Record::new("k", "v")]).unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let code = |answer: FetchResponse| answer.responses[0].partitions[0].error_code;
    for (partition, offset, expected) in [("t", 0, 0), ("t", 1, 0), ("t", 2, 1), ("t", -5, 1), ("none", 0, 3)]
        .map(|(topic, offset, code)| (topic, offset, code))
    {
        let answer = client.call(12, &fetch(&[(partition, 0, offset)], 0, 1)).await;
        assert_eq!(code(answer), expected, "{partition} at {offset}");
    }
    assert_eq!(code(client.call(12, &fetch(&[("t", 9, 0)], 0, 1)).await), 3);
    let by_id = client.call(13, &fetch(&[("", 0, 0)], 0, 1)).await;
    assert_eq!(code(by_id), 100, "a topic id that nobody has");
    let mut fenced = fetch(&[("t", 0, 0)], 0, 1);
    fenced.topics[0].partitions[0].current_leader_epoch = 3;
    assert_eq!(code(client.call(12, &fenced).await), 75);
}
