//! Share groups (KIP-932) on the wire: membership, delivery, acknowledgements, sessions, offsets, the share
//! coordinator's own APIs, and what a restart keeps.
#![allow(clippy::unwrap_used)]

mod wire;

use std::time::{Duration, Instant};

use brooklet::{Broker, Record};
use brooklet_protocol::messages::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use brooklet_protocol::messages::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
use brooklet_protocol::messages::delete_topics_request::DeleteTopicState;
use brooklet_protocol::messages::describe_share_group_offsets_request::{
    DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
};
use brooklet_protocol::messages::describe_share_group_offsets_response::DescribeShareGroupOffsetsResponsePartition;
use brooklet_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use brooklet_protocol::messages::share_fetch_request::{
    AcknowledgementBatch, FetchPartition, FetchTopic, ForgottenTopic,
};
use brooklet_protocol::messages::share_fetch_response::PartitionData;
use brooklet_protocol::messages::{
    AlterShareGroupOffsetsRequest, ApiVersionsRequest, DeleteGroupsRequest, DeleteShareGroupOffsetsRequest,
    DeleteShareGroupStateRequest, DeleteTopicsRequest, DescribeShareGroupOffsetsRequest, FindCoordinatorRequest,
    GroupId, IncrementalAlterConfigsRequest, InitializeShareGroupStateRequest, ListGroupsRequest, MetadataRequest,
    ReadShareGroupStateRequest, ReadShareGroupStateSummaryRequest, ShareAcknowledgeRequest, ShareFetchRequest,
    ShareFetchResponse, ShareGroupDescribeRequest, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse, TopicName,
    WriteShareGroupStateRequest, delete_share_group_state_request, initialize_share_group_state_request,
    read_share_group_state_request, read_share_group_state_summary_request, share_acknowledge_request,
    write_share_group_state_request,
};
use brooklet_protocol::records::batches;
use uuid::Uuid;
use wire::transactional::{Generation, Producer};
use wire::{Client, text};

const GROUP: &str = "g";
const ACCEPT: i8 = 1;
const RELEASE: i8 = 2;
const REJECT: i8 = 3;
const RENEW: i8 = 4;

fn group_id() -> GroupId {
    GroupId(text(GROUP))
}

async fn topic_id(client: &mut Client, topic: &str) -> Uuid {
    let metadata = client.call(12, &MetadataRequest::default().with_topics(None)).await;
    metadata.topics.iter().find(|found| found.name == Some(TopicName(text(topic)))).unwrap().topic_id
}

fn heartbeat(member: &str, epoch: i32, topics: Option<&[&str]>) -> ShareGroupHeartbeatRequest {
    ShareGroupHeartbeatRequest::default()
        .with_group_id(group_id())
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_subscribed_topic_names(topics.map(|names| names.iter().map(|name| TopicName(text(name))).collect()))
}

fn assigned(answer: &ShareGroupHeartbeatResponse) -> Vec<i32> {
    let topics = &answer.assignment.as_ref().unwrap().topic_partitions;
    topics.iter().flat_map(|topic| topic.partitions.iter().copied()).collect()
}

/// A member's share session on partitions of one topic.
struct Member {
    client: Client,
    name: &'static str,
    topic: Uuid,
    version: i16,
    epoch: i32,
}

impl Member {
    async fn new(broker: &Broker, name: &'static str, topic: Uuid, version: i16) -> Self {
        Self { client: Client::connect(broker.bootstrap_servers()).await, name, topic, version, epoch: 0 }
    }

