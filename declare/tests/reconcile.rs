//! What is declared is brought about, once, and nothing else is touched.
#![allow(clippy::unwrap_used)]

mod world;

use std::collections::BTreeMap;
use std::path::Path;

use brooklet_declare::{Loaded, Reason, Remembered, RunState, Status, TopicState};
use proptest::prelude::*;
use world::{SECRET, World, failing, reconcile, yaml};

const EVERYTHING: &str = r#"
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata:
  name: orders
  labels: {strimzi.io/cluster: production}
spec:
  partitions: 3
  replicas: 3
  config:
    retention.ms: 86400000
    cleanup.policy: [compact, delete]
---
apiVersion: kafka.strimzi.io/v1beta2
kind: KafkaTopic
metadata: {name: payments.v1}
spec: {topicName: Payments_V1}
---
apiVersion: kafka.strimzi.io/v1beta2
kind: KafkaConnector
metadata: {name: inventory}
spec:
  class: io.debezium.connector.postgresql.PostgresConnector
  tasksMax: 1
  pause: true
  config:
    database.password: ${env:PW}
    snapshot.fetch.size: 100
    tombstones.on.delete: false
---
apiVersion: v1
kind: ConfigMap
metadata: {name: streaming-ops}
data:
  topics.json: |
    {"topic": [
      {"name": "shipments", "partitions": 2, "config": "cleanup.policy=compact,delete,retention.ms=5"},
      {"name": "plain"}
    ]}
  customers.json: |
    {
      "name": "customers",
      "config": {
        "connector.class": "x.Y",
        "connection.user": env.PW
      }
    }
"#;

#[tokio::test]
async fn everything_is_made_and_the_second_time_nothing_is_altered() {
    let (world, mut remembered) = (World::default(), Remembered::default());
    let loaded = yaml(EVERYTHING);
    let report = reconcile(&world, &loaded, &mut remembered, true).await;
    assert_eq!(failing(&report), Vec::<String>::new());
    assert_eq!(report.changes, 7);
    assert!(report.conditions.iter().all(|condition| condition.status == Status::Ready));
    assert_eq!(world.names(), ["Payments_V1", "orders", "plain", "shipments"]);
    let orders = world.topic("orders").unwrap();
    assert_eq!((orders.partitions, orders.replication_factor), (3, Some(3)));
    assert_eq!(orders.configs["cleanup.policy"], "compact,delete");
    assert_eq!(world.topic("shipments").unwrap().configs["cleanup.policy"], "compact,delete");
    let connectors = world.connectors.lock().unwrap().clone();
    assert_eq!(connectors["inventory"].config["database.password"], "${env:PW}", "the worker fills secrets in itself");
    assert_eq!(connectors["inventory"].config["tombstones.on.delete"], "false");
    assert_eq!(connectors["inventory"].state, Some(RunState::Paused));
    assert_eq!(connectors["customers"].config["connection.user"], "${env:PW}");
    assert_eq!(connectors["customers"].config["name"], "customers");

    world.take_altering();
    let report = reconcile(&world, &yaml(EVERYTHING), &mut remembered, true).await;
    assert_eq!(world.take_altering(), Vec::<String>::new());
    assert_eq!(report.changes, 0);
    assert!(report.conditions.iter().all(|condition| condition.reason == Reason::UpToDate));
}

