//! The broker as the destination of connectors.

use std::sync::Arc;

use brooklet_connect_shim::source::BoxFuture;
use brooklet_connect_shim::{
    Destination, DestinationError, OutgoingRecord, StoredRecord, TopicSpec, TransactionalProducer,
};
use brooklet_protocol::ErrorCode;
use brooklet_protocol::records::Record as StoredRecordParts;
use bytes::Bytes;

use super::transactional_producer::BrokerProducer;
use crate::broker::Broker;
use crate::config::{AlterOp, ConfigChange};
use crate::fetch_wait::FetchWaiter;
use crate::groups::requests::{CommitRequest, MemberIdentity, OffsetToCommit};
use crate::groups::runtime::OffsetsWanted;
use crate::in_process::{self, Record, RecordsError};
use crate::node::Node;
use crate::partition::Partition;
use crate::topics::{NewTopic, TopicError};

/// A broker's topics, without a socket in between. Cheap to clone; it does not keep the broker running.
#[derive(Debug, Clone)]
pub struct BrokerDestination {
    node: Arc<Node>,
}

impl Broker {
    /// The broker as the change data capture needs it.
    pub fn destination(&self) -> BrokerDestination {
        BrokerDestination::of(Arc::clone(self.node()))
    }
}

/// How much is read of a watched partition at a time.
const POLL_BYTES: usize = 1 << 20;

impl BrokerDestination {
    pub(super) fn of(node: Arc<Node>) -> Self {
        Self { node }
    }

    /// Sets how much of the change data capture's work is logged, by one of Kafka's levels, or for `root` of everything.
    pub fn set_log_level(&self, root: bool, level: &str) {
        let name = if root { "root" } else { "brooklet_connect_shim" };
        let level = if level == "OFF" { "FATAL" } else { level };
        let change = ConfigChange { name: name.to_owned(), op: AlterOp::Set(level.to_owned()) };
        if let Err(error) = self.node.loggers.change(&[change], false) {
            tracing::warn!(%error, name, level, "log level not followed");
        }
    }

    fn partition(&self, topic: &str, partition: i32) -> Result<Arc<Partition>, DestinationError> {
        let found = self.node.topics.by_name(topic).and_then(|found| found.partition(partition));
        found.ok_or_else(|| DestinationError::UnknownPartition { topic: topic.to_owned(), partition })
    }
}

fn stored(partition: i32, record: StoredRecordParts) -> StoredRecord {
    // Copies: who keeps records must not keep the log's mapping.
    let copy = |bytes: Bytes| Bytes::copy_from_slice(&bytes);
    StoredRecord { partition, offset: record.offset, key: record.key.map(copy), value: record.value.map(copy) }
}

impl Destination for BrokerDestination {
    fn cluster_id(&self) -> String {
        self.node.data_dir.cluster_id().to_owned()
    }

    fn partition_count(&self, topic: &str) -> Option<i32> {
        self.node.topics.by_name(topic).map(|topic| topic.partition_count())
    }

    fn ensure_topic(&self, topic: &TopicSpec) -> Result<(), DestinationError> {
        let config = self.node.config();
        let made = self.node.topics.by_name_or_create(&topic.name, &config.layers, || NewTopic {
            name: topic.name.clone(),
            partitions: if topic.partitions == -1 { config.broker.num_partitions } else { topic.partitions },
            replication_factor: self.node.default_replication_factor(),
            configs: topic.configs.clone(),
        });
        match made {
            Ok(_) => Ok(()),
            Err(TopicError::Storage(error)) => Err(DestinationError::Unavailable(error.to_string())),
            Err(error) => Err(DestinationError::Refused(error.to_string())),
        }
    }

    fn append(&self, topic: &str, partition: i32, records: &[OutgoingRecord]) -> Result<i64, DestinationError> {
        let records = records.iter().map(|record| Record {
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.to_vec(),
            timestamp: Some(record.timestamp),
        });
        in_process::produce(&self.node, topic, partition, records).map_err(|error| refusal(error, topic, partition))
    }

