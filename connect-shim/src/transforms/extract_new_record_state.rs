//! Debezium's `ExtractNewRecordState`: the row after the change in place of the envelope.

use std::sync::Arc;

use super::Transformation;
use super::field_reference::FieldReference;
use super::insert_field::InsertField;
use super::operating::{Side, field, with_fields};
use super::replace_field::ReplaceField;
use super::shared_headers::SharedHeaders;
use crate::connector_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator, Width,
};
use crate::data::{DataError, Header, Schema, SchemaCache, SchemaType, SourceRecord, Struct, Value};

/// What becomes of deletions and tombstones (`delete.tombstone.handling.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeleteTombstoneHandling {
    Drop,
    Tombstone,
    Rewrite,
    RewriteWithTombstone,
    DeleteToTombstone,
}

const MODES: &[&str] = &["drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone"];

struct ExtractNewRecordState {
    handling: DeleteTombstoneHandling,
    route_by_field: Option<String>,
    add_fields: Vec<FieldReference>,
    add_headers: Vec<FieldReference>,
    deleted: InsertField,
    not_deleted: InsertField,
    drop_fields_header: Option<String>,
    drop_fields_from_key: bool,
    drop_fields_keep_schema_compatible: bool,
    /// Of a row's schema within an envelope's: what it becomes, and the fields that are there to be added.
    schemas: SchemaCache<Vec<(Arc<Schema>, Arc<Updated>)>>,
    shared: SharedHeaders,
}

/// A row's schema with the fields that are added.
#[derive(Debug)]
struct Updated {
    schema: Arc<Schema>,
    added: Vec<FieldReference>,
}

impl Transformation for ExtractNewRecordState {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        let envelope = is_envelope(record.value_schema.as_deref());
        if record.value.is_null() {
            self.shared.give(&mut record);
            self.add_tombstone_headers(&mut record);
            let keeps = self.handling == DeleteTombstoneHandling::RewriteWithTombstone;
            return Ok(keeps.then_some(record));
        }
        let Value::Struct(value) = &record.value else {
            return Ok(Some(record));
        };
        if !envelope {
            return Ok(Some(record));
        }
        let added = self.headers_of(value);
        self.shared.note(&record, &added);
        record.headers.extend(added);
        let Value::Struct(original) = std::mem::take(&mut record.value) else {
            return Ok(Some(record));
        };
        let is_null = |name| original.get_or_default(name).is_none_or(Value::is_null);
        match (is_null("after"), is_null("before")) {
            // A truncation, or a message of the database's log.
            (true, true) => Ok(None),
            (true, false) => self.apply_to_delete(record, &original),
            (false, _) => self.apply_to_row(record, &original).map(Some),
        }
    }

    fn headers_are_shared(&mut self) -> bool {
        self.shared.shares = true;
        false
    }
}

impl ExtractNewRecordState {
    fn apply_to_row(&mut self, mut record: SourceRecord, original: &Struct) -> Result<SourceRecord, DataError> {
        extract(&mut record, original, "after")?;
        if self.rewrites() {
            record = self.not_deleted.apply(record)?.ok_or_else(|| DataError::new("the row is gone"))?;
        }
        if let Some(name) = &self.route_by_field {
            let Value::Struct(row) = &record.value else {
                return Err(DataError::new("Only Struct objects supported for [Read record to set topic routing]"));
            };
            let topic = route(row, name)?;
            record.topic = topic.unwrap_or_else(|| Arc::clone(&record.topic));
        }
        self.add_fields(&mut record, original)?;
        self.drop_fields(record)
    }

    fn apply_to_delete(
        &mut self,
        mut record: SourceRecord,
        original: &Struct,
    ) -> Result<Option<SourceRecord>, DataError> {
        match self.handling {
            DeleteTombstoneHandling::Drop => return Ok(None),
            // A null with a schema, which is what Debezium leaves there.
            DeleteTombstoneHandling::Tombstone => extract(&mut record, original, "after")?,
            DeleteTombstoneHandling::DeleteToTombstone => {
                (record.value_schema, record.value) = (None, Value::Null);
            }
            DeleteTombstoneHandling::Rewrite | DeleteTombstoneHandling::RewriteWithTombstone => {
                extract(&mut record, original, "before")?;
                record = self.deleted.apply(record)?.ok_or_else(|| DataError::new("the row is gone"))?;
            }
        }
        if let Some(name) = &self.route_by_field
            && let Some(Value::Struct(before)) = original.get("before")
            && let Some(topic) = route(before, name)?
        {
            record.topic = topic;
        }
        let mut record = self.drop_fields(record)?;
        if !record.value.is_null() {
            self.add_fields(&mut record, original)?;
        }
        Ok(Some(record))
    }

