//! Why the connector stops, in Debezium's words.

use super::config::ConfigError;
use super::table_schema::ConversionError;
use crate::postgres::{PostgresError, PublicationError};
use crate::source::TaskError;

/// Why the connector stops.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ConnectorError {
    /// The database or the way to it.
    #[error("{context}: {error}")]
    Postgres {
        /// What was being done.
        context: String,
        /// What went wrong.
        error: PostgresError,
    },
    /// Somebody has to do something.
    #[error("{0}")]
    Failed(String),
    /// What the sink says.
    #[error(transparent)]
    Sink(#[from] TaskError),
    /// It was told to stop.
    #[error("the task was told to stop")]
    Stopped,
}

/// Says what was being done when the database refused.
pub(crate) trait Context<T> {
    /// With what was being done.
    fn context(self, context: impl Into<String>) -> Result<T, ConnectorError>;
}

impl<T> Context<T> for Result<T, PostgresError> {
    fn context(self, context: impl Into<String>) -> Result<T, ConnectorError> {
        self.map_err(|error| ConnectorError::Postgres { context: context.into(), error })
    }
}

impl From<PostgresError> for ConnectorError {
    fn from(error: PostgresError) -> Self {
        Self::Postgres { context: "Database error".into(), error }
    }
}

impl From<PublicationError> for ConnectorError {
    fn from(error: PublicationError) -> Self {
        match error {
            PublicationError::Refused(message) => Self::Failed(message),
            PublicationError::Postgres(error) => {
                Self::Postgres { context: "Creation of publication failed".into(), error }
            }
        }
    }
}

impl From<ConversionError> for ConnectorError {
    fn from(error: ConversionError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ConfigError> for ConnectorError {
    fn from(error: ConfigError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ConnectorError> for TaskError {
    fn from(error: ConnectorError) -> Self {
        match error {
            ConnectorError::Sink(error) => error,
            ConnectorError::Postgres { ref error, .. } if error.is_transient() => {
                Self::Retriable(trace(&error.to_string()))
            }
            other => Self::Failed(trace(&other.to_string())),
        }
    }
}

/// As the status of a task shows it.
fn trace(message: &str) -> String {
    format!(
        "org.apache.kafka.connect.errors.ConnectException: An exception occurred in the change event producer. This connector will be stopped.\nCaused by: io.debezium.DebeziumException: {message}"
    )
}
