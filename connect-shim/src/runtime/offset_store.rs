//! How far sources were read, kept in `connect-offsets` (`KafkaOffsetBackingStore`, `OffsetStorageWriter`): the key is
//! `["connector",{…partition…}]`, the value the offset.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};

use super::clock::now_ms;
use super::partitioner::partition_for_key;
use crate::data::OffsetMap;
use crate::destination::{Destination, DestinationError, OutgoingRecord, TopicSpec};

/// How many partitions the topic is made with, as Connect makes it.
const PARTITIONS: i32 = 25;

/// A source partition with its offset; `None` once it was reset.
pub(crate) type PartitionOffset = (OffsetMap, Option<OffsetMap>);

/// The offsets of all connectors that keep them in one topic.
#[derive(Clone)]
pub(crate) struct OffsetStore {
    destination: Arc<dyn Destination>,
    topic: Arc<str>,
    known: Arc<Mutex<BTreeMap<String, Vec<Entry>>>>,
}

struct Entry {
    /// As it stands in the topic: a real worker may have written its members in another order.
    key: Bytes,
    partition: OffsetMap,
    offset: Option<OffsetMap>,
}

impl OffsetStore {
    pub(crate) fn new(destination: Arc<dyn Destination>, topic: &str) -> Self {
        Self { destination, topic: topic.into(), known: Arc::default() }
    }

    /// The topic.
    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    /// Takes in what is kept. There is nothing to take in if there is no topic.
    pub(crate) fn load(&self) -> Result<(), DestinationError> {
        let known = self.read()?;
        *self.lock() = known;
        Ok(())
    }

    /// Takes in what is kept of one connector, which nobody writes meanwhile.
    pub(crate) fn load_connector(&self, connector: &str) -> Result<(), DestinationError> {
        let entries = self.read()?.remove(connector).unwrap_or_default();
        self.lock().insert(connector.to_owned(), entries);
        Ok(())
    }

    fn read(&self) -> Result<BTreeMap<String, Vec<Entry>>, DestinationError> {
        let mut known: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        if self.destination.partition_count(&self.topic).is_none() {
            return Ok(known);
        }
        self.destination.read(&self.topic, &mut |record| {
            let Some(key) = record.key else {
                return;
            };
            let Ok((connector, partition)) = serde_json::from_slice::<(String, OffsetMap)>(&key) else {
                return;
            };
            let offset = record.value.and_then(|value| serde_json::from_slice::<OffsetMap>(&value).ok());
            let entries = known.entry(connector).or_default();
            entries.retain(|entry| entry.partition != partition);
            if let Some(offset) = offset {
                entries.push(Entry { key, partition, offset: Some(offset) });
            }
        })?;
        Ok(known)
    }

    /// The offset of a source partition.
    pub(crate) fn offset(&self, connector: &str, partition: &OffsetMap) -> Option<OffsetMap> {
        let known = self.lock();
        let entry = known.get(connector)?.iter().find(|entry| entry.partition == *partition)?;
        entry.offset.clone()
    }

    /// All offsets of a connector.
    pub(crate) fn offsets(&self, connector: &str) -> Vec<PartitionOffset> {
        let known = self.lock();
        let entries = known.get(connector).map(Vec::as_slice).unwrap_or_default();
        entries.iter().map(|entry| (entry.partition.clone(), entry.offset.clone())).collect()
    }

    /// Makes sure of the topic.
    pub(crate) fn ensure_topic(&self) -> Result<(), DestinationError> {
        if self.destination.partition_count(&self.topic).is_some() {
            return Ok(());
        }
        let configs = [("cleanup.policy".to_owned(), "compact".to_owned())].into();
        let topic = TopicSpec { name: self.topic.to_string(), partitions: PARTITIONS, configs };
        self.destination.ensure_topic(&topic)
    }

    /// The record that keeps an offset, and the partition of the topic to which it belongs.
    pub(crate) fn record(
        &self,
        connector: &str,
        partition: &OffsetMap,
        offset: Option<&OffsetMap>,
    ) -> (i32, OutgoingRecord) {
        let known = self.lock();
        let entry = known.get(connector).and_then(|all| all.iter().find(|entry| entry.partition == *partition));
        let key = entry.map_or_else(|| json!([connector, partition]).to_string().into(), |entry| entry.key.clone());
        let partitions = self.destination.partition_count(&self.topic).unwrap_or(1);
        let value = offset.map(|offset| Value::Object(offset.clone()).to_string().into());
        let at = partition_for_key(&key, partitions);
        (at, OutgoingRecord { key: Some(key), value, headers: Arc::default(), timestamp: now_ms() })
    }

    /// Remembers an offset that is kept. `None` is shown as null if the connector was reset, and not at all otherwise.
    pub(crate) fn remember(&self, connector: &str, partition: &OffsetMap, offset: Option<OffsetMap>, show_null: bool) {
        let mut known = self.lock();
        let entries = known.entry(connector.to_owned()).or_default();
        let at = entries.iter().position(|entry| entry.partition == *partition);
        match (at, offset) {
            (Some(at), None) if !show_null => drop(entries.remove(at)),
            (Some(at), offset) => entries[at].offset = offset,
            (None, None) => {}
            (None, offset) => {
                let key = json!([connector, partition]).to_string().into();
                entries.push(Entry { key, partition: partition.clone(), offset });
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<Entry>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
