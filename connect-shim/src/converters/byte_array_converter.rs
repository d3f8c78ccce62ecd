//! `org.apache.kafka.connect.converters.ByteArrayConverter`, and Debezium's two converters of the same kind.

use std::sync::Arc;

use bytes::Bytes;

use super::Converter;
use crate::connector_config::{ConfigError, Properties};
use crate::data::{DataError, Schema, SchemaType, Value};

/// Passes bytes on.
struct ByteArrayConverter {
    /// Whether texts are taken for their bytes (`io.debezium.converters.BinaryDataConverter`).
    takes_texts: bool,
}

impl Converter for ByteArrayConverter {
    fn convert(&mut self, _: &str, schema: Option<&Arc<Schema>>, value: &Value) -> Result<Option<Bytes>, DataError> {
        let fits = |kind: &SchemaType| *kind == SchemaType::Bytes || self.takes_texts && *kind == SchemaType::String;
        if let Some(schema) = schema.filter(|schema| !fits(&schema.kind)) {
            let kind = schema.kind.name().to_uppercase();
            return Err(DataError::new(format!("Invalid schema type for ByteArrayConverter: {kind}")));
        }
        match value {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes.clone())),
            Value::String(text) if self.takes_texts => Ok(Some(text.to_bytes())),
            other => Err(DataError::new(format!(
                "ByteArrayConverter is not compatible with objects of type class {}",
                other.java_class()
            ))),
        }
    }
}

#[allow(clippy::unnecessary_wraps)] // one of a table of constructors
pub(super) fn create(_: &Properties) -> Result<Box<dyn Converter>, ConfigError> {
    Ok(Box::new(ByteArrayConverter { takes_texts: false }))
}

#[allow(clippy::unnecessary_wraps)] // one of a table of constructors
pub(super) fn create_binary_data(_: &Properties) -> Result<Box<dyn Converter>, ConfigError> {
    Ok(Box::new(ByteArrayConverter { takes_texts: true }))
}
