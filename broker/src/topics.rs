//! The topics: found by name or id, created, altered and deleted, and recorded in the catalog before anyone is told.

mod names;
mod recorded;
mod topic;

pub(crate) use names::{CONSUMER_OFFSETS, SHARE_GROUP_STATE, TRANSACTION_STATE, check_name, is_internal};
pub(crate) use recorded::PRODUCER_ID_BLOCK;
pub(crate) use topic::{NewTopic, Topic};

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use brooklet_storage::{Catalog, CatalogRecord, DataDir, Durability, Error, LogId, PreviousStop, TopicRecord};
use dashmap::DashMap;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::adoption;
use crate::config::{BrokerConfig, BrokerLayers, ConfigError, ConfigMap, INITIAL_DYNAMIC_DEFAULTS};
use crate::features::{FeatureError, FinalizedFeatures};
use crate::flusher::Flusher;
use crate::metrics::BrokerTopicMetrics;
use crate::partition::Partition;
use crate::topic_settings::TopicSettings;
use names::metric_name;
use recorded::Recorded;

/// The most partitions a topic may have: each costs memory, and none is for free.
const MAX_PARTITIONS: i32 = 100_000;

/// Why a topic could not be created or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicError {
    #[error("topic '{0}' already exists")]
    Exists(String),
    #[error("there is no topic '{0}'")]
    Unknown(String),
    #[error("topic name {0}")]
    InvalidName(String),
    #[error("{0}")]
    InvalidPartitions(String),
    #[error(
        "{0} replicas of each partition cannot be placed: there is only 1 broker, and brooklet.strict.replication is true"
    )]
    InvalidReplicationFactor(i16),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Feature(#[from] FeatureError),
    #[error(transparent)]
    Storage(#[from] Error),
}

/// All topics.
#[derive(Debug)]
pub(crate) struct Topics {
    data_dir: Arc<DataDir>,
    flusher: Arc<Flusher>,
    metrics: Arc<BrokerTopicMetrics>,
    /// `brooklet.strict.replication`.
    strict_replication: bool,
    by_name: TopicMap<Arc<str>>,
    by_id: TopicMap<Uuid>,
    /// Names by how metrics write them, of those in which that makes a difference.
    by_metric_name: DashMap<String, Arc<str>>,
    /// See [`Topics::version`].
    version: AtomicU64,
    /// The levels of the cluster's features. Stored while `recorded` is locked.
    features: ArcSwap<FinalizedFeatures>,
    /// Whoever changes a topic holds this from before the change until after it is recorded.
    recorded: Mutex<Recorded>,
}

impl Topics {
    /// The topics that the catalog records, over the broker's configs. The dynamic configs among the records are the
    /// broker's, so they are returned.
    pub(crate) fn open(
        data_dir: Arc<DataDir>,
        flusher: Arc<Flusher>,
        layers: &mut BrokerLayers,
        config: &BrokerConfig,
    ) -> Result<Self, TopicError> {
        let durability = if flusher.before_ack() { Durability::Machine } else { Durability::Process };
        let machine_stopped = data_dir.previous_stop() == PreviousStop::MachineStopped;
        let (mut catalog, mut records) = Catalog::open(data_dir.path(), machine_stopped, durability)?;
        let adopted = records.is_empty();
        if adopted {
            records = adoption::adopt(data_dir.path(), &mut catalog)?;
        }
        let mut topics: BTreeMap<Uuid, TopicRecord> = BTreeMap::new();
        let mut deleted = HashSet::new();
        let mut recorded = Recorded::new(catalog);
        let mut features = FinalizedFeatures::default();
        for record in records {
            match record {
                CatalogRecord::Topic(topic) => {
                    topics.insert(topic.id, topic);
                }
                CatalogRecord::TopicDeleted { id } => {
                    topics.remove(&id);
                    deleted.insert(id);
                }
                CatalogRecord::FeatureLevels { epoch, levels } => {
                    features = FinalizedFeatures::recorded(epoch, &levels);
                }
                beside_topics => recorded.replay(beside_topics),
            }
        }
        let dynamic = |entity: &str| recorded.broker_configs.get(entity).cloned();
        layers.dynamic_default = dynamic("").unwrap_or_else(initial_dynamic_defaults);
        if let Some(configs) = dynamic(&config.node_id.to_string()) {
            layers.dynamic_broker = configs;
        }
        let opened = Self {
            data_dir,
            flusher,
            metrics: Arc::default(),
            strict_replication: config.strict_replication,
            by_name: TopicMap::default(),
            by_id: TopicMap::default(),
            by_metric_name: DashMap::with_shard_amount(4),
            version: AtomicU64::new(1),
            features: ArcSwap::from_pointee(features),
            recorded: Mutex::new(recorded),
        };
        for mut record in topics.into_values() {
            let settings = TopicSettings::resolve(std::mem::take(&mut record.configs), layers)?;
            opened.insert(opened.topic(&record, settings));
        }
        if !adopted {
            let is_live = |topic: &str, index: i32| {
                opened.by_name(topic).is_some_and(|topic| (0..topic.partition_count()).contains(&index))
            };
            opened.data_dir.settle_directories(is_live, |id| deleted.contains(&id))?;
        }
        Ok(opened)
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Topic>> {
        self.by_name.get(name)
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// Who sees to it that records get to the disk when somebody waits for that.
    pub(crate) fn flusher(&self) -> &Arc<Flusher> {
        &self.flusher
    }

    /// What goes through all of them.
    pub(crate) fn metrics(&self) -> &Arc<BrokerTopicMetrics> {
        &self.metrics
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        let mut all = self.by_name.all();
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Whether a new topic could have so many partitions, and so many replicas of each.
    pub(crate) fn check_counts(&self, partitions: i32, replication_factor: i16) -> Result<(), TopicError> {
        if !(1..=MAX_PARTITIONS).contains(&partitions) {
            return Err(TopicError::InvalidPartitions(format!(
                "number of partitions must be between 1 and {MAX_PARTITIONS}, not {partitions}"
            )));
        }
        if replication_factor > 1 && self.strict_replication {
            return Err(TopicError::InvalidReplicationFactor(replication_factor));
        }
        Ok(())
    }

    /// Whether a new topic could have this name.
    pub(crate) fn check_name(&self, name: &str) -> Result<(), TopicError> {
        if self.by_name.get(name).is_some() {
            return Err(TopicError::Exists(name.to_owned()));
        }
        check_name(name)?;
        if let Some(twin) = self.metric_twin(name) {
            return Err(TopicError::InvalidName(format!(
                "'{name}' collides with topic '{twin}' where metrics write '.' as '_'"
            )));
        }
        Ok(())
    }

    /// The topic of this name, made as `new` says where there is none.
    pub(crate) fn by_name_or_create(
        &self,
        name: &str,
        layers: &BrokerLayers,
        new: impl FnOnce() -> NewTopic,
    ) -> Result<Arc<Topic>, TopicError> {
        if let Some(topic) = self.by_name(name) {
            return Ok(topic);
        }
        match self.create(&new(), layers) {
            // Another client was a moment earlier.
            Err(TopicError::Exists(name)) => self.by_name(&name).ok_or(TopicError::Unknown(name)),
            created => created,
        }
    }

    /// Creates a topic. When this returns, it survives the death of this process.
    pub(crate) fn create(&self, new: &NewTopic, layers: &BrokerLayers) -> Result<Arc<Topic>, TopicError> {
        let mut recorded = self.recorded.lock();
        self.check_name(&new.name)?;
        self.check_counts(new.partitions, new.replication_factor)?;
        let settings = TopicSettings::resolve(new.configs.clone(), layers)?;
        let record = TopicRecord {
            name: new.name.clone(),
            id: Uuid::new_v4(),
            partitions: new.partitions,
            replication_factor: new.replication_factor,
            configs: new.configs.clone(),
        };
        let topic = self.topic(&record, settings);
        recorded.catalog.append(&CatalogRecord::Topic(record))?;
        self.insert(Arc::clone(&topic));
        self.has_changed();
        self.compact(&mut recorded);
        Ok(topic)
    }

    /// Deletes a topic. Its files go in the background; what is left of them is returned. Files that cannot be taken away
    /// now are passed over: the topic is deleted, and the next start removes them.
    pub(crate) fn delete(&self, topic: &Topic) -> Result<Vec<std::path::PathBuf>, TopicError> {
        let mut recorded = self.recorded.lock();
        if self.by_id.get(&topic.id).is_none() {
            return Err(TopicError::Unknown(topic.name.to_string()));
        }
        recorded.catalog.append(&CatalogRecord::TopicDeleted { id: topic.id })?;
        self.by_name.remove(&topic.name);
        if let Some(flat) = metric_name(&topic.name) {
            self.by_metric_name.remove(&flat);
        }
        self.by_id.remove(&topic.id);
        self.has_changed();
        let mut remains = Vec::new();
        for partition in topic.partitions().iter() {
            match partition.delete() {
                Ok(removed) => remains.extend(removed),
                Err(error) => {
                    let index = partition.index();
                    tracing::error!(%error, topic = topic.name(), partition = index, "files of a deleted topic remain");
                }
            }
        }
        // After its logs are gone, which are not to be read without; before its name can be given to another.
        if let Err(error) = self.data_dir.forget_topic(&topic.name) {
            tracing::error!(%error, topic = topic.name(), "checkpoints of a deleted topic remain");
        }
        self.compact(&mut recorded);
        Ok(remains)
    }

    /// Whether a topic may have `count` partitions from now on.
    pub(crate) fn check_partitions(&self, topic: &Topic, count: i32) -> Result<(), TopicError> {
        let current = topic.partition_count();
        if count > current && count <= MAX_PARTITIONS {
            return Ok(());
        }
        Err(TopicError::InvalidPartitions(format!(
            "topic '{}' has {current} partitions; the new number must be above that and at most {MAX_PARTITIONS}, \
             not {count}",
            topic.name
        )))
    }

    /// Adds partitions to a topic, up to `count`.
    pub(crate) fn add_partitions(&self, topic: &Topic, count: i32) -> Result<(), TopicError> {
        let mut recorded = self.recorded.lock();
        self.check_partitions(topic, count)?;
        recorded.catalog.append(&topic.record(count, topic.settings().overrides.clone()))?;
        let mut partitions = topic.partitions().to_vec();
        partitions.extend((topic.partition_count()..count).map(|index| self.partition(topic, index)));
        topic.partitions.store(Arc::new(partitions));
        self.has_changed();
        Ok(())
    }

    /// Sets a topic's configs, in place of those it had.
    pub(crate) fn configure(
        &self,
        topic: &Topic,
        overrides: ConfigMap,
        layers: &BrokerLayers,
    ) -> Result<(), TopicError> {
        let mut recorded = self.recorded.lock();
        let settings = TopicSettings::resolve(overrides, layers)?;
        recorded.catalog.append(&topic.record(topic.partition_count(), settings.overrides.clone()))?;
        topic.settings.store(Arc::new(settings));
        self.compact(&mut recorded);
        Ok(())
    }

    /// Keeps the broker's dynamic configs, and lets all topics follow them.
    pub(crate) fn configure_broker(
        &self,
        entity: String,
        configs: ConfigMap,
        layers: &BrokerLayers,
    ) -> Result<(), TopicError> {
        let mut recorded = self.recorded.lock();
        let all = self.all();
        let settings: Vec<_> = all
            .iter()
            .map(|topic| TopicSettings::resolve(topic.settings().overrides.clone(), layers))
            .collect::<Result<_, _>>()?;
        recorded.put(CatalogRecord::BrokerConfigs { entity, configs })?;
        for (topic, settings) in all.iter().zip(settings) {
            topic.settings.store(Arc::new(settings));
        }
        Ok(())
    }

    /// It is another whenever a topic has been created or deleted or given partitions: whoever has seen a version and
    /// sees it again has missed nothing. Never 0.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn has_changed(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    fn topic(&self, record: &TopicRecord, settings: TopicSettings) -> Arc<Topic> {
        let topic = Topic {
            name: record.name.as_str().into(),
            id: record.id,
            replication_factor: record.replication_factor,
            settings: Arc::new(ArcSwap::from_pointee(settings)),
            partitions: ArcSwap::default(),
        };
        let all = (0..record.partitions).map(|index| self.partition(&topic, index)).collect();
        topic.partitions.store(Arc::new(all));
        Arc::new(topic)
    }

    fn partition(&self, topic: &Topic, index: i32) -> Arc<Partition> {
        let id = LogId { topic: topic.name.to_string(), topic_id: topic.id, partition: index };
        let (data_dir, flusher) = (Arc::clone(&self.data_dir), Arc::clone(&self.flusher));
        Arc::new(Partition::new(id, data_dir, Arc::clone(&topic.settings), flusher, Arc::clone(&self.metrics)))
    }

    fn insert(&self, topic: Arc<Topic>) {
        if let Some(flat) = metric_name(&topic.name) {
            self.by_metric_name.insert(flat, Arc::clone(&topic.name));
        }
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(Arc::clone(&topic.name), topic);
    }

    /// A topic that differs from `name` only in '.' and '_'.
    fn metric_twin(&self, name: &str) -> Option<Arc<str>> {
        let twin = self.by_metric_name.get(&metric_name(name)?)?;
        Some(Arc::clone(&twin))
    }
}

/// What is set for all brokers of a cluster of which nobody has set anything.
fn initial_dynamic_defaults() -> ConfigMap {
    INITIAL_DYNAMIC_DEFAULTS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A map of topics that hands out clones only: a guard of its map, held across an await, would stop the broker.
#[derive(Debug)]
struct TopicMap<K: std::hash::Hash + Eq>(DashMap<K, Arc<Topic>>);

impl<K: std::hash::Hash + Eq> Default for TopicMap<K> {
    fn default() -> Self {
        // One node has few threads: shards beyond a few only cost memory.
        Self(DashMap::with_shard_amount(4))
    }
}

impl<K: std::hash::Hash + Eq> TopicMap<K> {
    fn get<Q: ?Sized + std::hash::Hash + Eq>(&self, key: &Q) -> Option<Arc<Topic>>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.get(key).map(|topic| Arc::clone(&topic))
    }

    fn insert(&self, key: K, topic: Arc<Topic>) {
        self.0.insert(key, topic);
    }

    fn remove(&self, key: &K) {
        self.0.remove(key);
    }

    fn all(&self) -> Vec<Arc<Topic>> {
        self.0.iter().map(|topic| Arc::clone(&topic)).collect()
    }
}
