//! Topics and records without a socket, for the convenience of tests.

use brooklet_protocol::records::validate::{self, InvalidBatch};
use brooklet_protocol::records::{BatchBuilder, CompressionError};
use brooklet_storage::{AppendError, AppendOrigin, ReadError};
use bytes::Bytes;

use crate::broker::Broker;
use crate::config::ConfigMap;
use crate::node::Node;
use crate::partition_scan::ScanError;
use crate::topics::{NewTopic, TopicError};

/// A record to produce.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The key; `None` is null.
    pub key: Option<Bytes>,
    /// The value; `None` is null.
    pub value: Option<Bytes>,
    /// Headers in order; a key may occur more than once.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Milliseconds since 1970; `None` is now.
    pub timestamp: Option<i64>,
}

impl Record {
    /// A record with a key and a value.
    pub fn new(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self { key: Some(key.into()), value: Some(value.into()), ..Self::default() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.headers.push((key.into(), Some(value.into())));
        self
    }
}

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumedRecord {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key; `None` is null.
    pub key: Option<Bytes>,
    /// The value; `None` is null.
    pub value: Option<Bytes>,
    /// Headers in order. Keys that are not UTF-8 are shown with replacement characters.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// Why topics or records could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// There is no such topic.
    #[error("there is no topic '{0}'")]
    UnknownTopic(String),
    /// The topic has no such partition.
    #[error("topic '{topic}' has no partition {partition}")]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition asked for.
        partition: i32,
    },
    /// The topic could not be created.
    #[error("{0}")]
    Topic(String),
    /// The records are not what the topic's configs allow.
    #[error(transparent)]
    Invalid(#[from] InvalidBatch),
    /// The log refused them.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A stored batch does not decode.
    #[error("a stored batch does not decode: {0}")]
    Corrupt(String),
}

impl From<TopicError> for RecordsError {
    fn from(error: TopicError) -> Self {
        Self::Topic(error.to_string())
    }
}

impl From<ScanError> for RecordsError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Read(error) => Self::Read(error),
            ScanError::Batch(reason) => Self::Corrupt(reason),
        }
    }
}

impl From<CompressionError> for RecordsError {
    fn from(error: CompressionError) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl Broker {
    /// Creates a topic with the broker's default configs.
    ///
    /// # Errors
    /// [`RecordsError::Topic`] if it exists, or has a name or number of partitions that Kafka does not allow.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), RecordsError> {
        self.create_topic_with(name, partitions, [])
    }

    /// Creates a topic with configs of its own, by Kafka's names.
    ///
    /// # Errors
    /// As [`Broker::create_topic`], and for configs that Kafka does not allow.
    pub fn create_topic_with<'a>(
        &self,
        name: &str,
        partitions: i32,
        configs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), RecordsError> {
        let node = self.node();
        let configs = configs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let new = NewTopic {
            name: name.to_owned(),
            partitions,
            replication_factor: node.default_replication_factor(),
            configs: configs.collect::<ConfigMap>(),
        };
        node.topics.create(&new, &node.config().layers)?;
        Ok(())
    }

    /// Appends records to a partition as one batch, and returns the first one's offset. Consumers that wait get them at
    /// once.
    ///
    /// # Errors
    /// As a producer would be refused.
    pub fn produce(
        &self,
        topic: &str,
        partition: i32,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<i64, RecordsError> {
        produce(self.node(), topic, partition, records)
    }

    /// All records of a topic, partition after partition.
    ///
    /// # Errors
    /// [`RecordsError::UnknownTopic`], or a log that cannot be read.
    pub fn records(&self, topic: &str) -> Result<Vec<ConsumedRecord>, RecordsError> {
        let found = self.node().topics.by_name(topic).ok_or_else(|| RecordsError::UnknownTopic(topic.to_owned()))?;
        let mut records = Vec::new();
        for partition in found.partitions().iter() {
            partition.for_each_record(|record| records.push(consumed(partition.index(), record)))?;
        }
        Ok(records)
    }
}

pub(crate) fn produce(
    node: &Node,
    topic: &str,
    partition: i32,
    records: impl IntoIterator<Item = Record>,
) -> Result<i64, RecordsError> {
    let found = node.topics.by_name(topic).ok_or_else(|| RecordsError::UnknownTopic(topic.to_owned()))?;
    let unknown = || RecordsError::UnknownPartition { topic: topic.to_owned(), partition };
    let log = found.partition(partition).ok_or_else(unknown)?;
    let now_ms = node.clock.wall_ms();
    let mut builder = BatchBuilder::new();
    for record in records {
        let headers: Vec<_> = record.headers.iter().map(|(key, value)| (key.as_bytes(), value.as_deref())).collect();
        let timestamp = record.timestamp.unwrap_or(now_ms);
        builder.push(timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    let batch = validate::validate(&builder.build()?, &found.settings().rules, now_ms)?;
    let appended = log.append(&batch, AppendOrigin::Client)?;
    if log.must_flush(true) {
        log.flush_appended().map_err(AppendError::from)?;
    }
    Ok(appended.base_offset)
}

fn consumed(partition: i32, record: brooklet_protocol::records::Record) -> ConsumedRecord {
    // Copies: a test that keeps records must not keep the broker's mapped files.
    let copy = |bytes: Bytes| Bytes::copy_from_slice(&bytes);
    let headers = record.headers.into_iter();
    let headers = headers.map(|header| (String::from_utf8_lossy(&header.key).into_owned(), header.value.map(copy)));
    ConsumedRecord {
        partition,
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key.map(copy),
        value: record.value.map(copy),
        headers: headers.collect(),
    }
}