    fn request(&self, partitions: &[(i32, Vec<AcknowledgementBatch>)]) -> ShareFetchRequest {
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

    async fn send(&mut self, request: ShareFetchRequest) -> ShareFetchResponse {
        let version = self.version;
        let answer = self.client.call(version, &request).await;
        if answer.error_code == 0 && self.epoch >= 0 {
            self.epoch += 1;
        }
        answer
    }

    /// Fetches partition 0, acknowledging along the way.
    async fn fetch(&mut self, acknowledgements: Vec<AcknowledgementBatch>) -> PartitionData {
        let request = self.request(&[(0, acknowledgements)]);
        let answer = self.send(request).await;
        assert_eq!(answer.error_code, 0);
        assert!(answer.acquisition_lock_timeout_ms > 0);
        let partitions = answer.responses.into_iter().flat_map(|topic| topic.partitions);
        partitions.into_iter().find(|partition| partition.partition_index == 0).unwrap_or_default()
    }

    async fn acknowledge(&mut self, batches: &[(i64, i64, &[i8])]) -> i16 {
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

fn ack(first: i64, last: i64, types: &[i8]) -> AcknowledgementBatch {
    AcknowledgementBatch::default()
        .with_first_offset(first)
        .with_last_offset(last)
        .with_acknowledge_types(types.to_vec())
}

fn acquired(partition: &PartitionData) -> Vec<(i64, i64, i16)> {
    let acquired = partition.acquired_records.iter();
    acquired.map(|records| (records.first_offset, records.last_offset, records.delivery_count)).collect()
}

fn offsets(partition: &PartitionData) -> Vec<i64> {
    let records = partition.records.clone().unwrap_or_default();
    batches(records)
        .flat_map(|batch| batch.as_ref().unwrap().header().base_offset..batch.unwrap().header().next_offset())
        .collect()
}

/// A broker with a topic of `partitions` partitions, whose group reads from the beginning, and a client.
async fn broker(partitions: i32) -> (Broker, Client, Uuid) {
    let broker = Broker::builder().ephemeral().topic("t", partitions).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let id = topic_id(&mut client, "t").await;
    begin_at(&mut client, 0).await;
    (broker, client, id)
}

fn produce(broker: &Broker, count: i64) {
    for number in 0..count {
        broker.produce("t", 0, [Record::new("k", format!("v{number}"))]).unwrap();
    }
}

async fn begin_at(client: &mut Client, offset: i64) {
    let partition = AlterShareGroupOffsetsRequestPartition::default().with_partition_index(0).with_start_offset(offset);
    let topic = AlterShareGroupOffsetsRequestTopic::default()
        .with_topic_name(TopicName(text("t")))
        .with_partitions(vec![partition]);
    let request = AlterShareGroupOffsetsRequest::default().with_group_id(group_id()).with_topics(vec![topic]);
    let answer = client.call(0, &request).await;
    assert_eq!((answer.error_code, answer.responses[0].partitions[0].error_code), (0, 0));
}

/// Start offset and lag of partition 0.
async fn start_and_lag(client: &mut Client) -> (i64, i64) {
    let described = describe_offsets(client, 1, Some(vec![0])).await;
    (described[0].start_offset, described[0].lag)
}

async fn describe_offsets(
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

#[tokio::test]
async fn all_apis_are_offered_at_kafkas_versions() {
    let (_broker, mut client, _) = broker(1).await;
    let offered = client.call(0, &ApiVersionsRequest::default()).await;
    let versions = |key: i16| {
        let api = offered.api_keys.iter().find(|api| api.api_key == key).unwrap();
        (api.min_version, api.max_version)
    };
    let all: Vec<_> = [76, 77, 78, 79, 83, 84, 85, 86, 87, 90, 91, 92].map(versions).into();
    let expected = [(1, 1), (1, 1), (1, 2), (1, 2), (0, 0), (0, 0), (0, 1), (0, 0), (0, 1), (0, 1), (0, 0), (0, 0)];
    assert_eq!(all, expected);
}

#[tokio::test]
async fn members_join_are_described_and_leave() {
    let (_broker, mut client, id) = broker(4).await;
    let joined = client.call(1, &heartbeat("a", 0, Some(&["t"]))).await;
    assert_eq!((joined.error_code, joined.member_epoch, joined.heartbeat_interval_ms), (0, 1, 5000));
    assert_eq!(joined.member_id, Some(text("a")));
    assert_eq!(assigned(&joined), [0, 1, 2, 3]);
    assert!(client.call(1, &heartbeat("a", 1, None)).await.assignment.is_none());

    let described = client.call(1, &ShareGroupDescribeRequest::default().with_group_ids(vec![group_id()])).await;
    let group = &described.groups[0];
    assert_eq!((group.error_code, &*group.group_state, &*group.assignor_name), (0, "Stable", "simple"));
    assert_eq!((group.group_epoch, group.assignment_epoch), (1, 1));
    let member = &group.members[0];
    assert_eq!((&*member.member_id, &*member.client_id, &*member.client_host), ("a", "test", "/127.0.0.1"));
    assert_eq!(member.assignment.topic_partitions[0].topic_id, id);
    assert_eq!(&*member.assignment.topic_partitions[0].topic_name, "t");

    let listed = client.call(5, &ListGroupsRequest::default().with_types_filter(vec![text("share")])).await;
    let listed: Vec<_> =
        listed.groups.iter().map(|group| (&*group.group_state, &*group.group_type, &*group.protocol_type)).collect();
    assert_eq!(listed, [("Stable", "share", "share")]);
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![group_id()]);
    assert_eq!(client.call(2, &delete).await.results[0].error_code, 68, "NON_EMPTY_GROUP");

    let left = client.call(1, &heartbeat("a", -1, None)).await;
    assert_eq!((left.error_code, left.member_epoch), (0, -1));
    assert_eq!(client.call(2, &delete).await.results[0].error_code, 0);
    let described = client.call(1, &ShareGroupDescribeRequest::default().with_group_ids(vec![group_id()])).await;
    assert_eq!(described.groups[0].error_code, 69, "GROUP_ID_NOT_FOUND");
    assert!(describe_offsets(&mut client, 1, None).await.is_empty());
}

#[tokio::test]
async fn heartbeats_that_cannot_be_are_refused() {
    let (_broker, mut client, _) = broker(1).await;
    let long = "x".repeat(37);
    let cases = [
        (heartbeat("", 0, Some(&["t"])), 42),
        (heartbeat(&long, 0, Some(&["t"])), 42),
        (heartbeat("a", 0, Some(&["t"])).with_group_id(GroupId(text(""))), 42),
        (heartbeat("a", 0, Some(&["t"])).with_rack_id(Some(text(""))), 42),
        (heartbeat("a", 0, None), 42),
        (heartbeat("a", 0, Some(&[])), 42),
        (heartbeat("a", -2, None), 42),
        (heartbeat("a", 1, None).with_group_id(GroupId(text("other"))), 69),
        (heartbeat("a", -1, None).with_group_id(GroupId(text("other"))), 69),
        (heartbeat("a", 1, None), 25),
        (heartbeat("a", -1, None), 25),
    ];
    for (request, error) in cases {
        let answer = client.call(1, &request).await;
        assert_eq!(answer.error_code, error, "{request:?}");
        assert!(answer.error_message.is_some());
    }
    client.call(1, &heartbeat("a", 0, Some(&["t"]))).await;
    assert_eq!(client.call(1, &heartbeat("a", 7, None)).await.error_code, 110, "FENCED_MEMBER_EPOCH");
}

#[tokio::test]
async fn records_go_to_one_member_and_come_back_with_a_higher_count() {
    for version in 1..=2 {
        let (broker, mut client, id) = broker(1).await;
        produce(&broker, 6);
        let mut a = Member::new(&broker, "a", id, version).await;
        let mut b = Member::new(&broker, "b", id, version).await;
        let first = a.fetch(Vec::new()).await;
        assert_eq!((acquired(&first), offsets(&first)), (vec![(0, 5, 1)], (0..6).collect()), "v{version}");
        assert!(acquired(&b.fetch(Vec::new()).await).is_empty(), "v{version}: a has all of them");
        assert_eq!(start_and_lag(&mut client).await, (0, 6));
        // In one request: accepted, released, rejected and a gap; by another: what was released.
        let second = a.fetch(vec![ack(0, 3, &[ACCEPT, RELEASE, REJECT, 0])]).await;
        assert_eq!(second.acknowledge_error_code, 0, "v{version}");
        assert_eq!((acquired(&second), offsets(&second)), (vec![(1, 1, 2)], vec![1]), "v{version}");
        assert_eq!(a.acknowledge(&[(1, 1, &[ACCEPT]), (4, 5, &[RELEASE])]).await, 0);
        assert_eq!(acquired(&b.fetch(Vec::new()).await), [(4, 5, 2)], "v{version}");
        assert_eq!(b.acknowledge(&[(4, 5, &[ACCEPT])]).await, 0);
        assert_eq!(start_and_lag(&mut client).await.1, 0, "v{version}: nothing is left");
    }
}

#[tokio::test]
async fn acknowledgements_that_cannot_be_are_refused() {
    let (broker, mut client, id) = broker(1).await;
    produce(&broker, 4);
    let mut a = Member::new(&broker, "a", id, 1).await;
    let mut b = Member::new(&broker, "b", id, 2).await;
    assert_eq!(a.acknowledge(&[(0, 1, &[ACCEPT])]).await, 123, "a session begins with a fetch");
    let first = a.request(&[(0, vec![ack(0, 1, &[ACCEPT])])]);
    assert_eq!(a.send(first).await.error_code, 42, "nothing is there to acknowledge when a session begins");
    a.fetch(Vec::new()).await;
    b.fetch(Vec::new()).await;
    for malformed in [
        vec![(2, 1, &[ACCEPT][..])],
        vec![(0, 2, &[1, 1])],
        vec![(0, 0, &[])],
        vec![(0, 0, &[9])],
        vec![(0, 0, &[RENEW])],
    ] {
        assert_eq!(a.acknowledge(&malformed).await, 42, "{malformed:?}");
    }
    assert_eq!(b.acknowledge(&[(0, 1, &[ACCEPT])]).await, 121, "INVALID_RECORD_STATE: a has it");
    assert_eq!(a.acknowledge(&[(2, 9, &[ACCEPT])]).await, 42, "beyond what was acquired");
    assert_eq!(a.acknowledge(&[(0, 1, &[ACCEPT])]).await, 0);
    assert_eq!(a.acknowledge(&[(0, 0, &[ACCEPT])]).await, 0, "it lies before the start by now");
    // In a fetch, the error stands beside what was fetched.
    let answer = a.fetch(vec![ack(3, 3, &[ACCEPT])]).await;
    assert_eq!((answer.error_code, answer.acknowledge_error_code), (0, 0));
    let answer = a.fetch(vec![ack(3, 3, &[ACCEPT])]).await;
    assert_eq!((answer.error_code, answer.acknowledge_error_code), (0, 121));
    assert!(answer.acknowledge_error_message.is_some());
    a.topic = Uuid::from_u128(9);
    assert_eq!(a.acknowledge(&[(0, 0, &[ACCEPT])]).await, 100, "UNKNOWN_TOPIC_ID");
    assert_eq!(start_and_lag(&mut client).await.1, 1, "of four, one is still a's");
}

#[tokio::test]
async fn sessions_have_epochs_and_the_last_gives_all_back() {
    let (broker, _client, id) = broker(2).await;
    produce(&broker, 3);
    let mut a = Member::new(&broker, "a", id, 2).await;
    a.fetch(Vec::new()).await;
    a.epoch = 5;
    let request = a.request(&[]);
    assert_eq!(a.send(request).await.error_code, 123, "INVALID_SHARE_SESSION_EPOCH");
    assert_eq!(a.acknowledge(&[(0, 0, &[ACCEPT])]).await, 123);
    a.epoch = 1;
    // A partition that is not there is told as soon as there is anything to tell.
    let added = a.request(&[(7, Vec::new())]).with_max_wait_ms(10);
    let answer = a.send(added).await;
    assert_eq!(answer.responses[0].partitions[0].error_code, 3, "UNKNOWN_TOPIC_OR_PARTITION");
    let forgotten = ForgottenTopic::default().with_topic_id(id).with_partitions(vec![7]);
    let request = a.request(&[]).with_forgotten_topics_data(vec![forgotten]);
    assert!(a.send(request).await.responses.is_empty());

    a.epoch = -1;
    assert_eq!(a.acknowledge(&[(0, 0, &[ACCEPT])]).await, 0);
    assert_eq!(a.acknowledge(&[(1, 1, &[ACCEPT])]).await, 122, "the session has ended");
    let mut b = Member::new(&broker, "b", id, 2).await;
    assert_eq!(acquired(&b.fetch(Vec::new()).await), [(1, 2, 2)], "what a had and did not accept");

    let nobody = b.request(&[]).with_member_id(None);
    assert_eq!(b.client.call(2, &nobody).await.error_code, 42);
    let nobody = b.request(&[]).with_group_id(None);
    assert_eq!(b.client.call(2, &nobody).await.error_code, 42);
    let unknown = b.request(&[]).with_member_id(Some(text("nobody"))).with_share_session_epoch(-1);
    assert_eq!(b.client.call(2, &unknown).await.error_code, 122);
    // Who goes without a word gives its records back all the same.
    drop(b);
    let mut c = Member::new(&broker, "c", id, 2).await;
    let patient = c.request(&[(0, Vec::new())]).with_max_wait_ms(5000);
    let answer = c.send(patient).await;
    let got: Vec<_> = answer.responses[0].partitions.iter().flat_map(acquired).collect();
    assert_eq!(got.iter().map(|(first, last, _)| last - first + 1).sum::<i64>(), 2);
}

#[tokio::test]
async fn the_number_of_sessions_is_limited() {
    let broker = Broker::builder()
        .ephemeral()
        .topic("t", 1)
        .set("group.share.max.share.sessions", "1")
        .set("group.share.max.size", "1")
        .start()
        .await
        .unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let id = topic_id(&mut client, "t").await;
    begin_at(&mut client, 0).await;
    let mut a = Member::new(&broker, "a", id, 2).await;
    a.fetch(Vec::new()).await;
    let mut b = Member::new(&broker, "b", id, 2).await;
    let request = b.request(&[(0, Vec::new())]).with_max_wait_ms(200);
    let begun = Instant::now();
    assert_eq!(b.send(request).await.error_code, 133, "SHARE_SESSION_LIMIT_REACHED");
    assert!(begun.elapsed() >= Duration::from_millis(200), "so that nobody asks again at once");
    client.call(1, &heartbeat("a", 0, Some(&["t"]))).await;
    assert_eq!(client.call(1, &heartbeat("b", 0, Some(&["t"]))).await.error_code, 81, "GROUP_MAX_SIZE_REACHED");
}

#[tokio::test]
async fn a_fetch_waits_for_records_that_come_or_come_back() {
    let (broker, _client, id) = broker(1).await;
    let mut a = Member::new(&broker, "a", id, 2).await;
    let mut b = Member::new(&broker, "b", id, 2).await;
    let begun = Instant::now();
    let nothing = a.request(&[(0, Vec::new())]).with_max_wait_ms(150);
    let answer = a.send(nothing).await;
    assert!(begun.elapsed() >= Duration::from_millis(150));
    assert!(
        answer.responses.iter().flat_map(|topic| &topic.partitions).all(|partition| acquired(partition).is_empty())
    );

    let waiting = a.request(&[]).with_max_wait_ms(10_000);
    let begun = Instant::now();
    let (answer, ()) = tokio::join!(a.send(waiting), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        produce(&broker, 1);
    });
    assert_eq!(acquired(&answer.responses[0].partitions[0]), [(0, 0, 1)]);
    assert!(begun.elapsed() < Duration::from_secs(5));

    let waiting = b.request(&[(0, Vec::new())]).with_max_wait_ms(10_000);
    let begun = Instant::now();
    let (answer, released) = tokio::join!(b.send(waiting), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        a.acknowledge(&[(0, 0, &[RELEASE])]).await
    });
    assert_eq!((released, acquired(&answer.responses[0].partitions[0])), (0, vec![(0, 0, 2)]));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn locks_end_and_are_renewed() {
    let broker = Broker::builder()
        .ephemeral()
        .topic("t", 1)
        .set("group.share.min.record.lock.duration.ms", "1000")
        .set("group.share.record.lock.duration.ms", "1000")
        .start()
        .await
        .unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let id = topic_id(&mut client, "t").await;
    begin_at(&mut client, 0).await;
    produce(&broker, 2);
    let mut a = Member::new(&broker, "a", id, 2).await;
    let mut b = Member::new(&broker, "b", id, 2).await;
    let begun = Instant::now();
    a.fetch(Vec::new()).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(a.acknowledge(&[(1, 1, &[RENEW])]).await, 0);
    let waiting = b.request(&[(0, Vec::new())]).with_max_wait_ms(10_000);
    let answer = b.send(waiting).await;
    assert!(begun.elapsed() >= Duration::from_millis(1000));
    assert_eq!(acquired(&answer.responses[0].partitions[0]), [(0, 0, 2)], "a has renewed its lock on the other");
    assert_eq!(a.acknowledge(&[(0, 0, &[ACCEPT])]).await, 121, "a is too late");
    assert_eq!(a.acknowledge(&[(1, 1, &[ACCEPT])]).await, 0);
    // A fetch that renews fetches nothing, and must say so.
    let mut renewing = b.request(&[(0, vec![ack(0, 0, &[RENEW])])]).with_is_renew_ack(true);
    assert_eq!(b.client.call(2, &renewing).await.error_code, 42);
    renewing = renewing.with_max_bytes(0).with_min_bytes(0).with_max_records(0);
    let answer = b.send(renewing).await;
    assert_eq!((answer.error_code, answer.responses[0].partitions[0].acknowledge_error_code), (0, 0));
}

#[tokio::test]
async fn a_strict_limit_splits_batches() {
    let (broker, _client, id) = broker(1).await;
    let ten = (0..10).map(|number| Record::new("k", format!("v{number}")));
    broker.produce("t", 0, ten).unwrap();
    let mut a = Member::new(&broker, "a", id, 2).await;
    let strict = a.request(&[(0, Vec::new())]).with_max_records(4).with_share_acquire_mode(1);
    let answer = a.send(strict).await;
    assert_eq!(acquired(&answer.responses[0].partitions[0]), [(0, 3, 1)]);
    let loose = a.request(&[]).with_max_records(4);
    let answer = a.send(loose).await;
    assert_eq!(acquired(&answer.responses[0].partitions[0]), [(4, 9, 1)], "up to the end of the batch");
    let odd = a.request(&[]).with_share_acquire_mode(7);
    assert_eq!(a.send(odd).await.error_code, 42);
}

#[tokio::test]
async fn records_are_given_up_after_the_last_delivery() {
    let (broker, mut client, id) = broker(1).await;
    produce(&broker, 1);
    let mut a = Member::new(&broker, "a", id, 2).await;
    for count in 1..=5 {
        assert_eq!(acquired(&a.fetch(Vec::new()).await), [(0, 0, count)]);
        assert_eq!(a.acknowledge(&[(0, 0, &[RELEASE])]).await, 0);
    }
    assert!(acquired(&a.fetch(Vec::new()).await).is_empty(), "group.share.delivery.count.limit is 5");
    assert_eq!(start_and_lag(&mut client).await.1, 0);
}

#[tokio::test]
async fn deleted_records_are_skipped_and_offsets_are_reset() {
    let (broker, mut client, id) = broker(1).await;
    produce(&broker, 5);
    let mut a = Member::new(&broker, "a", id, 2).await;
    assert_eq!(acquired(&a.fetch(Vec::new()).await), [(0, 4, 1)]);
    assert_eq!(a.acknowledge(&[(0, 4, &[ACCEPT])]).await, 0);
    begin_at(&mut client, 3).await;
    assert_eq!(start_and_lag(&mut client).await, (3, 2));
    assert_eq!(acquired(&a.fetch(Vec::new()).await), [(3, 4, 1)], "from where it was set to");
    begin_at(&mut client, 99).await;
    assert!(acquired(&a.fetch(Vec::new()).await).is_empty());

    // By a group with members nothing is set.
    client.call(1, &heartbeat("a", 0, Some(&["t"]))).await;
    let alter = AlterShareGroupOffsetsRequest::default().with_group_id(group_id());
    assert_eq!(client.call(0, &alter).await.error_code, 68, "NON_EMPTY_GROUP");
    let topic = |name: &str| DeleteShareGroupOffsetsRequestTopic::default().with_topic_name(TopicName(text(name)));
    let delete = DeleteShareGroupOffsetsRequest::default()
        .with_group_id(group_id())
        .with_topics(vec![topic("t"), topic("nowhere")]);
    assert_eq!(client.call(0, &delete).await.error_code, 68);
    client.call(1, &heartbeat("a", -1, None)).await;
    let deleted = client.call(0, &delete).await;
    let errors: Vec<_> = deleted.responses.iter().map(|topic| (topic.topic_id, topic.error_code)).collect();
    assert_eq!((deleted.error_code, errors), (0, vec![(id, 0), (Uuid::nil(), 3)]));
    assert_eq!(client.call(0, &delete).await.responses[0].error_code, 3, "there is nothing left to delete");
    assert_eq!(start_and_lag(&mut client).await, (-1, -1));
    for unknown in ["", "other"] {
        let delete = delete.clone().with_group_id(GroupId(text(unknown)));
        let expected = if unknown.is_empty() { 24 } else { 69 };
        assert_eq!(client.call(0, &delete).await.error_code, expected);
    }
    assert_eq!(client.call(0, &alter.with_group_id(GroupId(text("")))).await.error_code, 24);
}

#[tokio::test]
async fn offsets_are_described_at_every_version() {
    let (broker, mut client, _) = broker(2).await;
    produce(&broker, 3);
    for version in 0..=1 {
        let lag = if version >= 1 { 3 } else { -1 };
        let all = describe_offsets(&mut client, version, None).await;
        let seen: Vec<_> =
            all.iter().map(|partition| (partition.partition_index, partition.start_offset, partition.lag)).collect();
        assert_eq!(seen, [(0, 0, lag)], "v{version}: only partition 0 has share state");
        let some = describe_offsets(&mut client, version, Some(vec![1, 5])).await;
        assert!(some.iter().all(|partition| (partition.start_offset, partition.error_code) == (-1, 0)));
        assert!(describe_offsets(&mut client, version, Some(Vec::new())).await.is_empty());
    }
    let alter = |topic: &str, index: i32| {
        let partition = AlterShareGroupOffsetsRequestPartition::default().with_partition_index(index);
        let topic = AlterShareGroupOffsetsRequestTopic::default()
            .with_topic_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        AlterShareGroupOffsetsRequest::default().with_group_id(group_id()).with_topics(vec![topic])
    };
    for unknown in [alter("t", 9), alter("nowhere", 0)] {
        let answer = client.call(0, &unknown).await;
        assert_eq!((answer.error_code, answer.responses[0].partitions[0].error_code), (0, 3));
    }
}

#[tokio::test]
async fn a_groups_own_configs_count_and_aborted_records_are_not_delivered() {
    let broker = Broker::builder().ephemeral().topic("t", 1).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let id = topic_id(&mut client, "t").await;
    let set = |name: &str, value: &str| {
        AlterableConfig::default().with_name(text(name)).with_config_operation(0).with_value(Some(text(value)))
    };
    let configs = vec![
        set("share.auto.offset.reset", "earliest"),
        set("share.isolation.level", "read_committed"),
        set("share.record.lock.duration.ms", "15000"),
        set("share.renew.acknowledge.enable", "false"),
        set("share.heartbeat.interval.ms", "6000"),
    ];
    let group =
        AlterConfigsResource::default().with_resource_type(32).with_resource_name(text(GROUP)).with_configs(configs);
    let altered = client.call(1, &IncrementalAlterConfigsRequest::default().with_resources(vec![group])).await;
    assert_eq!(altered.responses[0].error_code, 0, "{altered:?}");

    produce(&broker, 1);
    let mut producer = Producer::begin(broker.bootstrap_servers(), "p", Generation::Second).await;
    for commit in [false, true] {
        assert_eq!(producer.send("t", "in a transaction").await.error_code, 0);
        assert_eq!(producer.end(commit).await, 0);
    }
    assert_eq!(producer.send("t", "not yet").await.error_code, 0);
    let joined = client.call(1, &heartbeat("a", 0, Some(&["t"]))).await;
    assert_eq!((joined.heartbeat_interval_ms, assigned(&joined)), (6000, vec![0]));
    let mut a = Member::new(&broker, "a", id, 2).await;
    let request = a.request(&[(0, Vec::new())]);
    let answer = a.send(request).await;
    assert_eq!(answer.acquisition_lock_timeout_ms, 15_000);
    // 1 was aborted, 2 and 4 are markers, 5 is in a transaction that goes on.
    assert_eq!(acquired(&answer.responses[0].partitions[0]), [(0, 0, 1), (2, 4, 1)]);
    assert_eq!(a.acknowledge(&[(0, 0, &[RENEW])]).await, 121, "locks are not renewed in this group");
    assert_eq!(a.acknowledge(&[(0, 0, &[ACCEPT]), (2, 4, &[0, ACCEPT, 0])]).await, 0);
    let waiting = a.request(&[]).with_max_wait_ms(10_000);
    let begun = Instant::now();
    let (answer, ended) = tokio::join!(a.send(waiting), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        producer.end(true).await
    });
    assert_eq!((ended, acquired(&answer.responses[0].partitions[0])), (0, vec![(5, 6, 1)]));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_share_coordinator_is_found_by_its_kind_of_key() {
    let (_broker, mut client, _) = broker(1).await;
    let find = |keys: &[&str]| {
        FindCoordinatorRequest::default()
            .with_key_type(2)
            .with_coordinator_keys(keys.iter().map(|key| text(key)).collect())
    };
    let keys =
        ["g:AAAAAAAAAAAAAAAAAAAAAQ:0", "a:b:AAAAAAAAAAAAAAAAAAAAAQ:3", "g", "g:t:0", "g:AAAAAAAAAAAAAAAAAAAAAQ:x"];
    let found = client.call(6, &find(&keys)).await;
    let errors: Vec<_> = found.coordinators.iter().map(|found| (found.error_code, found.node_id.0)).collect();
    assert_eq!(errors, [(0, 1), (0, 1), (42, -1), (42, -1), (42, -1)]);
    assert_eq!(client.call(5, &find(&keys[..1])).await.coordinators[0].error_code, 42, "it came with version 6");
}

#[tokio::test]
async fn share_state_is_initialized_written_read_and_deleted() {
    let (_broker, mut client, id) = broker(2).await;
    let group = || text("brokers");
    let initialize = |partition, state_epoch, start_offset| {
        let partition = initialize_share_group_state_request::PartitionData::default()
            .with_partition(partition)
            .with_state_epoch(state_epoch)
            .with_start_offset(start_offset);
        let topic = initialize_share_group_state_request::InitializeStateData::default()
            .with_topic_id(id)
            .with_partitions(vec![partition]);
        InitializeShareGroupStateRequest::default().with_group_id(group()).with_topics(vec![topic])
    };
    let write = |state_epoch, leader_epoch, start_offset, complete| {
        let batch = write_share_group_state_request::StateBatch::default()
            .with_first_offset(10)
            .with_last_offset(12)
            .with_delivery_state(2)
            .with_delivery_count(1);
        let partition = write_share_group_state_request::PartitionData::default()
            .with_partition(1)
            .with_state_epoch(state_epoch)
            .with_leader_epoch(leader_epoch)
            .with_start_offset(start_offset)
            .with_delivery_complete_count(complete)
            .with_state_batches(vec![batch]);
        let topic = write_share_group_state_request::WriteStateData::default()
            .with_topic_id(id)
            .with_partitions(vec![partition]);
        WriteShareGroupStateRequest::default().with_group_id(group()).with_topics(vec![topic])
    };
    let read = |leader_epoch| {
        let partition =
            read_share_group_state_request::PartitionData::default().with_partition(1).with_leader_epoch(leader_epoch);
        let topic =
            read_share_group_state_request::ReadStateData::default().with_topic_id(id).with_partitions(vec![partition]);
        ReadShareGroupStateRequest::default().with_group_id(group()).with_topics(vec![topic])
    };
    let summary = |partition| {
        let partition = read_share_group_state_summary_request::PartitionData::default().with_partition(partition);
        let topic = read_share_group_state_summary_request::ReadStateSummaryData::default()
            .with_topic_id(id)
            .with_partitions(vec![partition]);
        ReadShareGroupStateSummaryRequest::default().with_group_id(group()).with_topics(vec![topic])
    };
    let delete = || {
        let partition = delete_share_group_state_request::PartitionData::default().with_partition(1);
        let topic = delete_share_group_state_request::DeleteStateData::default()
            .with_topic_id(id)
            .with_partitions(vec![partition]);
        DeleteShareGroupStateRequest::default().with_group_id(group()).with_topics(vec![topic])
    };

    assert_eq!(client.call(0, &read(-1)).await.results[0].partitions[0].error_code, 42, "nothing was initialized");
    assert_eq!(client.call(1, &write(1, 0, 10, 3)).await.results[0].partitions[0].error_code, 42);
    assert_eq!(client.call(0, &initialize(9, 1, -1)).await.results[0].partitions[0].error_code, 3);
    assert_eq!(client.call(0, &initialize(-1, 1, -1)).await.results[0].partitions[0].error_code, 42);
    assert_eq!(client.call(0, &initialize(1, 5, 10)).await.results[0].partitions[0].error_code, 0);
    assert_eq!(
        client.call(0, &initialize(1, 4, 10)).await.results[0].partitions[0].error_code,
        124,
        "FENCED_STATE_EPOCH"
    );
    for (version, complete) in [(0, -1), (1, 3)] {
        let answer = client.call(version, &write(5, 2, 10, if version >= 1 { 3 } else { -1 })).await;
        assert_eq!(answer.results[0].partitions[0].error_code, 0, "v{version}");
        let answer = client.call(1, &summary(1)).await;
        let summarized = &answer.results[0].partitions[0];
        assert_eq!(
            (summarized.start_offset, summarized.delivery_complete_count, summarized.state_epoch),
            (10, complete, 5)
        );
    }
    assert_eq!(client.call(0, &summary(1)).await.results[0].partitions[0].start_offset, 10);
    assert_eq!(client.call(1, &summary(0)).await.results[0].partitions[0].start_offset, -1, "there is none");
    assert_eq!(client.call(1, &write(4, 2, 10, 3)).await.results[0].partitions[0].error_code, 124);
    let answer = client.call(0, &read(3)).await;
    let state = &answer.results[0].partitions[0];
    assert_eq!((state.error_code, state.state_epoch, state.start_offset), (0, 5, 10));
    assert_eq!((state.state_batches[0].first_offset, state.state_batches[0].last_offset), (10, 12));
    assert_eq!(client.call(0, &read(2)).await.results[0].partitions[0].error_code, 74, "FENCED_LEADER_EPOCH");
    assert_eq!(client.call(1, &write(5, 2, 10, 3)).await.results[0].partitions[0].error_code, 74);
    assert_eq!(client.call(0, &delete()).await.results[0].partitions[0].error_code, 0);
    assert_eq!(client.call(0, &delete()).await.results[0].partitions[0].error_code, 0, "twice is no error");
    assert_eq!(client.call(0, &read(-1)).await.results[0].partitions[0].error_code, 42);
    let nobody = ReadShareGroupStateRequest::default();
    assert!(client.call(0, &nobody).await.results.is_empty(), "what names no group is answered with nothing");
}

#[tokio::test]
async fn a_restart_keeps_members_and_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let start = || Broker::builder().data_dir(dir.path()).topic("t", 1).start();
    let mut broker = start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let id = topic_id(&mut client, "t").await;
    begin_at(&mut client, 0).await;
    produce(&broker, 10);
    client.call(1, &heartbeat("a", 0, Some(&["t"]))).await;
    let mut a = Member::new(&broker, "a", id, 2).await;
    assert_eq!(acquired(&a.fetch(Vec::new()).await), [(0, 9, 1)]);
    // Enough changes that some are kept as updates and some in a snapshot.
    for round in 0..3 {
        assert_eq!(a.acknowledge(&[(2 * round, 2 * round, &[ACCEPT])]).await, 0);
    }
    assert_eq!(a.acknowledge(&[(6, 6, &[RELEASE])]).await, 0);
    drop((a, client));
    broker.shutdown().await;
    broker = start().await.unwrap();

    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let described = client.call(1, &ShareGroupDescribeRequest::default().with_group_ids(vec![group_id()])).await;
    assert_eq!(&*described.groups[0].members[0].member_id, "a");
    let again = client.call(1, &heartbeat("a", 1, None)).await;
    assert_eq!((again.error_code, again.member_epoch), (0, 1), "its session goes on");
    let mut b = Member::new(&broker, "b", id, 2).await;
    let mut got = Vec::new();
    loop {
        let partition = b.fetch(Vec::new()).await;
        let now = acquired(&partition);
        if now.is_empty() {
            break;
        }
        got.extend(now.into_iter().flat_map(|(first, last, _)| first..=last));
    }
    got.sort_unstable();
    assert_eq!(got, [1, 3, 5, 6, 7, 8, 9], "all but what was accepted");
    let topics = client.call(12, &MetadataRequest::default().with_topics(None)).await.topics;
    let state = topics.iter().find(|topic| topic.name == Some(TopicName(text("__share_group_state")))).unwrap();
    assert_eq!((state.is_internal, state.partitions.len()), (true, 50));
}

#[tokio::test]
async fn a_member_that_is_silent_is_taken_out() {
    let broker = Broker::builder()
        .ephemeral()
        .topic("t", 1)
        .set("group.share.min.heartbeat.interval.ms", "100")
        .set("group.share.heartbeat.interval.ms", "100")
        .set("group.share.min.session.timeout.ms", "300")
        .set("group.share.session.timeout.ms", "300")
        .start()
        .await
        .unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    client.call(1, &heartbeat("a", 0, Some(&["t"]))).await;
    let describe = ShareGroupDescribeRequest::default().with_group_ids(vec![group_id()]);
    let deadline = Instant::now() + Duration::from_secs(10);
    while &*client.call(1, &describe).await.groups[0].group_state != "Empty" {
        assert!(Instant::now() < deadline, "it is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(client.call(1, &heartbeat("a", 1, None)).await.error_code, 25, "UNKNOWN_MEMBER_ID");
}

#[tokio::test]
async fn a_deleted_topic_takes_its_share_state_along() {
    let (broker, mut client, id) = broker(1).await;
    produce(&broker, 2);
    client.call(1, &heartbeat("a", 0, Some(&["t"]))).await;
    let mut a = Member::new(&broker, "a", id, 2).await;
    a.fetch(Vec::new()).await;
    let named = DeleteTopicState::default().with_name(Some(TopicName(text("t"))));
    let deleted = client.call(6, &DeleteTopicsRequest::default().with_topics(vec![named]).with_timeout_ms(1000)).await;
    assert_eq!(deleted.responses[0].error_code, 0);
    let request = a.request(&[]).with_max_wait_ms(10);
    let answer = a.send(request).await;
    assert_eq!(answer.responses[0].partitions[0].error_code, 100, "UNKNOWN_TOPIC_ID");
    assert!(describe_offsets(&mut client, 1, None).await.is_empty());
    broker.create_topic("t", 1).unwrap();
    assert_eq!(start_and_lag(&mut client).await, (-1, -1));
}
