//! The admin port: whether the broker lives, whether it is ready, what it is, and how it stands with what is declared.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use brooklet::MetricsSource;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::declared::Declared;

/// Which Kafka the protocol is that of.
const KAFKA_VERSION: &str = "4.3.1";

/// Where the broker stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(crate) enum Readiness {
    /// It is opening its data.
    Starting,
    /// Clients can connect, and what is declared has been applied once, as far as that could be.
    Ready {
        /// The advertised address of each listener, as `host:port`.
        listeners: Vec<String>,
    },
    /// It finishes what it is doing and takes nothing new.
    Stopping,
}

/// What the admin port tells of.
#[derive(Debug, Clone)]
pub(crate) struct AdminState {
    /// Where the broker stands.
    pub(crate) readiness: watch::Receiver<Readiness>,
    /// What is declared, once there is a broker.
    pub(crate) declared: watch::Receiver<Arc<Declared>>,
    /// Who tells of metrics, once there is a broker.
    pub(crate) metrics: watch::Receiver<Option<MetricsSource>>,
    /// Who tells of more, once there are connectors.
    pub(crate) more_metrics: watch::Receiver<MoreMetrics>,
}

/// Metrics of what runs beside the broker, in the text format of Prometheus.
#[derive(Clone, Default)]
pub(crate) struct MoreMetrics(Option<Arc<dyn Fn() -> String + Send + Sync>>);

impl MoreMetrics {
    /// What this tells whenever it is asked.
    #[cfg_attr(not(feature = "connect"), expect(dead_code, reason = "only connectors have more to tell"))]
    pub(crate) fn new(tell: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    fn text(&self) -> String {
        self.0.as_ref().map(|tell| tell()).unwrap_or_default()
    }
}

impl fmt::Debug for MoreMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MoreMetrics").field(&self.0.is_some()).finish()
    }
}

/// `/readyz`.
#[derive(Serialize)]
struct Ready {
    #[serde(flatten)]
    readiness: Readiness,
    #[serde(skip_serializing_if = "Option::is_none")]
    declared: Option<Applied>,
}

/// How it stands with what is declared, in short.
#[derive(Serialize)]
struct Applied {
    ready: usize,
    failing: Vec<String>,
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
pub(crate) async fn serve(listener: TcpListener, state: AdminState) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/version", get(version))
        .route("/declared", get(declared))
        .route("/metrics", get(metrics))
        .with_state(state);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "admin port closed");
    }
}

async fn ready(State(state): State<AdminState>) -> (StatusCode, Json<Ready>) {
    let readiness = state.readiness.borrow().clone();
    let status = match readiness {
        Readiness::Ready { .. } => StatusCode::OK,
        Readiness::Starting | Readiness::Stopping => StatusCode::SERVICE_UNAVAILABLE,
    };
    let declared = Arc::clone(&state.declared.borrow());
    let applied = (declared.passes > 0)
        .then(|| Applied { ready: declared.ready(), failing: declared.failing().map(ToString::to_string).collect() });
    (status, Json(Ready { readiness, declared: applied }))
}

async fn declared(State(state): State<AdminState>) -> Json<Declared> {
    let declared = Arc::clone(&state.declared.borrow());
    Json(Declared::clone(&declared))
}

/// `/metrics`; with `?partitions=true` those of each partition's log, too.
async fn metrics(State(state): State<AdminState>, uri: Uri) -> Response {
    let asked = uri.query().unwrap_or_default().split('&').any(|part| matches!(part, "partitions" | "partitions=true"));
    let source = state.metrics.borrow().clone();
    let Some(text) = source.and_then(|source| source.metrics(asked)) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let declared = Arc::clone(&state.declared.borrow());
    let more = state.more_metrics.borrow().clone();
    let text = text + &declared.exposition() + &more.text();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn version() -> Json<Version> {
    Json(Version { name: "brooklet", version: env!("CARGO_PKG_VERSION"), kafka: KAFKA_VERSION })
}
