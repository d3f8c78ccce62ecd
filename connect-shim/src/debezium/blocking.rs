//! Blocking snapshots: tables are pictured while the stream waits.

use tokio_util::sync::CancellationToken;

use super::config::PostgresConnectorConfig;
use super::error::{ConnectorError, Context};
use super::event::EventFactory;
use super::filters::compile;
use super::relational::TableId;
use super::schemas::Schemas;
use super::signal::SnapshotRequest;
use super::snapshot::{self, Snapshot, SnapshotTable};
use super::streaming::Streaming;
use crate::postgres::Connection;

/// Pictures tables while the stream waits. If that fails the stream goes on, as does Debezium's: who asked for rows that
/// cannot be had does not end the connector.
pub(crate) async fn blocking_snapshot(
    streaming: &mut Streaming<'_>,
    request: &SnapshotRequest,
    config: &PostgresConnectorConfig,
    events: &EventFactory,
    stop: &CancellationToken,
) -> Result<(), ConnectorError> {
    let outcome = picture(streaming, request, config, events, stop).await;
    match outcome {
        Err(error @ (ConnectorError::Sink(_) | ConnectorError::Stopped)) => return Err(error),
        Err(error) => tracing::warn!(%error, "error while executing requested blocking snapshot"),
        Ok(()) => {}
    }
    let offset = streaming.committed().clone();
    streaming.sink.commit(&offset).await?;
    Ok(())
}

async fn picture(
    streaming: &mut Streaming<'_>,
    request: &SnapshotRequest,
    config: &PostgresConnectorConfig,
    events: &EventFactory,
    stop: &CancellationToken,
) -> Result<(), ConnectorError> {
    let mut connection = Connection::connect(&config.connection, "Debezium General", false)
        .await
        .context("Couldn't connect to the database")?;
    snapshot::begin(&mut connection, config, None).await?;
    let patterns: Vec<_> = request.collections.iter().filter_map(|name| compile(name).ok()).collect();
    let named = |id: &TableId| {
        let name = id.to_string();
        request.collections.contains(&name) || patterns.iter().any(|pattern| pattern.matches(&name))
    };
    let captured = snapshot::captured_tables(&mut connection, config, None).await?;
    let tables: Vec<SnapshotTable> = captured
        .into_iter()
        .filter(named)
        .map(|id| SnapshotTable { select: request.select(&id).map(str::to_owned), id })
        .collect();
    let lsn = streaming.offset.lsn.unwrap_or_default();
    let tx_id = current_tx_id(&mut connection).await?;
    let offset = streaming.committed().clone();
    let mut schemas = Schemas::default();
    let mut picture = Snapshot {
        config,
        events,
        schemas: &mut schemas,
        connection: &mut connection,
        sink: &mut *streaming.sink,
        stop,
        waiting: Some(&mut streaming.stream),
        lsn,
        last_commit: streaming.offset.lsn_commit,
        tx_id,
        offset,
        batch_bytes: 0,
        metrics: streaming.metrics,
    };
    picture.run(&tables).await?;
    connection.close().await;
    Ok(())
}

/// The id of the transaction under way, which gets one by that; none on a standby.
pub(crate) async fn current_tx_id(connection: &mut Connection) -> Result<Option<i64>, ConnectorError> {
    let sql = "SELECT CASE WHEN pg_is_in_recovery() THEN '0'::xid8 ELSE pg_current_xact_id() END";
    let rows = connection.query(sql).await.context("Reading the transaction's id failed")?;
    Ok(rows.single().and_then(|id| id.parse().ok()).filter(|id| *id > 0))
}
