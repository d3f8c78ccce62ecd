//! What the broker's configs make it do, typed; Kafka's `KafkaConfig`, of which it holds what works here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::broker::{broker_config, listener_config};
use super::error::ConfigError;
use super::layers::BrokerLayers;
use super::listeners::{Listener, ListenerSettings, normalised};
use super::relations;
use super::typed::TypedValues;
use super::validator::is_host;
use super::value::{Value, split_list, trim};

/// The configuration of a broker.
///
/// It is made at start and when a dynamic config changes; nothing is read from text in between. The defaults of
/// topic configs are not here: [`super::TopicConfig::resolve`] reads them from the same layers.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerConfig {
    /// `add.partitions.to.txn.retry.backoff.ms`, at least a millisecond.
    pub add_partitions_to_txn_retry_backoff: Duration,
    /// `add.partitions.to.txn.retry.backoff.max.ms`.
    pub add_partitions_to_txn_retry_backoff_max: Duration,
    /// `auto.create.topics.enable`.
    pub auto_create_topics_enable: bool,
    /// `broker.rack`.
    pub broker_rack: Option<String>,
    /// `connections.max.idle.ms`; `None` is for ever.
    pub connections_max_idle: Option<Duration>,
    /// `controller.quota.window.num`, at least 1.
    pub controller_quota_window_num: u32,
    /// `controller.quota.window.size.seconds`, at least 1.
    pub controller_quota_window_size_seconds: u32,
    /// `default.replication.factor`. Whatever it is, a topic has one replica.
    pub default_replication_factor: i32,
    /// `delete.topic.enable`.
    pub delete_topic_enable: bool,
    /// `fetch.max.bytes`, at least 1,024.
    pub fetch_max_bytes: u32,
    /// `group.consumer.assignors`, of which there is at least one.
    pub group_consumer_assignors: Vec<String>,
    /// `group.consumer.max.size`, at least 1.
    pub group_consumer_max_size: u32,
    /// `group.consumer.migration.policy`.
    pub group_consumer_migration_policy: String,
    /// `group.coordinator.rebalance.protocols`.
    pub group_coordinator_rebalance_protocols: Vec<String>,
    /// `group.initial.rebalance.delay.ms`.
    pub group_initial_rebalance_delay: Duration,
    /// `group.max.session.timeout.ms`.
    pub group_max_session_timeout: Duration,
    /// `group.max.size`, at least 1.
    pub group_max_size: u32,
    /// `group.min.session.timeout.ms`.
    pub group_min_session_timeout: Duration,
    /// `group.streams.max.size`, at least 1.
    pub group_streams_max_size: u32,
    /// `listeners` with what `advertised.listeners` says of them; at least one is advertised.
    pub listeners: Vec<Listener>,
    /// `log.dirs`, or `log.dir` if that is not set.
    pub log_dir: PathBuf,
    /// `log.cleaner.backoff.ms`.
    pub log_cleaner_backoff: Duration,
    /// `log.cleaner.dedupe.buffer.size`, in bytes.
    pub log_cleaner_dedupe_buffer_size: i64,
    /// `log.cleaner.enable`.
    pub log_cleaner_enable: bool,
    /// `log.cleaner.io.buffer.load.factor`.
    pub log_cleaner_io_buffer_load_factor: f64,
    /// `brooklet.declare`: files and directories.
    pub declare: Vec<PathBuf>,
    /// `brooklet.declare.prune`.
    pub declare_prune: bool,
    /// `brooklet.flush.before.ack`.
    pub flush_before_ack: bool,
    /// `brooklet.strict.replication`.
    pub strict_replication: bool,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub log_flush_offset_checkpoint_interval: Duration,
    /// `log.initial.task.delay.ms`.
    pub log_initial_task_delay: Duration,
    /// `log.retention.check.interval.ms`.
    pub log_retention_check_interval: Duration,
    /// `max.connections`.
    pub max_connections: u32,
    /// `max.connections.per.ip`.
    pub max_connections_per_ip: u32,
    /// `max.connections.per.ip.overrides`: limits of single hosts, by name or address.
    pub max_connections_per_ip_overrides: BTreeMap<String, u32>,
    /// `max.incremental.fetch.session.cache.slots`.
    pub max_incremental_fetch_session_cache_slots: u32,
    /// `node.id`, not negative.
    pub node_id: i32,
    /// `num.partitions`, at least 1.
    pub num_partitions: i32,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max_bytes: u32,
    /// `offsets.retention.minutes`.
    pub offsets_retention: Duration,
    /// `offsets.retention.check.interval.ms`, at least a millisecond.
    pub offsets_retention_check_interval: Duration,
    /// `offsets.topic.compression.codec`: the codec's id in batch attributes.
    pub offsets_topic_compression_codec: u8,
    /// `offsets.topic.num.partitions`, at least 1.
    pub offsets_topic_num_partitions: i32,
    /// `offsets.topic.segment.bytes`, at least 1.
    pub offsets_topic_segment_bytes: u32,
    /// `producer.id.expiration.ms`, at least a millisecond.
    pub producer_id_expiration: Duration,
    /// `quota.window.num`, at least 1.
    pub quota_window_num: u32,
    /// `quota.window.size.seconds`, at least 1.
    pub quota_window_size_seconds: u32,
    /// `queued.max.request.bytes`; `None` is no limit. A request of the greatest size fits.
    pub queued_max_request_bytes: Option<u64>,
    /// `share.coordinator.cold.partition.snapshot.interval.ms`.
    pub share_coordinator_cold_partition_snapshot_interval: Duration,
    /// `share.coordinator.snapshot.update.records.per.snapshot`.
    pub share_coordinator_snapshot_update_records_per_snapshot: u32,
    /// `share.coordinator.state.topic.compression.codec`: the codec's id in batch attributes.
    pub share_coordinator_state_topic_compression_codec: u8,
    /// `share.coordinator.state.topic.min.isr`. Whatever it is, a topic has one replica.
    pub share_coordinator_state_topic_min_isr: i16,
    /// `share.coordinator.state.topic.num.partitions`, at least 1.
    pub share_coordinator_state_topic_num_partitions: i32,
    /// `share.coordinator.state.topic.segment.bytes`, at least 1.
    pub share_coordinator_state_topic_segment_bytes: u32,
    /// `group.share.max.share.sessions`, at least 1.
    pub share_group_max_share_sessions: u32,
    /// `group.share.max.size`, at least 1.
    pub share_group_max_size: u32,
    /// `socket.listen.backlog.size`, at least 1.
    pub socket_listen_backlog_size: u32,
    /// `socket.receive.buffer.bytes`; `None` is the system's choice.
    pub socket_receive_buffer_bytes: Option<u32>,
    /// `socket.request.max.bytes`, at least 1.
    pub socket_request_max_bytes: u32,
    /// `socket.send.buffer.bytes`; `None` is the system's choice.
    pub socket_send_buffer_bytes: Option<u32>,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`, at least a millisecond.
    pub transaction_abort_timed_out_interval: Duration,
    /// `transaction.max.timeout.ms`, at least 1.
    pub transaction_max_timeout_ms: i32,
    /// `transaction.partition.verification.enable`.
    pub transaction_partition_verification_enable: bool,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`, at least a millisecond.
    pub transaction_remove_expired_interval: Duration,
    /// `transaction.state.log.min.isr`. Whatever it is, there is one replica.
    pub transaction_state_log_min_isr: i32,
    /// `transaction.state.log.num.partitions`, at least 1.
    pub transaction_state_log_num_partitions: i32,
    /// `transaction.state.log.segment.bytes`, at least 1.
    pub transaction_state_log_segment_bytes: u32,
    /// `transactional.id.expiration.ms`, at least a millisecond.
    pub transactional_id_expiration: Duration,
}

