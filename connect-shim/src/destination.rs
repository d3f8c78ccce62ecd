//! Where a connector's events go, and where its configs, offsets and status are kept: topics of a broker.

use std::collections::BTreeMap;

use bytes::Bytes;

/// A topic that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions it is made with, if it is made.
    pub partitions: i32,
    /// Its configs by Kafka's names, if it is made.
    pub configs: BTreeMap<String, String>,
}

/// A record to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingRecord {
    /// The key; `None` is null.
    pub key: Option<Bytes>,
    /// The value; `None` is null, which a compacted topic reads as a deletion.
    pub value: Option<Bytes>,
    /// Headers in order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Milliseconds since 1970.
    pub timestamp: i64,
}

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The key; `None` is null.
    pub key: Option<Bytes>,
    /// The value; `None` is null.
    pub value: Option<Bytes>,
}

/// Why the broker did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// There is no such topic or partition.
    #[error("there is no partition {partition} of topic '{topic}'")]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// The broker refuses what was asked, and will again.
    #[error("{0}")]
    Refused(String),
    /// The broker cannot do it now; it may later.
    #[error("{0}")]
    Unavailable(String),
}

/// What the shim needs of a broker.
pub trait Destination: Send + Sync + 'static {
    /// Makes sure of a topic. One that exists is left as it is.
    ///
    /// # Errors
    /// [`DestinationError::Refused`] for a name or config that Kafka does not allow.
    fn ensure_topic(&self, topic: &TopicSpec) -> Result<(), DestinationError>;

    /// Appends records to a partition as one batch and returns the first one's offset. When this returns, they survive
    /// the death of the process.
    ///
    /// # Errors
    /// As a producer would be refused.
    fn append(&self, topic: &str, partition: i32, records: &[OutgoingRecord]) -> Result<i64, DestinationError>;

    /// Gives `visit` each record of a topic, partition after partition, each in order: how a compacted topic is taken in
    /// at start.
    ///
    /// # Errors
    /// [`DestinationError::UnknownPartition`] if there is no such topic, or what keeps it from being read.
    fn read(&self, topic: &str, visit: &mut dyn FnMut(StoredRecord)) -> Result<(), DestinationError>;
}
