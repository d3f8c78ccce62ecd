//! A topic.

use std::sync::Arc;

use arc_swap::ArcSwap;
use brooklet_storage::{CatalogRecord, TopicRecord};
use uuid::Uuid;

use super::is_internal;
use crate::config::ConfigMap;
use crate::groups::topics_image::TopicImage;
use crate::partition::Partition;
use crate::topic_settings::TopicSettings;

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(super) name: Arc<str>,
    pub(super) id: Uuid,
    pub(super) replication_factor: i16,
    pub(super) settings: Arc<ArcSwap<TopicSettings>>,
    pub(super) partitions: ArcSwap<Vec<Arc<Partition>>>,
}

impl Topic {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// What groups see of it.
    pub(crate) fn image(&self) -> TopicImage {
        TopicImage { id: self.id, name: Arc::clone(&self.name), partitions: self.partition_count() }
    }

    /// Whether it is the broker's own.
    pub(crate) fn is_internal(&self) -> bool {
        is_internal(&self.name)
    }

    pub(crate) fn settings(&self) -> arc_swap::Guard<Arc<TopicSettings>> {
        self.settings.load()
    }

    pub(crate) fn partition_count(&self) -> i32 {
        self.partitions.load().len() as i32
    }

    /// As it was asked for, whatever it acts as.
    #[cfg(feature = "declare")]
    pub(crate) fn replication_factor(&self) -> i16 {
        self.replication_factor
    }

    pub(crate) fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        self.partitions.load().get(usize::try_from(index).ok()?).cloned()
    }

    pub(crate) fn partitions(&self) -> Arc<Vec<Arc<Partition>>> {
        self.partitions.load_full()
    }

    pub(super) fn record(&self, partitions: i32, configs: ConfigMap) -> CatalogRecord {
        CatalogRecord::Topic(TopicRecord {
            name: self.name.to_string(),
            id: self.id,
            partitions,
            replication_factor: self.replication_factor,
            configs,
        })
    }
}

/// A topic to be created.
#[derive(Debug, Clone)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    pub(crate) replication_factor: i16,
    pub(crate) configs: ConfigMap,
}
