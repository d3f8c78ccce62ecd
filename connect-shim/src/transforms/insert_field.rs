//! `InsertField`: the topic, the partition, the time or a text as one more field.

use std::sync::Arc;

use super::operating::{Side, field, set_entry, values_of, with_fields};
use super::{Transformation, replace_null_with_default};
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties};
use crate::data::{DataError, Schema, SchemaCache, SchemaType, SourceRecord, Struct, Value, logical};

const PURPOSE: &str = "field insertion";

/// What is inserted.
#[derive(Debug, Clone, PartialEq)]
enum Insertion {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Static(Arc<str>),
}

/// Inserts fields.
#[derive(Debug)]
pub(super) struct InsertField {
    side: Side,
    /// What, under which name, and whether it may be null.
    insertions: Vec<(Insertion, String, bool)>,
    replace_null_with_default: bool,
    schemas: SchemaCache<Arc<Schema>>,
}

impl InsertField {
    /// One that inserts a text.
    pub(super) fn of_text(side: Side, name: &str, text: &str, replace_null_with_default: bool) -> Self {
        let insertions = vec![(Insertion::Static(text.into()), name.to_owned(), true)];
        Self { side, insertions, replace_null_with_default, schemas: SchemaCache::default() }
    }

    fn updated(&self, schema: &Schema) -> Arc<Schema> {
        let mut fields = schema.fields().to_vec();
        for (what, name, optional) in &self.insertions {
            let schema = match what {
                Insertion::Topic | Insertion::Static(_) => Schema::of(SchemaType::String),
                Insertion::Partition => Schema::of(SchemaType::Int32),
                Insertion::Offset => Schema::of(SchemaType::Int64),
                Insertion::Timestamp => Schema::of(SchemaType::Int64).named(logical::TIMESTAMP).versioned(1),
            };
            fields.push(field(name, Arc::new(Schema { optional: *optional, ..schema })));
        }
        Arc::new(with_fields(schema, fields))
    }
}

fn inserted(what: &Insertion, record: &SourceRecord) -> Result<Value, DataError> {
    Ok(match what {
        Insertion::Topic => Value::String(Arc::clone(&record.topic).into()),
        Insertion::Partition => record.partition.map_or(Value::Null, Value::Int32),
        Insertion::Timestamp => record.timestamp.map_or(Value::Null, Value::Int64),
        Insertion::Static(text) => Value::String(Arc::clone(text).into()),
        Insertion::Offset => {
            return Err(DataError::new(format!(
                "Only SinkRecord supported for [{PURPOSE}], found: org.apache.kafka.connect.source.SourceRecord"
            )));
        }
    })
}

impl Transformation for InsertField {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        if self.side.value(&record).is_null() {
            return Ok(Some(record));
        }
        if self.side.schema(&record).is_none() {
            let mut entries = self.side.take_map(&mut record, PURPOSE)?;
            for (what, name, _) in &self.insertions {
                let value = inserted(what, &record)?;
                if !value.is_null() {
                    set_entry(&mut entries, name, value);
                }
            }
            self.side.put(&mut record, None, Value::Map(entries));
            return Ok(Some(record));
        }
        let value = self.side.take_struct(&mut record, PURPOSE)?;
        let schema = self.schemas.or_make(value.schema(), |schema| Ok(self.updated(schema)))?;
        let mut values = values_of(value, self.replace_null_with_default);
        for (what, _, _) in &self.insertions {
            values.push(inserted(what, &record)?);
        }
        self.side.put(&mut record, Some(Arc::clone(&schema)), Value::Struct(Struct::new(schema, values)));
        Ok(Some(record))
    }
}

const NAMES: [(&str, &str); 4] = [
    ("topic.field", "The field that gets the topic's name. A ! after its name makes it required, a ? optional."),
    ("partition.field", "The field that gets the partition; ! and ? as for the topic's."),
    ("offset.field", "The field that gets the offset, which only sink connectors know; ! and ? as for the topic's."),
    ("timestamp.field", "The field that gets the record's time; ! and ? as for the topic's."),
];

pub(super) fn config_def() -> ConfigDef {
    let text = |name, doc| ConfigKey::new(name, ConfigType::String, Importance::Medium, doc).optional();
    let def = NAMES.iter().fold(ConfigDef::new(), |def, (name, doc)| def.define(text(*name, *doc)));
    def.define(text("static.field", "The field that gets a text; ! and ? as for the topic's."))
        .define(text("static.value", "That text."))
        .define(replace_null_with_default())
}

pub(super) fn create(side: Side, properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let mut insertions = Vec::new();
    let kinds = [Insertion::Topic, Insertion::Partition, Insertion::Offset, Insertion::Timestamp];
    for ((property, _), what) in NAMES.iter().zip(kinds) {
        if let Some(name) = config.text(property) {
            insertions.push(insertion(what, name));
        }
    }
    if let Some(name) = config.text("static.field") {
        let text = config.text("static.value").ok_or_else(|| {
            ConfigError::value("static.value", "null", &format!("No value specified for static field: {name}"))
        })?;
        insertions.push(insertion(Insertion::Static(text.into()), name));
    }
    if insertions.is_empty() {
        return Err(ConfigError::new("No field insertion configured"));
    }
    let replace_null_with_default = config.is("replace.null.with.default");
    Ok(Box::new(InsertField { side, insertions, replace_null_with_default, schemas: SchemaCache::default() }))
}

fn insertion(what: Insertion, name: &str) -> (Insertion, String, bool) {
    match (name.strip_suffix('!'), name.strip_suffix('?')) {
        (Some(required), _) => (what, required.to_owned(), false),
        (_, Some(optional)) => (what, optional.to_owned(), true),
        _ => (what, name.to_owned(), true),
    }
}
