//! The broker as declared resources change it.

use std::collections::BTreeSet;
use std::sync::Arc;

use brooklet_declare::{Admin, AdminError, ConfigChanges, NewTopic as DeclaredTopic, TopicState};

use crate::broker::Broker;
use crate::node::Node;
use crate::topics::{NewTopic, Topic, TopicError};

/// A broker's topics, to be declared. It does not keep the broker running.
#[derive(Debug, Clone)]
pub struct BrokerAdmin {
    node: Arc<Node>,
}

impl Broker {
    /// The broker as declared resources need it.
    pub fn admin(&self) -> BrokerAdmin {
        BrokerAdmin { node: Arc::clone(self.node()) }
    }
}

impl BrokerAdmin {
    fn topic(&self, name: &str) -> Result<Arc<Topic>, AdminError> {
        self.node.topics.by_name(name).ok_or_else(|| AdminError::UnknownTopic(name.to_owned()))
    }
}

impl Admin for BrokerAdmin {
    async fn topics(&self, only: Option<&BTreeSet<String>>) -> Result<Vec<TopicState>, AdminError> {
        let found = match only {
            Some(names) => names.iter().filter_map(|name| self.node.topics.by_name(name)).collect(),
            None => self.node.topics.all(),
        };
        let shown = found.iter().filter(|topic| only.is_some() || !topic.is_internal()).map(|topic| TopicState {
            name: topic.name().to_owned(),
            partitions: topic.partition_count(),
            replication_factor: Some(topic.replication_factor()),
            configs: topic.settings().overrides.clone(),
        });
        Ok(shown.collect())
    }

    async fn create_topic(&self, topic: &DeclaredTopic) -> Result<(), AdminError> {
        let config = self.node.config();
        let new = NewTopic {
            name: topic.name.clone(),
            partitions: topic.partitions.unwrap_or(config.broker.num_partitions),
            replication_factor: topic.replication_factor.unwrap_or_else(|| self.node.default_replication_factor()),
            configs: topic.configs.clone(),
        };
        self.node.topics.create(&new, &config.layers).map_err(refusal)?;
        Ok(())
    }

    async fn add_partitions(&self, topic: &str, count: i32) -> Result<(), AdminError> {
        self.node.topics.add_partitions(&*self.topic(topic)?, count).map_err(refusal)
    }

    async fn alter_configs(&self, topic: &str, changes: &ConfigChanges) -> Result<(), AdminError> {
        let topic = self.topic(topic)?;
        let mut configs = topic.settings().overrides.clone();
        configs.retain(|name, _| !changes.delete.contains(name));
        configs.extend(changes.set.clone());
        self.node.topics.configure(&topic, configs, &self.node.config().layers).map_err(refusal)
    }

    async fn delete_topic(&self, topic: &str) -> Result<(), AdminError> {
        let topic = self.topic(topic)?;
        self.node.delete_topic(&topic).await.map_err(refusal)
    }
}

fn refusal(error: TopicError) -> AdminError {
    match error {
        TopicError::Unknown(name) => AdminError::UnknownTopic(name),
        TopicError::Storage(error) => AdminError::Unavailable(error.to_string()),
        error => AdminError::Refused(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[tokio::test]
    async fn topics_are_made_grown_configured_and_deleted() {
        let broker = Broker::builder().ephemeral().without_listeners().start().await.unwrap();
        let admin = broker.admin();
        let configs = BTreeMap::from([("retention.ms".to_owned(), "1000".to_owned())]);
        let new = DeclaredTopic {
            name: "orders".into(),
            partitions: Some(2),
            replication_factor: Some(3),
            configs: configs.clone(),
        };
        admin.create_topic(&new).await.unwrap();
        let mut topic = TopicState { name: "orders".into(), partitions: 2, replication_factor: Some(3), configs };
        assert_eq!(admin.topics(None).await.unwrap(), [topic.clone()]);

        admin.add_partitions("orders", 5).await.unwrap();
        let compact = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
        let changes = ConfigChanges { set: compact.clone(), delete: ["retention.ms".to_owned()].into() };
        admin.alter_configs("orders", &changes).await.unwrap();
        (topic.partitions, topic.configs) = (5, compact);
        let orders = BTreeSet::from(["orders".to_owned()]);
        assert_eq!(admin.topics(Some(&orders)).await.unwrap(), [topic.clone()]);

        assert!(matches!(admin.create_topic(&new).await, Err(AdminError::Refused(_))));
        assert!(matches!(admin.add_partitions("orders", 3).await, Err(AdminError::Refused(_))));
        let unknown = BTreeMap::from([("no.such".to_owned(), "1".to_owned())]);
        let unknown = ConfigChanges { set: unknown, delete: BTreeSet::new() };
        assert!(matches!(admin.alter_configs("orders", &unknown).await, Err(AdminError::Refused(_))));
        assert_eq!(admin.add_partitions("none", 3).await, Err(AdminError::UnknownTopic("none".into())));
        admin.delete_topic("orders").await.unwrap();
        assert_eq!(admin.topics(None).await.unwrap(), []);
    }
}
