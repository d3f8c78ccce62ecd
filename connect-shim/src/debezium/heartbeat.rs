//! Heartbeats: records that tell that the connector is alive, and carry its offset on while nothing else does.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::config::PostgresConnectorConfig;
use super::event::now_micros;
use super::types::schema::{field, logical};
use crate::data::{OffsetMap, Schema, SchemaType, SourceRecord, Struct, Value};

/// When the next heartbeat is due, and what it looks like.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    due: Instant,
    topic: Arc<str>,
    key: Struct,
    value_schema: Arc<Schema>,
}

impl Heartbeat {
    /// `None` if there are to be none.
    pub(crate) fn new(config: &PostgresConnectorConfig) -> Option<Self> {
        let interval = config.heartbeat_interval?;
        let names = config.schema_names;
        let key = vec![field("serverName", Schema::of(SchemaType::String))];
        let value = vec![field("ts_ms", Schema::of(SchemaType::Int64))];
        let named = |fields, name: &str| Arc::new(logical(SchemaType::Struct(fields), &names.schema(name)));
        let key_schema = named(key, "io.debezium.connector.common.ServerNameKey");
        Some(Self {
            interval,
            due: Instant::now() + interval,
            topic: config.topics.heartbeat().into(),
            key: Struct::new(key_schema, vec![config.topics.prefix.as_str().into()]),
            value_schema: named(value, "io.debezium.connector.common.Heartbeat"),
        })
    }

    /// When the next one is due.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// One now, after which the next is due in an interval.
    pub(crate) fn beat(&mut self, offset: &Arc<OffsetMap>) -> SourceRecord {
        self.due = Instant::now() + self.interval;
        let value = Struct::new(self.value_schema.clone(), vec![Value::Int64(now_micros() / 1000)]);
        SourceRecord {
            offset: offset.clone(),
            topic: self.topic.clone(),
            partition: Some(0),
            key_schema: Some(self.key.schema().clone()),
            key: Value::Struct(self.key.clone()),
            value_schema: Some(self.value_schema.clone()),
            value: Value::Struct(value),
            timestamp: None,
            headers: Vec::new(),
        }
    }
}
