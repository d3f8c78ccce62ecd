//! Debezium's outbox event router: rows of an outbox table become messages of the topics that they name.

use std::sync::Arc;

use super::Transformation;
use super::event_router_config::{AdditionalField, Placement, additional_fields, config_def};
use super::extract_new_record_state::is_envelope;
use super::json_payload::{JsonNode, JsonPayload};
use super::operating::{INFERRED_SCHEMAS, KnownSchemas, field, not_a_struct};
use super::regex_router::RegexRouter;
use crate::connector_config::{ConfigError, Properties};
use crate::data::{DataError, Header, Schema, SchemaType, SourceRecord, Struct, Value};
use crate::debezium::config::Choice;
use crate::debezium::name_adjustment::NameAdjustment;

/// What happens if a row of the outbox is updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InvalidOperation {
    Skip,
    Fatal,
}

struct EventRouter {
    id: String,
    key: String,
    payload: String,
    timestamp: Option<String>,
    schema_version: Option<String>,
    additional: Vec<AdditionalField>,
    ignores_missing: bool,
    invalid_operation: InvalidOperation,
    expand: Option<JsonPayload>,
    route_by_field: String,
    router: RegexRouter,
    tombstone_on_empty_payload: bool,
    /// Of the payload's schema: that of the payload and what stands beside it, which keeps the name that it got first.
    value_schemas: Vec<(Arc<Schema>, Arc<Schema>)>,
    /// The schemas of versions, which stay as they were made first.
    versions: Vec<(i32, Arc<Schema>)>,
    /// Schemas of expanded payloads.
    expanded: KnownSchemas,
}

/// An outbox that lacks a column.
fn unable(message: String) -> DataError {
    DataError::of("org.apache.kafka.connect.errors.ConnectException", message)
}

impl Transformation for EventRouter {
    fn apply(&mut self, record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        if record.value.is_null() {
            return Ok(None);
        }
        if !is_envelope(record.value_schema.as_deref()) {
            return Ok(Some(record));
        }
        let Value::Struct(envelope) = &record.value else {
            return Err(not_a_struct(&record.value, "Detect Debezium Operation"));
        };
        match envelope.get("op").and_then(Value::as_str) {
            Some("d") => return Ok(None),
            Some("u") if self.invalid_operation == InvalidOperation::Fatal => {
                return Err(DataError::new(format!(
                    "Unexpected update message received {}, fail.",
                    crate::converters::text_of(record.key_schema.as_deref(), &record.key)
                )));
            }
            Some("u") => return Ok(None),
            _ => {}
        }
        match envelope.get_or_default("after") {
            Some(Value::Struct(row)) => self.route(&record, envelope, row).map(Some),
            Some(other) => Err(not_a_struct(other, "Read Outbox Event")),
            None => Err(DataError::new("Unknown field: after")),
        }
    }
}

