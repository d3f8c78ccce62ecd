//! A picture of the tables: their rows as they are at one moment.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::{Operation, PostgresConnectorConfig, SnapshotIsolation};
use super::error::{ConnectorError, Context};
use super::event::{Change, EventFactory, now_micros};
use super::filters::compile;
use super::hash_order::in_hash_order;
use super::notification::Notice;
use super::relational::TableId;
use super::schemas::{CapturedTable, Schemas};
use super::source_info::{SNAPSHOT_FIELD, SnapshotRecord, SourceInfo};
use super::streaming::MAX_BATCH_BYTES;
use super::table_schema::{Cell, CellText};
use super::types::Origin;
use crate::data::{OffsetMap, SourceRecord, Struct, Value};
use crate::metrics::{SnapshotFigures, SnapshotState, TaskMetrics};
use crate::postgres::{Catalog, Connection, Lsn, ReplicationStream, identifier, literal};
use crate::source::RecordSink;

/// What is to be pictured.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotTable {
    /// The table.
    pub(crate) id: TableId,
    /// The query for its rows, if it is not all of them.
    pub(crate) select: Option<String>,
}

/// Takes a picture through a connection in whose transaction all is seen as of one moment.
pub(crate) struct Snapshot<'a> {
    pub(crate) config: &'a PostgresConnectorConfig,
    pub(crate) events: &'a EventFactory,
    pub(crate) schemas: &'a mut Schemas,
    pub(crate) connection: &'a mut Connection,
    pub(crate) sink: &'a mut dyn RecordSink,
    pub(crate) stop: &'a CancellationToken,
    /// A stream that waits meanwhile, and whose server must not think that nobody listens.
    pub(crate) waiting: Option<&'a mut ReplicationStream>,
    /// The place from which the stream goes on.
    pub(crate) lsn: Lsn,
    /// The last commit that has been streamed.
    pub(crate) last_commit: Option<Lsn>,
    /// The picture's own transaction.
    pub(crate) tx_id: Option<i64>,
    /// What goes with the records.
    pub(crate) offset: Arc<OffsetMap>,
    /// How many bytes of rows have been read since records were sent last.
    pub(crate) batch_bytes: usize,
    /// Where it tells how far it is.
    pub(crate) metrics: &'a TaskMetrics,
}

/// How often the figures tell how far a table has been read.
const FIGURES_INTERVAL: Duration = Duration::from_millis(500);
/// How often the log tells how far a table has been read.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

