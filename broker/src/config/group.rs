//! Group configs (KIP-848, KIP-932, KIP-1071): their table, the broker configs that are their defaults and bounds, and
//! what they make, typed. As Kafka's `GroupConfig`.

use super::alter::AlterError;
use super::broker::broker_config;
use super::definition::{ConfigDef, Effect::Works, config_defs, find, merge};
use super::error::ConfigError;
use super::layers::{BrokerLayers, ConfigMap};
use super::typed::TypedValues;
use super::validator::Validator::{Any, AtLeast, OffsetReset, OneOf};
use super::value::Value;

/// Every group config, sorted by name.
pub static GROUP_CONFIGS: [&ConfigDef; 17] = merge(&[DEFS]);

const DEFS: &[ConfigDef] = config_defs! {
    Int "consumer.assignment.interval.ms" = "1000", AtLeast(0), ClusterWide, Works,
        "time between two computed assignments of a consumer group";
    Int "consumer.heartbeat.interval.ms" = "5000", AtLeast(1), ClusterWide, Works,
        "heartbeat interval given to members of a consumer group";
    Int "consumer.session.timeout.ms" = "45000", AtLeast(1), ClusterWide, Works,
        "session timeout of members of a consumer group";
    Int "share.assignment.interval.ms" = "1000", AtLeast(0), ClusterWide, Works,
        "time between two computed assignments of a share group";
    String "share.auto.offset.reset" = "latest", OffsetReset, ClusterWide, Works,
        "where a share group begins: `latest`, `earliest` or `by_duration:` with an ISO 8601 duration";
    Int "share.delivery.count.limit" = "5", AtLeast(2), ClusterWide, Works,
        "how often a share group delivers a record at most";
    Int "share.heartbeat.interval.ms" = "5000", AtLeast(1), ClusterWide, Works,
        "heartbeat interval given to members of a share group";
    String "share.isolation.level" = "read_uncommitted", OneOf(&["read_committed", "read_uncommitted"]), ClusterWide,
        Works,
        "whether a share group reads records of transactions before they are committed";
    Int "share.partition.max.record.locks" = "2000", AtLeast(100), ClusterWide, Works,
        "records of a partition that a share group may have in hand";
    Int "share.record.lock.duration.ms" = "30000", AtLeast(1000), ClusterWide, Works,
        "how long a record is in a share consumer's hand before it is given to another";
    Boolean "share.renew.acknowledge.enable" = "true", Any, ClusterWide, Works,
        "whether share consumers may keep records in hand for longer";
    Int "share.session.timeout.ms" = "45000", AtLeast(1), ClusterWide, Works,
        "session timeout of members of a share group";
    Int "streams.assignment.interval.ms" = "1000", AtLeast(0), ClusterWide, Works,
        "time between two computed assignments of a streams group";
    Int "streams.heartbeat.interval.ms" = "5000", AtLeast(1), ClusterWide, Works,
        "heartbeat interval given to members of a streams group";
    Int "streams.initial.rebalance.delay.ms" = "0", AtLeast(0), ClusterWide, Works,
        "wait for more members before a streams group's first assignment";
    Int "streams.num.standby.replicas" = "0", AtLeast(0), ClusterWide, Works,
        "standby copies of a streams group's state";
    Int "streams.session.timeout.ms" = "45000", AtLeast(1), ClusterWide, Works,
        "session timeout of members of a streams group";
};

/// The group config of this name.
pub fn group_config(name: &str) -> Option<&'static ConfigDef> {
    find(&GROUP_CONFIGS, name)
}

/// The broker config that is the default of a group config.
pub fn group_config_synonym(name: &str) -> Option<&'static str> {
    let at = BROKER_CONFIGS_OF.binary_search_by(|of| of.group.cmp(name)).ok()?;
    Some(BROKER_CONFIGS_OF[at].default)
}

/// The broker configs that stand behind a group config.
struct BrokerConfigsOf {
    group: &'static str,
    default: &'static str,
    /// Below it no group may go.
    least: Option<&'static str>,
    /// Nor above it.
    most: Option<&'static str>,
}

const fn bounded(
    group: &'static str,
    default: &'static str,
    least: &'static str,
    most: &'static str,
) -> BrokerConfigsOf {
    BrokerConfigsOf { group, default, least: Some(least), most: Some(most) }
}

