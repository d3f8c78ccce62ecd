//! The topics as groups see them: read by whoever drives the coordinator, never changed by it.

use std::sync::Arc;

use uuid::Uuid;

use crate::topics::Topics;

/// A topic that a group may subscribe to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicImage {
    pub(crate) id: Uuid,
    pub(crate) name: Arc<str>,
    pub(crate) partitions: i32,
}

/// The topics at this moment.
pub(crate) trait TopicsImage {
    /// It is another whenever a topic has been created or deleted or given partitions. Never 0.
    fn version(&self) -> u64;
    fn by_name(&self, name: &str) -> Option<TopicImage>;
    fn by_id(&self, id: Uuid) -> Option<TopicImage>;
    /// The names of all topics.
    fn names(&self) -> Vec<Arc<str>>;
}

impl TopicsImage for Topics {
    fn version(&self) -> u64 {
        self.version()
    }

    fn by_name(&self, name: &str) -> Option<TopicImage> {
        Topics::by_name(self, name).map(|topic| topic.image())
    }

    fn by_id(&self, id: Uuid) -> Option<TopicImage> {
        Topics::by_id(self, id).map(|topic| topic.image())
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.all().iter().map(|topic| topic.image().name).collect()
    }
}
