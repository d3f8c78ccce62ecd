//! A peer that sends garbage, half a frame, or stops reading harms nobody else, and costs little.
#![allow(clippy::unwrap_used)]

mod wire;

use std::time::{Duration, Instant};

use brooklet::{Broker, Record};
use brooklet_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use brooklet_protocol::messages::{ApiVersionsRequest, FetchRequest, TopicName};
use bytes::Bytes;
use tokio::io::AsyncReadExt;
use wire::{Client, text};

/// One test at a time: some measure the memory of this process.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn is_served(broker: &Broker) {
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let asked = Instant::now();
    client.call(0, &ApiVersionsRequest::default()).await;
    assert!(asked.elapsed() < Duration::from_secs(3), "another client waited {:?}", asked.elapsed());
}

#[tokio::test]
async fn impossible_lengths_and_garbage_end_that_connection_alone() {
    let _alone = ALONE.lock().await;
    let broker = Broker::builder().ephemeral().set("socket.request.max.bytes", "1000").start().await.unwrap();
    for bytes in [
        &[0, 0, 0, 0][..],
        &[0xff, 0xff, 0xff, 0xff],
        &[0x80, 0, 0, 0],
        &[0, 0, 3, 0xe9],
        &[0x7f, 0xff, 0xff, 0xff],
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        // A Metadata request of five bytes that announces two thousand million topics.
        &[0, 0, 0, 15, 0, 3, 0, 12, 0, 0, 0, 1, 0xff, 0xff, 0, 0x80, 0x80, 0x80, 0x80],
        // A client id longer than the frame.
        &[0, 0, 0, 10, 0, 3, 0, 0, 0, 0, 0, 1, 0x70, 0],
        &[0, 0, 0, 1, 0],
    ] {
        let mut peer = Client::connect(broker.bootstrap_servers()).await;
        peer.send_bytes(bytes).await;
        assert!(peer.receive().await.is_none(), "{bytes:?} was answered");
        is_served(&broker).await;
    }
}

#[tokio::test]
async fn many_half_frames_take_only_what_they_sent() {
    let _alone = ALONE.lock().await;
    let broker = Broker::builder().ephemeral().start().await.unwrap();
    let before = resident_bytes();
    let mut peers = Vec::new();
    for _ in 0..200 {
        let mut peer = Client::connect(broker.bootstrap_servers()).await;
        // Each announces 100 MB and sends a kilobyte of it.
        peer.send_bytes(&100_000_000i32.to_be_bytes()).await;
        peer.send_bytes(&[0; 1000]).await;
        peers.push(peer);
    }
    is_served(&broker).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 20 << 20, "{} MiB for 200 peers that announced 20 GB", grown >> 20);
    is_served(&broker).await;
}

#[tokio::test]
async fn who_does_not_read_its_answers_holds_up_nobody() {
    let _alone = ALONE.lock().await;
    let broker = Broker::builder().ephemeral().topic("t", 1).start().await.unwrap();
    let value = Bytes::from(vec![7; 900_000]);
    for _ in 0..50 {
        broker.produce("t", 0, [Record::new("k", value.clone())]).unwrap();
    }
    let before = resident_anonymous_bytes();
    let mut peers = Vec::new();
    for _ in 0..20 {
        let mut peer = Client::connect(broker.bootstrap_servers()).await;
        let partition = FetchPartition::default().with_partition_max_bytes(50 << 20);
        let topic = FetchTopic::default().with_topic(TopicName(text("t"))).with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_min_bytes(1)
            .with_max_bytes(50 << 20)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        // Ten requests for 45 MB each, none of whose answers is read.
        for _ in 0..10 {
            peer.send(12, &request).await;
        }
        peers.push(peer);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    is_served(&broker).await;
    let grown = resident_anonymous_bytes().saturating_sub(before);
    assert!(grown < 30 << 20, "{} MiB for 20 peers that asked for 9 GB", grown >> 20);
    broker.produce("t", 0, [Record::new("k", "still writable")]).unwrap();

    let mut first = [0; 4];
    peers[0].stream.read_exact(&mut first).await.unwrap();
    assert!(i32::from_be_bytes(first) > 40_000_000, "who reads at last gets its answer");
}

#[tokio::test]
async fn connections_beyond_the_limits_wait_or_are_refused() {
    let _alone = ALONE.lock().await;
    let broker = Broker::builder().ephemeral().set("max.connections.per.ip", "3").start().await.unwrap();
    let mut places = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(broker.bootstrap_servers()).await;
        client.call(0, &ApiVersionsRequest::default()).await;
        places.push(client);
    }
    let mut refused = Client::connect(broker.bootstrap_servers()).await;
    refused.send(0, &ApiVersionsRequest::default()).await;
    assert!(refused.receive().await.is_none());
    places.pop();
    tokio::time::sleep(Duration::from_millis(50)).await;
    is_served(&broker).await;

    let broker = Broker::builder().ephemeral().set("max.connections", "1").start().await.unwrap();
    let mut first = Client::connect(broker.bootstrap_servers()).await;
    first.call(0, &ApiVersionsRequest::default()).await;
    let mut second = Client::connect(broker.bootstrap_servers()).await;
    second.send(0, &ApiVersionsRequest::default()).await;
    let early = tokio::time::timeout(Duration::from_millis(100), second.receive()).await;
    assert!(early.is_err(), "answered beyond max.connections");
    drop(first);
    assert!(second.receive().await.is_some(), "served once there is a place");
}

#[tokio::test]
async fn requests_in_one_packet_are_answered_in_order() {
    let _alone = ALONE.lock().await;
    let broker = Broker::builder().ephemeral().start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let mut packet = Vec::new();
    for correlation_id in 0..100i32 {
        packet.extend_from_slice(&[0, 0, 0, 10, 0, 18, 0, 0]);
        packet.extend_from_slice(&correlation_id.to_be_bytes());
        packet.extend_from_slice(&[0xff, 0xff]);
    }
    for piece in packet.chunks(333) {
        client.send_bytes(piece).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for correlation_id in 0..100i32 {
        let body = client.receive().await.unwrap();
        assert_eq!(body[..4], correlation_id.to_be_bytes());
    }
}

/// All resident bytes of this process, which runs the broker.
fn resident_bytes() -> usize {
    status("VmRSS:")
}

/// Those that are not pages of files.
fn resident_anonymous_bytes() -> usize {
    status("RssAnon:")
}

fn status(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
