//! Incremental snapshots: tables are read in chunks while the stream goes on (the DBLog algorithm).
//!
//! Two rows in a signal table enclose the reading of a chunk. What the stream tells of a row of the chunk between them is
//! newer than what was read, so that row is left out; what remains is sent when the second row comes down the stream.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::chunk_bounds::{ChunkKey, beyond};
use super::config::{PostgresConnectorConfig, WatermarkingStrategy};
use super::error::{ConnectorError, Context};
use super::hash_order::in_hash_order;
use super::notification::{Aggregate, Notice};
use super::relational::TableId;
use super::schemas::{CapturedTable, Schemas};
use super::signal::SnapshotRequest;
use super::source_info::SourceInfoMaker;
use super::table_schema::{Cell, CellText};
use crate::data::OffsetMap;
use crate::java::regex::compile;
use crate::postgres::{Catalog, Connection, Lsn, identifier, literal};

/// A row as texts, and what tells it from others.
pub(crate) type OwnedRow = Vec<Option<Bytes>>;
type RowKey = Vec<Option<Bytes>>;
/// What is left of the rows that were read of a table.
pub(crate) type Chunk = (Arc<CapturedTable>, Vec<OwnedRow>);

/// A table that is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Collection {
    id: TableId,
    condition: Option<String>,
    surrogate_key: Option<String>,
    correlation_id: Option<String>,
}

/// The tables that are to be read, and how far that is.
#[derive(Debug, Default)]
pub(crate) struct IncrementalSnapshot {
    collections: VecDeque<Collection>,
    correlation_id: Option<String>,
    /// What the columns that order rows hold at the end of the table, and at the end of what has been read.
    maximum: Option<ChunkKey>,
    position: Option<ChunkKey>,
    current: Option<Arc<CapturedTable>>,
    chunk_id: String,
    opened: bool,
    paused: bool,
    /// Patterns for the tables that are not to be read any more, from the next chunk on.
    stops: Vec<String>,
    window: Vec<Option<OwnedRow>>,
    by_key: HashMap<RowKey, usize>,
    /// Without a signal table: the chunk is as new as the stream once it has come here.
    ends_at: Option<Lsn>,
    /// The last transactions that the stream has told whole.
    told: VecDeque<u32>,
    /// How many rows are read at a time, since more were too large.
    limit: Option<u32>,
    /// How many rows of the current table were read.
    scanned: usize,
    /// How many rows it had when its reading began, if anybody is told.
    total: Option<usize>,
    notices: Vec<Notice>,
}

/// What has come of reading rows.
enum Scan {
    /// There are some.
    Rows,
    /// The table is done with, in this way (`TableScanCompletionStatus`).
    Over(&'static str),
}

/// What reading needs.
pub(crate) struct Reader<'a> {
    pub(crate) config: &'a PostgresConnectorConfig,
    pub(crate) source: &'a SourceInfoMaker,
    pub(crate) schemas: &'a mut Schemas,
    pub(crate) connection: &'a mut Connection,
}

/// How many transactions may be on their way from the log to where others see them: more than there are connections.
const TOLD: usize = 1024;
/// How often it is asked whether all of them are seen, and how long in between.
const ASKED: u32 = 2000;
const BETWEEN: Duration = Duration::from_millis(5);

/// How large a chunk may grow before it ends, whatever its number of rows.
const MAX_CHUNK_BYTES: usize = 2 * 1024 * 1024;

const COLLECTIONS: &str = "incremental_snapshot_collections";
const CORRELATION: &str = "incremental_snapshot_correlation_id";
const POSITION: &str = "incremental_snapshot_position";

