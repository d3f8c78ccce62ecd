//! The task: what Connect's worker runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::blocking::{blocking_snapshot, current_tx_id};
use super::config::{ConfigError, PostgresConnectorConfig, SnapshotMode};
use super::error::{ConnectorError, Context};
use super::event::{EventFactory, now_micros};
use super::notification::Notice;
use super::offset::Offset;
use super::preparation::Start;
use super::schemas::Schemas;
use super::signal_topic::TopicSignals;
use super::snapshot::{self, Snapshot};
use super::streaming::{Pause, Streaming};
use crate::data::OffsetMap;
use crate::metrics::{SnapshotState, TaskFigures, TaskMetrics};
use crate::postgres::{Connection, CreatedSlot, Lsn, PostgresError, ReplicationSlot, ReplicationStream, SqlState};
use crate::source::{BoxFuture, RecordSink, SourceTask, TaskContext, TaskError};

const STREAMING: &str = "Debezium Streaming";

/// Debezium's Postgres connector as a task.
#[derive(Debug)]
pub struct PostgresConnectorTask {
    config: PostgresConnectorConfig,
    include_list: Option<String>,
    context: Option<TaskContext>,
}

impl PostgresConnectorTask {
    /// A task with the connector's properties.
    ///
    /// # Errors
    /// The first property whose value will not do.
    pub fn new(properties: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let config = PostgresConnectorConfig::parse(properties)?;
        let include_list = properties.get("table.include.list").filter(|list| !list.trim().is_empty()).map(|list| {
            let signals = properties.get("signal.data.collection").map(String::as_str).unwrap_or_default();
            format!("{list},{signals}")
        });
        Ok(Self { config, include_list, context: None })
    }

    /// The same, which may take signals from a topic, and tells its figures.
    #[must_use]
    pub fn within(self, context: TaskContext) -> Self {
        Self { context: Some(context), ..self }
    }

    /// The configuration that was read.
    pub fn config(&self) -> &PostgresConnectorConfig {
        &self.config
    }
}

impl SourceTask for PostgresConnectorTask {
    fn source_partition(&self) -> OffsetMap {
        let mut partition = OffsetMap::new();
        partition.insert("server".into(), self.config.topics.prefix.as_str().into());
        partition
    }