impl BrokerConfig {
    /// The configuration that these layers make.
    ///
    /// # Errors
    /// A value that its config does not allow, values that contradict each other, or a choice that this broker does
    /// not offer: more than one data directory, a listener that is not PLAINTEXT, a process that is no broker.
    pub fn resolve(layers: &BrokerLayers) -> Result<Self, ConfigError> {
        for (name, text) in layers.settings() {
            if let Some(def) = broker_config(name).or_else(|| listener_config(name)) {
                def.parse_as(name, text)?;
            }
        }
        relations::check(layers)?;
        let values = Values(layers);
        let config = values.config()?;
        values.check_inert()?;
        config.check()?;
        Ok(config)
    }

    /// Requirements that span several configs (`KafkaConfig.validateValues`).
    fn check(&self) -> Result<(), ConfigError> {
        if self.max_connections_per_ip == 0 && self.max_connections_per_ip_overrides.is_empty() {
            return Err(ConfigError::Conflict(
                "max.connections.per.ip may be 0 only if max.connections.per.ip.overrides is set".to_owned(),
            ));
        }
        if let Some(queued) = self.queued_max_request_bytes
            && queued < self.socket_request_max_bytes.into()
        {
            return Err(ConfigError::Conflict(format!(
                "queued.max.request.bytes ({queued}) must be at least socket.request.max.bytes ({})",
                self.socket_request_max_bytes
            )));
        }
        Ok(())
    }
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self::resolve(&BrokerLayers::default()).expect("the defaults are allowed")
    }
}

