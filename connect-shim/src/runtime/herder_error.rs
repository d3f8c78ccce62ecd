//! Why the herder did not do what it was asked, as the REST API tells it (`org.apache.kafka.connect.errors`).

use crate::connector_config::ConfigError;
use crate::destination::DestinationError;

/// What went wrong, in Connect's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HerderError {
    /// There is no such connector, task or class (404).
    #[error("{0}")]
    NotFound(String),
    /// What is asked for cannot be (400).
    #[error("{0}")]
    BadRequest(String),
    /// It is there already (409).
    #[error("{0}")]
    AlreadyExists(String),
    /// It could not be done (500).
    #[error("{0}")]
    Failed(String),
}

impl HerderError {
    pub(crate) fn no_connector(name: &str) -> Self {
        Self::NotFound(format!("Connector {name} not found"))
    }
}

impl From<DestinationError> for HerderError {
    fn from(error: DestinationError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ConfigError> for HerderError {
    fn from(error: ConfigError) -> Self {
        Self::BadRequest(error.to_string())
    }
}
