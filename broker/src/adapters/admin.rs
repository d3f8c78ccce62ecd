//! The broker as declared resources change it.

use std::collections::BTreeMap;
use std::sync::Arc;

use brooklet_declare::{Admin, AdminError, TopicState};

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
    fn topics(&self) -> Vec<TopicState> {
        let all = self.node.topics.all();
        let declared = all.iter().filter(|topic| !topic.is_internal()).map(|topic| TopicState {
            name: topic.name().to_owned(),
            partitions: topic.partition_count(),
            configs: topic.settings().overrides.clone(),
        });
        declared.collect()
    }

    fn create_topic(&self, topic: &TopicState) -> Result<(), AdminError> {
        let new = NewTopic {
            name: topic.name.clone(),
            partitions: topic.partitions,
            replication_factor: self.node.default_replication_factor(),
            configs: topic.configs.clone(),
        };
        self.node.topics.create(&new, &self.node.config().layers).map_err(refusal)?;
        Ok(())
    }

    fn add_partitions(&self, topic: &str, count: i32) -> Result<(), AdminError> {
        self.node.topics.add_partitions(&*self.topic(topic)?, count).map_err(refusal)
    }

    fn set_configs(&self, topic: &str, configs: &BTreeMap<String, String>) -> Result<(), AdminError> {
        let layers = &self.node.config().layers;
        self.node.topics.configure(&*self.topic(topic)?, configs.clone(), layers).map_err(refusal)
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
    use super::*;

    #[tokio::test]
    async fn topics_are_made_grown_and_configured() {
        let broker = Broker::builder().ephemeral().without_listeners().start().await.unwrap();
        let admin = broker.admin();
        let configs = BTreeMap::from([("retention.ms".to_owned(), "1000".to_owned())]);
        let mut topic = TopicState { name: "orders".into(), partitions: 2, configs };
        admin.create_topic(&topic).unwrap();
        assert_eq!(admin.topics(), [topic.clone()]);

        admin.add_partitions("orders", 5).unwrap();
        topic.configs = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
        topic.partitions = 5;
        admin.set_configs("orders", &topic.configs).unwrap();
        assert_eq!(admin.topics(), [topic.clone()]);

        assert!(matches!(admin.create_topic(&topic), Err(AdminError::Refused(_))));
        assert!(matches!(admin.add_partitions("orders", 3), Err(AdminError::Refused(_))));
        let unknown = BTreeMap::from([("no.such".to_owned(), "1".to_owned())]);
        assert!(matches!(admin.set_configs("orders", &unknown), Err(AdminError::Refused(_))));
        assert_eq!(admin.add_partitions("none", 3), Err(AdminError::UnknownTopic("none".into())));
    }
}
