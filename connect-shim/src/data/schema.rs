//! What a value is (`org.apache.kafka.connect.data.Schema`).

use std::sync::Arc;

use super::Value;

/// The kind of a value (`Schema.Type`).
#[derive(Debug, Clone, PartialEq)]
pub enum SchemaType {
    /// 8 bits, signed.
    Int8,
    /// 16 bits, signed.
    Int16,
    /// 32 bits, signed.
    Int32,
    /// 64 bits, signed.
    Int64,
    /// IEEE 754, 32 bits.
    Float32,
    /// IEEE 754, 64 bits.
    Float64,
    /// True or false.
    Boolean,
    /// Unicode text.
    String,
    /// Bytes.
    Bytes,
    /// Values of one schema, in order.
    Array(Arc<Schema>),
    /// Keys of one schema and values of another.
    Map(Arc<Schema>, Arc<Schema>),
    /// Named fields, in order.
    Struct(Vec<Field>),
}

impl SchemaType {
    /// Its name in JSON and in messages (`Schema.Type.getName`).
    pub fn name(&self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float",
            Self::Float64 => "double",
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Array(_) => "array",
            Self::Map(..) => "map",
            Self::Struct(_) => "struct",
        }
    }
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Arc<str>,
    /// What it holds.
    pub schema: Arc<Schema>,
}

/// What a value is, and what it is called.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// Its kind.
    pub kind: SchemaType,
    /// Whether it may be null.
    pub optional: bool,
    /// The name of a struct, or of a logical type such as `org.apache.kafka.connect.data.Date`.
    pub name: Option<Arc<str>>,
    /// The version of what is named.
    pub version: Option<i32>,
    /// What it means, for people.
    pub doc: Option<Arc<str>>,
    /// What a logical type needs to know, such as a decimal's scale; in the order in which it was given.
    pub parameters: Vec<(Arc<str>, Arc<str>)>,
    /// What stands for a value that is not there.
    pub default: Option<Value>,
}

impl Schema {
    /// A required value of a kind, without a name.
    pub fn of(kind: SchemaType) -> Self {
        Self { kind, optional: false, name: None, version: None, doc: None, parameters: Vec::new(), default: None }
    }

    /// A required struct.
    pub fn structure(name: impl Into<Arc<str>>, fields: Vec<Field>) -> Self {
        Self::of(SchemaType::Struct(fields)).named(name)
    }

    /// The same, which may be null.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// The same with a name.
    #[must_use]
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// The same with a version.
    #[must_use]
    pub fn versioned(self, version: i32) -> Self {
        Self { version: Some(version), ..self }
    }

    /// The same with one more parameter.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// The same with a default.
    #[must_use]
    pub fn or(self, default: Value) -> Self {
        Self { default: Some(default), ..self }
    }

    /// The fields of a struct; none of anything else.
    pub fn fields(&self) -> &[Field] {
        match &self.kind {
            SchemaType::Struct(fields) => fields,
            _ => &[],
        }
    }

    /// What the items of an array, or the values of a map, are.
    pub fn element(&self) -> Option<&Self> {
        match &self.kind {
            SchemaType::Array(of) | SchemaType::Map(_, of) => Some(of),
            _ => None,
        }
    }

    /// Where a field of this name stands.
    pub fn index_of(&self, field: &str) -> Option<usize> {
        self.fields().iter().position(|one| &*one.name == field)
    }
}
