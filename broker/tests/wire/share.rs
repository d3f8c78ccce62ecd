//! Members of share groups, spoken by hand.

use super::{Client, text};
use brooklet::{Broker, Record};
use brooklet_protocol::messages::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use brooklet_protocol::messages::describe_share_group_offsets_request::{
    DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
};
use brooklet_protocol::messages::describe_share_group_offsets_response::DescribeShareGroupOffsetsResponsePartition;
use brooklet_protocol::messages::share_fetch_request::{AcknowledgementBatch, FetchPartition, FetchTopic};
use brooklet_protocol::messages::share_fetch_response::PartitionData;
use brooklet_protocol::messages::{
    AlterShareGroupOffsetsRequest, DescribeShareGroupOffsetsRequest, GroupId, MetadataRequest, ShareAcknowledgeRequest,
    ShareFetchRequest, ShareFetchResponse, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse, TopicName,
    share_acknowledge_request,
};
use brooklet_protocol::records::batches;
use uuid::Uuid;

pub(crate) const GROUP: &str = "g";
pub(crate) const ACCEPT: i8 = 1;
pub(crate) const RELEASE: i8 = 2;
pub(crate) const REJECT: i8 = 3;
pub(crate) const RENEW: i8 = 4;

pub(crate) fn group_id() -> GroupId {
    GroupId(text(GROUP))
}

pub(crate) async fn topic_id(client: &mut Client, topic: &str) -> Uuid {
    let metadata = client.call(12, &MetadataRequest::default().with_topics(None)).await;
    metadata.topics.iter().find(|found| found.name == Some(TopicName(text(topic)))).unwrap().topic_id
}

pub(crate) fn heartbeat(member: &str, epoch: i32, topics: Option<&[&str]>) -> ShareGroupHeartbeatRequest {
    ShareGroupHeartbeatRequest::default()
        .with_group_id(group_id())
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_subscribed_topic_names(topics.map(|names| names.iter().map(|name| TopicName(text(name))).collect()))
}

pub(crate) fn assigned(answer: &ShareGroupHeartbeatResponse) -> Vec<i32> {
    let topics = &answer.assignment.as_ref().unwrap().topic_partitions;
    topics.iter().flat_map(|topic| topic.partitions.iter().copied()).collect()
}

/// A member's share session on partitions of one topic.
pub(crate) struct Member {
    pub(crate) client: Client,
    pub(crate) name: &'static str,
    pub(crate) topic: Uuid,
    pub(crate) version: i16,
    pub(crate) epoch: i32,
}

impl Member {
    pub(crate) async fn new(broker: &Broker, name: &'static str, topic: Uuid, version: i16) -> Self {
        Self { client: Client::connect(broker.bootstrap_servers()).await, name, topic, version, epoch: 0 }
    }

    pub(crate) fn request(&self, partitions: &[(i32, Vec<AcknowledgementBatch>)]) -> ShareFetchRequest {
        let partition = |(index, acknowledgements): &(i32, Vec<AcknowledgementBatch>)| {
            FetchPartition::default()
                .with_partition_index(*index)
                .with_acknowledgement_batches(acknowledgements.clone())
        };
        let topic =
            FetchTopic::default().with_topic_id(self.topic).with_partitions(partitions.iter().map(partition).collect());
        ShareFetchRequest::default()
            .with_group_id(Some(group_id()))
            .with_member_id(Some(text(self.name)))
            .with_share_session_epoch(self.epoch)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_max_records(500)
            .with_batch_size(500)
            .with_topics(if partitions.is_empty() { Vec::new() } else { vec![topic] })
    }

    pub(crate) async fn send(&mut self, request: ShareFetchRequest) -> ShareFetchResponse {
        let version = self.version;
        let answer = self.client.call(version, &request).await;
        if answer.error_code == 0 && self.epoch >= 0 {
            self.epoch += 1;
        }
        answer
    }

    /// Fetches partition 0, acknowledging along the way.
    pub(crate) async fn fetch(&mut self, acknowledgements: Vec<AcknowledgementBatch>) -> PartitionData {
        let request = self.request(&[(0, acknowledgements)]);
        let answer = self.send(request).await;
        assert_eq!(answer.error_code, 0);
        assert!(answer.acquisition_lock_timeout_ms > 0);
        let partitions = answer.responses.into_iter().flat_map(|topic| topic.partitions);
        partitions.into_iter().find(|partition| partition.partition_index == 0).unwrap_or_default()
    }