impl EventRouter {
    fn route(&mut self, record: &SourceRecord, envelope: &Struct, row: &Struct) -> Result<SourceRecord, DataError> {
        let (payload_schema, payload) = match row_field(row, &self.payload) {
            Some((schema, value)) => (Arc::clone(schema), value.clone()),
            None => return Err(unable(format!("Unable to find payload field {} in event", self.payload))),
        };
        let timestamp = self.event_timestamp(envelope, row)?;
        let Some((id_schema, id)) = row_field(row, &self.id) else {
            return Err(unable(format!("Unable to find event-id field {} in event", self.id)));
        };
        let mut headers = record.headers.clone();
        headers.push(Header { name: "id".into(), schema: Some(Arc::clone(id_schema)), value: id.clone() });

        let (payload_schema, payload) = self.expand(payload_schema, payload);
        let topic = text(row, &self.route_by_field)?;
        let mut partition = None;
        let mut beside = Vec::new();
        for one in &self.additional {
            let Some((schema, value)) = row_field(row, &one.field) else {
                if self.ignores_missing {
                    continue;
                }
                return Err(unable(format!("Unable to find field {} in event", one.field)));
            };
            match one.placement {
                Placement::Envelope => beside.push((Arc::clone(&one.alias), Arc::clone(schema), value.clone())),
                Placement::Header => headers.push(Header {
                    name: Arc::clone(&one.alias),
                    schema: Some(Arc::clone(schema)),
                    value: value.clone(),
                }),
                Placement::Partition => match value {
                    Value::Int32(number) => partition = Some(*number),
                    Value::Null => {}
                    _ => return Err(DataError::new(format!("Field '{}' is not of type INT32", one.field))),
                },
            }
        }
        let empty = match &payload {
            Value::Null => true,
            Value::String(text) => text.trim().is_empty(),
            _ => false,
        };
        let (value_schema, value) = if empty && self.tombstone_on_empty_payload {
            (None, Value::Null)
        } else if self.additional.iter().all(|one| one.placement != Placement::Envelope) {
            (payload_schema, payload)
        } else {
            let version = self.version_of(row)?;
            let payload_schema =
                payload_schema.ok_or_else(|| DataError::new("fieldSchema for field payload cannot be null."))?;
            let schema = self.value_schema(&payload_schema, row.schema(), &beside, version, &topic)?;
            let values = std::iter::once(payload).chain(beside.into_iter().map(|(_, _, value)| value)).collect();
            (Some(Arc::clone(&schema)), Value::Struct(Struct::new(schema, values)))
        };
        let (key_schema, key) = match row_field(row, &self.key) {
            Some((schema, value)) => (Arc::clone(schema), value.clone()),
            None => return Err(DataError::new(format!("{} is not a valid field name", self.key))),
        };
        let topic = self.router.route(&topic)?.unwrap_or(topic);
        Ok(SourceRecord {
            offset: Arc::clone(&record.offset),
            topic,
            partition,
            key_schema: Some(key_schema),
            key,
            value_schema,
            value,
            timestamp,
            headers,
        })
    }

    /// A payload that is JSON as a struct, if that is wanted and can be done. What has a schema but cannot be made to fit it
    /// gets the schema and stays a text, as with Debezium, which most converters refuse.
    fn expand(&mut self, schema: Arc<Schema>, payload: Value) -> (Option<Arc<Schema>>, Value) {
        let (Some(expand), Value::String(text)) = (self.expand, &payload) else {
            return (Some(schema), payload);
        };
        let node = if text.starts_with(['{', '[']) { JsonNode::parse(text).ok() } else { None };
        let Some(node) = node else { return (Some(schema), payload) };
        match expand.schema(Some(&self.payload), &node) {
            Ok(Some(expanded)) => {
                let schema = self.expanded.known(expanded);
                let value = expand.structure(&node, &schema).map(Value::Struct);
                (Some(schema), value.unwrap_or(payload))
            }
            Ok(None) => (None, payload),
            Err(_) => (Some(schema), payload),
        }
    }

    fn event_timestamp(&self, envelope: &Struct, row: &Struct) -> Result<Option<i64>, DataError> {
        let processed = match envelope.get_or_default("ts_ms") {
            Some(Value::Int64(millis)) => Some(*millis),
            _ => None,
        };
        let Some(name) = &self.timestamp else {
            return Ok(processed);
        };
        let (schema, value) =
            row_field(row, name).ok_or_else(|| unable(format!("Unable to find timestamp field {name} in event")))?;
        let number = match value {
            Value::Int64(number) => *number,
            Value::Null if schema.kind == SchemaType::Int64 => return Ok(processed),
            _ => return Err(DataError::new(format!("Field '{name}' is not of type INT64"))),
        };
        match schema.name.as_deref() {
            Some("io.debezium.time.Timestamp") => Ok(Some(number)),
            Some("io.debezium.time.MicroTimestamp") => Ok(Some(number / 1000)),
            Some("io.debezium.time.NanoTimestamp") => Ok(Some(number / 1_000_000)),
            Some(other) => Err(DataError::new(format!("Unsupported field type {other} for event timestamp"))),
            None => {
                Err(DataError::new("Unsupported field type INT64 (without logical schema name) for event timestamp"))
            }
        }
    }

    fn version_of(&self, row: &Struct) -> Result<Option<i32>, DataError> {
        let Some(name) = &self.schema_version else {
            return Ok(None);
        };
        match row_field(row, name) {
            Some((_, Value::Int32(version))) => Ok(Some(*version)),
            Some((_, Value::Null)) => Ok(None),
            Some(_) => Err(DataError::new(format!("Field '{name}' is not of type INT32"))),
            None => Err(DataError::new(format!("{name} is not a valid field name"))),
        }
    }

