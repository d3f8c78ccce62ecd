//! What an acknowledgement waits for, what becomes of a log that cannot be written, and whose log it was before.
#![allow(clippy::unwrap_used)]

use crate::wire;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use brooklet::Broker;
use brooklet_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use brooklet_protocol::messages::metadata_request::MetadataRequestTopic;
use brooklet_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use brooklet_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use brooklet_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use brooklet_protocol::messages::produce_response::PartitionProduceResponse;
use brooklet_protocol::messages::{
    FetchRequest, GroupId, MetadataRequest, OffsetCommitRequest, OffsetForLeaderEpochRequest, ProduceRequest, TopicName,
};
use brooklet_protocol::records::BatchBuilder;
use brooklet_storage::{Catalog, CatalogRecord, Durability};
use wire::{Client, text};

const KAFKA_STORAGE_ERROR: i16 = 56;
const FENCED_LEADER_EPOCH: i16 = 74;
const CHECKPOINT: &str = "recovery-point-offset-checkpoint";

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

async fn broker(dir: &Path, configs: &[(&str, &str)]) -> (Broker, Client) {
    let mut builder = Broker::builder()
        .data_dir(dir)
        .set("log.initial.task.delay.ms", "0")
        // The records here are of 2023.
        .set("log.retention.ms", "-1")
        .set("log.flush.offset.checkpoint.interval.ms", "20");
    for (name, value) in configs {
        builder = builder.set(*name, *value);
    }
    let broker = builder.start().await.unwrap();
    let client = Client::connect(broker.bootstrap_servers()).await;
    (broker, client)
}

async fn produce(client: &mut Client, topic: &str, acks: i16, size: usize) -> PartitionProduceResponse {
    let mut batch = BatchBuilder::new();
    batch.push(1_700_000_000_000, None, Some(&vec![7; size]), &[]);
    let data = PartitionProduceData::default().with_records(Some(batch.build().unwrap()));
    let topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(acks).with_timeout_ms(1000).with_topic_data(vec![topic]);
    client.call(9, &request).await.responses.remove(0).partition_responses.remove(0)
}

async fn fetch(client: &mut Client, topic: &str, offset: i64) -> (i16, usize) {
    let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
    let request = FetchRequest::default().with_max_bytes(1 << 20).with_topics(vec![topic]);
    let found = client.call(12, &request).await.responses.remove(0).partitions.remove(0);
    (found.error_code, found.records.map_or(0, |records| records.len()))
}

