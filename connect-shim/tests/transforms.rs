//! Transforms make of records what Connect's and Debezium's make of them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use brooklet_connect_shim::connector_config::Properties;
use brooklet_connect_shim::converters::{ConverterType, JSON_CONVERTER, SIMPLE_HEADER_CONVERTER, create};
use brooklet_connect_shim::data::{Field, Schema, SchemaType, SourceRecord, Struct, Value};
use brooklet_connect_shim::transforms::{TRANSFORMS, TransformationChain};

fn field(name: &str, schema: Schema) -> Field {
    Field { name: name.into(), schema: Arc::new(schema) }
}

fn text() -> Schema {
    Schema::of(SchemaType::String).optional()
}

fn int() -> Schema {
    Schema::of(SchemaType::Int32)
}

/// A struct of these fields.
fn structure(name: &str, fields: Vec<(&str, Schema, Value)>) -> (Arc<Schema>, Value) {
    let (fields, values): (Vec<Field>, Vec<Value>) = fields.into_iter().map(|(n, s, v)| (field(n, s), v)).unzip();
    let schema = Arc::new(Schema::structure(name, fields));
    (Arc::clone(&schema), Value::Struct(Struct::new(schema, values)))
}

fn record(topic: &str, key: (Arc<Schema>, Value), value: (Arc<Schema>, Value)) -> SourceRecord {
    SourceRecord {
        offset: Arc::default(),
        topic: topic.into(),
        partition: None,
        key_schema: Some(key.0),
        key: key.1,
        value_schema: Some(value.0),
        value: value.1,
        timestamp: Some(1_709_251_198_007),
        headers: Vec::new(),
    }
}

fn row(id: i32, name: &str) -> (Arc<Schema>, Value) {
    structure("s.t.Value", vec![("id", int(), Value::Int32(id)), ("name", text(), name.into())])
}

fn key(id: i32) -> (Arc<Schema>, Value) {
    structure("s.t.Key", vec![("id", int(), Value::Int32(id))])
}

/// A change event of Debezium's.
fn change(op: &str, before: Option<(Arc<Schema>, Value)>, after: Option<(Arc<Schema>, Value)>) -> SourceRecord {
    let of = before.as_ref().or(after.as_ref()).map(|(schema, _)| schema.as_ref().clone()).unwrap().optional();
    let value = |side: Option<(Arc<Schema>, Value)>| side.map_or(Value::Null, |(_, value)| value);
    let (source_schema, source) = structure(
        "io.debezium.connector.postgresql.Source",
        vec![("table", text(), "t".into()), ("lsn", Schema::of(SchemaType::Int64).optional(), Value::Int64(99))],
    );
    let envelope = structure(
        "s.t.Envelope",
        vec![
            ("before", of.clone(), value(before)),
            ("after", of, value(after)),
            ("source", source_schema.as_ref().clone(), source),
            ("op", Schema::of(SchemaType::String), op.into()),
            ("ts_ms", Schema::of(SchemaType::Int64).optional(), Value::Int64(1000)),
        ],
    );
    record("s.public.t", key(1), envelope)
}

fn tombstone() -> SourceRecord {
    SourceRecord { value_schema: None, value: Value::Null, ..record("s.public.t", key(1), key(1)) }
}

/// What a chain makes of records: topic, key, value and headers as text; `-` for those that are dropped.
fn run(config: &[(&str, &str)], records: Vec<SourceRecord>) -> Vec<String> {
    run_with(config, records, "false")
}

fn run_with(config: &[(&str, &str)], records: Vec<SourceRecord>, schemas: &str) -> Vec<String> {
    let config = config.iter().copied().collect::<Properties>();
    let mut chain = TransformationChain::new(&config).unwrap();
    let schemas = [("schemas.enable", schemas)].into_iter().collect::<Properties>();
    let mut json = create(JSON_CONVERTER, ConverterType::Value, &schemas).unwrap();
    let mut headers = create(SIMPLE_HEADER_CONVERTER, ConverterType::Header, &Properties::new()).unwrap();
    let text = |bytes: Option<bytes::Bytes>| bytes.map_or("<null>".into(), |b| String::from_utf8(b.to_vec()).unwrap());
    let mut shown = Vec::new();
    for record in records {
        let record = match chain.apply(record) {
            Ok(Some(record)) => record,
            Ok(None) => {
                shown.push("-".to_owned());
                continue;
            }
            Err(error) => {
                shown.push(error.to_string());
                continue;
            }
        };
        let key = text(json.convert("", record.key_schema.as_ref(), &record.key).unwrap());
        let value = text(json.convert("", record.value_schema.as_ref(), &record.value).unwrap());
        let mut line = format!("{} {key} {value}", record.topic);
        for header in &record.headers {
            let value = text(headers.convert("", header.schema.as_ref(), &header.value).unwrap());
            line.push_str(&format!(" {}={value}", header.name));
        }
        if let Some(partition) = record.partition {
            line.push_str(&format!(" @{partition}"));
        }
        shown.push(line);
    }
    shown
}

