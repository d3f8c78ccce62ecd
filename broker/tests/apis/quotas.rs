//! Client quotas: set and described, kept over a restart, and enforced: the answer says for how long, and the
//! connection is not read for so long.
#![allow(clippy::unwrap_used)]

use crate::wire;

use std::time::{Duration, Instant};

use brooklet::{Broker, BrokerBuilder, Record};
use brooklet_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use brooklet_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use brooklet_protocol::messages::create_topics_request::CreatableTopic;
use brooklet_protocol::messages::describe_client_quotas_request::ComponentData;
use brooklet_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use brooklet_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use brooklet_protocol::messages::*;
use brooklet_protocol::records::BatchBuilder;
use wire::{Client, text};

fn quick() -> BrokerBuilder {
    Broker::builder().topic("t", 1).set("quota.window.num", "2").set("controller.quota.window.num", "1")
}

fn entry(entity: &[(&str, Option<&str>)], ops: &[(&str, Option<f64>)]) -> EntryData {
    let entity = entity
        .iter()
        .map(|(kind, name)| EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text)));
    let ops = ops.iter().map(|(key, value)| {
        let op = OpData::default().with_key(text(key));
        match value {
            Some(value) => op.with_value(*value),
            None => op.with_remove(true),
        }
    });
    EntryData::default().with_entity(entity.collect()).with_ops(ops.collect())
}

async fn alter(client: &mut Client, entries: Vec<EntryData>) -> Vec<i16> {
    let answer = client.call(1, &AlterClientQuotasRequest::default().with_entries(entries)).await;
    answer.entries.iter().map(|entry| entry.error_code).collect()
}

async fn limit(client: &mut Client, quota: &str, value: f64) {
    let me: &[(&str, Option<&str>)] = &[("client-id", Some("test"))];
    assert_eq!(alter(client, vec![entry(me, &[(quota, Some(value))])]).await, [0]);
}

fn component(kind: &str, match_type: i8, name: Option<&str>) -> ComponentData {
    ComponentData::default().with_entity_type(text(kind)).with_match_type(match_type).with_match(name.map(text))
}

/// Each entity with its quotas, as text.
async fn describe(client: &mut Client, version: i16, components: Vec<ComponentData>, strict: bool) -> Vec<String> {
    let request = DescribeClientQuotasRequest::default().with_components(components).with_strict(strict);
    let answer = client.call(version, &request).await;
    assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
    let entries = answer.entries.unwrap().into_iter().map(|entry| {
        let entity =
            entry.entity.iter().map(|e| format!("{}={}", e.entity_type, e.entity_name.as_deref().unwrap_or("*")));
        let values = entry.values.iter().map(|value| format!("{}={}", value.key, value.value));
        entity.chain(values).collect::<Vec<_>>().join(" ")
    });
    entries.collect()
}

#[tokio::test]
async fn quotas_are_altered_described_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::builder().data_dir(dir.path()).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    for version in 0..=1 {
        let entries = vec![
            entry(&[("user", Some("u")), ("client-id", None)], &[("producer_byte_rate", Some(1024.0))]),
            entry(
                &[("client-id", Some("c"))],
                &[("request_percentage", Some(12.5)), ("consumer_byte_rate", Some(7.0))],
            ),
            entry(&[("ip", Some("127.0.0.9"))], &[("connection_creation_rate", Some(5.0))]),
            entry(&[("ip", Some("127.0.0.9")), ("user", None)], &[("connection_creation_rate", Some(5.0))]),
            entry(&[("user", None)], &[("no_such_rate", Some(5.0))]),
            entry(&[("color", Some("red"))], &[]),
            entry(&[], &[]),
        ];
        let request = AlterClientQuotasRequest::default().with_entries(entries);
        let checked = client.call(version, &request.clone().with_validate_only(true)).await;
        let codes = |answer: &AlterClientQuotasResponse| {
            answer.entries.iter().map(|entry| entry.error_code).collect::<Vec<_>>()
        };
        assert_eq!(codes(&checked), [0, 0, 0, 42, 42, 42, 42], "v{version}");
        if version == 0 {
            assert!(describe(&mut client, 0, vec![], false).await.is_empty());
        }
        assert_eq!(codes(&client.call(version, &request).await), [0, 0, 0, 42, 42, 42, 42], "v{version}");
        let all = describe(&mut client, version, vec![], false).await;
        assert_eq!(all.len(), 3, "v{version}: {all:?}");
        let named = describe(&mut client, version, vec![component("client-id", 0, Some("c"))], true).await;
        assert_eq!(named, ["client-id=c consumer_byte_rate=7 request_percentage=12.5"], "v{version}");
        let any = describe(&mut client, version, vec![component("client-id", 2, None)], true).await;
        assert_eq!(any.len(), 1, "v{version}: strict leaves out the one with a user");
        let default = describe(&mut client, version, vec![component("client-id", 1, None)], false).await;
        assert_eq!(default, ["client-id=* user=u producer_byte_rate=1024"], "v{version}");
        let unsupported = DescribeClientQuotasRequest::default().with_components(vec![component("color", 2, None)]);
        assert_eq!(client.call(version, &unsupported).await.error_code, 35, "v{version}");
    }
    assert_eq!(
        alter(&mut client, vec![entry(&[("client-id", Some("c"))], &[("consumer_byte_rate", None)])]).await,
        [0]
    );
    let twice = entry(&[("user", Some("u"))], &[("producer_byte_rate", Some(1.0)), ("producer_byte_rate", None)]);
    assert_eq!(alter(&mut client, vec![twice]).await, [42]);
    broker.shutdown().await;
    let broker = Broker::builder().data_dir(dir.path()).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let named = describe(&mut client, 1, vec![component("client-id", 0, Some("c"))], true).await;
    assert_eq!(named, ["client-id=c request_percentage=12.5"]);
}

