//! A broker inside a test: quick to start, alone, gone when it is dropped, and on a directory of its own there again.
#![allow(clippy::unwrap_used)]

mod wire;

use std::time::{Duration, Instant};

use brooklet::{Broker, Record, StartError};
use brooklet_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use brooklet_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use brooklet_protocol::messages::{
    DeleteRecordsRequest, GroupId, OffsetCommitRequest, OffsetFetchRequest, TopicName, delete_records_request,
};
use wire::{Client, text};

#[tokio::test]
async fn a_suite_may_start_hundreds_each_within_ten_milliseconds() {
    let mut times = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        let broker = Broker::builder().topic("t", 1).start().await.unwrap();
        times.push(begun.elapsed());
        broker.produce("t", 0, [Record::new("k", "v")]).unwrap();
    }
    // The fastest, for other tests share the machine with this one: what they take away is not the broker's.
    let fastest = times.iter().min().unwrap();
    assert!(*fastest < Duration::from_millis(10), "not one of {} took less than {fastest:?}", times.len());
}

#[tokio::test]
async fn brokers_in_one_process_know_nothing_of_each_other() {
    let one = Broker::builder().topic("t", 1).start().await.unwrap();
    let two = Broker::builder().start().await.unwrap();
    assert_ne!(one.bootstrap_servers(), two.bootstrap_servers());
    assert_ne!(one.cluster_id(), two.cluster_id());
    one.produce("t", 0, [Record::new("k", "v")]).unwrap();
    assert!(two.records("t").is_err());
    two.create_topic("t", 1).unwrap();
    assert!(two.records("t").unwrap().is_empty());
}

#[tokio::test]
async fn what_is_dropped_is_gone() {
    let broker = Broker::builder().topic("t", 1).start().await.unwrap();
    broker.produce("t", 0, [Record::new("k", "v")]).unwrap();
    let (dir, address) = (broker.data_dir().to_owned(), broker.addresses()[0].bound);
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    assert!(dir.exists());
    drop(broker);
    assert!(!dir.exists(), "{} is left", dir.display());
    assert!(client.receive().await.is_none(), "a connection is left");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "a listener is left");
}

#[test]
fn code_without_a_runtime_has_a_broker_too() {
    let broker = Broker::start_blocking(Broker::builder().topic("t", 1)).unwrap();
    broker.produce("t", 0, [Record::new("k", "v").header("h", "1")]).unwrap();
    let records = broker.records("t").unwrap();
    assert_eq!(records[0].headers, [("h".to_owned(), Some(bytes::Bytes::from("1")))]);
    std::net::TcpStream::connect(broker.bootstrap_servers()).unwrap();
    broker.shutdown();
}

fn group() -> GroupId {
    GroupId(text("g"))
}

async fn commit(client: &mut Client, offset: i64) {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset).with_committed_metadata(None);
    let topic = OffsetCommitRequestTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    assert_eq!(client.call(8, &request).await.topics[0].partitions[0].error_code, 0);
}

async fn committed(client: &mut Client) -> i64 {
    let topic = OffsetFetchRequestTopic::default().with_name(TopicName(text("t"))).with_partition_indexes(vec![0]);
    let request = OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![topic]));
    client.call(7, &request).await.topics[0].partitions[0].committed_offset
}

#[tokio::test]
async fn a_directory_keeps_topics_records_configs_starts_and_offsets() {
    let dir = tempfile::tempdir().unwrap();
    for (round, in_order) in [(0i64, true), (1, false), (2, true)] {
        let broker = Broker::builder().data_dir(dir.path()).topic("t", 1).start().await.unwrap();
        let mut client = Client::connect(broker.bootstrap_servers()).await;
        if round == 0 {
            broker.create_topic_with("configured", 4, [("retention.ms", "1234")]).unwrap();
        } else {
            assert_eq!(committed(&mut client).await, round, "committed before");
            assert_eq!(broker.records("t").unwrap()[0].offset, 3 * round - 2, "deleted before");
            assert!(broker.create_topic("configured", 4).is_err(), "the topic is there");
        }
        let records = (0..3).map(|n| Record::new("k", format!("{round}-{n}")));
        assert_eq!(broker.produce("t", 0, records).unwrap(), 3 * round);
        commit(&mut client, round + 1).await;
        let partition = delete_records_request::DeleteRecordsPartition::default().with_offset(3 * round + 1);
        let topic = delete_records_request::DeleteRecordsTopic::default()
            .with_name(TopicName(text("t")))
            .with_partitions(vec![partition]);
        let deleted = client.call(2, &DeleteRecordsRequest::default().with_topics(vec![topic])).await;
        assert_eq!(deleted.topics[0].partitions[0].error_code, 0);
        // To be dropped is as sudden as the end of the process.
        if in_order { broker.shutdown().await } else { drop(broker) }
    }
}

#[tokio::test]
async fn two_brokers_cannot_have_one_directory_and_one_port_only_one_broker() {
    let dir = tempfile::tempdir().unwrap();
    let first = Broker::builder().data_dir(dir.path()).start().await.unwrap();
    let second = Broker::builder().data_dir(dir.path()).start().await;
    assert!(matches!(second, Err(StartError::Storage(_))), "{second:?}");
    let taken = Broker::builder().listen(first.bootstrap_servers()).start().await;
    assert!(matches!(taken, Err(StartError::Bind(_))), "{taken:?}");
    let misspelt = Broker::builder().set("num.partitons", "3").start().await;
    assert!(misspelt.unwrap_err().to_string().contains("num.partitions"));
}

#[tokio::test]
async fn consumers_are_told_nothing_of_topics_that_were_deleted_and_made_again() {
    use brooklet_protocol::messages::metadata_request::MetadataRequestTopic;
    use brooklet_protocol::messages::{DeleteTopicsRequest, MetadataRequest};
    let broker = Broker::builder().topic("t", 1).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    broker.produce("t", 0, [Record::new("k", "v")]).unwrap();
    commit(&mut client, 1).await;
    let named = MetadataRequestTopic::default().with_name(Some(TopicName(text("t"))));
    let metadata = MetadataRequest::default().with_topics(Some(vec![named]));
    let before = client.call(12, &metadata).await.topics[0].topic_id;
    let delete = DeleteTopicsRequest::default().with_topic_names(vec![TopicName(text("t"))]);
    assert_eq!(client.call(5, &delete).await.responses[0].error_code, 0);
    broker.create_topic("t", 1).unwrap();
    let after = client.call(12, &metadata).await.topics[0].topic_id;
    assert_ne!(before, after);
    assert!(broker.records("t").unwrap().is_empty());
    assert_eq!(committed(&mut client).await, -1, "an offset in the topic that was");
}
