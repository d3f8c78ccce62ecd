//! The stream's changes as events: what the task does from the snapshot on.
//!
//! Records are sent in batches as they come, so that a transaction of any size needs no more memory than a batch. What was
//! sent is committed, with the offset behind it, at the end of a transaction of PostgreSQL's; small ones that come close
//! together are committed together. Only then is the server told that it may forget them.

mod changes;
mod reselect;
mod signals;
mod upkeep;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::{LsnFlushMode, Operation, PostgresConnectorConfig};
use super::error::ConnectorError;
use super::event::{EventFactory, now_micros};
use super::heartbeat::Heartbeat;
use super::incremental::{IncrementalSnapshot, Reader};
use super::logical_message::LogicalMessages;
use super::offset::Offset;
use super::resume::Resume;
use super::schemas::Schemas;
use super::signal::{SignalRecord, SnapshotRequest};
use super::signal_topic::TopicSignals;
use super::slot_lag::SlotLag;
use super::transaction::TransactionMonitor;
use crate::data::{OffsetMap, SourceRecord};
use crate::metrics::{EventCounts, TaskMetrics};
use crate::postgres::{Connection, Lsn, ReplicationEvent, ReplicationStream};
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
    /// Signals that come through a topic.
    pub(crate) signals: Option<TopicSignals>,
    /// Where it tells its figures.
    pub(crate) metrics: &'a TaskMetrics,
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
    figures_due: Instant,
    lag_told: Instant,
    lag: SlotLag,
    /// What lies before this was kept when the stream began.
    begun_at: Lsn,
    xmin_due: Instant,
    file_due: Instant,
    blocking: VecDeque<SnapshotRequest>,
    pending: VecDeque<SignalRecord>,
    /// What was seen since the figures were told.
    seen: Seen,
}

/// What the stream has brought since its figures were told.
#[derive(Debug, Default)]
struct Seen {
    events: EventCounts,
    /// When the last event came, in milliseconds since 1970, and how long that was after its commit.
    last_event: Option<(i64, i64)>,
    transactions: u64,
}

impl Seen {
    fn event(&mut self, operation: Operation, commit_time: i64) {
        match operation {
            Operation::Create | Operation::Read => self.events.creates += 1,
            Operation::Update => self.events.updates += 1,
            Operation::Delete => self.events.deletes += 1,
            Operation::Truncate => self.events.others += 1,
        }
        let now = now_micros();
        self.last_event = Some((now / 1000, (now - commit_time).max(0) / 1000));
    }
}

/// Small transactions are committed together within this time, while there are more at hand.
const GROUP_TIME: Duration = Duration::from_millis(10);

/// How often figures are told of within a transaction.
const FIGURES_INTERVAL: Duration = Duration::from_secs(1);

/// How often the log tells of a lag, and how long one is that it tells of.
const LAG_INTERVAL: Duration = Duration::from_secs(30);

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
        signals: Option<TopicSignals>,
        metrics: &'a TaskMetrics,
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
            figures_due: now + FIGURES_INTERVAL,
            lag_told: now,
            lag: SlotLag::default(),
            begun_at: offset.start().unwrap_or_default(),
            xmin_due: now,
            file_due: now,
            blocking: VecDeque::new(),
            pending: VecDeque::new(),
            seen: Seen::default(),
        };
        let incremental = IncrementalSnapshot::load(&offset.incremental);
        let offset = Offset { snapshot: None, ..offset };
        Self { config, events, schemas, catalog, stream, sink, offset, incremental, signals, metrics, state }
    }

    /// The offset behind what has been committed.
    pub(crate) fn committed(&self) -> &Arc<OffsetMap> {
        &self.state.committed
    }

    /// Goes on with an incremental snapshot that was under way, and gives a first heartbeat.
    pub(crate) async fn begin(&mut self) -> Result<(), ConnectorError> {
        let (incremental, mut reader) = self.incremental_reader();
        incremental.resume_at_start(&mut reader).await?;
        self.tell_notices();
        Ok(())
    }

    /// The incremental snapshot, and what it reads with.
    fn incremental_reader(&mut self) -> (&mut IncrementalSnapshot, Reader<'_>) {
        let reader = Reader {
            config: self.config,
            source: &self.events.source,
            schemas: &mut self.schemas,
            connection: self.catalog,
        };
        (&mut self.incremental, reader)
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
            // Sent only now that the message is gone, which may be large.
            if self.is_full() {
                self.send().await?;
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
            Some(signal) = receive(self.signals.as_mut()) => {
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
        if now >= self.state.figures_due {
            self.tell_figures();
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
        self.tell_figures();
        Ok(())
    }

    async fn keep_alive(&mut self, end: Lsn, reply: bool) -> Result<(), ConnectorError> {
        if self.state.transaction.is_none() && self.incremental.ends_before(end) {
            self.end_chunk().await?;
            self.end_of_group().await?;
        }
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
        if let Some(signals) = &mut self.signals {
            signals.commit().await;
        }
        if self.config.lsn_flush_mode != LsnFlushMode::Manual
            && let Some(lsn) = self.offset.lsn_commit
        {
            self.stream.confirm(lsn);
            self.stream.send_status().await?;
        }
        self.tell_figures();
        Ok(())
    }

    /// Tells what was seen since the last time.
    fn tell_figures(&mut self) {
        let Seen { events, last_event, transactions } = std::mem::take(&mut self.state.seen);
        let (end, kept) = (self.stream.server_end(), self.stream.confirmed().max(self.state.begun_at));
        // Where a slot without an offset begins is not known until the first commit.
        let lag = if kept == Lsn::default() { 0 } else { end.0.saturating_sub(kept.0) };
        let now = Instant::now();
        self.state.figures_due = now + FIGURES_INTERVAL;
        let now_ms = now_micros() / 1000;
        let since = if lag == 0 { None } else { self.state.lag.since(end, kept, now_ms) };
        let behind = Duration::from_millis(since.map_or(0, |since| u64::try_from(now_ms - since).unwrap_or(0)));
        if behind > LAG_INTERVAL && now - self.state.lag_told > LAG_INTERVAL {
            self.state.lag_told = now;
            tracing::info!(slot = self.config.slot_name, bytes = lag, ?behind, "the slot lags");
        }
        let last_transaction = self.offset.tx_id;
        self.metrics.update(|figures| {
            figures.events.creates += events.creates;
            figures.events.updates += events.updates;
            figures.events.deletes += events.deletes;
            figures.events.others += events.others;
            figures.committed_transactions += transactions;
            figures.last_transaction_id = last_transaction;
            figures.slot_lag_bytes = lag;
            figures.slot_lag_since_ms = since;
            if let Some((at, behind)) = last_event {
                figures.last_event_ms = Some(at);
                figures.behind_source_ms = Some(behind);
            }
        });
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

    /// Ends the stream in good order.
    pub(crate) async fn close(self) {
        self.stream.close().await;
        if let Some(connection) = self.state.heartbeat_connection {
            connection.close().await;
        }
    }
}

async fn receive(signals: Option<&mut TopicSignals>) -> Option<SignalRecord> {
    match signals {
        Some(signals) => signals.next().await,
        None => None,
    }
}
