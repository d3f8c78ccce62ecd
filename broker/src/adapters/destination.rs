//! The broker as the destination of connectors.

use std::sync::Arc;

use brooklet_connect_shim::{Destination, DestinationError, OutgoingRecord, StoredRecord, TopicSpec};
use bytes::Bytes;

use crate::broker::Broker;
use crate::in_process::{self, Record, RecordsError};
use crate::node::Node;
use crate::topics::{NewTopic, TopicError};

/// A broker's topics, without a socket in between. Cheap to clone; it does not keep the broker running.
#[derive(Debug, Clone)]
pub struct BrokerDestination {
    node: Arc<Node>,
}

impl Broker {
    /// The broker as the change data capture needs it.
    pub fn destination(&self) -> BrokerDestination {
        BrokerDestination { node: Arc::clone(self.node()) }
    }
}

impl Destination for BrokerDestination {
    fn ensure_topic(&self, topic: &TopicSpec) -> Result<(), DestinationError> {
        let new = NewTopic {
            name: topic.name.clone(),
            partitions: topic.partitions,
            replication_factor: self.node.default_replication_factor(),
            configs: topic.configs.clone(),
        };
        match self.node.topics.create(&new, &self.node.config().layers) {
            Ok(_) | Err(TopicError::Exists(_)) => Ok(()),
            Err(TopicError::Storage(error)) => Err(DestinationError::Unavailable(error.to_string())),
            Err(error) => Err(DestinationError::Refused(error.to_string())),
        }
    }

    fn append(&self, topic: &str, partition: i32, records: &[OutgoingRecord]) -> Result<i64, DestinationError> {
        let records = records.iter().map(|record| Record {
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
            timestamp: Some(record.timestamp),
        });
        in_process::produce(&self.node, topic, partition, records).map_err(|error| refusal(error, topic, partition))
    }

    fn read(&self, topic: &str, visit: &mut dyn FnMut(StoredRecord)) -> Result<(), DestinationError> {
        let unknown = || DestinationError::UnknownPartition { topic: topic.to_owned(), partition: 0 };
        let found = self.node.topics.by_name(topic).ok_or_else(unknown)?;
        for partition in found.partitions().iter() {
            let index = partition.index();
            let copy = |bytes: Bytes| Bytes::copy_from_slice(&bytes);
            let read = partition.for_each_record(|record| {
                visit(StoredRecord {
                    partition: index,
                    offset: record.offset,
                    key: record.key.map(copy),
                    value: record.value.map(copy),
                });
            });
            read.map_err(|error| DestinationError::Unavailable(error.to_string()))?;
        }
        Ok(())
    }
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

    use super::*;

    fn record(key: &str, value: Option<&str>) -> OutgoingRecord {
        let bytes = |text: &str| Bytes::from(text.to_owned());
        OutgoingRecord { key: Some(bytes(key)), value: value.map(bytes), headers: Vec::new(), timestamp: 1 }
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
}
