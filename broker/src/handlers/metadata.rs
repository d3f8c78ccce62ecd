//! Metadata: v0-13
//!
//! All topics, those named (made now, if the client and `auto.create.topics.enable` allow it), or from v12 those with
//! given ids. In v0 an empty list means all, from v1 null does.
//!
//! Differs from Kafka: a topic that is made on the way is answered at once, with its partitions; Kafka first says
//! UNKNOWN_TOPIC_OR_PARTITION and lets the client ask again.

use std::collections::HashSet;
use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use brooklet_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use uuid::Uuid;

use super::{operations, text, topic_name};
use crate::apis::{Api, RequestContext};
use crate::error::ToErrorCode;
use crate::partition::Partition;
use crate::topics::{Topic, check_name};

pub(crate) const API: Api = Api::new::<MetadataRequest>("Metadata", 0..=13);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: MetadataRequest) -> MetadataResponse {
    let config = cx.node.config();
    let node_id = BrokerId(config.broker.node_id);
    let asked_operations = request.include_topic_authorized_operations;
    let answer = Answering { cx, node_id, topic_operations: operations::if_asked(asked_operations, operations::TOPIC) };
    let topics = match request.topics {
        None => answer.all(),
        Some(topics) if topics.is_empty() && cx.version == 0 => answer.all(),
        Some(topics) => {
            // Before v4 the client could not say, and topics were made.
            let may_create = request.allow_auto_topic_creation || cx.version < 4;
            let one = |topic: brooklet_protocol::messages::metadata_request::MetadataRequestTopic| match topic.name {
                // Whoever asks by id may say no name or an empty one.
                Some(name) if topic.topic_id.is_nil() => answer.by_name(name, may_create),
                _ => answer.by_id(topic.topic_id),
            };
            let mut asked = HashSet::new();
            topics.into_iter().filter(|topic| asked.insert((topic.name.clone(), topic.topic_id))).map(one).collect()
        }
    };
    let broker = MetadataResponseBroker::default()
        .with_node_id(node_id)
        .with_host(text(&*cx.endpoint.host))
        .with_port(i32::from(cx.endpoint.port))
        .with_rack(config.broker.broker_rack.as_deref().map(text));
    let mut response = MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text(cx.node.data_dir.cluster_id())))
        .with_controller_id(node_id)
        .with_topics(topics);
    if (8..=10).contains(&cx.version) {
        let asked = request.include_cluster_authorized_operations;
        response.cluster_authorized_operations = operations::if_asked(asked, operations::CLUSTER);
    }
    response
}

struct Answering<'a> {
    cx: &'a RequestContext,
    node_id: BrokerId,
    topic_operations: i32,
}

impl Answering<'_> {
    fn all(&self) -> Vec<MetadataResponseTopic> {
        self.cx.node.topics.all().iter().map(|topic| self.found(topic)).collect()
    }

    fn by_name(&self, name: TopicName, may_create: bool) -> MetadataResponseTopic {
        let node = &self.cx.node;
        let topic = match may_create {
            true => node.topic_or_auto_create(&name).map_err(|error| error.error_code()),
            false => match check_name(&name) {
                Err(error) => Err(error.error_code()),
                Ok(()) => node.topics.by_name(&name).ok_or(ErrorCode::UnknownTopicOrPartition),
            },
        };
        match topic {
            Ok(topic) => self.found(&topic),
            Err(error) => MetadataResponseTopic::default()
                .with_name(Some(name))
                .with_error_code(error.code())
                .with_topic_authorized_operations(self.topic_operations),
        }
    }

    fn by_id(&self, id: Uuid) -> MetadataResponseTopic {
        match self.cx.node.topics.by_id(id) {
            Some(topic) => self.found(&topic),
            None => MetadataResponseTopic::default()
                .with_name(None)
                .with_topic_id(id)
                .with_error_code(ErrorCode::UnknownTopicId.code())
                .with_topic_authorized_operations(self.topic_operations),
        }
    }

    fn found(&self, topic: &Topic) -> MetadataResponseTopic {
        let partition = |partition: &Arc<Partition>| {
            MetadataResponsePartition::default()
                .with_partition_index(partition.index())
                .with_leader_id(self.node_id)
                .with_leader_epoch(partition.leader_epoch())
                .with_replica_nodes(vec![self.node_id])
                .with_isr_nodes(vec![self.node_id])
        };
        MetadataResponseTopic::default()
            .with_name(Some(topic_name(topic.name())))
            .with_topic_id(topic.id())
            .with_is_internal(topic.is_internal())
            .with_partitions(topic.partitions().iter().map(partition).collect())
            .with_topic_authorized_operations(self.topic_operations)
    }
}
