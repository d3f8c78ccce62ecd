//! Rows of all types with values drawn at random, through a real PostgreSQL: a row that a snapshot has read and the same row
//! from the stream are one event, and what it says is what PostgreSQL itself says of its values.
//!
//! `SEED` draws others, `PROPTEST_CASES` more of them.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "nobody encrypts here")]
#[path = "golden/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "only rows are looked at here")]
#[path = "golden/worker.rs"]
mod worker;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use postgres::Postgres;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::Value as Json;
use worker::{Worker, loads};

/// A column: its type, how its values are drawn, and, where PostgreSQL can be asked what an event is to say, the expression.
struct Column {
    declared: &'static str,
    literal: BoxedStrategy<String>,
    expected: Option<&'static str>,
}

fn column(declared: &'static str, literal: impl Strategy<Value = String> + 'static, expected: &'static str) -> Column {
    Column { declared, literal: literal.boxed(), expected: Some(expected).filter(|sql| !sql.is_empty()) }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Characters that PostgreSQL takes: all but NUL.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,20}".prop_map(|text| text.replace('\0', "")),
        "[\"'\\\\{}(),=> \n\t\u{1}NUL]{0,20}",
        Just(String::new()),
        "[a-z]{300}"
    ]
}

/// A date as PostgreSQL reads it, `eras` before Christ too.
fn date(eras: bool) -> impl Strategy<Value = String> {
    // From the day on after which both of Debezium's ways of reading dates are the same.
    let year = prop_oneof![4 => 1583..2300i32, 1 => 2300..290_000i32];
    (year, 1..=12u8, 1..=28u8, any::<bool>()).prop_map(move |(year, month, day, before)| {
        let (year, era) = if eras && before { (year.min(4700), " BC") } else { (year, "") };
        format!("{year:04}-{month:02}-{day:02}{era}")
    })
}

fn clock() -> impl Strategy<Value = String> {
    let micros = prop_oneof![Just(0), Just(86_399_999_999), 0..86_400_000_000i64];
    micros.prop_map(|micros| {
        let seconds = micros / 1_000_000;
        format!("{:02}:{:02}:{:02}.{:06}", seconds / 3600, seconds / 60 % 60, seconds % 60, micros % 1_000_000)
    })
}

fn timestamp(zoned: bool) -> impl Strategy<Value = String> {
    let zone = "[+-](0[0-9]|1[0-4]):[0-5][0-9]";
    let finite = (date(true), clock(), zone).prop_map(move |(date, clock, zone)| {
        let zone = if zoned { zone.as_str() } else { "" };
        match date.strip_suffix(" BC") {
            Some(date) => format!("'{date} {clock}{zone} BC'"),
            None => format!("'{date} {clock}{zone}'"),
        }
    });
    prop_oneof![20 => finite, 1 => Just("'infinity'".to_owned()), 1 => Just("'-infinity'".to_owned())]
}

fn interval() -> impl Strategy<Value = String> {
    (-300..300i32, -40..40i32, -1000..1000i32, any::<bool>(), clock()).prop_map(
        |(years, months, days, before, clock)| {
            format!("'{years} years {months} mons {days} days {}{clock}'", if before { "-" } else { "" })
        },
    )
}

fn numeric(scale: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    (any::<i64>(), "[0-9]{0,40}", scale).prop_map(|(whole, more, scale)| {
        let fraction: String = more.chars().cycle().take(if more.is_empty() { 0 } else { scale }).collect();
        if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
    })
}

fn number() -> impl Strategy<Value = String> {
    (-1_000_000..1_000_000i32, 0..1000u32).prop_map(|(whole, fraction)| format!("{whole}.{fraction}"))
}

fn place() -> impl Strategy<Value = String> {
    (number(), number()).prop_map(|(x, y)| format!("({x},{y})"))
}

fn places(count: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    vec(place(), count).prop_map(|places| places.join(","))
}

fn array(element: impl Strategy<Value = String> + 'static, of: &'static str) -> impl Strategy<Value = String> {
    vec(prop_oneof![5 => element, 1 => Just("null".to_owned())], 0..5)
        .prop_map(move |elements| format!("array[{}]::{of}[]", elements.join(",")))
}

