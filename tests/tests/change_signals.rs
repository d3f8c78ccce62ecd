//! Signals through a topic, the snapshots that they start, and what is told of them: against a real PostgreSQL, while rows
//! change.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::capture::{events, ids, postgres_config, put};
use brooklet_tests::log_client::LogClient;
use brooklet_tests::postgres::Postgres;
use brooklet_tests::wait_until;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// Writes a signal as people do.
fn signal(bootstrap: &str, key: &str, value: &str) {
    let mut kcat = Command::new("kcat")
        .args(["-b", bootstrap, "-P", "-t", "shop-signal", "-p", "0", "-K", "|"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(kcat.stdin.take().unwrap(), "{key}|{value}").unwrap();
    assert!(kcat.wait().unwrap().success());
}

/// The kinds of notifications of a topic, with what they say of tables.
fn told(bootstrap: &str) -> Vec<(String, Value)> {
    let notifications = events(bootstrap, "notifications").into_iter();
    notifications.map(|(_, value)| (value["type"].as_str().unwrap().to_owned(), value)).collect()
}

#[test]
fn a_signal_of_a_topic_starts_a_snapshot_that_writes_nothing() {
    let postgres = Postgres::start();
    postgres.execute(
        "create table item (id int primary key, n int not null); alter table item replica identity full; \
         insert into item select i, 0 from generate_series(1, 3000) i; \
         create table other (id int primary key); insert into other values (1)",
    );
    let mut broker = BrokerProcess::with_connect(&[]);
    let config = postgres_config(
        &postgres,
        "shop",
        &[
            ("snapshot.mode", "no_data"),
            ("read.only", "true"),
            ("incremental.snapshot.chunk.size", "400"),
            ("signal.enabled.channels", "kafka"),
            ("signal.kafka.bootstrap.servers", &broker.bootstrap()),
            ("notification.enabled.channels", "sink,log"),
            ("notification.sink.topic.name", "notifications"),
        ],
    );
    put(broker.connect(), "shop", &config);
    broker.connect().wait_until_running("shop");
    let bootstrap = broker.bootstrap();
    wait_until("signals are read", PATIENCE, || LogClient::connect(&bootstrap).topic_id("shop-signal").is_some());
    postgres.execute("update item set n = n + 1 where id = 7");
    wait_until("the stream is at work", PATIENCE, || !ids(&bootstrap, "shop.public.item").is_empty());

    let snapshot = r#"{"id":"s1","type":"execute-snapshot","data":{"data-collections":["public.item"]}}"#;
    signal(&bootstrap, "another", snapshot);
    signal(&bootstrap, "shop", snapshot);
    // Rows change while they are read.
    for _ in 0..20 {
        postgres
            .execute("update item set n = n + 1 where id % 10 = (random() * 9)::int; delete from item where id = 3000");
    }
    let completed = || told(&bootstrap).iter().filter(|(kind, _)| kind == "COMPLETED").count();
    wait_until("the snapshot is over", PATIENCE, || completed() == 1);

    let notifications = told(&bootstrap);
    let kinds: Vec<&str> = notifications.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds[..3], ["SKIPPED", "STARTED", "DATA_COLLECTIONS_RESOLVED"], "{kinds:?}");
    assert_eq!(kinds[kinds.len() - 2..], ["TABLE_SCAN_COMPLETED", "COMPLETED"], "{kinds:?}");
    assert!(kinds[3..kinds.len() - 2].iter().all(|kind| *kind == "IN_PROGRESS") && kinds.len() >= 12, "{kinds:?}");
    let scanned = &notifications[kinds.len() - 2].1;
    assert_eq!(scanned["id"], "s1");
    assert_eq!(scanned["aggregate_type"], "Incremental Snapshot");
    assert_eq!(scanned["additional_data"]["scanned_collection"], "public.item");
    assert_eq!(scanned["additional_data"]["connector_name"], "shop");

    let table = postgres.execute("select id, n from item");
    let number = |text: &str| text.parse::<i64>().unwrap();
    let table: BTreeMap<i64, i64> =
        table.lines().map(|line| line.split_once('\t').map(|(id, n)| (number(id), number(n))).unwrap()).collect();
    // The last changes may come after the snapshot's end.
    wait_until("the topic tells what the table holds", PATIENCE, || retold(&bootstrap) == table);
    assert_eq!(ids(&bootstrap, "shop.public.other"), [] as [i64; 0]);

    let (_, metrics) = broker.admin("/metrics");
    let figure = |name: &str| {
        let named = format!("debezium_metrics_{name}{{");
        let line = metrics.lines().find(|line| line.starts_with(&named) && line.contains("connector=\"shop\""));
        line.and_then(|line| line.rsplit_once(' ')).map(|(_, value)| value.parse::<f64>().unwrap())
    };
    assert_eq!(figure("Connected"), Some(1.0), "{metrics}");
    assert_eq!(figure("SnapshotSkipped"), Some(1.0));
    assert!(figure("TotalNumberOfUpdateEventsSeen") > Some(0.0) && figure("SlotLagBytes").is_some());

    // The signal was taken once and for all, and is not taken again by whoever comes next.
    let committed = || LogClient::connect(&bootstrap).committed_offset("kafka-signal", "shop-signal", 0);
    wait_until("the group has read the signals", PATIENCE, || committed() == Some(2));
    broker.kill();
    broker.start_again();
    postgres.execute("insert into other values (2)");
    wait_until("the stream goes on", PATIENCE, || ids(&bootstrap, "shop.public.other") == [2]);
    assert_eq!(completed(), 1);
}

/// The table's rows as the topic tells them. What a snapshot reads never takes a row back to what it was before.
fn retold(bootstrap: &str) -> BTreeMap<i64, i64> {
    let mut rows: BTreeMap<i64, i64> = BTreeMap::new();
    for (_, event) in events(bootstrap, "shop.public.item") {
        let after = &event["after"];
        if let Some(id) = after["id"].as_i64() {
            let n = after["n"].as_i64().unwrap();
            let before = rows.insert(id, n).unwrap_or(0);
            assert!(n >= before, "row {id} goes from {before} back to {n}: {event}");
        } else if let Some(id) = event["before"]["id"].as_i64() {
            rows.remove(&id);
        }
    }
    rows
}