impl Snapshot<'_> {
    /// Sends the rows of tables, in order.
    pub(crate) async fn run(&mut self, tables: &[SnapshotTable]) -> Result<(), ConnectorError> {
        let count = tables.len() as u64;
        self.metrics.update(|figures| {
            figures.snapshot = SnapshotFigures {
                state: SnapshotState::Running,
                started_ms: Some(now_micros() / 1000),
                tables: count,
                remaining_tables: count,
                ..SnapshotFigures::default()
            };
        });
        let mut batch = Vec::with_capacity(self.config.max_batch_size.min(1024));
        let result = self.read_all(tables, &mut batch).await;
        let state = if result.is_ok() { SnapshotState::Completed } else { SnapshotState::Aborted };
        self.metrics.update(|figures| {
            figures.snapshot.state = state;
            figures.snapshot.ended_ms = Some(now_micros() / 1000);
            figures.snapshot.table = None;
        });
        let kind = if result.is_ok() { "COMPLETED" } else { "ABORTED" };
        self.tell(kind, Vec::new(), &mut batch);
        // Beside a stream that goes on, what was read before something went wrong stays.
        let stays = match &result {
            Err(ConnectorError::Sink(_) | ConnectorError::Stopped) => false,
            Err(_) => self.waiting.is_some(),
            Ok(()) => true,
        };
        if stays {
            self.sink.send(batch).await?;
        }
        result
    }

    fn tell(&self, kind: &'static str, data: Vec<(&'static str, String)>, out: &mut Vec<SourceRecord>) {
        self.events.notifications.send(Notice::initial(kind, data), &self.offset, out);
    }

    async fn read_all(
        &mut self,
        tables: &[SnapshotTable],
        batch: &mut Vec<SourceRecord>,
    ) -> Result<(), ConnectorError> {
        // The last record of all is known as such only when no table has another.
        let mut last: Option<SourceRecord> = None;
        let mut all: Vec<String> = tables.iter().map(|table| table.id.to_string()).collect();
        let names = all.join(",");
        // What is in progress is told with a Java set's order of the tables.
        in_hash_order(&mut all, |name| name);
        let set = all.join(",");
        self.tell("STARTED", Vec::new(), batch);
        self.tell("DATA_COLLECTIONS_RESOLVED", vec![("data_collections", names.clone())], batch);
        for (place, table) in tables.iter().enumerate() {
            let name = table.id.to_string();
            let data = vec![("current_collection_in_progress", name.clone()), ("data_collections", set.clone())];
            self.tell("IN_PROGRESS", data, batch);
            let rows = match self.table(table, place, tables.len(), batch, &mut last).await {
                Ok(rows) => rows,
                Err(error) => {
                    if matches!(error, ConnectorError::Postgres { .. }) {
                        let data = vec![("scanned_collection", name), ("status", "SQL_EXCEPTION".to_owned())];
                        self.tell("TABLE_SCAN_COMPLETED", data, batch);
                    }
                    return Err(error);
                }
            };
            self.metrics.update(|figures| figures.snapshot.remaining_tables -= 1);
            let data = vec![
                ("scanned_collection", name),
                ("data_collections", names.clone()),
                ("total_rows_scanned", rows.to_string()),
                ("status", "SUCCEEDED".to_owned()),
            ];
            self.tell("TABLE_SCAN_COMPLETED", data, batch);
        }
        if let Some(record) = last {
            batch.push(mark(record, SnapshotRecord::Last));
        }
        self.sink.send(std::mem::take(batch)).await?;
        Ok(())
    }

    async fn table(
        &mut self,
        wanted: &SnapshotTable,
        place: usize,
        count: usize,
        batch: &mut Vec<SourceRecord>,
        last: &mut Option<SourceRecord>,
    ) -> Result<u64, ConnectorError> {
        let id = &wanted.id;
        let found =
            Catalog(self.connection).table(&id.schema, &id.table).await.context("Reading the catalog failed")?;
        let Some(found) = found else { return Ok(0) };
        let captured = self.schemas.table(&found, self.connection, self.config, &self.events.source).await?;
        let select = wanted.select.clone().unwrap_or_else(|| select_all(&captured, self.config));
        tracing::info!(table = %id, "exporting data of table {} of {count}", place + 1);
        let context = || format!("Snapshotting of table {id} failed");
        self.connection.start_query(&select).await.with(&context)?;
        let mut columns = None;
        let (mut rows, mut told, mut logged) = (0u64, Instant::now(), Instant::now());
        self.scanned(id, 0);
        let mut previous: Option<SourceRecord> = None;
        let timestamp = now_micros();
        loop {
            // A record is held back until it is known whether it is its table's last. It is not held while the next row comes
            // into memory, as both may be large.
            let more = self.connection.has_row().await.with(&context)?;
            if let Some(record) = previous.take() {
                let marker = match (rows, more) {
                    // The only row of the first table is its first rather than its last.
                    (1, false) if place == 0 && place + 1 < count => SnapshotRecord::First,
                    (_, false) => SnapshotRecord::LastInDataCollection,
                    (1, true) if place == 0 => SnapshotRecord::First,
                    (1, true) => SnapshotRecord::FirstInDataCollection,
                    (_, true) => SnapshotRecord::True,
                };
                self.push(mark(record, marker), more, batch, last).await?;
            }
            let Some(row) = self.connection.next_row().await.with(&context)? else { break };
            if let Some(record) = last.take() {
                batch.push(record);
                self.send_if_full(batch).await?;
            }
            if self.stop.is_cancelled() {
                return Err(ConnectorError::Stopped);
            }
            let places = columns.get_or_insert_with(|| places(&captured, self.connection.columns()));
            let mut cells = vec![Cell::Null; captured.table.columns.len()];
            for (place, value) in places.iter().zip(row.values()) {
                if let (Some(place), Some(text)) = (place, value) {
                    self.batch_bytes += text.len();
                    cells[*place] = Cell::Text(CellText::within(row.body(), text));
                }
            }
            previous = Some(self.read(&captured, &cells, timestamp)?);
            rows += 1;
            let now = Instant::now();
            if now - told > FIGURES_INTERVAL {
                told = now;
                self.scanned(id, rows);
            }
            if now - logged > LOG_INTERVAL {
                logged = now;
                self.log_progress(id, rows);
                if let Some(stream) = self.waiting.as_deref_mut() {
                    stream.send_status().await?;
                }
            }
        }
        tracing::info!(table = %id, rows, "finished exporting table {} of {count}", place + 1);
        self.scanned(id, rows);
        Ok(rows)
    }

    fn log_progress(&self, table: &TableId, rows: u64) {
        let snapshot = self.metrics.figures().snapshot;
        let (tables, done) = (snapshot.tables, snapshot.tables - snapshot.remaining_tables);
        let rate = snapshot.rows_a_second(now_micros() / 1000);
        tracing::info!(%table, rows, "exported; {done} of {tables} tables are done, {rate} rows a second");
    }

    fn scanned(&self, table: &TableId, rows: u64) {
        self.metrics.update(|figures| {
            figures.snapshot.table = Some(table.to_string());
            figures.snapshot.rows_scanned.insert(table.to_string(), rows);
        });
    }

    /// Takes a record. The last one of a table is held back, since it may be the last of all.
    async fn push(
        &mut self,
        record: SourceRecord,
        more: bool,
        batch: &mut Vec<SourceRecord>,
        last: &mut Option<SourceRecord>,
    ) -> Result<(), ConnectorError> {
        if more {
            batch.push(record);
        } else {
            *last = Some(record);
        }
        self.send_if_full(batch).await
    }

    async fn send_if_full(&mut self, batch: &mut Vec<SourceRecord>) -> Result<(), ConnectorError> {
        if batch.len() >= self.config.max_batch_size || self.batch_bytes >= MAX_BATCH_BYTES {
            self.batch_bytes = 0;
            self.sink.send(std::mem::take(batch)).await?;
        }
        Ok(())
    }

    fn read(&self, table: &CapturedTable, cells: &[Cell<'_>], timestamp: i64) -> Result<SourceRecord, ConnectorError> {
        let info = SourceInfo {
            timestamp,
            snapshot: SnapshotRecord::True,
            last_commit: self.last_commit,
            lsn: Some(self.lsn),
            table: Some(&table.table.id),
            tx_id: self.tx_id,
            xmin: None,
            origin: None,
        };
        let change = Change {
            operation: Operation::Read,
            old_key: None,
            before: Value::Null,
            key: table.schema.key(cells, Origin::Snapshot)?,
            after: table.schema.value(cells, Origin::Snapshot)?,
            source: self.events.source.block(&info),
        };
        let mut records = Vec::with_capacity(1);
        self.events.records(&table.schema, change, &mut || Value::Null, &self.offset, &mut records);
        records.pop().ok_or_else(|| ConnectorError::Failed("a row that was read is no event".into()))
    }
}

