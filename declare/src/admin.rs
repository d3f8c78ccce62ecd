//! What is changed to bring about what is declared.

use std::collections::BTreeMap;

/// A topic as it is, or is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
    /// The configs that are set for it, by Kafka's names; defaults are not among them.
    pub configs: BTreeMap<String, String>,
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

/// What declared resources need of a broker.
pub trait Admin: Send + Sync + 'static {
    /// All topics but the broker's own, by name.
    fn topics(&self) -> Vec<TopicState>;

    /// Creates a topic.
    ///
    /// # Errors
    /// [`AdminError::Refused`] if it exists, or is not as Kafka allows.
    fn create_topic(&self, topic: &TopicState) -> Result<(), AdminError>;

    /// Adds partitions, up to `count`.
    ///
    /// # Errors
    /// [`AdminError::Refused`] if the topic has that many or more: partitions are never taken away.
    fn add_partitions(&self, topic: &str, count: i32) -> Result<(), AdminError>;

    /// Sets a topic's configs, in place of those that are set.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for a config that Kafka does not know, or a value that it does not allow.
    fn set_configs(&self, topic: &str, configs: &BTreeMap<String, String>) -> Result<(), AdminError>;
}