    fn rewrites(&self) -> bool {
        matches!(self.handling, DeleteTombstoneHandling::Rewrite | DeleteTombstoneHandling::RewriteWithTombstone)
    }

    fn add_tombstone_headers(&self, record: &mut SourceRecord) {
        for reference in self.add_headers.iter().filter(|reference| reference.field == "op") {
            let schema = Some(Arc::new(Schema::of(SchemaType::String)));
            record.headers.push(Header { name: reference.new_name.as_str().into(), schema, value: "d".into() });
        }
    }

    fn headers_of(&self, original: &Struct) -> Vec<Header> {
        let header = |reference: &FieldReference| {
            let schema = reference.schema(original.schema())?;
            let name = reference.new_name.as_str().into();
            Some(Header { name, schema: Some(Arc::new(schema)), value: reference.value(original) })
        };
        self.add_headers.iter().filter_map(header).collect()
    }

    /// Adds fields of the envelope. Even without any the row's schema becomes a required one, as it does with Debezium.
    fn add_fields(&mut self, record: &mut SourceRecord, original: &Struct) -> Result<(), DataError> {
        let row = Side::Value.take_struct(record, "source field insertion")?;
        let updated = self.updated(row.schema(), original.schema())?;
        let mut values = row.into_values();
        values.extend(updated.added.iter().map(|reference| reference.value(original)));
        let value = Value::Struct(Struct::new(Arc::clone(&updated.schema), values));
        Side::Value.put(record, Some(Arc::clone(&updated.schema)), value);
        Ok(())
    }

    fn updated(&mut self, row: &Arc<Schema>, envelope: &Arc<Schema>) -> Result<Arc<Updated>, DataError> {
        let add_fields = &self.add_fields;
        let make = || {
            let mut fields = row.fields().to_vec();
            let mut added = Vec::new();
            for reference in add_fields {
                if let Some(schema) = reference.schema(envelope) {
                    fields.push(field(&reference.new_name, Arc::new(schema)));
                    added.push(reference.clone());
                }
            }
            Arc::new(Updated { schema: Arc::new(with_fields(row, fields)), added })
        };
        // A row's schema stands in few envelopes, nearly always in one.
        let known = self.schemas.or_make(row, |_| Ok(vec![(Arc::clone(envelope), make())]))?;
        Ok(match known.iter().find(|(one, _)| Arc::ptr_eq(one, envelope) || one == envelope) {
            Some((_, updated)) => Arc::clone(updated),
            None => make(),
        })
    }

    fn drop_fields(&self, record: SourceRecord) -> Result<SourceRecord, DataError> {
        let header = self.drop_fields_header.as_ref();
        let header = header.and_then(|name| record.headers.iter().find(|header| *header.name == **name));
        let Some(Value::Array(names)) = header.map(|header| &header.value) else {
            return Ok(record);
        };
        let names: Vec<String> = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let mut record = record;
        if self.drop_fields_from_key && !record.key.is_null() {
            record = self.drop_of(Side::Key, record, &names)?;
        }
        self.drop_of(Side::Value, record, &names)
    }

    fn drop_of(&self, side: Side, record: SourceRecord, names: &[String]) -> Result<SourceRecord, DataError> {
        let goes = |field: &&crate::data::Field| {
            names.iter().any(|name| **name == *field.name)
                && (field.schema.optional || !self.drop_fields_keep_schema_compatible)
        };
        let fields = side.schema(&record).map_or(&[][..], |schema| schema.fields());
        let goes: Vec<String> = fields.iter().filter(goes).map(|field| field.name.to_string()).collect();
        if goes.is_empty() {
            return Ok(record);
        }
        let dropped = ReplaceField::excluding(side, goes).apply(record)?;
        dropped.ok_or_else(|| DataError::new("the record is gone"))
    }
}

/// Whether a schema is of Debezium's envelope (`Envelope.isEnvelopeSchema`).
pub(super) fn is_envelope(schema: Option<&Schema>) -> bool {
    schema.and_then(|schema| schema.name.as_deref()).is_some_and(|name| name.ends_with(".Envelope"))
}

/// Puts a field of an envelope in its place.
pub(super) fn extract(record: &mut SourceRecord, envelope: &Struct, name: &str) -> Result<(), DataError> {
    let schema = envelope.schema();
    let at = schema.index_of(name).ok_or_else(|| DataError::new(format!("Unknown field: {name}")))?;
    let field = &schema.fields()[at].schema;
    let value = envelope.values()[at].or_default(field).clone();
    Side::Value.put(record, Some(Arc::clone(field)), value);
    Ok(())
}

