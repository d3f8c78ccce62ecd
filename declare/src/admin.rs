//! What is changed to bring about what is declared.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many replicas each partition was to have; `None` if that cannot be told, as of a cluster of one broker, which has
    /// one of each whatever was asked for.
    pub replication_factor: Option<i16>,
    /// The configs that are set for it, by Kafka's names; defaults are not among them.
    pub configs: BTreeMap<String, String>,
}

/// A topic as it is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; `None` is the broker's default.
    pub partitions: Option<i32>,
    /// How many replicas of each; `None` is the broker's default.
    pub replication_factor: Option<i16>,
    /// The configs to set for it.
    pub configs: BTreeMap<String, String>,
}

/// Changes to a topic's configs. What they do not name stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigChanges {
    /// To be set.
    pub set: BTreeMap<String, String>,
    /// To be set no more, so that the default holds.
    pub delete: BTreeSet<String>,
}

impl ConfigChanges {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.delete.is_empty()
    }
}

/// Whether a connector runs, as somebody has asked (`TargetState` of Connect).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It runs, or tries to.
    Running,
    /// Its tasks wait.
    Paused,
    /// It has no tasks.
    Stopped,
}

/// A connector as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorState {
    /// Its config, as whoever made it wrote it.
    pub config: BTreeMap<String, String>,
    /// Whether it is to run; `None` if nobody can tell.
    pub state: Option<RunState>,
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// There is no such topic.
    #[error("there is no topic '{0}'")]
    UnknownTopic(String),
    /// It cannot be as it is asked for.
    #[error("{0}")]
    Refused(String),
    /// It cannot be done now; it may later.
    #[error("{0}")]
    Unavailable(String),
}

/// What declared topics need of a broker.
pub trait Admin: Send + Sync {
    /// The topics with these names that there are, or with `None` all but the broker's own.
    ///
    /// # Errors
    /// [`AdminError::Unavailable`] if nobody answers.
    fn topics(
        &self,
        only: Option<&BTreeSet<String>>,
    ) -> impl Future<Output = Result<Vec<TopicState>, AdminError>> + Send;

    /// Creates a topic.
    ///
    /// # Errors
    /// [`AdminError::Refused`] if it exists, or is not as Kafka allows.
    fn create_topic(&self, topic: &NewTopic) -> impl Future<Output = Result<(), AdminError>> + Send;

    /// Adds partitions, up to `count`.
    ///
    /// # Errors
    /// [`AdminError::Refused`] if the topic has that many or more: partitions are never taken away.
    fn add_partitions(&self, topic: &str, count: i32) -> impl Future<Output = Result<(), AdminError>> + Send;

    /// Changes a topic's configs.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for a config that Kafka does not know, or a value that it does not allow.
    fn alter_configs(
        &self,
        topic: &str,
        changes: &ConfigChanges,
    ) -> impl Future<Output = Result<(), AdminError>> + Send;

    /// Deletes a topic with all its records.
    ///
    /// # Errors
    /// [`AdminError::UnknownTopic`] if there is none.
    fn delete_topic(&self, topic: &str) -> impl Future<Output = Result<(), AdminError>> + Send;
}

/// What declared connectors need of a Connect worker.
pub trait Connect: Send + Sync {
    /// The names of all connectors.
    ///
    /// # Errors
    /// [`AdminError::Unavailable`] if nobody answers.
    fn connectors(&self) -> impl Future<Output = Result<Vec<String>, AdminError>> + Send;

    /// A connector; `None` if there is none.
    ///
    /// # Errors
    /// [`AdminError::Unavailable`] if nobody answers.
    fn connector(&self, name: &str) -> impl Future<Output = Result<Option<ConnectorState>, AdminError>> + Send;

    /// Makes a connector, or gives it another config.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for a config that its class does not allow.
    fn put_connector(
        &self,
        name: &str,
        config: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<(), AdminError>> + Send;

    /// Starts, pauses or stops a connector.
    ///
    /// # Errors
    /// [`AdminError::Refused`] if there is none.
    fn set_state(&self, name: &str, state: RunState) -> impl Future<Output = Result<(), AdminError>> + Send;

    /// Starts a running connector again with its task, so that secrets are looked up again.
    ///
    /// # Errors
    /// [`AdminError::Refused`] if there is none.
    fn restart_connector(&self, name: &str) -> impl Future<Output = Result<(), AdminError>> + Send;

    /// Deletes a connector. Its offsets stay.
    ///
    /// # Errors
    /// [`AdminError::Refused`] if there is none.
    fn delete_connector(&self, name: &str) -> impl Future<Output = Result<(), AdminError>> + Send;
}

/// Nobody: where there is no worker.
impl Connect for std::convert::Infallible {
    async fn connectors(&self) -> Result<Vec<String>, AdminError> {
        match *self {}
    }

    async fn connector(&self, _name: &str) -> Result<Option<ConnectorState>, AdminError> {
        match *self {}
    }

    async fn put_connector(&self, _name: &str, _config: &BTreeMap<String, String>) -> Result<(), AdminError> {
        match *self {}
    }

    async fn set_state(&self, _name: &str, _state: RunState) -> Result<(), AdminError> {
        match *self {}
    }

    async fn restart_connector(&self, _name: &str) -> Result<(), AdminError> {
        match *self {}
    }

    async fn delete_connector(&self, _name: &str) -> Result<(), AdminError> {
        match *self {}
    }
}
