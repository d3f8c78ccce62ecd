//! Notifications: what becomes of snapshots, for those who wait for it (`NotificationService`). They go into the log
//! (channel `log`) or into a topic (channel `sink`), where they become visible as events do: with the transaction that
//! they stand in, so that what an aborted snapshot said is not seen by readers of what is committed.

use std::sync::Arc;

use uuid::Uuid;

use super::config::PostgresConnectorConfig;
use super::event::now_micros;
use super::hash_order::in_hash_order;
use super::types::schema::field;
use crate::data::{OffsetMap, Schema, SchemaType, SourceRecord, Struct, Value};

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// What tells it apart: of an incremental snapshot the signal's id. `None` is a new one.
    pub(crate) id: Option<String>,
    /// What it is about.
    pub(crate) aggregate: Aggregate,
    /// What has happened (`SnapshotStatus`).
    pub(crate) kind: &'static str,
    /// The rest of it, by name.
    pub(crate) data: Vec<(&'static str, String)>,
}

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregate {
    /// A snapshot that the stream waits for, at first or when asked.
    InitialSnapshot,
    /// One that is read beside the stream.
    IncrementalSnapshot,
}

impl Aggregate {
    fn name(self) -> &'static str {
        match self {
            Self::InitialSnapshot => "Initial Snapshot",
            Self::IncrementalSnapshot => "Incremental Snapshot",
        }
    }
}

impl Notice {
    /// One of the first snapshot's.
    pub(crate) fn initial(kind: &'static str, data: Vec<(&'static str, String)>) -> Self {
        Self { id: None, aggregate: Aggregate::InitialSnapshot, kind, data }
    }
}

/// Sends notifications to the channels that are enabled.
#[derive(Debug)]
pub(crate) struct Notifications {
    connector: String,
    log: bool,
    topic: Option<Arc<str>>,
    key_schema: Arc<Schema>,
    value_schema: Arc<Schema>,
}

impl Notifications {
    /// As `notification.enabled.channels` has it.
    pub(crate) fn new(config: &PostgresConnectorConfig) -> Self {
        let text = || Schema::of(SchemaType::String);
        let map = SchemaType::Map(Arc::new(text()), Arc::new(text()));
        let key = Schema::structure("io.debezium.connector.common.NotificationKey", vec![field("id", text())]);
        let value = Schema::structure(
            "io.debezium.connector.common.Notification",
            vec![
                field("id", text()),
                field("type", text()),
                field("aggregate_type", text()),
                field("additional_data", Schema::of(map).optional()),
                field("timestamp", Schema::of(SchemaType::Int64)),
            ],
        );
        let enabled = |name: &str| config.notification_channels.iter().any(|channel| channel == name);
        let topic = config.notification_topic.as_deref().filter(|_| enabled("sink"));
        Self {
            connector: config.topics.prefix.clone(),
            log: enabled("log"),
            topic: topic.map(Into::into),
            key_schema: Arc::new(key.versioned(1)),
            value_schema: Arc::new(value.versioned(1)),
        }
    }

    /// Tells the log, and adds to `out` what is for the topic.
    pub(crate) fn send(&self, notice: Notice, offset: &Arc<OffsetMap>, out: &mut Vec<SourceRecord>) {
        if !self.log && self.topic.is_none() {
            return;
        }
        let id = notice.id.unwrap_or_else(|| Uuid::new_v4().to_string());
        let mut data = notice.data;
        data.push(("connector_name", self.connector.clone()));
        in_hash_order(&mut data, |(name, _)| name);
        let timestamp = now_micros() / 1000;
        if self.log {
            tracing::info!(id, r#type = notice.kind, ?data, "[Notification Service] {}", notice.aggregate.name());
        }
        let Some(topic) = &self.topic else { return };
        let data = data.into_iter().map(|(name, text)| (name.into(), text.as_str().into())).collect();
        let key = Struct::new(self.key_schema.clone(), vec![id.as_str().into()]);
        let value = vec![
            id.as_str().into(),
            notice.kind.into(),
            notice.aggregate.name().into(),
            Value::Map(data),
            Value::Int64(timestamp),
        ];
        out.push(SourceRecord {
            offset: offset.clone(),
            topic: topic.clone(),
            partition: None,
            key_schema: Some(self.key_schema.clone()),
            key: Value::Struct(key),
            value_schema: Some(self.value_schema.clone()),
            value: Value::Struct(Struct::new(self.value_schema.clone(), value)),
            timestamp: None,
            headers: Vec::new(),
        });
    }
}
