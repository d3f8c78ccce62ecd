//! The topics: found by name or id, created, altered and deleted, and recorded in the catalog before anyone is told.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_storage::{Catalog, CatalogRecord, DataDir, Durability, Error, LogId, PreviousStop, TopicRecord};
use dashmap::DashMap;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::adoption;
use crate::config::{BrokerConfig, BrokerLayers, ConfigError, ConfigMap, INITIAL_DYNAMIC_DEFAULTS};
use crate::features::{FeatureError, FeatureUpdate, FinalizedFeatures};
use crate::flusher::Flusher;
use crate::groups::topics_image::TopicImage;
use crate::metrics::BrokerTopicMetrics;
use crate::partition::Partition;
use crate::quotas::SetQuotas;
use crate::quotas::entity::QuotaEntity;
use crate::scram::{ScramAlteration, ScramCredentials, ScramOutcomes};
use crate::topic_settings::TopicSettings;

/// The topic in which the group coordinator keeps its records.
pub(crate) const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// The topic in which the transaction coordinator keeps its records.
pub(crate) const TRANSACTION_STATE: &str = "__transaction_state";
/// The topic in which the share coordinator keeps its records.
pub(crate) const SHARE_GROUP_STATE: &str = "__share_group_state";
/// The most that a topic's name may hold: a directory's name has 255 bytes, and a partition and a suffix follow.
const MAX_NAME_LEN: usize = 249;
/// The most partitions a topic may have: each costs memory, and none is for free.
const MAX_PARTITIONS: i32 = 100_000;
/// How many producer ids are recorded as given out at a time.
pub(crate) const PRODUCER_ID_BLOCK: i64 = 1000;

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    name: Arc<str>,
    id: Uuid,
    replication_factor: i16,
    settings: Arc<ArcSwap<TopicSettings>>,
    partitions: ArcSwap<Vec<Arc<Partition>>>,
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

    fn record(&self, partitions: i32, configs: ConfigMap) -> CatalogRecord {
        CatalogRecord::Topic(TopicRecord {
            name: self.name.to_string(),
            id: self.id,
            partitions,
            replication_factor: self.replication_factor,
            configs,
        })
    }
}

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

/// A topic to be created.
#[derive(Debug, Clone)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    pub(crate) replication_factor: i16,
    pub(crate) configs: ConfigMap,
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

