//! `org.apache.kafka.connect.json.JsonConverter`: JSON, with the schema beside the value or without it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::json_writer::JsonStyle;
use super::schema_json::SchemaJsonCache;
use super::{Converter, Output, base_config_def};
use crate::connector_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator, Width,
};
use crate::data::{DataError, Schema, Value};
use crate::spool::Spool;

/// How much is asked of the allocator at once: records are cut off a block of this size.
const BLOCK: usize = 64 * 1024;

/// Writes JSON.
#[derive(Debug)]
pub struct JsonConverter {
    with_schemas: bool,
    style: JsonStyle,
    schemas: SchemaJsonCache,
    buffer: BytesMut,
}

impl JsonConverter {
    /// A converter with these properties.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(properties: &Properties) -> Result<Self, ConfigError> {
        let config = config_def().parse(properties)?;
        Ok(Self {
            with_schemas: config.is("schemas.enable"),
            style: JsonStyle::of(&config),
            schemas: SchemaJsonCache::of(&config),
            buffer: BytesMut::new(),
        })
    }

    fn write<O: Output>(&mut self, out: &mut O, schema: Option<&Arc<Schema>>, value: &Value) -> Result<(), DataError> {
        if !self.with_schemas {
            return self.style.write(out, schema.map(AsRef::as_ref), value);
        }
        out.put(b"{\"schema\":");
        match schema {
            Some(schema) => out.put(&self.schemas.json(schema, self.style)?),
            None => out.put(b"null"),
        }
        out.put(b",\"payload\":");
        self.style.write(out, schema.map(AsRef::as_ref), value)?;
        out.put(b"}");
        Ok(())
    }
}

impl Converter for JsonConverter {
    fn convert(&mut self, _: &str, schema: Option<&Arc<Schema>>, value: &Value) -> Result<Option<Bytes>, DataError> {
        if schema.is_none() && value.is_null() {
            return Ok(None);
        }
        if self.buffer.capacity() < BLOCK / 16 {
            self.buffer.reserve(BLOCK);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let written = self.write(&mut buffer, schema, value);
        let made = buffer.split().freeze();
        // What is left of a large record's block would keep all of it.
        if made.len() <= BLOCK {
            self.buffer = buffer;
        }
        written.map(|()| Some(made))
    }

    fn spool(
        &mut self,
        _: &str,
        schema: Option<&Arc<Schema>>,
        value: &Value,
        out: &mut Spool,
    ) -> Result<bool, DataError> {
        if schema.is_none() && value.is_null() {
            return Ok(false);
        }
        self.write(out, schema, value).map(|()| true)
    }
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Converter>, ConfigError> {
    Ok(Box::new(JsonConverter::new(properties)?))
}

/// The properties of this converter (`JsonConverterConfig`).
pub(super) fn config_def() -> ConfigDef {
    let enable = ConfigKey::new(
        "schemas.enable",
        ConfigType::Boolean,
        Importance::High,
        "Whether the schema stands beside every key and value.",
    );
    let size = ConfigKey::new(
        "schemas.cache.size",
        ConfigType::Int,
        Importance::High,
        "How many schemas this converter remembers at most.",
    );
    let content = ConfigKey::new(
        "schema.content",
        ConfigType::String,
        Importance::High,
        "A schema for all messages in place of the one in each of them; only sink connectors heed it.",
    );
    let decimals = ConfigKey::new(
        "decimal.format",
        ConfigType::String,
        Importance::Low,
        "How decimals are written: BASE64, which is their bytes, or NUMERIC, which is a number; in any case.",
    );
    let nulls = ConfigKey::new(
        "replace.null.with.default",
        ConfigType::Boolean,
        Importance::Low,
        "Whether a field that is null and has a default is written as its default.",
    );
    base_config_def()
        .define(enable.or("true").group("Schemas", 0, Width::Medium, "Enable Schemas"))
        .define(size.or("1000").group("Schemas", 1, Width::Medium, "Schema Cache Size"))
        .define(content.optional().group("Schemas", 2, Width::Medium, "Schema Content"))
        .define(decimals.or("BASE64").valid(Validator::InIgnoringCase(&["NUMERIC", "BASE64"])).group(
            "Serialization",
            0,
            Width::Medium,
            "Decimal Format",
        ))
        .define(nulls.or("true").group("Serialization", 1, Width::Medium, "Replace null with default"))
}