#[tokio::test]
async fn configs_go_back_only_if_they_were_declared() {
    let (world, mut remembered) = (World::default(), Remembered::default());
    let topic = |config: &str| {
        let head = "apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\nmetadata: {name: a}\n";
        yaml(&format!("{head}spec: {{partitions: 2, config: {{{config}}}}}"))
    };
    reconcile(&world, &topic("retention.ms: 1, segment.bytes: 2"), &mut remembered, false).await;
    world.topics.lock().unwrap().get_mut("a").unwrap().configs.insert("min.insync.replicas".into(), "1".into());
    let report = reconcile(&world, &topic("retention.ms: 3"), &mut remembered, false).await;
    assert_eq!(report.changes, 1);
    let configs = world.topic("a").unwrap().configs;
    let expected = [("min.insync.replicas", "1"), ("retention.ms", "3")];
    assert_eq!(configs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn what_cannot_be_done_is_told_with_its_line_and_the_rest_is_done() {
    let (world, mut remembered) = (World::default(), Remembered::default());
    let existing =
        TopicState { name: "b".into(), partitions: 6, replication_factor: Some(1), configs: BTreeMap::new() };
    world.topics.lock().unwrap().insert("b".into(), existing);
    let text = r#"{"topic": [
  {"name": "a", "config": {"cleanup.policy": "compact",
    "retention.mss": 1}},
  {"name": "b", "partitions": 3, "replication-factor": 3, "config": "retention.ms=7"},
  {"name": "c", "config": {
     "retention.ms": "${env:PW}"}},
  {"name": "d", "config": {
     "retention.ms": "${env:GONE}"}},
  {"name": "e"}
]}"#;
    let loaded = Loaded::of_text(Path::new("topics.json"), text);
    let report = reconcile(&world, &loaded, &mut remembered, false).await;
    assert_eq!(
        failing(&report),
        [
            "topics.json:3: KafkaTopic a NotReady Refused: Unknown topic config name: retention.mss",
            "topics.json:4: KafkaTopic b NotReady ReplicationFactorKept: it has 6 partitions, and none is ever taken away; 3 \
             are declared; its replication factor is 1 and stays; 3 is declared",
            "topics.json:6: KafkaTopic c NotReady Refused: Invalid value ${env:PW} for configuration retention.ms: not a \
             number",
            "topics.json:8: KafkaTopic d NotReady MissingSecret: retention.ms: ${env:GONE} stands for nothing: there is no \
             such secret",
        ]
    );
    assert_eq!(world.names(), ["b", "e"]);
    let b = world.topic("b").unwrap();
    assert_eq!((b.partitions, b.configs["retention.ms"].as_str()), (6, "7"));
    assert!(report.may_be_tried_again());
    assert!(!format!("{report:?} {remembered:?}").contains(SECRET));
}

#[tokio::test]
async fn only_what_was_declared_once_is_pruned_and_only_if_asked_for() {
    let (world, mut remembered) = (World::default(), Remembered::default());
    let others =
        TopicState { name: "others".into(), partitions: 1, replication_factor: Some(1), configs: BTreeMap::new() };
    world.topics.lock().unwrap().insert("others".into(), others);
    reconcile(&world, &yaml(EVERYTHING), &mut remembered, true).await;
    let fewer = yaml("{topic: [{name: orders, partitions: 3}]}");

    let report = reconcile(&world, &fewer, &mut remembered, false).await;
    assert_eq!(world.names(), ["Payments_V1", "orders", "others", "plain", "shipments"]);
    let kept = report.conditions.iter().filter(|condition| condition.reason == Reason::NotPruned).count();
    assert_eq!(kept, 5, "{:?}", report.conditions);

    // While anything cannot be read, nothing is taken for gone.
    let broken = yaml("{topic: [{name: orders, partitions: 3}]}\n---\nbroken: [");
    reconcile(&world, &broken, &mut remembered, true).await;
    let wrong = yaml("{topic: [{name: orders, partitions: 3}, {name: plain, partitions: many}]}");
    reconcile(&world, &wrong, &mut remembered, true).await;
    let missing = brooklet_declare::load(&["/no/such/directory".into()]);
    reconcile(&world, &missing, &mut remembered, true).await;
    assert_eq!(world.names().len(), 5);

    // Nor is what only asks to be left alone.
    let unmanaged = "apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\nmetadata:\n  name: shipments\n  annotations: \
                     {strimzi.io/managed: \"false\"}\n---\n{topic: [{name: orders, partitions: 3}]}";
    let report = reconcile(&world, &yaml(unmanaged), &mut remembered, true).await;
    assert_eq!(world.names(), ["orders", "others", "shipments"]);
    assert_eq!(report.conditions.iter().filter(|condition| condition.reason == Reason::Pruned).count(), 4);
    assert!(world.connectors.lock().unwrap().is_empty());

    reconcile(&world, &fewer, &mut remembered, true).await;
    assert_eq!(world.names(), ["orders", "others"]);
}

