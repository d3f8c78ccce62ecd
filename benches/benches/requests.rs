//! What a request costs: read from its frame, and answered by a broker in this process over loopback.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use brooklet::{Broker, Record};
use brooklet_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use brooklet_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use brooklet_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use brooklet_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use brooklet_protocol::messages::{
    FetchRequest, GroupId, HeartbeatRequest, JoinGroupRequest, ProduceRequest, SyncGroupRequest, TopicName,
};
use brooklet_protocol::records::BatchBuilder;
use brooklet_protocol::request::{RequestHeader, decode_body};
use brooklet_protocol::{Request, StrBytes};
use brooklet_tests::wire::{WireClient, frame};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn topic_name() -> TopicName {
    TopicName(StrBytes::from_static_str("t"))
}

fn produce(value_len: usize) -> ProduceRequest {
    let mut builder = BatchBuilder::new();
    builder.push(1, None, Some(&vec![7; value_len]), &[]);
    let data = PartitionProduceData::default().with_records(Some(builder.build().unwrap()));
    let topic = TopicProduceData::default().with_name(topic_name()).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic])
}

fn fetch(partitions: i32, offset: i64, max_bytes: i32) -> FetchRequest {
    let of = |partition| {
        FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(max_bytes)
    };
    let topic = FetchTopic::default().with_topic(topic_name()).with_partitions((0..partitions).map(of).collect());
    FetchRequest::default().with_max_wait_ms(0).with_min_bytes(1).with_max_bytes(max_bytes).with_topics(vec![topic])
}

fn read<R: Request>(frame: &Bytes) -> R {
    let (header, body) = RequestHeader::parse(frame.clone(), |_, version| R::header_version(version) >= 2).unwrap();
    decode_body(body, header.api_version).unwrap()
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    let bytes = frame(9, &produce(1 << 10));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("produce of 1 KiB", |b| b.iter(|| read::<ProduceRequest>(black_box(&bytes))));
    let bytes = frame(12, &fetch(100, 0, 1));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("fetch of 100 partitions", |b| b.iter(|| read::<FetchRequest>(black_box(&bytes))));
    group.finish();
}

fn answer(c: &mut Criterion) {
    let broker = Broker::start_blocking(Broker::builder().topic("t", 1)).unwrap();
    for at in 0..1024 {
        broker.produce("t", 0, [Record::new(format!("{at}"), "x".repeat(1000))]).unwrap();
    }
    let mut client = WireClient::connect(broker.bootstrap_servers().parse().unwrap()).unwrap();

    let mut group = c.benchmark_group("answer");
    group.throughput(Throughput::Elements(1));
    let heartbeat = frame(4, &member(&mut client));
    group.bench_function("group heartbeat", |b| b.iter(|| client.exchange(&heartbeat).unwrap()));
    let one = frame(9, &produce(100));
    group.bench_function("produce of 100 B", |b| b.iter(|| client.exchange(&one).unwrap()));
    for max_bytes in [1, 64 << 10, 1 << 20] {
        let some = frame(12, &fetch(1, 0, max_bytes));
        group.throughput(Throughput::Bytes(client.exchange(&some).unwrap().len() as u64));
        group.bench_function(BenchmarkId::new("fetch", max_bytes), |b| b.iter(|| client.exchange(&some).unwrap()));
    }
    group.finish();
}

/// A member of a fresh group, as what its heartbeat says.
fn member(client: &mut WireClient) -> HeartbeatRequest {
    let group = || GroupId(StrBytes::from_static_str("g"));
    let protocol = JoinGroupRequestProtocol::default().with_name(StrBytes::from_static_str("range"));
    let mut join = JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(60_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(vec![protocol]);
    // The first answer gives the id by which the second request joins (KIP-394).
    join.member_id = client.call(5, &join).member_id;
    let joined = client.call(5, &join);
    assert_eq!(joined.error_code, 0);
    let assignment = SyncGroupRequestAssignment::default().with_member_id(joined.member_id.clone());
    let sync = SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_assignments(vec![assignment]);
    assert_eq!(client.call(3, &sync).error_code, 0);
    let heartbeat = HeartbeatRequest::default()
        .with_group_id(group())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id);
    assert_eq!(client.call(4, &heartbeat).error_code, 0);
    heartbeat
}

criterion_group!(all, decode, answer);
criterion_main!(all);