/// Up to where a partition is known to be on disk.
fn recovery_point(dir: &Path, partition: &str) -> i64 {
    let content = std::fs::read_to_string(dir.join(CHECKPOINT)).unwrap_or_default();
    let line = content.lines().find_map(|line| line.strip_prefix(&format!("{partition} ")));
    line.map_or(0, |offset| offset.parse().unwrap())
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Long enough for a checkpoint that must not come.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(150)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_flushed_unless_somebody_asks_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = broker(dir.path(), &[]).await;
    broker.create_topic_with("plain", 1, []).unwrap();
    broker.create_topic_with("counted", 1, [("flush.messages", "3")]).unwrap();
    broker.create_topic_with("timed", 1, [("flush.ms", "60")]).unwrap();
    for _ in 0..2 {
        for topic in ["plain", "counted"] {
            assert_eq!(produce(&mut client, topic, -1, 100).await.error_code, 0);
        }
    }
    a_while().await;
    assert_eq!((recovery_point(dir.path(), "plain 0"), recovery_point(dir.path(), "counted 0")), (0, 0));
    for acks in [1, -1] {
        produce(&mut client, "counted", acks, 100).await;
        produce(&mut client, "timed", acks, 3000).await;
    }
    eventually("flush.messages", || recovery_point(dir.path(), "counted 0") == 3).await;
    eventually("flush.ms", || recovery_point(dir.path(), "timed 0") == 2).await;
    produce(&mut client, "timed", 1, 100).await;
    eventually("flush.ms again", || recovery_point(dir.path(), "timed 0") == 3).await;
    assert_eq!((recovery_point(dir.path(), "plain 0"), recovery_point(dir.path(), "counted 0")), (0, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn acks_all_and_coordinators_wait_for_the_disk_where_they_are_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = broker(dir.path(), &[("brooklet.flush.before.ack", "true")]).await;
    broker.create_topic_with("t", 1, []).unwrap();
    assert_eq!(produce(&mut client, "t", 1, 100).await.error_code, 0);
    a_while().await;
    assert_eq!(recovery_point(dir.path(), "t 0"), 0, "acks=1 does not wait");
    let mut clients = Vec::new();
    for _ in 0..8 {
        let address = broker.bootstrap_servers().to_owned();
        clients.push(tokio::spawn(async move {
            let mut client = Client::connect(&address).await;
            for _ in 0..10 {
                assert_eq!(produce(&mut client, "t", -1, 100).await.error_code, 0);
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
    eventually("acks=all", || recovery_point(dir.path(), "t 0") == 81).await;

    let offset = OffsetCommitRequestPartition::default().with_committed_offset(7);
    let topic = OffsetCommitRequestTopic::default().with_name(topic_name("t")).with_partitions(vec![offset]);
    let commit = OffsetCommitRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    assert_eq!(client.call(8, &commit).await.topics[0].partitions[0].error_code, 0);
    let committed =
        || (0..50).any(|partition| recovery_point(dir.path(), &format!("__consumer_offsets {partition}")) > 0);
    eventually("a committed offset", committed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_cut_short_is_an_error_for_its_partition_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = broker(dir.path(), &[]).await;
    broker.create_topic_with("cut", 1, []).unwrap();
    broker.create_topic_with("whole", 1, []).unwrap();
    for _ in 0..100 {
        for topic in ["cut", "whole"] {
            assert_eq!(produce(&mut client, topic, -1, 500).await.error_code, 0);
        }
    }
    let log = dir.path().join(format!("cut-0/{:020}.log", 0));
    std::fs::File::options().write(true).open(log).unwrap().set_len(8000).unwrap();
    assert_eq!(fetch(&mut client, "cut", 90).await.0, KAFKA_STORAGE_ERROR);
    for _ in 0..2 {
        let refused = produce(&mut client, "cut", -1, 500).await;
        assert_eq!(refused.error_code, KAFKA_STORAGE_ERROR);
        assert!(refused.error_message.unwrap().contains("until the broker is started again"));
    }
    assert_eq!(produce(&mut client, "whole", -1, 500).await.error_code, 0);
    assert_eq!(fetch(&mut client, "whole", 90).await.0, 0);
}

/// Leaves the catalog as a broker does that is killed when it has recorded that a topic is deleted, and done no more.
fn cut_off_deletion(dir: &Path, name: &str) {
    let (mut catalog, records) = Catalog::open(dir, false, Durability::Process).unwrap();
    let id = records.iter().find_map(|record| match record {
        CatalogRecord::Topic(topic) if topic.name == name => Some(topic.id),
        _ => None,
    });
    catalog.append(&CatalogRecord::TopicDeleted { id: id.unwrap() }).unwrap();
}

fn directories(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<String> = entries
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort_unstable();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_deleted_to_the_end_and_leaves_nothing_to_the_next_of_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let (first, mut client) = broker(dir.path(), &[]).await;
    for topic in ["t", "stays"] {
        first.create_topic_with(topic, 1, []).unwrap();
        for _ in 0..3 {
            produce(&mut client, topic, -1, 100).await;
        }
    }
    first.shutdown().await;
    cut_off_deletion(dir.path(), "t");
    assert_eq!(directories(dir.path()), ["stays-0", "t-0"]);

    let (second, mut client) = broker(dir.path(), &[]).await;
    assert_eq!(directories(dir.path()), ["stays-0"]);
    second.create_topic_with("t", 1, []).unwrap();
    assert_eq!(fetch(&mut client, "t", 0).await, (0, 0), "a new topic");
    assert_eq!(produce(&mut client, "t", -1, 100).await.base_offset, 0);
    second.shutdown().await;

    // What is another topic's all the same is not taken for this one's, and not thrown away.
    let metadata = dir.path().join("t-0/partition.metadata");
    std::fs::write(metadata, "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABw").unwrap();
    let (_third, mut client) = broker(dir.path(), &[]).await;
    assert_eq!(produce(&mut client, "t", -1, 100).await.base_offset, 0);
    assert_eq!(produce(&mut client, "stays", -1, 100).await.base_offset, 3);
    let found = directories(dir.path());
    assert!(found.iter().any(|name| name.starts_with("t-0.") && name.ends_with("-stray")), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_kafka_wrote_goes_on_in_its_last_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let (first, mut client) = broker(dir.path(), &[]).await;
    first.create_topic_with("t", 1, []).unwrap();
    for _ in 0..7 {
        produce(&mut client, "t", -1, 100).await;
    }
    first.shutdown().await;
    let file = dir.path().join("t-0/leader-epoch-checkpoint");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "0\n1\n0 0\n");
    std::fs::write(&file, "0\n2\n0 0\n3 5\n").unwrap();

    let (_second, mut client) = broker(dir.path(), &[]).await;
    let asked = MetadataRequestTopic::default().with_name(Some(topic_name("t")));
    let metadata = client.call(12, &MetadataRequest::default().with_topics(Some(vec![asked]))).await;
    assert_eq!(metadata.topics[0].partitions[0].leader_epoch, 3);
    for (current, epoch, expected) in [(3, 0, (0, 0, 5)), (-1, 3, (0, 3, 7)), (3, 4, (0, -1, -1))] {
        let partition = OffsetForLeaderPartition::default().with_current_leader_epoch(current).with_leader_epoch(epoch);
        let topic = OffsetForLeaderTopic::default().with_topic(topic_name("t")).with_partitions(vec![partition]);
        let answer = client.call(4, &OffsetForLeaderEpochRequest::default().with_topics(vec![topic])).await;
        let found = &answer.topics[0].partitions[0];
        assert_eq!((found.error_code, found.leader_epoch, found.end_offset), expected, "epoch {epoch}");
    }
    let old = OffsetForLeaderPartition::default().with_current_leader_epoch(0).with_leader_epoch(0);
    let topic = OffsetForLeaderTopic::default().with_topic(topic_name("t")).with_partitions(vec![old]);
    let answer = client.call(4, &OffsetForLeaderEpochRequest::default().with_topics(vec![topic])).await;
    assert_eq!(answer.topics[0].partitions[0].error_code, FENCED_LEADER_EPOCH);
    assert_eq!(produce(&mut client, "t", -1, 100).await.base_offset, 7);
}

/// Runs this test anew with a small file system of its own, if the system allows that.
fn on_a_small_disk(test: &str, variable: &str) {
    let dir = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=4m small \"$0\" && exec \"$@\"";
    let allowed = Command::new("unshare").args(["-rm", "sh", "-c", "mount -t tmpfs small /mnt"]).status();
    if !allowed.is_ok_and(|status| status.success()) {
        eprintln!("not run: this system lets nobody mount a file system of their own");
        return;
    }
    let this = std::env::current_exe().unwrap();
    let status = Command::new("unshare")
        .args(["-rm", "sh", "-c", script])
        .arg(dir.path())
        .arg(this)
        .args(["--exact", test])
        .env(variable, dir.path())
        .status()
        .unwrap();
    assert!(status.success(), "on the small disk: {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_records_and_goes_on_when_there_is_room() {
    let variable = "BROOKLET_TEST_SMALL_DISK";
    let Some(dir) = std::env::var_os(variable) else {
        on_a_small_disk("a_full_disk_refuses_records_and_goes_on_when_there_is_room", variable);
        return;
    };
    let dir = Path::new(&dir);
    let filler = dir.join("filler");
    std::fs::write(&filler, vec![1; 1 << 20]).unwrap();
    let data_dir = dir.join("data");
    let (broker, mut client) = broker(&data_dir, &[]).await;
    for topic in ["small", "large"] {
        broker.create_topic_with(topic, 1, []).unwrap();
    }
    let mut stored = [0; 2];
    for round in 0..2 {
        let mut refused = [0; 2];
        while refused.iter().any(|refused| *refused < 3) {
            for (at, (topic, size)) in [("small", 300), ("large", 20_000)].into_iter().enumerate() {
                let answer = produce(&mut client, topic, -1, size).await;
                match answer.error_code {
                    0 => {
                        assert_eq!(answer.base_offset, stored[at]);
                        stored[at] += 1;
                    }
                    KAFKA_STORAGE_ERROR => refused[at] += 1,
                    other => panic!("error {other}"),
                }
            }
        }
        // Nothing else falls over: no topic can be made, nothing committed, and all can be read.
        let _ = broker.create_topic_with("more", 1, []);
        let offset = OffsetCommitRequestPartition::default().with_committed_offset(7);
        let topic = OffsetCommitRequestTopic::default().with_name(topic_name("small")).with_partitions(vec![offset]);
        let commit = OffsetCommitRequest::default()
            .with_group_id(GroupId(text("g")))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        client.call(8, &commit).await;
        for (topic, stored) in ["small", "large"].into_iter().zip(stored) {
            for offset in 0..stored {
                let (error, bytes) = fetch(&mut client, topic, offset).await;
                assert!(error == 0 && bytes > 0, "{topic} {offset}: error {error}");
            }
        }
        if round == 0 {
            std::fs::remove_file(&filler).unwrap();
            assert_eq!(produce(&mut client, "small", -1, 300).await.error_code, 0, "there is room again");
            stored[0] += 1;
        }
    }
    broker.shutdown().await;
    let (_broker, mut client) = self::broker(&data_dir, &[]).await;
    for (topic, stored) in ["small", "large"].into_iter().zip(stored) {
        for offset in 0..stored {
            assert!(fetch(&mut client, topic, offset).await.1 > 0, "{topic} {offset} after a start");
        }
    }
}
