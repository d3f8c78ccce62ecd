//! OffsetCommit: v2-10
//!
//! v2 to v4 may say how long to keep the offsets · v6 leader epoch · v7 static members · v9 GROUP_ID_NOT_FOUND
//! (KIP-848) · v10 topics by id. Offsets of topics that do not exist are refused one by one; if no other is left, the
//! group is not asked.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use brooklet_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use brooklet_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use super::settle_commits;
use crate::apis::{Api, RequestContext};
use crate::groups::requests::{CommitRequest, MemberIdentity, OffsetToCommit};

pub(crate) const API: Api = Api::new::<OffsetCommitRequest>("OffsetCommit", 2..=10);

pub(crate) async fn handle(cx: &RequestContext, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let by_id = cx.version >= 10;
    let unknown = if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
    let mut offsets = Vec::new();
    let mut outcomes = Vec::new();
    for topic in &request.topics {
        let found = if by_id { cx.node.topics.by_id(topic.topic_id) } else { cx.node.topics.by_name(&topic.name) };
        let Some(found) = found else {
            outcomes.extend(topic.partitions.iter().map(|_| unknown));
            continue;
        };
        for partition in &topic.partitions {
            if found.partition(partition.partition_index).is_none() {
                outcomes.push(ErrorCode::UnknownTopicOrPartition);
                continue;
            }
            outcomes.push(ErrorCode::None);
            offsets.push(OffsetToCommit {
                topic: found.name().to_owned(),
                topic_id: found.id(),
                partition: partition.partition_index,
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata.as_deref().unwrap_or_default().to_owned(),
            });
        }
    }
    let commit = CommitRequest {
        member: MemberIdentity {
            group_id: request.group_id.to_string(),
            member_id: request.member_id.to_string(),
            group_instance_id: request.group_instance_id.map(|id| id.to_string()),
            generation: request.generation_id_or_member_epoch,
        },
        knows_group_id_not_found: cx.version >= 9,
        retention_ms: Some(request.retention_time_ms).filter(|_| cx.version <= 4).filter(|ms| *ms >= 0),
        offsets,
    };
    if commit.offsets.is_empty() {
        return response(request.topics, outcomes);
    }
    settle_commits(&mut outcomes, cx.node.groups.commit(commit).await);
    response(request.topics, outcomes)
}

fn response(topics: Vec<OffsetCommitRequestTopic>, outcomes: Vec<ErrorCode>) -> OffsetCommitResponse {
    let mut outcomes = outcomes.into_iter();
    let topics = topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().zip(&mut outcomes).map(|(partition, outcome)| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(outcome.code())
        });
        OffsetCommitResponseTopic::default()
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
            .with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}
