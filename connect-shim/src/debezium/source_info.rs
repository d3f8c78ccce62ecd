//! Where an event comes from: the block `source`.

use std::fmt::Write as _;
use std::sync::Arc;

use super::relational::TableId;
use super::types::schema::{field, logical};
use crate::data::{Schema, SchemaType, Struct, Value};
use crate::postgres::Lsn;

/// The version of Debezium whose events these are like.
pub const DEBEZIUM_VERSION: &str = "3.7.0.Final";
/// What Debezium calls the connector.
pub const CONNECTOR_NAME: &str = "postgresql";

/// Which of a snapshot's records one is (`SnapshotRecord`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SnapshotRecord {
    /// One of many.
    True,
    /// The first of all.
    First,
    /// The first of its table.
    FirstInDataCollection,
    /// The last of its table.
    LastInDataCollection,
    /// The last of all.
    Last,
    /// It is not of a snapshot.
    False,
    /// It is of an incremental snapshot.
    Incremental,
}

impl SnapshotRecord {
    fn name(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::First => "first",
            Self::FirstInDataCollection => "first_in_data_collection",
            Self::LastInDataCollection => "last_in_data_collection",
            Self::Last => "last",
            Self::False => "false",
            Self::Incremental => "incremental",
        }
    }

    /// As the block has it: what is not of a snapshot leaves it to the schema's default.
    pub(crate) fn value(self) -> Value {
        if self == Self::False { Value::Null } else { Value::String(self.name().into()) }
    }
}

/// Where the field `snapshot` stands in the block.
pub(crate) const SNAPSHOT_FIELD: usize = 4;

/// Makes blocks of one connector.
#[derive(Debug, Clone)]
pub(crate) struct SourceInfoMaker {
    schema: Arc<Schema>,
    version: Value,
    connector: Value,
    name: Value,
    database: Value,
}

/// What a block says of one event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceInfo<'a> {
    /// When the transaction was committed, or the row was read, in microseconds since 1970.
    pub(crate) timestamp: i64,
    /// Which of a snapshot's records it is.
    pub(crate) snapshot: SnapshotRecord,
    /// The last commit before.
    pub(crate) last_commit: Option<Lsn>,
    /// The change's place.
    pub(crate) lsn: Option<Lsn>,
    /// The table.
    pub(crate) table: Option<&'a TableId>,
    /// The transaction.
    pub(crate) tx_id: Option<i64>,
    /// The slot's `catalog_xmin`.
    pub(crate) xmin: Option<i64>,
    /// The origin's name and place.
    pub(crate) origin: Option<(&'a Arc<str>, Lsn)>,
}

impl SourceInfoMaker {
    /// For the connector whose topics begin with `name`, which reads `database`.
    pub(crate) fn new(name: &str, database: &str) -> Self {
        let snapshot = [
            SnapshotRecord::True,
            SnapshotRecord::First,
            SnapshotRecord::FirstInDataCollection,
            SnapshotRecord::LastInDataCollection,
            SnapshotRecord::Last,
            SnapshotRecord::False,
            SnapshotRecord::Incremental,
        ];
        let allowed = snapshot.map(SnapshotRecord::name).join(",");
        let snapshot = logical(SchemaType::String, "io.debezium.data.Enum")
            .parameter("allowed", allowed)
            .or(Value::from("false"))
            .optional();
        let text = || Schema::of(SchemaType::String);
        let number = || Schema::of(SchemaType::Int64);
        let fields = vec![
            field("version", text()),
            field("connector", text()),
            field("name", text()),
            field("ts_ms", number()),
            field("snapshot", snapshot),
            field("db", text()),
            field("sequence", text().optional()),
            field("ts_us", number().optional()),
            field("ts_ns", number().optional()),
            field("schema", text()),
            field("table", text()),
            field("txId", number().optional()),
            field("lsn", number().optional()),
            field("xmin", number().optional()),
            field("origin", text().optional()),
            field("origin_lsn", number().optional()),
        ];
        Self {
            schema: Arc::new(logical(SchemaType::Struct(fields), "io.debezium.connector.postgresql.Source")),
            version: DEBEZIUM_VERSION.into(),
            connector: CONNECTOR_NAME.into(),
            name: name.into(),
            database: database.into(),
        }
    }

    /// The schema of all blocks.
    pub(crate) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// A block.
    pub(crate) fn block(&self, info: &SourceInfo<'_>) -> Value {
        let mut sequence = String::with_capacity(48);
        for (lsn, before) in [(info.last_commit, '['), (info.lsn, ',')] {
            sequence.push(before);
            let _ = match lsn {
                Some(lsn) => write!(sequence, "\"{}\"", lsn.as_i64()),
                None => write!(sequence, "null"),
            };
        }
        sequence.push(']');
        let number = |value: Option<i64>| value.map(Value::Int64).unwrap_or_default();
        // Events of an incremental snapshot are of no transaction.
        let streamed = info.snapshot != SnapshotRecord::Incremental;
        let values = vec![
            self.version.clone(),
            self.connector.clone(),
            self.name.clone(),
            Value::Int64(info.timestamp.div_euclid(1000)),
            info.snapshot.value(),
            self.database.clone(),
            Value::String(sequence.into()),
            Value::Int64(info.timestamp),
            Value::Int64(info.timestamp.wrapping_mul(1000)),
            Value::String(info.table.map_or_else(|| "".into(), |table| table.schema.clone().into())),
            Value::String(info.table.map_or_else(|| "".into(), |table| table.table.clone().into())),
            number(info.tx_id.filter(|_| streamed)),
            number(info.lsn.filter(|_| streamed).map(Lsn::as_i64)),
            number(info.xmin.filter(|_| streamed)),
            info.origin.map(|(name, _)| Value::String(name.clone().into())).unwrap_or_default(),
            number(info.origin.map(|(_, lsn)| lsn.as_i64())),
        ];
        Value::Struct(Struct::new(self.schema.clone(), values))
    }
}