fn shown<T: ToString + std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = String> {
    of.prop_map(|value| format!("'{}'", value.to_string()))
}

fn json() -> impl Strategy<Value = String> {
    let part = prop_oneof![Just(Json::Null), any::<i32>().prop_map(Json::from), text().prop_map(Json::from)];
    let whole = part.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::from),
            vec(("[a-z\"]{0,3}", inner), 0..4).prop_map(|fields| Json::Object(fields.into_iter().collect()))
        ]
    });
    whole.prop_map(|json| quoted(&json.to_string().replace("\\u0000", "")))
}

/// All types. Those of one server's versions alone are left out, and `name`, of which Debezium's stream knows nothing.
fn columns() -> Vec<Column> {
    let texts = || text().prop_map(|text| quoted(&text));
    let bits = |pattern: &'static str| pattern.prop_map(|bits| format!("B'{bits}'"));
    let micros = "(extract(epoch from {c}) * 1000000)::bigint";
    vec![
        column("int2", shown(any::<i16>()), "{c}"),
        column("int4", shown(any::<i32>()), "{c}"),
        column("int8", shown(any::<i64>()), "{c}"),
        column("oid", shown(any::<u32>()), "{c}::int8"),
        column("bool", shown(any::<bool>()), "{c}"),
        column("float4", shown(prop_oneof![any::<f32>(), Just(f32::INFINITY)]), ""),
        column("float8", shown(any::<f64>()), ""),
        column("numeric", numeric(0..30), "{c}::text"),
        column("numeric(30,7)", numeric(0..7), "{c}::text"),
        column("money", number(), ""),
        column("text", texts(), "{c}"),
        column("varchar", texts(), "{c}"),
        column("char(400)", texts(), "{c}::text || repeat(' ', 400 - length({c}))"),
        column(
            "bytea",
            "([0-9a-f]{2}){0,40}".prop_map(|hex| format!("'\\x{hex}'")),
            "translate(encode({c}, 'base64'), E'\\n', '')",
        ),
        column("uuid", shown(any::<u128>().prop_map(|id| format!("{id:032x}"))), "{c}"),
        column("json", json(), "{c}::text"),
        column("jsonb", json(), "{c}::text"),
        column("xml", "[a-z]{1,5}".prop_map(|name| format!("'<{name} b=\"1\">x</{name}>'")), "{c}::text"),
        column("date", shown(date(false)), "{c} - date '1970-01-01'"),
        column("time", shown(clock()), micros),
        column("time(2)", shown(clock()), "(extract(epoch from {c}) * 1000)::bigint"),
        column("timetz", (clock(), "[+-]0[0-9]:[0-5][0-9]").prop_map(|(clock, zone)| format!("'{clock}{zone}'")), ""),
        column(
            "timestamp",
            timestamp(false),
            "case when isfinite({c}) then (extract(epoch from {c}) * 1000000)::bigint end",
        ),
        column(
            "timestamp(3)",
            timestamp(false),
            "case when isfinite({c}) then (extract(epoch from {c}) * 1000)::bigint end",
        ),
        column("timestamptz", timestamp(true), ""),
        column("timestamptz(0)", timestamp(true), ""),
        column("interval", interval(), ""),
        column("bit(1)", bits("[01]{1}"), "{c} = B'1'"),
        column("bit(19)", bits("[01]{19}"), ""),
        column("varbit", bits("[01]{0,60}"), ""),
        column("inet", "[12][0-9]{0,1}(\\.[1-9]){3}/(8|16|32)".prop_map(|text| format!("'{text}'")), "{c}"),
        column("cidr", "10\\.[1-9]\\.0\\.0/16".prop_map(|text| format!("'{text}'")), "{c}"),
        column("macaddr", "([0-9a-f]{2}:){5}[0-9a-f]{2}".prop_map(|text| format!("'{text}'")), "{c}::text"),
        column("macaddr8", "([0-9a-f]{2}:){7}[0-9a-f]{2}".prop_map(|text| format!("'{text}'")), "{c}::text"),
        column("point", shown(place()), ""),
        column("lseg", shown(places(2..3)), ""),
        column("box", shown(places(2..3)), ""),
        column(
            "path",
            (any::<bool>(), places(1..5))
                .prop_map(|(open, places)| if open { format!("'[{places}]'") } else { format!("'({places})'") }),
            "",
        ),
        column("polygon", places(1..5).prop_map(|places| format!("'({places})'")), ""),
        column("circle", (place(), 0..1000u32).prop_map(|(place, radius)| format!("'<{place},{radius}>'")), ""),
        column("line", (1..100i32, number(), number()).prop_map(|(a, b, c)| format!("'{{{a},{b},{c}}}'")), ""),
        column("tsvector", "[a-z]{1,4}( [a-z]{1,4}){0,4}".prop_map(|text| format!("'{text}'")), "{c}::text"),
        column(
            "int4range",
            (0..1000i32, 0..1000i32).prop_map(|(from, length)| format!("'[{from},{}]'", from + length)),
            "{c}::text",
        ),
        column(
            "numrange",
            (0..1000i32, 0..1000i32).prop_map(|(from, length)| format!("'[{from}.5,{})'", from + length + 1)),
            "{c}::text",
        ),
        column("daterange", date(false).prop_map(|date| format!("'[{date},)'")), "{c}::text"),
        column("tstzrange", Just("'[2024-01-01 10:00+02,)'".to_owned()), "{c}::text"),
        column("mood", select(&["'sad'", "'ok'", "'it''s \"so\", so'"][..]).prop_map(str::to_owned), "{c}::text"),
        column("posint", shown(1..i32::MAX), "{c}"),
        column("money2", numeric(0..2), "{c}::text"),
        column("pair", (any::<i32>(), texts()).prop_map(|(x, y)| format!("row({x}, {y})::pair")), ""),
        column("xid8", shown(any::<u64>().prop_map(|id| id >> 1)), ""),
        column("int4[]", array(shown(any::<i32>()), "int4"), "to_json({c})"),
        column("int8[]", array(shown(any::<i64>()), "int8"), ""),
        column("text[]", array(texts(), "text"), "to_json({c})"),
        column("bool[]", array(shown(any::<bool>()), "bool"), "to_json({c})"),
        column("float8[]", array(number(), "float8"), ""),
        column("numeric(30,7)[]", array(numeric(0..7), "numeric"), ""),
        column("uuid[]", array(shown(any::<u128>().prop_map(|id| format!("{id:032x}"))), "uuid"), "to_json({c})"),
        column("date[]", array(shown(date(false)), "date"), ""),
        column("time[]", array(shown(clock()), "time"), ""),
        column("timestamp[]", array(timestamp(false), "timestamp"), ""),
        column("timestamptz[]", array(timestamp(true), "timestamptz"), ""),
        column("bytea[]", array("([0-9a-f]{2}){0,9}".prop_map(|hex| format!("'\\x{hex}'")), "bytea"), ""),
        column("jsonb[]", array(json(), "jsonb"), ""),
        column(
            "mood[]",
            // Of null as an element Debezium's schema for these knows nothing.
            vec(select(&["sad", "ok"][..]), 0..4).prop_map(|labels| format!("'{{{}}}'", labels.join(","))),
            "",
        ),
    ]
}

