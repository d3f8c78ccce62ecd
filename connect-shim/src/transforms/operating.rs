//! What transforms share: whether they work on the key or the value, what they demand of it, and how they remember the
//! schemas that they have inferred (`org.apache.kafka.connect.transforms.util`).

use std::sync::Arc;

use crate::data::{DataError, Field, Schema, SchemaType, SourceRecord, Struct, Value};

/// On what of a record a transform works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// `…$Key`.
    Key,
    /// `…$Value`.
    Value,
}

impl Side {
    /// The schema of this side.
    pub(super) fn schema(self, record: &SourceRecord) -> Option<&Arc<Schema>> {
        match self {
            Self::Key => record.key_schema.as_ref(),
            Self::Value => record.value_schema.as_ref(),
        }
    }

    /// The data of this side.
    pub(super) fn value(self, record: &SourceRecord) -> &Value {
        match self {
            Self::Key => &record.key,
            Self::Value => &record.value,
        }
    }

    /// Takes the data out of a record.
    pub(super) fn take(self, record: &mut SourceRecord) -> Value {
        match self {
            Self::Key => std::mem::take(&mut record.key),
            Self::Value => std::mem::take(&mut record.value),
        }
    }

    /// Puts data with its schema into a record.
    pub(super) fn put(self, record: &mut SourceRecord, schema: Option<Arc<Schema>>, value: Value) {
        match self {
            Self::Key => (record.key_schema, record.key) = (schema, value),
            Self::Value => (record.value_schema, record.value) = (schema, value),
        }
    }

    /// Takes the struct out of a record (`Requirements.requireStruct`).
    ///
    /// # Errors
    /// That it is none.
    pub(super) fn take_struct(self, record: &mut SourceRecord, purpose: &str) -> Result<Struct, DataError> {
        match self.take(record) {
            Value::Struct(value) => Ok(value),
            other => Err(not_a_struct(&other, purpose)),
        }
    }

    /// Takes the map out of a record without a schema (`Requirements.requireMap`).
    ///
    /// # Errors
    /// That it is none.
    pub(super) fn take_map(self, record: &mut SourceRecord, purpose: &str) -> Result<Vec<(Value, Value)>, DataError> {
        match self.take(record) {
            Value::Map(entries) => Ok(entries),
            other => Err(DataError::new(format!(
                "Only Map objects supported in absence of schema for [{purpose}], found: {}",
                other.java_class()
            ))),
        }
    }
}

/// That something is no struct.
pub(super) fn not_a_struct(value: &Value, purpose: &str) -> DataError {
    DataError::new(format!("Only Struct objects supported for [{purpose}], found: {}", value.java_class()))
}

/// The entry of a map with text keys.
pub(super) fn entry<'m>(entries: &'m [(Value, Value)], name: &str) -> Option<&'m Value> {
    entries.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}

/// Sets the entry of a map with text keys.
pub(super) fn set_entry(entries: &mut Vec<(Value, Value)>, name: &str, value: Value) {
    match entries.iter_mut().find(|(key, _)| key.as_str() == Some(name)) {
        Some((_, old)) => *old = value,
        None => entries.push((name.into(), value)),
    }
}

/// A struct's schema with other fields, without what made it optional (`SchemaUtil.copySchemaBasics`).
pub(super) fn with_fields(source: &Schema, fields: Vec<Field>) -> Schema {
    Schema {
        kind: SchemaType::Struct(fields),
        optional: false,
        name: source.name.clone(),
        version: source.version,
        doc: source.doc.clone(),
        parameters: source.parameters.clone(),
        default: None,
    }
}

/// A field.
pub(super) fn field(name: &str, schema: Arc<Schema>) -> Field {
    Field { name: name.into(), schema }
}

/// A struct's values in order, with defaults in place of nulls if that is wanted.
pub(super) fn values_of(value: Struct, replace_null_with_default: bool) -> Vec<Value> {
    let schema = Arc::clone(value.schema());
    let mut values = value.into_values();
    if replace_null_with_default {
        for (value, field) in values.iter_mut().zip(schema.fields()) {
            if value.is_null()
                && let Some(default) = &field.schema.default
            {
                *value = default.clone();
            }
        }
    }
    values
}

/// The value of a field that is known to be there or not.
pub(super) fn field_value<'v>(value: &'v Struct, name: &str, with_default: bool) -> Option<&'v Value> {
    if with_default { value.get_or_default(name) } else { value.get(name) }
}

/// How many schemas a transform remembers that hang on data: inferred from it, or made with what a record's headers hold.
pub(super) const INFERRED_SCHEMAS: usize = 64;

/// Schemas that were inferred, so that equal ones are the same.
#[derive(Debug, Default)]
pub(super) struct KnownSchemas(Vec<Arc<Schema>>);

impl KnownSchemas {
    /// The schema as it came first; beyond [`INFERRED_SCHEMAS`] the oldest is forgotten.
    pub(super) fn known(&mut self, schema: Schema) -> Arc<Schema> {
        if let Some(known) = self.0.iter().find(|known| ***known == schema) {
            return Arc::clone(known);
        }
        if self.0.len() >= INFERRED_SCHEMAS {
            self.0.remove(0);
        }
        let schema = Arc::new(schema);
        self.0.push(Arc::clone(&schema));
        schema
    }
}
