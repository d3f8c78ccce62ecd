//! The whole life of a connector, with what PostgreSQL's versions have in a way of their own: against the installed server, and
//! against others where `POSTGRES_BIN` names their programs (`just postgres-versions`).
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::capture::{events, postgres_config, put, task_state};
use brooklet_tests::postgres::Postgres;
use brooklet_tests::wait_until;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

const TABLE: &str = "
    create type mood as enum ('sad', 'happy');
    create table kind (
        id bigint primary key, small smallint, whole integer not null default 7, exact numeric(10, 2), double double precision,
        name text, short varchar(20), yes boolean, at timestamptz, local timestamp, day date, tod time, span interval,
        uid uuid, doc jsonb, raw bytea, numbers int[], words text[], feeling mood, net inet,
        large text
    );
    alter table kind replica identity full;
    alter table kind alter large set storage external;
    create table computed (id int primary key, twice int generated always as (id * 2) stored, name text);
    create table signal (id varchar(64) primary key, type varchar(32) not null, data text);
    create table parted (id int, part int, primary key (id, part)) partition by list (part);
    create table parted_1 partition of parted for values in (1);
    create table parted_2 partition of parted for values in (2)";

fn insert(id: i64) -> String {
    format!(
        "insert into kind values ({id}, 2, default, 12.30, 0.5, 'grün', 'ab', true, '2024-02-29 12:00:00.123456+00',
         '2024-02-29 12:00:00.123456', '2024-02-29', '23:59:59.5', '1 day 2 hours', '6f2c1a1e-0000-4000-8000-000000000001',
         '{{\"a\": [1, null]}}', '\\x00ff', '{{1,2,null}}', '{{a,\"b c\"}}', 'happy', '10.0.0.1/24', repeat('x', 5000))"
    )
}

fn row(id: i64) -> Value {
    json!({
        "id": id, "small": 2, "whole": 7, "exact": "12.30", "double": 0.5, "name": "grün", "short": "ab", "yes": true,
        "at": "2024-02-29T12:00:00.123456Z", "local": 1_709_208_000_123_456_i64, "day": 19_782, "tod": 86_399_500_000_i64,
        "span": 93_600_000_000_i64, "uid": "6f2c1a1e-0000-4000-8000-000000000001", "doc": "{\"a\": [1, null]}", "raw": "AP8=",
        "numbers": [1, 2, null], "words": ["a", "b c"], "feeling": "happy", "net": "10.0.0.1/24", "large": "x".repeat(5000),
    })
}

/// The rows before and after that a topic's events tell of, with what was done.
fn told(bootstrap: &str, topic: &str) -> Vec<(String, Value, Value)> {
    let events = events(bootstrap, topic).into_iter().filter(|(_, event)| event.is_object());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    events.map(|(_, event)| (text(&event["op"]), event["before"].clone(), event["after"].clone())).collect()
}

