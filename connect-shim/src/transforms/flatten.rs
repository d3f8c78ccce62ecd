//! `Flatten`: the fields of structs within structs side by side, under joined names.

use std::sync::Arc;

use super::Transformation;
use super::operating::{Side, field, not_a_struct, with_fields};
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties};
use crate::data::{DataError, Field, Schema, SchemaCache, SchemaType, SourceRecord, Struct, Value};

const PURPOSE: &str = "flattening";

struct Flatten {
    side: Side,
    delimiter: String,
    schemas: SchemaCache<Arc<Schema>>,
}

impl Flatten {
    fn joined(&self, prefix: &str, name: &str) -> String {
        if prefix.is_empty() { name.to_owned() } else { format!("{prefix}{}{name}", self.delimiter) }
    }

    /// Appends the fields of a struct. What may be missing with the struct may be null.
    fn flatten_schema(
        &self,
        schema: &Schema,
        prefix: &str,
        optional: bool,
        default: Option<&Struct>,
        fields: &mut Vec<Field>,
    ) -> Result<(), DataError> {
        for one in schema.fields() {
            let name = self.joined(prefix, &one.name);
            let optional = optional || one.schema.optional;
            let of_parent = || default.and_then(|parent| parent.get_or_default(&one.name));
            let default = one.schema.default.as_ref().or_else(of_parent).filter(|value| !value.is_null());
            match &one.schema.kind {
                SchemaType::Struct(_) => {
                    let default = default.and_then(Value::as_struct);
                    self.flatten_schema(&one.schema, &name, optional, default, fields)?;
                }
                SchemaType::Map(..) => {
                    return Err(DataError::new(format!(
                        "Flatten transformation does not support MAP for record with schemas (for field {name})."
                    )));
                }
                _ => {
                    let flat = Schema { optional, default: default.cloned(), ..one.schema.as_ref().clone() };
                    fields.push(field(&name, Arc::new(flat)));
                }
            }
        }
        Ok(())
    }

    fn flatten_map(
        &self,
        entries: Vec<(Value, Value)>,
        prefix: &str,
        out: &mut Vec<(Value, Value)>,
    ) -> Result<(), DataError> {
        for (key, value) in entries {
            let name = self.joined(prefix, key.as_str().unwrap_or_default());
            match value {
                Value::Map(inner) => self.flatten_map(inner, &name, out)?,
                Value::Struct(_) => {
                    return Err(DataError::new(format!(
                        "Flatten transformation does not support class org.apache.kafka.connect.data.Struct for record \
                         without schemas (for field {name})."
                    )));
                }
                value => out.push((name.as_str().into(), value)),
            }
        }
        Ok(())
    }
}

/// Appends the values of a struct; as many nulls as it would have had if there is none.
fn flatten_values(schema: &Schema, value: Option<Struct>, out: &mut Vec<Value>) {
    let mut values = value.map(Struct::into_values).unwrap_or_default();
    values.resize(schema.fields().len(), Value::Null);
    for (one, value) in schema.fields().iter().zip(values) {
        match (&one.schema.kind, value) {
            (SchemaType::Struct(_), Value::Struct(inner)) => flatten_values(&one.schema, Some(inner), out),
            (SchemaType::Struct(_), _) => flatten_values(&one.schema, None, out),
            (_, value) => out.push(value.or_default(&one.schema).clone()),
        }
    }
}

impl Transformation for Flatten {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        if self.side.value(&record).is_null() {
            return Ok(Some(record));
        }
        let Some(schema) = self.side.schema(&record).cloned() else {
            let entries = self.side.take_map(&mut record, PURPOSE)?;
            let mut flat = Vec::new();
            self.flatten_map(entries, "", &mut flat)?;
            self.side.put(&mut record, None, Value::Map(flat));
            return Ok(Some(record));
        };
        let flat = self.schemas.or_make(&schema, |schema| {
            let mut fields = Vec::new();
            let default = schema.default.as_ref().and_then(Value::as_struct);
            self.flatten_schema(schema, "", schema.optional, default, &mut fields)?;
            Ok(Arc::new(with_fields(schema, fields)))
        })?;
        let Value::Struct(value) = self.side.take(&mut record) else {
            return Err(not_a_struct(self.side.value(&record), PURPOSE));
        };
        let mut values = Vec::with_capacity(flat.fields().len());
        flatten_values(&schema, Some(value), &mut values);
        self.side.put(&mut record, Some(Arc::clone(&flat)), Value::Struct(Struct::new(flat, values)));
        Ok(Some(record))
    }
}

pub(super) fn config_def() -> ConfigDef {
    let doc = "What stands between the joined names.";
    ConfigDef::new().define(ConfigKey::new("delimiter", ConfigType::String, Importance::Medium, doc).or("."))
}

pub(super) fn create(side: Side, properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    Ok(Box::new(Flatten { side, delimiter: config.string("delimiter"), schemas: SchemaCache::default() }))
}
