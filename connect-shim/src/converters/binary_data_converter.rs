//! `io.debezium.converters.BinaryDataConverter` and `io.debezium.converters.ByteArrayConverter`: bytes pass as they are, and what is
//! none goes to another converter, as heartbeats and tombstones beside an outbox's payloads do.

use std::sync::Arc;

use bytes::Bytes;

use super::{Converter, ConverterType, base_config_def, create as create_converter, write_java_text};
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties};
use crate::data::{DataError, Schema, SchemaType, Value, logical};
use crate::destination::OutgoingHeaders;
use crate::spool::Spool;

const DELEGATE: &str = "delegate.converter.type";

/// Passes bytes on.
struct BinaryDataConverter {
    /// Debezium's bytes are `ByteBuffer`s, which its `ByteArrayConverter` does not take for bytes.
    takes_buffers: bool,
    delegate: Option<Box<dyn Converter>>,
}

impl BinaryDataConverter {
    /// Whether the other converter has to do it.
    fn delegates(&self, schema: Option<&Schema>, value: &Value) -> bool {
        let is_bytes = schema.is_none_or(|schema| schema.kind == SchemaType::Bytes);
        let is_decimal = schema.is_some_and(|schema| schema.name.as_deref() == Some(logical::DECIMAL));
        match value {
            Value::Null => !is_bytes,
            Value::Bytes(_) => !is_bytes || is_decimal || !self.takes_buffers,
            _ => true,
        }
    }

    fn delegate(
        &mut self,
        topic: &str,
        schema: Option<&Arc<Schema>>,
        value: &Value,
    ) -> Result<&mut Box<dyn Converter>, DataError> {
        self.delegate.as_mut().ok_or_else(|| {
            let mut text = String::new();
            write_java_text(&mut text, schema.map(AsRef::as_ref), value);
            DataError::new(format!("A {topic} of type '{text}' requires a {DELEGATE} to be configured"))
        })
    }
}

impl Converter for BinaryDataConverter {
    fn heed_headers(&mut self, headers: &OutgoingHeaders) {
        if let Some(delegate) = &mut self.delegate {
            delegate.heed_headers(headers);
        }
    }

    fn convert(
        &mut self,
        topic: &str,
        schema: Option<&Arc<Schema>>,
        value: &Value,
    ) -> Result<Option<Bytes>, DataError> {
        if self.delegates(schema.map(AsRef::as_ref), value) {
            return self.delegate(topic, schema, value)?.convert(topic, schema, value);
        }
        Ok(match value {
            Value::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        })
    }

    fn spool(
        &mut self,
        topic: &str,
        schema: Option<&Arc<Schema>>,
        value: &Value,
        out: &mut Spool,
    ) -> Result<bool, DataError> {
        if self.delegates(schema.map(AsRef::as_ref), value) {
            return self.delegate(topic, schema, value)?.spool(topic, schema, value, out);
        }
        let Value::Bytes(bytes) = value else { return Ok(false) };
        out.put(bytes);
        Ok(true)
    }
}

pub(super) fn config_def() -> ConfigDef {
    let doc = "The converter of what is not bytes.";
    base_config_def().define(ConfigKey::new(DELEGATE, ConfigType::String, Importance::Low, doc).optional())
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Converter>, ConfigError> {
    converter(properties, true)
}

pub(super) fn create_byte_array(properties: &Properties) -> Result<Box<dyn Converter>, ConfigError> {
    converter(properties, false)
}

fn converter(properties: &Properties, takes_buffers: bool) -> Result<Box<dyn Converter>, ConfigError> {
    // Debezium does not say that it is for headers.
    let kind = match properties.value("converter.type") {
        Some("key") => ConverterType::Key,
        _ => ConverterType::Value,
    };
    let delegate = match properties.value(DELEGATE) {
        Some(class) => Some(create_converter(class, kind, &properties.with_prefix(&format!("{DELEGATE}.")))?),
        None => None,
    };
    Ok(Box::new(BinaryDataConverter { takes_buffers, delegate }))
}
