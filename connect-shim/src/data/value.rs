//! Values (`org.apache.kafka.connect.data.Struct` and the Java types beside it).

use std::sync::Arc;

use bytes::Bytes;

use super::{Schema, Text};

/// A value, in the primitive form of its schema: of a logical type that which is written.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// 8 bits.
    Int8(i8),
    /// 16 bits.
    Int16(i16),
    /// 32 bits.
    Int32(i32),
    /// 64 bits.
    Int64(i64),
    /// 32 bits.
    Float32(f32),
    /// 64 bits.
    Float64(f64),
    /// True or false.
    Boolean(bool),
    /// Text.
    String(Text),
    /// Bytes. Of a decimal its unscaled value, big-endian, in two's complement.
    Bytes(Bytes),
    /// Values in order.
    Array(Vec<Value>),
    /// Keys and values, in the order in which they were put.
    Map(Vec<(Value, Value)>),
    /// Named fields.
    Struct(Struct),
}

impl Value {
    /// Whether there is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// This, or the default of its schema in place of null.
    pub fn or_default<'v>(&'v self, schema: &'v Schema) -> &'v Self {
        match self {
            Self::Null => schema.default.as_ref().unwrap_or(self),
            value => value,
        }
    }

    /// The Java class of such a value, as messages name it.
    pub fn java_class(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int8(_) => "java.lang.Byte",
            Self::Int16(_) => "java.lang.Short",
            Self::Int32(_) => "java.lang.Integer",
            Self::Int64(_) => "java.lang.Long",
            Self::Float32(_) => "java.lang.Float",
            Self::Float64(_) => "java.lang.Double",
            Self::Boolean(_) => "java.lang.Boolean",
            Self::String(_) => "java.lang.String",
            Self::Bytes(_) => "java.nio.HeapByteBuffer",
            Self::Array(_) => "java.util.ArrayList",
            Self::Map(_) => "java.util.HashMap",
            Self::Struct(_) => "org.apache.kafka.connect.data.Struct",
        }
    }

    /// The struct that this is.
    pub fn as_struct(&self) -> Option<&Struct> {
        match self {
            Self::Struct(value) => Some(value),
            _ => None,
        }
    }

    /// The text that this is.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

/// The values of a struct's fields, in the order of its schema's.
#[derive(Debug, Clone, PartialEq)]
pub struct Struct {
    schema: Arc<Schema>,
    values: Vec<Value>,
}

impl Struct {
    /// A struct whose fields hold these values, as many as the schema has fields. What is missing is null, what is too
    /// much is dropped.
    pub fn new(schema: Arc<Schema>, mut values: Vec<Value>) -> Self {
        values.resize(schema.fields().len(), Value::Null);
        Self { schema, values }
    }

    /// What it is.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The values of its fields, in their order.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The value of a field; `None` if there is no such field. Defaults are not filled in.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.values.get(self.schema.index_of(field)?)
    }

    /// The value of a field with its default in place of null (`Struct.get`); `None` if there is no such field.
    pub fn get_or_default(&self, field: &str) -> Option<&Value> {
        let at = self.schema.index_of(field)?;
        self.values.get(at).map(|value| value.or_default(&self.schema.fields()[at].schema))
    }

    /// Its values, in the order of its fields.
    pub fn into_values(self) -> Vec<Value> {
        self.values
    }
}