static BROKER_CONFIGS_OF: [BrokerConfigsOf; 14] = [
    bounded(
        "consumer.assignment.interval.ms",
        "group.consumer.assignment.interval.ms",
        "group.consumer.min.assignment.interval.ms",
        "group.consumer.max.assignment.interval.ms",
    ),
    bounded(
        "consumer.heartbeat.interval.ms",
        "group.consumer.heartbeat.interval.ms",
        "group.consumer.min.heartbeat.interval.ms",
        "group.consumer.max.heartbeat.interval.ms",
    ),
    bounded(
        "consumer.session.timeout.ms",
        "group.consumer.session.timeout.ms",
        "group.consumer.min.session.timeout.ms",
        "group.consumer.max.session.timeout.ms",
    ),
    bounded(
        "share.assignment.interval.ms",
        "group.share.assignment.interval.ms",
        "group.share.min.assignment.interval.ms",
        "group.share.max.assignment.interval.ms",
    ),
    bounded(
        "share.delivery.count.limit",
        "group.share.delivery.count.limit",
        "group.share.min.delivery.count.limit",
        "group.share.max.delivery.count.limit",
    ),
    bounded(
        "share.heartbeat.interval.ms",
        "group.share.heartbeat.interval.ms",
        "group.share.min.heartbeat.interval.ms",
        "group.share.max.heartbeat.interval.ms",
    ),
    bounded(
        "share.partition.max.record.locks",
        "group.share.partition.max.record.locks",
        "group.share.min.partition.max.record.locks",
        "group.share.max.partition.max.record.locks",
    ),
    bounded(
        "share.record.lock.duration.ms",
        "group.share.record.lock.duration.ms",
        "group.share.min.record.lock.duration.ms",
        "group.share.max.record.lock.duration.ms",
    ),
    bounded(
        "share.session.timeout.ms",
        "group.share.session.timeout.ms",
        "group.share.min.session.timeout.ms",
        "group.share.max.session.timeout.ms",
    ),
    bounded(
        "streams.assignment.interval.ms",
        "group.streams.assignment.interval.ms",
        "group.streams.min.assignment.interval.ms",
        "group.streams.max.assignment.interval.ms",
    ),
    bounded(
        "streams.heartbeat.interval.ms",
        "group.streams.heartbeat.interval.ms",
        "group.streams.min.heartbeat.interval.ms",
        "group.streams.max.heartbeat.interval.ms",
    ),
    BrokerConfigsOf {
        group: "streams.initial.rebalance.delay.ms",
        default: "group.streams.initial.rebalance.delay.ms",
        least: None,
        most: None,
    },
    BrokerConfigsOf {
        group: "streams.num.standby.replicas",
        default: "group.streams.num.standby.replicas",
        least: None,
        most: Some("group.streams.max.standby.replicas"),
    },
    bounded(
        "streams.session.timeout.ms",
        "group.streams.session.timeout.ms",
        "group.streams.min.session.timeout.ms",
        "group.streams.max.session.timeout.ms",
    ),
];

/// A session must be longer than the time between two heartbeats.
const HEARTBEATS: [(&str, &str); 3] = [
    ("consumer.heartbeat.interval.ms", "consumer.session.timeout.ms"),
    ("share.heartbeat.interval.ms", "share.session.timeout.ms"),
    ("streams.heartbeat.interval.ms", "streams.session.timeout.ms"),
];

/// What a group follows. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    /// `consumer.assignment.interval.ms`.
    pub consumer_assignment_interval_ms: i32,
    /// `consumer.heartbeat.interval.ms`.
    pub consumer_heartbeat_interval_ms: i32,
    /// `consumer.session.timeout.ms`.
    pub consumer_session_timeout_ms: i32,
    /// `share.assignment.interval.ms`.
    pub share_assignment_interval_ms: i32,
    /// `share.auto.offset.reset`.
    pub share_auto_offset_reset: String,
    /// `share.delivery.count.limit`.
    pub share_delivery_count_limit: i32,
    /// `share.heartbeat.interval.ms`.
    pub share_heartbeat_interval_ms: i32,
    /// `share.isolation.level`.
    pub share_isolation_level: String,
    /// `share.partition.max.record.locks`.
    pub share_partition_max_record_locks: i32,
    /// `share.record.lock.duration.ms`.
    pub share_record_lock_duration_ms: i32,
    /// `share.renew.acknowledge.enable`.
    pub share_renew_acknowledge_enable: bool,
    /// `share.session.timeout.ms`.
    pub share_session_timeout_ms: i32,
    /// `streams.assignment.interval.ms`.
    pub streams_assignment_interval_ms: i32,
    /// `streams.heartbeat.interval.ms`.
    pub streams_heartbeat_interval_ms: i32,
    /// `streams.initial.rebalance.delay.ms`.
    pub streams_initial_rebalance_delay_ms: i32,
    /// `streams.num.standby.replicas`.
    pub streams_num_standby_replicas: i32,
    /// `streams.session.timeout.ms`.
    pub streams_session_timeout_ms: i32,
}

