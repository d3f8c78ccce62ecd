//! A broker's topics in memory, which outlive a worker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use brooklet_connect_shim::source::BoxFuture;
use brooklet_connect_shim::{
    Destination, DestinationError, OutgoingRecord, StoredRecord, TopicSpec, TransactionalProducer,
};

#[derive(Default)]
struct Topics {
    /// By topic: the spec, and records by partition.
    topics: BTreeMap<String, (TopicSpec, Vec<Vec<OutgoingRecord>>)>,
    epochs: BTreeMap<String, u32>,
    /// How many commits are refused before one succeeds again.
    commits_refused: u32,
    /// No topic takes a record with this value.
    refused_value: Option<String>,
}

/// Topics in memory. Clones are the same topics.
#[derive(Clone, Default)]
pub(crate) struct MemoryDestination {
    topics: Arc<Mutex<Topics>>,
}

impl MemoryDestination {
    /// Keys and values of a topic's records, partition after partition.
    pub(crate) fn records(&self, topic: &str) -> Vec<(String, Option<String>)> {
        let topics = self.topics.lock().unwrap();
        let text = |bytes: &bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let records = topics.topics.get(topic).map(|(_, partitions)| partitions.concat()).unwrap_or_default();
        records
            .iter()
            .map(|one| (one.key.as_ref().map(text).unwrap_or_default(), one.value.as_ref().map(text)))
            .collect()
    }

    pub(crate) fn spec(&self, topic: &str) -> Option<TopicSpec> {
        self.topics.lock().unwrap().topics.get(topic).map(|(spec, _)| spec.clone())
    }

    pub(crate) fn topic_names(&self) -> Vec<String> {
        self.topics.lock().unwrap().topics.keys().cloned().collect()
    }

    /// From now on topics refuse a record with this value, as a broker does one that is too large.
    pub(crate) fn refuse_value(&self, value: &str) {
        self.topics.lock().unwrap().refused_value = Some(value.to_owned());
    }

    pub(crate) fn refuse_commits(&self, count: u32) {
        self.topics.lock().unwrap().commits_refused = count;
    }
}

impl Topics {
    fn append(&mut self, topic: &str, partition: i32, records: &[OutgoingRecord]) -> Result<i64, DestinationError> {
        let unknown = || DestinationError::UnknownPartition { topic: topic.to_owned(), partition };
        let (_, partitions) = self.topics.get_mut(topic).ok_or_else(unknown)?;
        let log = usize::try_from(partition).ok().and_then(|at| partitions.get_mut(at)).ok_or_else(unknown)?;
        log.extend_from_slice(records);
        Ok(i64::try_from(log.len() - records.len()).unwrap())
    }
}

impl Destination for MemoryDestination {
    fn cluster_id(&self) -> String {
        "MkU3OEVBNTcwNTJENDM2Qg".to_owned()
    }

    fn partition_count(&self, topic: &str) -> Option<i32> {
        self.topics.lock().unwrap().topics.get(topic).map(|(_, all)| i32::try_from(all.len()).unwrap())
    }

    fn ensure_topic(&self, topic: &TopicSpec) -> Result<(), DestinationError> {
        let count = usize::try_from(topic.partitions).unwrap_or(1);
        let mut topics = self.topics.lock().unwrap();
        topics.topics.entry(topic.name.clone()).or_insert_with(|| (topic.clone(), vec![Vec::new(); count]));
        Ok(())
    }

    fn append(&self, topic: &str, partition: i32, records: &[OutgoingRecord]) -> Result<i64, DestinationError> {
        self.topics.lock().unwrap().append(topic, partition, records)
    }

    fn read(&self, topic: &str, visit: &mut dyn FnMut(StoredRecord)) -> Result<(), DestinationError> {
        let logs = self.topics.lock().unwrap().topics[topic].1.clone();
        for (partition, log) in logs.into_iter().enumerate() {
            for (offset, record) in log.into_iter().enumerate() {
                let (partition, offset) = (i32::try_from(partition).unwrap(), i64::try_from(offset).unwrap());
                visit(StoredRecord { partition, offset, key: record.key, value: record.value });
            }
        }
        Ok(())
    }

    fn poll<'a>(
        &'a self,
        topic: &'a str,
        partition: i32,
        offset: i64,
    ) -> BoxFuture<'a, Result<(Vec<StoredRecord>, i64), DestinationError>> {
        Box::pin(async move {
            let mut found = Vec::new();
            self.read(topic, &mut |record| {
                if record.partition == partition && record.offset >= offset {
                    found.push(record);
                }
            })?;
            let next = offset + i64::try_from(found.len()).unwrap();
            Ok((found, next))
        })
    }

    fn end_offset(&self, topic: &str, partition: i32) -> Result<i64, DestinationError> {
        let topics = self.topics.lock().unwrap();
        Ok(i64::try_from(topics.topics[topic].1[usize::try_from(partition).unwrap()].len()).unwrap())
    }

    fn committed_offset<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: i32,
    ) -> BoxFuture<'a, Result<Option<i64>, DestinationError>> {
        Box::pin(async { Ok(None) })
    }

    fn commit_offset<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: i32,
        _: i64,
    ) -> BoxFuture<'a, Result<(), DestinationError>> {
        Box::pin(async { Ok(()) })
    }

    fn producer<'a>(
        &'a self,
        transactional_id: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn TransactionalProducer>, DestinationError>> {
        let mut topics = self.topics.lock().unwrap();
        let epoch = topics.epochs.entry(transactional_id.to_owned()).or_default();
        *epoch += 1;
        let producer = MemoryProducer {
            topics: Arc::clone(&self.topics),
            id: transactional_id.to_owned(),
            epoch: *epoch,
            open: Vec::new(),
        };
        Box::pin(async move { Ok(Box::new(producer) as Box<dyn TransactionalProducer>) })
    }
}

/// Keeps what it is given to itself until it commits.
struct MemoryProducer {
    topics: Arc<Mutex<Topics>>,
    id: String,
    epoch: u32,
    open: Vec<(String, i32, Vec<OutgoingRecord>)>,
}

impl TransactionalProducer for MemoryProducer {
    fn append<'a>(
        &'a mut self,
        topic: &'a str,
        partition: i32,
        records: &'a [OutgoingRecord],
    ) -> BoxFuture<'a, Result<(), DestinationError>> {
        let refused = self.topics.lock().unwrap().refused_value.clone();
        let is_refused = |one: &OutgoingRecord| one.value.as_deref() == refused.as_deref().map(str::as_bytes);
        if records.iter().any(|one| one.value.is_some() && is_refused(one)) {
            let error = DestinationError::RecordsRefused("a batch is above max.message.bytes".to_owned());
            return Box::pin(async { Err(error) });
        }
        self.open.push((topic.to_owned(), partition, records.to_vec()));
        Box::pin(async { Ok(()) })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<(), DestinationError>> {
        Box::pin(async move {
            let mut topics = self.topics.lock().unwrap();
            if topics.epochs[&self.id] != self.epoch {
                return Err(DestinationError::Fenced(self.id.clone()));
            }
            if topics.commits_refused > 0 {
                topics.commits_refused -= 1;
                return Err(DestinationError::Unavailable("the coordinator is gone for a while".to_owned()));
            }
            for (topic, partition, records) in std::mem::take(&mut self.open) {
                topics.append(&topic, partition, &records)?;
            }
            Ok(())
        })
    }

    fn abort(&mut self) -> BoxFuture<'_, Result<(), DestinationError>> {
        self.open.clear();
        Box::pin(async { Ok(()) })
    }
}
