//! Share groups (KIP-932) on the wire: membership, offsets, and the share coordinator's own APIs.
#![allow(clippy::unwrap_used)]

use crate::wire;

use std::time::{Duration, Instant};

use brooklet::Broker;
use brooklet_protocol::messages::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use brooklet_protocol::messages::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
use brooklet_protocol::messages::delete_topics_request::DeleteTopicState;
use brooklet_protocol::messages::{
    AlterShareGroupOffsetsRequest, ApiVersionsRequest, DeleteGroupsRequest, DeleteShareGroupOffsetsRequest,
    DeleteShareGroupStateRequest, DeleteTopicsRequest, FindCoordinatorRequest, GroupId,
    InitializeShareGroupStateRequest, ListGroupsRequest, ReadShareGroupStateRequest, ReadShareGroupStateSummaryRequest,
    ShareGroupDescribeRequest, TopicName, WriteShareGroupStateRequest, delete_share_group_state_request,
    initialize_share_group_state_request, read_share_group_state_request, read_share_group_state_summary_request,
    write_share_group_state_request,
};
use uuid::Uuid;
use wire::share::{
    ACCEPT, Member, acquired, assigned, begin_at, broker, describe_offsets, group_id, heartbeat, produce, start_and_lag,
};
use wire::{Client, text};

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
