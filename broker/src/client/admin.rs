//! The topics of any cluster, over the admin APIs that all of them have.

use std::collections::{BTreeMap, BTreeSet};

use brooklet_declare::{Admin, AdminError, ConfigChanges, NewTopic, TopicState};
use brooklet_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use brooklet_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use brooklet_protocol::messages::describe_configs_request::DescribeConfigsResource;
use brooklet_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use brooklet_protocol::messages::metadata_request::MetadataRequestTopic;
use brooklet_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest, MetadataRequest, MetadataResponse,
};
use brooklet_protocol::{ErrorCode, Request, StrBytes};
use tokio::sync::Mutex;

use super::connection::{KafkaConnection, describe, topic_name};
use super::settings::ClientSettings;

/// A topic, as a resource with configs.
const TOPIC: i8 = 2;
/// Set for the topic itself (`DYNAMIC_TOPIC_CONFIG`), and what `ConfigSource` is without a source, in old versions.
const SET_FOR_TOPIC: i8 = 1;
/// How many topics are asked for at once.
const AT_ONCE: usize = 200;
const SET: i8 = 0;
const DELETE: i8 = 1;

/// A cluster's topics. It is connected to when it is first asked.
pub(crate) struct KafkaAdmin {
    settings: ClientSettings,
    connection: Mutex<Option<KafkaConnection>>,
}

/// What became of one topic.
struct Outcome {
    code: i16,
    message: Option<StrBytes>,
}

impl KafkaAdmin {
    pub(crate) fn new(settings: ClientSettings) -> Self {
        Self { settings, connection: Mutex::new(None) }
    }

    async fn call<R: Request>(&self, max: i16, request: &R) -> Result<R::Response, AdminError> {
        let mut connection = self.connection.lock().await;
        let open = match connection.take() {
            Some(open) => open,
            None => KafkaConnection::bootstrap(&self.settings).await.map_err(|error| unavailable(&error))?,
        };
        let open = connection.insert(open);
        match open.call(max, request).await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                *connection = None;
                Err(unavailable(&error))
            }
        }
    }

    /// Asks for a change. Where only the controller makes changes, as before KRaft, it is asked instead.
    async fn change<R: Request>(
        &self,
        max: i16,
        request: &R,
        outcome: impl Fn(&R::Response) -> Option<Outcome>,
    ) -> Result<(), AdminError> {
        let outcome_of = |answer: R::Response| {
            let none = || AdminError::Unavailable("the broker has not answered for the topic".to_owned());
            outcome(&answer).ok_or_else(none)
        };
        let mut outcome = outcome_of(self.call(max, request).await?)?;
        if outcome.code == ErrorCode::NotController.code() {
            self.turn_to_controller().await?;
            outcome = outcome_of(self.call(max, request).await?)?;
        }
        refusal(&outcome)
    }

    async fn turn_to_controller(&self) -> Result<(), AdminError> {
        let metadata = self.metadata(Some(&BTreeSet::new())).await?;
        let controller = metadata.brokers.iter().find(|broker| broker.node_id == metadata.controller_id);
        let controller =
            controller.ok_or_else(|| AdminError::Unavailable("the cluster has no controller now".to_owned()))?;
        let address = format!("{}:{}", controller.host, controller.port);
        let connected =
            KafkaConnection::connect(&address, &self.settings).await.map_err(|error| unavailable(&error))?;
        *self.connection.lock().await = Some(connected);
        Ok(())
    }

    async fn metadata(&self, only: Option<&BTreeSet<String>>) -> Result<MetadataResponse, AdminError> {
        let named = |name: &String| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let topics = only.map(|names| names.iter().map(named).collect());
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
        self.call(12, &request).await
    }

    async fn configs(&self, topics: &mut [TopicState]) -> Result<(), AdminError> {
        for some in topics.chunks_mut(AT_ONCE) {
            let resource = |topic: &TopicState| {
                let name = StrBytes::from_string(topic.name.clone());
                DescribeConfigsResource::default()
                    .with_resource_type(TOPIC)
                    .with_resource_name(name)
                    .with_configuration_keys(None)
            };
            let resources = some.iter().map(resource).collect();
            let answer = self.call(4, &DescribeConfigsRequest::default().with_resources(resources)).await?;
            for result in answer.results {
                refusal(&Outcome { code: result.error_code, message: result.error_message })?;
                let set = result.configs.into_iter().filter(|config| config.config_source == SET_FOR_TOPIC);
                let set: BTreeMap<_, _> =
                    set.filter_map(|config| Some((config.name.to_string(), config.value?.to_string()))).collect();
                if let Some(topic) = some.iter_mut().find(|topic| *topic.name == *result.resource_name) {
                    topic.configs = set;
                }
            }
        }
        Ok(())
    }

    fn timeout_ms(&self) -> i32 {
        i32::try_from(self.settings.patience.as_millis()).unwrap_or(i32::MAX)
    }
}

