//! Converters write what Connect's write, byte for byte.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use brooklet_connect_shim::connector_config::Properties;
use brooklet_connect_shim::converters::{ConverterType, JSON_CONVERTER, SIMPLE_HEADER_CONVERTER, create};
use brooklet_connect_shim::data::{Field, Schema, SchemaType, Struct, Value};
use bytes::Bytes;

fn field(name: &str, schema: Schema) -> Field {
    Field { name: name.into(), schema: Arc::new(schema) }
}

fn converted(
    class: &str,
    properties: &[(&str, &str)],
    schema: Option<&Arc<Schema>>,
    value: &Value,
) -> Result<String, String> {
    let properties = properties.iter().copied().collect::<Properties>();
    let mut converter = create(class, ConverterType::Value, &properties).unwrap();
    match converter.convert("topic", schema, value) {
        Ok(Some(bytes)) => Ok(String::from_utf8(bytes.to_vec()).unwrap()),
        Ok(None) => Ok("<null>".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn json(properties: &[(&str, &str)], schema: &Schema, value: &Value) -> Result<String, String> {
    converted(JSON_CONVERTER, properties, Some(&Arc::new(schema.clone())), value)
}

const PLAIN: &[(&str, &str)] = &[("schemas.enable", "false")];

fn decimal() -> Schema {
    Schema::of(SchemaType::Bytes).named("org.apache.kafka.connect.data.Decimal").versioned(1).parameter("scale", "2")
}

#[test]
fn a_struct_with_its_schema() {
    let schema = Schema::structure(
        "a.Value",
        vec![
            field("id", Schema::of(SchemaType::Int32).or(Value::Int32(7))),
            field("price", decimal().optional()),
            field("tags", Schema::of(SchemaType::Array(Arc::new(Schema::of(SchemaType::String).optional())))),
            field(
                "props",
                Schema::of(SchemaType::Map(
                    Arc::new(Schema::of(SchemaType::String)),
                    Arc::new(Schema::of(SchemaType::Float64)),
                )),
            ),
            field("note", Schema { doc: Some("d \"q\"".into()), ..Schema::of(SchemaType::String).optional() }),
        ],
    )
    .versioned(2);
    let value = Value::Struct(Struct::new(
        Arc::new(schema.clone()),
        vec![
            Value::Int32(-5),
            Value::Bytes(Bytes::from_static(&[0xcf, 0xc7])),
            Value::Array(vec!["a".into(), Value::Null]),
            Value::Map(vec![("k".into(), Value::Float64(1e10))]),
            Value::Null,
        ],
    ));
    let expected = concat!(
        r#"{"schema":{"type":"struct","fields":[{"type":"int32","optional":false,"default":7,"field":"id"},"#,
        r#"{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"#,
        r#""parameters":{"scale":"2"},"field":"price"},"#,
        r#"{"type":"array","items":{"type":"string","optional":true},"optional":false,"field":"tags"},"#,
        r#"{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"double","optional":false},"#,
        r#""optional":false,"field":"props"},"#,
        r#"{"type":"string","optional":true,"doc":"d \"q\"","field":"note"}],"#,
        r#""optional":false,"name":"a.Value","version":2},"#,
        r#""payload":{"id":-5,"price":"z8c=","tags":["a",null],"props":{"k":1.0E10},"note":null}}"#,
    );
    assert_eq!(json(&[], &schema, &value).unwrap(), expected);
    let plain = r#"{"id":-5,"price":-123.45,"tags":["a",null],"props":{"k":1.0E10},"note":null}"#;
    assert_eq!(json(&[PLAIN[0], ("decimal.format", "numeric")], &schema, &value).unwrap(), plain);
}

#[test]
fn null_is_the_default_unless_it_is_told_otherwise() {
    let schema = Schema::of(SchemaType::Int32).optional().or(Value::Int32(3));
    assert_eq!(json(PLAIN, &schema, &Value::Null).unwrap(), "3");
    assert_eq!(json(&[PLAIN[0], ("replace.null.with.default", "false")], &schema, &Value::Null).unwrap(), "null");
    let error = json(PLAIN, &Schema::of(SchemaType::Int32), &Value::Null).unwrap_err();
    assert_eq!(error, "Conversion error: null value for field that is required and has no default value");
}

#[test]
fn a_tombstone_is_null_but_a_null_with_a_schema_is_not() {
    assert_eq!(converted(JSON_CONVERTER, &[], None, &Value::Null).unwrap(), "<null>");
    let schema = Schema::of(SchemaType::String).optional();
    let expected = r#"{"schema":{"type":"string","optional":true},"payload":null}"#;
    assert_eq!(json(&[], &schema, &Value::Null).unwrap(), expected);
    assert_eq!(json(PLAIN, &schema, &Value::Null).unwrap(), "null");
}

#[test]
fn numbers_that_json_lacks_are_strings() {
    let double = Schema::of(SchemaType::Float64);
    for (value, text) in [(f64::NAN, "\"NaN\""), (f64::INFINITY, "\"Infinity\""), (f64::NEG_INFINITY, "\"-Infinity\"")]
    {
        assert_eq!(json(PLAIN, &double, &Value::Float64(value)).unwrap(), text);
    }
    let long = Schema::of(SchemaType::Int64);
    assert_eq!(json(PLAIN, &long, &Value::Int64(i64::MIN)).unwrap(), "-9223372036854775808");
}

#[test]
fn a_map_without_text_keys_is_an_array_of_pairs() {
    let of = |kind| Arc::new(Schema::of(kind));
    let schema = Schema::of(SchemaType::Map(of(SchemaType::Int32), of(SchemaType::String)));
    let value = Value::Map(vec![(Value::Int32(1), "a".into()), (Value::Int32(2), "b".into())]);
    assert_eq!(json(PLAIN, &schema, &value).unwrap(), r#"[[1,"a"],[2,"b"]]"#);
}

#[test]
fn a_value_of_another_type_is_refused_and_leaves_nothing_behind() {
    let properties = PLAIN.iter().copied().collect::<Properties>();
    let mut converter = create(JSON_CONVERTER, ConverterType::Value, &properties).unwrap();
    let schema = Arc::new(Schema::of(SchemaType::Array(Arc::new(Schema::of(SchemaType::Int32)))));
    let wrong = Value::Array(vec![Value::Int32(1), "two".into()]);
    let error = converter.convert("t", Some(&schema), &wrong).unwrap_err();
    assert_eq!(error.to_string(), "Invalid type for INT32: class java.lang.String");
    let right = converter.convert("t", Some(&schema), &Value::Array(vec![Value::Int32(1)])).unwrap();
    assert_eq!(right.unwrap(), Bytes::from_static(b"[1]"));
}

#[test]
fn strings_and_headers_are_javas_texts() {
    let string = "org.apache.kafka.connect.storage.StringConverter";
    assert_eq!(converted(string, &[], None, &Value::Int64(42)).unwrap(), "42");
    assert_eq!(converted(string, &[], None, &Value::Float64(1.0)).unwrap(), "1.0");
    let schema = Arc::new(Schema::structure(
        "s",
        vec![
            field("id", Schema::of(SchemaType::Int32)),
            field("a", Schema::of(SchemaType::String).optional()),
            field("b", Schema::of(SchemaType::String)),
        ],
    ));
    let value = Value::Struct(Struct::new(schema, vec![Value::Int32(1), Value::Null, "x\"".into()]));
    assert_eq!(converted(string, &[], None, &value).unwrap(), "Struct{id=1,b=x\"}");

    let mut headers = create(SIMPLE_HEADER_CONVERTER, ConverterType::Header, &Properties::new()).unwrap();
    let mut header = |schema: Option<Schema>, value: &Value| {
        let bytes = headers.convert("t", schema.map(Arc::new).as_ref(), value).unwrap().unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    assert_eq!(header(None, &value), r#"{"id":1,"a":null,"b":"x\""}"#);
    assert_eq!(header(None, &"plain \"text\"".into()), "plain \"text\"");
    assert_eq!(header(Some(decimal()), &Value::Bytes(Bytes::from_static(&[5]))), "0.05");
    let timestamp = Schema::of(SchemaType::Int64).named("org.apache.kafka.connect.data.Timestamp");
    assert_eq!(header(Some(timestamp), &Value::Int64(1_709_251_198_007)), "2024-02-29T23:59:58.007Z");
}

#[test]
fn a_converter_that_is_not_there_is_refused_as_a_class() {
    let error = create("com.example.Nope", ConverterType::Key, &Properties::new()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "Invalid value com.example.Nope for configuration key.converter: Class com.example.Nope could not be found."
    );
    assert!(create(SIMPLE_HEADER_CONVERTER, ConverterType::Key, &Properties::new()).is_err());
}

#[test]
fn bytes_pass_and_what_is_none_goes_to_another_converter() {
    const BINARY: &str = "io.debezium.converters.BinaryDataConverter";
    const BYTE_ARRAY: &str = "io.debezium.converters.ByteArrayConverter";
    let bytes = Arc::new(Schema::of(SchemaType::Bytes));
    let text = Arc::new(Schema::of(SchemaType::String));
    let payload = Value::Bytes(vec![0, 1, 0xff].into());
    let delegating = [
        ("delegate.converter.type", "org.apache.kafka.connect.json.JsonConverter"),
        ("delegate.converter.type.schemas.enable", "false"),
    ];
    let convert = |class: &str, properties: &[(&str, &str)], schema: Option<&Arc<Schema>>, value: &Value| {
        let properties = properties.iter().copied().collect();
        create(class, ConverterType::Value, &properties).unwrap().convert("t", schema, value).map_err(|e| e.to_string())
    };
    for properties in [&[][..], &delegating] {
        let made = convert(BINARY, properties, Some(&bytes), &payload);
        assert_eq!(made.unwrap().as_deref(), Some(&[0, 1, 0xff][..]));
        for class in [BINARY, BYTE_ARRAY] {
            assert_eq!(convert(class, properties, None, &Value::Null), Ok(None));
        }
    }
    let refused = convert(BINARY, &[], Some(&text), &"a".into());
    assert_eq!(refused, Err("A t of type 'a' requires a delegate.converter.type to be configured".to_owned()));
    let json = convert(BINARY, &delegating, Some(&text), &"a".into());
    assert_eq!(json.unwrap().as_deref(), Some(&br#""a""#[..]));
    // What Debezium has for bytes is no array of them.
    assert!(convert(BYTE_ARRAY, &[], Some(&bytes), &payload).is_err());
    let json = convert(BYTE_ARRAY, &delegating, Some(&bytes), &payload);
    assert_eq!(json.unwrap().as_deref(), Some(&br#""AAH/""#[..]));
}

const CLOUD_EVENTS: &str = "io.debezium.converters.CloudEventsConverter";

/// A change of a table as Debezium tells of it.
fn change(connector: &str) -> (Arc<Schema>, Value) {
    let text = || Schema::of(SchemaType::String);
    let long = || Schema::of(SchemaType::Int64);
    let row =
        Schema::structure("n.public.t.Value", vec![field("id", long()), field("v", text().optional().or("d".into()))]);
    let row = row.optional();
    let source = Schema::structure(
        "io.debezium.connector.postgresql.Source",
        vec![
            field("version", text()),
            field("connector", text()),
            field("name", text()),
            field("ts_ms", long()),
            field("snapshot", text().optional().or("false".into())),
            field("db", text()),
            field("sequence", text().optional()),
            field("txId", long().optional()),
            field("lsn", long().optional()),
            field("origin_lsn", long().optional()),
        ],
    );
    let transaction = Schema::structure(
        "event.block",
        vec![field("id", text()), field("total_order", long()), field("data_collection_order", long())],
    );
    let envelope = Arc::new(Schema::structure(
        "n.public.t.Envelope",
        vec![
            field("before", row.clone()),
            field("after", row.clone()),
            field("source", source.clone()),
            field("transaction", transaction.clone().optional()),
            field("op", text()),
        ],
    ));
    let of = |schema: Schema, values| Value::Struct(Struct::new(Arc::new(schema), values));
    let values = vec![
        "3.7.0.Final".into(),
        connector.into(),
        "n".into(),
        Value::Int64(1_709_212_455_500),
        Value::Null,
        "d".into(),
        "[null,\"7\"]".into(),
        Value::Int64(700),
        Value::Int64(7),
    ];
    let value = vec![
        Value::Null,
        of(row, vec![Value::Int64(1)]),
        of(source, values),
        of(transaction, vec!["700:7".into(), Value::Int64(1), Value::Int64(2)]),
        "c".into(),
    ];
    let value = Value::Struct(Struct::new(Arc::clone(&envelope), value));
    (envelope, value)
}

fn cloud_event(properties: &[(&str, &str)], headers: &[(&str, &str)]) -> Result<String, String> {
    let (schema, value) = change("postgresql");
    let properties = properties.iter().copied().collect::<Properties>();
    let mut converter = create(CLOUD_EVENTS, ConverterType::Value, &properties).unwrap();
    let header = |(name, text): &(&str, &str)| ((*name).to_owned(), Some(Bytes::copy_from_slice(text.as_bytes())));
    converter.heed_headers(&headers.iter().map(header).collect());
    let made = converter.convert("topic", Some(&schema), &value).map_err(|error| error.to_string())?;
    Ok(made.map_or_else(|| "<null>".to_owned(), |bytes| String::from_utf8(bytes.to_vec()).unwrap()))
}

#[test]
fn a_change_as_a_cloud_event() {
    let attributes = concat!(
        r#"{"id":"name:n;lsn:7;txId:700;sequence:[null,\"7\"]","source":"/debezium/postgresql/n","specversion":"1.0","#,
        r#""type":"io.debezium.connector.postgresql.DataChangeEvent","time":"2024-02-29T13:14:15.500Z","#,
        r#""datacontenttype":"application/json","#,
    );
    let extensions = concat!(
        r#""iodebeziumop":"c","iodebeziumversion":"3.7.0.Final","iodebeziumconnector":"postgresql","iodebeziumname":"n","#,
        r#""iodebeziumtsms":"1709212455500","iodebeziumsnapshot":"false","iodebeziumdb":"d","iodebeziumsequence":"[null,\"7\"]","#,
        r#""iodebeziumtxId":"700","iodebeziumlsn":"7","iodebeziumoriginlsn":null,"iodebeziumtxid":"700:7","#,
        r#""iodebeziumtxtotalorder":"1","iodebeziumtxdatacollectionorder":"2","#,
    );
    let row = concat!(
        r#"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":true,"#,
        r#""default":"d","field":"v"}],"optional":true,"name":"n.public.t.Value","field":"#,
    );
    let schema = format!(
        r#"{{"type":"struct","fields":[{row}"before"}},{row}"after"}}],"optional":false,"name":"io.debezium.connector.postgresql.Data"}}"#
    );
    let rows = r#"{"before":null,"after":{"id":1,"v":"d"}}"#;
    assert_eq!(
        cloud_event(&[], &[]),
        Ok(format!(r#"{attributes}{extensions}"data":{{"schema":{schema},"payload":{rows}}}}}"#))
    );
    let plain = ("json.schemas.enable", "false");
    assert_eq!(cloud_event(&[plain], &[]), Ok(format!(r#"{attributes}{extensions}"data":{rows}}}"#)));
    let bare = [plain, ("extension.attributes.enable", "false"), ("json.replace.null.with.default", "false")];
    let rows = r#"{"before":null,"after":{"id":1,"v":null}}"#;
    assert_eq!(cloud_event(&bare, &[]), Ok(format!(r#"{attributes}"data":{rows}}}"#)));
}

#[test]
fn attributes_of_cloud_events_come_from_headers() {
    let text = |text: &str| format!(r#"{{"schema":{{"type":"string","optional":false}},"payload":"{text}"}}"#);
    let properties = [
        ("metadata.source", "value,id:header,type:generate,dataSchemaName:header,traceparent:header"),
        ("opentelemetry.tracing.attributes.enable", "true"),
        ("schema.data.name.source.header.enable", "true"),
        ("extension.attributes.enable", "false"),
    ];
    let (first, second, trace) = (text("first"), text("second"), text("00-1"));
    let headers = [("id", &*first), ("traceparent", &trace), ("dataSchemaName", &second), ("id", &second)];
    let made = cloud_event(&properties, &headers).unwrap();
    assert!(made.starts_with(r#"{"id":"second","source":"/debezium/postgresql/n""#), "{made}");
    assert!(made.contains(r#""datacontenttype":"application/json","traceparent":"00-1","data":{"schema""#), "{made}");
    assert!(made.contains(r#""optional":false,"name":"second"},"payload":{"before""#), "{made}");

    let fails = |headers: &[(&str, &str)]| cloud_event(&properties, headers).unwrap_err();
    assert_eq!(fails(&[]), "Header `id` was not provided");
    assert!(fails(&[("id", "first")]).starts_with("Converting byte[] to Kafka Connect data failed"));
    let number = r#"{"schema":{"type":"int32"},"payload":1}"#;
    assert_eq!(fails(&[("id", number)]), "class java.lang.Integer cannot be cast to class java.lang.String");
    let no_trace = [("id", &*first), ("dataSchemaName", &second)];
    let null = "Invalid value: null used for required field: \"traceparent\", schema type: STRING";
    assert_eq!(fails(&no_trace), null);
    let by_value = [("metadata.source", "value")];
    assert_eq!(cloud_event(&by_value, &[]), Err(null.replace("traceparent", "id")));
    let by_header = [("metadata.source", "header,id:generate,type:generate")];
    assert_eq!(cloud_event(&by_header, &[("op", &first)]), Ok("<null>".to_owned()));
}

#[test]
fn only_changes_of_postgresql_become_cloud_events() {
    let of = |schema: Option<&Arc<Schema>>, value: &Value| converted(CLOUD_EVENTS, &[], schema, value);
    let text = Arc::new(Schema::of(SchemaType::String));
    assert_eq!(of(None, &Value::Null), Ok("<null>".to_owned()));
    assert_eq!(of(None, &"text".into()), Ok("<null>".to_owned()));
    assert_eq!(
        of(Some(&Arc::new(Schema::of(SchemaType::String).named("k.Key"))), &"text".into()),
        Ok("<null>".to_owned())
    );
    assert!(of(Some(&text), &"text".into()).is_err());
    let (schema, value) = change("mysql");
    assert_eq!(
        of(Some(&schema), &value),
        Err("No usable CloudEvents converters for connector type \"mysql\"".to_owned())
    );
    assert!(create(CLOUD_EVENTS, ConverterType::Header, &Properties::new()).is_err());
}