/// Typed access to the layers.
struct Values<'a>(&'a BrokerLayers);

impl Values<'_> {
    fn config(&self) -> Result<BrokerConfig, ConfigError> {
        let positive = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
        // -1 keeps the system's choice; nothing below 1 makes sense to set.
        let buffer = |name| Ok::<_, ConfigError>(Some(self.size(name)?).filter(|bytes| *bytes > 0));
        let idle_ms = self.long("connections.max.idle.ms")?;
        Ok(BrokerConfig {
            add_partitions_to_txn_retry_backoff: self.duration_ms("add.partitions.to.txn.retry.backoff.ms")?,
            add_partitions_to_txn_retry_backoff_max: self.duration_ms("add.partitions.to.txn.retry.backoff.max.ms")?,
            auto_create_topics_enable: self.boolean("auto.create.topics.enable")?,
            broker_rack: self.maybe_text("broker.rack")?,
            connections_max_idle: u64::try_from(idle_ms).ok().map(Duration::from_millis),
            controller_quota_window_num: self.size("controller.quota.window.num")?,
            controller_quota_window_size_seconds: self.size("controller.quota.window.size.seconds")?,
            default_replication_factor: self.int("default.replication.factor")?,
            delete_topic_enable: self.boolean("delete.topic.enable")?,
            fetch_max_bytes: self.size("fetch.max.bytes")?,
            group_consumer_assignors: self.list("group.consumer.assignors")?,
            group_consumer_max_size: self.size("group.consumer.max.size")?,
            group_consumer_migration_policy: self.text("group.consumer.migration.policy")?,
            group_coordinator_rebalance_protocols: self.list("group.coordinator.rebalance.protocols")?,
            group_initial_rebalance_delay: self.duration_ms("group.initial.rebalance.delay.ms")?,
            group_max_session_timeout: self.duration_ms("group.max.session.timeout.ms")?,
            group_max_size: self.size("group.max.size")?,
            group_min_session_timeout: self.duration_ms("group.min.session.timeout.ms")?,
            group_streams_max_size: self.size("group.streams.max.size")?,
            listeners: self.listeners()?,
            log_dir: self.log_dir()?,
            log_cleaner_backoff: self.duration_ms("log.cleaner.backoff.ms")?,
            log_cleaner_dedupe_buffer_size: self.long("log.cleaner.dedupe.buffer.size")?,
            log_cleaner_enable: self.boolean("log.cleaner.enable")?,
            log_cleaner_io_buffer_load_factor: self.double("log.cleaner.io.buffer.load.factor")?,
            declare: self.list("brooklet.declare")?.into_iter().map(PathBuf::from).collect(),
            declare_prune: self.boolean("brooklet.declare.prune")?,
            flush_before_ack: self.boolean("brooklet.flush.before.ack")?,
            strict_replication: self.boolean("brooklet.strict.replication")?,
            log_flush_offset_checkpoint_interval: self.duration_ms("log.flush.offset.checkpoint.interval.ms")?,
            log_initial_task_delay: self.duration_ms("log.initial.task.delay.ms")?,
            log_retention_check_interval: self.duration_ms("log.retention.check.interval.ms")?,
            max_connections: self.size("max.connections")?,
            max_connections_per_ip: self.size("max.connections.per.ip")?,
            max_connections_per_ip_overrides: self.per_ip_overrides()?,
            max_incremental_fetch_session_cache_slots: self.size("max.incremental.fetch.session.cache.slots")?,
            node_id: self.node_id()?,
            num_partitions: self.int("num.partitions")?,
            offset_metadata_max_bytes: self.size("offset.metadata.max.bytes")?,
            offsets_retention: Duration::from_secs(60 * u64::from(self.size("offsets.retention.minutes")?)),
            offsets_retention_check_interval: self.duration_ms("offsets.retention.check.interval.ms")?,
            offsets_topic_compression_codec: self.codec("offsets.topic.compression.codec")?,
            offsets_topic_num_partitions: self.int("offsets.topic.num.partitions")?,
            offsets_topic_segment_bytes: self.size("offsets.topic.segment.bytes")?,
            producer_id_expiration: self.duration_ms("producer.id.expiration.ms")?,
            quota_window_num: self.size("quota.window.num")?,
            quota_window_size_seconds: self.size("quota.window.size.seconds")?,
            queued_max_request_bytes: positive(self.long("queued.max.request.bytes")?),
            share_coordinator_cold_partition_snapshot_interval: self
                .duration_ms("share.coordinator.cold.partition.snapshot.interval.ms")?,
            share_coordinator_snapshot_update_records_per_snapshot: self
                .size("share.coordinator.snapshot.update.records.per.snapshot")?,
            share_coordinator_state_topic_compression_codec: self
                .codec("share.coordinator.state.topic.compression.codec")?,
            share_coordinator_state_topic_min_isr: i16::try_from(self.int("share.coordinator.state.topic.min.isr")?)
                .unwrap_or(i16::MAX),
            share_coordinator_state_topic_num_partitions: self.int("share.coordinator.state.topic.num.partitions")?,
            share_coordinator_state_topic_segment_bytes: self.size("share.coordinator.state.topic.segment.bytes")?,
            share_group_max_share_sessions: self.size("group.share.max.share.sessions")?,
            share_group_max_size: self.size("group.share.max.size")?,
            socket_listen_backlog_size: self.size("socket.listen.backlog.size")?,
            socket_receive_buffer_bytes: buffer("socket.receive.buffer.bytes")?,
            socket_request_max_bytes: self.size("socket.request.max.bytes")?,
            socket_send_buffer_bytes: buffer("socket.send.buffer.bytes")?,
            transaction_abort_timed_out_interval: self
                .duration_ms("transaction.abort.timed.out.transaction.cleanup.interval.ms")?,
            transaction_max_timeout_ms: self.int("transaction.max.timeout.ms")?,
            transaction_partition_verification_enable: self.boolean("transaction.partition.verification.enable")?,
            transaction_remove_expired_interval: self
                .duration_ms("transaction.remove.expired.transaction.cleanup.interval.ms")?,
            transaction_state_log_min_isr: self.int("transaction.state.log.min.isr")?,
            transaction_state_log_num_partitions: self.int("transaction.state.log.num.partitions")?,
            transaction_state_log_segment_bytes: self.size("transaction.state.log.segment.bytes")?,
            transactional_id_expiration: self.duration_ms("transactional.id.expiration.ms")?,
        })
    }

    fn node_id(&self) -> Result<i32, ConfigError> {
        let id = self.int("node.id")?;
        match self.0.text("broker.id") {
            Some(_) if self.int("broker.id")? != id => Err(ConfigError::Conflict(format!(
                "node.id ({id}) and broker.id ({}) must be the same",
                self.int("broker.id")?
            ))),
            _ => Ok(id),
        }
    }

    fn log_dir(&self) -> Result<PathBuf, ConfigError> {
        let (name, dirs) = match self.list("log.dirs")? {
            dirs if dirs.is_empty() => ("log.dir", self.list("log.dir")?),
            dirs => ("log.dirs", dirs),
        };
        match dirs.as_slice() {
            [dir] => Ok(PathBuf::from(dir)),
            dirs => Err(ConfigError::invalid(name, &dirs.join(","), "must be one directory")),
        }
    }

    fn listeners(&self) -> Result<Vec<Listener>, ConfigError> {
        let roles = self.list("process.roles")?;
        if !roles.is_empty() && !roles.iter().any(|role| role == "broker") {
            let reason = "this process is always a broker, so that the roles must include it";
            return Err(ConfigError::invalid("process.roles", &roles.join(","), reason));
        }
        let map = "listener.security.protocol.map";
        let settings = ListenerSettings {
            listeners: self.list("listeners")?,
            advertised_listeners: match self.value("advertised.listeners")? {
                Some(_) => Some(self.list("advertised.listeners")?),
                None => None,
            },
            security_protocol_map: match self.0.text(map) {
                Some(_) => Some(self.text(map)?),
                None => None,
            },
            controller_listener_names: self.list("controller.listener.names")?,
        };
        let listeners = settings.parse()?;
        let name = "inter.broker.listener.name";
        if let Some(inter_broker) = self.maybe_text(name)? {
            let inter_broker = normalised(&inter_broker);
            if listeners.iter().all(|listener| listener.name != inter_broker) {
                let names: Vec<_> = listeners.iter().map(|listener| listener.name.as_str()).collect();
                let reason = format!("must be one of the listeners, which are {}", names.join(", "));
                return Err(ConfigError::invalid(name, &inter_broker, reason));
            }
        }
        Ok(listeners)
    }

    fn per_ip_overrides(&self) -> Result<BTreeMap<String, u32>, ConfigError> {
        let name = "max.connections.per.ip.overrides";
        let mut limits = BTreeMap::new();
        for entry in split_list(trim(&self.text(name)?)) {
            let limit = entry
                .rsplit_once(':')
                .filter(|(host, _)| is_host(trim(host)))
                .and_then(|(host, limit)| Some((trim(host), trim(limit).parse::<i32>().ok()?)));
            let Some((host, limit)) = limit else {
                return Err(ConfigError::invalid(name, &entry, "must be a list of host:count"));
            };
            limits.insert(host.to_owned(), u32::try_from(limit).unwrap_or_default());
        }
        Ok(limits)
    }

    fn codec(&self, name: &'static str) -> Result<u8, ConfigError> {
        let id = self.int(name)?;
        match u8::try_from(id) {
            Ok(codec @ 0..=4) => Ok(codec),
            _ => Err(ConfigError::invalid(name, &id.to_string(), "must be from 0 to 4")),
        }
    }

    /// Requirements on configs that have no effect here, which a stock broker would not start against either.
    fn check_inert(&self) -> Result<(), ConfigError> {
        let require = |holds: bool, what: &str| match holds {
            true => Ok(()),
            false => Err(ConfigError::Conflict(what.to_owned())),
        };
        let at_least = |name, least| {
            let value = self.value(name)?.and_then(|value: Value| value.as_i64());
            Ok::<_, ConfigError>(value.is_none_or(|value| value >= least))
        };
        require(at_least("log.roll.ms", 1)?, "log.roll.ms must be at least 1")?;
        require(at_least("log.roll.jitter.ms", 0)?, "log.roll.jitter.ms must be at least 0")?;
        require(self.retention()? != Some(0), "log.retention.ms must be at least 1, or -1 for no limit")?;
        let threads = self.long("log.cleaner.threads")?.max(1);
        require(
            self.long("log.cleaner.dedupe.buffer.size")? / threads > 1 << 20,
            "log.cleaner.dedupe.buffer.size must be above 1 MiB for each of log.cleaner.threads",
        )?;
        let idle_ms = self.long("connections.max.idle.ms")?;
        require(
            idle_ms < 0 || self.long("connection.failed.authentication.delay.ms")? < idle_ms,
            "connection.failed.authentication.delay.ms must be below connections.max.idle.ms",
        )?;
        require(
            self.list("group.share.assignors")? == ["simple"],
            "group.share.assignors must be the one there is, simple",
        )
    }

    /// The first that is set of the retention limits, in its own unit.
    fn retention(&self) -> Result<Option<i64>, ConfigError> {
        for name in ["log.retention.ms", "log.retention.minutes", "log.retention.hours"] {
            if let Some(value) = self.value(name)? {
                return Ok(value.as_i64());
            }
        }
        Ok(None)
    }

    fn maybe_text(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        Ok(self.value(name)?.map(|value| value.to_string()))
    }
}

impl TypedValues for Values<'_> {
    fn value(&self, name: &'static str) -> Result<Option<Value>, ConfigError> {
        let def = broker_config(name).expect("the table has every name used here");
        self.0.value(def)
    }
}