#[test]
fn a_connector_lives_its_life() {
    let postgres = Postgres::start();
    let version = postgres.major_version();
    eprintln!("PostgreSQL {version}");
    postgres.execute(TABLE);
    postgres.execute(&insert(1));
    let mut broker = BrokerProcess::with_connect(&[]);
    let config = postgres_config(
        &postgres,
        "life",
        &[
            ("publication.autocreate.mode", "filtered"),
            ("table.include.list", "public.kind,public.computed,public.parted,public.signal"),
            ("signal.data.collection", "public.signal"),
            ("publish.via.partition.root", "true"),
            ("decimal.handling.mode", "string"),
            ("skipped.operations", "none"),
        ],
    );
    put(broker.connect(), "life", &config);
    broker.connect().wait_until_running("life");
    let bootstrap = broker.bootstrap();
    let count = |topic: &str| told(&bootstrap, topic).len();
    wait_until("the snapshot is there", PATIENCE, || count("life.public.kind") == 1);

    // What changes is streamed, whatever it is.
    postgres.execute(&insert(2));
    postgres.execute("update kind set name = 'other', feeling = 'sad' where id = 2");
    postgres.execute("delete from kind where id = 1; truncate parted");
    postgres.execute("insert into parted values (1, 1), (2, 2)");
    wait_until("the changes are streamed", PATIENCE, || {
        count("life.public.kind") == 4 && count("life.public.parted") == 3
    });
    let kinds = told(&bootstrap, "life.public.kind");
    let (read, created, updated, deleted) = (&kinds[0], &kinds[1], &kinds[2], &kinds[3]);
    assert_eq!((read.0.as_str(), &read.2), ("r", &row(1)));
    assert_eq!((created.0.as_str(), &created.2), ("c", &row(2)));
    let mut changed = row(2);
    (changed["name"], changed["feeling"]) = ("other".into(), "sad".into());
    assert_eq!((updated.0.as_str(), &updated.1, &updated.2), ("u", &row(2), &changed));
    assert_eq!((deleted.0.as_str(), &deleted.1), ("d", &row(1)));
    let parted: Vec<String> = told(&bootstrap, "life.public.parted").into_iter().map(|(op, ..)| op).collect();
    assert_eq!(parted, ["t", "c", "c"]);
    // What is computed is not streamed unless a publication of version 18 says so.
    postgres.execute("insert into computed values (1, default, 'a'); update computed set name = 'b'");
    wait_until("the rows are told", PATIENCE, || count("life.public.computed") == 2);
    let (.., computed) = told(&bootstrap, "life.public.computed").remove(1);
    assert_eq!((&computed["id"], &computed["name"]), (&json!(1), &json!("b")));
    if version >= 14 {
        postgres.execute("select pg_logical_emit_message(true, 'note', 'hello')");
        wait_until("the message is told", PATIENCE, || events(&bootstrap, "life.message").len() == 1);
    }

    // The table changes while it is streamed.
    postgres.execute("alter table kind add more int default 3; alter type mood add value 'calm'");
    postgres.execute("update kind set more = 4, feeling = 'calm' where id = 2");
    wait_until("the new column is told", PATIENCE, || count("life.public.kind") == 5);
    let last = told(&bootstrap, "life.public.kind").pop().unwrap().2;
    assert_eq!((&last["more"], &last["feeling"]), (&json!(4), &json!("calm")));

    // Neither end's restart loses or repeats anything.
    broker.kill();
    postgres.execute(&insert(3));
    broker.start_again();
    broker.connect().wait_until_running("life");
    let bootstrap = broker.bootstrap();
    let count = |topic: &str| told(&bootstrap, topic).len();
    wait_until("the stream goes on", PATIENCE, || count("life.public.kind") == 6);
    postgres.kill();
    postgres.start_again();
    postgres.execute(&insert(4));
    wait_until("the stream goes on again", PATIENCE, || count("life.public.kind") == 7);

    // A table is read again while the stream goes on.
    postgres.execute("insert into kind (id) select i from generate_series(101, 3000) i");
    postgres.execute(
        "insert into signal values ('s', 'execute-snapshot', '{\"data-collections\": [\"public.kind\"], \"type\": \"incremental\"}')",
    );
    wait_until("the table was read", PATIENCE, || count("life.public.kind") == 7 + 2900 + 2903);
    let again: Vec<_> = told(&bootstrap, "life.public.kind").split_off(7 + 2900);
    assert!(again.iter().all(|(op, ..)| op == "r"));
    let ids: Vec<i64> = again.iter().map(|(.., row)| row["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [2, 3, 4].into_iter().chain(101..=3000).collect::<Vec<i64>>());
    assert_eq!(task_state(broker.connect(), "life"), ("RUNNING".to_owned(), String::new()));
}

/// Publications choose rows and columns from version 15 on; from 18 on they may have what is computed too.
#[test]
fn what_a_publication_chooses_is_told() {
    let postgres = Postgres::start();
    let version = postgres.major_version();
    if version < 15 {
        eprintln!("PostgreSQL {version} PUBLISHES ROWS WHOLE: NOTHING TO SEE HERE");
        return;
    }
    postgres.execute(
        "create table item (id int primary key, name text, secret text, twice int generated always as (id * 2) stored)",
    );
    let columns = if version >= 18 { "id, name, twice" } else { "id, name" };
    postgres.execute(&format!("create publication chosen for table item ({columns}) where (id > 10)"));
    let broker = BrokerProcess::with_connect(&[]);
    let more =
        [("publication.name", "chosen"), ("publication.autocreate.mode", "disabled"), ("snapshot.mode", "no_data")];
    put(broker.connect(), "chosen", &postgres_config(&postgres, "chosen", &more));
    broker.connect().wait_until_running("chosen");
    wait_until("the slot is there", PATIENCE, || {
        postgres.execute("select count(*) from pg_replication_slots where active").trim() == "1"
    });
    postgres.execute("insert into item values (1, 'a', 'b'), (11, 'c', 'd')");
    let topic = "chosen.public.item";
    wait_until("the row is told", PATIENCE, || told(&broker.bootstrap(), topic).len() == 1);
    let (.., row) = told(&broker.bootstrap(), topic).remove(0);
    assert_eq!((&row["id"], &row["name"], row.get("secret")), (&json!(11), &json!("c"), None));
    if version >= 18 {
        assert_eq!(row["twice"], json!(22));
    }
}
