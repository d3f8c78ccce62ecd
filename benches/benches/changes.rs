//! A captured row: read from the replication stream, and written as JSON, with its schema and without.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;

use brooklet_connect_shim::connector_config::Properties;
use brooklet_connect_shim::converters::{ConverterType, create};
use brooklet_connect_shim::data::{Field, Schema, SchemaType, Struct, Value};
use brooklet_connect_shim::postgres::pgoutput::Message;
use bytes::{BufMut, Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// An insertion as PostgreSQL sends it (54.9, Logical Replication Message Formats).
fn insertion(columns: &[&str]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(b'I');
    out.put_u32(16384);
    out.put_u8(b'N');
    out.put_u16(u16::try_from(columns.len()).unwrap());
    for column in columns {
        out.put_u8(b't');
        out.put_u32(u32::try_from(column.len()).unwrap());
        out.put_slice(column.as_bytes());
    }
    out.freeze()
}

fn field(name: &str, kind: SchemaType) -> Field {
    Field { name: name.into(), schema: Arc::new(Schema::of(kind).optional()) }
}

/// An event of the shape that Debezium gives it: what a row is now, and where that was read.
fn event() -> (Arc<Schema>, Value) {
    let row = Arc::new(Schema::structure(
        "shop.public.item.Value",
        vec![
            field("id", SchemaType::Int64),
            field("name", SchemaType::String),
            field("price", SchemaType::Float64),
            field("made", SchemaType::Int64),
        ],
    ));
    let source = Arc::new(Schema::structure(
        "io.debezium.connector.postgresql.Source",
        ["version", "connector", "name", "snapshot", "db", "schema", "table"]
            .map(|name| field(name, SchemaType::String))
            .into_iter()
            .chain(["ts_ms", "txId", "lsn"].map(|name| field(name, SchemaType::Int64)))
            .collect(),
    ));
    let envelope = Arc::new(Schema::structure(
        "shop.public.item.Envelope",
        vec![
            Field { name: "before".into(), schema: row.clone() },
            Field { name: "after".into(), schema: row.clone() },
            Field { name: "source".into(), schema: source.clone() },
            field("op", SchemaType::String),
            field("ts_ms", SchemaType::Int64),
        ],
    ));
    let text = |text: &str| Value::String(text.into());
    let now = || Value::Int64(1_700_000_000_000);
    let after = vec![Value::Int64(1), text("a name of \"some\" length"), Value::Float64(9.99), now()];
    let before = vec![Value::Int64(1), text("the name before"), Value::Float64(9.49), now()];
    let read = ["3.7.0.Final", "postgresql", "shop", "false", "postgres", "public", "item"].map(text);
    let read = read.into_iter().chain([now(), Value::Int64(745), Value::Int64(24_023_128)]).collect();
    let values = vec![
        Value::Struct(Struct::new(row.clone(), before)),
        Value::Struct(Struct::new(row, after)),
        Value::Struct(Struct::new(source, read)),
        text("u"),
        now(),
    ];
    (envelope.clone(), Value::Struct(Struct::new(envelope, values)))
}

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("changes");
    let bytes = insertion(&["1", "a name of some length", "9.99", "2026-11-01 12:00:00.123456"]);
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode an insertion", |b| {
        b.iter(|| {
            let Message::Insert { new, .. } = Message::decode(black_box(bytes.clone())).unwrap() else {
                unreachable!()
            };
            black_box(new.columns().count())
        });
    });
    let (schema, value) = event();
    for (name, enabled) in [("row to JSON", "false"), ("row to JSON with its schema", "true")] {
        let mut properties = Properties::new();
        properties.set("schemas.enable", enabled);
        let class = "org.apache.kafka.connect.json.JsonConverter";
        let mut converter = create(class, ConverterType::Value, &properties).unwrap();
        group.bench_function(name, |b| b.iter(|| converter.convert("t", Some(&schema), black_box(&value)).unwrap()));
    }
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
