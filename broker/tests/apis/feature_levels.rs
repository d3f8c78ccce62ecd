//! Features and their levels: what ApiVersions says of them, and how UpdateFeatures changes them. A stock broker of Apache
//! Kafka 4.3.1 has passed these tests too (`KAFKA_AT`, with one thread: the levels are the whole cluster's).
#![allow(clippy::unwrap_used)]

use crate::wire;

use std::collections::BTreeMap;

use brooklet::Broker;
use brooklet_protocol::messages::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup;
use brooklet_protocol::messages::update_features_request::FeatureUpdateKey;
use brooklet_protocol::messages::*;
use brooklet_protocol::records::batches;
use wire::transactional::{Generation, Producer, fetch, init};
use wire::{Client, broker_or_stock, share, text};

const UNSUPPORTED_VERSION: i16 = 35;
const INVALID_UPDATE_VERSION: i16 = 95;
const SHARE_SESSION_NOT_FOUND: i16 = 122;
const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

fn ask() -> ApiVersionsRequest {
    ApiVersionsRequest::default().with_client_software_name(text("test")).with_client_software_version(text("1"))
}

/// The epoch of the levels, and those above 0.
async fn finalized(client: &mut Client) -> (i64, BTreeMap<String, i16>) {
    let answer = client.call(4, &ask()).await;
    let levels = answer.finalized_features.iter().map(|feature| {
        assert_eq!(feature.min_version_level, feature.max_version_level);
        (feature.name.to_string(), feature.max_version_level)
    });
    (answer.finalized_features_epoch, levels.collect())
}

fn update(name: &str, level: i16, upgrade_type: i8) -> FeatureUpdateKey {
    FeatureUpdateKey::default().with_feature(text(name)).with_max_version_level(level).with_upgrade_type(upgrade_type)
}

fn request(updates: Vec<FeatureUpdateKey>) -> UpdateFeaturesRequest {
    UpdateFeaturesRequest::default().with_feature_updates(updates)
}

#[tokio::test]
async fn clients_are_told_levels_that_they_can_read() {
    let (_broker, mut client) = broker_or_stock().await;
    for version in 3..=4 {
        let answer = client.call(version, &ask()).await;
        let mut supported: Vec<_> =
            answer.supported_features.iter().map(|f| (f.name.to_string(), f.min_version, f.max_version)).collect();
        supported.sort_unstable();
        let named = |name: &str, min, max| (name.to_owned(), min, max);
        let all = [
            named("eligible.leader.replicas.version", 0, 1),
            named("group.version", 0, 1),
            named("kraft.version", 0, 1),
            named("metadata.version", 7, 30),
            named("share.version", 0, 1),
            named("streams.version", 0, 1),
            named("transaction.version", 0, 2),
        ];
        assert_eq!(supported, if version >= 4 { &all[..] } else { &all[3..4] }, "v{version}");
        assert_eq!(answer.finalized_features.len(), 7, "v{version}");
        assert!(answer.finalized_features_epoch > 0);
    }
    let (_, levels) = finalized(&mut client).await;
    assert_eq!((levels["transaction.version"], levels["metadata.version"], levels["group.version"]), (2, 30, 1));
}

#[tokio::test]
async fn a_level_is_changed_only_as_the_client_means_it() {
    let (_broker, mut client) = broker_or_stock().await;
    let good = [
        update("group.version", 1, UPGRADE),
        update("group.version", 1, SAFE_DOWNGRADE),
        update("group.version", 0, SAFE_DOWNGRADE),
        update("group.version", 0, UNSAFE_DOWNGRADE),
        update("transaction.version", 1, SAFE_DOWNGRADE),
        update("transaction.version", 2, UNSAFE_DOWNGRADE),
        update("metadata.version", 30, UPGRADE),
        update("metadata.version", 30, SAFE_DOWNGRADE),
        update("kraft.version", 1, UPGRADE),
        update("kraft.version", 1, SAFE_DOWNGRADE),
        update("eligible.leader.replicas.version", 0, SAFE_DOWNGRADE),
    ];
    let bad = [
        update("group.version", 0, UPGRADE),
        update("group.version", 1, 0),
        update("group.version", 1, 9),
        update("group.version", 2, UPGRADE),
        update("nope", 1, UPGRADE),
        update("nope", 0, UPGRADE),
        update("nope", 0, SAFE_DOWNGRADE),
        update("", 1, UPGRADE),
        update("transaction.version", -1, SAFE_DOWNGRADE),
        update("metadata.version", 29, UPGRADE),
        update("metadata.version", 29, SAFE_DOWNGRADE),
        update("metadata.version", 29, UNSAFE_DOWNGRADE),
        update("metadata.version", 31, UPGRADE),
        update("metadata.version", 6, SAFE_DOWNGRADE),
        update("kraft.version", 0, SAFE_DOWNGRADE),
        update("kraft.version", 0, UPGRADE),
        update("kraft.version", 2, UPGRADE),
    ];
    let before = finalized(&mut client).await.1;
    for version in 1..=2 {
        for (updates, expected) in [(&good[..], 0), (&bad[..], INVALID_UPDATE_VERSION)] {
            for update in updates {
                let answer = client.call(version, &request(vec![update.clone()]).with_validate_only(true)).await;
                assert_eq!(answer.error_code, expected, "v{version}: {update:?}: {:?}", answer.error_message);
                assert_eq!(answer.error_message.is_none(), expected == 0);
                let results: Vec<_> = answer.results.iter().map(|r| (&r.feature, r.error_code)).collect();
                let told = if expected == 0 && version < 2 { vec![(&update.feature, 0)] } else { Vec::new() };
                assert_eq!(results, told, "v{version}");
            }
        }
    }
    // Version 0 goes only up, whatever it allows.
    let keep = FeatureUpdateKey::default().with_feature(text("group.version")).with_max_version_level(1);
    assert_eq!(client.call(0, &request(vec![keep.clone()])).await.error_code, 0);
    let down = keep.with_max_version_level(0).with_allow_downgrade(true);
    assert_eq!(client.call(0, &request(vec![down])).await.error_code, INVALID_UPDATE_VERSION);
    // All or none.
    let mixed = vec![update("group.version", 0, SAFE_DOWNGRADE), update("nope", 1, UPGRADE)];
    let answer = client.call(1, &request(mixed)).await;
    assert_eq!((answer.error_code, answer.results.len()), (INVALID_UPDATE_VERSION, 0));
    assert_eq!(client.call(2, &request(vec![])).await.error_code, 0);
    assert_eq!(finalized(&mut client).await.1, before);
}

