//! The one node of the cluster: what every handler works on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use brooklet_protocol::records::CompressionType;
use brooklet_storage::{DataDir, Deadline, PreviousStop};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::{BrokerConfig, BrokerLayers, ConfigMap};
use crate::fetch_session::FetchSessions;
use crate::flusher::Flusher;
use crate::groups::assignor::Assignor;
use crate::groups::classic::GroupSettings;
use crate::groups::consumer::{ConsumerGroupSettings, MigrationPolicy};
use crate::groups::group_configs::GroupConfigs;
use crate::groups::offsets_topic::OffsetsTopic;
use crate::groups::runtime::GroupCoordinator;
use crate::log_manager::LogManager;
use crate::loggers::{LevelsChanged, Loggers};
use crate::metrics::BrokerMetrics;
use crate::quotas::Quotas;
use crate::quotas::alteration::{self, QuotaChange, QuotaError};
use crate::quotas::entity::QuotaEntity;
use crate::share::ShareGroups;
use crate::share::state::{ShareCoordinator, ShareStateTopic};
use crate::topics::{NewTopic, Topic, TopicError, Topics};
use crate::txn::markers::MarkerWriter;
use crate::txn::runtime::TransactionCoordinator;
use crate::txn::shard::TransactionSettings;
use crate::txn::state_topic::StateTopic;

/// How long a stop may wait for the disk.
const FLUSH_AT_STOP: Duration = Duration::from_millis(500);
/// How often silent producers are looked for.
const PRODUCER_CHECK: Duration = Duration::from_secs(600);

/// A broker's configs, as set and as they work.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeConfig {
    pub(crate) layers: BrokerLayers,
    pub(crate) broker: BrokerConfig,
}

/// Where clients that came in by a listener are told to connect to (`advertised.listeners`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The listener's name.
    pub(crate) listener: String,
    /// Where it is bound.
    pub(crate) bound: SocketAddr,
    /// What clients are told.
    pub(crate) host: String,
    /// With the port that was bound, where the config said 0.
    pub(crate) port: u16,
}

impl Endpoint {
    /// What clients are told, as `host:port`.
    pub(crate) fn advertised(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// What stays true of the broker from its start to its stop.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) clock: Clock,
    pub(crate) data_dir: Arc<DataDir>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) groups: GroupCoordinator,
    pub(crate) transactions: TransactionCoordinator,
    pub(crate) markers: MarkerWriter,
    pub(crate) share: Arc<ShareGroups>,
    pub(crate) fetch_sessions: Mutex<FetchSessions>,
    pub(crate) quotas: Quotas,
    pub(crate) loggers: Loggers,
    pub(crate) metrics: BrokerMetrics,
    /// Where clients reach it; the first is the one that knows of no listener of its own.
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    /// Cancelled when the broker stops.
    pub(crate) stop: CancellationToken,
    /// All that runs beside requests and must end before the files are closed.
    pub(crate) tasks: TaskTracker,
    config: ArcSwap<NodeConfig>,
    /// What groups follow; made of the broker's configs and those of groups.
    group_configs: Arc<ArcSwap<GroupConfigs>>,
    /// Whoever changes the broker's configs or those of groups holds this.
    config_change: Mutex<()>,
}

