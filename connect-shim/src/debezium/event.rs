//! Events: a change of a row as the records that tell of it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::config::{Operation, PostgresConnectorConfig};
use super::notification::Notifications;
use super::source_info::{CONNECTOR_NAME, SourceInfoMaker};
use super::table_schema::TableSchema;
use crate::data::{Header, OffsetMap, Schema, SchemaType, SourceRecord, Struct, Value};

/// Makes the records of one run of a connector.
#[derive(Debug)]
pub(crate) struct EventFactory {
    /// Makes the blocks `source`.
    pub(crate) source: SourceInfoMaker,
    /// Tells what becomes of snapshots.
    pub(crate) notifications: Notifications,
    context: Vec<Header>,
    tombstones: bool,
    skipped: Vec<Operation>,
    skip_unchanged: bool,
    /// What `op` is of each operation, in the order of [`Operation::ALL`].
    codes: [Value; Operation::ALL.len()],
}

/// A change of a row, converted.
#[derive(Debug)]
pub(crate) struct Change {
    /// What was done.
    pub(crate) operation: Operation,
    /// The key before, if the row was known before.
    pub(crate) old_key: Option<Value>,
    /// The row before; null if it is not known.
    pub(crate) before: Value,
    /// The key; null if there is none.
    pub(crate) key: Value,
    /// The row.
    pub(crate) after: Value,
    /// The block `source`.
    pub(crate) source: Value,
}

/// Microseconds since 1970.
pub(crate) fn now_micros() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}

impl EventFactory {
    /// For a run that begins now.
    pub(crate) fn new(config: &PostgresConnectorConfig) -> Self {
        let text = Arc::new(Schema::of(SchemaType::String));
        let header = |name: &str, value: &str| Header {
            name: format!("__debezium.context.{name}").into(),
            schema: Some(text.clone()),
            value: value.into(),
        };
        let context = vec![
            header("connectorLogicalName", &config.topics.prefix),
            header("taskId", "0"),
            header("connectorName", CONNECTOR_NAME),
            header("runId", &Uuid::new_v4().to_string()),
        ];
        Self {
            source: SourceInfoMaker::new(&config.topics.prefix, &config.connection.database),
            notifications: Notifications::new(config),
            context: if config.extended_headers { context } else { Vec::new() },
            tombstones: config.tombstones_on_delete,
            skipped: config.skipped_operations.clone(),
            skip_unchanged: config.skip_messages_without_change,
            codes: Operation::ALL.map(|operation| operation.code().into()),
        }
    }

    /// Whether operations of this kind are left out.
    pub(crate) fn skips(&self, operation: Operation) -> bool {
        self.skipped.contains(&operation)
    }

    /// The records of a change: none, one, or some where the key has changed or the row is gone. `transaction` makes the block of
    /// the next event, each of which counts.
    pub(crate) fn records(
        &self,
        table: &TableSchema,
        change: Change,
        transaction: &mut dyn FnMut() -> Value,
        offset: &Arc<OffsetMap>,
        out: &mut Vec<SourceRecord>,
    ) {
        let Change { operation, old_key, before, key, after, source } = change;
        match operation {
            Operation::Update => {}
            Operation::Delete => {
                let envelope = self.envelope(table, operation, before, Value::Null, source, transaction());
                return self.deletion(table, key, envelope, None, offset, out);
            }
            Operation::Truncate => {
                let envelope = self.envelope(table, operation, Value::Null, Value::Null, source, transaction());
                let record =
                    SourceRecord { key_schema: None, ..self.record(table, Value::Null, envelope, None, offset) };
                return out.push(record);
            }
            Operation::Create | Operation::Read => {
                let envelope = self.envelope(table, operation, Value::Null, after, source, transaction());
                return out.push(self.record(table, key, envelope, None, offset));
            }
        }
        if self.skip_unchanged && same(&before, &after) {
            return;
        }
        match old_key.filter(|old| !old.is_null() && !same(old, &key)) {
            None => {
                let envelope = self.envelope(table, operation, before, after, source, transaction());
                out.push(self.record(table, key, envelope, None, offset));
            }
            Some(old_key) => {
                if !self.skips(Operation::Delete) {
                    let header = self.key_header(table, "__debezium.newkey", key.clone());
                    let source = source.clone();
                    let envelope = self.envelope(table, Operation::Delete, before, Value::Null, source, transaction());
                    self.deletion(table, old_key.clone(), envelope, Some(header), offset, out);
                }
                if !self.skips(Operation::Create) {
                    let header = self.key_header(table, "__debezium.oldkey", old_key);
                    let envelope = self.envelope(table, Operation::Create, Value::Null, after, source, transaction());
                    out.push(self.record(table, key, envelope, Some(header), offset));
                }
            }
        }
    }

    fn deletion(
        &self,
        table: &TableSchema,
        key: Value,
        envelope: Value,
        header: Option<Header>,
        offset: &Arc<OffsetMap>,
        out: &mut Vec<SourceRecord>,
    ) {
        let record = self.record(table, key, envelope, header, offset);
        if !self.tombstones {
            return out.push(record);
        }
        let tombstone = SourceRecord { value_schema: None, value: Value::Null, ..record.clone() };
        out.extend([record, tombstone]);
    }

    fn record(
        &self,
        table: &TableSchema,
        key: Value,
        envelope: Value,
        header: Option<Header>,
        offset: &Arc<OffsetMap>,
    ) -> SourceRecord {
        SourceRecord {
            offset: offset.clone(),
            topic: table.topic.clone(),
            partition: None,
            key_schema: table.key_schema.clone(),
            key,
            value_schema: Some(table.envelope_schema.clone()),
            value: envelope,
            timestamp: None,
            headers: header.into_iter().chain(self.context.iter().cloned()).collect(),
        }
    }

    fn envelope(
        &self,
        table: &TableSchema,
        operation: Operation,
        before: Value,
        after: Value,
        source: Value,
        transaction: Value,
    ) -> Value {
        let now = now_micros();
        let values = vec![
            before,
            after,
            source,
            transaction,
            self.codes[operation as usize].clone(),
            Value::Int64(now / 1000),
            Value::Int64(now),
            Value::Int64(now * 1000),
        ];
        Value::Struct(Struct::new(table.envelope_schema.clone(), values))
    }

    fn key_header(&self, table: &TableSchema, name: &str, key: Value) -> Header {
        Header { name: name.into(), schema: table.key_schema.clone(), value: key }
    }
}

/// Whether two structs of one schema hold the same.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Struct(one), Value::Struct(other)) => one.values() == other.values(),
        (one, other) => one == other,
    }
}