impl GroupConfig {
    /// What `overrides`, which are set for a group, make with the broker's configs. A value that the broker's bounds
    /// do not allow any more counts as the bound.
    ///
    /// # Errors
    /// A value that its config does not allow.
    pub fn resolve(overrides: &ConfigMap, broker: &BrokerLayers) -> Result<Self, ConfigError> {
        let values = Values { overrides, broker };
        Ok(Self {
            consumer_assignment_interval_ms: values.int("consumer.assignment.interval.ms")?,
            consumer_heartbeat_interval_ms: values.int("consumer.heartbeat.interval.ms")?,
            consumer_session_timeout_ms: values.int("consumer.session.timeout.ms")?,
            share_assignment_interval_ms: values.int("share.assignment.interval.ms")?,
            share_auto_offset_reset: values.text("share.auto.offset.reset")?,
            share_delivery_count_limit: values.int("share.delivery.count.limit")?,
            share_heartbeat_interval_ms: values.int("share.heartbeat.interval.ms")?,
            share_isolation_level: values.text("share.isolation.level")?,
            share_partition_max_record_locks: values.int("share.partition.max.record.locks")?,
            share_record_lock_duration_ms: values.int("share.record.lock.duration.ms")?,
            share_renew_acknowledge_enable: values.boolean("share.renew.acknowledge.enable")?,
            share_session_timeout_ms: values.int("share.session.timeout.ms")?,
            streams_assignment_interval_ms: values.int("streams.assignment.interval.ms")?,
            streams_heartbeat_interval_ms: values.int("streams.heartbeat.interval.ms")?,
            streams_initial_rebalance_delay_ms: values.int("streams.initial.rebalance.delay.ms")?,
            streams_num_standby_replicas: values.int("streams.num.standby.replicas")?,
            streams_session_timeout_ms: values.int("streams.session.timeout.ms")?,
        })
    }
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self::resolve(&ConfigMap::new(), &BrokerLayers::default()).expect("the defaults are allowed")
    }
}

/// Checks everything that would be set for a group (`GroupConfig.validate`).
pub(super) fn check(overrides: &ConfigMap, broker: &BrokerLayers) -> Result<(), AlterError> {
    let invalid = |reason: String| Err(AlterError::InvalidConfig(reason));
    for (name, text) in overrides {
        let Some(def) = group_config(name) else {
            return invalid(format!("Unknown group config name: {name}"));
        };
        let value = def.parse(text).map_err(|error| AlterError::InvalidConfig(error.to_string()))?;
        let bounds = bounds(name, broker).map_err(|error| AlterError::InvalidConfig(error.to_string()))?;
        for (bound, is_least) in bounds {
            let (Some(value), Some(limit)) = (value.as_i64(), bound.limit) else {
                continue;
            };
            let (allowed, order) = if is_least { (value >= limit, "greater") } else { (value <= limit, "less") };
            if !allowed {
                return invalid(format!("{name} must be {order} than or equal to {} ({limit})", bound.name));
            }
        }
    }
    let values = Values { overrides, broker };
    for (heartbeat, session) in HEARTBEATS {
        let number = |name| values.long(name).map_err(|error| AlterError::InvalidConfig(error.to_string()));
        if number(session)? <= number(heartbeat)? {
            return invalid(format!("{session} must be greater than {heartbeat}"));
        }
    }
    Ok(())
}

struct Bound {
    name: &'static str,
    limit: Option<i64>,
}

/// The broker's bounds of a group config, each with whether it is the lower one.
fn bounds(name: &str, broker: &BrokerLayers) -> Result<Vec<(Bound, bool)>, ConfigError> {
    let Ok(at) = BROKER_CONFIGS_OF.binary_search_by(|of| of.group.cmp(name)) else {
        return Ok(Vec::new());
    };
    let of = &BROKER_CONFIGS_OF[at];
    let named = [(of.least, true), (of.most, false)].into_iter().filter_map(|(name, is_least)| Some((name?, is_least)));
    let bound = |(name, is_least): (&'static str, bool)| {
        let def = broker_config(name).expect("every bound is a broker config");
        let limit = broker.value(def)?.and_then(|value| value.as_i64());
        Ok((Bound { name, limit }, is_least))
    };
    named.map(bound).collect()
}

/// The value of a group config: the group's own, else that of the broker.
pub(super) fn group_value(
    def: &ConfigDef,
    overrides: &ConfigMap,
    broker: &BrokerLayers,
) -> Result<Option<Value>, ConfigError> {
    if let Some(text) = overrides.get(def.name) {
        return def.parse(text).map(Some);
    }
    match group_config_synonym(def.name).and_then(broker_config) {
        Some(synonym) => broker.value(synonym),
        None => Ok(def.default_value()),
    }
}

/// Values by name, within the broker's bounds.
struct Values<'a> {
    overrides: &'a ConfigMap,
    broker: &'a BrokerLayers,
}

impl TypedValues for Values<'_> {
    fn value(&self, name: &'static str) -> Result<Option<Value>, ConfigError> {
        let def = group_config(name).expect("the table has every name used here");
        let mut value = group_value(def, self.overrides, self.broker)?;
        if !self.overrides.contains_key(name) {
            return Ok(value);
        }
        for (bound, is_least) in bounds(name, self.broker)? {
            if let (Some(Value::Int(value)), Some(limit)) = (&mut value, bound.limit) {
                let limit = i32::try_from(limit).unwrap_or(*value);
                *value = if is_least { (*value).max(limit) } else { (*value).min(limit) };
            }
        }
        Ok(value)
    }
}
