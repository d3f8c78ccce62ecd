//! CreatePartitions: v0-3 (KIP-195)
//!
//! The number may only rise. A quota on changes of topics refuses what is too much from v3 on, and holds back before. Where the client places the new replicas itself, it can only be here.

use std::collections::HashMap;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use brooklet_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use brooklet_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::{refusal, text};
use crate::apis::{Api, RequestContext};
use crate::quotas::mutation::MutationQuota;
use crate::topics::TopicError;

pub(crate) const API: Api = Api::new::<CreatePartitionsRequest>("CreatePartitions", 0..=3);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let mut named: HashMap<&str, usize> = HashMap::new();
    for topic in &request.topics {
        *named.entry(&topic.name).or_default() += 1;
    }
    let mut quota = cx.node.quotas.mutation(cx.client(), cx.version >= 3);
    let results = request.topics.iter().map(|topic| {
        let outcome = if named[&**topic.name] > 1 {
            Err((ErrorCode::InvalidRequest, Some(text("the request names this topic twice"))))
        } else {
            create(cx, topic, request.validate_only, &mut quota)
        };
        let (error, message) = outcome.err().unwrap_or((ErrorCode::None, None));
        CreatePartitionsTopicResult::default()
            .with_name(topic.name.clone())
            .with_error_code(error.code())
            .with_error_message(message)
    });
    let response = CreatePartitionsResponse::default().with_results(results.collect());
    cx.throttle(quota.throttle_ms());
    response
}

fn create(
    cx: &RequestContext,
    asked: &CreatePartitionsTopic,
    validate_only: bool,
    quota: &mut MutationQuota<'_>,
) -> Result<(), (ErrorCode, Option<brooklet_protocol::StrBytes>)> {
    let unknown = || refusal(&TopicError::Unknown(asked.name.to_string()));
    let topic = cx.node.topics.by_name(&asked.name).ok_or_else(unknown)?;
    cx.node.topics.check_partitions(&topic, asked.count).map_err(|error| refusal(&error))?;
    if let Some(assignments) = &asked.assignments {
        let added = asked.count - topic.partition_count();
        let node_id = cx.node.node_id();
        let elsewhere = assignments.iter().any(|one| one.broker_ids.iter().map(|id| id.0).ne([node_id]));
        if elsewhere || assignments.len() as i32 != added {
            let message = format!("{added} partitions are added, each of which can only be on broker {node_id}");
            return Err((ErrorCode::InvalidReplicaAssignment, Some(text(message))));
        }
    }
    let added = asked.count - topic.partition_count();
    quota.record(added).map_err(|error| (error, Some(text(error.message()))))?;
    if validate_only {
        return Ok(());
    }
    cx.node.topics.add_partitions(&topic, asked.count).map_err(|error| refusal(&error))
}
