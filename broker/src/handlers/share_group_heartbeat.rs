//! ShareGroupHeartbeat: v1 (KIP-932)
//!
//! A member joins (epoch 0), says what it subscribes to, learns its partitions, or leaves (epoch -1). It names itself.
//!
//! Differs from Kafka: the first answer has the member's partitions already, since their share state is made at once.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::share_group_heartbeat_response::{Assignment, TopicPartitions};
use brooklet_protocol::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};

use super::group_protocols::check_share;
use super::text;
use crate::apis::{Api, RequestContext};
use crate::error::ToErrorCode;
use crate::groups::share::requests::{JOIN_EPOCH, LEAVE_EPOCH, ShareGroupError, ShareHeartbeat};

pub(crate) const API: Api = Api::new::<ShareGroupHeartbeatRequest>("ShareGroupHeartbeat", 1..=1);

/// A member's id is a UUID in text at the longest.
pub(super) const MAX_MEMBER_ID_LEN: usize = 36;

pub(crate) async fn handle(cx: &RequestContext, request: ShareGroupHeartbeatRequest) -> ShareGroupHeartbeatResponse {
    if let Err(error) = check_share(cx) {
        return ShareGroupHeartbeatResponse::default().with_error_code(error.code());
    }
    let answered = match check(&request) {
        Ok(()) => cx.node.groups.share_heartbeat(heartbeat(cx, request)).await,
        Err(reason) => Err(ShareGroupError::Invalid(reason)),
    };
    let answer = match answered {
        Ok(answer) => answer,
        Err(error) => {
            return ShareGroupHeartbeatResponse::default()
                .with_error_code(error.error_code().code())
                .with_error_message(Some(text(error.to_string())));
        }
    };
    let assignment = answer.assignment.map(|partitions| {
        let topics = partitions.into_iter().map(|(id, partitions)| {
            TopicPartitions::default().with_topic_id(id).with_partitions(partitions.into_iter().collect())
        });
        Assignment::default().with_topic_partitions(topics.collect())
    });
    ShareGroupHeartbeatResponse::default()
        .with_error_code(ErrorCode::None.code())
        .with_member_id(Some(text(answer.member_id)))
        .with_member_epoch(answer.member_epoch)
        .with_heartbeat_interval_ms(answer.heartbeat_interval_ms)
        .with_assignment(assignment)
}

fn check(request: &ShareGroupHeartbeatRequest) -> Result<(), &'static str> {
    if request.member_id.is_empty() || request.member_id.len() > MAX_MEMBER_ID_LEN {
        return Err("MemberId must have 1 to 36 characters");
    }
    if request.group_id.is_empty() {
        return Err("GroupId must not be empty");
    }
    if request.rack_id.as_ref().is_some_and(|rack| rack.is_empty()) {
        return Err("RackId must not be empty");
    }
    if request.member_epoch < LEAVE_EPOCH {
        return Err("MemberEpoch must be at least -1");
    }
    if request.member_epoch == JOIN_EPOCH && request.subscribed_topic_names.as_ref().is_none_or(Vec::is_empty) {
        return Err("SubscribedTopicNames must be set by a member that joins");
    }
    Ok(())
}

fn heartbeat(cx: &RequestContext, request: ShareGroupHeartbeatRequest) -> ShareHeartbeat {
    let names = request.subscribed_topic_names;
    ShareHeartbeat {
        group_id: request.group_id.to_string(),
        member_id: request.member_id.to_string(),
        member_epoch: request.member_epoch,
        rack_id: request.rack_id.map(|rack| rack.to_string()),
        client_id: cx.client_id.as_deref().unwrap_or_default().to_owned(),
        client_host: format!("/{}", cx.peer.ip()),
        subscribed_topic_names: names.map(|names| names.iter().map(|name| name.to_string()).collect()),
    }
}