#[tokio::test]
async fn the_epoch_grows_with_each_change() {
    let (_broker, mut client) = broker_or_stock().await;
    let (mut epoch, before) = finalized(&mut client).await;
    for (level, upgrade_type) in [(1, SAFE_DOWNGRADE), (0, UNSAFE_DOWNGRADE), (2, UPGRADE)] {
        let answer = client.call(2, &request(vec![update("transaction.version", level, upgrade_type)])).await;
        assert_eq!(answer.error_code, 0);
        let mut now = finalized(&mut client).await;
        while now.1.get("transaction.version").copied().unwrap_or(0) != level {
            // A stock broker follows its controller a moment later.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            now = finalized(&mut client).await;
        }
        assert!(now.0 > epoch);
        epoch = now.0;
    }
    assert_eq!(finalized(&mut client).await.1, before);
}

/// Sets a feature's level and waits until clients are told so: a stock broker follows its controller a moment later.
async fn set(client: &mut Client, name: &str, level: i16) {
    let current = finalized(client).await.1.get(name).copied().unwrap_or(0);
    let upgrade_type = if level > current { UPGRADE } else { UNSAFE_DOWNGRADE };
    let answer = client.call(2, &request(vec![update(name, level, upgrade_type)])).await;
    assert_eq!(answer.error_code, 0, "{name} {level}: {:?}", answer.error_message);
    while finalized(client).await.1.get(name).copied().unwrap_or(0) != level {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// What the APIs of a feature's protocol answer to requests that are well-formed, by their names.
async fn codes_of(client: &mut Client, feature: &str) -> Vec<(&'static str, i16)> {
    let group = || GroupId(text("of-features"));
    match feature {
        "group.version" => {
            let beat = ConsumerGroupHeartbeatRequest::default()
                .with_group_id(group())
                .with_member_id(text("m"))
                .with_rebalance_timeout_ms(10_000)
                .with_subscribed_topic_names(Some(Vec::new()))
                .with_topic_partitions(Some(Vec::new()));
            let describe = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group()]);
            vec![
                ("ConsumerGroupHeartbeat", client.call(1, &beat).await.error_code),
                ("ConsumerGroupDescribe", client.call(1, &describe).await.groups[0].error_code),
            ]
        }
        "streams.version" => {
            let beat = StreamsGroupHeartbeatRequest::default().with_group_id(group()).with_member_id(text("m"));
            let describe = StreamsGroupDescribeRequest::default().with_group_ids(vec![group()]);
            vec![
                ("StreamsGroupHeartbeat", client.call(0, &beat).await.error_code),
                ("StreamsGroupDescribe", client.call(0, &describe).await.groups[0].error_code),
            ]
        }
        _ => {
            let describe = ShareGroupDescribeRequest::default().with_group_ids(vec![group()]);
            let fetch = ShareFetchRequest::default().with_group_id(Some(group())).with_member_id(Some(text("m")));
            let acknowledge =
                ShareAcknowledgeRequest::default().with_group_id(Some(group())).with_member_id(Some(text("m")));
            let of_group = DescribeShareGroupOffsetsRequestGroup::default().with_group_id(group()).with_topics(None);
            let offsets = DescribeShareGroupOffsetsRequest::default().with_groups(vec![of_group]);
            let alter = AlterShareGroupOffsetsRequest::default().with_group_id(group());
            let delete = DeleteShareGroupOffsetsRequest::default().with_group_id(group());
            vec![
                ("ShareGroupHeartbeat", client.call(1, &share::heartbeat("m", 0, Some(&["t"]))).await.error_code),
                ("ShareGroupDescribe", client.call(1, &describe).await.groups[0].error_code),
                ("ShareFetch", client.call(2, &fetch).await.error_code),
                ("ShareAcknowledge", client.call(2, &acknowledge).await.error_code),
                ("DescribeShareGroupOffsets", client.call(1, &offsets).await.groups[0].error_code),
                ("AlterShareGroupOffsets", client.call(0, &alter).await.error_code),
                ("DeleteShareGroupOffsets", client.call(0, &delete).await.error_code),
            ]
        }
    }
}

