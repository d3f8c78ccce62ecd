//! What the stream's messages mean: changes of rows, applications' messages, and where transactions begin and end.

use bytes::Bytes;
use tokio::time::Instant;

use super::{GROUP_TIME, State, Streaming, Transaction};
use crate::data::{SourceRecord, Value};
use crate::debezium::config::{FailureHandling, Operation, WatermarkingStrategy};
use crate::debezium::error::ConnectorError;
use crate::debezium::event::{Change, now_micros};
use crate::debezium::offset::MessageType;
use crate::debezium::relational::TableId;
use crate::debezium::schemas::CapturedTable;
use crate::debezium::source_info::{SnapshotRecord, SourceInfo};
use crate::debezium::table_schema::{Cell, CellText};
use crate::debezium::transaction::TransactionEvent;
use crate::debezium::types::Origin;
use crate::postgres::Lsn;
use crate::postgres::pgoutput::{LogicalMessage, Message, Tuple, TupleColumn};

impl Streaming<'_> {
    /// Takes in a message.
    pub(super) async fn data(&mut self, start: Lsn, payload: Bytes) -> Result<(), ConnectorError> {
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
                if self.incremental.ends_before(begin.final_lsn) {
                    self.end_chunk().await?;
                }
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
                if self.config.read_only
                    && let Some(xid) = xid.and_then(|xid| u32::try_from(xid).ok())
                {
                    self.incremental.note_told(xid);
                }
                self.state.resume.commit();
                self.position(start, Some(commit.commit_time), xid, MessageType::Commit);
                self.offset.lsn_proc = Some(start);
                self.offset.lsn_commit = Some(start);
                self.state.seen.transactions += 1;
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
        self.offset.lsn_events_processed = 0;
        if commit_time.is_some() {
            self.offset.ts_usec = commit_time;
        }
        self.offset.tx_id = tx_id;
        self.offset.message_type = Some(message_type);
    }

    /// A transaction has ended: it is committed now, or together with those that are at hand.
    pub(super) async fn end_of_group(&mut self) -> Result<(), ConnectorError> {
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
        self.state.seen.event(operation, commit_time);
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
            && self.config.watermarking == WatermarkingStrategy::InsertDelete
            && let Some(row) = old_cells.as_deref().filter(|_| operation == Operation::Delete)
        {
            self.source_signal(row, true).await?;
        }
        if self.events.skips(operation) {
            return Ok(());
        }
        let reselected = match &new_cells {
            Some(row) if !signal_table => self.reselect(&table, row).await?,
            _ => Vec::new(),
        };
        for (place, value) in &reselected {
            if let Some(cell) = new_cells.as_mut().and_then(|row| row.get_mut(*place)) {
                *cell = value.as_ref().map_or(Cell::Null, |text| Cell::Text(CellText::within(text, text)));
            }
        }
        for row in [&old_cells, &new_cells].into_iter().flatten() {
            self.incremental.observe(&table.table.id, row, &table);
        }
        self.emit(start, &table, operation, old_cells.as_deref(), new_cells.as_deref())
    }

    fn emit(
        &mut self,
        start: Lsn,
        table: &CapturedTable,
        operation: Operation,
        old: Option<&[Cell<'_>]>,
        new: Option<&[Cell<'_>]>,
    ) -> Result<(), ConnectorError> {
        let id = &table.table.id;
        let source = self.source_block(Some(id), SnapshotRecord::False);
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
        };
        let State { monitor, committed, batch, .. } = &mut self.state;
        let provided = self.config.provide_transaction_metadata;
        let mut transaction = || if provided { monitor.block(id, start) } else { Value::Null };
        self.events.records(schema, change, &mut transaction, committed, batch);
        Ok(())
    }

    /// The block `source` of an event here.
    pub(super) fn source_block(&self, table: Option<&TableId>, snapshot: SnapshotRecord) -> Value {
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
            return Ok(());
        }
        self.end_of_group().await
    }
}

fn cells(tuple: &Tuple) -> Vec<Cell<'_>> {
    let cell = |column| match column {
        TupleColumn::Null => Cell::Null,
        TupleColumn::UnchangedToast => Cell::Unchanged,
        TupleColumn::Text(text) => Cell::Text(CellText::within(tuple.body(), text)),
    };
    tuple.columns().map(cell).collect()
}