fn produce(bytes: usize) -> ProduceRequest {
    let mut batch = BatchBuilder::new();
    batch.push(1_700_000_000_000, None, Some(&vec![b'x'; bytes]), &[]);
    let data = PartitionProduceData::default().with_records(Some(batch.build().unwrap()));
    let topic = TopicProduceData::default().with_name(TopicName(text("t"))).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic])
}

fn ms(millis: i32) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap())
}

#[tokio::test]
async fn a_producer_over_its_quota_is_told_so_and_left_unread() {
    let broker = quick().start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    assert_eq!(client.call(9, &produce(20_000)).await.throttle_time_ms, 0, "nothing is limited");
    limit(&mut client, "producer_byte_rate", 10_000.0).await;

    let answer = client.call(9, &produce(13_000)).await;
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0, "the batch is stored all the same");
    assert!((300..350).contains(&answer.throttle_time_ms), "{} ms", answer.throttle_time_ms);
}

#[tokio::test]
async fn a_producer_is_slowed_to_its_rate() {
    let broker = quick().start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    limit(&mut client, "producer_byte_rate", 20_000.0).await;
    let started = Instant::now();
    let mut held_back = Duration::ZERO;
    for _ in 0..5 {
        held_back = ms(client.call(9, &produce(6000)).await.throttle_time_ms);
    }
    // 30,000 bytes at 20,000 a second, of which a window's worth may come at once. The last wait is still to come.
    assert!(started.elapsed() + held_back >= Duration::from_millis(500), "{:?}", started.elapsed());
    client.call(0, &ApiVersionsRequest::default()).await;
    assert!(started.elapsed() >= Duration::from_millis(500), "the connection was read too early");

    // Without an answer to say it in, the connection is left unread all the same.
    client.send(9, &produce(30_000).with_acks(0)).await;
    let sent = Instant::now();
    client.call(0, &ApiVersionsRequest::default()).await;
    assert!(sent.elapsed() >= Duration::from_millis(200), "{:?}", sent.elapsed());
}

#[tokio::test]
async fn a_fetch_over_the_quota_is_empty_and_comes_again_later() {
    let broker = quick().start().await.unwrap();
    for _ in 0..6 {
        broker.produce("t", 0, [Record::new("k", vec![b'x'; 3000])]).unwrap();
    }
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    limit(&mut client, "consumer_byte_rate", 10_000.0).await;
    let fetch = |offset: i64, session: (i32, i32)| {
        let partition =
            FetchPartition::default().with_partition(0).with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default().with_topic(TopicName(text("t"))).with_partitions(vec![partition]);
        let request = FetchRequest::default().with_max_wait_ms(0).with_min_bytes(1).with_max_bytes(1 << 20);
        request.with_session_id(session.0).with_session_epoch(session.1).with_topics(vec![topic])
    };
    // A response never holds more than a window's worth, which is three of the batches.
    let first = client.call(11, &fetch(0, (0, 0))).await;
    assert_eq!(first.throttle_time_ms, 0);
    let len = first.responses[0].partitions[0].records.as_ref().unwrap().len();
    assert!((9000..10_000).contains(&len), "{len} bytes");

    let second = client.call(11, &fetch(3, (first.session_id, 1))).await;
    assert!(second.throttle_time_ms > 0 && second.responses.is_empty());
    assert_eq!((second.error_code, second.session_id), (0, first.session_id));
    let muted = Instant::now();
    let mut epoch = 2;
    loop {
        let again = client.call(11, &fetch(3, (first.session_id, epoch))).await;
        assert!(muted.elapsed() >= ms(second.throttle_time_ms) - Duration::from_millis(20));
        epoch += 1;
        if again.throttle_time_ms == 0 {
            assert!(again.responses[0].partitions[0].records.as_ref().unwrap().len() > 9000);
            break;
        }
    }
}

