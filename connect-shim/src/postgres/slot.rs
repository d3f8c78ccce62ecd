//! Replication slots: where the server remembers how far a reader has come.

use super::{Connection, Lsn, PostgresError, identifier, literal};

/// A slot of the plugin `pgoutput`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicationSlot<'a> {
    /// Its name.
    pub name: &'a str,
    /// The database that it belongs to.
    pub database: &'a str,
}

/// What the server knows of a slot (`pg_replication_slots`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotState {
    /// Whether somebody reads from it.
    pub active: bool,
    /// What lies before is kept by the reader.
    pub confirmed_flush: Option<Lsn>,
    /// What lies before may be gone.
    pub restart: Option<Lsn>,
    /// The oldest transaction whose effects on the catalog are kept.
    pub catalog_xmin: Option<i64>,
    /// Whether the log that it needs has been removed (`wal_status = lost`).
    pub lost: bool,
}

/// A slot that was made just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedSlot {
    /// Transactions that commit from here on are in the stream, those before are in the snapshot.
    pub consistent_point: Lsn,
    /// The snapshot's name, of use while the connection that made the slot does nothing else.
    pub snapshot: String,
}

impl ReplicationSlot<'_> {
    /// Looks it up; `None` if there is none.
    ///
    /// # Errors
    /// What the server says.
    pub async fn state(&self, connection: &mut Connection) -> Result<Option<SlotState>, PostgresError> {
        let wal_status = if connection.server_version() >= 130_000 { "wal_status" } else { "null" };
        let sql = format!(
            "SELECT active, confirmed_flush_lsn, restart_lsn, catalog_xmin, {wal_status} FROM pg_replication_slots \
             WHERE slot_name = {} AND database = {} AND plugin = 'pgoutput'",
            literal(self.name),
            literal(self.database)
        );
        let rows = connection.query(&sql).await?;
        Ok(rows.iter().next().map(|row| {
            let text = |index: usize| row.get(index).and_then(Option::as_deref);
            SlotState {
                active: text(0) == Some("t"),
                confirmed_flush: text(1).and_then(|lsn| lsn.parse().ok()),
                restart: text(2).and_then(|lsn| lsn.parse().ok()),
                catalog_xmin: text(3).and_then(|xmin| xmin.parse().ok()),
                lost: text(4) == Some("lost"),
            }
        }))
    }

    /// Makes it on a connection that can stream. A temporary one goes with the connection.
    ///
    /// # Errors
    /// What the server says: it is there already, there are too many, or the role may not.
    pub async fn create(
        &self,
        connection: &mut Connection,
        temporary: bool,
        failover: bool,
    ) -> Result<CreatedSlot, PostgresError> {
        let temporary = if temporary { "TEMPORARY " } else { "" };
        // The options in brackets came with version 15; a failover slot with 17.
        let options =
            if failover && connection.server_version() >= 170_000 { " (SNAPSHOT 'export', FAILOVER)" } else { "" };
        let sql = format!("CREATE_REPLICATION_SLOT {} {temporary}LOGICAL pgoutput{options}", identifier(self.name));
        let rows = connection.query(&sql).await?;
        let row = rows.iter().next().unwrap_or_default();
        let text = |index: usize| row.get(index).and_then(Option::as_deref).unwrap_or_default();
        let consistent_point =
            text(1).parse().map_err(|_| PostgresError::Protocol("a new slot without a consistent point".into()))?;
        Ok(CreatedSlot { consistent_point, snapshot: text(2).to_owned() })
    }

    /// Drops it, if it is there and nobody uses it.
    ///
    /// # Errors
    /// What the server says.
    pub async fn drop(&self, connection: &mut Connection) -> Result<(), PostgresError> {
        let sql = format!("SELECT pg_drop_replication_slot({})", literal(self.name));
        match connection.execute(&sql).await {
            Err(error) if error.is(super::SqlState::UNDEFINED_OBJECT) => Ok(()),
            other => other,
        }
    }
}
