//! Debezium's own Postgres connector in the stock Connect worker: what is inserted, updated and deleted in PostgreSQL
//! while the broker is killed arrives as events, once each and in order.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use brooklet_tests::connect::ConnectWorker;
use brooklet_tests::java;
use brooklet_tests::postgres::Postgres;
use brooklet_tests::subject::Subject;
use brooklet_tests::wait_until;
use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
#[ignore = "an application: scripts/test apps"]
fn changes_in_postgres_arrive_once_and_in_order() {
    let mut broker = Subject::start(&[]);
    let postgres = Postgres::start();
    postgres.execute(
        "create table item (id int primary key, name text); alter table item replica identity full; \
         insert into item select i, 'item-' || i from generate_series(1, 500) i",
    );
    let dir = TempDir::with_prefix("debezium-").unwrap();
    let worker = ConnectWorker::start(&broker.bootstrap(), dir.path(), &[java::installed("debezium")]);
    let json = "org.apache.kafka.connect.json.JsonConverter";
    worker.rest().run(
        "items",
        &json!({
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "exactly.once.support": "required", "tasks.max": "1", "plugin.name": "pgoutput",
            "database.hostname": "127.0.0.1", "database.port": postgres.port().to_string(),
            "database.user": "postgres", "database.password": "", "database.dbname": "postgres",
            "topic.prefix": "shop", "table.include.list": "public.item",
            "key.converter": json, "key.converter.schemas.enable": "false",
            "value.converter": json, "value.converter.schemas.enable": "false",
        }),
    );
    // The snapshot, and then every kind of change as it happens.
    wait_until("the snapshot arrives", PATIENCE, || events(&broker).len() == 500);
    postgres.execute("insert into item select i, 'item-' || i from generate_series(501, 1000) i");
    postgres.execute("update item set name = name || '-new' where id <= 200");
    broker.kill();
    postgres.execute("update item set name = name || 'er' where id <= 100");
    postgres.execute("delete from item where id > 900");
    broker.start_again();
    // 1000 rows, 300 updates, and of 100 deletions each with a tombstone.
    wait_until("all changes arrive", PATIENCE, || events(&broker).len() >= 1_500);
    let events = events(&broker);
    assert_eq!(events.len(), 1_500, "each change arrives once");
    let mut rows: BTreeMap<i64, String> = BTreeMap::new();
    for (key, event) in events {
        let id = key["id"].as_i64().unwrap();
        let name = |side: &str| event[side]["name"].as_str().map(ToOwned::to_owned);
        if event.is_null() {
            assert!(!rows.contains_key(&id), "a tombstone follows a deletion");
            continue;
        }
        match event["op"].as_str().unwrap() {
            "r" | "c" => assert_eq!(rows.insert(id, name("after").unwrap()), None),
            "u" => assert_eq!(rows.insert(id, name("after").unwrap()), name("before"), "changes are in order"),
            "d" => assert_eq!(rows.remove(&id), name("before")),
            other => panic!("an event of kind {other}"),
        }
    }
    assert_eq!(rows.len(), 900);
    for (id, name) in rows {
        let suffix = if id <= 100 {
            "-newer"
        } else if id <= 200 {
            "-new"
        } else {
            ""
        };
        assert_eq!(name, format!("item-{id}{suffix}"));
    }
}

/// Key and value of each event in the table's topic.
fn events(broker: &Subject) -> Vec<(Value, Value)> {
    let output = Command::new("kcat")
        .args(["-b", &broker.bootstrap(), "-C", "-t", "shop.public.item", "-e", "-q", "-Z", "-f", "%k\t%s\n"])
        .args(["-X", "isolation.level=read_committed"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let event = |line: &str| {
        let (key, value) = line.split_once('\t').unwrap();
        let value = if value == "NULL" { Value::Null } else { serde_json::from_str(value).unwrap() };
        (serde_json::from_str(key).unwrap(), value)
    };
    text.lines().map(event).collect()
}
