//! The stream's changes as events: what the task does from the snapshot on.
//!
//! Records are sent in batches as they come, so that a transaction of any size needs no more memory than a batch. What was
//! sent is committed, with the offset behind it, at the end of a transaction of PostgreSQL's; small ones that come close
//! together are committed together. Only then is the server told that it may forget them.

mod signals;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::{FailureHandling, LsnFlushMode, Operation, PostgresConnectorConfig};
use super::error::{ConnectorError, Context};
use super::event::{Change, EventFactory, now_micros};
use super::heartbeat::Heartbeat;
use super::incremental::{IncrementalSnapshot, Reader};
use super::logical_message::LogicalMessages;
use super::offset::{MessageType, Offset};
use super::relational::TableId;
use super::resume::Resume;
use super::schemas::{CapturedTable, Schemas};
use super::signal::{SignalRecord, SnapshotRequest};
use super::source_info::{SnapshotRecord, SourceInfo};
use super::table_schema::Cell;
use super::transaction::{TransactionEvent, TransactionMonitor};
use super::types::Origin;
use crate::data::{OffsetMap, SourceRecord, Value};
use crate::postgres::pgoutput::{LogicalMessage, Message, Tuple, TupleColumn};
use crate::postgres::{Connection, Lsn, ReplicationEvent, ReplicationSlot, ReplicationStream};
use crate::source::RecordSink;

/// The transaction under way.
#[derive(Debug)]
struct Transaction {
    xid: i64,
    commit_time: i64,
    /// Whether all of it has been read before.
    known: bool,
    origin: Option<(Arc<str>, Lsn)>,
}

/// The stream at work.
pub(crate) struct Streaming<'a> {
    pub(crate) config: &'a PostgresConnectorConfig,
    pub(crate) events: &'a EventFactory,
    pub(crate) schemas: Schemas,
    pub(crate) catalog: &'a mut Connection,
    pub(crate) stream: ReplicationStream,
    pub(crate) sink: &'a mut dyn RecordSink,
    pub(crate) offset: Offset,
    pub(crate) incremental: IncrementalSnapshot,
    /// Signals that come in other ways than through the signal table.
    pub(crate) signals: Option<&'a mut tokio::sync::mpsc::Receiver<SignalRecord>>,
    state: State,
}

struct State {
    messages: LogicalMessages,
    monitor: TransactionMonitor,
    heartbeat: Option<Heartbeat>,
    heartbeat_connection: Option<Connection>,
    resume: Resume,
    transaction: Option<Transaction>,
    batch: Vec<SourceRecord>,
    /// How many bytes of messages the batch was made of.
    batch_bytes: usize,
    /// Whether something was sent or read since the last commit.
    uncommitted: bool,
    group_since: Instant,
    /// The offset of the last commit, which goes with the records that follow.
    committed: Arc<OffsetMap>,
    status_due: Instant,
    xmin_due: Instant,
    file_due: Instant,
    blocking: VecDeque<SnapshotRequest>,
    pending: VecDeque<SignalRecord>,
}

/// Small transactions are committed together within this time, while there are more at hand.
const GROUP_TIME: Duration = Duration::from_millis(10);

/// A batch is sent once its messages have so many bytes, so that large rows do not add up.
pub(super) const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// Why the loop gives way.
pub(crate) enum Pause {
    /// The task was told to stop.
    Stopped,
    /// Tables are to be pictured while the stream waits.
    Blocking(SnapshotRequest),
}

