//! What goes wrong with the database, and how the connector goes on: nothing is lost, nothing is told twice, and the error
//! says what to do.
#![allow(clippy::unwrap_used)]

#[path = "golden/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "only rows are looked at here")]
#[path = "golden/worker.rs"]
mod worker;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use brooklet_connect_shim::source::TaskError;
use postgres::Postgres;
use worker::{Worker, loads};

fn properties(postgres: &Postgres, database: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let slot = format!("s_{database}");
    postgres.connector(database, &[&[("topic.prefix", "t"), ("slot.name", &slot)], more].concat())
}

/// The ids of the rows that events told of, in order.
fn ids(worker: &Worker) -> Vec<i64> {
    let stored = worker.stored();
    stored.records.iter().filter_map(|record| loads(record.value.as_deref())["after"]["id"].as_i64()).collect()
}

async fn until(worker: &Worker, count: usize) {
    let end = Instant::now() + Duration::from_secs(20);
    while ids(worker).len() < count && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn failure(worker: &mut Worker) -> TaskError {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(error) = worker.failure().await {
            return error;
        }
        assert!(Instant::now() < end, "the task goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn database(postgres: &Postgres, name: &str) {
    postgres.psql("postgres", &format!("create database {name}"));
    postgres.psql(name, "create table public.a(id int primary key); insert into a values (1);");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_goes_and_comes_back() {
    let Some(postgres) = Postgres::start() else { return };
    database(&postgres, "restarts");
    let mut worker = Worker::new(properties(&postgres, "restarts", &[]));
    worker.start();
    until(&worker, 1).await;
    postgres.psql("restarts", "insert into a values (2)");
    until(&worker, 2).await;

    // A restart of the server, and a connection that an operator ends: both may go by themselves.
    postgres.control("restart -m fast");
    assert!(matches!(failure(&mut worker).await, TaskError::Retriable(_)));
    postgres.psql("restarts", "insert into a values (3)");
    worker.start();
    until(&worker, 3).await;
    postgres.psql("restarts", "select pg_terminate_backend(active_pid) from pg_replication_slots where active");
    assert!(matches!(failure(&mut worker).await, TaskError::Retriable(_)));
    postgres.psql("restarts", "insert into a values (4)");
    worker.start();
    until(&worker, 4).await;
    assert_eq!(ids(&worker), [1, 2, 3, 4]);
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_may_end_at_any_moment() {
    let Some(postgres) = Postgres::start() else { return };
    database(&postgres, "stops");
    postgres.psql("stops", "insert into a select generate_series(2, 3000)");
    let mut worker = Worker::new(properties(&postgres, "stops", &[("max.batch.size", "7")]));
    let mut next = 3001;
    for round in 0..25u64 {
        worker.start();
        let many = if round % 5 == 0 { 2000 } else { 3 };
        postgres.psql("stops", &format!("insert into a select generate_series({next}, {next} + {many} - 1)"));
        next += many;
        tokio::time::sleep(Duration::from_millis(7 * round)).await;
        worker.stop().await.unwrap();
    }
    worker.start();
    until(&worker, usize::try_from(next - 1).unwrap()).await;
    worker.stop().await.unwrap();
    assert_eq!(ids(&worker), (1..next).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_say_what_to_do() {
    let Some(postgres) = Postgres::start() else { return };
    database(&postgres, "errors");
    let said = async |more: &[(&str, &str)]| {
        let mut worker = Worker::new(properties(&postgres, "errors", more));
        worker.start();
        failure(&mut worker).await
    };
    let failed = |error: TaskError, part: &str| match error {
        TaskError::Failed(message) => assert!(message.contains(part), "{message}"),
        TaskError::Retriable(message) => panic!("it is tried again: {message}"),
    };
    failed(said(&[("database.password", "wrong")]).await, "password authentication failed for user \"postgres\"");
    failed(said(&[("database.dbname", "nowhere")]).await, "database \"nowhere\" does not exist");
    failed(said(&[("publication.autocreate.mode", "disabled")]).await, "please create one and restart the connector");
    failed(
        said(&[("publication.autocreate.mode", "filtered"), ("table.include.list", "public.none")]).await,
        "No table filters found for filtered publication",
    );

    // The slot goes while the connector does not run: what it has missed cannot be had any more.
    let mut worker = Worker::new(properties(&postgres, "errors", &[]));
    worker.start();
    until(&worker, 1).await;
    postgres.psql("errors", "insert into a values (2)");
    until(&worker, 2).await;
    worker.stop().await.unwrap();
    postgres.psql("errors", "select pg_drop_replication_slot('s_errors')");
    worker.start();
    failed(failure(&mut worker).await, "Reconfigure the connector to use a snapshot mode when needed");
    worker.change(BTreeMap::from([("snapshot.mode".to_owned(), "when_needed".to_owned())]));
    worker.start();
    until(&worker, 4).await;
    assert_eq!(ids(&worker), [1, 2, 1, 2]);
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_forgets_what_is_kept() {
    let Some(postgres) = Postgres::start() else { return };
    database(&postgres, "confirms");
    let mut worker = Worker::new(properties(&postgres, "confirms", &[("snapshot.mode", "initial")]));
    worker.start();
    until(&worker, 1).await;
    postgres.psql("confirms", "insert into a values (2)");
    until(&worker, 2).await;
    let end = Instant::now() + Duration::from_secs(10);
    let kept = "select confirmed_flush_lsn from pg_replication_slots where slot_name = 's_confirms'";
    loop {
        let offset = worker.stored().offset.clone().unwrap();
        let commit = offset.get("lsn_commit").and_then(serde_json::Value::as_u64).unwrap_or_default();
        let confirmed = format!("{:X}/{:X}", commit >> 32, commit & 0xFFFF_FFFF);
        if postgres.psql("confirms", kept).trim() == confirmed {
            break;
        }
        assert!(Instant::now() < end, "the slot stays behind {confirmed}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_known_by_what_it_is_and_not_by_its_name() {
    let Some(postgres) = Postgres::start() else { return };
    postgres.psql("postgres", "create database renames");
    postgres.psql("renames", "create table public.a(id int primary key, n int not null default 7)");
    let schemas = [("key.converter.schemas.enable", "true"), ("value.converter.schemas.enable", "true")];
    let mut worker = Worker::new(properties(&postgres, "renames", &schemas));
    let told = |worker: &Worker| worker.stored().records.iter().filter(|record| record.topic == "t.public.a").count();
    worker.start();
    postgres.psql("renames", "insert into a values (1)");
    wait(|| told(&worker) == 1).await;
    worker.stop().await.unwrap();

    // By the time that the change is read, its table is called otherwise, and another is called as it was.
    postgres.psql("renames", "insert into a values (2); alter table a rename to b; create table a(id bigint, n text)");
    worker.start();
    wait(|| told(&worker) == 2).await;
    worker.stop().await.unwrap();
    let stored = worker.stored();
    let events: Vec<_> = stored.records.iter().filter(|record| record.topic == "t.public.a").collect();
    let schema = |at: usize| loads(events[at].value.as_deref())["schema"].clone();
    let key = |at: usize| loads(events[at].key.as_deref());
    assert_eq!(schema(1)["fields"][1]["fields"][1]["default"], 7);
    assert_eq!((schema(0), key(0)["schema"].clone()), (schema(1), key(1)["schema"].clone()));
    assert_eq!(key(1)["payload"]["id"], 2);
}

async fn wait(done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "it does not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
