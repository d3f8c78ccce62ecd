//! `HoistField`: the whole as the one field of a struct.

use std::sync::Arc;

use super::Transformation;
use super::operating::{Side, field};
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties};
use crate::data::{DataError, Schema, SchemaCache, SchemaType, SourceRecord, Struct, Value};

struct HoistField {
    side: Side,
    name: String,
    schemas: SchemaCache<Arc<Schema>>,
}

impl Transformation for HoistField {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        let schema = self.side.schema(&record).cloned();
        let value = self.side.take(&mut record);
        let Some(schema) = schema else {
            self.side.put(&mut record, None, Value::Map(vec![(self.name.as_str().into(), value)]));
            return Ok(Some(record));
        };
        let hoisted = self.schemas.or_make(&schema, |_| {
            Ok(Arc::new(Schema::of(SchemaType::Struct(vec![field(&self.name, Arc::clone(&schema))]))))
        })?;
        let value = Value::Struct(Struct::new(Arc::clone(&hoisted), vec![value]));
        self.side.put(&mut record, Some(hoisted), value);
        Ok(Some(record))
    }
}

pub(super) fn config_def() -> ConfigDef {
    let doc = "The name of the field that holds what was the whole.";
    ConfigDef::new().define(ConfigKey::new("field", ConfigType::String, Importance::Medium, doc))
}

pub(super) fn create(side: Side, properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    Ok(Box::new(HoistField { side, name: config.string("field"), schemas: SchemaCache::default() }))
}
