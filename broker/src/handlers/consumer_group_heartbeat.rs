//! ConsumerGroupHeartbeat: v0-1 (KIP-848)
//!
//! Joining, leaving, what has changed of a member and what it has given up, in one request; the answer says what it has
//! from then on. v1 patterns (KIP-848) and ids that members make themselves (KIP-1082). A pattern's topics are found at
//! once, where Kafka looks for them in the background and tells the member with its next heartbeat; and after topics
//! have been created they are looked for with the next heartbeat, where Kafka waits up to ten seconds.

use std::collections::BTreeSet;

use brooklet_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use brooklet_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use uuid::Uuid;

use super::group_protocols::check_consumer;
use super::text;
use crate::apis::{Api, RequestContext};
use crate::groups::assignor;
use crate::groups::consumer::requests::{ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, GroupError};

pub(crate) const API: Api = Api::new::<ConsumerGroupHeartbeatRequest>("ConsumerGroupHeartbeat", 0..=1);

pub(crate) async fn handle(
    cx: &RequestContext,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    if let Err(error) = check_consumer(cx) {
        return ConsumerGroupHeartbeatResponse::default().with_error_code(error.code());
    }
    match cx.node.groups.consumer_heartbeat(heartbeat(cx, request)).await {
        Ok(answer) => response(answer),
        Err(GroupError { code, message }) => ConsumerGroupHeartbeatResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(message).filter(|message| !message.is_empty()).map(text)),
    }
}

fn heartbeat(cx: &RequestContext, request: ConsumerGroupHeartbeatRequest) -> ConsumerHeartbeatRequest {
    let names = |names: Vec<_>| names.iter().map(|name: &super::TopicName| name.to_string()).collect();
    let mut owned = assignor::Assignment::new();
    let is_told = request.topic_partitions.is_some();
    for topic in request.topic_partitions.unwrap_or_default() {
        owned.entry(topic.topic_id).or_default().extend(topic.partitions);
    }
    ConsumerHeartbeatRequest {
        group_id: request.group_id.to_string(),
        member_id: request.member_id.to_string(),
        new_member_id: Uuid::new_v4().to_string(),
        member_epoch: request.member_epoch,
        instance_id: request.instance_id.map(|id| id.to_string()),
        rack_id: request.rack_id.map(|id| id.to_string()),
        rebalance_timeout_ms: Some(request.rebalance_timeout_ms).filter(|ms| *ms != -1),
        subscribed_topic_names: request.subscribed_topic_names.map(names),
        subscribed_topic_regex: request.subscribed_topic_regex.map(|regex| regex.to_string()),
        server_assignor: request.server_assignor.map(|name| name.to_string()),
        owned: is_told.then_some(owned),
        client_id: cx.client_id.as_deref().unwrap_or_default().to_owned(),
        client_host: format!("/{}", cx.peer.ip()),
        requires_member_id: cx.version >= 1,
    }
}

fn response(answer: ConsumerHeartbeatResponse) -> ConsumerGroupHeartbeatResponse {
    let topic = |(topic_id, partitions): (Uuid, BTreeSet<i32>)| {
        TopicPartitions::default().with_topic_id(topic_id).with_partitions(partitions.into_iter().collect())
    };
    let assignment = |assignment: assignor::Assignment| {
        Assignment::default().with_topic_partitions(assignment.into_iter().map(topic).collect())
    };
    ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(text(answer.member_id)))
        .with_member_epoch(answer.member_epoch)
        .with_heartbeat_interval_ms(answer.heartbeat_interval_ms)
        .with_assignment(answer.assignment.map(assignment))
}
