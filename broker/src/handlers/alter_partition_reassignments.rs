//! AlterPartitionReassignments: v0-1
//!
//! Every partition is on this node and nowhere else. To have it there is granted and changes nothing, whatever
//! replication factor its topic declares; any other assignment is INVALID_REPLICA_ASSIGNMENT, since there is no other
//! broker. Null replicas would cancel a reassignment, of which there is none: NO_REASSIGNMENT_IN_PROGRESS. v1 may forbid
//! that the replication factor changes (KIP-860), which it never does.

use std::collections::BTreeSet;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use brooklet_protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, BrokerId};

use super::text;
use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<AlterPartitionReassignmentsRequest>("AlterPartitionReassignments", 0..=1);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(
    cx: &RequestContext,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let found = cx.node.topics.by_name(&topic.name);
        let partitions = topic.partitions.iter().map(|target| {
            let index = target.partition_index;
            let is_there = found.as_ref().is_some_and(|topic| topic.partition(index).is_some());
            let outcome = if is_there {
                reassign(cx.node.node_id(), target.replicas.as_deref())
            } else {
                let message = format!("there is no partition {}-{index}", &*topic.name);
                Err((ErrorCode::UnknownTopicOrPartition, message))
            };
            let response = ReassignablePartitionResponse::default().with_partition_index(index);
            match outcome {
                Ok(()) => response.with_error_message(None),
                Err((error, message)) => response.with_error_code(error.code()).with_error_message(Some(text(message))),
            }
        });
        ReassignableTopicResponse::default().with_partitions(partitions.collect()).with_name(topic.name.clone())
    });
    AlterPartitionReassignmentsResponse::default()
        .with_error_message(None)
        .with_allow_replication_factor_change(cx.version < 1 || request.allow_replication_factor_change)
        .with_responses(topics.collect())
}

fn reassign(node_id: i32, replicas: Option<&[BrokerId]>) -> Result<(), (ErrorCode, String)> {
    let Some(replicas) = replicas else {
        let message = "the partition is not being reassigned".to_owned();
        return Err((ErrorCode::NoReassignmentInProgress, message));
    };
    let invalid = |message: String| Err((ErrorCode::InvalidReplicaAssignment, message));
    if replicas.is_empty() {
        return invalid("a partition needs a replica".to_owned());
    }
    if let Some(BrokerId(other)) = replicas.iter().find(|replica| replica.0 != node_id) {
        return invalid(format!("there is no broker {other}; the only one is {node_id}"));
    }
    if replicas.iter().map(|replica| replica.0).collect::<BTreeSet<_>>().len() < replicas.len() {
        return invalid(format!("broker {node_id} is named more than once"));
    }
    Ok(())
}
