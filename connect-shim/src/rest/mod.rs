//! Kafka Connect's REST API: every path, status code and error body as a real worker has them.
//!
//! Requests are matched by hand, since Connect's answers to what it does not know (404, 405, 406, 415) are its own.

mod connectors;
mod error;
mod json_body;
mod loggers;
mod offsets;
mod plugins;
mod request;
mod router;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;

use crate::runtime::Herder;

pub use loggers::{LogLevels, LoggerLevel};

/// What the REST API works on.
#[derive(Debug, Clone)]
pub struct RestServer {
    herder: Herder,
    log_levels: Arc<LogLevels>,
}

impl RestServer {
    /// The API of a worker.
    pub fn new(herder: Herder, log_levels: LogLevels) -> Self {
        Self { herder, log_levels: Arc::new(log_levels) }
    }

    /// The API as a service.
    pub fn router(self) -> Router {
        Router::new().fallback(router::handle).with_state(self)
    }

    /// Answers until `stop` is done, and what is under way is answered.
    ///
    /// # Errors
    /// Those of the listener.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        axum::serve(listener, self.router()).with_graceful_shutdown(stop).await
    }
}
