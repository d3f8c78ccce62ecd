//! DescribeLogDirs: v1-5
//!
//! The one data directory, the size of each log in it, from v4 the size of its file system (KIP-827), and from v5
//! whether it takes no new partitions (KIP-1066), which one directory always does. Null topics ask for all; topics
//! without a partition to tell of are left out.

use brooklet_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use brooklet_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use super::{text, topic_name};
use crate::apis::{Api, RequestContext};
use crate::topics::Topic;

pub(crate) const API: Api = Api::new::<DescribeLogDirsRequest>("DescribeLogDirs", 1..=5);

#[allow(clippy::unused_async, reason = "handlers have one shape")]
pub(crate) async fn handle(cx: &RequestContext, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let topics = match request.topics {
        None => cx.node.topics.all().iter().map(|topic| describe(topic, |_| true)).collect(),
        Some(asked) => asked
            .iter()
            .filter_map(|asked| {
                let topic = cx.node.topics.by_name(&asked.topic)?;
                Some(describe(&topic, |index| asked.partitions.contains(&index)))
            })
            .filter(|topic| !topic.partitions.is_empty())
            .collect(),
    };
    let path = cx.node.data_dir.path();
    let mut result = DescribeLogDirsResult::default().with_log_dir(text(path.to_string_lossy())).with_topics(topics);
    if cx.version >= 4
        && let Ok(space) = cx.node.data_dir.space()
    {
        result = result.with_total_bytes(space.total_bytes).with_usable_bytes(space.usable_bytes);
    }
    DescribeLogDirsResponse::default().with_results(vec![result])
}

fn describe(topic: &Topic, wanted: impl Fn(i32) -> bool) -> DescribeLogDirsTopic {
    let all = topic.partitions();
    let partitions = all.iter().filter(|partition| wanted(partition.index())).map(|partition| {
        // A log that does not open has no size that could be told; its own reads and appends say what is wrong.
        let size = partition.view().map_or(0, |view| view.size());
        DescribeLogDirsPartition::default()
            .with_partition_index(partition.index())
            .with_partition_size(i64::try_from(size).unwrap_or(i64::MAX))
    });
    DescribeLogDirsTopic::default().with_name(topic_name(topic.name())).with_partitions(partitions.collect())
}
