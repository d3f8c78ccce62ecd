//! `org.apache.kafka.connect.storage.SimpleHeaderConverter`: a header as text that can be read back
//! (`Values.convertToString`).

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;

use super::Converter;
use crate::connector_config::{ConfigError, Properties};
use crate::data::{DataError, Schema, Value, logical};
use crate::java::base64;
use crate::java::date_format::DateFormat;
use crate::java::{decimal, number};

/// Writes a text as it is, anything else as JSON would have it, but numbers as Java does.
struct SimpleHeaderConverter;

impl Converter for SimpleHeaderConverter {
    fn convert(&mut self, _: &str, schema: Option<&Arc<Schema>>, value: &Value) -> Result<Option<Bytes>, DataError> {
        Ok(match value {
            Value::Null => None,
            Value::String(text) => Some(text.to_bytes()),
            value => Some(text_of(schema.map(AsRef::as_ref), value).into()),
        })
    }
}

/// The text of a value.
pub(crate) fn text_of(schema: Option<&Schema>, value: &Value) -> String {
    let mut out = String::new();
    append(&mut out, schema, value, false);
    out
}

fn append(out: &mut String, schema: Option<&Schema>, value: &Value, embedded: bool) {
    let named = schema.and_then(|schema| schema.name.as_deref());
    let _ = match (named, value) {
        (Some(logical::DATE), Value::Int32(days)) => return append_time(out, i64::from(*days) * 86_400_000),
        (Some(logical::TIME), Value::Int32(millis)) => return append_time(out, (*millis).into()),
        (Some(logical::TIMESTAMP), Value::Int64(millis)) => return append_time(out, *millis),
        (Some(logical::DECIMAL), Value::Bytes(bytes)) => {
            let scale = schema.and_then(logical::decimal_scale).unwrap_or(0);
            write!(out, "{}", decimal::to_text(bytes, scale))
        }
        (_, Value::Null) => write!(out, "null"),
        (_, Value::Int8(value)) => write!(out, "{value}"),
        (_, Value::Int16(value)) => write!(out, "{value}"),
        (_, Value::Int32(value)) => write!(out, "{value}"),
        (_, Value::Int64(value)) => write!(out, "{value}"),
        (_, Value::Float32(value)) => return number::write_float(out, *value),
        (_, Value::Float64(value)) => return number::write_double(out, *value),
        (_, Value::Boolean(value)) => write!(out, "{value}"),
        (_, Value::String(text)) => return append_text(out, text, embedded),
        (_, Value::Bytes(bytes)) => return append_text(out, &base64::encode(bytes), embedded),
        (_, Value::Array(values)) => {
            let of = schema.and_then(Schema::element);
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                append(out, of, value, true);
            }
            write!(out, "]")
        }
        (_, Value::Map(entries)) => {
            let of = schema.and_then(Schema::element);
            out.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                append(out, None, key, true);
                out.push(':');
                append(out, of, value, true);
            }
            write!(out, "}}")
        }
        (_, Value::Struct(value)) => {
            out.push('{');
            for (at, (field, value)) in value.schema().fields().iter().zip(value.values()).enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                append_text(out, &field.name, true);
                out.push(':');
                append(out, Some(&field.schema), value.or_default(&field.schema), true);
            }
            write!(out, "}}")
        }
    };
}

fn append_text(out: &mut String, text: &str, embedded: bool) {
    if !embedded {
        out.push_str(text);
        return;
    }
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

/// A time of the first day, a date at midnight, otherwise both.
fn append_time(out: &mut String, epoch_millis: i64) {
    let pattern = if epoch_millis < 86_400_000 {
        "HH:mm:ss.SSS'Z'"
    } else if epoch_millis % 86_400_000 == 0 {
        "yyyy-MM-dd"
    } else {
        "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"
    };
    if let Ok(format) = DateFormat::new(pattern) {
        out.push_str(&format.format(epoch_millis));
    }
}

#[allow(clippy::unnecessary_wraps)] // one of a table of constructors
pub(super) fn create(_: &Properties) -> Result<Box<dyn Converter>, ConfigError> {
    Ok(Box::new(SimpleHeaderConverter))
}