impl Node {
    /// Puts the node together, and starts its coordinators.
    pub(crate) fn start(
        data_dir: DataDir,
        mut config: NodeConfig,
        endpoints: Vec<Arc<Endpoint>>,
        log_levels: Option<LevelsChanged>,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, TopicError> {
        let clock = Clock::start();
        let tasks = TaskTracker::new();
        let data_dir = Arc::new(data_dir);
        let flusher = Arc::new(Flusher::new(config.broker.flush_before_ack));
        let topics = Topics::open(Arc::clone(&data_dir), flusher, &mut config.layers, &config.broker)?;
        config.broker = BrokerConfig::resolve(&config.layers)?;
        let topics = Arc::new(topics);
        let offsets_topic = offsets_topic(&config, Arc::clone(&topics));
        let group_configs = GroupConfigs::resolve(&config.layers, topics.group_configs().iter())?;
        let group_configs = Arc::new(ArcSwap::from_pointee(group_configs));
        let share_state = Arc::new(share_coordinator(&config, Arc::clone(&topics), clock));
        let max_sessions = config.broker.share_group_max_share_sessions as usize;
        let share = ShareGroups::new(
            Arc::clone(&topics),
            Arc::clone(&share_state),
            Arc::clone(&group_configs),
            clock,
            max_sessions,
        );
        let share = Arc::new(share);
        let (groups, serving) = GroupCoordinator::start(
            group_settings(&config.broker),
            offsets_topic,
            Arc::clone(&group_configs),
            share_state,
            clock,
            stop.child_token(),
        );
        tasks.spawn(serving);
        let markers = || MarkerWriter { topics: Arc::clone(&topics), groups: groups.clone(), clock };
        let (transactions, serving) = TransactionCoordinator::start(
            transaction_settings(&config.broker),
            state_topic(&config, Arc::clone(&topics)),
            markers(),
            clock,
            stop.child_token(),
        );
        tasks.spawn(serving);
        let markers = markers();
        let manager = LogManager::new(Arc::clone(&topics), Arc::clone(&data_dir), clock, &config.broker);
        tasks.spawn(manager.run(stop.clone()));
        tasks.spawn(expire_producers(Arc::clone(&topics), clock, config.broker.producer_id_expiration, stop.clone()));
        let quotas = Quotas::new(&config.broker, clock, &topics.client_quotas());
        let slots = config.broker.max_incremental_fetch_session_cache_slots as usize;
        let metrics = BrokerMetrics::new(Arc::clone(topics.metrics()));
        let node = Arc::new(Self {
            clock,
            data_dir,
            topics,
            groups,
            transactions,
            markers,
            share,
            fetch_sessions: Mutex::new(FetchSessions::new(slots)),
            quotas,
            loggers: Loggers::new(log_levels),
            metrics,
            endpoints,
            stop,
            tasks,
            config: ArcSwap::from_pointee(config),
            group_configs,
            config_change: Mutex::new(()),
        });
        node.tasks.spawn(Arc::clone(&node.share).expire_locks(node.stop.clone()));
        let interval = node.config().broker.share_coordinator_cold_partition_snapshot_interval;
        node.tasks.spawn(Arc::clone(&node.share).snapshot_cold(interval, node.stop.clone()));
        Ok(node)
    }

    pub(crate) fn config(&self) -> Guard<Arc<NodeConfig>> {
        self.config.load()
    }

    pub(crate) fn node_id(&self) -> i32 {
        self.config().broker.node_id
    }

    /// The topic of this name, made now if there is none and `auto.create.topics.enable` allows it.
    pub(crate) fn topic_or_auto_create(&self, name: &str) -> Result<Arc<Topic>, TopicError> {
        let config = self.config();
        if !config.broker.auto_create_topics_enable {
            return self.topics.by_name(name).ok_or_else(|| TopicError::Unknown(name.to_owned()));
        }
        self.topics.by_name_or_create(name, &config.layers, || NewTopic {
            name: name.to_owned(),
            partitions: config.broker.num_partitions,
            replication_factor: self.default_replication_factor(),
            configs: ConfigMap::new(),
        })
    }

    /// Deletes a topic, with its offsets in all groups. Its files go in the background.
    pub(crate) async fn delete_topic(&self, topic: &Topic) -> Result<(), TopicError> {
        let remains = self.topics.delete(topic)?;
        self.share.forget_topic(topic.id());
        self.groups.forget_topic(topic.name().to_owned(), topic.id()).await;
        self.tasks.spawn_blocking(move || remove_files(&remains));
        Ok(())
    }

    pub(crate) fn default_replication_factor(&self) -> i16 {
        let declared = self.config().broker.default_replication_factor;
        i16::try_from(declared).unwrap_or(i16::MAX).max(1)
    }

    /// Lets `change` work out new configs from the present ones, and follows them from then on.
    pub(crate) fn change_config<E>(&self, change: impl FnOnce(&NodeConfig) -> Result<NodeConfig, E>) -> Result<(), E> {
        let _changing = self.config_change.lock();
        let changed = change(&self.config())?;
        self.config.store(Arc::new(changed));
        self.follow_group_configs();
        Ok(())
    }

    /// Changes an entity's quotas, or with `validate_only` tells whether they could be, and enforces them from then on.
    /// Blocks while names of hosts are looked up.
    pub(crate) fn alter_quotas(
        &self,
        entity: &QuotaEntity,
        changes: &[QuotaChange],
        validate_only: bool,
    ) -> Result<(), QuotaError> {
        let _changing = self.config_change.lock();
        let set = self.topics.client_quotas();
        let altered = alteration::alter(&set, entity, changes)?;
        let unchanged = set.get(entity).map_or(altered.is_empty(), |quotas| *quotas == altered);
        if !validate_only && !unchanged {
            self.topics.set_client_quotas(entity, &altered)?;
            self.quotas.follow(&self.topics.client_quotas());
        }
        Ok(())
    }

    /// Lets `change` work out what is set for a group from what is set now, and follows it from then on. `None` leaves
    /// it as it is.
    pub(crate) fn change_group_config<E: From<TopicError>>(
        &self,
        group_id: &str,
        change: impl FnOnce(&ConfigMap, &BrokerLayers) -> Result<Option<ConfigMap>, E>,
    ) -> Result<(), E> {
        let _changing = self.config_change.lock();
        if let Some(changed) = change(&self.configs_of_group(group_id), &self.config().layers)? {
            self.topics.configure_group(group_id, changed)?;
            self.follow_group_configs();
        }
        Ok(())
    }

    /// What is set for a group, which need not exist.
    pub(crate) fn configs_of_group(&self, group_id: &str) -> ConfigMap {
        self.topics.group_configs().remove(group_id).unwrap_or_default()
    }

    fn follow_group_configs(&self) {
        match GroupConfigs::resolve(&self.config().layers, self.topics.group_configs().iter()) {
            Ok(configs) => self.group_configs.store(Arc::new(configs)),
            Err(error) => tracing::error!(%error, "groups go on with the configs they had"),
        }
    }

    /// Closes all logs, marks the directory as left in order, and hands to the disk what it takes in a short time. What is
    /// left the kernel writes; it is checked should the machine go down before it has.
    pub(crate) fn close(&self) {
        let mut closed = true;
        let was_clean = self.data_dir.previous_stop() == PreviousStop::Clean;
        for topic in self.topics.all() {
            for partition in topic.partitions().iter() {
                // A log that ends in room that was reserved, since the process before was killed, is not clean.
                closed &= was_clean || !partition.is_unopened();
                if let Err(error) = partition.close() {
                    tracing::error!(%error, topic = topic.name(), partition = partition.index(), "log not closed");
                    closed = false;
                }
            }
        }
        if closed && let Err(error) = self.data_dir.mark_clean() {
            tracing::error!(%error, "data directory not marked as left in order");
        }
        self.flush(&Deadline::after(FLUSH_AT_STOP));
    }

    fn flush(&self, deadline: &Deadline) {
        let mut recovery_points = Vec::new();
        for topic in self.topics.all() {
            for partition in topic.partitions().iter() {
                match partition.flush(deadline) {
                    Ok(Some(offset)) => recovery_points.push(((topic.name().to_owned(), partition.index()), offset)),
                    Ok(None) => {}
                    Err(error) => {
                        tracing::error!(%error, topic = topic.name(), partition = partition.index(), "log not flushed");
                    }
                }
            }
        }
        let kept = self.data_dir.set_recovery_points(recovery_points).and_then(|()| self.data_dir.flush());
        if let Err(error) = kept {
            tracing::error!(%error, "data directory not flushed to disk");
        }
    }
}

/// Forgets producers that have been silent for `producer.id.expiration.ms`, from time to time.
async fn expire_producers(topics: Arc<Topics>, clock: Clock, after: Duration, stop: CancellationToken) {
    let after_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PRODUCER_CHECK) => {}
        }
        let before = clock.wall_ms().saturating_sub(after_ms);
        for topic in topics.all() {
            topic.partitions().iter().for_each(|partition| partition.expire_producers(before));
        }
    }
}

