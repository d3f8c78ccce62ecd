//! Data read from JSON with its schema beside it (`JsonConverter.toConnectData` with `schemas.enable`).

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::data::{DataError, Field, Schema, SchemaType, Struct, Value};
use crate::java::base64;

type Object = Map<String, Json>;

/// A value and what it is; `None` where the schema is null.
///
/// # Errors
/// That it is not JSON, has no schema beside it, or is not what that says.
pub(super) fn read(bytes: &[u8]) -> Result<(Option<Arc<Schema>>, Value), DataError> {
    let read = serde_json::from_slice::<Json>(bytes);
    let read = read
        .map_err(|_| DataError::new("Converting byte[] to Kafka Connect data failed due to serialization error: "))?;
    let both = match &read {
        Json::Object(object) if object.len() == 2 => object.get("schema").zip(object.get("payload")),
        _ => None,
    };
    let (schema, payload) = both.ok_or_else(|| {
        DataError::new(
            "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional \
             fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration.",
        )
    })?;
    if schema.is_null() {
        return Ok((None, without_schema(payload)));
    }
    let schema = Arc::new(schema_of(schema)?);
    let value = value_of(&schema, payload)?;
    Ok((Some(schema), value))
}

fn schema_of(json: &Json) -> Result<Schema, DataError> {
    let Json::Object(json) = json else {
        return Err(DataError::new("Schema must contain 'type' field"));
    };
    let text = |name: &str| json.get(name).and_then(Json::as_str);
    let kind = text("type").ok_or_else(|| DataError::new("Schema must contain 'type' field"))?;
    let mut schema = Schema {
        optional: json.get("optional").and_then(Json::as_bool).unwrap_or_default(),
        name: text("name").map(Into::into),
        version: json.get("version").and_then(Json::as_i64).and_then(|version| i32::try_from(version).ok()),
        doc: text("doc").map(Into::into),
        ..Schema::of(kind_of(kind, json)?)
    };
    if let Some(Json::Object(parameters)) = json.get("parameters") {
        for (name, value) in parameters {
            let value = value.as_str();
            let value = value.ok_or_else(|| DataError::new("Schema parameters must have string values."))?;
            schema = schema.parameter(name.as_str(), value);
        }
    }
    if let Some(default) = json.get("default").filter(|default| !default.is_null()) {
        schema.default = Some(value_of(&Arc::new(schema.clone()), default)?);
    }
    Ok(schema)
}

fn kind_of(kind: &str, json: &Object) -> Result<SchemaType, DataError> {
    let inner =
        |name: &str, why: &str| json.get(name).ok_or_else(|| DataError::new(why)).and_then(schema_of).map(Arc::new);
    Ok(match kind {
        "boolean" => SchemaType::Boolean,
        "int8" => SchemaType::Int8,
        "int16" => SchemaType::Int16,
        "int32" => SchemaType::Int32,
        "int64" => SchemaType::Int64,
        "float" => SchemaType::Float32,
        "double" => SchemaType::Float64,
        "bytes" => SchemaType::Bytes,
        "string" => SchemaType::String,
        "array" => SchemaType::Array(inner("items", "Array schema did not specify the element type")?),
        "map" => SchemaType::Map(
            inner("keys", "Map schema did not specify the key type")?,
            inner("values", "Map schema did not specify the value type")?,
        ),
        "struct" => {
            let Some(Json::Array(fields)) = json.get("fields") else {
                return Err(DataError::new("Struct schema's \"fields\" argument is not an array."));
            };
            let field = |json: &Json| {
                let name = json.get("field").and_then(Json::as_str);
                let name = name.ok_or_else(|| DataError::new("Struct schema's field name not specified properly"))?;
                Ok(Field { name: name.into(), schema: Arc::new(schema_of(json)?) })
            };
            SchemaType::Struct(fields.iter().map(field).collect::<Result<_, DataError>>()?)
        }
        other => return Err(DataError::new(format!("Unknown schema type: {other}"))),
    })
}

