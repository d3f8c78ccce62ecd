//! Debezium's `HeaderToValue`: headers copied or moved into fields of the value.

use std::sync::Arc;

use super::Transformation;
use super::operating::{INFERRED_SCHEMAS, Side, field, with_fields};
use crate::connector_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator, Width,
};
use crate::data::{DataError, Field, Header, Schema, SchemaCache, SchemaType, SourceRecord, Struct, Value};

struct HeaderToValue {
    /// Headers and the paths of the fields to which they go.
    pairs: Vec<(String, Vec<String>)>,
    moves: bool,
    /// What was made of schemas at first, which stays.
    schemas: SchemaCache<Arc<Schema>>,
}

/// A header on its way into a field.
struct Entry {
    path: Vec<String>,
    schema: Arc<Schema>,
    value: Value,
}

impl Transformation for HeaderToValue {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        if record.value.is_null() {
            return Ok(Some(record));
        }
        let entries: Vec<Entry> = record.headers.iter().filter_map(|header| self.entry(header)).collect();
        if entries.is_empty() {
            return Ok(Some(record));
        }
        let value = Side::Value.take_struct(&mut record, "Header field insertion")?;
        let schema = self.schemas.or_make(value.schema(), |schema| {
            let wanted: Vec<_> = entries.iter().map(|one| (&*one.path, &one.schema)).collect();
            Ok(Arc::new(extend(schema, &wanted)?))
        })?;
        let value =
            fill(&schema, Some(&value), &entries.iter().map(|one| (&*one.path, &one.value)).collect::<Vec<_>>());
        Side::Value.put(&mut record, Some(schema), value);
        if self.moves {
            record.headers.retain(|header| !self.pairs.iter().any(|(name, _)| **name == *header.name));
        }
        Ok(Some(record))
    }
}

impl HeaderToValue {
    fn entry(&self, header: &Header) -> Option<Entry> {
        let (_, path) = self.pairs.iter().find(|(name, _)| **name == *header.name)?;
        let schema = header.schema.clone().unwrap_or_else(|| Arc::new(Schema::of(SchemaType::String).optional()));
        Some(Entry { path: path.clone(), schema, value: header.value.clone() })
    }
}

/// A struct's schema with further fields, also within its fields.
fn extend(schema: &Schema, wanted: &[(&[String], &Arc<Schema>)]) -> Result<Schema, DataError> {
    let mut fields: Vec<Field> = Vec::with_capacity(schema.fields().len() + wanted.len());
    for known in schema.fields() {
        let within = under(&known.name, wanted);
        if within.is_empty() {
            fields.push(known.clone());
            continue;
        }
        let SchemaType::Struct(_) = known.schema.kind else {
            return Err(DataError::new(format!("Field '{}' is a primitive type, not a struct.", known.name)));
        };
        fields.push(field(&known.name, Arc::new(extend(&known.schema, &within)?)));
    }
    for (path, of) in wanted {
        let [name, rest @ ..] = path else { continue };
        if fields.iter().any(|known| *known.name == **name) {
            continue;
        }
        if rest.is_empty() {
            fields.push(field(name, Arc::clone(of)));
        } else {
            let parent = Schema::of(SchemaType::Struct(Vec::new())).optional();
            let parent = Schema { optional: true, ..extend(&parent, &under(name, wanted))? };
            fields.push(field(name, Arc::new(parent)));
        }
    }
    Ok(with_fields(schema, fields))
}

fn under<'w, T>(name: &str, wanted: &[(&'w [String], &'w T)]) -> Vec<(&'w [String], &'w T)> {
    let inner = |(path, what): &(&'w [String], &'w T)| match path {
        [first, rest @ ..] if first == name && !rest.is_empty() => Some((rest, *what)),
        _ => None,
    };
    wanted.iter().filter_map(inner).collect()
}

/// The values of a struct of a schema that was extended: those that it had, and those of headers.
fn fill(schema: &Arc<Schema>, original: Option<&Struct>, entries: &[(&[String], &Value)]) -> Value {
    let value_of = |field: &Field| {
        if let Some((_, value)) = entries.iter().rev().find(|(path, _)| matches!(path, [name] if **name == *field.name))
        {
            return (*value).clone();
        }
        let known = original.and_then(|original| original.get(&field.name));
        let within = under(&field.name, entries);
        match known {
            Some(Value::Struct(inner)) if !within.is_empty() => fill(&field.schema, Some(inner), &within),
            None if !within.is_empty() => fill(&field.schema, None, &within),
            known => known.cloned().unwrap_or_default(),
        }
    };
    Value::Struct(Struct::new(Arc::clone(schema), schema.fields().iter().map(value_of).collect()))
}

pub(super) fn config_def() -> ConfigDef {
    let list = |name, doc, display| {
        ConfigKey::new(name, ConfigType::List, Importance::High, doc).optional().display(1, Width::None, display)
    };
    let doc = "Either move, which takes the headers away, or copy, which leaves them.";
    let operation = ConfigKey::new("operation", ConfigType::String, Importance::High, doc).optional();
    ConfigDef::new()
        .define(list("headers", "Names of headers that go into the value.", "Header names list"))
        .define(list("fields", "The fields in the headers' order; points lead into structs.", "Field names list"))
        .define(operation.valid(Validator::InIgnoringCase(&["move", "copy"])).display(
            1,
            Width::None,
            "Operation: mover or copy",
        ))
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let (fields, headers) = (config.list("fields"), config.list("headers"));
    for (name, items) in [("fields", &fields), ("headers", &headers)] {
        if items.is_empty() {
            return Err(ConfigError::new(format!("The '{name}' value is invalid: A value is required")));
        }
    }
    if fields.len() != headers.len() {
        return Err(ConfigError::new("'fields' config must have the same number of elements as 'headers' config."));
    }
    let operation = config.string("operation").to_ascii_lowercase();
    if operation.is_empty() {
        return Err(ConfigError::new("The 'operation' value is invalid: A value is required"));
    }
    let paths = fields.iter().map(|path| path.split('.').map(str::to_owned).collect());
    let pairs = headers.into_iter().zip(paths).collect();
    Ok(Box::new(HeaderToValue {
        pairs,
        moves: operation == "move",
        schemas: SchemaCache::with_limit(INFERRED_SCHEMAS),
    }))
}
