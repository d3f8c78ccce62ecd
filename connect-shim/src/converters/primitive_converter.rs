//! Converters of one primitive type each (`org.apache.kafka.connect.converters.NumberConverter` and `BooleanConverter`):
//! big-endian bytes, as Kafka's serializers write them.

use std::sync::Arc;

use bytes::Bytes;

use super::Converter;
use crate::connector_config::{ConfigError, Properties};
use crate::data::{DataError, Schema, Value};

/// Writes values of one type.
struct PrimitiveConverter {
    type_name: &'static str,
    bytes: fn(&Value) -> Option<Bytes>,
}

impl Converter for PrimitiveConverter {
    fn convert(&mut self, _: &str, _: Option<&Arc<Schema>>, value: &Value) -> Result<Option<Bytes>, DataError> {
        if value.is_null() {
            return Ok(None);
        }
        let refused = || {
            DataError::new(format!("Failed to serialize to {} (was class {}): ", self.type_name, value.java_class()))
        };
        (self.bytes)(value).map(Some).ok_or_else(refused)
    }
}

macro_rules! constructor {
    ($create:ident, $type_name:literal, $variant:ident) => {
        #[allow(clippy::unnecessary_wraps)] // one of a table of constructors
        pub(super) fn $create(_: &Properties) -> Result<Box<dyn Converter>, ConfigError> {
            let bytes = |value: &Value| match value {
                Value::$variant(number) => Some(Bytes::copy_from_slice(&number.to_be_bytes())),
                _ => None,
            };
            Ok(Box::new(PrimitiveConverter { type_name: $type_name, bytes }))
        }
    };
}

constructor!(create_short, "short", Int16);
constructor!(create_integer, "integer", Int32);
constructor!(create_long, "long", Int64);
constructor!(create_float, "float", Float32);
constructor!(create_double, "double", Float64);

#[allow(clippy::unnecessary_wraps)] // one of a table of constructors
pub(super) fn create_boolean(_: &Properties) -> Result<Box<dyn Converter>, ConfigError> {
    let bytes = |value: &Value| match value {
        Value::Boolean(value) => Some(Bytes::from_static(if *value { &[1] } else { &[0] })),
        _ => None,
    };
    Ok(Box::new(PrimitiveConverter { type_name: "boolean", bytes }))
}