#[tokio::test]
async fn a_cluster_that_is_down_makes_everything_unavailable_and_nothing_forgotten() {
    let (world, mut remembered) = (World::default(), Remembered::default());
    reconcile(&world, &yaml(EVERYTHING), &mut remembered, true).await;
    let before = remembered.clone();
    *world.is_down.lock().unwrap() = true;
    let report = reconcile(&world, &yaml(EVERYTHING), &mut remembered, true).await;
    assert_eq!(report.failing().count(), 6);
    assert!(report.may_be_tried_again());
    assert_eq!(remembered, before);
}

#[test]
fn what_is_remembered_is_kept_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("declared.json");
    assert_eq!(Remembered::read(&path).unwrap(), Remembered::default());
    let mut remembered = Remembered::default();
    remembered.topics.insert("orders".into(), ["retention.ms".into()].into());
    remembered.connectors.insert("inventory".into());
    remembered.write(&path).unwrap();
    assert_eq!(Remembered::read(&path).unwrap(), remembered);
    for text in ["{}", "not json", "{\"version\":2,\"topics\":{},\"connectors\":[]}"] {
        std::fs::write(&path, text).unwrap();
        assert!(Remembered::read(&path).is_err(), "{text}");
    }
}

proptest! {
    /// Whatever is declared after whatever else: it comes about, doing it again alters nothing, and what nobody declared
    /// stays.
    #[test]
    fn one_declaration_after_the_other(
        rounds in proptest::collection::vec(
            proptest::collection::btree_map("[a-d]", (1..4i32, proptest::option::of(1..3u8), any::<bool>()), 0..4),
            1..5,
        ),
        prune in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (world, mut remembered) = (World::default(), Remembered::default());
            let z = TopicState { name: "z".into(), partitions: 1, replication_factor: Some(1), configs: BTreeMap::new() };
            world.topics.lock().unwrap().insert("z".into(), z.clone());
            let mut ever = std::collections::BTreeSet::from(["z".to_owned()]);
            for round in rounds {
                let topics: Vec<String> = round.iter().map(|(name, (partitions, retention, compact))| {
                    let mut configs: Vec<String> = retention.map(|ms| format!("retention.ms={ms}")).into_iter().collect();
                    configs.extend(compact.then(|| "cleanup.policy=compact".to_owned()));
                    format!("{{\"name\": \"{name}\", \"partitions\": {partitions}, \"config\": \"{}\"}}", configs.join(","))
                }).collect();
                let loaded = yaml(&format!("{{\"topic\": [{}]}}", topics.join(", ")));
                reconcile(&world, &loaded, &mut remembered, prune).await;
                world.take_altering();
                reconcile(&world, &loaded, &mut remembered, prune).await;
                assert_eq!(world.take_altering(), Vec::<String>::new());
                for (name, (partitions, retention, compact)) in &round {
                    let topic = world.topic(name).unwrap();
                    assert!(topic.partitions >= *partitions);
                    assert_eq!(topic.configs.get("retention.ms").cloned(), retention.map(|ms| ms.to_string()));
                    assert_eq!(topic.configs.contains_key("cleanup.policy"), *compact);
                }
                ever.extend(round.keys().cloned());
                let expected: Vec<String> = match prune {
                    true => round.keys().cloned().chain(["z".to_owned()]).collect(),
                    false => ever.iter().cloned().collect(),
                };
                assert_eq!(world.names(), expected);
                assert_eq!(world.topic("z").as_ref(), Some(&z));
            }
        });
    }
}