#[tokio::test]
async fn request_time_is_limited_for_every_api() {
    let broker = quick().start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    limit(&mut client, "request_percentage", 0.000_001).await;
    let answer = client.call(9, &MetadataRequest::default().with_topics(None)).await;
    assert!((1..=1000).contains(&answer.throttle_time_ms), "at most one sample: {}", answer.throttle_time_ms);
    let muted = Instant::now();
    let second = client.call(4, &ListGroupsRequest::default()).await;
    assert!(muted.elapsed() >= ms(answer.throttle_time_ms) - Duration::from_millis(20));
    assert!(second.throttle_time_ms > 0);
    // Another client is not held back.
    let other = AlterClientQuotasRequest::default()
        .with_entries(vec![entry(&[("client-id", Some("test"))], &[("request_percentage", None)])]);
    client.call(1, &other).await;
    client.call(1, &other).await;
    assert_eq!(client.call(4, &ListGroupsRequest::default()).await.throttle_time_ms, 0);
}

#[tokio::test]
async fn changes_of_topics_beyond_the_quota_are_refused_or_slowed() {
    let broker = quick().start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    limit(&mut client, "controller_mutation_rate", 4.0).await;
    let create = |name: &str, partitions: i32| {
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(partitions)
            .with_replication_factor(1);
        CreateTopicsRequest::default().with_timeout_ms(1000).with_topics(vec![topic])
    };
    // Four tokens are there. One may take more than that, but whoever comes next finds a debt.
    let first = client.call(7, &create("a", 5)).await;
    assert_eq!((first.topics[0].error_code, first.throttle_time_ms), (0, 0));
    let refused = client.call(7, &create("b", 1)).await;
    assert_eq!(refused.topics[0].error_code, 89);
    assert!(refused.throttle_time_ms > 0);
    // The wait has paid the debt back.
    assert_eq!(client.call(6, &create("b", 1)).await.topics[0].error_code, 0);

    // Before there was an error for it, it is done, and the client waits.
    let slowed = client.call(5, &create("c", 3)).await;
    assert_eq!(slowed.topics[0].error_code, 0);
    assert!(slowed.throttle_time_ms > 0);

    let more = CreatePartitionsTopic::default().with_name(TopicName(text("c"))).with_count(9).with_assignments(None);
    let grown = client.call(2, &CreatePartitionsRequest::default().with_topics(vec![more.clone()])).await;
    assert_eq!(grown.results[0].error_code, 0);
    assert!(grown.throttle_time_ms > 0);
    let deleted = client.call(4, &DeleteTopicsRequest::default().with_topic_names(vec![TopicName(text("a"))])).await;
    assert_eq!(deleted.responses[0].error_code, 0);
    assert!(deleted.throttle_time_ms > 0);
    let more = more.with_count(12);
    let grown = client.call(3, &CreatePartitionsRequest::default().with_topics(vec![more])).await;
    assert_eq!((grown.results[0].error_code, grown.throttle_time_ms), (0, 0));
    let refused = client.call(5, &DeleteTopicsRequest::default().with_topic_names(vec![TopicName(text("c"))])).await;
    assert_eq!(refused.responses[0].error_code, 89);
}

#[tokio::test]
async fn an_address_that_connects_too_often_is_turned_away() {
    let broker = quick().start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let entity: &[(&str, Option<&str>)] = &[("ip", Some("127.0.0.1"))];
    assert_eq!(alter(&mut client, vec![entry(entity, &[("connection_creation_rate", Some(2.0))])]).await, [0]);
    let mut answered = 0;
    let mut closed_after = Duration::ZERO;
    for _ in 0..3 {
        let mut other = Client::connect(broker.bootstrap_servers()).await;
        let began = Instant::now();
        match other.try_call(0, &ApiVersionsRequest::default()).await {
            Some(_) => answered += 1,
            None => closed_after = began.elapsed(),
        }
    }
    assert_eq!(answered, 2);
    assert!(closed_after >= Duration::from_millis(400), "closed only when it would have been let in");
    client.call(0, &ApiVersionsRequest::default()).await;
}