fn route(row: &Struct, name: &str) -> Result<Option<Arc<str>>, DataError> {
    match row.get_or_default(name) {
        Some(Value::String(topic)) if !topic.trim().is_empty() => Ok(Some(topic.to_own())),
        Some(Value::String(_) | Value::Null) => Ok(None),
        Some(_) => Err(DataError::new(format!("Field '{name}' is not of type STRING"))),
        None => Err(DataError::new(format!("{name} is not a valid field name"))),
    }
}

pub(super) fn config_def() -> ConfigDef {
    let key = |name, kind, doc| ConfigKey::new(name, kind, Importance::Low, doc);
    let modes = "What becomes of deletions: drop leaves out deletion and tombstone; tombstone leaves a tombstone of each \
                 deletion; rewrite adds a field __deleted and leaves out tombstones; rewrite-with-tombstone keeps them; \
                 delete-to-tombstone makes tombstones of deletions.";
    let handling = ConfigKey::new("delete.tombstone.handling.mode", ConfigType::String, Importance::Medium, modes)
        .or("tombstone")
        .valid(Validator::InIgnoringCase(MODES))
        .display(1, Width::Medium, "Handle delete and tombstone records");
    let route = key("route.by.field", ConfigType::String, "A column whose value is the name of the event's topic.")
        .or("")
        .display(1, Width::Long, "Route by field name");
    let fields = "Fields of the envelope that are added to the row, such as op,source.ts_ms,lsn:LSN; after a colon stands the \
                  new name.";
    let headers = "Fields of the envelope that are added as headers, written as for add.fields.";
    ConfigDef::new()
        .define(handling)
        .define(route)
        .define(
            key("add.fields.prefix", ConfigType::String, "What stands before the names of added fields.")
                .or("__")
                .display(1, Width::Short, "Field prefix to be added to each field."),
        )
        .define(key("add.fields", ConfigType::List, fields).or("").display(
            1,
            Width::Long,
            "Adds the specified field(s) to the message if they exist.",
        ))
        .define(
            key("add.headers.prefix", ConfigType::String, "What stands before the names of added headers.")
                .or("__")
                .display(1, Width::Short, "Header prefix to be added to each header."),
        )
        .define(key("add.headers", ConfigType::List, headers).or("").display(
            1,
            Width::Long,
            "Adds the specified fields to the header if they exist.",
        ))
        .define(
            key("drop.fields.header.name", ConfigType::String, "A header that lists fields to be left out.")
                .optional()
                .display(1, Width::Short, "Specifies a header that contains a list of field names to be removed"),
        )
        .define(
            key("drop.fields.from.key", ConfigType::Boolean, "Whether those are left out of the key, too.")
                .or("false")
                .display(
                    1,
                    Width::Short,
                    "Specifies whether the fields to be dropped should also be omitted from the key",
                ),
        )
        .define(
            key(
                "drop.fields.keep.schema.compatible",
                ConfigType::Boolean,
                "Whether only optional fields are left out.",
            )
            .or("true")
            .display(
                1,
                Width::Short,
                "Specifies if fields are dropped, will the event's schemas be compatible",
            ),
        )
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let handling = match config.string("delete.tombstone.handling.mode").to_ascii_lowercase().as_str() {
        "drop" => DeleteTombstoneHandling::Drop,
        "rewrite" => DeleteTombstoneHandling::Rewrite,
        "rewrite-with-tombstone" => DeleteTombstoneHandling::RewriteWithTombstone,
        "delete-to-tombstone" => DeleteTombstoneHandling::DeleteToTombstone,
        _ => DeleteTombstoneHandling::Tombstone,
    };
    // It is a property of Debezium's, though its ConfigDef does not tell.
    let replace_nulls = properties.value("replace.null.with.default").is_none_or(|text| text.trim() != "false");
    let marked = |text| InsertField::of_text(Side::Value, "__deleted", text, replace_nulls);
    let set = |name: &str| config.text(name).filter(|text| !text.trim().is_empty()).map(str::to_owned);
    Ok(Box::new(ExtractNewRecordState {
        handling,
        route_by_field: set("route.by.field"),
        add_fields: FieldReference::all(&config.string("add.fields.prefix"), &config.list("add.fields"))?,
        add_headers: FieldReference::all(&config.string("add.headers.prefix"), &config.list("add.headers"))?,
        deleted: marked("true"),
        not_deleted: marked("false"),
        drop_fields_header: set("drop.fields.header.name"),
        drop_fields_from_key: config.is("drop.fields.from.key"),
        drop_fields_keep_schema_compatible: config.is("drop.fields.keep.schema.compatible"),
        schemas: SchemaCache::default(),
        shared: SharedHeaders::default(),
    }))
}
