//! Where a connector's events go, and where its configs, offsets and status are kept: topics of a broker.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::source::BoxFuture;
use crate::spool::Spool;

/// A topic that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions it is made with, if it is made; -1 is the broker's default.
    pub partitions: i32,
    /// Its configs by Kafka's names, if it is made.
    pub configs: BTreeMap<String, String>,
}

/// Headers in order, each with its name. Records that follow each other share them where they are the same.
pub type OutgoingHeaders = Arc<[(String, Option<Bytes>)]>;

/// A record to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingRecord {
    /// The key; `None` is null.
    pub key: Option<Bytes>,
    /// The value; `None` is null, which a compacted topic reads as a deletion.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: OutgoingHeaders,
    /// Milliseconds since 1970.
    pub timestamp: i64,
}

/// A record to append whose value is not in memory.
#[derive(Debug)]
pub struct LargeRecord {
    /// The key; `None` is null.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Spool,
    /// Its headers.
    pub headers: OutgoingHeaders,
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
    /// A batch is refused for what its records are, too large for the topic for one. Nothing of it is written, and what was
    /// written before is as it was.
    #[error("{0}")]
    RecordsRefused(String),
    /// The broker refuses what was asked, and will again.
    #[error("{0}")]
    Refused(String),
    /// Somebody else writes under the same transactional id now.
    #[error("there is a newer producer with the transactional id '{0}', which fences the older one")]
    Fenced(String),
    /// The broker cannot do it now; it may later.
    #[error("{0}")]
    Unavailable(String),
}

/// What the shim needs of a broker.
pub trait Destination: Send + Sync + 'static {
    /// The id of the cluster, as `GET /` tells it.
    fn cluster_id(&self) -> String;

    /// How many partitions a topic has; `None` if there is no such topic.
    fn partition_count(&self, topic: &str) -> Option<i32>;

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

    /// Gives `visit` each record of a topic that a reader of what is committed sees, partition after partition, each in
    /// order: how a compacted topic is taken in at start.
    ///
    /// # Errors
    /// [`DestinationError::UnknownPartition`] if there is no such topic, or what keeps it from being read.
    fn read(&self, topic: &str, visit: &mut dyn FnMut(StoredRecord)) -> Result<(), DestinationError>;

    /// Waits until a partition has records that a reader of what is committed sees from an offset on, and returns them
    /// with the offset from which to go on: how a topic of signals is watched. Not many at a time, and none if the
    /// partition's end was all that moved.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    fn poll<'a>(
        &'a self,
        topic: &'a str,
        partition: i32,
        offset: i64,
    ) -> BoxFuture<'a, Result<(Vec<StoredRecord>, i64), DestinationError>>;

    /// The offset behind the last record of a partition.
    ///
    /// # Errors
    /// [`DestinationError::UnknownPartition`], or what keeps it from being read.
    fn end_offset(&self, topic: &str, partition: i32) -> Result<i64, DestinationError>;

    /// How far a consumer group has come in a partition; `None` if it has not said.
    ///
    /// # Errors
    /// What keeps the group coordinator from it.
    fn committed_offset<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        partition: i32,
    ) -> BoxFuture<'a, Result<Option<i64>, DestinationError>>;

    /// Commits how far a consumer group without members has come in a partition.
    ///
    /// # Errors
    /// What keeps the group coordinator from it: that the group has members, for one.
    fn commit_offset<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        partition: i32,
        offset: i64,
    ) -> BoxFuture<'a, Result<(), DestinationError>>;

    /// An empty file that has no name, for what is too large for memory.
    ///
    /// # Errors
    /// That there is none, as where there is no disk; then memory has to do.
    fn scratch_file(&self) -> std::io::Result<std::fs::File> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    /// Begins to write under a transactional id. Whoever wrote under it before is fenced, and what it left open aborted.
    ///
    /// # Errors
    /// What keeps the transaction coordinator from it.
    fn producer<'a>(
        &'a self,
        transactional_id: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn TransactionalProducer>, DestinationError>>;
}

/// Writes in transactions, one after the other. One begins with the first batch after the last one's end.
pub trait TransactionalProducer: Send {
    /// Appends records to a partition as one batch of the open transaction.
    ///
    /// # Errors
    /// As a producer would be refused. Unless it is [`DestinationError::RecordsRefused`], the transaction can only be
    /// aborted then.
    fn append<'a>(
        &'a mut self,
        topic: &'a str,
        partition: i32,
        records: &'a [OutgoingRecord],
    ) -> BoxFuture<'a, Result<(), DestinationError>>;

    /// The same of one record, which is brought into memory once.
    ///
    /// # Errors
    /// As for [`append`](Self::append), or that its value cannot be read back.
    fn append_large<'a>(
        &'a mut self,
        topic: &'a str,
        partition: i32,
        record: LargeRecord,
    ) -> BoxFuture<'a, Result<(), DestinationError>> {
        Box::pin(async move {
            let LargeRecord { key, mut value, headers, timestamp } = record;
            let value = value.to_bytes().map_err(|error| DestinationError::Unavailable(error.to_string()))?;
            self.append(topic, partition, &[OutgoingRecord { key, value: Some(value), headers, timestamp }]).await
        })
    }

    /// Lets readers of what is committed see everything since the last end. When this returns, it survives the death of
    /// the process. Nothing happens if nothing was written.
    ///
    /// # Errors
    /// That it is not committed, or that nobody knows. Then a new producer finds out.
    fn commit(&mut self) -> BoxFuture<'_, Result<(), DestinationError>>;

    /// Hides everything since the last end from readers of what is committed, for good.
    ///
    /// # Errors
    /// That the coordinator cannot be reached. Then a new producer aborts it.
    fn abort(&mut self) -> BoxFuture<'_, Result<(), DestinationError>>;
}
