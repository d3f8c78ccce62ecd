//! What change data capture costs: memory and rows a second, in a snapshot, in one large transaction, and with one large row
//! (`just figures`).
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::capture::{postgres_config, put, task_state};
use brooklet_tests::postgres::Postgres;
use brooklet_tests::wait_until;

const PATIENCE: Duration = Duration::from_secs(1200);
const MIB: u64 = 1 << 20;
/// Memory while it streams small rows.
const LIMIT: u64 = 24 * MIB;

fn rows() -> i64 {
    std::env::var("ROWS").map_or(10_000_000, |text| text.parse().unwrap())
}

/// Waits until all that the database holds by now is written and committed, and returns how long that took and the most
/// memory that was resident meanwhile. Nobody reads the topics: that would be somebody else's memory.
fn watch(broker: &BrokerProcess, postgres: &Postgres) -> (Duration, u64) {
    let begun = Instant::now();
    let end = postgres.execute("select pg_current_wal_lsn()");
    let confirmed =
        format!("select 1 from pg_replication_slots where active and confirmed_flush_lsn > '{}'", end.trim());
    // Until the snapshot is over, nothing is confirmed, and then only what is streamed.
    postgres.execute("insert into mark default values");
    while postgres.execute(&confirmed).is_empty() {
        let state = task_state(broker.connect(), "figures");
        assert!(state.0 != "FAILED", "{state:?}");
        assert!(begun.elapsed() < PATIENCE, "the records do not come: {state:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    (begun.elapsed(), broker.most_resident())
}

fn tell(what: &str, (time, most): (Duration, u64), rows: i64) -> u64 {
    let seconds = time.as_secs_f64();
    let most_mib = most as f64 / MIB as f64;
    eprintln!(
        "{what}: {rows} rows in {seconds:.1} s, {:.0} a second; at most {most_mib:.1} MiB resident",
        rows as f64 / seconds
    );
    most
}

#[test]
#[ignore = "figures: just figures"]
fn capturing_changes_takes_little_memory() {
    let rows = rows();
    let postgres = Postgres::start();
    postgres.execute(
        "create table item (id bigint primary key, name text); create table large (id int primary key, t text); \
         create table mark (id serial primary key)",
    );
    postgres.execute("alter table large alter t set storage external");
    postgres.execute(&format!("insert into item select i, 'item-' || i from generate_series(1, {rows}) i"));
    let broker = BrokerProcess::with_connect(&[]);
    std::thread::sleep(Duration::from_secs(2));
    let (anonymous, files) = broker.resident();
    eprintln!("idle: {:.1} MiB resident", (anonymous + files) as f64 / MIB as f64);
    let more = [
        ("topic.creation.default.max.message.bytes", "100000000"),
        ("topic.creation.default.partitions", "1"),
        ("topic.creation.default.replication.factor", "1"),
    ];
    broker.forget_most_resident();
    put(broker.connect(), "figures", &postgres_config(&postgres, "figures", &more));
    wait_until("the slot is there", Duration::from_secs(60), || {
        postgres.execute("select count(*) from pg_replication_slots").trim() == "1"
    });
    let snapshot = tell("a snapshot", watch(&broker, &postgres), rows);

    // Many small transactions.
    broker.forget_most_resident();
    let small = rows.min(20_000);
    postgres.execute(
        "create procedure p(first bigint, count bigint) language plpgsql as $$ begin \
         for i in first..first + count - 1 loop insert into item values (i, 'small'); commit; end loop; end $$",
    );
    postgres.execute(&format!("call p({rows} + 1, {small})"));
    let streaming = tell("streaming", watch(&broker, &postgres), small);

    broker.forget_most_resident();
    let begun = Instant::now();
    let first = rows + small + 1;
    postgres.execute(&format!(
        "insert into item select i, 'item-' || i from generate_series({first}, {first} + {rows} - 1) i"
    ));
    eprintln!("the transaction took PostgreSQL {:.1} s", begun.elapsed().as_secs_f64());
    let transaction = tell("one transaction", watch(&broker, &postgres), rows);

    broker.forget_most_resident();
    postgres.execute("insert into large values (1, repeat(md5('x'), 50 * 32768))");
    let large = tell("a row of 50 MiB", watch(&broker, &postgres), 1);
    broker.forget_most_resident();
    // Half of it are quotes, which JSON writes with a backslash each.
    postgres.execute("insert into large values (2, repeat('\"x', 20 * 524288))");
    let quoted = tell("a row of 20 MiB of quotes", watch(&broker, &postgres), 1);
    std::thread::sleep(Duration::from_secs(2));
    let (anonymous, files) = broker.resident();
    let after = anonymous + files;
    eprintln!("afterwards: {:.1} MiB resident", after as f64 / MIB as f64);

    for (what, most) in
        [("snapshot", snapshot), ("streaming", streaming), ("transaction", transaction), ("after", after)]
    {
        assert!(most <= LIMIT, "{what}: {most} bytes");
    }
    assert!(large <= LIMIT + 50 * MIB, "a large row takes itself: {large} bytes");
    assert!(quoted <= LIMIT + 30 * MIB, "a large row takes itself, or its event: {quoted} bytes");
}
