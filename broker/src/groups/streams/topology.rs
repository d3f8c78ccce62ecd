//! A topology put together with the topics that there are: how many tasks it has, and which internal topics it lacks
//! (`InternalTopicManager`).

use std::collections::{BTreeMap, BTreeSet};

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::streams_group::{Subtopology, TopicInfo, TopologyValue};

use super::partition_counts::decide_partition_counts;
use super::requests::{Status, StatusCode};
use crate::groups::consumer::requests::GroupError;
use crate::groups::topics_image::TopicsImage;

/// A topology over the topics that there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfiguredTopology {
    /// Its parts by id; `None` while they cannot be told.
    pub(crate) subtopologies: Option<BTreeMap<String, ConfiguredSubtopology>>,
    /// Internal topics that are not there.
    pub(crate) missing: Vec<TopicInfo>,
    /// Why it cannot run.
    pub(crate) problem: Option<Status>,
}

/// A part of a topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfiguredSubtopology {
    /// How many tasks it has: as many as its widest source has partitions.
    pub(crate) tasks: i32,
    /// It, with the partitions of its internal topics.
    pub(crate) subtopology: Subtopology,
}

impl ConfiguredSubtopology {
    /// Whether its tasks keep state.
    pub(crate) fn is_stateful(&self) -> bool {
        !self.subtopology.state_changelog_topics.is_empty()
    }

    /// The topics that it reads.
    pub(crate) fn sources(&self) -> BTreeSet<&str> {
        sources(&self.subtopology).collect()
    }
}

impl ConfiguredTopology {
    /// Puts a topology together with the topics. The error is that no topics could make it run.
    pub(crate) fn configure(topology: &TopologyValue, topics: &dyn TopicsImage) -> Result<Self, GroupError> {
        match configure(topology, topics) {
            Ok((subtopologies, missing)) => {
                let names: Vec<&str> = missing.iter().map(|topic| topic.name.as_str()).collect();
                let problem = (!missing.is_empty()).then(|| {
                    let detail = format!("Internal topics are missing: {}", summary(&names));
                    Status::new(StatusCode::MissingInternalTopics, detail)
                });
                Ok(Self { subtopologies: Some(subtopologies), missing, problem })
            }
            Err(Unfit::Topics(status)) => Ok(Self { subtopologies: None, missing: Vec::new(), problem: Some(status) }),
            Err(Unfit::Topology(reason)) => Err(GroupError::new(ErrorCode::StreamsInvalidTopology, reason)),
        }
    }

    /// Whether it can run.
    pub(crate) fn is_ready(&self) -> bool {
        self.problem.is_none()
    }
}

/// Why a topology cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    /// The topics are not those that it needs.
    Topics(Status),
    /// It makes no sense.
    Topology(String),
}

type Configured = (BTreeMap<String, ConfiguredSubtopology>, Vec<TopicInfo>);

fn configure(topology: &TopologyValue, topics: &dyn TopicsImage) -> Result<Configured, Unfit> {
    let external: BTreeSet<&str> =
        topology.subtopologies.iter().flat_map(|part| part.source_topics.iter().map(String::as_str)).collect();
    let missing: Vec<&str> = external.into_iter().filter(|topic| topics.by_name(topic).is_none()).collect();
    if !missing.is_empty() {
        let detail = format!("Source topics {} are missing.", summary(&missing));
        return Err(Unfit::Topics(Status::new(StatusCode::MissingSourceTopics, detail)));
    }
    let decided = decide_partition_counts(&topology.subtopologies, topics)?;
    let count = |topic: &str| topics.by_name(topic).map(|topic| topic.partitions).or(decided.get(topic).copied());
    let mut subtopologies = BTreeMap::new();
    for part in &topology.subtopologies {
        let tasks = sources(part).filter_map(count).max();
        let tasks = tasks.ok_or_else(|| Unfit::Topology(format!("subtopology {} has no source topics", part.id)))?;
        let with_count = |topic: &TopicInfo| TopicInfo {
            partitions: match topic.partitions {
                0 => decided.get(&topic.name).copied().unwrap_or(tasks),
                fixed => fixed,
            },
            ..topic.clone()
        };
        let subtopology = Subtopology {
            repartition_source_topics: part.repartition_source_topics.iter().map(with_count).collect(),
            state_changelog_topics: part.state_changelog_topics.iter().map(with_count).collect(),
            ..part.clone()
        };
        subtopologies.insert(part.id.clone(), ConfiguredSubtopology { tasks, subtopology });
    }
    let missing = missing_internal_topics(&subtopologies, topics)?;
    Ok((subtopologies, missing))
}

fn missing_internal_topics(
    subtopologies: &BTreeMap<String, ConfiguredSubtopology>,
    topics: &dyn TopicsImage,
) -> Result<Vec<TopicInfo>, Unfit> {
    let mut missing: BTreeMap<&str, &TopicInfo> = BTreeMap::new();
    for ConfiguredSubtopology { subtopology, .. } in subtopologies.values() {
        for topic in subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics) {
            match topics.by_name(&topic.name).map(|found| found.partitions) {
                None => {
                    missing.insert(&topic.name, topic);
                }
                Some(partitions) if partitions != topic.partitions => {
                    return Err(incorrectly_partitioned(format!(
                        "Existing topic {} has different number of partitions: expected {}, found {partitions}",
                        topic.name, topic.partitions
                    )));
                }
                Some(_) => {}
            }
        }
    }
    Ok(missing.into_values().cloned().collect())
}

pub(super) fn incorrectly_partitioned(detail: String) -> Unfit {
    Unfit::Topics(Status::new(StatusCode::IncorrectlyPartitionedTopics, detail))
}

/// The topics that a subtopology reads.
pub(super) fn sources(subtopology: &Subtopology) -> impl Iterator<Item = &str> {
    let repartitioned = subtopology.repartition_source_topics.iter().map(|topic| topic.name.as_str());
    subtopology.source_topics.iter().map(String::as_str).chain(repartitioned)
}

/// The names of all topics that a topology needs.
pub(super) fn required_topics(topology: &TopologyValue) -> BTreeSet<&str> {
    let changelogs = topology.subtopologies.iter().flat_map(|part| &part.state_changelog_topics);
    let sources = topology.subtopologies.iter().flat_map(sources);
    sources.chain(changelogs.map(|topic| topic.name.as_str())).collect()
}

/// A hash over the topics that a topology needs and that exist: it is another when one of them is created, deleted or
/// given partitions (KIP-1101), and 0 if none exists. It is not the number that Kafka's hash would give, which means
/// a rebalance when a group is taken over from Kafka, and no more.
pub(super) fn metadata_hash(topology: &TopologyValue, topics: &dyn TopicsImage) -> i64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut hash = OFFSET;
    let mut any = false;
    for topic in required_topics(topology).into_iter().filter_map(|topic| topics.by_name(topic)) {
        any = true;
        for byte in topic.id.as_bytes().iter().chain(&topic.partitions.to_be_bytes()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }
    if any { hash.cast_signed() } else { 0 }
}

/// A few names, and how many there are beside them.
fn summary(topics: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown = topics.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match topics.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} additional topics"),
    }
}
