//! `MaskField`: zero, the empty text, or a replacement in place of what nobody shall see.

use bytes::Bytes;

use super::operating::{Side, entry, set_entry, values_of};
use super::{Transformation, replace_null_with_default};
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator};
use crate::data::{DataError, Schema, SourceRecord, Struct, Value, logical};
use crate::java::decimal;

const PURPOSE: &str = "mask fields";

struct MaskField {
    side: Side,
    fields: Vec<String>,
    replacement: Option<String>,
    replace_null_with_default: bool,
}

impl MaskField {
    fn masked(&self, schema: Option<&Schema>, value: &Value) -> Result<Value, DataError> {
        match &self.replacement {
            _ if value.is_null() => Ok(Value::Null),
            None => emptied(schema, value),
            Some(replacement) => replaced(schema, value, replacement),
        }
    }
}

impl Transformation for MaskField {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        if self.side.schema(&record).is_none() {
            let mut entries = self.side.take_map(&mut record, PURPOSE)?;
            for name in &self.fields {
                let masked = self.masked(None, entry(&entries, name).unwrap_or(&Value::Null))?;
                set_entry(&mut entries, name, masked);
            }
            self.side.put(&mut record, None, Value::Map(entries));
            return Ok(Some(record));
        }
        let outer = self.side.schema(&record).cloned();
        let value = self.side.take_struct(&mut record, PURPOSE)?;
        let schema = std::sync::Arc::clone(value.schema());
        let mut values = values_of(value, self.replace_null_with_default);
        for (value, field) in values.iter_mut().zip(schema.fields()) {
            if self.fields.iter().any(|name| **name == *field.name) {
                *value = self.masked(Some(&field.schema), value)?;
            }
        }
        self.side.put(&mut record, outer, Value::Struct(Struct::new(schema, values)));
        Ok(Some(record))
    }
}

/// The nothing of a value's type. A decimal keeps its scale.
fn emptied(schema: Option<&Schema>, value: &Value) -> Result<Value, DataError> {
    Ok(match value {
        Value::Boolean(_) => Value::Boolean(false),
        Value::Int8(_) => Value::Int8(0),
        Value::Int16(_) => Value::Int16(0),
        Value::Int32(_) => Value::Int32(0),
        Value::Int64(_) => Value::Int64(0),
        Value::Float32(_) => Value::Float32(0.0),
        Value::Float64(_) => Value::Float64(0.0),
        Value::String(_) => "".into(),
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Map(_) => Value::Map(Vec::new()),
        Value::Bytes(_) if schema.is_some_and(|schema| logical::decimal_scale(schema).is_some()) => {
            Value::Bytes(Bytes::from_static(&[0]))
        }
        Value::Bytes(_) | Value::Struct(_) | Value::Null => {
            return Err(DataError::new(format!("Cannot mask value of type: class {}", value.java_class())));
        }
    })
}

fn replaced(schema: Option<&Schema>, value: &Value, replacement: &str) -> Result<Value, DataError> {
    let unsuited =
        |class: &str| DataError::new(format!("Cannot mask value of type class {class} with custom replacement."));
    let no_number = || DataError::new(format!("Unable to convert {replacement} (class java.lang.String) to number"));
    let name = schema.and_then(|schema| schema.name.as_deref());
    if matches!(name, Some(logical::DATE | logical::TIME | logical::TIMESTAMP)) {
        return Err(unsuited("java.util.Date"));
    }
    Ok(match value {
        Value::Int8(_) => Value::Int8(replacement.parse().map_err(|_| no_number())?),
        Value::Int16(_) => Value::Int16(replacement.parse().map_err(|_| no_number())?),
        Value::Int32(_) => Value::Int32(replacement.parse().map_err(|_| no_number())?),
        Value::Int64(_) => Value::Int64(replacement.parse().map_err(|_| no_number())?),
        Value::Float32(_) => Value::Float32(replacement.parse().map_err(|_| no_number())?),
        Value::Float64(_) => Value::Float64(replacement.parse().map_err(|_| no_number())?),
        Value::String(_) => replacement.into(),
        Value::Bytes(_) => match schema.and_then(logical::decimal_scale) {
            Some(scale) => Value::Bytes(decimal::unscaled(replacement, scale).ok_or_else(no_number)?.into()),
            None => return Err(unsuited(value.java_class())),
        },
        other => return Err(unsuited(other.java_class())),
    })
}

pub(super) fn config_def() -> ConfigDef {
    let fields = ConfigKey::new("fields", ConfigType::List, Importance::High, "Names of the fields that are masked.");
    let doc = "What stands in place of numbers and texts; nothing makes them zero and empty.";
    let replacement = ConfigKey::new("replacement", ConfigType::String, Importance::Low, doc);
    ConfigDef::new()
        .define(fields.valid(Validator::DistinctItems { empty_allowed: false }))
        .define(replacement.optional().valid(Validator::NonEmptyString))
        .define(replace_null_with_default())
}

pub(super) fn create(side: Side, properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    Ok(Box::new(MaskField {
        side,
        fields: config.list("fields"),
        replacement: config.text("replacement").map(str::to_owned),
        replace_null_with_default: config.is("replace.null.with.default"),
    }))
}