fn one(class: &str, config: &[(&str, &str)], record: SourceRecord) -> String {
    let mut all = vec![("transforms".to_owned(), "a".to_owned()), ("transforms.a.type".to_owned(), class.to_owned())];
    all.extend(config.iter().map(|(name, value)| (format!("transforms.a.{name}"), (*value).to_owned())));
    let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    run(&all, vec![record]).remove(0)
}

fn kafkas(class: &str, config: &[(&str, &str)], record: SourceRecord) -> String {
    one(&format!("org.apache.kafka.connect.transforms.{class}"), config, record)
}

fn plain() -> SourceRecord {
    record("s.public.t", key(1), row(1, "a"))
}

#[test]
fn topics_are_routed() {
    let config = [("regex", "s\\.public\\.(.*)"), ("replacement", "cdc.$1")];
    assert_eq!(kafkas("RegexRouter", &config, plain()), r#"cdc.t {"id":1} {"id":1,"name":"a"}"#);
    let config = [("topic.format", "${topic}_${timestamp}"), ("timestamp.format", "yyyy.MM")];
    assert_eq!(kafkas("TimestampRouter", &config, plain()), r#"s.public.t_2024.02 {"id":1} {"id":1,"name":"a"}"#);
}

#[test]
fn fields_are_replaced_masked_and_inserted() {
    let value = |line: String| line.splitn(3, ' ').last().unwrap().to_owned();
    let replace = [("exclude", "id"), ("renames", "name:n")];
    assert_eq!(value(kafkas("ReplaceField$Value", &replace, plain())), r#"{"n":"a"}"#);
    assert_eq!(value(kafkas("MaskField$Value", &[("fields", "id,name")], plain())), r#"{"id":0,"name":""}"#);
    let mask = [("fields", "name"), ("replacement", "***")];
    assert_eq!(value(kafkas("MaskField$Value", &mask, plain())), r#"{"id":1,"name":"***"}"#);
    let insert =
        [("topic.field", "topic!"), ("timestamp.field", "at"), ("static.field", "who"), ("static.value", "me")];
    assert_eq!(
        value(kafkas("InsertField$Value", &insert, plain())),
        r#"{"id":1,"name":"a","topic":"s.public.t","at":1709251198007,"who":"me"}"#
    );
    assert_eq!(value(kafkas("ExtractField$Value", &[("field", "name")], plain())), "\"a\"");
    assert_eq!(kafkas("ExtractField$Value", &[("field", "x")], plain()), "Unknown field: x");
    assert_eq!(value(kafkas("HoistField$Value", &[("field", "v")], plain())), r#"{"v":{"id":1,"name":"a"}}"#);
}

#[test]
fn a_key_is_made_of_the_value() {
    assert_eq!(
        kafkas("ValueToKey", &[("fields", "name,id")], plain()),
        r#"s.public.t {"name":"a","id":1} {"id":1,"name":"a"}"#
    );
    assert_eq!(kafkas("ValueToKey", &[("fields", "x")], plain()), "Field does not exist: x");
    let config = [
        ("transforms", "k,e"),
        ("transforms.k.type", "org.apache.kafka.connect.transforms.ValueToKey"),
        ("transforms.k.fields", "id"),
        ("transforms.e.type", "org.apache.kafka.connect.transforms.ExtractField$Key"),
        ("transforms.e.field", "id"),
    ];
    assert_eq!(run(&config, vec![plain()]), [r#"s.public.t 1 {"id":1,"name":"a"}"#]);
}

#[test]
fn values_are_cast_and_times_converted() {
    let cast = kafkas("Cast$Value", &[("spec", "id:string,name:boolean")], plain());
    assert!(cast.ends_with(r#"{"id":"1","name":false}"#), "{cast}");
    let cast = kafkas("Cast$Value", &[("spec", "name:int8")], plain());
    assert_eq!(cast, "Value (a) was out of range for requested data type");
    let refused = kafkas("Cast$Value", &[("spec", "after:int32")], change("c", None, Some(row(1, "a"))));
    assert!(
        refused.starts_with("Cast transformation does not support casting from STRUCT; supported types"),
        "{refused}"
    );
    let at = structure("v", vec![("at", Schema::of(SchemaType::Int64), Value::Int64(1_709_251_198))]);
    let config =
        [("field", "at"), ("target.type", "string"), ("format", "yyyy-MM-dd HH:mm:ss"), ("unix.precision", "seconds")];
    let converted = kafkas("TimestampConverter$Value", &config, record("t", key(1), at));
    assert!(converted.ends_with(r#"{"at":"2024-02-29 23:59:58"}"#), "{converted}");
}

#[test]
fn structs_are_flattened_and_schemas_renamed() {
    let flat = kafkas("Flatten$Value", &[("delimiter", "_")], change("c", None, Some(row(1, "a"))));
    assert!(
        flat.ends_with(
            r#"{"before_id":null,"before_name":null,"after_id":1,"after_name":"a","source_table":"t","source_lsn":99,"op":"c","ts_ms":1000}"#
        ),
        "{flat}"
    );
    let config = [
        ("transforms", "a"),
        ("transforms.a.type", "org.apache.kafka.connect.transforms.SetSchemaMetadata$Key"),
        ("transforms.a.schema.name", "k"),
        ("transforms.a.schema.version", "3"),
    ];
    let shown = run_with(&config, vec![plain()], "true").remove(0);
    assert!(shown.contains(r#""optional":false,"name":"k","version":3},"payload":{"id":1}}"#), "{shown}");
}

#[test]
fn headers_come_and_go() {
    let config = [
        ("transforms", "i,f,d"),
        ("transforms.i.type", "org.apache.kafka.connect.transforms.InsertHeader"),
        ("transforms.i.header", "origin"),
        ("transforms.i.value.literal", "pg"),
        ("transforms.f.type", "org.apache.kafka.connect.transforms.HeaderFrom$Value"),
        ("transforms.f.fields", "name,id"),
        ("transforms.f.headers", "n,i"),
        ("transforms.f.operation", "move"),
        ("transforms.d.type", "org.apache.kafka.connect.transforms.DropHeaders"),
        ("transforms.d.headers", "i"),
    ];
    assert_eq!(run(&config, vec![plain()]), [r#"s.public.t {"id":1} {} origin=pg n=a"#]);
}

#[test]
fn predicates_say_to_which_records_a_transform_is_applied() {
    let config = [
        ("transforms", "f"),
        ("transforms.f.type", "org.apache.kafka.connect.transforms.Filter"),
        ("transforms.f.predicate", "p"),
        ("transforms.f.negate", "true"),
        ("predicates", "p"),
        ("predicates.p.type", "org.apache.kafka.connect.transforms.predicates.TopicNameMatches"),
        ("predicates.p.pattern", ".*\\.t"),
    ];
    let other = SourceRecord { topic: "s.public.tt".into(), ..plain() };
    assert_eq!(run(&config, vec![plain(), other]), [r#"s.public.t {"id":1} {"id":1,"name":"a"}"#, "-"]);
}

const UNWRAP: (&str, &str) = ("transforms.u.type", "io.debezium.transforms.ExtractNewRecordState");

fn events() -> Vec<SourceRecord> {
    vec![change("c", None, Some(row(1, "a"))), change("d", Some(row(1, "a")), None), tombstone()]
}

#[test]
fn rows_are_unwrapped() {
    let lines = run(&[("transforms", "u"), UNWRAP], events());
    assert_eq!(lines, [r#"s.public.t {"id":1} {"id":1,"name":"a"}"#, r#"s.public.t {"id":1} null"#, "-"]);
    let mode = |mode| {
        let config = [("transforms", "u"), UNWRAP, ("transforms.u.delete.tombstone.handling.mode", mode)];
        run(&config, events())
    };
    assert_eq!(mode("drop")[1..], ["-", "-"]);
    assert_eq!(mode("delete-to-tombstone")[1..], [r#"s.public.t {"id":1} <null>"#, "-"]);
    assert_eq!(
        mode("rewrite-with-tombstone"),
        [
            r#"s.public.t {"id":1} {"id":1,"name":"a","__deleted":"false"}"#,
            r#"s.public.t {"id":1} {"id":1,"name":"a","__deleted":"true"}"#,
            r#"s.public.t {"id":1} <null>"#
        ]
    );
}

#[test]
fn fields_of_the_envelope_are_added_to_rows() {
    let config = [
        ("transforms", "u"),
        UNWRAP,
        ("transforms.u.add.fields", "op,source.table,lsn:LSN,nope"),
        ("transforms.u.add.headers", "op"),
        ("transforms.u.route.by.field", "name"),
    ];
    assert_eq!(
        run(&config, events()),
        [
            r#"a {"id":1} {"id":1,"name":"a","__op":"c","__source_table":"t","__LSN":99} __op=c"#,
            r#"a {"id":1} null __op=d"#,
            "-"
        ]
    );
}

fn outbox(payload: Value) -> SourceRecord {
    let json = Schema { name: Some("io.debezium.data.Json".into()), version: Some(1), ..text() };
    let row = structure(
        "s.public.outbox.Value",
        vec![
            ("id", Schema::of(SchemaType::String), "e1".into()),
            ("aggregatetype", text(), "order".into()),
            ("aggregateid", text(), "7".into()),
            ("type", text(), "created".into()),
            ("payload", json, payload),
            ("shard", int(), Value::Int32(2)),
        ],
    );
    change("c", None, Some(row))
}

#[test]
fn outbox_rows_are_routed() {
    let config = [("transforms", "o"), ("transforms.o.type", "io.debezium.transforms.outbox.EventRouter")];
    let with = |more: &[(&'static str, &'static str)], payload: Value| {
        run(&[&config[..], more].concat(), vec![outbox(payload)]).remove(0)
    };
    assert_eq!(with(&[], r#"{"a": 1}"#.into()), r#"outbox.event.order "7" "{\"a\": 1}" id=e1"#);
    assert_eq!(with(&[], Value::Null), r#"outbox.event.order "7" null id=e1"#);
    let tombstones = [("transforms.o.route.tombstone.on.empty.payload", "true")];
    assert_eq!(with(&tombstones, " ".into()), r#"outbox.event.order "7" <null> id=e1"#);
    let placed = [
        ("transforms.o.table.fields.additional.placement", "type:header:kind,type:envelope,shard:partition"),
        ("transforms.o.route.topic.replacement", "${routedByValue}.events"),
    ];
    assert_eq!(with(&placed, "x".into()), r#"order.events "7" {"payload":"x","type":"created"} id=e1 kind=created @2"#);
    let dropped = run(&config, vec![change("d", Some(row(1, "a")), None), tombstone()]);
    assert_eq!(dropped, ["-", "-"]);
}

#[test]
fn json_payloads_are_expanded() {
    let config = [
        ("transforms", "o"),
        ("transforms.o.type", "io.debezium.transforms.outbox.EventRouter"),
        ("transforms.o.table.expand.json.payload", "true"),
    ];
    let with = |payload: &str| run_with(&config, vec![outbox(payload.into())], "true").remove(0);
    let expanded =
        with(r#"{"b": true, "a": 1, "n": null, "e": [], "big": 1234567890123, "l": [{"q": 1}, {"p": "x"}]}"#);
    let expected = concat!(
        r#"{"schema":{"type":"struct","fields":[{"type":"boolean","optional":true,"field":"b"},"#,
        r#"{"type":"int32","optional":true,"field":"a"},{"type":"int64","optional":true,"field":"big"},"#,
        r#"{"type":"array","items":{"type":"struct","fields":[{"type":"int32","optional":true,"field":"q"},"#,
        r#"{"type":"string","optional":true,"field":"p"}],"optional":false,"name":"payload.l"},"optional":true,"#,
        r#""field":"l"}],"optional":true,"name":"payload"},"#,
        r#""payload":{"b":true,"a":1,"big":1234567890123,"l":[{"q":1,"p":null},{"q":null,"p":"x"}]}}"#,
    );
    assert!(expanded.contains(expected), "{expanded}");
    assert!(with("\"text\"").contains(r#""name":"io.debezium.data.Json","version":1},"payload":"\"text\"""#));
    assert!(with(r#"{"a":[1,"x"]}"#).contains(r#""payload":"{\"a\":[1,\"x\"]}""#));
}

#[test]
fn tables_share_a_topic() {
    let config = [
        ("transforms", "r"),
        ("transforms.r.type", "io.debezium.transforms.ByLogicalTableRouter"),
        ("transforms.r.topic.regex", "(.*)\\.t.*"),
        ("transforms.r.topic.replacement", "$1.all"),
    ];
    let lines = run_with(&config, vec![change("c", None, Some(row(1, "a")))], "true");
    assert!(lines[0].starts_with("s.public.all "));
    assert!(
        lines[0].contains(
            r#""name":"s.public.all.Key"},"payload":{"id":1,"__dbz__physicalTableIdentifier":"s.public.t"}}"#
        )
    );
    assert!(lines[0].contains(r#""name":"s.public.all.Value","field":"after""#));
    assert!(lines[0].contains(r#""optional":false,"name":"s.public.all.Envelope"}"#));
}

#[test]
fn every_transform_has_properties_whose_defaults_are_valid() {
    for plugin in TRANSFORMS {
        let def = (plugin.config_def)();
        for key in def.keys() {
            if let brooklet_connect_shim::connector_config::ConfigDefault::Is(_) = key.default {
                key.ensure_valid(&key.default_value()).unwrap();
            }
        }
    }
    let unknown = [("transforms", "a"), ("transforms.a.type", "com.example.NoSmt")].into_iter().collect::<Properties>();
    assert_eq!(
        TransformationChain::new(&unknown).unwrap_err().to_string(),
        "Invalid value com.example.NoSmt for configuration transforms.a.type: Class com.example.NoSmt could not be found."
    );
}