    fn value_schema(
        &mut self,
        payload: &Arc<Schema>,
        row: &Schema,
        beside: &[(Arc<str>, Arc<Schema>, Value)],
        version: Option<i32>,
        topic: &str,
    ) -> Result<Arc<Schema>, DataError> {
        let make = || {
            let mut fields = vec![field("payload", Arc::clone(payload))];
            fields.extend(beside.iter().map(|(name, schema, _)| field(name, Arc::clone(schema))));
            Schema::structure(schema_name(row.name.as_deref(), topic), fields)
        };
        let Some(version) = version else {
            let equal = |known: &Arc<Schema>| Arc::ptr_eq(known, payload) || known == payload;
            if let Some((_, known)) = self.value_schemas.iter().find(|(known, _)| equal(known)) {
                return Ok(Arc::clone(known));
            }
            if self.value_schemas.len() >= INFERRED_SCHEMAS {
                self.value_schemas.remove(0);
            }
            let schema = Arc::new(make());
            self.value_schemas.push((Arc::clone(payload), Arc::clone(&schema)));
            return Ok(schema);
        };
        if let Some((_, known)) = self.versions.iter().find(|(known, _)| *known == version) {
            return Ok(Arc::clone(known));
        }
        let schema = Arc::new(make().versioned(version));
        self.versions.push((version, Arc::clone(&schema)));
        Ok(schema)
    }
}

/// `server.schema.table.Value` with the topic before its last part.
fn schema_name(row: Option<&str>, topic: &str) -> String {
    match row.map(|name| name.rsplit_once('.').ok_or(name)) {
        Some(Ok((before, last))) => format!("{before}.{topic}.{last}"),
        Some(Err(name)) => format!("{topic}.{name}"),
        None => topic.to_owned(),
    }
}

fn row_field<'r>(row: &'r Struct, name: &str) -> Option<(&'r Arc<Schema>, &'r Value)> {
    let at = row.schema().index_of(name)?;
    let schema = &row.schema().fields()[at].schema;
    Some((schema, row.values().get(at)?.or_default(schema)))
}

fn text(row: &Struct, name: &str) -> Result<Arc<str>, DataError> {
    match row_field(row, name) {
        Some((_, Value::String(text))) => Ok(text.to_own()),
        Some((_, Value::Null)) => Err(DataError::new(format!("Field '{name}' is null, but it routes the event"))),
        Some(_) => Err(DataError::new(format!("Field '{name}' is not of type STRING"))),
        None => Err(DataError::new(format!("{name} is not a valid field name"))),
    }
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let is = |name: &str, value: &str| config.string(name).eq_ignore_ascii_case(value);
    let expand = JsonPayload {
        nulls_as_bytes: is("table.json.payload.null.behavior", "optional_bytes"),
        empty_arrays_of_texts: is("table.json.payload.empty.array.behavior", "optional_string"),
        adjuster: properties.value("field.name.adjustment.mode").and_then(NameAdjustment::parse).unwrap_or_default(),
    };
    let invalid_operation =
        if is("table.op.invalid.behavior", "fatal") { InvalidOperation::Fatal } else { InvalidOperation::Skip };
    Ok(Box::new(EventRouter {
        id: config.string("table.field.event.id"),
        key: config.string("table.field.event.key"),
        payload: config.string("table.field.event.payload"),
        timestamp: config.text("table.field.event.timestamp").map(str::to_owned),
        schema_version: config.text("table.field.event.schema.version").map(str::to_owned),
        additional: additional_fields(&config.list("table.fields.additional.placement"))?,
        ignores_missing: is("table.field.additional.missing", "ignore"),
        invalid_operation,
        expand: config.is("table.expand.json.payload").then_some(expand),
        route_by_field: config.string("route.by.field"),
        router: RegexRouter::new(&config.string("route.topic.regex"), &config.string("route.topic.replacement"))?,
        tombstone_on_empty_payload: config.is("route.tombstone.on.empty.payload"),
        value_schemas: Vec::new(),
        versions: Vec::new(),
        expanded: KnownSchemas::default(),
    }))
}
