//! A table's schemas, and how its rows become keys and values (`TableSchema`).

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use md5::Digest as _;

use super::column_mapper::ValueMapper;
use super::config::{FailureHandling, PostgresConnectorConfig};
use super::relational::{Column, Table, TableId, oid};
use super::source_info::SourceInfoMaker;
use super::transaction::block_schema;
use super::types::schema::field;
use super::types::{Converter, Origin, field_type, parse_default};
use crate::data::{Field, LARGE, Schema, SchemaType, Struct, Text, Value};
use crate::postgres::TypeRegistry;

/// A column's value as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell<'a> {
    /// Null.
    Null,
    /// The stream leaves it out, since the change did not touch it.
    Unchanged,
    /// Its text.
    Text(CellText<'a>),
}

/// A column's text, in the message that it came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CellText<'a> {
    text: &'a [u8],
    message: &'a Bytes,
}

impl<'a> CellText<'a> {
    /// A text that is part of a message.
    pub(crate) fn within(message: &'a Bytes, text: &'a [u8]) -> Self {
        Self { text, message }
    }

    /// Its bytes, for longer than the message is looked at: a large one shares the message's memory, and keeps it.
    pub(crate) fn to_bytes(self) -> Bytes {
        if self.text.len() < LARGE { Bytes::copy_from_slice(self.text) } else { self.message.slice_ref(self.text) }
    }
}

impl Deref for CellText<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.text
    }
}

impl PartialEq for CellText<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CellText<'_> {}

/// A value that is none of its column's type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Failed to properly convert data value for '{table}.{column}' of type {type_name}")]
pub(crate) struct ConversionError {
    table: TableId,
    column: Arc<str>,
    type_name: Arc<str>,
}

/// A table's schemas.
#[derive(Debug)]
pub(crate) struct TableSchema {
    /// The table.
    pub(crate) id: TableId,
    /// Where its changes go.
    pub(crate) topic: Arc<str>,
    /// The key's schema, if there is a key.
    pub(crate) key_schema: Option<Arc<Schema>>,
    /// The rows' schema.
    pub(crate) value_schema: Arc<Schema>,
    /// The events' schema.
    pub(crate) envelope_schema: Arc<Schema>,
    key: Vec<FieldSource>,
    /// What stands in the key after its columns.
    key_suffix: Option<Value>,
    value: Vec<FieldSource>,
    failures: FailureHandling,
}

/// Where a field's values come from.
#[derive(Debug)]
struct FieldSource {
    /// The column's place in a row.
    place: usize,
    converter: Converter,
    /// What null becomes.
    null: Value,
    /// What stands for what the stream leaves out.
    unavailable: Value,
    mapper: Option<ValueMapper>,
    name: Arc<str>,
    type_name: Arc<str>,
}

impl TableSchema {
    /// Makes a table's schemas. Its types have been loaded.
    pub(crate) fn new(
        table: &Table,
        types: &TypeRegistry,
        config: &PostgresConnectorConfig,
        source: &SourceInfoMaker,
    ) -> Self {
        let builder = Builder { table, types, config };
        let topic = config.topics.data_change(&table.id);
        let adjust = |suffix: &str| config.schema_names.schema(&format!("{topic}{suffix}"));

        let (mut key_fields, key) = builder.fields(builder.key_columns(), false);
        let key_suffix = config.topics.key_field(&table.id).map(|(name, holds)| {
            key_fields.push(Field { name, schema: Arc::new(Schema::of(SchemaType::String)) });
            Value::from(&*holds)
        });
        let captured = |column: &Column| config.columns.selects(&format!("{}.{}", table.id, column.name));
        let places = table.columns.iter().enumerate().filter(|(_, column)| captured(column)).map(|(place, _)| place);
        let (value_fields, value) = builder.fields(places.collect(), true);

        let value_schema = Schema::structure(adjust(".Value"), value_fields).optional();
        let row = Arc::new(value_schema);
        let number = || Schema::of(SchemaType::Int64).optional();
        let shared = |name: &str, schema: &Arc<Schema>| Field { name: name.into(), schema: schema.clone() };
        let envelope = vec![
            shared("before", &row),
            shared("after", &row),
            shared("source", source.schema()),
            shared("transaction", &block_schema()),
            field("op", Schema::of(SchemaType::String)),
            field("ts_ms", number()),
            field("ts_us", number()),
            field("ts_ns", number()),
        ];
        Self {
            id: table.id.clone(),
            key_schema: (!key_fields.is_empty()).then(|| Arc::new(Schema::structure(adjust(".Key"), key_fields))),
            value_schema: row,
            envelope_schema: Arc::new(Schema::structure(adjust(".Envelope"), envelope).versioned(2)),
            topic: topic.into(),
            key,
            key_suffix,
            value,
            failures: config.converting_failures,
        }
    }

