//! Pairs of broker configs that must keep an order: what Kafka's `GroupCoordinatorConfig`, `ShareGroupConfig` and
//! `KafkaConfig` require of each other's values.

use super::broker::broker_config;
use super::error::ConfigError;
use super::layers::BrokerLayers;

/// Checks every pair of which at least one is set.
pub(super) fn check(layers: &BrokerLayers) -> Result<(), ConfigError> {
    for (lesser, greater) in AT_MOST {
        if let Some((a, b)) = values(lesser, greater, layers)?
            && a > b
        {
            return Err(conflict(lesser, a, "at most", greater, b));
        }
    }
    for (lesser, greater) in BELOW {
        if let Some((a, b)) = values(lesser, greater, layers)?
            && a >= b
        {
            return Err(conflict(lesser, a, "below", greater, b));
        }
    }
    Ok(())
}

fn values(lesser: &str, greater: &str, layers: &BrokerLayers) -> Result<Option<(i64, i64)>, ConfigError> {
    if layers.text(lesser).is_none() && layers.text(greater).is_none() {
        return Ok(None);
    }
    let number = |name| {
        let def = broker_config(name).expect("both names are in the table");
        let value = layers.value(def)?;
        Ok(value.and_then(|value| value.as_i64()))
    };
    Ok(number(lesser)?.zip(number(greater)?))
}

fn conflict(lesser: &str, a: i64, order: &str, greater: &str, b: i64) -> ConfigError {
    ConfigError::Conflict(format!("{lesser} ({a}) must be {order} {greater} ({b})"))
}

/// The first must not be greater than the second.
const AT_MOST: [(&str, &str); 29] = [
    ("group.consumer.min.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"),
    ("group.consumer.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"),
    ("group.consumer.min.session.timeout.ms", "group.consumer.session.timeout.ms"),
    ("group.consumer.session.timeout.ms", "group.consumer.max.session.timeout.ms"),
    ("group.consumer.min.assignment.interval.ms", "group.consumer.assignment.interval.ms"),
    ("group.consumer.assignment.interval.ms", "group.consumer.max.assignment.interval.ms"),
    ("group.share.min.heartbeat.interval.ms", "group.share.heartbeat.interval.ms"),
    ("group.share.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms"),
    ("group.share.min.session.timeout.ms", "group.share.session.timeout.ms"),
    ("group.share.session.timeout.ms", "group.share.max.session.timeout.ms"),
    ("group.share.min.assignment.interval.ms", "group.share.assignment.interval.ms"),
    ("group.share.assignment.interval.ms", "group.share.max.assignment.interval.ms"),
    ("group.share.min.delivery.count.limit", "group.share.delivery.count.limit"),
    ("group.share.delivery.count.limit", "group.share.max.delivery.count.limit"),
    ("group.share.min.partition.max.record.locks", "group.share.partition.max.record.locks"),
    ("group.share.partition.max.record.locks", "group.share.max.partition.max.record.locks"),
    ("group.share.min.record.lock.duration.ms", "group.share.record.lock.duration.ms"),
    ("group.share.record.lock.duration.ms", "group.share.max.record.lock.duration.ms"),
    ("group.share.max.size", "group.share.max.share.sessions"),
    ("group.streams.min.heartbeat.interval.ms", "group.streams.heartbeat.interval.ms"),
    ("group.streams.heartbeat.interval.ms", "group.streams.max.heartbeat.interval.ms"),
    ("group.streams.min.session.timeout.ms", "group.streams.session.timeout.ms"),
    ("group.streams.session.timeout.ms", "group.streams.max.session.timeout.ms"),
    ("group.streams.min.assignment.interval.ms", "group.streams.assignment.interval.ms"),
    ("group.streams.assignment.interval.ms", "group.streams.max.assignment.interval.ms"),
    ("group.streams.num.standby.replicas", "group.streams.max.standby.replicas"),
    ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
    ("replica.fetch.wait.max.ms", "replica.lag.time.max.ms"),
    ("replica.fetch.wait.max.ms", "replica.socket.timeout.ms"),
];

/// The first must be less than the second.
const BELOW: [(&str, &str); 3] = [
    ("group.consumer.heartbeat.interval.ms", "group.consumer.session.timeout.ms"),
    ("group.share.heartbeat.interval.ms", "group.share.session.timeout.ms"),
    ("group.streams.heartbeat.interval.ms", "group.streams.session.timeout.ms"),
];