    pub(crate) async fn acknowledge(&mut self, batches: &[(i64, i64, &[i8])]) -> i16 {
        let batch = |&(first, last, types): &(i64, i64, &[i8])| {
            share_acknowledge_request::AcknowledgementBatch::default()
                .with_first_offset(first)
                .with_last_offset(last)
                .with_acknowledge_types(types.to_vec())
        };
        let partition = share_acknowledge_request::AcknowledgePartition::default()
            .with_partition_index(0)
            .with_acknowledgement_batches(batches.iter().map(batch).collect());
        let topic = share_acknowledge_request::AcknowledgeTopic::default()
            .with_topic_id(self.topic)
            .with_partitions(vec![partition]);
        let request = ShareAcknowledgeRequest::default()
            .with_group_id(Some(group_id()))
            .with_member_id(Some(text(self.name)))
            .with_share_session_epoch(self.epoch)
            .with_is_renew_ack(self.version >= 2 && batches.iter().any(|(_, _, types)| types.contains(&RENEW)))
            .with_topics(vec![topic]);
        let version = self.version;
        let answer = self.client.call(version, &request).await;
        if answer.error_code != 0 {
            return answer.error_code;
        }
        if self.epoch >= 0 {
            self.epoch += 1;
        }
        answer.responses[0].partitions[0].error_code
    }
}

pub(crate) fn ack(first: i64, last: i64, types: &[i8]) -> AcknowledgementBatch {
    AcknowledgementBatch::default()
        .with_first_offset(first)
        .with_last_offset(last)
        .with_acknowledge_types(types.to_vec())
}

pub(crate) fn acquired(partition: &PartitionData) -> Vec<(i64, i64, i16)> {
    let acquired = partition.acquired_records.iter();
    acquired.map(|records| (records.first_offset, records.last_offset, records.delivery_count)).collect()
}

pub(crate) fn offsets(partition: &PartitionData) -> Vec<i64> {
    let records = partition.records.clone().unwrap_or_default();
    batches(records)
        .flat_map(|batch| batch.as_ref().unwrap().header().base_offset..batch.unwrap().header().next_offset())
        .collect()
}

/// A broker with a topic of `partitions` partitions, whose group reads from the beginning, and a client.
pub(crate) async fn broker(partitions: i32) -> (Broker, Client, Uuid) {
    let broker = Broker::builder().ephemeral().topic("t", partitions).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let id = topic_id(&mut client, "t").await;
    begin_at(&mut client, 0).await;
    (broker, client, id)
}

pub(crate) fn produce(broker: &Broker, count: i64) {
    for number in 0..count {
        broker.produce("t", 0, [Record::new("k", format!("v{number}"))]).unwrap();
    }
}

pub(crate) async fn begin_at(client: &mut Client, offset: i64) {
    let partition = AlterShareGroupOffsetsRequestPartition::default().with_partition_index(0).with_start_offset(offset);
    let topic = AlterShareGroupOffsetsRequestTopic::default()
        .with_topic_name(TopicName(text("t")))
        .with_partitions(vec![partition]);
    let request = AlterShareGroupOffsetsRequest::default().with_group_id(group_id()).with_topics(vec![topic]);
    let answer = client.call(0, &request).await;
    assert_eq!((answer.error_code, answer.responses[0].partitions[0].error_code), (0, 0));
}

/// Start offset and lag of partition 0.
pub(crate) async fn start_and_lag(client: &mut Client) -> (i64, i64) {
    let described = describe_offsets(client, 1, Some(vec![0])).await;
    (described[0].start_offset, described[0].lag)
}

pub(crate) async fn describe_offsets(
    client: &mut Client,
    version: i16,
    partitions: Option<Vec<i32>>,
) -> Vec<DescribeShareGroupOffsetsResponsePartition> {
    let topics = partitions.map(|partitions| {
        vec![
            DescribeShareGroupOffsetsRequestTopic::default()
                .with_topic_name(TopicName(text("t")))
                .with_partitions(partitions),
        ]
    });
    let group = DescribeShareGroupOffsetsRequestGroup::default().with_group_id(group_id()).with_topics(topics);
    let answer = client.call(version, &DescribeShareGroupOffsetsRequest::default().with_groups(vec![group])).await;
    assert_eq!(answer.groups[0].error_code, 0);
    answer.groups[0].topics.iter().flat_map(|topic| topic.partitions.clone()).collect()
}
