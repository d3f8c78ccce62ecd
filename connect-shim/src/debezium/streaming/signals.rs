//! What the stream does when it is told to: signals of the signal table, of a file, and of other channels.

use bytes::Bytes;
use tokio::time::Instant;

use super::Streaming;
use crate::data::Value;
use crate::debezium::config::Operation;
use crate::debezium::error::ConnectorError;
use crate::debezium::event::Change;
use crate::debezium::incremental::{Chunk, OwnedRow};
use crate::debezium::notification::Notice;
use crate::debezium::schemas::CapturedTable;
use crate::debezium::signal::{Signal, SignalRecord};
use crate::debezium::signal_file::take;
use crate::debezium::signal_topic::TopicSignals;
use crate::debezium::source_info::SnapshotRecord;
use crate::debezium::table_schema::{Cell, CellText};
use crate::debezium::types::Origin;

impl Streaming<'_> {
    /// A row of a signal table: what it asks for is done at once, but for what the stream has to wait for.
    pub(super) async fn source_signal(&mut self, row: &[Cell<'_>], deleted: bool) -> Result<(), ConnectorError> {
        if !self.config.signal_channels.iter().any(|channel| channel == "source") {
            return Ok(());
        }
        let Some(mut signal) = SignalRecord::from_row(row).or_else(|| {
            // Of a row that is gone only the key may be known.
            let Some(Cell::Text(id)) = row.first() else { return None };
            let id = String::from_utf8(id.to_vec()).ok()?;
            Some(SignalRecord { id, kind: String::new(), data: String::new() })
        }) else {
            return Ok(());
        };
        if deleted {
            signal.kind = "snapshot-window-close".into();
            signal.data.clear();
        }
        self.signal(&signal).await
    }

    /// Signals of other channels, which are taken between transactions.
    pub(super) async fn other_signals(&mut self) -> Result<(), ConnectorError> {
        let waiting = self.signals.as_mut().and_then(TopicSignals::waiting);
        self.state.pending.extend(waiting);
        while let Some(signal) = self.state.pending.pop_front() {
            self.signal(&signal).await?;
            self.state.uncommitted = true;
        }
        if !self.reads_signal_file() || Instant::now() < self.state.file_due {
            return Ok(());
        }
        self.state.file_due = Instant::now() + self.config.signal_poll_interval;
        for signal in take(&self.config.signal_file).await {
            self.signal(&signal).await?;
            self.state.uncommitted = true;
        }
        Ok(())
    }

    pub(super) fn reads_signal_file(&self) -> bool {
        self.config.signal_channels.iter().any(|channel| channel == "file")
    }

    /// Ends a chunk without rows in a signal table, now that the stream has come to where the chunk was read.
    pub(super) async fn end_chunk(&mut self) -> Result<(), ConnectorError> {
        let chunk = self.incremental.end_chunk();
        self.send_chunk(chunk).await
    }

    /// Sends what is left of a chunk, if one has ended, and reads the next.
    async fn send_chunk(&mut self, chunk: Option<Chunk>) -> Result<(), ConnectorError> {
        let Some((table, rows)) = chunk else { return Ok(()) };
        self.window(&table, rows).await?;
        let (incremental, mut reader) = self.incremental_reader();
        incremental.read_chunk(&mut reader).await?;
        self.tell_notices();
        Ok(())
    }

    /// Sends what an incremental snapshot has to tell.
    pub(super) fn tell_notices(&mut self) {
        for notice in self.incremental.take_notices() {
            self.tell(notice);
        }
    }

    /// Sends a notification, which the next commit shows.
    pub(crate) fn tell(&mut self, notice: Notice) {
        let before = self.state.batch.len();
        self.events.notifications.send(notice, &self.state.committed, &mut self.state.batch);
        self.state.uncommitted |= self.state.batch.len() > before;
    }

    async fn signal(&mut self, record: &SignalRecord) -> Result<(), ConnectorError> {
        let Some(signal) = record.parse() else { return Ok(()) };
        match signal {
            Signal::Log(message) => {
                let lsn = self.offset.lsn.map(|lsn| lsn.to_string());
                tracing::info!("{}", message.replace("{}", lsn.as_deref().unwrap_or("-")));
            }
            Signal::Incremental(_) if self.config.tables.signal_tables.is_empty() && !self.config.read_only => {
                tracing::warn!(
                    id = record.id,
                    "Incremental snapshot is not properly configured: a signalling data collection is not provided"
                );
            }
            Signal::Incremental(request) => {
                let (incremental, mut reader) = self.incremental_reader();
                incremental.add(&record.id, &request, &mut reader).await?;
            }
            Signal::Blocking(request) => self.state.blocking.push_back(request),
            Signal::Stop(names) => self.incremental.stop(names),
            Signal::Pause => self.incremental.pause(),
            Signal::Resume => {
                let (incremental, mut reader) = self.incremental_reader();
                incremental.unpause(&mut reader).await?;
            }
            Signal::WindowOpen => self.incremental.open_window(&record.id),
            Signal::WindowClose => {
                let chunk = self.incremental.close_window(&record.id);
                self.send_chunk(chunk).await?;
            }
        }
        self.tell_notices();
        Ok(())
    }

    /// The rows of a chunk that the stream said nothing newer of.
    async fn window(&mut self, table: &CapturedTable, rows: Vec<OwnedRow>) -> Result<(), ConnectorError> {
        for row in rows {
            let cells: Vec<Cell<'_>> = row.iter().map(cell).collect();
            let change = Change {
                operation: Operation::Read,
                old_key: None,
                before: Value::Null,
                key: table.schema.key(&cells, Origin::Snapshot)?,
                after: table.schema.value(&cells, Origin::Snapshot)?,
                source: self.source_block(Some(&table.table.id), SnapshotRecord::Incremental),
            };
            self.events.records(
                &table.schema,
                change,
                &mut || Value::Null,
                &self.state.committed,
                &mut self.state.batch,
            );
            self.state.batch_bytes += row.iter().flatten().map(Bytes::len).sum::<usize>();
            drop(row);
            if self.is_full() {
                self.send().await?;
            }
        }
        Ok(())
    }
}

fn cell(value: &Option<Bytes>) -> Cell<'_> {
    value.as_ref().map_or(Cell::Null, |text| Cell::Text(CellText::within(text, text)))
}
