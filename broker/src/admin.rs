//! The admin port: whether the broker lives, whether it is ready, and what it is.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Which Kafka the protocol is that of.
const KAFKA_VERSION: &str = "4.3.1";

/// Where the broker stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(crate) enum Readiness {
    /// It is opening its data.
    Starting,
    /// Clients can connect to these addresses, each `host:port`.
    Ready {
        /// The advertised address of each listener.
        listeners: Vec<String>,
    },
    /// It finishes what it is doing and takes nothing new.
    Stopping,
}

#[derive(Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
    kafka: &'static str,
}

/// Binds the admin port.
pub(crate) async fn bind(address: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "admin port {address} is in use; stop what listens there, or choose another with --admin HOST:PORT, or \
             none with --admin off"
        ),
        _ => anyhow::Error::new(error).context(format!("admin port {address}")),
    })?;
    let bound = listener.local_addr().context("admin port")?;
    Ok((listener, bound))
}

/// Answers until the process ends.
pub(crate) async fn serve(listener: TcpListener, readiness: watch::Receiver<Readiness>) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/version", get(version))
        .with_state(Arc::new(readiness));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "admin port closed");
    }
}

async fn ready(State(readiness): State<Arc<watch::Receiver<Readiness>>>) -> (StatusCode, Json<Readiness>) {
    let readiness = readiness.borrow().clone();
    let status = match readiness {
        Readiness::Ready { .. } => StatusCode::OK,
        Readiness::Starting | Readiness::Stopping => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(readiness))
}

async fn version() -> Json<Version> {
    Json(Version { name: "brooklet", version: env!("CARGO_PKG_VERSION"), kafka: KAFKA_VERSION })
}