/// The catalog, and what it records beside topics.
#[derive(Debug)]
struct Recorded {
    catalog: Catalog,
    next_producer_id: i64,
    /// Dynamic configs of brokers, by entity.
    broker_configs: BTreeMap<String, ConfigMap>,
    client_quotas: SetQuotas,
    /// Configs of subscriptions to clients' metrics, by name.
    client_metrics: BTreeMap<String, ConfigMap>,
    /// Configs of groups, by group. None is empty.
    group_configs: BTreeMap<String, ConfigMap>,
    scram_credentials: ScramCredentials,
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
        let mut recorded = Recorded {
            catalog,
            next_producer_id: 0,
            broker_configs: BTreeMap::new(),
            client_quotas: SetQuotas::new(),
            client_metrics: BTreeMap::new(),
            group_configs: BTreeMap::new(),
            scram_credentials: ScramCredentials::default(),
        };
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
                CatalogRecord::BrokerConfigs { entity, configs } => {
                    recorded.broker_configs.insert(entity, configs);
                }
                CatalogRecord::ClientQuotas { entity, quotas } => match QuotaEntity::parse(entity) {
                    Ok(entity) => set_or_remove(&mut recorded.client_quotas, entity, quota_values(quotas)),
                    Err(reason) => tracing::warn!(reason, "recorded quotas are passed over"),
                },
                CatalogRecord::ClientMetrics { name, configs } => {
                    set_or_remove(&mut recorded.client_metrics, name, configs);
                }
                CatalogRecord::GroupConfigs { group_id, configs } => {
                    set_or_remove(&mut recorded.group_configs, group_id, configs);
                }
                CatalogRecord::NextProducerId(id) => recorded.next_producer_id = id,
                CatalogRecord::FeatureLevels { epoch, levels } => {
                    features = FinalizedFeatures::recorded(epoch, &levels);
                }
                CatalogRecord::ScramCredentials(records) => recorded.scram_credentials.replay(records),
                CatalogRecord::Format(_) => {}
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
        let record = CatalogRecord::BrokerConfigs { entity: entity.clone(), configs: configs.clone() };
        recorded.catalog.append(&record)?;
        recorded.broker_configs.insert(entity, configs);
        for (topic, settings) in all.iter().zip(settings) {
            topic.settings.store(Arc::new(settings));
        }
        Ok(())
    }

    /// All quotas that are set.
    pub(crate) fn client_quotas(&self) -> SetQuotas {
        self.recorded.lock().client_quotas.clone()
    }

    /// Sets an entity's quotas, in place of those it had.
    pub(crate) fn set_client_quotas(
        &self,
        entity: QuotaEntity,
        quotas: BTreeMap<String, f64>,
    ) -> Result<(), TopicError> {
        let mut recorded = self.recorded.lock();
        recorded.catalog.append(&quota_record(&entity, &quotas))?;
        set_or_remove(&mut recorded.client_quotas, entity, quotas);
        self.compact(&mut recorded);
        Ok(())
    }

    /// The configs of a subscription to clients' metrics; none if there is no such subscription.
    pub(crate) fn client_metrics(&self, name: &str) -> ConfigMap {
        self.recorded.lock().client_metrics.get(name).cloned().unwrap_or_default()
    }

    /// The names of all subscriptions to clients' metrics.
    pub(crate) fn client_metrics_names(&self) -> Vec<String> {
        self.recorded.lock().client_metrics.keys().cloned().collect()
    }

    /// Sets the configs of a subscription to clients' metrics, in place of those it had.
    pub(crate) fn set_client_metrics(&self, name: &str, configs: ConfigMap) -> Result<(), TopicError> {
        let mut recorded = self.recorded.lock();
        let record = CatalogRecord::ClientMetrics { name: name.to_owned(), configs: configs.clone() };
        recorded.catalog.append(&record)?;
        set_or_remove(&mut recorded.client_metrics, name.to_owned(), configs);
        self.compact(&mut recorded);
        Ok(())
    }

    /// Keeps the configs of a group, in place of those it had.
    pub(crate) fn configure_group(&self, group_id: &str, configs: ConfigMap) -> Result<(), TopicError> {
        let mut recorded = self.recorded.lock();
        let record = CatalogRecord::GroupConfigs { group_id: group_id.to_owned(), configs: configs.clone() };
        recorded.catalog.append(&record)?;
        set_or_remove(&mut recorded.group_configs, group_id.to_owned(), configs);
        self.compact(&mut recorded);
        Ok(())
    }

    /// The configs of all groups that have some of their own, by group.
    pub(crate) fn group_configs(&self) -> BTreeMap<String, ConfigMap> {
        self.recorded.lock().group_configs.clone()
    }

    /// It is another whenever a topic has been created or deleted or given partitions: whoever has seen a version and
    /// sees it again has missed nothing. Never 0.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn has_changed(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// A producer id that nobody has had. They are recorded in blocks, so that most cost nothing.
    pub(crate) fn next_producer_id(&self) -> Result<i64, TopicError> {
        let mut recorded = self.recorded.lock();
        let id = recorded.next_producer_id;
        if id % PRODUCER_ID_BLOCK == 0 {
            recorded.catalog.append(&CatalogRecord::NextProducerId(id + PRODUCER_ID_BLOCK))?;
        }
        recorded.next_producer_id += 1;
        Ok(id)
    }

    /// The levels that the cluster's features are at.
    pub(crate) fn finalized_features(&self) -> Arc<FinalizedFeatures> {
        self.features.load_full()
    }

    /// The level of `transaction.version`.
    pub(crate) fn transaction_version(&self) -> TransactionVersion {
        self.features.load().transaction_version()
    }

    /// Changes the levels of features, all or none; with `validate_only` only tells whether they could be.
    pub(crate) fn update_features(&self, updates: &[FeatureUpdate], validate_only: bool) -> Result<(), TopicError> {
        let mut recorded = self.recorded.lock();
        let current = self.finalized_features();
        let updated = current.updated(updates)?;
        if validate_only || updated == *current {
            return Ok(());
        }
        recorded.catalog.append(&updated.record())?;
        self.features.store(Arc::new(updated));
        self.compact(&mut recorded);
        Ok(())
    }

    /// All SCRAM credentials.
    pub(crate) fn scram_credentials(&self) -> ScramCredentials {
        self.recorded.lock().scram_credentials.clone()
    }

    /// Alters SCRAM credentials, each user's for itself.
    pub(crate) fn alter_scram_credentials(
        &self,
        alterations: Vec<ScramAlteration>,
    ) -> Result<ScramOutcomes, TopicError> {
        let mut recorded = self.recorded.lock();
        let (records, outcomes) = recorded.scram_credentials.alter(alterations);
        if !records.is_empty() {
            recorded.catalog.append(&CatalogRecord::ScramCredentials(records.clone()))?;
            recorded.scram_credentials.replay(records);
            self.compact(&mut recorded);
        }
        Ok(outcomes)
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

    /// Rewrites the catalog when most of it no longer counts.
    fn compact(&self, recorded: &mut Recorded) {
        if !recorded.catalog.is_mostly_stale() {
            return;
        }
        // The block that is in use is as good as given out.
        let begun = (recorded.next_producer_id + PRODUCER_ID_BLOCK - 1) / PRODUCER_ID_BLOCK;
        let next_block = CatalogRecord::NextProducerId(begun * PRODUCER_ID_BLOCK);
        let broker_configs = recorded
            .broker_configs
            .iter()
            .map(|(entity, configs)| CatalogRecord::BrokerConfigs { entity: entity.clone(), configs: configs.clone() });
        let group_configs = recorded.group_configs.iter().map(|(group_id, configs)| CatalogRecord::GroupConfigs {
            group_id: group_id.clone(),
            configs: configs.clone(),
        });
        let all = self.all();
        let topics = all.iter().map(|topic| topic.record(topic.partition_count(), topic.settings().overrides.clone()));
        let quotas = recorded.client_quotas.iter().map(|(entity, quotas)| quota_record(entity, quotas));
        let metrics = recorded
            .client_metrics
            .iter()
            .map(|(name, configs)| CatalogRecord::ClientMetrics { name: name.clone(), configs: configs.clone() });
        let cluster = [next_block, self.finalized_features().record(), recorded.scram_credentials.record()];
        let beside_topics = cluster.into_iter().chain(broker_configs).chain(quotas).chain(metrics).chain(group_configs);
        let records: Vec<_> = beside_topics.chain(topics).collect();
        if let Err(error) = recorded.catalog.rewrite(records.iter()) {
            // What there is says all that the shorter one would.
            tracing::warn!(%error, "the catalog was not rewritten; it is tried again with the next change");
        }
    }
}