fn value_of(schema: &Arc<Schema>, json: &Json) -> Result<Value, DataError> {
    if json.is_null() {
        return match &schema.default {
            Some(default) => Ok(default.clone()),
            None if schema.optional => Ok(Value::Null),
            None => {
                let kind = schema.kind.name().to_uppercase();
                Err(DataError::new(format!("Invalid null value for required {kind} field")))
            }
        };
    }
    let whole = || json.as_i64();
    let value = match &schema.kind {
        SchemaType::Boolean => json.as_bool().map(Value::Boolean),
        SchemaType::Int8 => whole().and_then(|number| number.try_into().ok()).map(Value::Int8),
        SchemaType::Int16 => whole().and_then(|number| number.try_into().ok()).map(Value::Int16),
        SchemaType::Int32 => whole().and_then(|number| number.try_into().ok()).map(Value::Int32),
        SchemaType::Int64 => whole().map(Value::Int64),
        SchemaType::Float32 => json.as_f64().map(|number| Value::Float32(number as f32)),
        SchemaType::Float64 => json.as_f64().map(Value::Float64),
        SchemaType::String => json.as_str().map(Value::from),
        SchemaType::Bytes => json.as_str().and_then(base64::decode).map(|bytes| Value::Bytes(bytes.into())),
        SchemaType::Array(of) => match json {
            Json::Array(items) => {
                Some(Value::Array(items.iter().map(|item| value_of(of, item)).collect::<Result<_, _>>()?))
            }
            _ => None,
        },
        SchemaType::Map(keys, values) => match json {
            Json::Object(members) => {
                let pair = |(key, value): (&String, &Json)| Ok((Value::from(key.as_str()), value_of(values, value)?));
                Some(Value::Map(members.iter().map(pair).collect::<Result<_, DataError>>()?))
            }
            Json::Array(pairs) => {
                let pair = |pair: &Json| match pair.as_array().map(Vec::as_slice) {
                    Some([key, value]) => Ok((value_of(keys, key)?, value_of(values, value)?)),
                    _ => Err(DataError::new("Found invalid map entry, expected a list of two")),
                };
                Some(Value::Map(pairs.iter().map(pair).collect::<Result<_, DataError>>()?))
            }
            _ => None,
        },
        SchemaType::Struct(fields) => match json {
            Json::Object(members) => {
                let member = |field: &Field| value_of(&field.schema, members.get(&*field.name).unwrap_or(&Json::Null));
                let values = fields.iter().map(member).collect::<Result<_, _>>()?;
                Some(Value::Struct(Struct::new(Arc::clone(schema), values)))
            }
            _ => None,
        },
    };
    value.ok_or_else(|| DataError::new(format!("The payload is no {}", schema.kind.name())))
}

fn without_schema(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float64(number.as_f64().unwrap_or(f64::NAN)), Value::Int64)
        }
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::Array(items.iter().map(without_schema).collect()),
        Json::Object(members) => {
            Value::Map(members.iter().map(|(name, value)| (name.as_str().into(), without_schema(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::connector_config::Properties;
    use crate::converters::{Converter, JsonConverter};

    #[test]
    fn what_the_converter_writes_is_read_back() {
        let text = Arc::new(Schema::of(SchemaType::String).optional().or("d".into()));
        let of = |kind| Arc::new(Schema::of(kind));
        let fields = [
            ("text", Arc::clone(&text), "ä\"".into()),
            ("missing", Arc::new(Schema::of(SchemaType::Int64).optional()), Value::Null),
            (
                "long",
                Arc::new(Schema::of(SchemaType::Int64).named("x.Y").versioned(2).parameter("p", "q")),
                Value::Int64(i64::MIN),
            ),
            ("small", of(SchemaType::Int8), Value::Int8(-1)),
            ("double", of(SchemaType::Float64), Value::Float64(0.1)),
            ("bytes", of(SchemaType::Bytes), Value::Bytes(vec![0, 255].into())),
            ("list", of(SchemaType::Array(of(SchemaType::Boolean))), Value::Array(vec![Value::Boolean(true)])),
            ("map", of(SchemaType::Map(of(SchemaType::Int32), text)), Value::Map(vec![(Value::Int32(7), "v".into())])),
        ];
        let named =
            |(name, schema, _): &(&str, Arc<Schema>, Value)| Field { name: (*name).into(), schema: Arc::clone(schema) };
        let schema = Arc::new(Schema::structure("s", fields.iter().map(named).collect()));
        let value =
            Value::Struct(Struct::new(Arc::clone(&schema), fields.into_iter().map(|(_, _, value)| value).collect()));
        let mut converter =
            JsonConverter::new(&[("converter.type", "header")].into_iter().collect::<Properties>()).unwrap();
        let bytes = converter.convert("t", Some(&schema), &value).unwrap().unwrap();
        assert_eq!(read(&bytes), Ok((Some(schema), value)));
    }

    #[test]
    fn what_has_no_schema_beside_it_is_refused() {
        for (text, error) in [
            ("hello", "Converting byte[] to Kafka Connect data failed"),
            ("", "Converting byte[] to Kafka Connect data failed"),
            ("\"hello\"", "JsonConverter with schemas.enable requires"),
            ("{\"payload\":1}", "JsonConverter with schemas.enable requires"),
            ("{\"schema\":{},\"payload\":1}", "Schema must contain 'type' field"),
            ("{\"schema\":{\"type\":\"int32\"},\"payload\":null}", "Invalid null value for required INT32 field"),
            ("{\"schema\":{\"type\":\"int32\"},\"payload\":\"1\"}", "The payload is no int32"),
        ] {
            let said = read(text.as_bytes()).unwrap_err().to_string();
            assert!(said.starts_with(error), "{text}: {said}");
        }
        assert_eq!(read(b"{\"schema\":null,\"payload\":\"x\"}"), Ok((None, "x".into())));
    }
}
