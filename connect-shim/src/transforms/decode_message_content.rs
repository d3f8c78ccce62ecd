//! Debezium's `DecodeLogicalDecodingMessageContent`: a logical message whose content is JSON becomes an event with that
//! content as its row, so that the outbox's router can take it.

use std::sync::Arc;

use super::Transformation;
use super::json_payload::{JsonNode, JsonPayload};
use super::operating::{KnownSchemas, field, not_a_struct};
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Width};
use crate::data::{DataError, Schema, SourceRecord, Struct, Value};
use crate::debezium::name_adjustment::NameAdjustment;

const MESSAGE_VALUE: &str = "io.debezium.connector.postgresql.MessageValue";

struct DecodeMessageContent {
    payload: JsonPayload,
    /// Schemas of events.
    schemas: KnownSchemas,
}

impl Transformation for DecodeMessageContent {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        let Some(schema) = &record.value_schema else {
            return Err(DataError::new("A tombstone has no schema that could tell whether it is a message"));
        };
        if schema.name.as_deref() != Some(MESSAGE_VALUE) {
            return Ok(Some(record));
        }
        let Value::Struct(original) = &record.value else {
            return Err(not_a_struct(&record.value, "Retrieve a record value"));
        };
        let content = match original.get("message") {
            Some(Value::Struct(message)) => message.get("content"),
            other => {
                return Err(not_a_struct(
                    other.unwrap_or(&Value::Null),
                    "Retrieve content of a logical decoding message",
                ));
            }
        };
        let Some(Value::Bytes(content)) = content else {
            return Err(DataError::new("The content of a logical decoding message is non-binary"));
        };
        let text = String::from_utf8_lossy(content);
        if !text.starts_with(['{', '[']) {
            return Err(DataError::new(format!(
                "Unable to parse logical decoding message content JSON string '{text}'"
            )));
        }
        let node = JsonNode::parse(&text)?;
        let content_schema = self.payload.schema(None, &node)?;
        let content_schema = Arc::new(content_schema.ok_or_else(|| DataError::new("Not a struct schema"))?);
        let content = Value::Struct(self.payload.structure(&node, &content_schema)?);
        let kept = || schema.fields().iter().zip(original.values()).filter(|(field, _)| &*field.name != "message");
        let mut fields: Vec<_> = kept().map(|(field, _)| field.clone()).collect();
        fields.push(field("after", content_schema));
        let with_row = self.schemas.known(Schema::structure(format!("{MESSAGE_VALUE}.Envelope"), fields));
        let value_of = |(field, value): (&crate::data::Field, &Value)| match &*field.name {
            "op" => "c".into(),
            _ => value.clone(),
        };
        let values = kept().map(value_of).chain([content]).collect();
        record.value = Value::Struct(Struct::new(Arc::clone(&with_row), values));
        record.value_schema = Some(with_row);
        (record.key_schema, record.key) = (None, Value::Null);
        Ok(Some(record))
    }
}

pub(super) fn config_def() -> ConfigDef {
    let doc = "Whether nulls in the content are fields of the row, as optional bytes.";
    ConfigDef::new().define(
        ConfigKey::new("fields.null.include", ConfigType::Boolean, Importance::Medium, doc).or("false").display(
            1,
            Width::Medium,
            "Defines whether to include fields with null values to the decoded structure",
        ),
    )
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let payload = JsonPayload {
        nulls_as_bytes: config.is("fields.null.include"),
        empty_arrays_of_texts: false,
        adjuster: NameAdjustment::None,
    };
    Ok(Box::new(DecodeMessageContent { payload, schemas: KnownSchemas::default() }))
}