fn remove_files(remains: &[PathBuf]) {
    for path in remains {
        if let Err(error) = std::fs::remove_dir_all(path) {
            tracing::warn!(%error, path = %path.display(), "files of a deleted topic remain until the next start");
        }
    }
}

fn group_settings(config: &BrokerConfig) -> GroupSettings {
    let ms = |duration: std::time::Duration| i32::try_from(duration.as_millis()).unwrap_or(i32::MAX);
    GroupSettings {
        min_session_timeout_ms: ms(config.group_min_session_timeout),
        max_session_timeout_ms: ms(config.group_max_session_timeout),
        initial_rebalance_delay_ms: config.group_initial_rebalance_delay.as_millis() as u64,
        max_size: config.group_max_size as usize,
        offset_metadata_max_bytes: config.offset_metadata_max_bytes as usize,
        offsets_retention_ms: i64::try_from(config.offsets_retention.as_millis()).unwrap_or(i64::MAX),
        offsets_retention_check_interval_ms: config.offsets_retention_check_interval.as_millis() as u64,
        share_max_size: config.share_group_max_size as usize,
        consumer: ConsumerGroupSettings {
            assignors: config.group_consumer_assignors.iter().filter_map(|name| Assignor::from_name(name)).collect(),
            max_size: config.group_consumer_max_size as usize,
            migration_policy: MigrationPolicy::from_name(&config.group_consumer_migration_policy),
            classic_max_size: config.group_max_size as usize,
        },
        streams_max_size: config.group_streams_max_size as usize,
    }
}

