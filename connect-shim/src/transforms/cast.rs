//! `Cast`: fields, or the whole, as another primitive type.

use std::sync::Arc;

use super::operating::{Side, entry, field, set_entry, values_of, with_fields};
use super::{Transformation, replace_null_with_default};
use crate::connector_config::{
    Config, ConfigDef, ConfigError, ConfigKey, ConfigType, ConfigValue, Importance, Properties, Validator,
};
use crate::converters::text_of;
use crate::data::{DataError, Schema, SchemaCache, SchemaType, SourceRecord, Struct, Value, logical};
use crate::java::decimal;

const PURPOSE: &str = "cast types";

struct Cast {
    side: Side,
    /// What becomes what; a name that is not there is the whole.
    casts: Vec<(Option<String>, SchemaType)>,
    replace_null_with_default: bool,
    schemas: SchemaCache<Arc<Schema>>,
}

impl Cast {
    fn whole(&self) -> Option<&SchemaType> {
        self.casts.iter().find(|(name, _)| name.is_none()).map(|(_, kind)| kind)
    }

    fn of_field(&self, name: &str) -> Option<&SchemaType> {
        self.casts.iter().find(|(field, _)| field.as_deref() == Some(name)).map(|(_, kind)| kind)
    }

    fn updated(&self, schema: &Schema) -> Result<Arc<Schema>, DataError> {
        let recast = |schema: &Schema, kind: &SchemaType| {
            let default = schema.default.as_ref().map(|default| cast(Some(schema), default, kind)).transpose()?;
            Ok::<_, DataError>(Schema { optional: schema.optional, default, ..Schema::of(kind.clone()) })
        };
        if let Some(kind) = self.whole() {
            let Schema { name, version, doc, parameters, .. } = schema.clone();
            return Ok(Arc::new(Schema { name, version, doc, parameters, ..recast(schema, kind)? }));
        }
        let mut fields = Vec::with_capacity(schema.fields().len());
        for one in schema.fields() {
            fields.push(match self.of_field(&one.name) {
                Some(kind) => field(&one.name, Arc::new(recast(&one.schema, kind)?)),
                None => one.clone(),
            });
        }
        Ok(Arc::new(Schema { optional: schema.optional, ..with_fields(schema, fields) }))
    }
}

impl Transformation for Cast {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        if self.side.value(&record).is_null() {
            return Ok(Some(record));
        }
        let Some(schema) = self.side.schema(&record).cloned() else {
            let updated = match self.whole() {
                Some(kind) => cast(None, self.side.value(&record), kind)?,
                None => {
                    let mut entries = self.side.take_map(&mut record, PURPOSE)?;
                    for (name, kind) in &self.casts {
                        let name = name.as_deref().unwrap_or_default();
                        let value = cast(None, entry(&entries, name).unwrap_or(&Value::Null), kind)?;
                        set_entry(&mut entries, name, value);
                    }
                    Value::Map(entries)
                }
            };
            self.side.put(&mut record, None, updated);
            return Ok(Some(record));
        };
        let updated = self.schemas.or_make(&schema, |schema| self.updated(schema))?;
        let value = match self.whole() {
            Some(kind) => cast(Some(&schema), self.side.value(&record), kind)?,
            None => {
                let value = self.side.take_struct(&mut record, PURPOSE)?;
                let mut values = values_of(value, self.replace_null_with_default);
                for (value, field) in values.iter_mut().zip(schema.fields()) {
                    if let Some(kind) = self.of_field(&field.name) {
                        *value = cast(Some(&field.schema), value, kind)?;
                    }
                }
                Value::Struct(Struct::new(Arc::clone(&updated), values))
            }
        };
        self.side.put(&mut record, Some(updated), value);
        Ok(Some(record))
    }
}