impl Admin for KafkaAdmin {
    async fn topics(&self, only: Option<&BTreeSet<String>>) -> Result<Vec<TopicState>, AdminError> {
        let metadata = self.metadata(only).await?;
        let mut topics = Vec::new();
        for topic in metadata.topics {
            let name = topic.name.as_ref().map(|name| name.0.to_string()).unwrap_or_default();
            let is_unknown = topic.error_code == ErrorCode::UnknownTopicOrPartition.code();
            if is_unknown || only.is_none() && topic.is_internal {
                continue;
            }
            if topic.error_code != 0 {
                return Err(AdminError::Unavailable(format!("{name}: {}", describe(topic.error_code, None))));
            }
            let replicas = topic.partitions.first().map_or(0, |partition| partition.replica_nodes.len());
            topics.push(TopicState {
                name,
                partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
                replication_factor: i16::try_from(replicas).ok().filter(|_| metadata.brokers.len() > 1),
                configs: BTreeMap::new(),
            });
        }
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        self.configs(&mut topics).await?;
        Ok(topics)
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<(), AdminError> {
        let config = |(name, value): (&String, &String)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_string(name.clone()))
                .with_value(Some(StrBytes::from_string(value.clone())))
        };
        let creatable = CreatableTopic::default()
            .with_name(topic_name(&topic.name))
            .with_num_partitions(topic.partitions.unwrap_or(-1))
            .with_replication_factor(topic.replication_factor.unwrap_or(-1))
            .with_configs(topic.configs.iter().map(config).collect());
        let request = CreateTopicsRequest::default().with_topics(vec![creatable]).with_timeout_ms(self.timeout_ms());
        self.change(7, &request, |answer| {
            let topic = answer.topics.first()?;
            Some(Outcome { code: topic.error_code, message: topic.error_message.clone() })
        })
        .await
    }

    async fn add_partitions(&self, topic: &str, count: i32) -> Result<(), AdminError> {
        let grown =
            CreatePartitionsTopic::default().with_name(topic_name(topic)).with_count(count).with_assignments(None);
        let request = CreatePartitionsRequest::default().with_topics(vec![grown]).with_timeout_ms(self.timeout_ms());
        self.change(3, &request, |answer| {
            let result = answer.results.first()?;
            Some(Outcome { code: result.error_code, message: result.error_message.clone() })
        })
        .await
    }

    async fn alter_configs(&self, topic: &str, changes: &ConfigChanges) -> Result<(), AdminError> {
        let config = |name: &String, operation: i8, value: Option<&String>| {
            AlterableConfig::default()
                .with_name(StrBytes::from_string(name.clone()))
                .with_config_operation(operation)
                .with_value(value.map(|value| StrBytes::from_string(value.clone())))
        };
        let set = changes.set.iter().map(|(name, value)| config(name, SET, Some(value)));
        let delete = changes.delete.iter().map(|name| config(name, DELETE, None));
        let resource = AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(StrBytes::from_string(topic.to_owned()))
            .with_configs(set.chain(delete).collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        self.change(1, &request, |answer| {
            let response = answer.responses.first()?;
            Some(Outcome { code: response.error_code, message: response.error_message.clone() })
        })
        .await
    }

    async fn delete_topic(&self, topic: &str) -> Result<(), AdminError> {
        let request =
            DeleteTopicsRequest::default().with_topic_names(vec![topic_name(topic)]).with_timeout_ms(self.timeout_ms());
        // From v6 on topics are named otherwise.
        self.change(5, &request, |answer| {
            let response = answer.responses.first()?;
            Some(Outcome { code: response.error_code, message: response.error_message.clone() })
        })
        .await
    }
}

fn refusal(outcome: &Outcome) -> Result<(), AdminError> {
    let message = describe(outcome.code, outcome.message.as_ref());
    match ErrorCode::from_code(outcome.code) {
        Some(ErrorCode::None) => Ok(()),
        Some(ErrorCode::UnknownTopicOrPartition) => Err(AdminError::Refused(message)),
        Some(code) if code.is_retriable() => Err(AdminError::Unavailable(message)),
        _ => Err(AdminError::Refused(message)),
    }
}

fn unavailable(error: &anyhow::Error) -> AdminError {
    AdminError::Unavailable(format!("{error:#}"))
}
