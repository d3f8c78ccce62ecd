//! TxnOffsetCommit: v0-5
//!
//! Commits a group's offsets in a producer's transaction: they count when it is committed. v2 leader epoch · v3 flexible,
//! and who the group's member is, which must be current (KIP-447) · v4 TRANSACTION_ABORTABLE · v5 adds the group to the
//! transaction by itself (KIP-890).

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use brooklet_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use uuid::Uuid;

use super::settle_commits;
use crate::apis::{Api, RequestContext};
use crate::groups::requests::{CommitRequest, MemberIdentity, OffsetToCommit, TransactionalCommit};
use crate::topics::CONSUMER_OFFSETS;
use crate::txn::requests::{ProducerIdAndEpoch, TopicPartition};
use crate::txn::verification::TransactionSupport;

pub(crate) const API: Api = Api::new::<TxnOffsetCommitRequest>("TxnOffsetCommit", 0..=5);

pub(crate) async fn handle(cx: &RequestContext, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse {
    let exists = |topic: &str, partition: i32| {
        cx.node.topics.by_name(topic).is_some_and(|topic| topic.partition(partition).is_some())
    };
    let mut offsets = Vec::new();
    let mut outcomes = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            if !exists(&topic.name, partition.partition_index) {
                outcomes.push(ErrorCode::UnknownTopicOrPartition);
                continue;
            }
            outcomes.push(ErrorCode::None);
            offsets.push(OffsetToCommit {
                topic: topic.name.to_string(),
                topic_id: Uuid::nil(),
                partition: partition.partition_index,
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata.as_deref().unwrap_or_default().to_owned(),
            });
        }
    }
    if !offsets.is_empty() {
        settle_commits(&mut outcomes, commit(cx, &request, offsets).await);
    }
    let mut outcomes = outcomes.into_iter();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().zip(&mut outcomes).map(|(partition, outcome)| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(outcome.code())
        });
        TxnOffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions.collect())
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}

/// An outcome for each offset, or one for all.
async fn commit(
    cx: &RequestContext,
    request: &TxnOffsetCommitRequest,
    offsets: Vec<OffsetToCommit>,
) -> Result<Vec<ErrorCode>, ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let support = TransactionSupport::of_txn_offset_commit(cx.version);
    let producer = ProducerIdAndEpoch { producer_id: request.producer_id.0, producer_epoch: request.producer_epoch };
    let (partition, guard) =
        cx.node.groups.verify_commit(request.group_id.to_string(), producer, support.version()).await?;
    let unverified = support == TransactionSupport::AddsPartitions
        || cx.node.config().broker.transaction_partition_verification_enable;
    if guard.is_some() && unverified {
        let at = TopicPartition::new(CONSUMER_OFFSETS, partition);
        let outcomes = cx.node.transactions.admit(&request.transactional_id, producer, vec![at], support).await;
        if let Some(error) = outcomes.into_iter().find(|outcome| *outcome != ErrorCode::None) {
            return Err(error);
        }
    }
    let commit = CommitRequest {
        member: MemberIdentity {
            group_id: request.group_id.to_string(),
            member_id: request.member_id.to_string(),
            group_instance_id: request.group_instance_id.as_ref().map(ToString::to_string),
            generation: request.generation_id,
        },
        knows_group_id_not_found: false,
        retention_ms: None,
        offsets,
    };
    cx.node.groups.commit_transactional(TransactionalCommit { commit, producer, guard }).await
}