    /// The key of a row; null if the table has none.
    pub(crate) fn key(&self, row: &[Cell<'_>], origin: Origin) -> Result<Value, ConversionError> {
        match &self.key_schema {
            Some(schema) => {
                let mut values = self.values(&self.key, row, origin)?;
                values.extend(self.key_suffix.clone());
                Ok(Value::Struct(Struct::new(schema.clone(), values)))
            }
            None => Ok(Value::Null),
        }
    }

    /// A row.
    pub(crate) fn value(&self, row: &[Cell<'_>], origin: Origin) -> Result<Value, ConversionError> {
        let values = self.values(&self.value, row, origin)?;
        Ok(Value::Struct(Struct::new(self.value_schema.clone(), values)))
    }

    /// The places of the key's columns in a row.
    pub(crate) fn key_places(&self) -> impl Iterator<Item = usize> + '_ {
        self.key.iter().map(|source| source.place)
    }

    /// The places of columns of a row of which the stream does not tell, as far as a placeholder shows that, and of those
    /// that are null.
    pub(crate) fn left_out(&self, row: &[Cell<'_>], unavailable: bool, nulls: bool) -> Vec<usize> {
        let is_left_out = |source: &FieldSource, field: &Field| {
            let value = match row.get(source.place) {
                Some(Cell::Unchanged) => &source.unavailable,
                Some(Cell::Null) => &source.null,
                _ => return false,
            };
            match value.or_default(&field.schema) {
                Value::Null => nulls,
                // Debezium knows its placeholder by its text, which an array of UUIDs cannot hold.
                _ => unavailable && row[source.place] == Cell::Unchanged && *source.type_name != *"_uuid",
            }
        };
        let fields = self.value.iter().zip(self.value_schema.fields());
        fields.filter(|(source, field)| is_left_out(source, field)).map(|(source, _)| source.place).collect()
    }

    fn values(&self, sources: &[FieldSource], row: &[Cell<'_>], origin: Origin) -> Result<Vec<Value>, ConversionError> {
        let mut values = Vec::with_capacity(sources.len());
        for source in sources {
            let cell = row.get(source.place).copied().unwrap_or(Cell::Null);
            let value = match source.read(cell, origin) {
                Some(value) => value,
                None if self.failures == FailureHandling::Fail => {
                    let (column, type_name) = (source.name.clone(), source.type_name.clone());
                    return Err(ConversionError { table: self.id.clone(), column, type_name });
                }
                None => {
                    if self.failures == FailureHandling::Warn {
                        tracing::warn!(table = %self.id, column = %source.name, "a value cannot be converted and is left out");
                    }
                    Value::Null
                }
            };
            values.push(value);
        }
        Ok(values)
    }
}

impl FieldSource {
    fn read(&self, cell: Cell<'_>, origin: Origin) -> Option<Value> {
        let value = match cell {
            Cell::Null => self.null.clone(),
            Cell::Unchanged => self.unavailable.clone(),
            Cell::Text(_) if self.converter.is_unknown_to(origin) => self.null.clone(),
            Cell::Text(text) if text.len() >= LARGE && self.converter.keeps_texts() => {
                Value::String(Text::sharing(text.to_bytes())?)
            }
            Cell::Text(text) => self.converter.convert(std::str::from_utf8(&text).ok()?, origin)?,
        };
        Some(match &self.mapper {
            Some(mapper) => mapper.map(value),
            None => value,
        })
    }
}

struct Builder<'a> {
    table: &'a Table,
    types: &'a TypeRegistry,
    config: &'a PostgresConnectorConfig,
}

impl Builder<'_> {
    /// The places of the key's columns: those of `message.key.columns`, or the primary key's.
    fn key_columns(&self) -> Vec<usize> {
        let mut places = Vec::new();
        for pattern in &self.config.message_key_columns {
            for (place, column) in self.table.columns.iter().enumerate() {
                if pattern.matches(&format!("{}.{}", self.table.id, column.name)) {
                    places.push(place);
                }
            }
        }
        if places.is_empty() {
            let place = |name: &String| self.table.columns.iter().position(|column| *column.name == **name);
            places = self.table.primary_key.iter().filter_map(place).collect();
        }
        places
    }

    /// The fields of columns. What is done to a row's values is not done to its key's.
    fn fields(&self, places: Vec<usize>, mapped: bool) -> (Vec<Field>, Vec<FieldSource>) {
        let mut fields = Vec::with_capacity(places.len());
        let mut sources = Vec::with_capacity(places.len());
        for place in places {
            let column = &self.table.columns[place];
            let Some((schema, converter)) = field_type(column, self.types, &self.config.conversion) else {
                tracing::warn!(table = %self.table.id, column = %column.name, "columns of this type are left out");
                continue;
            };
            let default = parse_default(column, self.types, &converter, &schema);
            let mapper = if mapped { self.config.mappers.of(&self.table.id, column) } else { None };
            let mut schema = match mapper {
                Some(mapper) => mapper.alter(column, schema),
                None => schema,
            };
            schema.optional |= column.optional;
            schema.default.clone_from(&default);
            let null = if column.optional { Value::Null } else { default.unwrap_or_else(|| converter.fallback()) };
            sources.push(FieldSource {
                place,
                null,
                unavailable: self.unavailable(column, &converter),
                mapper: mapper.and_then(|mapper| mapper.for_values(column, self.types)),
                converter,
                name: column.name.clone(),
                type_name: column.type_name.clone(),
            });
            let name = self.config.field_names.field(&column.name);
            fields.push(Field { name: name.into(), schema: Arc::new(schema) });
        }
        (fields, sources)
    }

    /// What stands for a value that the stream leaves out. Arrays have one only of some types.
    fn unavailable(&self, column: &Column, converter: &Converter) -> Value {
        let placeholder = &self.config.conversion.placeholder;
        let element = self.types.get(column.type_oid).and_then(|found| found.element);
        match element {
            None => converter.unavailable(placeholder),
            Some(
                oid::TEXT
                | oid::VARCHAR
                | oid::BPCHAR
                | oid::JSON
                | oid::JSONB
                | oid::BYTEA
                | oid::INT4
                | oid::DATE
                | oid::INT8,
            ) => converter.unavailable(placeholder),
            Some(oid::UUID) => Value::Array(vec![Value::String(name_uuid(placeholder).into())]),
            Some(_) => Value::Null,
        }
    }
}

/// Java's `UUID.nameUUIDFromBytes`.
fn name_uuid(name: &[u8]) -> String {
    uuid::Builder::from_md5_bytes(md5::Md5::digest(name).into()).into_uuid().to_string()
}