    fn run<'a>(
        &'a mut self,
        offset: Option<OffsetMap>,
        sink: &'a mut dyn RecordSink,
        stop: CancellationToken,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async move {
            let offset = offset.filter(|offset| !offset.is_empty()).map(|offset| Offset::load(&offset));
            let events = EventFactory::new(&self.config);
            let metrics = self.context.as_ref().map(|context| Arc::clone(&context.metrics)).unwrap_or_default();
            metrics.update(|figures| {
                *figures = TaskFigures { server: self.config.topics.prefix.clone(), ..TaskFigures::default() };
            });
            let mut run = Run {
                config: &self.config,
                include_list: self.include_list.as_deref(),
                events: &events,
                stop: &stop,
                context: self.context.as_ref(),
                metrics: &metrics,
            };
            let result = run.run(offset, sink).await;
            metrics.update(|figures| figures.connected = false);
            match result {
                Ok(()) | Err(ConnectorError::Stopped) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// One run of a task.
pub(super) struct Run<'a> {
    pub(super) config: &'a PostgresConnectorConfig,
    pub(super) include_list: Option<&'a str>,
    events: &'a EventFactory,
    stop: &'a CancellationToken,
    context: Option<&'a TaskContext>,
    metrics: &'a TaskMetrics,
}

/// How a stream comes to begin.
#[derive(Debug, Clone, Copy)]
struct Beginning {
    /// Whether there was no stream before it.
    is_first: bool,
    /// Whether a snapshot has gone before.
    has_snapshot: bool,
}

impl Run<'_> {
    async fn run(&mut self, offset: Option<Offset>, sink: &mut dyn RecordSink) -> Result<(), ConnectorError> {
        let mut start = self.prepare().await?;
        let offset = self.usable(offset, &start)?;
        let wanted = self.wants_snapshot(offset.as_ref());
        let streams = self.streams();
        if streams && wanted && start.slot.as_ref().is_some_and(|slot| slot.lost) {
            // It streams never again, and the snapshot fills the gap that it leaves.
            tracing::warn!(slot = self.config.slot_name, "the replication slot was invalidated; it is made anew");
            self.slot().drop(&mut start.general).await.context("Dropping the replication slot failed")?;
            start.slot = None;
        }

        // A slot that is made now hands out a picture of exactly what its stream begins after.
        let mut replication = None;
        let mut created = None;
        if streams && start.slot.is_none() {
            let mut connection = self.connect(STREAMING, true).await?;
            created = Some(self.create_slot(&mut connection).await?);
            replication = Some(connection);
        }
        let mut offset = offset;
        if wanted {
            self.delay(self.config.snapshot.delay).await?;
            offset = Some(self.initial_snapshot(&mut start, created.as_ref(), streams, sink).await?);
        } else {
            self.metrics.update(|figures| figures.snapshot.state = SnapshotState::Skipped);
        }
        if !streams {
            self.stop.cancelled().await;
            return Ok(());
        }
        self.delay(self.config.streaming_delay).await?;
        let from_slot = || created.as_ref().map(|created| created.consistent_point);
        let offset = match offset {
            Some(offset) => offset,
            None => self.first_offset(&mut start.general, from_slot()).await?,
        };
        let beginning = Beginning { is_first: wanted || created.is_some(), has_snapshot: wanted };
        self.stream(start, replication, offset, beginning, sink).await
    }

    fn wants_snapshot(&self, offset: Option<&Offset>) -> bool {
        let none_or_broken = offset.is_none_or(Offset::in_snapshot);
        match self.config.snapshot.mode {
            SnapshotMode::Always => true,
            SnapshotMode::NoData => false,
            SnapshotMode::ConfigurationBased => self.config.snapshot.based.data,
            SnapshotMode::Initial | SnapshotMode::InitialOnly | SnapshotMode::WhenNeeded => none_or_broken,
        }
    }

    /// Whether changes are streamed.
    pub(super) fn streams(&self) -> bool {
        match self.config.snapshot.mode {
            SnapshotMode::InitialOnly => false,
            SnapshotMode::ConfigurationBased => self.config.snapshot.based.stream,
            _ => true,
        }
    }

    async fn create_slot(&self, connection: &mut Connection) -> Result<CreatedSlot, ConnectorError> {
        match self.slot().create(connection, false, self.config.slot_failover).await {
            Ok(created) => Ok(created),
            Err(error) if error.is(SqlState::DUPLICATE_OBJECT) => Err(ConnectorError::Failed(format!(
                "Creation of replication slot failed; when setting up multiple connectors for the same database host, please \
                 make sure to use a distinct replication slot name for each. Caused by: {error}"
            ))),
            Err(error) => {
                Err(ConnectorError::Postgres { context: "Creation of replication slot failed".into(), error })
            }
        }
    }

    /// Takes the first picture; what comes back is the offset that goes with it, which is kept already.
    async fn initial_snapshot(
        &mut self,
        start: &mut Start,
        created: Option<&CreatedSlot>,
        streams: bool,
        sink: &mut dyn RecordSink,
    ) -> Result<Offset, ConnectorError> {
        // A slot that was there before has no picture to give. One that lasts as long as its connection has, from which
        // on the other's stream is read.
        let mut borrowed = None;
        if created.is_none() && streams {
            borrowed = self.borrow_snapshot().await;
        }
        let exported = created.or(borrowed.as_ref().map(|(_, created)| created));
        let general = &mut start.general;
        snapshot::begin(general, self.config, exported.map(|created| created.snapshot.as_str())).await?;
        snapshot::lock(general, self.config, &start.captured).await?;
        let lsn = match exported {
            Some(created) => created.consistent_point,
            None => current_lsn(general).await?,
        };
        let tx_id = current_tx_id(general).await?;
        let tables = snapshot::initial_tables(general, self.config, &start.captured).await?;
        let offset =
            Offset { ts_usec: Some(now_micros()), tx_id, lsn: Some(lsn), snapshot: Some(true), ..Offset::default() };
        let mut schemas = Schemas::default();
        let mut picture = Snapshot {
            config: self.config,
            events: self.events,
            schemas: &mut schemas,
            connection: general,
            sink,
            stop: self.stop,
            waiting: None,
            lsn,
            last_commit: None,
            tx_id,
            offset: Arc::new(offset.store()),
            batch_bytes: 0,
            metrics: self.metrics,
        };
        picture.run(&tables).await?;
        sink.commit(&offset.store()).await?;
        start.general.execute("COMMIT").await.context("Ending the snapshot's transaction failed")?;
        if let Some((connection, _)) = borrowed {
            connection.close().await;
        }
        Ok(offset)
    }

    async fn borrow_snapshot(&self) -> Option<(Connection, CreatedSlot)> {
        let mut connection = self.connect(STREAMING, true).await.ok()?;
        let name = format!("brooklet_{}", uuid::Uuid::new_v4().simple());
        let slot = ReplicationSlot { name: &name, database: &self.config.connection.database };
        match slot.create(&mut connection, true, false).await {
            Ok(created) => Some((connection, created)),
            Err(error) => {
                tracing::warn!(%error, "there is no room for a temporary slot; the snapshot begins at the log's end");
                None
            }
        }
    }

    /// Where the stream begins when nothing is known: where the slot does.
    async fn first_offset(&self, general: &mut Connection, slot: Option<Lsn>) -> Result<Offset, ConnectorError> {
        let lsn = match slot {
            Some(lsn) => Some(lsn),
            None => {
                let state = self.slot().state(general).await.context("Reading the replication slot failed")?;
                state.and_then(|state| state.confirmed_flush)
            }
        };
        let tx_id = current_tx_id(general).await?;
        Ok(Offset { ts_usec: Some(now_micros()), tx_id, lsn, ..Offset::default() })
    }

    async fn delay(&self, delay: std::time::Duration) -> Result<(), ConnectorError> {
        if delay.is_zero() {
            return Ok(());
        }
        tokio::select! {
            () = self.stop.cancelled() => Err(ConnectorError::Stopped),
            () = tokio::time::sleep(delay) => Ok(()),
        }
    }

    async fn stream(
        &mut self,
        mut start: Start,
        replication: Option<Connection>,
        offset: Offset,
        beginning: Beginning,
        sink: &mut dyn RecordSink,
    ) -> Result<(), ConnectorError> {
        let signals = match self.context.zip(self.config.signal_topic.as_ref()) {
            None => None,
            Some((context, topic)) => {
                let topics = Arc::clone(&context.topics);
                Some(TopicSignals::follow(topics, topic, &self.config.topics.prefix).await?)
            }
        };
        let stream = self.start_stream(replication, offset.start().unwrap_or_default()).await?;
        self.metrics.update(|figures| figures.connected = true);
        let mut streaming = Streaming::new(
            self.config,
            self.events,
            Schemas::default(),
            &mut start.general,
            stream,
            sink,
            offset,
            signals,
            self.metrics,
        );
        let result = Self::stream_on(&mut streaming, self.config, self.events, self.stop, beginning).await;
        streaming.close().await;
        if result.is_ok() && self.config.slot_drop_on_stop {
            self.slot().drop(&mut start.general).await.context("Dropping the replication slot failed")?;
        }
        start.general.close().await;
        result
    }

    async fn stream_on(
        streaming: &mut Streaming<'_>,
        config: &PostgresConnectorConfig,
        events: &EventFactory,
        stop: &CancellationToken,
        beginning: Beginning,
    ) -> Result<(), ConnectorError> {
        if !beginning.has_snapshot {
            streaming.tell(Notice::initial("SKIPPED", Vec::new()));
        }
        if beginning.is_first {
            streaming.heartbeat().await?;
        }
        streaming.begin().await?;
        loop {
            streaming.fetch_xmin().await?;
            match streaming.run(stop).await? {
                Pause::Stopped => return Ok(()),
                Pause::Blocking(request) => blocking_snapshot(streaming, &request, config, events, stop).await?,
            }
        }
    }

    /// Starts the stream. A slot that somebody uses may be free soon: it is tried again for a while.
    async fn start_stream(
        &self,
        replication: Option<Connection>,
        from: Lsn,
    ) -> Result<ReplicationStream, ConnectorError> {
        let mut options = vec![
            ("proto_version".to_owned(), "1".to_owned()),
            ("publication_names".to_owned(), crate::postgres::identifier(&self.config.publication_name)),
        ];
        let mut connection = match replication {
            Some(connection) => connection,
            None => self.connect(STREAMING, true).await?,
        };
        if connection.server_version() >= 140_000 {
            options.push(("messages".to_owned(), "true".to_owned()));
        }
        options.extend(self.config.slot_stream_params.iter().cloned());
        let until = Instant::now() + self.config.slot_retry_delay * self.config.slot_max_retries;
        let mut pause = std::time::Duration::from_millis(100);
        loop {
            let error = match ReplicationStream::start(connection, &self.config.slot_name, from, &options).await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let in_use = error.is(SqlState::OBJECT_IN_USE);
            if !in_use || Instant::now() >= until {
                return Err(start_error(error, from, in_use));
            }
            tracing::warn!(%error, "the replication slot cannot be used yet");
            self.delay(pause).await?;
            pause = (pause * 2).min(self.config.slot_retry_delay);
            connection = self.connect(STREAMING, true).await?;
        }
    }
}

fn start_error(error: PostgresError, from: Lsn, in_use: bool) -> ConnectorError {
    if error.to_string().contains("has already been removed") {
        return ConnectorError::Failed(
            "The offset to start reading from has been removed from the database write-ahead log. Create a new snapshot and \
             consider setting of PostgreSQL parameter wal_keep_segments = 0."
                .into(),
        );
    }
    let hint = if in_use {
        "; when setting up multiple connectors for the same database host, please make sure to use a distinct replication \
         slot name for each."
    } else {
        ""
    };
    ConnectorError::Postgres { context: format!("Failed to start replication stream at LSN{{{from}}}{hint}"), error }
}

async fn current_lsn(connection: &mut Connection) -> Result<Lsn, ConnectorError> {
    let sql = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END";
    let rows = connection.query(sql).await.context("Reading the log's position failed")?;
    rows.single()
        .and_then(|lsn| lsn.parse().ok())
        .ok_or_else(|| ConnectorError::Failed("there should always be a valid xlog position".into()))
}
