//! ShareAcknowledge: v1-2 (KIP-932)
//!
//! Accepts, releases or rejects records that a member has, or (v2, KIP-1222) renews its locks on them. What is answered
//! as done survives the death of the process. The last request of a session, epoch -1, gives all others back.

use std::collections::BTreeMap;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::share_acknowledge_response::{PartitionData, ShareAcknowledgeTopicResponse};
use brooklet_protocol::messages::{ShareAcknowledgeRequest, ShareAcknowledgeResponse};
use uuid::Uuid;

use super::group_protocols::check_share;
use super::share_acknowledgements::{Acknowledgements, acknowledge, session_key};
use super::text;
use crate::apis::{Api, RequestContext};
use crate::share::partition::AcknowledgementBatch;
use crate::share::session::FINAL_EPOCH;

pub(crate) const API: Api = Api::new::<ShareAcknowledgeRequest>("ShareAcknowledge", 1..=2);

pub(crate) async fn handle(cx: &RequestContext, request: ShareAcknowledgeRequest) -> ShareAcknowledgeResponse {
    let refused = |error: ErrorCode| ShareAcknowledgeResponse::default().with_error_code(error.code());
    let named = || session_key(request.group_id.as_ref().map(|id| &***id), request.member_id.as_deref());
    let member = match check_share(cx).and_then(|()| named()) {
        Ok(member) => member,
        Err(error) => return refused(error),
    };
    let epoch = request.share_session_epoch;
    if let Err(error) = cx.node.share.sessions().lock().acknowledge(&member, epoch, cx.peer) {
        return refused(error);
    }
    let may_renew = request.is_renew_ack;
    let acknowledged = acknowledge(cx, &member, acknowledgements(request), may_renew).await;
    if epoch == FINAL_EPOCH {
        cx.node.share.end_session(&member);
    }
    let mut topics: BTreeMap<Uuid, Vec<PartitionData>> = BTreeMap::new();
    for ((topic_id, partition), (error, message)) in acknowledged {
        let data = PartitionData::default()
            .with_partition_index(partition)
            .with_error_code(error.code())
            .with_error_message(message.map(text));
        topics.entry(topic_id).or_default().push(data);
    }
    let responses = topics
        .into_iter()
        .map(|(id, partitions)| ShareAcknowledgeTopicResponse::default().with_topic_id(id).with_partitions(partitions));
    let lock_ms = cx.node.share.config(&member.group_id).record_lock_duration.as_millis();
    ShareAcknowledgeResponse::default()
        .with_acquisition_lock_timeout_ms(i32::try_from(lock_ms).unwrap_or(i32::MAX))
        .with_responses(responses.collect())
}

fn acknowledgements(request: ShareAcknowledgeRequest) -> Acknowledgements {
    let mut all = Acknowledgements::new();
    for topic in request.topics {
        for partition in topic.partitions {
            let batches = partition.acknowledgement_batches.into_iter().map(|batch| AcknowledgementBatch {
                first: batch.first_offset,
                last: batch.last_offset,
                types: batch.acknowledge_types,
            });
            all.push(((topic.topic_id, partition.partition_index), batches.collect()));
        }
    }
    all
}