    fn read(&self, topic: &str, visit: &mut dyn FnMut(StoredRecord)) -> Result<(), DestinationError> {
        let unknown = || DestinationError::UnknownPartition { topic: topic.to_owned(), partition: 0 };
        let found = self.node.topics.by_name(topic).ok_or_else(unknown)?;
        for partition in found.partitions().iter() {
            let index = partition.index();
            let mut from = 0;
            loop {
                let next = partition.committed_records(from, POLL_BYTES, |record| visit(stored(index, record)));
                match next.map_err(|error| DestinationError::Unavailable(error.to_string()))? {
                    next if next > from => from = next,
                    _ => break,
                }
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
            let log = self.partition(topic, partition)?;
            let waiter = FetchWaiter::new(1, true);
            // Registered before it looks, so that nothing comes unseen in between.
            let _registration = log.waiters().register(&waiter);
            loop {
                let mut found = Vec::new();
                let next = log.committed_records(offset, POLL_BYTES, |record| found.push(stored(partition, record)));
                let next = next.map_err(|error| DestinationError::Unavailable(error.to_string()))?;
                if next > offset {
                    return Ok((found, next));
                }
                waiter.woken().await;
                self.partition(topic, partition)?;
            }
        })
    }

    fn end_offset(&self, topic: &str, partition: i32) -> Result<i64, DestinationError> {
        let log = self.partition(topic, partition)?;
        let view = log.view().map_err(|error| DestinationError::Unavailable(error.to_string()))?;
        Ok(view.next_offset())
    }

    fn committed_offset<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        partition: i32,
    ) -> BoxFuture<'a, Result<Option<i64>, DestinationError>> {
        Box::pin(async move {
            let wanted = OffsetsWanted {
                group_id: group.to_owned(),
                member_epoch: -1,
                partitions: Some(vec![(topic.to_owned(), partition)]),
                ..OffsetsWanted::default()
            };
            let found = self.node.groups.fetch_offsets(wanted).await.map_err(|code| not_coordinated(group, code))?;
            let Some((.., offset)) = found.into_iter().next() else { return Ok(None) };
            offset.map(|known| known.map(|known| known.offset)).map_err(|code| not_coordinated(group, code))
        })
    }

    fn commit_offset<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        partition: i32,
        offset: i64,
    ) -> BoxFuture<'a, Result<(), DestinationError>> {
        Box::pin(async move {
            let unknown = || DestinationError::UnknownPartition { topic: topic.to_owned(), partition };
            let found = self.node.topics.by_name(topic).ok_or_else(unknown)?;
            let offset = OffsetToCommit {
                topic: topic.to_owned(),
                topic_id: found.id(),
                partition,
                offset,
                leader_epoch: -1,
                metadata: String::new(),
            };
            let request = CommitRequest {
                member: MemberIdentity {
                    group_id: group.to_owned(),
                    member_id: String::new(),
                    group_instance_id: None,
                    generation: -1,
                },
                knows_group_id_not_found: true,
                retention_ms: None,
                offsets: vec![offset],
            };
            let outcomes = self.node.groups.commit(request).await.map_err(|code| not_coordinated(group, code))?;
            match outcomes.into_iter().find(|code| *code != ErrorCode::None) {
                None => Ok(()),
                Some(code) => Err(not_coordinated(group, code)),
            }
        })
    }

    fn scratch_file(&self) -> std::io::Result<std::fs::File> {
        // Where the records go there is room for one of them. Not every file system has files without a name.
        tempfile::tempfile_in(self.node.data_dir.path())
    }

    fn producer<'a>(
        &'a self,
        transactional_id: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn TransactionalProducer>, DestinationError>> {
        Box::pin(async move {
            let producer = BrokerProducer::begin(Arc::clone(&self.node), transactional_id).await?;
            Ok(Box::new(producer) as Box<dyn TransactionalProducer>)
        })
    }
}

fn not_coordinated(group: &str, code: ErrorCode) -> DestinationError {
    let said = format!("the coordinator of group '{group}' answers {code}");
    if code.is_retriable() { DestinationError::Unavailable(said) } else { DestinationError::Refused(said) }
}