impl IncrementalSnapshot {
    /// What was under way when the offset was kept. A table's chunk that had not been sent is read again.
    pub(crate) fn load(offset: &OffsetMap) -> Self {
        let parse =
            |name: &str| offset.get(name).and_then(Json::as_str).and_then(|text| serde_json::from_str(text).ok());
        let collections: Json = parse(COLLECTIONS).unwrap_or(Json::Null);
        let text = |value: &Json, name: &str| {
            value.get(name).and_then(Json::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let collection = |value: &Json| {
            Some(Collection {
                id: TableId::parse(&text(value, "incremental_snapshot_collections_id")?)?,
                condition: text(value, "incremental_snapshot_collections_additional_condition"),
                surrogate_key: text(value, "incremental_snapshot_collections_surrogate_key"),
                correlation_id: text(value, "incremental_snapshot_collections_correlation_id"),
            })
        };
        let list = collections.as_array().map(Vec::as_slice).unwrap_or_default();
        let position: Option<(ChunkKey, ChunkKey)> =
            offset.get(POSITION).and_then(Json::as_str).and_then(|text| serde_json::from_str(text).ok());
        let (position, maximum) = position.unzip();
        Self {
            collections: list.iter().filter_map(collection).collect(),
            correlation_id: offset.get(CORRELATION).and_then(Json::as_str).map(str::to_owned),
            position,
            maximum,
            ..Self::default()
        }
    }

    /// What is kept with the offset.
    pub(crate) fn store(&self) -> OffsetMap {
        let mut map = OffsetMap::new();
        if !self.is_running() {
            return map;
        }
        let collection = |one: &Collection| {
            json!({
                "incremental_snapshot_collections_id": one.id.to_string(),
                "incremental_snapshot_collections_additional_condition": one.condition.clone().unwrap_or_default(),
                "incremental_snapshot_collections_surrogate_key": one.surrogate_key.clone().unwrap_or_default(),
                "incremental_snapshot_collections_correlation_id": one.correlation_id.clone().unwrap_or_default(),
            })
        };
        let list: Vec<Json> = self.collections.iter().map(collection).collect();
        map.insert(COLLECTIONS.into(), Json::Array(list).to_string().into());
        if let Some(id) = &self.correlation_id {
            map.insert(CORRELATION.into(), id.as_str().into());
        }
        if let (Some(position), Some(maximum)) = (&self.position, &self.maximum) {
            map.insert(POSITION.into(), json!([position, maximum]).to_string().into());
        }
        map
    }

    /// Whether tables remain.
    pub(crate) fn is_running(&self) -> bool {
        !self.collections.is_empty()
    }

    /// Adds tables, and begins if nothing is under way.
    pub(crate) async fn add(
        &mut self,
        correlation_id: &str,
        request: &SnapshotRequest,
        reader: &mut Reader<'_>,
    ) -> Result<(), ConnectorError> {
        let idle = !self.is_running();
        for id in expand(&request.collections, reader).await? {
            let condition = request.condition(&id).filter(|condition| !condition.trim().is_empty()).map(str::to_owned);
            let surrogate_key = request.surrogate_key.clone();
            let correlation_id = Some(correlation_id.to_owned());
            self.collections.push_back(Collection { id, condition, surrogate_key, correlation_id });
        }
        self.correlation_id = Some(correlation_id.to_owned());
        if !idle || !self.is_running() {
            return Ok(());
        }
        self.tell("STARTED", vec![("data_collections", self.names())]);
        self.tell("DATA_COLLECTIONS_RESOLVED", vec![("data_collections", self.names())]);
        self.read_chunk(reader).await
    }

    /// Goes on with what was under way when the connector stopped.
    pub(crate) async fn resume_at_start(&mut self, reader: &mut Reader<'_>) -> Result<(), ConnectorError> {
        if self.is_running() { self.read_chunk(reader).await } else { Ok(()) }
    }

    /// Tables are not to be read any more once the chunk under way has been sent; all if none is named.
    pub(crate) fn stop(&mut self, names: Vec<String>) {
        match (self.is_running(), names.is_empty()) {
            (false, _) => tracing::warn!("no incremental snapshot is under way, so that none is stopped"),
            (true, true) => self.stops.push(".*".to_owned()),
            (true, false) => self.stops.extend(names),
        }
    }

    /// Leaves out the tables that are not to be read any more: the current one last, after which `COMPLETED` is told
    /// before `ABORTED` if none remains.
    async fn leave_stopped(&mut self, reader: &mut Reader<'_>) -> Result<(), ConnectorError> {
        if self.stops.is_empty() {
            return Ok(());
        }
        let stops = expand(&std::mem::take(&mut self.stops), reader).await?;
        let current = self.current.as_ref().map(|table| table.table.id.clone());
        let mut stopped = Vec::new();
        for id in stops.iter().filter(|id| current.as_ref() != Some(id)) {
            let before = self.collections.len();
            self.collections.retain(|one| one.id != *id);
            if self.collections.len() < before {
                stopped.push(id.to_string());
            }
        }
        if let Some(current) = current.filter(|current| stops.contains(current)) {
            stopped.push(current.to_string());
            self.go_on();
        }
        self.tell("ABORTED", vec![("data_collections", stopped.join(","))]);
        if !self.is_running() {
            self.correlation_id = None;
        }
        Ok(())
    }

    /// Reading waits after the chunk under way.
    pub(crate) fn pause(&mut self) {
        if self.is_running() && !std::mem::replace(&mut self.paused, true) {
            self.tell("PAUSED", vec![("data_collections", self.names())]);
        }
    }

    /// Reading goes on.
    pub(crate) async fn unpause(&mut self, reader: &mut Reader<'_>) -> Result<(), ConnectorError> {
        if !self.is_running() || !std::mem::take(&mut self.paused) {
            return Ok(());
        }
        self.tell("RESUMED", vec![("data_collections", self.names())]);
        self.resume_at_start(reader).await
    }

    /// The first row of a chunk's has come down the stream.
    pub(crate) fn open_window(&mut self, id: &str) {
        self.opened |= self.is_current(id);
    }

    /// The second row has come: what is to be sent, and of which table. `None` if it is not of the chunk under way.
    pub(crate) fn close_window(&mut self, id: &str) -> Option<Chunk> {
        if !self.is_current(id) {
            return None;
        }
        let rows = self.window.drain(..).flatten().collect();
        self.clear_window();
        Some((self.current.clone()?, rows))
    }

    /// Whether the stream has come to where the chunk under way was read, when it comes to `lsn`.
    pub(crate) fn ends_before(&self, lsn: Lsn) -> bool {
        self.ends_at.is_some_and(|end| end <= lsn)
    }

    /// What is to be sent of a chunk that was read without a signal table, and of which table.
    pub(crate) fn end_chunk(&mut self) -> Option<Chunk> {
        self.ends_at = None;
        let rows = self.window.drain(..).flatten().collect();
        self.clear_window();
        Some((self.current.clone()?, rows))
    }

    /// What is to be told since the last time.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn tell(&mut self, kind: &'static str, data: Vec<(&'static str, String)>) {
        let id = self.correlation_id.clone();
        self.notices.push(Notice { id, aggregate: Aggregate::IncrementalSnapshot, kind, data });
    }

    fn names(&self) -> String {
        self.collections.iter().map(|one| one.id.to_string()).collect::<Vec<_>>().join(",")
    }

    fn is_current(&self, id: &str) -> bool {
        !self.chunk_id.is_empty() && id.starts_with(&self.chunk_id)
    }

    /// The stream tells of a row: what was read of it is old.
    pub(crate) fn observe(&mut self, table: &TableId, row: &[Cell<'_>], names: &CapturedTable) {
        let Some(current) = self.current.as_ref().filter(|_| self.opened && !self.by_key.is_empty()) else { return };
        if current.table.id != *table {
            return;
        }
        let text = |place: Option<usize>| match place.and_then(|place| row.get(place)) {
            Some(Cell::Text(text)) => Some(text.to_bytes()),
            _ => None,
        };
        let place = |wanted: usize| {
            let name = &current.table.columns[wanted].name;
            names.table.columns.iter().position(|column| column.name == *name)
        };
        let key: RowKey = current.schema.key_places().map(|wanted| text(place(wanted))).collect();
        if let Some(place) = self.by_key.remove(&key) {
            self.window[place] = None;
        }
    }

    fn clear_window(&mut self) {
        self.opened = false;
        self.ends_at = None;
        self.window.clear();
        self.by_key.clear();
    }

    fn leave_table(&mut self) {
        self.maximum = None;
        self.position = None;
        self.current = None;
        self.total = None;
    }

    fn next_table(&mut self, status: &'static str) {
        let names = self.names();
        if let Some(collection) = self.collections.front() {
            let mut data = vec![
                ("data_collections", names),
                ("scanned_collection", collection.id.to_string()),
                ("total_rows_scanned", self.scanned.to_string()),
                ("status", status.to_owned()),
            ];
            if let Some(total) = self.total.filter(|_| status == "SUCCEEDED") {
                data.push(("total_rows", total.to_string()));
            }
            self.tell("TABLE_SCAN_COMPLETED", data);
        }
        self.go_on();
    }

    /// Goes on to the next table, if there is one.
    fn go_on(&mut self) {
        self.limit = None;
        self.scanned = 0;
        self.collections.pop_front();
        self.leave_table();
        if !self.is_running() {
            self.tell("COMPLETED", Vec::new());
            self.correlation_id = None;
        }
    }

    fn tell_progress(&mut self, chunk_size: u32) {
        let Some(collection) = self.collections.front() else { return };
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "<null>".to_owned());
        let key = |key: &Option<ChunkKey>| key.iter().flatten().map(text).collect::<Vec<_>>().join(",");
        let mut data = vec![
            ("data_collections", self.names()),
            ("current_collection_in_progress", collection.id.to_string()),
            ("maximum_key", key(&self.maximum)),
            ("last_processed_key", key(&self.position)),
        ];
        if let Some(total) = self.total {
            let chunks = |rows: usize| rows.div_ceil(chunk_size as usize);
            data.push(("total_rows", total.to_string()));
            data.push(("total_chunks", chunks(total).to_string()));
            data.push(("chunk_index", chunks(self.scanned).min(chunks(total)).to_string()));
        }
        self.tell("IN_PROGRESS", data);
    }

    /// Reads the next chunk, between the two rows in the signal table.
    pub(crate) async fn read_chunk(&mut self, reader: &mut Reader<'_>) -> Result<(), ConnectorError> {
        self.leave_stopped(reader).await?;
        if self.paused || !self.is_running() {
            return Ok(());
        }
        if reader.config.read_only {
            return self.read_chunk_only(reader).await;
        }
        let Some(signal_table) = reader.config.tables.signal_tables.first().map(TableId::quoted) else {
            tracing::warn!("an incremental snapshot needs 'signal.data.collection' to be set; it is not taken");
            self.collections.clear();
            return Ok(());
        };
        self.clear_window();
        self.chunk_id = Uuid::new_v4().to_string();
        let context = "Writing to the signal table failed";
        let opened = timestamp();
        // Whose window it is: by the time that it is closed it may be the next table's turn.
        let first = self.collections.front().cloned();
        let open = format!(
            "INSERT INTO {signal_table} VALUES ({}, 'snapshot-window-open', {})",
            literal(&format!("{}-open", self.chunk_id)),
            literal(&window_data(&opened, None, first.as_ref()))
        );
        reader.connection.execute(&open).await.context(context)?;
        self.read_next_rows(reader).await?;
        let close = match reader.config.watermarking {
            WatermarkingStrategy::InsertInsert => format!(
                "INSERT INTO {signal_table} VALUES ({}, 'snapshot-window-close', {})",
                literal(&format!("{}-close", self.chunk_id)),
                literal(&window_data(&opened, Some(&timestamp()), first.as_ref()))
            ),
            WatermarkingStrategy::InsertDelete => {
                format!("DELETE FROM {signal_table} WHERE id = {}", literal(&format!("{}-open", self.chunk_id)))
            }
        };
        reader.connection.execute(&close).await.context(context)
    }

    /// Reads the next chunk and writes nothing: it holds what was committed up to where the log ends afterwards, so that it
    /// is as new as the stream once that has come there. What the stream tells until then is newer than what was read, or
    /// the same.
    async fn read_chunk_only(&mut self, reader: &mut Reader<'_>) -> Result<(), ConnectorError> {
        self.clear_window();
        self.wait_for_told(reader.connection).await?;
        self.read_next_rows(reader).await?;
        if self.window.is_empty() {
            return Ok(());
        }
        self.opened = true;
        let context = "Reading the log's position failed";
        let sql =
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END";
        let rows = reader.connection.query(sql).await.context(context)?;
        self.ends_at = rows.single().and_then(|lsn| lsn.parse().ok());
        // The end of a transaction follows, so that the stream comes there although nothing is changed.
        let sql = "SELECT CASE WHEN pg_is_in_recovery() THEN NULL::xid8 ELSE pg_current_xact_id() END";
        reader.connection.query(sql).await.context(context)?;
        Ok(())
    }

    /// Notes a transaction that the stream has told whole.
    pub(crate) fn note_told(&mut self, xid: u32) {
        self.told.truncate(TOLD - 1);
        self.told.push_front(xid);
    }

    /// Waits until a reader sees all that the stream has told: a transaction is in the log, and may be streamed, a moment before
    /// others see it. What is read must not be older than what was told.
    async fn wait_for_told(&self, connection: &mut Connection) -> Result<(), ConnectorError> {
        for _ in 0..ASKED {
            let rows = connection.query("SELECT pg_current_snapshot()").await.context("Reading a snapshot failed")?;
            let unseen = rows.single().is_some_and(|snapshot| self.told.iter().any(|xid| !is_seen(*xid, snapshot)));
            if !unseen {
                return Ok(());
            }
            tokio::time::sleep(BETWEEN).await;
        }
        tracing::warn!("a transaction was streamed long ago that nobody sees yet; what is read may be older than it");
        Ok(())
    }

    /// Reads rows of the first table that has any.
    async fn read_next_rows(&mut self, reader: &mut Reader<'_>) -> Result<(), ConnectorError> {
        while self.is_running() {
            match self.read_rows(reader).await? {
                Scan::Over(status) => self.next_table(status),
                Scan::Rows => {
                    self.scanned += self.window.len();
                    self.tell_progress(reader.config.incremental_chunk_size);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads rows of the current table into the window.
    async fn read_rows(&mut self, reader: &mut Reader<'_>) -> Result<Scan, ConnectorError> {
        let Some(collection) = self.collections.front().cloned() else { return Ok(Scan::Over("EMPTY")) };
        if self.current.is_none() {
            let id = &collection.id;
            let found =
                Catalog(reader.connection).table(&id.schema, &id.table).await.context("Reading the catalog failed")?;
            let Some(found) = found else {
                tracing::warn!(table = %id, "there is no such table; its incremental snapshot is skipped");
                return Ok(Scan::Over("UNKNOWN_SCHEMA"));
            };
            let captured = reader.schemas.table(&found, reader.connection, reader.config, reader.source).await?;
            self.current = Some(Arc::new(captured));
        }
        let Some(table) = self.current.clone() else { return Ok(Scan::Over("UNKNOWN_SCHEMA")) };
        let order: Vec<usize> = match &collection.surrogate_key {
            Some(name) => match table.table.columns.iter().position(|column| *column.name == **name) {
                Some(place) => vec![place],
                None => {
                    tracing::warn!(table = %collection.id, column = %name, "there is no such column to order rows by");
                    return Ok(Scan::Over("SQL_EXCEPTION"));
                }
            },
            None => table.schema.key_places().collect(),
        };
        if order.is_empty() {
            tracing::warn!(table = %collection.id, "a table without primary key cannot be read by an incremental snapshot");
            return Ok(Scan::Over("NO_PRIMARY_KEY"));
        }
        if !reader.config.tables.captures(&collection.id) {
            tracing::warn!(table = %collection.id, "the table is not captured; its incremental snapshot is skipped");
            return Ok(Scan::Over("SQL_EXCEPTION"));
        }
        match self.read_ordered(&table, &order, &collection, reader).await {
            Ok(scan) => Ok(scan),
            Err(error) if error.is_transient() => Err(error.into()),
            Err(error) => {
                tracing::warn!(table = %collection.id, %error, "reading a table failed; its incremental snapshot is skipped");
                Ok(Scan::Over("SQL_EXCEPTION"))
            }
        }
    }

    async fn read_ordered(
        &mut self,
        table: &CapturedTable,
        order: &[usize],
        collection: &Collection,
        reader: &mut Reader<'_>,
    ) -> Result<Scan, crate::postgres::PostgresError> {
        let ordering: Vec<_> = order.iter().map(|place| &table.table.columns[*place]).collect();
        let names: Vec<String> = ordering.iter().map(|column| identifier(&column.name)).collect();
        let from = collection.id.quoted();
        let condition = collection.condition.as_ref().map(|condition| format!("({condition})"));
        if self.maximum.is_none() {
            let filter = condition.as_ref().map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
            let descending: Vec<String> = names.iter().map(|name| format!("{name} DESC")).collect();
            let sql =
                format!("SELECT {} FROM {from}{filter} ORDER BY {} LIMIT 1", names.join(", "), descending.join(", "));
            let rows = reader.connection.query(&sql).await?;
            let Some(row) = rows.iter().next() else { return Ok(Scan::Over("EMPTY")) };
            let maximum = row.to_vec();
            if !reader.config.notification_channels.is_empty() {
                let end = format!("NOT {}", beyond(&ordering, &maximum));
                self.total = total_rows(reader.connection, &collection.id, condition.as_deref(), &end).await?;
            }
            self.maximum = Some(maximum);
        }
        let conditions: Vec<String> = [
            self.position.as_ref().map(|position| beyond(&ordering, position)),
            self.maximum.as_ref().map(|maximum| format!("NOT {}", beyond(&ordering, maximum))),
            condition,
        ]
        .into_iter()
        .flatten()
        .collect();
        let columns: Vec<String> = table.table.columns.iter().map(|column| identifier(&column.name)).collect();
        let sql = format!(
            "SELECT {} FROM {from} WHERE {} ORDER BY {} LIMIT {}",
            columns.join(", "),
            conditions.join(" AND "),
            names.join(", "),
            self.limit.unwrap_or(u32::MAX).min(reader.config.incremental_chunk_size)
        );
        reader.connection.start_query(&sql).await?;
        let mut bytes = 0;
        while let Some(row) = reader.connection.next_row().await? {
            let row: OwnedRow =
                row.values().map(|value| value.map(|text| CellText::within(row.body(), text).to_bytes())).collect();
            let key = table.schema.key_places().map(|place| row.get(place).cloned().flatten()).collect();
            self.by_key.insert(key, self.window.len());
            bytes += row.iter().flatten().map(Bytes::len).sum::<usize>();
            self.window.push(Some(row));
            if bytes > MAX_CHUNK_BYTES {
                // The rest is read next, and from now on no more at a time.
                self.limit = u32::try_from(self.window.len()).ok();
                break;
            }
        }
        let Some(Some(last)) = self.window.last() else { return Ok(Scan::Over("SUCCEEDED")) };
        let text = |place: &usize| last.get(*place)?.as_ref().map(|value| String::from_utf8_lossy(value).into_owned());
        self.position = Some(order.iter().map(text).collect());
        Ok(Scan::Rows)
    }
}

/// Whether a transaction that is in the log is seen by who has this snapshot (`xmin:xmax:xip_list`, PostgreSQL's docs, "Transaction ID
/// and Snapshot Information Functions").
fn is_seen(xid: u32, snapshot: &str) -> bool {
    let mut parts = snapshot.splitn(3, ':').skip(1);
    // The stream tells the lower half of these numbers.
    let low = |text: &str| text.parse::<u64>().ok().map(|full| full as u32);
    let before_end = parts.next().and_then(low).is_some_and(|xmax| (xid.wrapping_sub(xmax) as i32) < 0);
    before_end && !parts.next().unwrap_or_default().split(',').any(|running| low(running) == Some(xid))
}

/// How many rows are to be read of a table: what the server believes, or a count if it does not know or not all are meant.
async fn total_rows(
    connection: &mut Connection,
    table: &TableId,
    condition: Option<&str>,
    end: &str,
) -> Result<Option<usize>, crate::postgres::PostgresError> {
    let name = table.quoted();
    if condition.is_none() {
        let sql = format!("SELECT reltuples::bigint FROM pg_catalog.pg_class WHERE oid = {}::regclass", literal(&name));
        let rows = connection.query(&sql).await?;
        if let Some(known) = rows.single().and_then(|rows| rows.parse().ok()).filter(|rows| *rows > 0) {
            return Ok(Some(known));
        }
    }
    let condition = condition.map(|condition| format!(" AND {condition}")).unwrap_or_default();
    let rows = connection.query(&format!("SELECT COUNT(*) FROM {name} WHERE {end}{condition}")).await?;
    Ok(rows.single().and_then(|rows| rows.parse().ok()))
}

/// The tables that patterns mean: those captured that match, in the order of a Java set; else what the pattern names, be there
/// such a table or not.
async fn expand(patterns: &[String], reader: &mut Reader<'_>) -> Result<Vec<TableId>, ConnectorError> {
    let names = Catalog(reader.connection).table_names().await.context("Reading the catalog failed")?;
    let all = names.iter().map(|(schema, table)| TableId::new(schema, table));
    let mut all: Vec<(String, TableId)> =
        all.filter(|id| reader.config.tables.captures(id)).map(|id| (id.to_string(), id)).collect();
    in_hash_order(&mut all, |(name, _)| name);
    let mut found: Vec<TableId> = Vec::new();
    for text in patterns {
        let Ok(pattern) = compile(text) else {
            tracing::warn!(pattern = %text, "a signal's pattern cannot be understood");
            continue;
        };
        let matching = all.iter().filter(|(name, _)| pattern.matches(name)).map(|(_, id)| id.clone());
        let mut matching: Vec<TableId> = matching.collect();
        if matching.is_empty() {
            matching.extend(TableId::parse(text));
        }
        matching.retain(|id| !found.contains(id));
        found.append(&mut matching);
    }
    Ok(found)
}

/// What a row of the signal table tells of the window that it opens or closes.
fn window_data(opened: &str, closed: Option<&str>, table: Option<&Collection>) -> String {
    let name = table.map(|one| one.id.to_string());
    let fields = [
        ("openWindowTimestamp", Some(opened)),
        ("closeWindowTimestamp", closed),
        ("correlationId", table.and_then(|one| one.correlation_id.as_deref())),
        ("dataCollectionId", name.as_deref()),
    ];
    let fields = fields.iter().filter_map(|(name, text)| Some(format!("\"{name}\": {}", Json::from((*text)?))));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
}

/// Now, as `2024-02-29T13:14:15.123456Z`.
fn timestamp() -> String {
    super::types::iso_micros(super::event::now_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_seen_once_it_runs_no_more() {
        assert!(is_seen(700, "747:751:747,749"));
        assert!(is_seen(748, "747:751:747,749"));
        assert!(!is_seen(749, "747:751:747,749"));
        assert!(!is_seen(751, "747:751:747,749"), "it began after the last that is over");
        assert!(is_seen(750, "751:751:"));
        // The numbers' upper half counts how often the lower one began anew.
        assert!(is_seen(u32::MAX, "4294967300:4294967300:"));
        assert!(!is_seen(3, "4294967299:4294967301:4294967299"));
    }

    #[test]
    fn a_window_tells_whose_it_is() {
        let table = Collection {
            id: TableId::new("public", "a"),
            condition: None,
            surrogate_key: None,
            correlation_id: Some("ad-\"hoc".into()),
        };
        let data = window_data("2024-01-01T00:00:00Z", Some("2024-01-01T00:00:01Z"), Some(&table));
        let expected = r#"{"openWindowTimestamp": "2024-01-01T00:00:00Z", "closeWindowTimestamp": "2024-01-01T00:00:01Z", "correlationId": "ad-\"hoc", "dataCollectionId": "public.a"}"#;
        assert_eq!(data, expected);
    }

    #[test]
    fn what_was_told_last_is_remembered() {
        let mut snapshot = IncrementalSnapshot::default();
        (0..3000).for_each(|xid| snapshot.note_told(xid));
        assert_eq!((snapshot.told.len(), snapshot.told.front()), (TOLD, Some(&2999)));
    }
}
