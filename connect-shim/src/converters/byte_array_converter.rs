//! `org.apache.kafka.connect.converters.ByteArrayConverter`.

use std::sync::Arc;

use bytes::Bytes;

use super::Converter;
use crate::connector_config::{ConfigError, Properties};
use crate::data::{DataError, Schema, SchemaType, Value};

/// Passes bytes on.
struct ByteArrayConverter;

impl Converter for ByteArrayConverter {
    fn convert(&mut self, _: &str, schema: Option<&Arc<Schema>>, value: &Value) -> Result<Option<Bytes>, DataError> {
        if let Some(schema) = schema.filter(|schema| schema.kind != SchemaType::Bytes) {
            let kind = schema.kind.name().to_uppercase();
            return Err(DataError::new(format!("Invalid schema type for ByteArrayConverter: {kind}")));
        }
        match value {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes.clone())),
            other => Err(DataError::new(format!(
                "ByteArrayConverter is not compatible with objects of type class {}",
                other.java_class()
            ))),
        }
    }
}

#[allow(clippy::unnecessary_wraps)] // one of a table of constructors
pub(super) fn create(_: &Properties) -> Result<Box<dyn Converter>, ConfigError> {
    Ok(Box::new(ByteArrayConverter))
}