#[tokio::test]
async fn a_protocol_whose_feature_is_off_is_not_spoken() {
    let (_broker, mut client) = broker_or_stock().await;
    for feature in ["group.version", "share.version", "streams.version"] {
        set(&mut client, feature, 0).await;
        for (api, code) in codes_of(&mut client, feature).await {
            assert_eq!(code, UNSUPPORTED_VERSION, "{api} without {feature}");
        }
        set(&mut client, feature, 1).await;
        for (api, code) in codes_of(&mut client, feature).await {
            assert_ne!(code, UNSUPPORTED_VERSION, "{api} with {feature}");
        }
    }
}

#[tokio::test]
async fn share_sessions_end_with_the_feature() {
    let (broker, mut client, topic) = share::broker(1).await;
    share::produce(&broker, 3);
    let mut member = share::Member::new(&broker, "m", topic, 2).await;
    assert_eq!(share::acquired(&member.fetch(vec![]).await), [(0, 2, 1)]);
    set(&mut client, "share.version", 0).await;
    set(&mut client, "share.version", 1).await;
    let request = member.request(&[(0, vec![])]);
    assert_eq!(member.send(request).await.error_code, SHARE_SESSION_NOT_FOUND);
    member.epoch = 0;
    assert_eq!(share::acquired(&member.fetch(vec![]).await), [(0, 2, 1)], "nobody has them any more");
}

/// The versions of the values in the partition of `__transaction_state` with the records of this transactional id.
async fn transaction_log(client: &mut Client, id: &str, partition: i32) -> Vec<i16> {
    let mut request = fetch("__transaction_state", 0, false, 1 << 20);
    request.topics[0].partitions[0].partition = partition;
    let mut answer = client.call(12, &request).await;
    let records = answer.responses.remove(0).partitions.remove(0).records.unwrap_or_default();
    let all = batches(records).flat_map(|batch| batch.unwrap().records(1 << 20).unwrap().collect::<Vec<_>>());
    let of_id = all.map(Result::unwrap).filter(|record| record.key.as_ref().unwrap().ends_with(id.as_bytes()));
    of_id.map(|record| i16::from_be_bytes(record.value.unwrap()[..2].try_into().unwrap())).collect()
}

/// Where Kafka puts this id among 50 partitions: by Java's hash of the string, without its sign.
fn partition_of(id: &str) -> i32 {
    id.chars().fold(0i32, |hash, c| hash.wrapping_mul(31).wrapping_add(c as i32)).abs() % 50
}

#[tokio::test]
async fn transactions_follow_their_features_level() {
    let broker = Broker::builder().ephemeral().topic("t", 1).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let mut number = 0;
    for level in [1, 0, 2] {
        set(&mut client, "transaction.version", level).await;
        for generation in [Generation::First, Generation::Second] {
            // How the client goes about it is told by its requests' versions, whatever the level is.
            number += 1;
            let id = format!("level-{level}-{number}");
            let mut producer = Producer::begin(broker.bootstrap_servers(), &id, generation).await;
            assert_eq!((producer.epoch, producer.send("t", "committed").await.error_code), (0, 0));
            assert_eq!(producer.end(true).await, 0);
            let bumped = i16::from(generation == Generation::Second);
            assert_eq!(producer.epoch, bumped);
            assert_eq!(producer.send("t", "fenced").await.error_code, 0);
            // Whoever comes next fences it: the abort takes one epoch, the new incarnation the next.
            assert_eq!(init(&mut client, &id).await, (producer.producer_id, bumped + 2));
            let versions = transaction_log(&mut client, &id, partition_of(&id)).await;
            assert!(!versions.is_empty());
            assert!(versions.iter().all(|version| *version == i16::from(level > 0)), "{level}: {versions:?}");
        }
    }
}

#[tokio::test]
async fn levels_and_epoch_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::builder().data_dir(dir.path()).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let updates = vec![update("transaction.version", 1, SAFE_DOWNGRADE), update("share.version", 0, SAFE_DOWNGRADE)];
    assert_eq!(client.call(2, &request(updates)).await.error_code, 0);
    let changed = finalized(&mut client).await;
    assert_eq!((changed.1["transaction.version"], changed.1.get("share.version")), (1, None));
    broker.shutdown().await;
    let broker = Broker::builder().data_dir(dir.path()).start().await.unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    assert_eq!(finalized(&mut client).await, changed);
}
