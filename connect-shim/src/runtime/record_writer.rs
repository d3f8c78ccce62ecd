//! What a task gives out on its way into topics: transformed, converted, and written in one transaction with the offset up
//! to which the source was read (`ExactlyOnceWorkerSourceTask`).

use std::collections::HashMap;
use std::sync::Arc;

use super::clock::now_ms;
use super::offset_store::OffsetStore;
use super::partitioner::partition_for_key;
use super::settings::WorkerSettings;
use super::status_store::StatusStore;
use crate::connector_config::{ConfigError, Properties, TopicCreation, WorkerDefaults, source_config_def};
use crate::converters::{self, Converter, ConverterType};
use crate::data::{DataError, OffsetMap, SourceRecord};
use crate::destination::{Destination, DestinationError, OutgoingRecord, TransactionalProducer};
use crate::source::{BoxFuture, RecordSink, TaskError};
use crate::transforms::TransformationChain;

/// How large a batch grows before it is written: below the largest that topics take by default.
const BATCH_BYTES: usize = 512 * 1024;
/// How much waits to be written in all.
const BUFFERED_BYTES: usize = 2 * 1024 * 1024;
/// What a record is reckoned to take beside its key and value.
const RECORD_OVERHEAD: usize = 32;

/// What is to be written: the topic, the partition if it is given, and the record.
type Made = (Arc<str>, Option<i32>, OutgoingRecord);

/// What makes records of a connector's events, as its config has it.
pub(super) struct RecordMaker {
    chain: TransformationChain,
    key: Box<dyn Converter>,
    value: Box<dyn Converter>,
    header: Box<dyn Converter>,
    creation: TopicCreation,
    tolerates_errors: bool,
    logs_errors: bool,
    logs_messages: bool,
}

impl RecordMaker {
    /// # Errors
    /// The first thing in the config that cannot be.
    pub(super) fn new(properties: &Properties, settings: &WorkerSettings) -> Result<Self, ConfigError> {
        let config = source_config_def("", &WorkerDefaults::default(), properties).parse(properties)?;
        let converter = |at: usize, side: &str, kind| {
            let name = format!("{side}.converter");
            let class = config.text(&name).unwrap_or_else(|| settings.defaults.converter(at));
            converters::create(class, kind, &properties.with_prefix(&format!("{name}.")))
        };
        Ok(Self {
            chain: TransformationChain::new(properties)?,
            key: converter(0, "key", ConverterType::Key)?,
            value: converter(1, "value", ConverterType::Value)?,
            header: converter(2, "header", ConverterType::Header)?,
            creation: TopicCreation::new(properties)?,
            tolerates_errors: config.string("errors.tolerance") == "all",
            logs_errors: config.is("errors.log.enable"),
            logs_messages: config.is("errors.log.include.messages"),
        })
    }

    /// What is to be written of an event, and where; `None` if it is dropped.
    fn make(&mut self, record: SourceRecord) -> Result<Option<Made>, DataError> {
        let record = if self.chain.is_empty() { Some(record) } else { self.chain.apply(record)? };
        let Some(record) = record else {
            return Ok(None);
        };
        let key = self.key.convert(&record.topic, record.key_schema.as_ref(), &record.key)?;
        let value = self.value.convert(&record.topic, record.value_schema.as_ref(), &record.value)?;
        let mut headers = Vec::with_capacity(record.headers.len());
        for header in &record.headers {
            let value = self.header.convert(&record.topic, header.schema.as_ref(), &header.value)?;
            headers.push((header.name.to_string(), value));
        }
        let timestamp = record.timestamp.unwrap_or_else(now_ms);
        Ok(Some((record.topic, record.partition, OutgoingRecord { key, value, headers, timestamp })))
    }
}

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
            let topic = Arc::clone(&record.topic);
            match self.maker.make(record) {
                Ok(Some((topic, partition, record))) => self.place(topic, partition, record).await?,
                Ok(None) => {}
                Err(error) if self.maker.tolerates_errors => {
                    if self.maker.logs_errors {
                        let topic = if self.maker.logs_messages { &*topic } else { "" };
                        tracing::error!(connector = self.connector, topic, %error, "an event is left out");
                    }
                }
                Err(error) => return Err(tolerance_exceeded(&error)),
            }
        }
        Ok(())
    }

    /// Puts a record to those that wait for the same partition.
    async fn place(
        &mut self,
        topic: Arc<str>,
        partition: Option<i32>,
        record: OutgoingRecord,
    ) -> Result<(), TaskError> {
        if !self.pending.topics.contains_key(&topic) {
            self.make_topic(&topic)?;
        }
        let Some(known) = self.pending.topics.get(&topic) else {
            return Err(TaskError::Failed(format!("There is no topic '{topic}'")));
        };
        let partition = match (partition, &record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) if known.partitions > 1 => partition_for_key(key, known.partitions),
            _ => known.sticky,
        };
        let lengths = [&record.key, &record.value].map(|bytes| bytes.as_ref().map_or(0, bytes::Bytes::len));
        let headers: usize =
            record.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, bytes::Bytes::len)).sum();
        let bytes = lengths[0] + lengths[1] + headers + RECORD_OVERHEAD;
        let same =
            |batch: &Batch| batch.partition == partition && (Arc::ptr_eq(&batch.topic, &topic) || batch.topic == topic);
        let at = self.pending.batches.iter().rposition(same);
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
    fn make_topic(&mut self, topic: &Arc<str>) -> Result<(), TaskError> {
        let count = match self.destination.partition_count(topic) {
            Some(count) => count,
            None => {
                self.destination.ensure_topic(&self.maker.creation.topic(topic)).map_err(task_error)?;
                self.destination.partition_count(topic).unwrap_or(1)
            }
        };
        self.statuses.add_topic(&self.connector, topic);
        self.pending.topics.insert(Arc::clone(topic), KnownTopic { partitions: count, sticky: 0 });
        Ok(())
    }

    async fn flush_batch(&mut self, at: usize) -> Result<(), TaskError> {
        let batch = &mut self.pending.batches[at];
        if batch.records.is_empty() {
            return Ok(());
        }
        self.producer.append(&batch.topic, batch.partition, &batch.records).await.map_err(task_error)?;
        self.pending.bytes -= batch.bytes;
        batch.bytes = 0;
        batch.records.clear();
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

/// The trace of a task that a record has ended.
fn tolerance_exceeded(error: &DataError) -> TaskError {
    TaskError::Failed(format!(
        "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler\n\
         Caused by: org.apache.kafka.connect.errors.DataException: {error}\n"
    ))
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
