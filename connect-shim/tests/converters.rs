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
