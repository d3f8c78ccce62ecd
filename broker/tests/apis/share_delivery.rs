//! What share groups (KIP-932) are delivered: who gets which records and how often, acknowledgements, sessions, locks, and
//! what a restart keeps.
#![allow(clippy::unwrap_used)]

use crate::wire;

use std::time::{Duration, Instant};

use brooklet::{Broker, Record};
use brooklet_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use brooklet_protocol::messages::share_fetch_request::ForgottenTopic;
use brooklet_protocol::messages::{
    IncrementalAlterConfigsRequest, MetadataRequest, ShareGroupDescribeRequest, TopicName,
};
use uuid::Uuid;
use wire::share::{
    ACCEPT, GROUP, Member, REJECT, RELEASE, RENEW, ack, acquired, assigned, begin_at, broker, group_id, heartbeat,
    offsets, produce, start_and_lag, topic_id,
};
use wire::transactional::{Generation, Producer};
use wire::{Client, text};

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
