//! `InsertHeader`: the same header on every record.

use std::sync::Arc;

use super::Transformation;
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator};
use crate::data::{DataError, Header, Schema, SchemaType, SourceRecord, Value};

struct InsertHeader {
    header: Header,
}

impl Transformation for InsertHeader {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        record.headers.push(self.header.clone());
        Ok(Some(record))
    }
}

/// What a literal means (`Values.parseString`): null, a truth, the smallest number that holds it, otherwise a text. Lists and
/// maps stay texts here, which a header converter that writes texts cannot tell.
fn parse_literal(text: &str) -> (Option<SchemaType>, Value) {
    let trimmed = text.trim();
    match trimmed {
        "null" => return (None, Value::Null),
        "true" => return (Some(SchemaType::Boolean), Value::Boolean(true)),
        "false" => return (Some(SchemaType::Boolean), Value::Boolean(false)),
        _ => {}
    }
    let numeric = trimmed.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
        && trimmed.starts_with(|first: char| first.is_ascii_digit() || "+-".contains(first));
    if let Some(number) = trimmed.parse::<f64>().ok().filter(|_| numeric) {
        let whole = trimmed.parse::<i64>().ok();
        let whole = whole.or((number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64));
        if let Some(whole) = whole {
            return smallest_integer(whole);
        }
        return match number as f32 {
            float if float.is_finite() => (Some(SchemaType::Float32), Value::Float32(float)),
            _ => (Some(SchemaType::Float64), Value::Float64(number)),
        };
    }
    (Some(SchemaType::String), text.into())
}

fn smallest_integer(number: i64) -> (Option<SchemaType>, Value) {
    if let Ok(number) = i8::try_from(number) {
        return (Some(SchemaType::Int8), Value::Int8(number));
    }
    if let Ok(number) = i16::try_from(number) {
        return (Some(SchemaType::Int16), Value::Int16(number));
    }
    match i32::try_from(number) {
        Ok(number) => (Some(SchemaType::Int32), Value::Int32(number)),
        Err(_) => (Some(SchemaType::Int64), Value::Int64(number)),
    }
}

pub(super) fn config_def() -> ConfigDef {
    let text = |name, doc| ConfigKey::new(name, ConfigType::String, Importance::High, doc).valid(Validator::NonNull);
    ConfigDef::new()
        .define(text("header", "The header's name."))
        .define(text("value.literal", "The header's value on every record."))
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let (kind, value) = parse_literal(&config.string("value.literal"));
    let schema = kind.map(|kind| Arc::new(Schema::of(kind)));
    Ok(Box::new(InsertHeader { header: Header { name: config.string("header").into(), schema, value } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_what_it_looks_like() {
        assert_eq!(parse_literal("pg").1, "pg".into());
        assert_eq!(parse_literal("1").1, Value::Int8(1));
        assert_eq!(parse_literal("-300").1, Value::Int16(-300));
        assert_eq!(parse_literal("1.5").1, Value::Float32(1.5));
        assert_eq!(parse_literal("true").1, Value::Boolean(true));
        assert_eq!(parse_literal("1-2").1, "1-2".into());
        assert_eq!(parse_literal("null").1, Value::Null);
    }
}
