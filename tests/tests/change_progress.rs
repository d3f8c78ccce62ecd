//! How far a connector is, as its status, the log and the metrics tell it: against a real PostgreSQL.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::capture::{postgres_config, put};
use brooklet_tests::postgres::Postgres;
use brooklet_tests::wait_until;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

fn task(broker: &BrokerProcess, query: &str) -> Value {
    let (_, body) = broker.connect().request("GET", &format!("/connectors/shop/status{query}"), "").unwrap();
    serde_json::from_str::<Value>(&body).unwrap()["tasks"][0].take()
}

#[test]
fn progress_is_told_while_a_snapshot_is_taken_and_while_the_slot_lags() {
    let postgres = Postgres::start();
    postgres.execute(
        "create table a (id int primary key); insert into a select generate_series(1, 1000); \
         create table b (id int primary key); insert into b select generate_series(1, 20000)",
    );
    let broker = BrokerProcess::with_connect(&[]);
    // A table that takes its time.
    let slow = "select b.id from b, lateral (select pg_sleep(0.0003 + 0 * b.id)) s";
    let config = postgres_config(
        &postgres,
        "shop",
        &[
            ("snapshot.select.statement.overrides", "public.b"),
            ("snapshot.select.statement.overrides.public.b", slow),
            ("status.update.interval.ms", "200"),
        ],
    );
    put(broker.connect(), "shop", &config);
    let mut progress = Value::Null;
    wait_until("the second table is under way", PATIENCE, || {
        progress = task(&broker, "")["progress"]["snapshot"].take();
        progress["rows"].as_u64() > Some(2_000)
    });
    assert_eq!((&progress["state"], &progress["table"]), (&json!("running"), &json!("public.b")), "{progress}");
    assert_eq!((&progress["tables"], &progress["tables_done"]), (&json!(2), &json!(1)), "{progress}");
    assert!(progress["rows_per_second"].as_u64() > Some(0), "{progress}");
    let (_, metrics) = broker.admin("/metrics?partitions=true");
    assert!(metrics.contains("table=\"public.b\""), "{metrics}");

    // Once it is over, the status is Connect's own again, unless more is asked for.
    wait_until("the snapshot is over", PATIENCE, || task(&broker, "").get("progress").is_none());
    let names: Vec<String> = task(&broker, "").as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["id", "state", "version", "worker_id"]);
    wait_until("it streams", PATIENCE, || !task(&broker, "?expand=progress")["progress"]["streaming"].is_null());
    let whole = task(&broker, "?expand=progress")["progress"].take();
    assert_eq!((&whole["snapshot"]["state"], &whole["snapshot"]["rows"]), (&json!("completed"), &json!(21_000)));

    let streaming = || task(&broker, "?expand=progress")["progress"]["streaming"].take();
    postgres.execute("insert into a values (1001)");
    wait_until("the change is kept", PATIENCE, || streaming()["milliseconds_behind_source"].is_i64());
    // A transaction that goes on keeps the slot where it is, however much is written meanwhile.
    let rows = "insert into a select generate_series(2000, 300000)";
    postgres.execute(rows);
    let mut most = (0, 0);
    wait_until("all is kept", PATIENCE, || {
        let now = streaming();
        let number = |name: &str| now[name].as_i64().unwrap();
        most = (most.0.max(number("slot_lag_bytes")), most.1.max(number("slot_lag_milliseconds")));
        let end =
            postgres.execute("select confirmed_flush_lsn > pg_current_wal_lsn() - 100000 from pg_replication_slots");
        end.trim() == "t" && number("slot_lag_bytes") < 100_000
    });
    assert!(most.0 > 1_000_000 && most.1 > 0, "{most:?}");
}
