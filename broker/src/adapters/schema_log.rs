//! The broker as the log of the Schema Registry.

use std::sync::Arc;

use brooklet_schema_registry::schema_log::SCHEMAS_TOPIC;
use brooklet_schema_registry::{SchemaLog, SchemaLogError};
use bytes::Bytes;

use crate::broker::Broker;
use crate::config::ConfigMap;
use crate::in_process::{self, Record};
use crate::node::Node;
use crate::topics::NewTopic;

/// The topic `_schemas`, made when the first schema is kept. It does not keep the broker running.
#[derive(Debug, Clone)]
pub struct BrokerSchemaLog {
    node: Arc<Node>,
}

impl Broker {
    /// The broker as the Schema Registry needs it.
    pub fn schema_log(&self) -> BrokerSchemaLog {
        BrokerSchemaLog { node: Arc::clone(self.node()) }
    }
}

impl BrokerSchemaLog {
    fn ensure_topic(&self) -> Result<(), SchemaLogError> {
        let made = self.node.topics.by_name_or_create(SCHEMAS_TOPIC, &self.node.config().layers, || NewTopic {
            name: SCHEMAS_TOPIC.to_owned(),
            partitions: 1,
            replication_factor: 1,
            configs: ConfigMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]),
        });
        made.map(drop).map_err(|error| SchemaLogError(error.to_string()))
    }
}

impl SchemaLog for BrokerSchemaLog {
    fn append(&self, key: Bytes, value: Option<Bytes>) -> Result<i64, SchemaLogError> {
        self.ensure_topic()?;
        let record = Record { key: Some(key), value, ..Record::default() };
        in_process::produce(&self.node, SCHEMAS_TOPIC, 0, [record]).map_err(|error| SchemaLogError(error.to_string()))
    }

    fn replay(&self, visit: &mut dyn FnMut(Bytes, Option<Bytes>)) -> Result<(), SchemaLogError> {
        let Some(topic) = self.node.topics.by_name(SCHEMAS_TOPIC) else { return Ok(()) };
        let copy = |bytes: Bytes| Bytes::copy_from_slice(&bytes);
        for partition in topic.partitions().iter() {
            let read = partition.for_each_record(|record| {
                if let Some(key) = record.key {
                    visit(copy(key), record.value.map(copy));
                }
            });
            read.map_err(|error| SchemaLogError(error.to_string()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn schemas_are_kept_in_a_compacted_topic_and_come_back_in_order() {
        let broker = Broker::builder().ephemeral().without_listeners().start().await.unwrap();
        let log = broker.schema_log();
        let mut none = Vec::new();
        log.replay(&mut |key, _| none.push(key)).unwrap();
        assert!(none.is_empty() && broker.records(SCHEMAS_TOPIC).is_err(), "no topic before there is a schema");
        assert_eq!(log.append(Bytes::from("a"), Some(Bytes::from("1"))), Ok(0));
        assert_eq!(log.append(Bytes::from("a"), None), Ok(1));
        let mut all = Vec::new();
        log.replay(&mut |key, value| all.push((key, value))).unwrap();
        assert_eq!(all, [(Bytes::from("a"), Some(Bytes::from("1"))), (Bytes::from("a"), None)]);
        let topic = broker.node().topics.by_name(SCHEMAS_TOPIC).unwrap();
        assert!(topic.settings().config.cleanup_policy.compact);
    }
}
