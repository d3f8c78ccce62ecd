//! What tests of groups share: topics that are a list, settings that are Kafka's defaults.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use uuid::Uuid;

use super::assignor::Assignor;
use super::classic::GroupSettings;
use super::consumer::{ConsumerGroupSettings, MigrationPolicy};
use super::group_configs::GroupConfigs;
use super::shard::{Now, Surroundings};
use super::topics_image::{TopicImage, TopicsImage};

/// Topics by name, with their ids and numbers of partitions.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestTopics {
    topics: BTreeMap<String, (Uuid, i32)>,
    changes: u64,
}

impl TestTopics {
    /// Creates a topic, or gives it partitions, or with none deletes it.
    pub(crate) fn set(&mut self, name: &str, partitions: i32) {
        self.changes += 1;
        let fresh = Uuid::from_u128(u128::from(self.changes) << 64 | 0x4000_8000_0000_0000_0000);
        if partitions == 0 {
            self.topics.remove(name);
        } else {
            self.topics.entry(name.to_owned()).or_insert((fresh, partitions)).1 = partitions;
        }
    }

    pub(crate) fn partitions(&self, name: &str) -> i32 {
        self.topics.get(name).map_or(0, |(_, partitions)| *partitions)
    }
}

impl TopicsImage for TestTopics {
    fn version(&self) -> u64 {
        self.changes + 1
    }

    fn by_name(&self, name: &str) -> Option<TopicImage> {
        let (id, partitions) = *self.topics.get(name)?;
        Some(TopicImage { id, name: name.into(), partitions })
    }

    fn by_id(&self, id: Uuid) -> Option<TopicImage> {
        let (name, _) = self.topics.iter().find(|(_, (other, _))| *other == id)?;
        self.by_name(name)
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.topics.keys().map(|name| name.as_str().into()).collect()
    }
}

static NO_TOPICS: LazyLock<TestTopics> = LazyLock::new(TestTopics::default);
static CONFIGS: LazyLock<GroupConfigs> = LazyLock::new(GroupConfigs::default);

/// Surroundings with no topics.
pub(crate) fn without_topics(now: Now) -> Surroundings<'static> {
    with_topics(now, &NO_TOPICS)
}

/// Surroundings with these topics.
pub(crate) fn with_topics(now: Now, topics: &TestTopics) -> Surroundings<'_> {
    Surroundings { now, topics, configs: &CONFIGS }
}

pub(crate) fn settings(initial_rebalance_delay_ms: u64) -> GroupSettings {
    GroupSettings {
        min_session_timeout_ms: 100,
        max_session_timeout_ms: 1_800_000,
        initial_rebalance_delay_ms,
        max_size: usize::MAX,
        offset_metadata_max_bytes: 4096,
        offsets_retention_ms: 7 * 24 * 60 * 60 * 1000,
        offsets_retention_check_interval_ms: 600_000,
        share_max_size: 200,
        consumer: ConsumerGroupSettings {
            assignors: vec![Assignor::Uniform, Assignor::Range],
            max_size: usize::MAX,
            migration_policy: MigrationPolicy { upgrade: true, downgrade: true },
            classic_max_size: usize::MAX,
        },
        streams_max_size: usize::MAX,
    }
}
