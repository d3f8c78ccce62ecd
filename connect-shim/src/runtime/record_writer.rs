//! What a task gives out on its way into topics: transformed, converted, and written in one transaction with the offset up
//! to which the source was read (`ExactlyOnceWorkerSourceTask`).

use std::collections::HashMap;
use std::sync::Arc;

use super::error_tolerance::{Failure, Stage};
use super::offset_store::OffsetStore;
use super::partitioner::partition_for_key;
use super::record_maker::{Made, MadeRecord, MakeError, RecordMaker};
use super::status_store::StatusStore;
use super::task_runner::TASK;
use crate::data::{OffsetMap, SourceRecord};
use crate::destination::{Destination, DestinationError, LargeRecord, OutgoingRecord, TransactionalProducer};
use crate::source::{BoxFuture, RecordSink, TaskError};

/// How large a batch grows before it is written: below the largest that topics take by default.
const BATCH_BYTES: usize = 512 * 1024;
/// How much waits to be written in all.
const BUFFERED_BYTES: usize = 2 * 1024 * 1024;
/// What a record is reckoned to take beside its key and value.
const RECORD_OVERHEAD: usize = 32;

/// Writes a task's events.
pub(super) struct RecordWriter {
    pub(super) connector: String,
    pub(super) source_partition: OffsetMap,
    pub(super) maker: RecordMaker,
    pub(super) destination: Arc<dyn Destination>,
    pub(super) producer: Box<dyn TransactionalProducer>,
    pub(super) offsets: OffsetStore,
    pub(super) statuses: StatusStore,
    pub(super) pending: Pending,
    /// Whether anything was committed since the task began.
    pub(super) has_committed: bool,
}

/// What is not written yet.
#[derive(Default)]
pub(super) struct Pending {
    batches: Vec<Batch>,
    bytes: usize,
    /// What is known of the topics that were written to.
    topics: HashMap<Arc<str>, KnownTopic>,
    /// Why nothing more is taken.
    failed: Option<TaskError>,
}

struct Batch {
    topic: Arc<str>,
    partition: i32,
    records: Vec<OutgoingRecord>,
    bytes: usize,
}

struct KnownTopic {
    partitions: i32,
    /// Where records without a key go until the next commit.
    sticky: i32,
}

impl RecordWriter {
    async fn write(&mut self, records: Vec<SourceRecord>) -> Result<(), TaskError> {
        for record in records {
            let described = self.maker.tolerance.description(&record, &self.source_partition);
            match self.maker.make(record, &*self.destination) {
                Ok(Some(made)) => self.place(made).await?,
                Ok(None) => {}
                Err(MakeError::Failure(failure)) => self.meet(&failure, described.as_deref())?,
                Err(MakeError::Spool(error)) => {
                    return Err(TaskError::Retriable(format!("A large record cannot be put aside: {error}")));
                }
            }
        }
        Ok(())
    }

    /// What a failure means for the task.
    fn meet(&self, failure: &Failure, described: Option<&str>) -> Result<(), TaskError> {
        self.maker.tolerance.meet(&format!("{}-{TASK}", self.connector), failure, described)
    }

    /// What it means that a topic does not take a record.
    fn meet_refusal(&self, topic: &str, message: &str) -> Result<(), TaskError> {
        let message = format!("a record for topic '{topic}' is refused: {message}");
        self.meet_produce("org.apache.kafka.common.KafkaException", message)
    }

    fn meet_produce(&self, exception: &'static str, message: String) -> Result<(), TaskError> {
        let class = "org.apache.kafka.connect.runtime.WorkerSourceTask".to_owned();
        self.meet(&Failure { stage: Stage::KafkaProduce, class, exception, message }, None)
    }

