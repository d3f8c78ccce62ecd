//! `InsertHeader`: the same header on every record.

use std::sync::Arc;

use super::Transformation;
use super::literal::parse_literal;
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator};
use crate::data::{DataError, Header, SourceRecord};

struct InsertHeader {
    header: Header,
}

impl Transformation for InsertHeader {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        record.headers.push(self.header.clone());
        Ok(Some(record))
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
    let (schema, value) = parse_literal(&config.string("value.literal"));
    let schema = schema.map(Arc::new);
    Ok(Box::new(InsertHeader { header: Header { name: config.string("header").into(), schema, value } }))
}
