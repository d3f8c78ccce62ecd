//! A field of Debezium's envelope that is added to an event, or to its headers (`FieldReference` of
//! `AbstractExtractNewRecordState`).

use std::sync::Arc;

use super::operating::with_fields;
use crate::connector_config::ConfigError;
use crate::data::{Schema, Struct, Value};

/// Where a field is, and what it is called then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldReference {
    /// `source`, `transaction`, or none for the envelope's own fields.
    parent: Option<String>,
    /// Its name there.
    pub(super) field: String,
    /// Its name afterwards.
    pub(super) new_name: String,
}

impl FieldReference {
    /// Those that a property lists, such as `op,source.ts_ms,lsn:LSN`.
    ///
    /// # Errors
    /// That one has more than two parts.
    pub(super) fn all(prefix: &str, list: &[String]) -> Result<Vec<Self>, ConfigError> {
        list.iter().filter(|item| !item.is_empty()).map(|item| Self::new(prefix, item)).collect()
    }

    fn new(prefix: &str, item: &str) -> Result<Self, ConfigError> {
        let (path, alias) = match item.split(':').collect::<Vec<_>>()[..] {
            [path] => (path, None),
            [path, alias] => (path, Some(alias)),
            _ => return Err(ConfigError::new(format!("Unexpected field name: {item}"))),
        };
        let (parent, field) = match path.split_once('.') {
            Some((parent, rest)) => (Some(parent), rest.split('.').next().unwrap_or(rest)),
            None => (home(path), path),
        };
        let own_name = match (path.contains('.'), parent) {
            (true, Some(parent)) => format!("{parent}_{field}"),
            _ => field.to_owned(),
        };
        Ok(Self {
            parent: parent.map(str::to_owned),
            field: field.to_owned(),
            new_name: format!("{prefix}{}", alias.unwrap_or(&own_name)),
        })
    }

    /// What the field is in an envelope, made optional; `None` if there is no such field.
    pub(super) fn schema(&self, envelope: &Schema) -> Option<Schema> {
        let found = self.in_parent(envelope).or_else(|| field_schema(envelope, &self.field))?;
        Some(Schema { kind: found.kind.clone(), optional: true, ..with_fields(found, Vec::new()) })
    }

    /// The field's value in an envelope, null if what holds it is.
    pub(super) fn value(&self, envelope: &Struct) -> Value {
        let value = match &self.parent {
            Some(parent) => match envelope.get(parent) {
                Some(Value::Struct(inner)) if inner.schema().index_of(&self.field).is_some() => inner.get(&self.field),
                Some(Value::Struct(_)) => envelope.get(&self.field),
                _ => None,
            },
            None => envelope.get(&self.field),
        };
        value.cloned().unwrap_or_default()
    }

    fn in_parent<'s>(&self, envelope: &'s Schema) -> Option<&'s Schema> {
        let parent = match &self.parent {
            Some(parent) => field_schema(envelope, parent)?,
            None => envelope,
        };
        field_schema(parent, &self.field)
    }
}

fn field_schema<'s>(schema: &'s Schema, name: &str) -> Option<&'s Schema> {
    let schema: &Arc<Schema> = &schema.fields().get(schema.index_of(name)?)?.schema;
    Some(schema)
}

/// Where a field without a path is.
fn home(field: &str) -> Option<&'static str> {
    match field {
        "id" | "data_collection_order" | "total_order" => Some("transaction"),
        "op" | "ts_ms" | "ts_us" | "ts_ns" => None,
        "updateDescription" => Some("updateDescription"),
        _ => Some("source"),
    }
}
