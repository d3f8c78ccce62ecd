//! `ValueToKey`: a key made of fields of the value.

use std::sync::Arc;

use super::operating::{entry, field, field_value, not_a_struct};
use super::{Transformation, replace_null_with_default};
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator};
use crate::data::{DataError, Schema, SchemaCache, SchemaType, SourceRecord, Struct, Value};

const PURPOSE: &str = "copying fields from value to key";

struct ValueToKey {
    fields: Vec<String>,
    replace_null_with_default: bool,
    schemas: SchemaCache<Arc<Schema>>,
}

impl Transformation for ValueToKey {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        let names = self.fields.iter();
        match (&record.value_schema, &record.value) {
            (None, Value::Map(entries)) => {
                let value = |name: &String| entry(entries, name).cloned().unwrap_or_default();
                record.key = Value::Map(names.map(|name| (name.as_str().into(), value(name))).collect());
                record.key_schema = None;
            }
            (None, other) => {
                let found = other.java_class();
                let what = "Only Map objects supported in absence of schema for";
                return Err(DataError::new(format!("{what} [{PURPOSE}], found: {found}")));
            }
            (Some(_), Value::Struct(value)) => {
                let schema = self.schemas.or_make(value.schema(), |schema| key_schema(schema, &self.fields))?;
                let value = |name: &String| field_value(value, name, self.replace_null_with_default).cloned();
                let values = self.fields.iter().map(|name| value(name).unwrap_or_default()).collect();
                record.key = Value::Struct(Struct::new(Arc::clone(&schema), values));
                record.key_schema = Some(schema);
            }
            (Some(_), other) => return Err(not_a_struct(other, PURPOSE)),
        }
        Ok(Some(record))
    }
}

fn key_schema(schema: &Schema, names: &[String]) -> Result<Arc<Schema>, DataError> {
    let of_value = |name: &String| match schema.index_of(name) {
        Some(at) => Ok(field(name, Arc::clone(&schema.fields()[at].schema))),
        None => Err(DataError::new(format!("Field does not exist: {name}"))),
    };
    let fields = names.iter().map(of_value).collect::<Result<_, _>>()?;
    Ok(Arc::new(Schema::of(SchemaType::Struct(fields))))
}

pub(super) fn config_def() -> ConfigDef {
    let doc = "Fields of the value of which the key is made.";
    let fields = ConfigKey::new("fields", ConfigType::List, Importance::High, doc);
    ConfigDef::new()
        .define(fields.valid(Validator::DistinctItems { empty_allowed: false }))
        .define(replace_null_with_default())
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let replace_null_with_default = config.is("replace.null.with.default");
    Ok(Box::new(ValueToKey {
        fields: config.list("fields"),
        replace_null_with_default,
        schemas: SchemaCache::default(),
    }))
}
