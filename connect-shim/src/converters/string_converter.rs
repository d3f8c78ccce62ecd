//! `org.apache.kafka.connect.storage.StringConverter`: what Java's `toString` says of a value.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;

use super::{Converter, base_config_def};
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties};
use crate::data::{DataError, Schema, Struct, Value, logical};
use crate::java::date_format::DateFormat;
use crate::java::{decimal, number};

/// Writes text in UTF-8.
struct StringConverter;

impl Converter for StringConverter {
    fn convert(&mut self, _: &str, schema: Option<&Arc<Schema>>, value: &Value) -> Result<Option<Bytes>, DataError> {
        Ok(match value {
            Value::Null => None,
            Value::String(text) => Some(text.to_bytes()),
            value => {
                let mut out = String::new();
                write_java_text(&mut out, schema.map(AsRef::as_ref), value);
                Some(out.into())
            }
        })
    }
}

/// Appends what `toString` says. Of a struct it is `Struct{id=1,name=a}`, null fields left out; of bytes Java says only
/// where they are, here it is their hexadecimal digits.
pub(crate) fn write_java_text(out: &mut String, schema: Option<&Schema>, value: &Value) {
    let named = schema.and_then(|schema| schema.name.as_deref());
    match (named, value) {
        (Some(logical::DATE), Value::Int32(days)) => out.push_str(&java_date(i64::from(*days) * 86_400_000)),
        (Some(logical::TIME), Value::Int32(millis)) => out.push_str(&java_date((*millis).into())),
        (Some(logical::TIMESTAMP), Value::Int64(millis)) => out.push_str(&java_date(*millis)),
        (Some(logical::DECIMAL), Value::Bytes(bytes)) => {
            let scale = schema.and_then(logical::decimal_scale).unwrap_or(0);
            out.push_str(&decimal::to_text(bytes, scale));
        }
        (_, Value::Null) => out.push_str("null"),
        (_, Value::Int8(value)) => push(out, value),
        (_, Value::Int16(value)) => push(out, value),
        (_, Value::Int32(value)) => push(out, value),
        (_, Value::Int64(value)) => push(out, value),
        (_, Value::Float32(value)) => number::write_float(out, *value),
        (_, Value::Float64(value)) => number::write_double(out, *value),
        (_, Value::Boolean(value)) => push(out, value),
        (_, Value::String(text)) => out.push_str(text),
        (_, Value::Bytes(bytes)) => bytes.iter().for_each(|byte| push(out, &format_args!("{byte:02x}"))),
        (_, Value::Array(values)) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                write_java_text(out, None, value);
            }
            out.push(']');
        }
        (_, Value::Map(entries)) => {
            out.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                write_java_text(out, None, key);
                out.push('=');
                write_java_text(out, None, value);
            }
            out.push('}');
        }
        (_, Value::Struct(value)) => write_struct(out, value),
    }
}

fn write_struct(out: &mut String, value: &Struct) {
    out.push_str("Struct{");
    let mut first = true;
    for (field, value) in value.schema().fields().iter().zip(value.values()) {
        if value.is_null() {
            continue;
        }
        out.push_str(if first { "" } else { "," });
        first = false;
        out.push_str(&field.name);
        out.push('=');
        write_java_text(out, Some(&field.schema), value);
    }
    out.push('}');
}

fn push(out: &mut String, value: &impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}

/// `java.util.Date.toString` in UTC.
fn java_date(epoch_millis: i64) -> String {
    DateFormat::new("EEE MMM dd HH:mm:ss z yyyy").map(|format| format.format(epoch_millis)).unwrap_or_default()
}

#[allow(clippy::unnecessary_wraps)] // one of a table of constructors
pub(super) fn create(_: &Properties) -> Result<Box<dyn Converter>, ConfigError> {
    Ok(Box::new(StringConverter))
}

pub(super) fn config_def() -> ConfigDef {
    let doc = "The name of the character set in which texts are written.";
    base_config_def()
        .define(ConfigKey::new("converter.encoding", ConfigType::String, Importance::High, doc).or("UTF-8"))
}
