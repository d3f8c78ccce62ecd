//! Converters: how keys, values and headers become bytes (`org.apache.kafka.connect.storage.Converter`).
//!
//! A converter belongs to one task, so that it may keep what it has worked out of a schema. One for Avro is one more
//! implementation of [`Converter`] and a line in [`create`].

mod binary_data_converter;
mod byte_array_converter;
mod cloud_events_config;
mod cloud_events_converter;
mod json_converter;
mod json_reader;
mod json_text;
mod json_writer;
mod primitive_converter;
mod schema_json;
mod simple_header_converter;
mod string_converter;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

pub use json_converter::JsonConverter;
pub(crate) use simple_header_converter::text_of;
pub(crate) use string_converter::write_java_text;

use crate::connector_config::{
    ConfigDef, ConfigError, ConfigInfo, ConfigKey, ConfigType, Importance, Properties, Validator,
};
use crate::data::{DataError, Schema, Value};
use crate::destination::OutgoingHeaders;
use crate::spool::Spool;

/// Makes bytes of data.
pub trait Converter: Send {
    /// Says which headers, converted, the record has whose key or value comes next.
    fn heed_headers(&mut self, _: &OutgoingHeaders) {}

    /// The bytes of a key, a value or a header; `None` is null.
    ///
    /// # Errors
    /// That the data is not what its schema says, or not what this converter takes.
    fn convert(&mut self, topic: &str, schema: Option<&Arc<Schema>>, value: &Value)
    -> Result<Option<Bytes>, DataError>;

    /// Puts the bytes of a large value out of memory, bit by bit if it can; `false` if it is null.
    ///
    /// # Errors
    /// As for [`convert`](Self::convert).
    fn spool(
        &mut self,
        topic: &str,
        schema: Option<&Arc<Schema>>,
        value: &Value,
        out: &mut Spool,
    ) -> Result<bool, DataError> {
        let made = self.convert(topic, schema, value)?;
        if let Some(bytes) = &made {
            out.put(bytes);
        }
        Ok(made.is_some())
    }
}

/// Where a converter's bytes go, one after the other.
pub(crate) trait Output {
    /// Adds bytes.
    fn put(&mut self, bytes: &[u8]);

    /// Says how many are about to come.
    fn reserve(&mut self, additional: usize);
}

impl Output for BytesMut {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn reserve(&mut self, additional: usize) {
        Self::reserve(self, additional);
    }
}

impl Output for Spool {
    fn put(&mut self, bytes: &[u8]) {
        Self::put(self, bytes);
    }

    fn reserve(&mut self, _: usize) {}
}

/// Of what a converter makes bytes (`ConverterType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConverterType {
    /// Keys.
    Key,
    /// Values.
    Value,
    /// Headers.
    Header,
}

impl ConverterType {
    /// Its name in the property `converter.type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
            Self::Header => "header",
        }
    }
}

/// A converter that can be named in a config.
#[derive(Debug)]
pub struct ConverterPlugin {
    /// Its Java class.
    pub class: &'static str,
    /// Whether it is Kafka's own or Debezium's.
    pub of_debezium: bool,
    /// Whether keys and values can be converted by it.
    pub for_data: bool,
    /// Whether headers can be converted by it.
    pub for_headers: bool,
    /// Its properties, as it tells of them.
    pub config_def: fn() -> ConfigDef,
    /// What is wrong with properties of which it does not tell.
    pub problems: fn(&Properties) -> Vec<ConfigInfo>,
    create: fn(&Properties) -> Result<Box<dyn Converter>, ConfigError>,
}

impl ConverterPlugin {
    const fn new(
        class: &'static str,
        config_def: fn() -> ConfigDef,
        create: fn(&Properties) -> Result<Box<dyn Converter>, ConfigError>,
    ) -> Self {
        Self {
            class,
            of_debezium: false,
            for_data: true,
            for_headers: true,
            config_def,
            problems: |_| Vec::new(),
            create,
        }
    }
}

