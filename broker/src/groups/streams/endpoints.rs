//! Which instance can be asked for which partitions' state (`EndpointToPartitionsManager`).

use std::collections::BTreeSet;

use super::StreamsGroup;
use super::member::StreamsGroupMember;
use super::requests::EndpointPartitions;
use super::tasks::Tasks;
use super::topology::ConfiguredTopology;
use crate::groups::topics_image::TopicsImage;

/// The partitions of all members that have an endpoint, `updated` standing for the member of its id.
pub(super) fn endpoint_partitions(
    group: &StreamsGroup,
    updated: &StreamsGroupMember,
    topology: &ConfiguredTopology,
    topics: &dyn TopicsImage,
) -> Vec<EndpointPartitions> {
    let others = group.members.values().filter(|member| member.id != updated.id);
    let all = others.chain([updated]).filter_map(|member| {
        let endpoint = member.metadata.user_endpoint.clone()?;
        Some(EndpointPartitions {
            endpoint,
            active: partitions(&member.assigned.active_tasks(), topology, topics),
            standby: partitions(&member.assigned.standby, topology, topics),
        })
    });
    all.collect()
}

/// The source partitions of tasks, by topic.
fn partitions(tasks: &Tasks, topology: &ConfiguredTopology, topics: &dyn TopicsImage) -> Vec<(String, Vec<i32>)> {
    let mut all = Vec::new();
    for (subtopology, tasks) in tasks {
        let Some(part) = topology.subtopologies.as_ref().and_then(|parts| parts.get(subtopology)) else {
            continue;
        };
        for topic in part.sources() {
            let Some(found) = topics.by_name(topic) else { continue };
            all.push((topic.to_owned(), of_topic(tasks, found.partitions)));
        }
    }
    all
}

/// The partitions of a topic that tasks read: a topic may have fewer than the widest of its subtopology.
fn of_topic(tasks: &BTreeSet<i32>, count: i32) -> Vec<i32> {
    tasks.iter().copied().filter(|partition| *partition < count).collect()
}
