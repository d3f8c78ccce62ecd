//! What the newest versions of OffsetCommit, OffsetFetch and ListOffsets have that those before had not: topics by id,
//! and refusals that only they can tell.
#![allow(clippy::unwrap_used)]

use crate::wire;

use brooklet::Broker;
use brooklet_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use brooklet_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use brooklet_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use brooklet_protocol::messages::*;
use uuid::Uuid;
use wire::{Client, text};

const UNKNOWN_TOPIC_ID: i16 = 100;

async fn broker() -> (Broker, Client, Uuid) {
    let broker = Broker::builder().ephemeral().topic("t", 1).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let metadata = client.call(12, &MetadataRequest::default().with_topics(None)).await;
    let id = metadata.topics.iter().find(|topic| topic.name.as_ref().is_some_and(|name| &***name == "t")).unwrap();
    (broker, client, id.topic_id)
}

fn commit(topics: &[(Uuid, i64)]) -> OffsetCommitRequest {
    let topic = |(id, offset): &(Uuid, i64)| {
        let partition = OffsetCommitRequestPartition::default()
            .with_committed_offset(*offset)
            .with_committed_metadata(Some(text("")));
        OffsetCommitRequestTopic::default().with_topic_id(*id).with_partitions(vec![partition])
    };
    OffsetCommitRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(topics.iter().map(topic).collect())
}

fn fetch(ids: Option<&[Uuid]>) -> OffsetFetchRequest {
    let topic = |id: &Uuid| OffsetFetchRequestTopics::default().with_topic_id(*id).with_partition_indexes(vec![0]);
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(text("g")))
        .with_topics(ids.map(|ids| ids.iter().map(topic).collect()));
    OffsetFetchRequest::default().with_groups(vec![group])
}

#[tokio::test]
async fn offsets_are_committed_and_fetched_by_topic_id() {
    let (_broker, mut client, id) = broker().await;
    let strange = Uuid::from_u128(7);
    let committed = client.call(10, &commit(&[(strange, 1), (id, 5)])).await;
    let codes = committed.topics.iter().map(|topic| (topic.topic_id, topic.partitions[0].error_code));
    assert_eq!(codes.collect::<Vec<_>>(), [(strange, UNKNOWN_TOPIC_ID), (id, 0)]);

    let fetched = client.call(10, &fetch(Some(&[strange, id]))).await;
    let topics = fetched.groups[0].topics.iter();
    let found = topics.map(|topic| {
        let partition = &topic.partitions[0];
        (topic.topic_id, partition.committed_offset, partition.error_code)
    });
    assert_eq!(found.collect::<Vec<_>>(), [(id, 5, 0), (strange, -1, UNKNOWN_TOPIC_ID)]);

    let all = client.call(10, &fetch(None)).await;
    assert_eq!(all.groups[0].topics.iter().map(|topic| topic.topic_id).collect::<Vec<_>>(), [id]);
}

#[tokio::test]
async fn the_group_is_not_asked_when_no_topic_is_known() {
    let (_broker, mut client, _) = broker().await;
    // A member of a group that has none would be refused with UNKNOWN_MEMBER_ID or ILLEGAL_GENERATION.
    let request = commit(&[(Uuid::from_u128(7), 1)]).with_generation_id_or_member_epoch(3).with_member_id(text("m"));
    assert_eq!(client.call(10, &request).await.topics[0].partitions[0].error_code, UNKNOWN_TOPIC_ID);
}

#[tokio::test]
async fn list_offsets_refuses_specials_of_later_versions_and_partitions_named_twice() {
    let (_broker, mut client, _) = broker().await;
    let ask = |partitions: &[(i32, i64)]| {
        let partition = |(index, timestamp): &(i32, i64)| {
            ListOffsetsPartition::default().with_partition_index(*index).with_timestamp(*timestamp)
        };
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(text("t")))
            .with_partitions(partitions.iter().map(partition).collect());
        ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
    };
    for (special, first) in [(-3, 7), (-4, 8), (-5, 9), (-6, 11), (-7, i16::MAX)] {
        for version in 1..=11 {
            let answer = client.call(version, &ask(&[(0, special)])).await;
            let partition = &answer.topics[0].partitions[0];
            assert_eq!(partition.error_code, if version < first { 35 } else { 0 }, "{special} in v{version}");
        }
    }
    // Kafka looks at the timestamp before it looks for the partition.
    assert_eq!(client.call(11, &ask(&[(9, -7)])).await.topics[0].partitions[0].error_code, 35);
    let twice = client.call(11, &ask(&[(0, -1), (1, -1), (0, -2)])).await;
    let codes = twice.topics[0].partitions.iter().map(|partition| (partition.error_code, partition.offset));
    assert_eq!(codes.collect::<Vec<_>>(), [(42, -1), (3, -1), (42, -1)]);
}
