//! `DropHeaders`: headers taken away by name.

use super::Transformation;
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator};
use crate::data::{DataError, SourceRecord};

struct DropHeaders {
    names: Vec<String>,
}

impl Transformation for DropHeaders {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        record.headers.retain(|header| !self.names.iter().any(|name| **name == *header.name));
        Ok(Some(record))
    }
}

pub(super) fn config_def() -> ConfigDef {
    let names =
        ConfigKey::new("headers", ConfigType::List, Importance::High, "Names of the headers that are taken away.");
    ConfigDef::new().define(names.valid(Validator::DistinctItems { empty_allowed: false }))
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    Ok(Box::new(DropHeaders { names: config_def().parse(properties)?.list("headers") }))
}
