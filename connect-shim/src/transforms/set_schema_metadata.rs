//! `SetSchemaMetadata`: another name or version for a schema.

use std::sync::Arc;

use super::operating::{Side, values_of};
use super::{Transformation, replace_null_with_default};
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties};
use crate::data::{DataError, Schema, SchemaCache, SourceRecord, Struct, Value};

struct SetSchemaMetadata {
    side: Side,
    name: Option<Arc<str>>,
    version: Option<i32>,
    replace_null_with_default: bool,
    schemas: SchemaCache<Arc<Schema>>,
}

impl Transformation for SetSchemaMetadata {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        let Some(schema) = self.side.schema(&record).cloned() else {
            if self.side.value(&record).is_null() {
                return Ok(Some(record));
            }
            return Err(DataError::new("Schema required for [updating schema metadata]"));
        };
        let updated = self.schemas.or_make(&schema, |schema| {
            let name = self.name.clone().or_else(|| schema.name.clone());
            Ok(Arc::new(Schema { name, version: self.version.or(schema.version), ..schema.clone() }))
        })?;
        let value = match self.side.take(&mut record) {
            Value::Struct(value) => {
                let values = values_of(value, self.replace_null_with_default);
                Value::Struct(Struct::new(Arc::clone(&updated), values))
            }
            other => other,
        };
        self.side.put(&mut record, Some(updated), value);
        Ok(Some(record))
    }
}

pub(super) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .define(
            ConfigKey::new("schema.name", ConfigType::String, Importance::High, "The schema's new name.").optional(),
        )
        .define(
            ConfigKey::new("schema.version", ConfigType::Int, Importance::High, "The schema's new version.").optional(),
        )
        .define(replace_null_with_default())
}

pub(super) fn create(side: Side, properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let name: Option<Arc<str>> = config.text("schema.name").map(Into::into);
    let version = config.number("schema.version").and_then(|version| i32::try_from(version).ok());
    if name.is_none() && version.is_none() {
        return Err(ConfigError::new("Neither schema name nor version configured"));
    }
    let replace_null_with_default = config.is("replace.null.with.default");
    Ok(Box::new(SetSchemaMetadata { side, name, version, replace_null_with_default, schemas: SchemaCache::default() }))
}