fn refusal(error: RecordsError, topic: &str, partition: i32) -> DestinationError {
    match error {
        RecordsError::UnknownTopic(_) | RecordsError::UnknownPartition { .. } => {
            DestinationError::UnknownPartition { topic: topic.to_owned(), partition }
        }
        RecordsError::Append(error) => DestinationError::Unavailable(error.to_string()),
        error => DestinationError::Refused(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use brooklet_connect_shim::LargeRecord;
    use brooklet_connect_shim::spool::Spool;

    use super::*;

    fn record(key: &str, value: Option<&str>) -> OutgoingRecord {
        let bytes = |text: &str| Bytes::from(text.to_owned());
        OutgoingRecord { key: Some(bytes(key)), value: value.map(bytes), headers: Arc::default(), timestamp: 1 }
    }

    #[tokio::test]
    async fn what_is_appended_is_read_back_in_order_with_tombstones() {
        let broker = Broker::builder().ephemeral().without_listeners().start().await.unwrap();
        let destination = broker.destination();
        let compacted = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
        let topic = TopicSpec { name: "connect-offsets".into(), partitions: 2, configs: compacted };
        destination.ensure_topic(&topic).unwrap();
        destination.ensure_topic(&topic).unwrap();
        assert_eq!(destination.append("connect-offsets", 1, &[record("a", Some("1")), record("b", None)]), Ok(0));
        assert_eq!(destination.append("connect-offsets", 1, &[record("a", None)]), Ok(2));
        let mut seen = Vec::new();
        destination
            .read("connect-offsets", &mut |record| seen.push((record.partition, record.offset, record.value)))
            .unwrap();
        assert_eq!(seen, [(1, 0, Some(Bytes::from("1"))), (1, 1, None), (1, 2, None)]);
    }

    #[tokio::test]
    async fn what_cannot_be_is_refused_for_good() {
        let broker = Broker::builder().ephemeral().without_listeners().start().await.unwrap();
        let destination = broker.destination();
        let odd = TopicSpec { name: "a b".into(), partitions: 1, configs: BTreeMap::new() };
        assert!(matches!(destination.ensure_topic(&odd), Err(DestinationError::Refused(_))));
        let missing = DestinationError::UnknownPartition { topic: "none".into(), partition: 0 };
        assert_eq!(destination.append("none", 0, &[record("a", None)]), Err(missing));
        let topic = TopicSpec {
            name: "t".into(),
            partitions: 1,
            configs: BTreeMap::from([("max.message.bytes".to_owned(), "100".to_owned())]),
        };
        destination.ensure_topic(&topic).unwrap();
        let large = record("a", Some(&"x".repeat(200)));
        assert!(matches!(destination.append("t", 0, &[large]), Err(DestinationError::Refused(_))));
    }

    fn values(destination: &BrokerDestination, topic: &str) -> Vec<String> {
        let mut seen = Vec::new();
        let visit = &mut |record: StoredRecord| seen.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
        destination.read(topic, visit).unwrap();
        seen
    }

    async fn destination_with(topics: &[&str]) -> (Broker, BrokerDestination) {
        let broker = Broker::builder().ephemeral().without_listeners().start().await.unwrap();
        let destination = broker.destination();
        for name in topics {
            let topic = TopicSpec { name: (*name).to_owned(), partitions: 1, configs: BTreeMap::new() };
            destination.ensure_topic(&topic).unwrap();
        }
        (broker, destination)
    }

    #[tokio::test]
    async fn what_is_written_in_a_transaction_is_seen_when_it_is_committed_and_all_of_it() {
        let (_broker, destination) = destination_with(&["events", "offsets"]).await;
        let mut producer = destination.producer("connect-cluster-c-0").await.unwrap();
        for round in 0..3 {
            let value = round.to_string();
            producer.append("events", 0, &[record("k", Some(&value)), record("l", Some(&value))]).await.unwrap();
            producer.append("events", 0, &[record("m", Some(&value))]).await.unwrap();
            producer.append("offsets", 0, &[record("o", Some(&value))]).await.unwrap();
            assert_eq!(values(&destination, "events").len(), round * 3, "nothing is seen before the commit");
            if round == 1 {
                producer.abort().await.unwrap();
                producer.append("events", 0, &[record("k", Some("1"))]).await.unwrap();
                producer.append("events", 0, &[record("k", Some("1")), record("k", Some("1"))]).await.unwrap();
                producer.append("offsets", 0, &[record("o", Some("1"))]).await.unwrap();
            }
            producer.commit().await.unwrap();
            producer.commit().await.unwrap();
        }
        assert_eq!(values(&destination, "events"), ["0", "0", "0", "1", "1", "1", "2", "2", "2"]);
        assert_eq!(values(&destination, "offsets"), ["0", "1", "2"]);
    }

    #[tokio::test]
    async fn what_a_topic_refuses_leaves_the_transaction_as_it_is() {
        let (_broker, destination) = destination_with(&[]).await;
        let configs = BTreeMap::from([("max.message.bytes".to_owned(), "300".to_owned())]);
        destination.ensure_topic(&TopicSpec { name: "events".into(), partitions: 1, configs }).unwrap();
        let mut producer = destination.producer("connect-cluster-c-0").await.unwrap();
        let (small, large) = (record("k", Some("small")), record("l", Some(&"x".repeat(400))));
        producer.append("events", 0, std::slice::from_ref(&small)).await.unwrap();
        let refused = producer.append("events", 0, &[small.clone(), large]).await;
        assert!(matches!(refused, Err(DestinationError::RecordsRefused(_))), "{refused:?}");
        producer.append("events", 0, &[small]).await.unwrap();
        producer.commit().await.unwrap();
        assert_eq!(values(&destination, "events"), ["small", "small"]);
    }

    #[tokio::test]
    async fn a_record_that_waits_in_a_file_is_written_as_any_other() {
        let (_broker, destination) = destination_with(&["events"]).await;
        let mut spool = Spool::new(destination.scratch_file().unwrap());
        spool.put(b"from ");
        spool.put(b"the disk");
        spool.finish().unwrap();
        let headers = [("h".to_owned(), Some(Bytes::from("v")))].into();
        let large = LargeRecord { key: Some(Bytes::from("k")), value: spool, headers, timestamp: 1 };
        let mut producer = destination.producer("connect-cluster-c-0").await.unwrap();
        producer.append("events", 0, &[record("k", Some("from memory"))]).await.unwrap();
        producer.append_large("events", 0, large).await.unwrap();
        producer.append("events", 0, &[record("k", Some("again"))]).await.unwrap();
        producer.commit().await.unwrap();
        assert_eq!(values(&destination, "events"), ["from memory", "from the disk", "again"]);
    }

    #[tokio::test]
    async fn a_newer_producer_fences_the_older_one_and_aborts_what_it_left() {
        let (_broker, destination) = destination_with(&["events"]).await;
        let mut older = destination.producer("connect-cluster-c-0").await.unwrap();
        older.append("events", 0, &[record("k", Some("lost"))]).await.unwrap();
        let mut newer = destination.producer("connect-cluster-c-0").await.unwrap();
        newer.append("events", 0, &[record("k", Some("kept"))]).await.unwrap();
        newer.commit().await.unwrap();
        let fenced = DestinationError::Fenced("connect-cluster-c-0".to_owned());
        assert_eq!(older.append("events", 0, &[record("k", Some("late"))]).await, Err(fenced.clone()));
        assert_eq!(older.commit().await, Err(fenced));
        assert_eq!(values(&destination, "events"), ["kept"]);
    }

    #[tokio::test]
    async fn a_watched_topic_tells_what_is_committed_to_it() {
        let (_broker, destination) = destination_with(&["signals"]).await;
        let end = destination.end_offset("signals", 0).unwrap();
        assert_eq!(end, 0);
        let mut producer = destination.producer("t").await.unwrap();
        producer.append("signals", 0, &[record("s", Some("1"))]).await.unwrap();
        let watching = destination.poll("signals", 0, end);
        let waited = tokio::time::timeout(std::time::Duration::from_millis(20), watching).await;
        assert!(waited.is_err(), "what is not committed is not told");
        let (told, ()) = tokio::join!(destination.poll("signals", 0, end), async {
            producer.commit().await.unwrap();
        });
        let (records, next) = told.unwrap();
        assert_eq!(records.len(), 1);
        assert!(next >= 1, "it goes on behind the record");
    }
}