/// What stands for `header.converter` if nothing is said.
pub const SIMPLE_HEADER_CONVERTER: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
/// What stands for `key.converter` and `value.converter` if nothing is said.
pub const JSON_CONVERTER: &str = "org.apache.kafka.connect.json.JsonConverter";

/// Every converter, sorted by class.
pub static PLUGINS: &[ConverterPlugin] = &[
    ConverterPlugin {
        of_debezium: true,
        ..ConverterPlugin::new(
            "io.debezium.converters.BinaryDataConverter",
            binary_data_converter::config_def,
            binary_data_converter::create,
        )
    },
    ConverterPlugin {
        of_debezium: true,
        ..ConverterPlugin::new(
            "io.debezium.converters.ByteArrayConverter",
            binary_data_converter::config_def,
            binary_data_converter::create_byte_array,
        )
    },
    ConverterPlugin {
        of_debezium: true,
        for_headers: false,
        problems: cloud_events_config::problems,
        ..ConverterPlugin::new(
            "io.debezium.converters.CloudEventsConverter",
            ConfigDef::new,
            cloud_events_converter::create,
        )
    },
    ConverterPlugin::new(
        "org.apache.kafka.connect.converters.BooleanConverter",
        base_config_def,
        primitive_converter::create_boolean,
    ),
    ConverterPlugin::new(
        "org.apache.kafka.connect.converters.ByteArrayConverter",
        base_config_def,
        byte_array_converter::create,
    ),
    ConverterPlugin::new(
        "org.apache.kafka.connect.converters.DoubleConverter",
        base_config_def,
        primitive_converter::create_double,
    ),
    ConverterPlugin::new(
        "org.apache.kafka.connect.converters.FloatConverter",
        base_config_def,
        primitive_converter::create_float,
    ),
    ConverterPlugin::new(
        "org.apache.kafka.connect.converters.IntegerConverter",
        base_config_def,
        primitive_converter::create_integer,
    ),
    ConverterPlugin::new(
        "org.apache.kafka.connect.converters.LongConverter",
        base_config_def,
        primitive_converter::create_long,
    ),
    ConverterPlugin::new(
        "org.apache.kafka.connect.converters.ShortConverter",
        base_config_def,
        primitive_converter::create_short,
    ),
    ConverterPlugin::new(JSON_CONVERTER, json_converter::config_def, json_converter::create),
    ConverterPlugin {
        for_data: false,
        ..ConverterPlugin::new(SIMPLE_HEADER_CONVERTER, ConfigDef::new, simple_header_converter::create)
    },
    ConverterPlugin::new(
        "org.apache.kafka.connect.storage.StringConverter",
        string_converter::config_def,
        string_converter::create,
    ),
];

/// The converter that a config names by its class, or by its class's name alone.
pub fn plugin(class: &str) -> Option<&'static ConverterPlugin> {
    let simple_name = |plugin: &ConverterPlugin| plugin.class.rsplit('.').next() == Some(class);
    PLUGINS.iter().find(|plugin| plugin.class == class).or_else(|| PLUGINS.iter().rev().find(|one| simple_name(one)))
}

/// Makes a converter. Its properties are those under `key.converter.`, `value.converter.` or `header.converter.`.
///
/// # Errors
/// That there is no such converter, or what is wrong with its properties.
pub fn create(class: &str, kind: ConverterType, properties: &Properties) -> Result<Box<dyn Converter>, ConfigError> {
    let of_kind =
        |plugin: &&ConverterPlugin| if kind == ConverterType::Header { plugin.for_headers } else { plugin.for_data };
    let plugin = plugin(class).filter(of_kind);
    let plugin = plugin.ok_or_else(|| ConfigError::class_not_found(&format!("{}.converter", kind.name()), class))?;
    let mut properties = properties.clone();
    properties.set("converter.type", kind.name());
    (plugin.create)(&properties)
}

/// The property that all converters have (`ConverterConfig`).
pub(crate) fn base_config_def() -> ConfigDef {
    let doc = "Whether keys, values or headers are converted.";
    let kind = ConfigKey::new("converter.type", ConfigType::String, Importance::Low, doc);
    ConfigDef::new().define(kind.valid(Validator::In(&["key", "value", "header"])))
}
