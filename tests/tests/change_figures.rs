//! What change data capture costs: memory and rows a second, in a snapshot, in one large transaction, and with one large row
//! (`just figures`).
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::capture::{postgres_config, put, task_state};
use brooklet_tests::log_client::LogClient;
use brooklet_tests::postgres::Postgres;

const PATIENCE: Duration = Duration::from_secs(1200);
const MIB: u64 = 1 << 20;
/// Memory while it streams small rows.
const LIMIT: u64 = 24 * MIB;

fn rows() -> i64 {
    std::env::var("ROWS").map_or(10_000_000, |text| text.parse().unwrap())
}

/// Waits until as many records as this can be read in a topic, and returns how long that took and the most memory that was
/// held meanwhile: anonymous, and of files.
fn watch(broker: &BrokerProcess, topic: &str, records: i64) -> (Duration, u64, u64) {
    let begun = Instant::now();
    let mut client = LogClient::connect(&broker.bootstrap());
    let (mut anonymous, mut files) = (0, 0);
    loop {
        let (now_anonymous, now_files) = broker.resident();
        anonymous = anonymous.max(now_anonymous);
        files = files.max(now_files);
        if client.topic_id(topic).is_some() && client.fetch(topic, 0, 0, 1, true).last_stable_offset >= records {
            return (begun.elapsed(), anonymous, files);
        }
        let state = task_state(broker.connect(), "figures");
        assert!(state.0 != "FAILED", "{state:?}");
        assert!(begun.elapsed() < PATIENCE, "the records do not come: {state:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn tell(what: &str, (time, anonymous, files): (Duration, u64, u64), rows: i64) -> u64 {
    let mib = |bytes: u64| bytes as f64 / MIB as f64;
    eprintln!(
        "{what}: {rows} rows in {:.1} s, {:.0} a second; at most {:.1} MiB anonymous, {:.1} MiB of files",
        time.as_secs_f64(),
        rows as f64 / time.as_secs_f64(),
        mib(anonymous),
        mib(files),
    );
    anonymous
}

#[test]
#[ignore = "figures: just figures"]
fn capturing_changes_takes_little_memory() {
    let rows = rows();
    let postgres = Postgres::start();
    postgres.execute(
        "create table item (id bigint primary key, name text); create table large (id int primary key, t text)",
    );
    postgres.execute("alter table large alter t set storage external");
    postgres.execute(&format!("insert into item select i, 'item-' || i from generate_series(1, {rows}) i"));
    let broker = BrokerProcess::with_connect(&[]);
    let idle = broker.resident();
    eprintln!("idle: {:.1} MiB anonymous, {:.1} MiB of files", idle.0 as f64 / MIB as f64, idle.1 as f64 / MIB as f64);
    let more = [
        ("topic.creation.default.max.message.bytes", "100000000"),
        ("topic.creation.default.partitions", "1"),
        ("topic.creation.default.replication.factor", "1"),
    ];
    put(broker.connect(), "figures", &postgres_config(&postgres, "figures", &more));
    let snapshot = tell("a snapshot", watch(&broker, "figures.public.item", rows), rows);

    let begun = Instant::now();
    postgres
        .execute(&format!("insert into item select i, 'item-' || i from generate_series({rows} + 1, 2 * {rows}) i"));
    eprintln!("the transaction took PostgreSQL {:.1} s", begun.elapsed().as_secs_f64());
    let transaction = tell("one transaction", watch(&broker, "figures.public.item", 2 * rows), rows);

    postgres.execute("insert into large values (1, repeat(md5('x'), 50 * 32768))");
    let large = tell("a row of 50 MiB", watch(&broker, "figures.public.large", 1), 1);
    std::thread::sleep(Duration::from_secs(2));
    let after = broker.resident();
    eprintln!(
        "afterwards: {:.1} MiB anonymous, {:.1} MiB of files",
        after.0 as f64 / MIB as f64,
        after.1 as f64 / MIB as f64
    );

    assert!(snapshot <= LIMIT && transaction <= LIMIT, "small rows take little memory");
    assert!(large <= LIMIT + 4 * 50 * MIB, "a large row takes itself some times over");
}