fn quota_record(entity: &QuotaEntity, quotas: &BTreeMap<String, f64>) -> CatalogRecord {
    let quotas = quotas.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    CatalogRecord::ClientQuotas { entity: entity.pairs(), quotas }
}

fn quota_values(quotas: BTreeMap<String, String>) -> BTreeMap<String, f64> {
    quotas.into_iter().filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
}

/// Puts a map of settings in the place of the one that was there; without settings there is nothing to keep.
fn set_or_remove<K: Ord, V>(all: &mut BTreeMap<K, BTreeMap<String, V>>, key: K, settings: BTreeMap<String, V>) {
    if settings.is_empty() {
        all.remove(&key);
    } else {
        all.insert(key, settings);
    }
}

/// How metrics write a name with a '.' or '_' in it: two names that come out the same may not both exist.
fn metric_name(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}

/// What is set for all brokers of a cluster of which nobody has set anything.
fn initial_dynamic_defaults() -> ConfigMap {
    INITIAL_DYNAMIC_DEFAULTS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Whether a topic is the broker's own.
pub(crate) fn is_internal(name: &str) -> bool {
    matches!(name, CONSUMER_OFFSETS | TRANSACTION_STATE | SHARE_GROUP_STATE)
}

pub(crate) fn check_name(name: &str) -> Result<(), TopicError> {
    let invalid = |reason: String| Err(TopicError::InvalidName(reason));
    if name.is_empty() || name == "." || name == ".." {
        return invalid(format!("'{name}' is not allowed"));
    }
    if name.len() > MAX_NAME_LEN {
        return invalid(format!("is {} characters long; {MAX_NAME_LEN} are allowed", name.len()));
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !name.bytes().all(legal) {
        return invalid(format!("'{name}' has other characters than ASCII letters, digits, '.', '_' and '-'"));
    }
    Ok(())
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