fn properties(postgres: &Postgres, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    postgres.connector("types", &[&[("topic.prefix", "t"), ("include.unknown.datatypes", "true")], more].concat())
}

/// The rows that events tell of, by their ids, with what kind of event tells it.
fn rows(worker: &Worker) -> BTreeMap<i64, (String, Json)> {
    let stored = worker.stored();
    let rows = stored.records.iter().map(|record| {
        let mut event = loads(record.value.as_deref());
        let row = event["after"].take();
        (row["id"].as_i64().unwrap(), (event["op"].as_str().unwrap().to_owned(), row))
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_is_the_same_event_in_a_snapshot_and_in_the_stream() {
    let Some(postgres) = Postgres::start() else {
        eprintln!("PostgreSQL IS NOT INSTALLED: NO ROW HAS BEEN COMPARED. Run scripts/setup postgres.");
        return;
    };
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("SEED").unwrap_or(1);
    let count = number("PROPTEST_CASES").unwrap_or(100);
    eprintln!("SEED={seed}, {count} rows");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner =
        TestRunner::new_with_rng(ProptestConfig::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let columns = columns();

    postgres.psql("postgres", "create database types");
    let declared = columns.iter().enumerate().fold(String::new(), |mut out, (at, column)| {
        let _ = write!(out, ", c{at} {}", column.declared);
        out
    });
    postgres.psql(
        "types",
        &format!(
            "create type mood as enum ('sad', 'ok', 'it''s \"so\", so'); create type pair as (x int, y text); \
             create domain posint as int check (value > 0); create domain money2 as numeric(40,2); \
             create table public.t (id int primary key{declared})"
        ),
    );
    let mut script = String::new();
    for id in 1..=count {
        let _ = write!(script, "insert into t values ({id}");
        for column in &columns {
            let literal = column.literal.new_tree(&mut runner).unwrap().current();
            let null = (0..8u8).new_tree(&mut runner).unwrap().current() == 0;
            let _ = write!(script, ", {}", if null { "null" } else { &literal });
        }
        script.push_str(");\n");
    }
    postgres.psql("types", &format!("begin; {script} commit;"));

    let modes: [&[(&str, &str)]; 3] = [
        &[("slot.name", "one"), ("decimal.handling.mode", "string")],
        &[
            ("slot.name", "two"),
            ("time.precision.mode", "connect"),
            ("interval.handling.mode", "string"),
            ("binary.handling.mode", "hex"),
        ],
        &[("slot.name", "three"), ("time.precision.mode", "structured"), ("decimal.handling.mode", "double")],
    ];
    let mut next = 1000 * 1000;
    for mode in modes {
        let mut worker = Worker::new(properties(&postgres, mode));
        worker.start();
        let told = i64::try_from(count).unwrap();
        wait_for(&mut worker, |rows| rows.keys().filter(|id| **id <= told).count() as i64 >= told).await;
        let copy = (0..columns.len()).fold(String::new(), |mut out, at| {
            let _ = write!(out, ", c{at}");
            out
        });
        postgres.psql("types", &format!("insert into t select id + {next}{copy} from t where id <= {told}"));
        wait_for(&mut worker, |rows| rows.keys().filter(|id| **id > next).count() as i64 >= told).await;
        worker.stop().await.unwrap();
        let rows = rows(&worker);
        for id in 1..=told {
            let ((read, row), (created, copy)) = (&rows[&id], &rows[&(id + next)]);
            assert_eq!((read.as_str(), created.as_str()), ("r", "c"));
            for (at, column) in columns.iter().enumerate() {
                let name = format!("c{at}");
                assert_eq!(row.get(&name), copy.get(&name), "row {id}, a column of type {}", column.declared);
            }
        }
        if next == 1000 * 1000 {
            compare_with_postgres(&postgres, &columns, &rows);
        }
        postgres.psql("types", &format!("delete from t where id > {told}"));
        next += 1000 * 1000;
    }
}

fn compare_with_postgres(postgres: &Postgres, columns: &[Column], rows: &BTreeMap<i64, (String, Json)>) {
    let mut differences = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let Some(expected) = column.expected else { continue };
        let name = format!("c{at}");
        let sql = expected.replace("{c}", &name);
        let answer =
            postgres.psql("types", &format!("select json_build_array(id, {sql}) from t where {name} is not null"));
        for line in answer.lines() {
            let pair: Json = serde_json::from_str(line).unwrap();
            let id = pair[0].as_i64().unwrap();
            // What has no end PostgreSQL has no number for.
            let told = &rows[&id].1[&name];
            if !pair[1].is_null() && *told != pair[1] {
                differences.push(format!("row {id}, {}: {told} is told of {}", column.declared, pair[1]));
                break;
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

async fn wait_for(worker: &mut Worker, done: impl Fn(&BTreeMap<i64, (String, Json)>) -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done(&rows(worker)) {
        if let Some(failure) = worker.failure().await {
            panic!("the task has failed: {failure}");
        }
        assert!(Instant::now() < end, "rows are missing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
