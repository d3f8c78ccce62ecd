//! Messages that applications put into the log (`pg_logical_emit_message`).

use std::sync::Arc;

use bytes::Bytes;

use super::config::PostgresConnectorConfig;
use super::event::now_micros;
use super::filters::Selection;
use super::source_info::SourceInfoMaker;
use super::transaction::block_schema;
use super::types::schema::{field, logical};
use super::types::{BinaryMode, to_hex};
use crate::data::{Field, OffsetMap, Schema, SchemaType, SourceRecord, Struct, Value};
use crate::java::base64;

/// Makes records of messages.
#[derive(Debug)]
pub(crate) struct LogicalMessages {
    topic: Arc<str>,
    prefixes: Selection,
    binary: BinaryMode,
    key_schema: Arc<Schema>,
    message_schema: Arc<Schema>,
    value_schema: Arc<Schema>,
}

impl LogicalMessages {
    /// For a connector.
    pub(crate) fn new(config: &PostgresConnectorConfig, source: &SourceInfoMaker) -> Self {
        let binary = config.conversion.binary;
        let text = || Schema::of(SchemaType::String);
        let content = if binary == BinaryMode::Bytes { Schema::of(SchemaType::Bytes) } else { text() };
        let message = vec![field("prefix", text().optional()), field("content", content.optional())];
        let named =
            |fields, name: &str| Arc::new(logical(SchemaType::Struct(fields), &config.schema_names.schema(name)));
        let message_schema = named(message, "io.debezium.connector.postgresql.Message");
        let shared = |name: &str, schema: &Arc<Schema>| Field { name: name.into(), schema: schema.clone() };
        let value = vec![
            field("op", text()),
            field("ts_ms", Schema::of(SchemaType::Int64).optional()),
            shared("source", source.schema()),
            shared("transaction", &block_schema()),
            shared("message", &message_schema),
        ];
        Self {
            topic: config.topics.logical_message().into(),
            prefixes: config.message_prefixes.clone(),
            binary,
            key_schema: named(vec![field("prefix", text().optional())], "io.debezium.connector.postgresql.MessageKey"),
            value_schema: named(value, "io.debezium.connector.postgresql.MessageValue"),
            message_schema,
        }
    }

    /// Whether messages of this prefix are told of.
    pub(crate) fn includes(&self, prefix: &str) -> bool {
        self.prefixes.selects(prefix)
    }

    /// The record of a message.
    pub(crate) fn record(
        &self,
        prefix: &str,
        content: Bytes,
        source: Value,
        transaction: Value,
        offset: &Arc<OffsetMap>,
    ) -> SourceRecord {
        let content = match self.binary {
            BinaryMode::Bytes => Value::Bytes(content),
            BinaryMode::Base64 => Value::String(base64::encode(&content).into()),
            BinaryMode::Base64UrlSafe => Value::String(base64::encode_url_safe(&content).into()),
            BinaryMode::Hex => Value::String(to_hex(&content).into()),
        };
        let structure = |schema: &Arc<Schema>, values| Value::Struct(Struct::new(schema.clone(), values));
        let message = structure(&self.message_schema, vec![prefix.into(), content]);
        let values = vec!["m".into(), Value::Int64(now_micros() / 1000), source, transaction, message];
        SourceRecord {
            offset: offset.clone(),
            topic: self.topic.clone(),
            partition: None,
            key_schema: Some(self.key_schema.clone()),
            key: structure(&self.key_schema, vec![prefix.into()]),
            value_schema: Some(self.value_schema.clone()),
            value: structure(&self.value_schema, values),
            timestamp: None,
            headers: Vec::new(),
        }
    }
}