fn transaction_settings(config: &BrokerConfig) -> TransactionSettings {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    TransactionSettings {
        max_timeout_ms: config.transaction_max_timeout_ms,
        id_expiration_ms: i64::try_from(config.transactional_id_expiration.as_millis()).unwrap_or(i64::MAX),
        abort_interval_ms: ms(config.transaction_abort_timed_out_interval),
        expiration_interval_ms: ms(config.transaction_remove_expired_interval),
    }
}

fn state_topic(config: &NodeConfig, topics: Arc<Topics>) -> StateTopic {
    StateTopic {
        topics,
        layers: config.layers.clone(),
        partitions: config.broker.transaction_state_log_num_partitions,
        segment_bytes: config.broker.transaction_state_log_segment_bytes,
        min_insync_replicas: config.broker.transaction_state_log_min_isr,
    }
}

fn share_coordinator(config: &NodeConfig, topics: Arc<Topics>, clock: Clock) -> ShareCoordinator {
    let broker = &config.broker;
    let topic = ShareStateTopic {
        topics,
        layers: config.layers.clone(),
        partitions: broker.share_coordinator_state_topic_num_partitions,
        segment_bytes: broker.share_coordinator_state_topic_segment_bytes,
        min_isr: broker.share_coordinator_state_topic_min_isr,
        compression: CompressionType::from_id(broker.share_coordinator_state_topic_compression_codec)
            .unwrap_or_default(),
        snapshots: Mutex::default(),
    };
    ShareCoordinator::new(topic, broker.share_coordinator_snapshot_update_records_per_snapshot, clock)
}

fn offsets_topic(config: &NodeConfig, topics: Arc<Topics>) -> OffsetsTopic {
    let broker = &config.broker;
    OffsetsTopic {
        topics,
        layers: config.layers.clone(),
        partitions: broker.offsets_topic_num_partitions,
        replication_factor: 1,
        segment_bytes: broker.offsets_topic_segment_bytes,
        compression: CompressionType::from_id(broker.offsets_topic_compression_codec).unwrap_or_default(),
    }
}
