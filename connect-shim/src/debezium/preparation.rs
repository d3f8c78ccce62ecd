//! What is looked at and made before anything is read: the server's settings, the slot, the publication, the tables, and
//! whether the log still reaches back to the offset.

use super::config::{Operation, SnapshotMode};
use super::error::{ConnectorError, Context};
use super::offset::Offset;
use super::relational::TableId;
use super::snapshot;
use super::task::Run;
use crate::postgres::{AutocreateMode, Connection, Publication, ReplicationSlot, SlotState};

const GENERAL: &str = "Debezium General";

/// What is known before anything is read.
pub(super) struct Start {
    /// The connection for everything but the stream.
    pub(super) general: Connection,
    /// The captured tables.
    pub(super) captured: Vec<TableId>,
    /// The slot as it was found.
    pub(super) slot: Option<SlotState>,
}

impl Run<'_> {
    /// Connects, and looks whether all is as it has to be.
    pub(super) async fn prepare(&mut self) -> Result<Start, ConnectorError> {
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

    /// Connects to the database.
    pub(super) async fn connect(&self, application: &str, replication: bool) -> Result<Connection, ConnectorError> {
        let context = format!("Couldn't connect to the database '{:?}'", self.config.connection);
        Connection::connect(&self.config.connection, application, replication).await.context(context)
    }

    /// The slot's name and database.
    pub(super) fn slot(&self) -> ReplicationSlot<'_> {
        ReplicationSlot { name: &self.config.slot_name, database: &self.config.connection.database }
    }

    fn guard(&self, tables: usize) -> Result<(), ConnectorError> {
        let Some((max, fail)) = self.config.guardrail.filter(|(max, _)| tables > *max) else { return Ok(()) };
        let message = format!(
            "Guardrail limit exceeded: {tables} tables/collections configured for capture, but maximum allowed is {max}."
        );
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
    pub(super) fn usable(&self, offset: Option<Offset>, start: &Start) -> Result<Option<Offset>, ConnectorError> {
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
}
