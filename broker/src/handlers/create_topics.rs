//! CreateTopics: v2-7
//!
//! v4 -1 stands for the broker's defaults (KIP-464) · v5 answers with the topic's configs (KIP-525) · v7 with its id.
//!
//! A quota on changes of topics refuses what is too much from v6 on, and holds back before (KIP-599).
//!
//! Differs from Kafka: a replication factor above one is accepted, kept and shown, and acts as one, so that
//! production's topics can be created as they are declared. `brooklet.strict.replication=true` refuses it as Kafka does.

use std::collections::HashMap;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::create_topics_request::CreatableTopic;
use brooklet_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use brooklet_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};

use super::{refusal, text};
use crate::apis::{Api, RequestContext};
use crate::config::{BrokerLayers, TopicConfig, created_topic, parse_created};
use crate::quotas::mutation::MutationQuota;
use crate::topics::{NewTopic, TopicError};

pub(crate) const API: Api = Api::new::<CreateTopicsRequest>("CreateTopics", 2..=7);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut named: HashMap<&str, usize> = HashMap::new();
    for topic in &request.topics {
        *named.entry(&topic.name).or_default() += 1;
    }
    let mut quota = cx.node.quotas.mutation(cx.client(), cx.version >= 6);
    let refuse = |result: CreatableTopicResult, Refused(code, message): Refused| {
        let result = result.with_error_code(code.code()).with_error_message(Some(text(message)));
        if cx.version >= 5 { result.with_num_partitions(-1).with_replication_factor(-1) } else { result }
    };
    let once = request.topics.iter().filter(|topic| named[&**topic.name] == 1);
    let created = once.map(|topic| {
        let result = CreatableTopicResult::default().with_name(topic.name.clone());
        create(cx, topic, request.validate_only, &mut quota, result.clone())
            .unwrap_or_else(|refused| refuse(result, refused))
    });
    let mut topics: Vec<_> = created.collect();
    // Names that occur more than once are answered once, behind the others.
    for topic in &request.topics {
        if named.insert(&topic.name, 1).is_some_and(|count| count > 1) {
            let result = CreatableTopicResult::default().with_name(topic.name.clone());
            let twice = Refused(ErrorCode::InvalidRequest, "the request names this topic twice".to_owned());
            topics.push(refuse(result, twice));
        }
    }
    let response = CreateTopicsResponse::default().with_topics(topics);
    cx.throttle(quota.throttle_ms());
    response
}

struct Refused(ErrorCode, String);

impl From<TopicError> for Refused {
    fn from(error: TopicError) -> Self {
        Self(refusal(&error).0, error.to_string())
    }
}

fn create(
    cx: &RequestContext,
    topic: &CreatableTopic,
    validate_only: bool,
    quota: &mut MutationQuota<'_>,
    result: CreatableTopicResult,
) -> Result<CreatableTopicResult, Refused> {
    let layers = &cx.node.config().layers;
    let new = new_topic(cx, topic, layers)?;
    quota.record(new.partitions).map_err(|error| Refused(error, error.message().to_owned()))?;
    let result = if validate_only {
        result
    } else {
        let created = cx.node.topics.create(&new, layers)?;
        if cx.version >= 7 { result.with_topic_id(created.id()) } else { result }
    };
    if cx.version < 5 {
        return Ok(result);
    }
    let configs = created_topic(&new.configs, layers).into_iter().map(|entry| {
        CreatableTopicConfigs::default()
            .with_name(text(entry.name))
            .with_value(entry.value.map(text))
            .with_read_only(entry.read_only)
            .with_config_source(entry.source.code())
            .with_is_sensitive(entry.sensitive)
    });
    Ok(result
        .with_num_partitions(new.partitions)
        .with_replication_factor(new.replication_factor)
        .with_configs(Some(configs.collect())))
}

/// What the request asks for, looked at in Kafka's order: the name, the configs, then the counts.
fn new_topic(cx: &RequestContext, topic: &CreatableTopic, layers: &BrokerLayers) -> Result<NewTopic, Refused> {
    let name = topic.name.to_string();
    cx.node.topics.check_name(&name)?;
    let pairs = topic.configs.iter().map(|config| (&*config.name, config.value.as_deref()));
    let configs = parse_created(pairs).map_err(|error| Refused(ErrorCode::InvalidConfig, error.to_string()))?;
    TopicConfig::resolve(&configs, layers).map_err(TopicError::from)?;
    if !topic.assignments.is_empty() {
        let (partitions, replication_factor) = assigned(cx, topic)?;
        return Ok(NewTopic { name, partitions, replication_factor, configs });
    }
    let partitions = match topic.num_partitions {
        -1 => cx.node.config().broker.num_partitions,
        count => count,
    };
    let replication_factor = match topic.replication_factor {
        -1 => cx.node.default_replication_factor(),
        factor if factor >= 1 => factor,
        factor => {
            let message = format!("replication factor must be at least 1, or -1 for the default, not {factor}");
            return Err(Refused(ErrorCode::InvalidReplicationFactor, message));
        }
    };
    cx.node.topics.check_counts(partitions, replication_factor)?;
    Ok(NewTopic { name, partitions, replication_factor, configs })
}

/// Partitions and replication factor of a topic whose replicas the client places itself.
fn assigned(cx: &RequestContext, topic: &CreatableTopic) -> Result<(i32, i16), Refused> {
    let invalid = |message: String| Err(Refused(ErrorCode::InvalidReplicaAssignment, message));
    if topic.num_partitions != -1 || topic.replication_factor != -1 {
        let message = "with an assignment, partitions and replication factor must be -1".to_owned();
        return Err(Refused(ErrorCode::InvalidRequest, message));
    }
    let node_id = cx.node.node_id();
    let mut indexes: Vec<i32> = topic.assignments.iter().map(|one| one.partition_index).collect();
    indexes.sort_unstable();
    if !indexes.iter().copied().eq(0..indexes.len() as i32) {
        return invalid("assigned partitions must be 0, 1, 2 and so on, each once".to_owned());
    }
    if topic.assignments.iter().any(|one| one.broker_ids.iter().map(|id| id.0).ne([node_id])) {
        return invalid(format!("the only broker is {node_id}; each partition must be assigned to it alone"));
    }
    Ok((indexes.len() as i32, 1))
}