/// What Java's casts make of a value.
fn cast(schema: Option<&Schema>, value: &Value, target: &SchemaType) -> Result<Value, DataError> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    if let Value::Array(_) | Value::Map(_) | Value::Struct(_) = value {
        let kind = match value {
            Value::Array(_) => "ARRAY",
            Value::Map(_) => "MAP",
            _ => "STRUCT",
        };
        return Err(DataError::new(format!(
            "Cast transformation does not support casting from {kind}; supported types are [INT8, INT16, INT32, INT64, \
             FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]"
        )));
    }
    if *target == SchemaType::String {
        return Ok(Value::String(text_of(schema, value).into()));
    }
    if let Value::String(text) = value {
        return parse(text, target);
    }
    let decimal = match (value, schema.and_then(logical::decimal_scale)) {
        (Value::Bytes(bytes), Some(scale)) => Some(decimal::to_text(bytes, scale)),
        (Value::Bytes(_), None) => {
            return Err(DataError::new("Unexpected type in Cast transformation: class java.nio.HeapByteBuffer"));
        }
        _ => None,
    };
    let float = match (value, &decimal) {
        (Value::Float32(number), _) => Some(f64::from(*number)),
        (Value::Float64(number), _) => Some(*number),
        (_, Some(text)) => text.parse().ok(),
        _ => None,
    };
    let integer = match value {
        Value::Boolean(value) => i64::from(*value),
        Value::Int8(number) => i64::from(*number),
        Value::Int16(number) => i64::from(*number),
        Value::Int32(number) => i64::from(*number),
        Value::Int64(number) => *number,
        // As Java, and Rust too: cut off, and no further than the ends.
        _ => float.unwrap_or(0.0) as i64,
    };
    // Of floating-point numbers the small types are cut out of 32 bits, of integers out of all.
    let narrow = if float.is_some() && decimal.is_none() { float.unwrap_or(0.0) as i32 } else { integer as i32 };
    Ok(match target {
        SchemaType::Int8 => Value::Int8(narrow as i8),
        SchemaType::Int16 => Value::Int16(narrow as i16),
        SchemaType::Int32 => Value::Int32(narrow),
        SchemaType::Int64 => Value::Int64(integer),
        SchemaType::Float32 => Value::Float32(float.map_or(integer as f32, |float| float as f32)),
        SchemaType::Float64 => Value::Float64(float.unwrap_or(integer as f64)),
        _ => Value::Boolean(integer != 0),
    })
}

fn parse(text: &str, target: &SchemaType) -> Result<Value, DataError> {
    let out_of_range = || DataError::new(format!("Value ({text}) was out of range for requested data type"));
    let parsed = match target {
        SchemaType::Int8 => text.parse().ok().map(Value::Int8),
        SchemaType::Int16 => text.parse().ok().map(Value::Int16),
        SchemaType::Int32 => text.parse().ok().map(Value::Int32),
        SchemaType::Int64 => text.parse().ok().map(Value::Int64),
        SchemaType::Float32 => text.trim().parse().ok().map(Value::Float32),
        SchemaType::Float64 => text.trim().parse().ok().map(Value::Float64),
        _ => Some(Value::Boolean(text.eq_ignore_ascii_case("true"))),
    };
    parsed.ok_or_else(out_of_range)
}

pub(super) fn config_def() -> ConfigDef {
    let doc = "Pairs of a field and its type, such as foo:int32,bar:string, or one type for the whole. Types are int8, int16, \
               int32, int64, float32, float64, boolean and string; bytes can only become a string.";
    let spec = ConfigKey::new("spec", ConfigType::List, Importance::High, doc);
    ConfigDef::new().define(spec.valid(Validator::Custom(check))).define(replace_null_with_default())
}

fn check(_: &str, value: &ConfigValue) -> Result<(), ConfigError> {
    match value {
        ConfigValue::List(items) if !items.is_empty() => parse_spec(items).map(drop),
        _ => Err(ConfigError::new("Must specify at least one field to cast.")),
    }
}

fn parse_spec(items: &[String]) -> Result<Vec<(Option<String>, SchemaType)>, ConfigError> {
    let mut casts = Vec::new();
    for item in items {
        casts.push(match item.split(':').collect::<Vec<_>>()[..] {
            [whole] => (None, output_type(whole.trim())?),
            [name, kind] => (Some(name.trim().to_owned()), output_type(kind.trim())?),
            _ => {
                let all = format!("[{}]", items.join(", "));
                return Err(ConfigError::value("renames", &all, &format!("Invalid rename mapping: {item}")));
            }
        });
    }
    if casts.len() > 1 && casts.iter().any(|(name, _)| name.is_none()) {
        return Err(ConfigError::new(
            "Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec",
        ));
    }
    Ok(casts)
}

fn output_type(name: &str) -> Result<SchemaType, ConfigError> {
    Ok(match name.to_ascii_uppercase().as_str() {
        "INT8" => SchemaType::Int8,
        "INT16" => SchemaType::Int16,
        "INT32" => SchemaType::Int32,
        "INT64" => SchemaType::Int64,
        "FLOAT32" => SchemaType::Float32,
        "FLOAT64" => SchemaType::Float64,
        "BOOLEAN" => SchemaType::Boolean,
        "STRING" => SchemaType::String,
        kind @ ("BYTES" | "ARRAY" | "MAP" | "STRUCT") => {
            return Err(ConfigError::new(format!(
                "Cast transformation does not support casting to {kind}; supported types are [INT8, INT16, INT32, INT64, \
                 FLOAT32, FLOAT64, BOOLEAN, STRING]"
            )));
        }
        _ => return Err(ConfigError::new(format!("Invalid type found in casting spec: {name}"))),
    })
}

pub(super) fn create(side: Side, properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config: Config = config_def().parse(properties)?;
    Ok(Box::new(Cast {
        side,
        casts: parse_spec(&config.list("spec"))?,
        replace_null_with_default: config.is("replace.null.with.default"),
        schemas: SchemaCache::default(),
    }))
}
