//! The REST API of Kafka Connect, and the worker behind it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use brooklet::{BrokerDestination, WorkerConnectors};
use brooklet_connect_shim::connector_config::Plugins;
use brooklet_connect_shim::debezium::PostgresConnector;
use brooklet_connect_shim::metrics::exposition;
use brooklet_connect_shim::rest::{LogLevels, RestServer};
use brooklet_connect_shim::runtime::{Herder, WorkerSettings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::admin::MoreMetrics;

/// Where Connect's own REST API is, if nothing is said.
pub(crate) const DEFAULT_ADDRESS: &str = "127.0.0.1:8083";

/// A worker that serves.
pub(crate) struct Connect {
    herder: Herder,
    stop: CancellationToken,
}

/// Binds the REST API's port. Where nobody asked for it, that the port is in use is no reason not to start.
pub(crate) async fn bind(asked: Option<&str>) -> anyhow::Result<Option<(TcpListener, SocketAddr)>> {
    let address = asked.unwrap_or(DEFAULT_ADDRESS);
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) if asked.is_none() && error.kind() == std::io::ErrorKind::AddrInUse => {
            tracing::warn!(
                "{address} is in use, so that there is no Connect REST API; --connect HOST:PORT puts it elsewhere"
            );
            return Ok(None);
        }
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            anyhow::bail!(
                "Connect's port {address} is in use; stop what listens there, or choose another with --connect HOST:PORT, \
                 or none with --connect off"
            );
        }
        Err(error) => return Err(anyhow::Error::new(error).context(format!("Connect's port {address}"))),
    };
    let bound = listener.local_addr().context("Connect's port")?;
    Ok(Some((listener, bound)))
}

impl Connect {
    /// Starts the connectors that are kept, and answers.
    pub(crate) async fn start(
        destination: BrokerDestination,
        listener: TcpListener,
        bound: SocketAddr,
    ) -> anyhow::Result<Self> {
        let levels = destination.clone();
        let follow = move |logger: &str, level: &str| {
            let ours = ["io.debezium", "org.apache.kafka.connect"];
            if logger == "root" || ours.iter().any(|name| logger.starts_with(name)) {
                levels.set_log_level(logger == "root", level);
            }
        };
        let settings = WorkerSettings::new(bound.to_string());
        let plugins = Plugins::new(vec![Arc::new(PostgresConnector)]);
        let herder = Herder::start(Arc::new(destination), plugins, settings);
        let herder = herder.await.context("connectors that are kept")?;
        let stop = CancellationToken::new();
        let server = RestServer::new(herder.clone(), LogLevels::new(Some(Box::new(follow))));
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            if let Err(error) = server.serve(listener, stopped).await {
                tracing::error!(%error, "Connect's port closed");
            }
        });
        Ok(Self { herder, stop })
    }

    /// The connectors, to be declared.
    pub(crate) fn connectors(&self) -> WorkerConnectors {
        WorkerConnectors::new(self.herder.clone())
    }

    /// Tells the figures of the connectors' tasks, for `/metrics`.
    pub(crate) fn metrics(&self) -> MoreMetrics {
        let herder = self.herder.clone();
        MoreMetrics::new(move || {
            let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            exposition(&herder.task_figures(), i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
        })
    }

    /// Ends the connectors' tasks. What they have written is kept with its offsets.
    pub(crate) async fn shutdown(self) {
        self.stop.cancel();
        self.herder.shutdown().await;
    }
}