    /// Puts a record to those that wait for the same partition.
    async fn place(&mut self, made: Made) -> Result<(), TaskError> {
        let Made { topic, partition, record } = made;
        if !self.pending.topics.contains_key(&topic) {
            match self.make_topic(&topic) {
                // Who leaves topics to the broker learns of a name that cannot be one when a record is sent.
                Err(DestinationError::Refused(message)) if !self.maker.creation.is_used() => {
                    tracing::error!(%topic, "a topic is not made: {message}");
                    return self.meet_produce(
                        "org.apache.kafka.common.errors.InvalidTopicException",
                        format!("Invalid topics: [{topic}]"),
                    );
                }
                Err(DestinationError::Refused(message)) => {
                    return Err(TaskError::Failed(format!(
                        "org.apache.kafka.connect.errors.ConnectException: Unable to create topic(s) '{topic}': {message}\n"
                    )));
                }
                outcome => outcome.map_err(task_error)?,
            }
        }
        let Some(known) = self.pending.topics.get(&topic) else {
            return Err(TaskError::Failed(format!("There is no topic '{topic}'")));
        };
        let key = match &record {
            MadeRecord::Small(record) => &record.key,
            MadeRecord::Large(record) => &record.key,
        };
        let partition = match (partition, key) {
            (Some(partition), _) => partition,
            (None, Some(key)) if known.partitions > 1 => partition_for_key(key, known.partitions),
            _ => known.sticky,
        };
        let same =
            |batch: &Batch| batch.partition == partition && (Arc::ptr_eq(&batch.topic, &topic) || batch.topic == topic);
        let at = self.pending.batches.iter().rposition(same);
        let record = match record {
            MadeRecord::Small(record) => record,
            MadeRecord::Large(record) => {
                if let Some(at) = at {
                    self.flush_batch(at).await?;
                }
                return self.append_large(&topic, partition, record).await;
            }
        };
        let lengths = [&record.key, &record.value].map(|bytes| bytes.as_ref().map_or(0, bytes::Bytes::len));
        let headers: usize =
            record.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, bytes::Bytes::len)).sum();
        let bytes = lengths[0] + lengths[1] + headers + RECORD_OVERHEAD;
        match at {
            Some(at) => {
                if self.pending.batches[at].bytes + bytes > BATCH_BYTES {
                    self.flush_batch(at).await?;
                }
                let batch = &mut self.pending.batches[at];
                batch.records.push(record);
                batch.bytes += bytes;
            }
            None => self.pending.batches.push(Batch { topic, partition, records: vec![record], bytes }),
        }
        self.pending.bytes += bytes;
        if self.pending.bytes > BUFFERED_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Makes sure of a topic, by the connector's rules if it has to be made.
    fn make_topic(&mut self, topic: &Arc<str>) -> Result<(), DestinationError> {
        let count = match self.destination.partition_count(topic) {
            Some(count) => count,
            None => {
                self.destination.ensure_topic(&self.maker.creation.topic(topic))?;
                self.destination.partition_count(topic).unwrap_or(1)
            }
        };
        self.statuses.add_topic(&self.connector, topic);
        self.pending.topics.insert(Arc::clone(topic), KnownTopic { partitions: count, sticky: 0 });
        Ok(())
    }

    async fn append_large(&mut self, topic: &str, partition: i32, record: LargeRecord) -> Result<(), TaskError> {
        match self.producer.append_large(topic, partition, record).await {
            Err(DestinationError::RecordsRefused(message)) => self.meet_refusal(topic, &message),
            outcome => outcome.map_err(task_error),
        }
    }

    /// Writes what waits for a partition. A batch that is refused for what its records are is written in halves, as
    /// producers do with one that is too large, until it is clear which of them it is.
    async fn flush_batch(&mut self, at: usize) -> Result<(), TaskError> {
        let batch = &mut self.pending.batches[at];
        if batch.records.is_empty() {
            return Ok(());
        }
        let records = std::mem::take(&mut batch.records);
        self.pending.bytes -= std::mem::take(&mut batch.bytes);
        let (topic, partition) = (Arc::clone(&batch.topic), batch.partition);
        let mut parts = vec![records.as_slice()];
        while let Some(part) = parts.pop() {
            match self.producer.append(&topic, partition, part).await {
                Ok(()) => {}
                Err(DestinationError::RecordsRefused(_)) if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                Err(DestinationError::RecordsRefused(message)) => self.meet_refusal(&topic, &message)?,
                Err(error) => return Err(task_error(error)),
            }
        }
        // Its memory is of use for what follows.
        let mut records = records;
        records.clear();
        self.pending.batches[at].records = records;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), TaskError> {
        for at in 0..self.pending.batches.len() {
            self.flush_batch(at).await?;
        }
        // Their places are kept for what follows, as long as they are few.
        if self.pending.batches.len() > 64 {
            self.pending.batches.clear();
        }
        Ok(())
    }

    async fn commit_with(&mut self, offset: &OffsetMap) -> Result<(), TaskError> {
        self.flush().await?;
        let (partition, record) = self.offsets.record(&self.connector, &self.source_partition, Some(offset));
        let topic = self.offsets.topic();
        self.producer.append(topic, partition, std::slice::from_ref(&record)).await.map_err(task_error)?;
        self.producer.commit().await.map_err(task_error)?;
        self.offsets.remember(&self.connector, &self.source_partition, Some(offset.clone()), false);
        self.has_committed = true;
        for known in self.pending.topics.values_mut() {
            known.sticky = (known.sticky + 1) % known.partitions.max(1);
        }
        Ok(())
    }

    /// Hides what the task leaves uncommitted at its end, so that readers need not wait for the next one.
    pub(super) async fn close(mut self) {
        if let Err(error) = self.producer.abort().await {
            tracing::debug!(connector = self.connector, %error, "the next producer aborts what was open");
        }
    }

    /// Nothing of an open transaction is ever seen once something has gone wrong.
    async fn fail(&mut self, error: TaskError) -> TaskError {
        self.pending.batches.clear();
        self.pending.failed = Some(error.clone());
        if let Err(abort) = self.producer.abort().await {
            tracing::debug!(connector = self.connector, error = %abort, "the next producer aborts what was open");
        }
        error
    }
}

impl RecordSink for RecordWriter {
    fn send(&mut self, records: Vec<SourceRecord>) -> BoxFuture<'_, Result<(), TaskError>> {
        Box::pin(async move {
            if let Some(error) = &self.pending.failed {
                return Err(error.clone());
            }
            match self.write(records).await {
                Ok(()) => Ok(()),
                Err(error) => Err(self.fail(error).await),
            }
        })
    }

    fn commit(&mut self, offset: &OffsetMap) -> BoxFuture<'_, Result<(), TaskError>> {
        let offset = offset.clone();
        Box::pin(async move {
            if let Some(error) = &self.pending.failed {
                return Err(error.clone());
            }
            match self.commit_with(&offset).await {
                Ok(()) => Ok(()),
                Err(error) => Err(self.fail(error).await),
            }
        })
    }
}

/// What an error of the broker's means for a task.
pub(super) fn task_error(error: DestinationError) -> TaskError {
    match error {
        DestinationError::Unavailable(_) => TaskError::Retriable(error.to_string()),
        error => TaskError::Failed(format!(
            "org.apache.kafka.connect.errors.ConnectException: Unrecoverable exception from producer send callback\n\
             Caused by: org.apache.kafka.common.KafkaException: {error}\n"
        )),
    }
}
