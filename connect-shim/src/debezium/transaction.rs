//! Transactions as events of their own, and as a block in the events that belong to them
//! (`provide.transaction.metadata`).

use std::sync::{Arc, LazyLock};

use super::hash_order::in_hash_order;
use super::name_adjustment::NameAdjustment;
use super::relational::TableId;
use super::types::schema::{array, field, logical};
use crate::data::{Schema, SchemaType, Struct, Value};
use crate::postgres::Lsn;

static BLOCK: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let fields = vec![
        field("id", Schema::of(SchemaType::String)),
        field("total_order", Schema::of(SchemaType::Int64)),
        field("data_collection_order", Schema::of(SchemaType::Int64)),
    ];
    Arc::new(logical(SchemaType::Struct(fields), "event.block").optional())
});

/// The schema of the block `transaction`, which all events share.
pub(crate) fn block_schema() -> Arc<Schema> {
    BLOCK.clone()
}

/// Counts the events of the transaction under way.
#[derive(Debug)]
pub(crate) struct TransactionMonitor {
    key_schema: Arc<Schema>,
    value_schema: Arc<Schema>,
    collection_schema: Arc<Schema>,
    id: Option<i64>,
    total: i64,
    /// The tables in the order of their first events, with their counts.
    tables: Vec<(TableId, i64)>,
}

/// An event about a transaction.
#[derive(Debug)]
pub(crate) struct TransactionEvent {
    /// The key.
    pub(crate) key: Struct,
    /// The value.
    pub(crate) value: Struct,
}

impl TransactionMonitor {
    /// One that has seen nothing yet.
    pub(crate) fn new(names: NameAdjustment) -> Self {
        let text = || Schema::of(SchemaType::String);
        let number = || Schema::of(SchemaType::Int64);
        let collection = vec![field("data_collection", text()), field("event_count", number())];
        let collection = logical(SchemaType::Struct(collection), "event.collection").optional();
        let collection_schema = Arc::new(collection.clone());
        let fields = vec![
            field("status", text()),
            field("id", text()),
            field("event_count", number().optional()),
            field("data_collections", array(collection).optional()),
            field("ts_ms", number()),
        ];
        let named = |fields, name: &str| Arc::new(logical(SchemaType::Struct(fields), &names.schema(name)));
        Self {
            key_schema: named(vec![field("id", text())], "io.debezium.connector.common.TransactionMetadataKey"),
            value_schema: named(fields, "io.debezium.connector.common.TransactionMetadataValue"),
            collection_schema,
            id: None,
            total: 0,
            tables: Vec::new(),
        }
    }

    /// A transaction begins.
    pub(crate) fn begin(&mut self, id: i64, lsn: Lsn, commit_time: i64) -> TransactionEvent {
        self.id = Some(id);
        self.total = 0;
        self.tables.clear();
        let nothing = (Value::Null, Value::Null);
        self.event("BEGIN", id, lsn, commit_time, nothing)
    }

    /// The transaction ends; `None` if none had begun.
    pub(crate) fn end(&mut self, lsn: Lsn, commit_time: i64) -> Option<TransactionEvent> {
        let id = self.id.take()?;
        let mut names: Vec<(String, i64)> =
            self.tables.drain(..).map(|(table, count)| (table.to_string(), count)).collect();
        in_hash_order(&mut names, |(name, _)| name);
        let count = |(name, count): (String, i64)| {
            let values = vec![Value::String(name.into()), Value::Int64(count)];
            Value::Struct(Struct::new(self.collection_schema.clone(), values))
        };
        let counts = Value::Array(names.into_iter().map(count).collect());
        Some(self.event("END", id, lsn, commit_time, (Value::Int64(self.total), counts)))
    }

    /// The block for an event of the transaction under way; null if there is none.
    pub(crate) fn block(&mut self, table: &TableId, lsn: Lsn) -> Value {
        let Some(id) = self.id else { return Value::Null };
        self.total += 1;
        let place = self.tables.iter().position(|(other, _)| other == table).unwrap_or_else(|| {
            self.tables.push((table.clone(), 0));
            self.tables.len() - 1
        });
        self.tables[place].1 += 1;
        let values = vec![identify(id, lsn), Value::Int64(self.total), Value::Int64(self.tables[place].1)];
        Value::Struct(Struct::new(block_schema(), values))
    }

    fn event(
        &self,
        status: &str,
        id: i64,
        lsn: Lsn,
        commit_time: i64,
        (count, collections): (Value, Value),
    ) -> TransactionEvent {
        let id = identify(id, lsn);
        let time = Value::Int64(commit_time.div_euclid(1000));
        TransactionEvent {
            key: Struct::new(self.key_schema.clone(), vec![id.clone()]),
            value: Struct::new(self.value_schema.clone(), vec![status.into(), id, count, collections, time]),
        }
    }
}

/// A transaction is called by its id and the place that was read last.
fn identify(id: i64, lsn: Lsn) -> Value {
    Value::String(format!("{id}:{}", lsn.as_i64()).into())
}