impl<'a> Streaming<'a> {
    /// A stream that has just been started.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        config: &'a PostgresConnectorConfig,
        events: &'a EventFactory,
        schemas: Schemas,
        catalog: &'a mut Connection,
        stream: ReplicationStream,
        sink: &'a mut dyn RecordSink,
        offset: Offset,
        signals: Option<&'a mut tokio::sync::mpsc::Receiver<SignalRecord>>,
    ) -> Self {
        let now = Instant::now();
        let state = State {
            messages: LogicalMessages::new(config, &events.source),
            monitor: TransactionMonitor::new(config.schema_names),
            heartbeat: Heartbeat::new(config),
            heartbeat_connection: None,
            resume: Resume::new(&offset),
            transaction: None,
            batch: Vec::new(),
            batch_bytes: 0,
            uncommitted: false,
            group_since: now,
            committed: Arc::new(offset.store()),
            status_due: now + config.status_update_interval,
            xmin_due: now,
            file_due: now,
            blocking: VecDeque::new(),
            pending: VecDeque::new(),
        };
        let incremental = IncrementalSnapshot::load(&offset.incremental);
        let offset = Offset { snapshot: None, lsn_events_processed: 0, ..offset };
        Self { config, events, schemas, catalog, stream, sink, offset, incremental, signals, state }
    }

    /// The offset behind what has been committed.
    pub(crate) fn committed(&self) -> &Arc<OffsetMap> {
        &self.state.committed
    }

    /// Goes on with an incremental snapshot that was under way, and gives a first heartbeat.
    pub(crate) async fn begin(&mut self) -> Result<(), ConnectorError> {
        let mut reader = Reader {
            config: self.config,
            source: &self.events.source,
            schemas: &mut self.schemas,
            connection: self.catalog,
        };
        self.incremental.resume_at_start(&mut reader).await
    }

    /// Reads and sends until there is a reason to stop.
    pub(crate) async fn run(&mut self, stop: &CancellationToken) -> Result<Pause, ConnectorError> {
        loop {
            if self.state.transaction.is_none() {
                if stop.is_cancelled() {
                    self.commit().await?;
                    return Ok(Pause::Stopped);
                }
                self.other_signals().await?;
                if let Some(request) = self.state.blocking.pop_front() {
                    self.commit().await?;
                    return Ok(Pause::Blocking(request));
                }
            } else if stop.is_cancelled() {
                // The rest of the transaction is read again, and what of it was sent is not seen.
                return Ok(Pause::Stopped);
            }
            let event = match self.stream.buffered()? {
                Some(event) => event,
                None => match self.wait(stop).await? {
                    Some(event) => event,
                    None => continue,
                },
            };
            match event {
                ReplicationEvent::Data { start, payload } => self.data(start, payload).await?,
                ReplicationEvent::KeepAlive { end, reply } => self.keep_alive(end, reply).await?,
            }
            self.tick().await?;
        }
    }

    /// Nothing is at hand: what is whole is committed, and then the next event or the next deadline is waited for.
    async fn wait(&mut self, stop: &CancellationToken) -> Result<Option<ReplicationEvent>, ConnectorError> {
        if self.state.transaction.is_none() {
            self.commit().await?;
        }
        let mut deadline = self.state.status_due;
        if let Some(heartbeat) = self.state.heartbeat.as_ref().filter(|_| self.state.transaction.is_none()) {
            deadline = deadline.min(heartbeat.due());
        }
        if self.reads_signal_file() {
            deadline = deadline.min(self.state.file_due);
        }
        tokio::select! {
            () = stop.cancelled() => Ok(None),
            event = self.stream.next() => Ok(Some(event?)),
            () = tokio::time::sleep_until(deadline) => {
                self.tick().await?;
                Ok(None)
            }
            Some(signal) = receive(self.signals.as_deref_mut()) => {
                self.state.pending.push_back(signal);
                Ok(None)
            }
        }
    }

    /// What is due by the clock.
    async fn tick(&mut self) -> Result<(), ConnectorError> {
        let now = Instant::now();
        let between = self.state.transaction.is_none();
        if between && self.state.heartbeat.as_ref().is_some_and(|heartbeat| now >= heartbeat.due()) {
            self.heartbeat().await?;
        }
        if now < self.state.status_due {
            return Ok(());
        }
        self.state.status_due = now + self.config.status_update_interval;
        if between {
            // What was filtered out moves the offset too, so that the server need not keep it.
            self.commit().await?;
        }
        self.stream.send_status().await?;
        Ok(())
    }

    /// Sends a heartbeat, and runs what goes with it.
    pub(crate) async fn heartbeat(&mut self) -> Result<(), ConnectorError> {
        let committed = self.state.committed.clone();
        let Some(heartbeat) = &mut self.state.heartbeat else { return Ok(()) };
        self.state.batch.push(heartbeat.beat(&committed));
        self.state.uncommitted = true;
        self.commit().await?;
        let Some(query) = &self.config.heartbeat_action_query else { return Ok(()) };
        let result = match &mut self.state.heartbeat_connection {
            Some(connection) => connection.execute(query).await,
            none => match Connection::connect(&self.config.connection, "Debezium Heartbeat", false).await {
                Ok(connection) => none.insert(connection).execute(query).await,
                Err(error) => Err(error),
            },
        };
        let Err(error) = result else { return Ok(()) };
        match error.state().map(|state| state.0.clone()) {
            None => self.state.heartbeat_connection = None,
            // The server is going down, or the table is not there.
            Some(state) if ["57P01", "57P03", "42P01"].contains(&state.as_str()) => {
                let context = format!("Could not execute heartbeat action query (Error: {state})");
                return Err(ConnectorError::Postgres { context, error });
            }
            Some(_) => {}
        }
        tracing::error!(%error, "could not execute heartbeat action");
        Ok(())
    }

    async fn keep_alive(&mut self, end: Lsn, reply: bool) -> Result<(), ConnectorError> {
        let idle = self.state.transaction.is_none() && !self.state.uncommitted;
        if idle && self.config.lsn_flush_mode == LsnFlushMode::ConnectorAndDriver {
            self.stream.confirm(end);
        }
        if reply {
            self.stream.send_status().await?;
        }
        Ok(())
    }

    /// Makes what was sent visible, keeps the offset, and lets the server forget what lies before.
    pub(crate) async fn commit(&mut self) -> Result<(), ConnectorError> {
        if !self.state.uncommitted {
            return Ok(());
        }
        self.send().await?;
        self.offset.incremental = self.incremental.store();
        let offset = Arc::new(self.offset.store());
        self.sink.commit(&offset).await?;
        self.state.committed = offset;
        self.state.uncommitted = false;
        if self.config.lsn_flush_mode != LsnFlushMode::Manual
            && let Some(lsn) = self.offset.lsn_commit
        {
            self.stream.confirm(lsn);
            self.stream.send_status().await?;
        }
        Ok(())
    }

    /// Whether the batch is to be sent before more is added.
    fn is_full(&self) -> bool {
        self.state.batch.len() >= self.config.max_batch_size || self.state.batch_bytes >= MAX_BATCH_BYTES
    }

    async fn send(&mut self) -> Result<(), ConnectorError> {
        self.state.batch_bytes = 0;
        if !self.state.batch.is_empty() {
            self.sink.send(std::mem::take(&mut self.state.batch)).await?;
        }
        Ok(())
    }

    async fn data(&mut self, start: Lsn, payload: Bytes) -> Result<(), ConnectorError> {
        self.state.batch_bytes += payload.len();
        let message = match Message::decode(payload) {
            Ok(message) => message,
            Err(error) if self.config.processing_failures == FailureHandling::Fail => {
                return Err(ConnectorError::Postgres {
                    context: format!("Error while processing event at {start}"),
                    error: error.into(),
                });
            }
            Err(error) => {
                tracing::warn!(%error, %start, "a message of the stream is left out");
                return Ok(());
            }
        };
        match message {
            Message::Begin(begin) => {
                let known = !self.state.resume.begin(begin.xid, begin.final_lsn);
                let xid = i64::from(begin.xid);
                self.state.transaction = Some(Transaction { xid, commit_time: begin.commit_time, known, origin: None });
                if self.config.provide_transaction_metadata && !known {
                    let event = self.state.monitor.begin(xid, start, begin.commit_time);
                    self.push_transaction(event);
                }
                self.position(start, Some(begin.commit_time), Some(xid), MessageType::Begin);
            }
            Message::Commit(commit) => {
                let xid = self.state.transaction.take().map(|transaction| transaction.xid);
                self.state.resume.commit();
                self.position(start, Some(commit.commit_time), xid, MessageType::Commit);
                self.offset.lsn_proc = Some(start);
                self.offset.lsn_commit = Some(start);
                if self.config.provide_transaction_metadata
                    && let Some(event) = self.state.monitor.end(start, commit.commit_time)
                {
                    self.push_transaction(event);
                }
                self.end_of_group().await?;
            }
            Message::Origin { lsn, name } => {
                if let Some(transaction) = &mut self.state.transaction {
                    transaction.origin = Some((name.into(), lsn));
                }
            }
            Message::Relation(relation) => {
                self.schemas.note_relation(relation, self.catalog, self.config, &self.events.source).await?;
            }
            Message::Type => {}
            Message::Insert { relation, new } => self.row(start, relation, Operation::Create, None, Some(&new)).await?,
            Message::Update { relation, old, new } => {
                self.row(start, relation, Operation::Update, old.as_ref(), Some(&new)).await?;
            }
            Message::Delete { relation, old } => {
                self.row(start, relation, Operation::Delete, Some(&old), None).await?;
            }
            Message::Truncate { relations } => {
                for relation in relations {
                    self.row(start, relation, Operation::Truncate, None, None).await?;
                }
            }
            Message::Logical(message) => self.logical_message(start, message).await?,
        }
        Ok(())
    }

    fn push_transaction(&mut self, event: TransactionEvent) {
        self.state.batch.push(SourceRecord {
            offset: self.state.committed.clone(),
            topic: self.config.topics.transaction().into(),
            partition: None,
            key_schema: Some(event.key.schema().clone()),
            key: Value::Struct(event.key),
            value_schema: Some(event.value.schema().clone()),
            value: Value::Struct(event.value),
            timestamp: None,
            headers: Vec::new(),
        });
    }

    fn position(&mut self, lsn: Lsn, commit_time: Option<i64>, tx_id: Option<i64>, message_type: MessageType) {
        self.offset.lsn = Some(lsn);
        if commit_time.is_some() {
            self.offset.ts_usec = commit_time;
        }
        self.offset.tx_id = tx_id;
        self.offset.message_type = Some(message_type);
    }

    /// A transaction has ended: it is committed now, or together with those that are at hand.
    async fn end_of_group(&mut self) -> Result<(), ConnectorError> {
        if !self.state.uncommitted {
            self.state.uncommitted = true;
            self.state.group_since = Instant::now();
        }
        if self.is_full() || self.state.group_since.elapsed() >= GROUP_TIME {
            self.commit().await?;
        }
        Ok(())
    }

    async fn row(
        &mut self,
        start: Lsn,
        relation: u32,
        operation: Operation,
        old: Option<&Tuple>,
        new: Option<&Tuple>,
    ) -> Result<(), ConnectorError> {
        let Some(transaction) = self.state.transaction.as_ref() else {
            return Err(ConnectorError::Failed("a change came outside of a transaction".into()));
        };
        if transaction.known || !self.state.resume.change(start) {
            return Ok(());
        }
        let (xid, commit_time) = (transaction.xid, transaction.commit_time);
        let message_type = match operation {
            Operation::Create | Operation::Read => MessageType::Insert,
            Operation::Update => MessageType::Update,
            Operation::Delete => MessageType::Delete,
            Operation::Truncate => MessageType::Truncate,
        };
        self.position(start, Some(commit_time), Some(xid), message_type);
        let Some(mut table) = self.schemas.relation(relation).cloned() else { return Ok(()) };

        let old_cells = old.map(cells);
        let mut new_cells = new.map(cells);
        if let (Some(old), Some(new)) = (&old_cells, &mut new_cells) {
            // What the change did not touch is told if the replica identity is the whole row.
            for (new, old) in new.iter_mut().zip(old) {
                if *new == Cell::Unchanged && matches!(old, Cell::Text(_)) {
                    *new = *old;
                }
            }
        }
        if let Some(oid) = new_cells.as_deref().and_then(|row| table.stale_enum(row)) {
            self.schemas.refresh_enum(oid, self.catalog, self.config, &self.events.source).await?;
            if let Some(fresh) = self.schemas.relation(relation) {
                table = fresh.clone();
            }
        }
        let signal_table = self.config.tables.is_signal_table(&table.table.id);
        if signal_table && let Some(row) = new_cells.as_deref().filter(|_| operation == Operation::Create) {
            self.source_signal(row, false).await?;
        } else if signal_table
            && self.config.watermarking == super::config::WatermarkingStrategy::InsertDelete
            && let Some(row) = old_cells.as_deref().filter(|_| operation == Operation::Delete)
        {
            self.source_signal(row, true).await?;
        }
        if self.events.skips(operation) {
            return Ok(());
        }
        for row in [&old_cells, &new_cells].into_iter().flatten() {
            self.incremental.observe(&table.table.id, row, &table);
        }
        self.emit(start, &table, operation, old_cells.as_deref(), new_cells.as_deref()).await
    }

    async fn emit(
        &mut self,
        start: Lsn,
        table: &CapturedTable,
        operation: Operation,
        old: Option<&[Cell<'_>]>,
        new: Option<&[Cell<'_>]>,
    ) -> Result<(), ConnectorError> {
        let id = &table.table.id;
        let source = self.source_block(Some(id), SnapshotRecord::False);
        let transaction =
            if self.config.provide_transaction_metadata { self.state.monitor.block(id, start) } else { Value::Null };
        let schema = &table.schema;
        let key_of = |row: Option<&[Cell<'_>]>| row.map_or(Ok(Value::Null), |row| schema.key(row, Origin::Stream));
        let value_of = |row: Option<&[Cell<'_>]>| row.map_or(Ok(Value::Null), |row| schema.value(row, Origin::Stream));
        let change = Change {
            operation,
            old_key: match (operation, old) {
                (Operation::Update, Some(old)) => Some(schema.key(old, Origin::Stream)?),
                _ => None,
            },
            before: value_of(old)?,
            key: key_of(if operation == Operation::Delete { old } else { new })?,
            after: value_of(new)?,
            source,
            transaction,
        };
        self.events.records(schema, change, &self.state.committed, &mut self.state.batch);
        if self.is_full() {
            self.send().await?;
        }
        Ok(())
    }

    fn source_block(&self, table: Option<&TableId>, snapshot: SnapshotRecord) -> Value {
        let origin = self.state.transaction.as_ref().and_then(|transaction| transaction.origin.as_ref());
        let incremental = snapshot == SnapshotRecord::Incremental;
        self.events.source.block(&SourceInfo {
            timestamp: if incremental { now_micros() } else { self.offset.ts_usec.unwrap_or_else(now_micros) },
            snapshot,
            last_commit: self.offset.lsn_commit,
            lsn: self.offset.lsn,
            table,
            tx_id: self.offset.tx_id,
            xmin: self.offset.xmin,
            origin: origin.map(|(name, lsn)| (name, *lsn)),
        })
    }

    async fn logical_message(&mut self, start: Lsn, message: LogicalMessage) -> Result<(), ConnectorError> {
        let new = match self.state.transaction.as_ref().filter(|_| message.transactional) {
            Some(transaction) => {
                let (xid, commit_time, known) = (transaction.xid, transaction.commit_time, transaction.known);
                let new = !known && self.state.resume.change(start);
                self.position(start, Some(commit_time), Some(xid), MessageType::Message);
                new
            }
            None => {
                let new = self.state.resume.message(start);
                if new {
                    self.position(start, None, None, MessageType::Message);
                    self.offset.lsn_proc = Some(start);
                    self.offset.lsn_commit = Some(start);
                }
                new
            }
        };
        if !new {
            return Ok(());
        }
        if self.state.messages.includes(&message.prefix) {
            let source = self.source_block(None, SnapshotRecord::False);
            let transaction = if self.config.provide_transaction_metadata && message.transactional {
                self.state.monitor.block(&TableId::new("", "LOGICAL_DECODING_MESSAGE"), start)
            } else {
                Value::Null
            };
            let committed = &self.state.committed;
            let record = self.state.messages.record(&message.prefix, message.content, source, transaction, committed);
            self.state.batch.push(record);
        }
        if message.transactional {
            if self.is_full() {
                self.send().await?;
            }
            return Ok(());
        }
        self.end_of_group().await
    }

    /// Asks for the slot's `catalog_xmin` now and then, if events are to tell it.
    pub(crate) async fn fetch_xmin(&mut self) -> Result<(), ConnectorError> {
        let Some(interval) = self.config.xmin_fetch_interval.filter(|_| Instant::now() >= self.state.xmin_due) else {
            return Ok(());
        };
        self.state.xmin_due = Instant::now() + interval;
        let slot = ReplicationSlot { name: &self.config.slot_name, database: &self.config.connection.database };
        let state = slot.state(self.catalog).await.context("Reading the replication slot failed")?;
        self.offset.xmin = state.and_then(|state| state.catalog_xmin);
        Ok(())
    }

    /// Ends the stream in good order.
    pub(crate) async fn close(self) {
        self.stream.close().await;
        if let Some(connection) = self.state.heartbeat_connection {
            connection.close().await;
        }
    }
}

async fn receive(signals: Option<&mut tokio::sync::mpsc::Receiver<SignalRecord>>) -> Option<SignalRecord> {
    match signals {
        Some(signals) => signals.recv().await,
        None => None,
    }
}

fn cells(tuple: &Tuple) -> Vec<Cell<'_>> {
    let cell = |column| match column {
        TupleColumn::Null => Cell::Null,
        TupleColumn::UnchangedToast => Cell::Unchanged,
        TupleColumn::Text(text) => Cell::Text(text),
    };
    tuple.columns().map(cell).collect()
}