/// Says what was being done, which is put in words only if something went wrong.
trait LazyContext<T> {
    fn with(self, context: &dyn Fn() -> String) -> Result<T, ConnectorError>;
}

impl<T> LazyContext<T> for Result<T, crate::postgres::PostgresError> {
    fn with(self, context: &dyn Fn() -> String) -> Result<T, ConnectorError> {
        self.map_err(|error| ConnectorError::Postgres { context: context(), error })
    }
}

/// Where each column of an answer stands in the table's rows.
fn places(table: &CapturedTable, columns: &[String]) -> Vec<Option<usize>> {
    let place = |name: &String| table.table.columns.iter().position(|column| *column.name == **name);
    columns.iter().map(place).collect()
}

/// The query for all of a table's rows, with the columns that events have. A key's column that is left out of them is not
/// read either, and is shown as if it were null.
fn select_all(table: &CapturedTable, config: &PostgresConnectorConfig) -> String {
    let id = &table.table.id;
    let columns = table.table.columns.iter();
    let columns = columns.filter(|column| config.columns.selects(&format!("{id}.{}", column.name)));
    let columns: Vec<String> = columns.map(|column| identifier(&column.name)).collect();
    // The key is told of even where no column is.
    let columns = if columns.is_empty() { "*".to_owned() } else { columns.join(", ") };
    format!("SELECT {columns} FROM {}", id.quoted())
}

/// The same record as another of the snapshot's.
fn mark(mut record: SourceRecord, marker: SnapshotRecord) -> SourceRecord {
    /// Where the field `source` stands in the envelope.
    const SOURCE_FIELD: usize = 2;
    if let Value::Struct(envelope) = record.value {
        let schema = envelope.schema().clone();
        let mut values = envelope.into_values();
        if let Some(Value::Struct(source)) = values.get(SOURCE_FIELD).cloned() {
            let source_schema = source.schema().clone();
            let mut fields = source.into_values();
            fields[SNAPSHOT_FIELD] = marker.value();
            values[SOURCE_FIELD] = Value::Struct(Struct::new(source_schema, fields));
        }
        record.value = Value::Struct(Struct::new(schema, values));
    }
    record
}

