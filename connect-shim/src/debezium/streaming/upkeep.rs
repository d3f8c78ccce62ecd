//! What is done by the clock beside the changes: heartbeats, and looks at the slot.

use tokio::time::Instant;

use super::Streaming;
use crate::debezium::error::{ConnectorError, Context};
use crate::postgres::{Connection, ReplicationSlot};

impl Streaming<'_> {
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
}
