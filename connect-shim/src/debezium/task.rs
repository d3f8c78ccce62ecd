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
use super::relational::TableId;
use super::schemas::Schemas;
use super::signal_topic::TopicSignals;
use super::snapshot::{self, Snapshot};
use super::streaming::{Pause, Streaming};
use crate::data::OffsetMap;
use crate::metrics::{SnapshotState, TaskFigures, TaskMetrics};
use crate::postgres::{
    AutocreateMode, Connection, CreatedSlot, Lsn, PostgresError, Publication, ReplicationSlot, ReplicationStream,
    SlotState, SqlState,
};
use crate::source::{BoxFuture, RecordSink, SourceTask, TaskContext, TaskError};

const GENERAL: &str = "Debezium General";
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
struct Run<'a> {
    config: &'a PostgresConnectorConfig,
    include_list: Option<&'a str>,
    events: &'a EventFactory,
    stop: &'a CancellationToken,
    context: Option<&'a TaskContext>,
    metrics: &'a TaskMetrics,
}

/// What is known before anything is read.
struct Start {
    /// The connection for everything but the stream.
    general: Connection,
    /// The captured tables.
    captured: Vec<TableId>,
    /// The slot as it was found.
    slot: Option<SlotState>,
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
            self.tell_skipped(offset.as_ref(), sink).await?;
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
        self.stream(start, replication, offset, wanted || created.is_some(), sink).await
    }

    /// Tells that no snapshot is needed. The topic's readers see it with the next commit.
    async fn tell_skipped(&self, offset: Option<&Offset>, sink: &mut dyn RecordSink) -> Result<(), ConnectorError> {
        let map = Arc::new(offset.map(Offset::store).unwrap_or_default());
        let mut records = Vec::new();
        self.events.notifications.send(Notice::initial("SKIPPED", Vec::new()), &map, &mut records);
        if records.is_empty() {
            return Ok(());
        }
        sink.send(records).await?;
        if offset.is_some() {
            sink.commit(&map).await?;
        }
        Ok(())
    }

    async fn prepare(&mut self) -> Result<Start, ConnectorError> {
        let mut general = self.connect(GENERAL, false).await?;
        let streams = self.streams();
        if streams {
            let level = general.query("SHOW wal_level").await?;
            let level = level.single().unwrap_or_default();
            if level != "logical" {
                return Err(ConnectorError::Failed(format!(
                    "Postgres server wal_level property must be 'logical' but is: '{level}'"
                )));
            }
        }
        let captured = snapshot::captured_tables(&mut general, self.config, self.include_list).await?;
        self.guard(captured.len())?;
        let slot = self.slot().state(&mut general).await.context("Reading the replication slot failed")?;
        if streams {
            self.publication(&mut general, &captured).await?;
            self.replica_identities(&mut general, &captured).await;
        }
        Ok(Start { general, captured, slot })
    }

    async fn connect(&self, application: &str, replication: bool) -> Result<Connection, ConnectorError> {
        let context = format!("Couldn't connect to the database '{:?}'", self.config.connection);
        Connection::connect(&self.config.connection, application, replication).await.context(context)
    }

    fn slot(&self) -> ReplicationSlot<'_> {
        ReplicationSlot { name: &self.config.slot_name, database: &self.config.connection.database }
    }

    fn guard(&self, tables: usize) -> Result<(), ConnectorError> {
        let Some((max, fail)) = self.config.guardrail.filter(|(max, _)| tables > *max) else { return Ok(()) };
        let message =
            format!("Guardrail limit exceeded: {tables} tables configured for capture, but maximum allowed is {max}");
        if fail {
            return Err(ConnectorError::Failed(message));
        }
        tracing::warn!("{message}");
        Ok(())
    }

    async fn publication(&self, connection: &mut Connection, captured: &[TableId]) -> Result<(), ConnectorError> {
        let publication = Publication {
            name: &self.config.publication_name,
            database: &self.config.connection.database,
            mode: self.config.publication_mode,
            via_partition_root: self.config.publish_via_partition_root,
            publish: self.config.skipped_operations_given.then(|| self.published()).flatten(),
        };
        let tables = match self.config.publication_mode {
            AutocreateMode::Filtered => {
                captured.iter().map(|id| (id.schema.to_string(), id.table.to_string())).collect()
            }
            _ => Vec::new(),
        };
        Ok(publication.ensure(connection, &tables).await?)
    }

    /// The operations that are not skipped, for a publication that is made now.
    fn published(&self) -> Option<String> {
        use super::config::Operation;
        let skipped = &self.config.skipped_operations;
        if skipped.is_empty() {
            return None;
        }
        let all = [
            (Operation::Create, "insert"),
            (Operation::Update, "update"),
            (Operation::Delete, "delete"),
            (Operation::Truncate, "truncate"),
        ];
        let kept = all.iter().filter(|(operation, _)| !skipped.contains(operation)).map(|(_, name)| *name);
        Some(kept.collect::<Vec<_>>().join(","))
    }

    /// Sets replica identities as `replica.identity.autoset.values` has them. What cannot be set is told in the log.
    async fn replica_identities(&self, connection: &mut Connection, captured: &[TableId]) {
        for id in captured {
            let name = id.to_string();
            let rule = self.config.replica_identities.iter().find(|(pattern, _)| pattern.matches(&name));
            let Some((_, identity)) = rule else { continue };
            let sql = format!("ALTER TABLE {} REPLICA IDENTITY {identity}", id.quoted());
            if let Err(error) = connection.execute(&sql).await {
                tracing::error!(table = %id, %error, "replica identity could not be updated");
            }
        }
    }

    /// The offset, unless the log does not reach back to it and that is to be healed by a snapshot.
    fn usable(&self, offset: Option<Offset>, start: &Start) -> Result<Option<Offset>, ConnectorError> {
        let Some(offset) = offset else { return Ok(None) };
        let mode = self.config.snapshot.mode;
        if offset.in_snapshot() {
            if matches!(mode, SnapshotMode::NoData) {
                return Err(ConnectorError::Failed(
                    "The connector previously stopped while taking a snapshot, but now the connector is configured to never \
                     allow snapshots. Reconfigure the connector to use snapshots initially or when needed."
                        .into(),
                ));
            }
            return Ok(Some(offset));
        }
        let reaches = match &start.slot {
            None => false,
            Some(slot) => {
                !slot.lost && slot.restart.zip(offset.lsn_proc).is_none_or(|(restart, processed)| restart <= processed)
            }
        };
        if reaches || !self.config.log_position_check || !self.streams() {
            return Ok(Some(offset));
        }
        let heals = mode == SnapshotMode::WhenNeeded
            || (mode == SnapshotMode::ConfigurationBased && self.config.snapshot.based.on_data_error);
        if heals {
            tracing::warn!("the last recorded offset is no longer available on the server; a snapshot fills the gap");
            return Ok(None);
        }
        Err(ConnectorError::Failed(format!(
            "The connector is trying to read change stream starting at {}, but this is no longer available on the server. \
             Reconfigure the connector to use a snapshot mode when needed.",
            serde_json::Value::Object(offset.store())
        )))
    }

    fn wants_snapshot(&self, offset: Option<&Offset>) -> bool {
        let none_or_broken = offset.is_none_or(Offset::in_snapshot);
        match self.config.snapshot.mode {
            SnapshotMode::Always => true,
            SnapshotMode::NoData => false,
            SnapshotMode::ConfigurationBased => self.config.snapshot.based.data && none_or_broken,
            SnapshotMode::Initial | SnapshotMode::InitialOnly | SnapshotMode::WhenNeeded => none_or_broken,
        }
    }

    fn streams(&self) -> bool {
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
        first_time: bool,
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
        let result = Self::stream_on(&mut streaming, self.config, self.events, self.stop, first_time).await;
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
        first_time: bool,
    ) -> Result<(), ConnectorError> {
        if first_time {
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
