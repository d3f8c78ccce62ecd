//! As much of a worker as a task needs: transforms, converters, and topics in memory that show what is committed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use brooklet_connect_shim::connector_config::Properties;
use brooklet_connect_shim::converters::{self, Converter, ConverterType};
use brooklet_connect_shim::data::{OffsetMap, SourceRecord};
use brooklet_connect_shim::debezium::PostgresConnectorTask;
use brooklet_connect_shim::destination::OutgoingHeaders;
use brooklet_connect_shim::source::{BoxFuture, RecordSink, SourceTask, TaskError};
use brooklet_connect_shim::transforms::TransformationChain;
use bytes::Bytes;
use serde_json::Value as Json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A record as a consumer reads it.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) timestamp: Option<i64>,
}

/// What is committed.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) records: Vec<Read>,
    pub(crate) offset: Option<OffsetMap>,
}

/// A connector at work.
pub(crate) struct Worker {
    properties: BTreeMap<String, String>,
    stored: Arc<Mutex<Stored>>,
    running: Option<(CancellationToken, JoinHandle<Result<(), TaskError>>)>,
}

impl Worker {
    pub(crate) fn new(properties: BTreeMap<String, String>) -> Self {
        Self { properties, stored: Arc::default(), running: None }
    }

    pub(crate) fn stored(&self) -> std::sync::MutexGuard<'_, Stored> {
        self.stored.lock().unwrap()
    }

    pub(crate) fn change(&mut self, properties: BTreeMap<String, String>) {
        self.properties.extend(properties);
    }

    pub(crate) fn start(&mut self) {
        let stop = CancellationToken::new();
        let (properties, stored, token) = (self.properties.clone(), self.stored.clone(), stop.clone());
        let run = async move {
            let offset = stored.lock().unwrap().offset.clone();
            let mut task = PostgresConnectorTask::new(&properties).unwrap();
            let mut sink = Sink::new(&properties, stored);
            task.run(offset, &mut sink, token).await
        };
        self.running = Some((stop, tokio::spawn(run)));
    }

    /// Why the task has ended, if it has.
    pub(crate) async fn failure(&mut self) -> Option<TaskError> {
        let (_, handle) = self.running.as_mut()?;
        if !handle.is_finished() {
            return None;
        }
        let (_, handle) = self.running.take()?;
        handle.await.unwrap().err()
    }

    pub(crate) async fn stop(&mut self) -> Result<(), TaskError> {
        let Some((stop, handle)) = self.running.take() else { return Ok(()) };
        stop.cancel();
        handle.await.unwrap()
    }
}

struct Sink {
    chain: TransformationChain,
    key: Box<dyn Converter>,
    value: Box<dyn Converter>,
    header: Box<dyn Converter>,
    partitions: i32,
    /// Whether what cannot be converted is left out (`errors.tolerance`).
    tolerates: bool,
    open: Vec<Read>,
    stored: Arc<Mutex<Stored>>,
}

impl Sink {
    fn new(properties: &BTreeMap<String, String>, stored: Arc<Mutex<Stored>>) -> Self {
        let mut all = Properties::new();
        for (name, value) in properties {
            all.set(name.as_str(), value.as_str());
        }
        let converter = |name: &str, class: &str, kind| {
            let class = properties.get(name).map_or(class, String::as_str);
            converters::create(class, kind, &all.with_prefix(&format!("{name}."))).unwrap()
        };
        let (json, simple) = (converters::JSON_CONVERTER, converters::SIMPLE_HEADER_CONVERTER);
        Self {
            chain: TransformationChain::new(&all).unwrap(),
            key: converter("key.converter", json, ConverterType::Key),
            value: converter("value.converter", json, ConverterType::Value),
            header: converter("header.converter", simple, ConverterType::Header),
            partitions: properties.get("topic.creation.default.partitions").map_or(1, |count| count.parse().unwrap()),
            tolerates: properties.get("errors.tolerance").is_some_and(|tolerance| tolerance == "all"),
            open: Vec::new(),
            stored,
        }
    }

    fn write(&mut self, record: SourceRecord) -> Result<(), TaskError> {
        let failed = |error: &dyn std::fmt::Display| TaskError::Failed(error.to_string());
        let Some(record) = self.chain.apply(record).map_err(|error| failed(&error))? else { return Ok(()) };
        let topic = record.topic.to_string();
        let mut headers = Vec::new();
        for header in &record.headers {
            let bytes = self.header.convert(&topic, header.schema.as_ref(), &header.value);
            headers.push((header.name.to_string(), bytes.map_err(|error| failed(&error))?));
        }
        let headers: OutgoingHeaders = headers.into();
        self.key.heed_headers(&headers);
        self.value.heed_headers(&headers);
        let key = self.key.convert(&topic, record.key_schema.as_ref(), &record.key).map_err(|error| failed(&error))?;
        let value =
            self.value.convert(&topic, record.value_schema.as_ref(), &record.value).map_err(|error| failed(&error))?;
        let partition = record.partition.unwrap_or_else(|| match &key {
            Some(key) if self.partitions > 1 => (murmur2(key) & 0x7FFF_FFFF) % self.partitions,
            _ => 0,
        });
        let (key, value) = (key.map(|bytes| bytes.to_vec()), value.map(|bytes| bytes.to_vec()));
        let owned =
            |(name, bytes): &(String, Option<Bytes>)| (name.clone(), bytes.as_ref().map(|bytes| bytes.to_vec()));
        let headers = headers.iter().map(owned).collect();
        self.open.push(Read { topic, partition, key, value, headers, timestamp: record.timestamp });
        Ok(())
    }
}

impl RecordSink for Sink {
    fn send(&mut self, records: Vec<SourceRecord>) -> BoxFuture<'_, Result<(), TaskError>> {
        Box::pin(async move {
            for record in records {
                match self.write(record) {
                    Err(_) if self.tolerates => {}
                    written => written?,
                }
            }
            Ok(())
        })
    }

    fn commit(&mut self, offset: &OffsetMap) -> BoxFuture<'_, Result<(), TaskError>> {
        let offset = offset.clone();
        Box::pin(async move {
            let mut stored = self.stored.lock().unwrap();
            stored.records.append(&mut self.open);
            stored.offset = Some(offset);
            Ok(())
        })
    }
}

/// How Kafka's producer spreads keys.
fn murmur2(data: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(data.len()).unwrap();
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().unwrap()).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = chunks.remainder();
    for (place, byte) in rest.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * place);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    (hash ^ (hash >> 15)).cast_signed()
}

/// What a consumer makes of bytes: JSON if it is some.
pub(crate) fn loads(bytes: Option<&[u8]>) -> Json {
    let Some(bytes) = bytes else { return Json::Null };
    serde_json::from_slice(bytes).unwrap_or_else(|_| match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::json!({ "__raw__": text }),
        Err(_) => {
            let text = base64::prelude::BASE64_STANDARD.encode(bytes);
            serde_json::json!({ "__raw_b64__": text })
        }
    })
}