/// The captured tables in the order in which they are pictured: as `table.include.list` names them, else by name.
pub(crate) async fn captured_tables(
    connection: &mut Connection,
    config: &PostgresConnectorConfig,
    include_list: Option<&str>,
) -> Result<Vec<TableId>, ConnectorError> {
    let names = Catalog(connection).table_names().await.context("Reading the catalog failed")?;
    let mut tables: Vec<TableId> = names.iter().map(|(schema, table)| TableId::new(schema, table)).collect();
    tables.retain(|table| config.tables.captures(table));
    let utf16 = |id: &TableId| id.to_string().encode_utf16().collect::<Vec<u16>>();
    tables.sort_by_key(utf16);
    if let Some(list) = include_list {
        let patterns: Vec<_> = super::filters::split(list).iter().filter_map(|pattern| compile(pattern).ok()).collect();
        let rank = |id: &TableId| patterns.iter().position(|pattern| pattern.matches(&id.to_string()));
        tables.sort_by_key(|id| rank(id).unwrap_or(usize::MAX));
    }
    Ok(tables)
}

/// What the first snapshot pictures of the captured tables.
pub(crate) async fn initial_tables(
    connection: &mut Connection,
    config: &PostgresConnectorConfig,
    captured: &[TableId],
) -> Result<Vec<SnapshotTable>, ConnectorError> {
    let listed = |id: &TableId| match &config.snapshot.include {
        Some(patterns) => patterns.iter().any(|pattern| pattern.matches(&id.to_string())),
        None => true,
    };
    let mut tables: Vec<TableId> = captured.iter().filter(|id| listed(id)).cloned().collect();
    if let Some(ascending) = config.snapshot.order_by_row_count {
        let mut counted = Vec::with_capacity(tables.len());
        for id in tables {
            let sql = format!("SELECT reltuples::int8 FROM pg_class WHERE oid = {}::regclass", literal(&id.quoted()));
            let rows = connection.query(&sql).await.context("Reading the catalog failed")?;
            counted.push((rows.single().and_then(|rows| rows.parse::<i64>().ok()).unwrap_or(0), id));
        }
        counted.sort_by_key(|(rows, _)| if ascending { *rows } else { -rows });
        tables = counted.into_iter().map(|(_, id)| id).collect();
    }
    let select = |id: &TableId| {
        let overrides = &config.snapshot.overrides;
        let full = format!("{}.{id}", config.connection.database);
        overrides.get(&id.to_string()).or_else(|| overrides.get(&full)).cloned()
    };
    Ok(tables.into_iter().map(|id| SnapshotTable { select: select(&id), id }).collect())
}

/// Begins the transaction in which all is seen as of one moment: that of an exported snapshot, or now.
pub(crate) async fn begin(
    connection: &mut Connection,
    config: &PostgresConnectorConfig,
    exported: Option<&str>,
) -> Result<(), ConnectorError> {
    let level = match (exported, config.snapshot.isolation) {
        (Some(_), _) | (None, SnapshotIsolation::RepeatableRead) => "REPEATABLE READ",
        (None, SnapshotIsolation::Serializable) => "SERIALIZABLE, READ ONLY, DEFERRABLE",
        (None, SnapshotIsolation::ReadCommitted) => "READ COMMITTED",
        (None, SnapshotIsolation::ReadUncommitted) => "READ UNCOMMITTED",
    };
    let mut sql = format!("BEGIN; SET TRANSACTION ISOLATION LEVEL {level};");
    if let Some(snapshot) = exported {
        sql.push_str(&format!("SET TRANSACTION SNAPSHOT {};", literal(snapshot)));
    }
    connection.execute(&sql).await.context("Starting the snapshot's transaction failed")
}

/// Locks tables against changes of what they look like, if that is asked for.
pub(crate) async fn lock(
    connection: &mut Connection,
    config: &PostgresConnectorConfig,
    tables: &[TableId],
) -> Result<(), ConnectorError> {
    if !config.snapshot.lock || tables.is_empty() {
        return Ok(());
    }
    let timeout = config.snapshot.lock_timeout.as_millis();
    let names = tables.iter().map(TableId::quoted).collect::<Vec<_>>().join(", ");
    let sql = format!("SET lock_timeout = {timeout}; LOCK TABLE {names} IN ACCESS SHARE MODE");
    connection.execute(&sql).await.context("Locking the captured tables failed")
}
