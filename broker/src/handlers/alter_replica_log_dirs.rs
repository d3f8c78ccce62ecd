//! AlterReplicaLogDirs: v1-2
//!
//! There is one data directory, where all replicas are and stay. To move one there is granted; any other path is
//! LOG_DIR_NOT_FOUND, whether there is the partition or not, and a partition that is not there is
//! UNKNOWN_TOPIC_OR_PARTITION.

use std::collections::BTreeMap;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use brooklet_protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, TopicName};

use crate::apis::{Api, RequestContext};

pub(crate) const API: Api = Api::new::<AlterReplicaLogDirsRequest>("AlterReplicaLogDirs", 1..=2);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: AlterReplicaLogDirsRequest) -> AlterReplicaLogDirsResponse {
    // A topic may be named under several directories; it is answered once.
    let mut outcomes: BTreeMap<TopicName, BTreeMap<i32, ErrorCode>> = BTreeMap::new();
    let own = cx.node.data_dir.path().to_string_lossy();
    for dir in request.dirs {
        let is_own = *dir.path == *own;
        for topic in dir.topics {
            let found = cx.node.topics.by_name(&topic.name);
            let of_topic = outcomes.entry(topic.name).or_default();
            for index in topic.partitions {
                let is_there = found.as_ref().is_some_and(|topic| topic.partition(index).is_some());
                let error = match (is_own, is_there) {
                    (false, _) => ErrorCode::LogDirNotFound,
                    (true, false) => ErrorCode::UnknownTopicOrPartition,
                    (true, true) => ErrorCode::None,
                };
                of_topic.insert(index, error);
            }
        }
    }
    let topics = outcomes.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(index, error)| {
            AlterReplicaLogDirPartitionResult::default().with_partition_index(index).with_error_code(error.code())
        });
        AlterReplicaLogDirTopicResult::default().with_topic_name(name).with_partitions(partitions.collect())
    });
    AlterReplicaLogDirsResponse::default().with_results(topics.collect())
}
