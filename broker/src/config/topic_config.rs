//! What a topic's configs make the broker do, typed; Kafka's `LogConfig`.

use brooklet_protocol::records::validate::BatchRules;
use brooklet_protocol::records::{Compression, CompressionType, TimestampType};

use super::error::ConfigError;
use super::layers::{BrokerLayers, ConfigMap};
use super::resolve::topic_value;
use super::topic::{INTERNAL_SEGMENT_BYTES, topic_config};
use super::typed::TypedValues;
use super::value::Value;

/// The configs of one topic. Times are milliseconds, as the timestamps of records are.
///
/// It is made when a topic is created, opened or altered, and when a broker config changes that is the default of
/// one of these; nothing is read from text in between.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicConfig {
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `compression.type` with its level; `None` for `producer`, which keeps what came.
    pub compression: Option<Compression>,
    /// `delete.retention.ms`, not negative.
    pub delete_retention_ms: i64,
    /// `file.delete.delay.ms`, not negative.
    pub file_delete_delay_ms: i64,
    /// `flush.messages`, at least 1.
    pub flush_messages: i64,
    /// `flush.ms`, not negative.
    pub flush_ms: i64,
    /// `index.interval.bytes`.
    pub index_interval_bytes: u32,
    /// `max.compaction.lag.ms`, at least 1 and not below the least lag.
    pub max_compaction_lag_ms: i64,
    /// `max.message.bytes`: the greatest size of a batch, header included.
    pub max_message_bytes: u32,
    /// `message.timestamp.after.max.ms`, not negative.
    pub message_timestamp_after_max_ms: i64,
    /// `message.timestamp.before.max.ms`, not negative.
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `min.cleanable.dirty.ratio`, 0 to 1.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`, not negative.
    pub min_compaction_lag_ms: i64,
    /// `retention.bytes`; `None` is no limit.
    pub retention_bytes: Option<u64>,
    /// `retention.ms`; `None` is no limit.
    pub retention_ms: Option<i64>,
    /// `internal.segment.bytes` if it is set, else `segment.bytes`; at least 1.
    pub segment_bytes: u32,
    /// `segment.index.bytes`, at least 4.
    pub segment_index_bytes: u32,
    /// `segment.jitter.ms`, not negative.
    pub segment_jitter_ms: i64,
    /// `segment.ms`, at least 1.
    pub segment_ms: i64,
}

impl TopicConfig {
    /// The configs of a topic with these overrides.
    ///
    /// # Errors
    /// A name that is no topic config, a value that its config does not allow, values that contradict each other, or
    /// `remote.storage.enable=true`, since there is no tiered storage. Kafka answers each with `INVALID_CONFIG`.
    pub fn resolve(overrides: &ConfigMap, broker: &BrokerLayers) -> Result<Self, ConfigError> {
        for (name, text) in overrides {
            let def = topic_config(name).ok_or_else(|| ConfigError::UnknownTopicConfig(name.clone()))?;
            def.parse(text)?;
        }
        let values = Values { overrides, broker };
        if values.boolean("remote.storage.enable")? {
            let reason = "tiered storage is not available in this broker".to_owned();
            return Err(ConfigError::invalid("remote.storage.enable", "true", reason));
        }
        let config = values.config()?;
        let (least, most) = (config.min_compaction_lag_ms, config.max_compaction_lag_ms);
        if least > most {
            return Err(ConfigError::Conflict(format!(
                "min.compaction.lag.ms ({least}) is above max.compaction.lag.ms ({most})"
            )));
        }
        Ok(config)
    }

    /// The rules by which batches for the topic are accepted.
    pub fn batch_rules(&self) -> BatchRules {
        BatchRules {
            compacted: self.cleanup_policy.compact,
            timestamp_type: self.message_timestamp_type,
            timestamp_before_max_ms: self.message_timestamp_before_max_ms,
            timestamp_after_max_ms: self.message_timestamp_after_max_ms,
            max_message_bytes: self.max_message_bytes as usize,
            compression: self.compression,
        }
    }
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self::resolve(&ConfigMap::new(), &BrokerLayers::default()).expect("the defaults are allowed")
    }
}

/// What becomes of old records. Neither means that they are kept for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CleanupPolicy {
    /// Segments past a retention limit go.
    pub delete: bool,
    /// Of each key the last record stays.
    pub compact: bool,
}

/// Typed access to the configs of a topic.
struct Values<'a> {
    overrides: &'a ConfigMap,
    broker: &'a BrokerLayers,
}

impl Values<'_> {
    fn config(&self) -> Result<TopicConfig, ConfigError> {
        let policies = self.list("cleanup.policy")?;
        let has_policy = |name: &str| policies.iter().any(|policy| policy == name);
        let segment_bytes = match self.value(INTERNAL_SEGMENT_BYTES)? {
            Some(_) => self.size(INTERNAL_SEGMENT_BYTES)?,
            None => self.size("segment.bytes")?,
        };
        let unlimited_if_negative = |value: i64| (value >= 0).then_some(value);
        Ok(TopicConfig {
            cleanup_policy: CleanupPolicy { delete: has_policy("delete"), compact: has_policy("compact") },
            compression: self.compression()?,
            delete_retention_ms: self.long("delete.retention.ms")?,
            file_delete_delay_ms: self.long("file.delete.delay.ms")?,
            flush_messages: self.long("flush.messages")?,
            flush_ms: self.long("flush.ms")?,
            index_interval_bytes: self.size("index.interval.bytes")?,
            max_compaction_lag_ms: self.long("max.compaction.lag.ms")?,
            max_message_bytes: self.size("max.message.bytes")?,
            message_timestamp_after_max_ms: self.long("message.timestamp.after.max.ms")?,
            message_timestamp_before_max_ms: self.long("message.timestamp.before.max.ms")?,
            message_timestamp_type: match self.text("message.timestamp.type")?.as_str() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            min_cleanable_dirty_ratio: self.double("min.cleanable.dirty.ratio")?,
            min_compaction_lag_ms: self.long("min.compaction.lag.ms")?,
            retention_bytes: unlimited_if_negative(self.long("retention.bytes")?).map(i64::unsigned_abs),
            retention_ms: unlimited_if_negative(self.long("retention.ms")?),
            segment_bytes,
            segment_index_bytes: self.size("segment.index.bytes")?,
            segment_jitter_ms: self.long("segment.jitter.ms")?,
            segment_ms: self.long("segment.ms")?,
        })
    }

    fn compression(&self) -> Result<Option<Compression>, ConfigError> {
        let level_of = |name| Ok::<_, ConfigError>(Some(self.int(name)?));
        Ok(match self.text("compression.type")?.as_str() {
            "uncompressed" => Some(CompressionType::None.into()),
            "gzip" => Some(Compression { kind: CompressionType::Gzip, level: level_of("compression.gzip.level")? }),
            "zstd" => Some(Compression { kind: CompressionType::Zstd, level: level_of("compression.zstd.level")? }),
            name => CompressionType::from_name(name).map(Compression::from),
        })
    }
}

impl TypedValues for Values<'_> {
    fn value(&self, name: &'static str) -> Result<Option<Value>, ConfigError> {
        let def = topic_config(name).expect("the table has every name used here");
        topic_value(def, self.overrides, self.broker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(overrides: &[(&str, &str)]) -> TopicConfig {
        let owned = overrides.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        TopicConfig::resolve(&owned.collect(), &BrokerLayers::default()).expect("the overrides are allowed")
    }

    #[test]
    fn a_topic_without_configs_is_as_in_kafka() {
        let config = TopicConfig::default();
        assert!(config.cleanup_policy.delete && !config.cleanup_policy.compact);
        assert_eq!(config.compression, None);
        assert_eq!(config.max_message_bytes, 1_048_588);
        assert_eq!(config.retention_bytes, None);
        assert_eq!(config.retention_ms, Some(7 * 24 * 3_600_000));
        assert_eq!(config.segment_bytes, 1 << 30);
        assert_eq!(config.segment_ms, 7 * 24 * 3_600_000);
        assert_eq!(config.message_timestamp_before_max_ms, i64::MAX);
    }

    #[test]
    fn overrides_become_typed() {
        let config = resolve(&[
            ("cleanup.policy", ""),
            ("internal.segment.bytes", "500"),
            ("message.timestamp.type", "LogAppendTime"),
            ("retention.bytes", "5"),
            ("retention.ms", "-1"),
            ("segment.bytes", "2097152"),
        ]);
        let kept_for_ever = CleanupPolicy { delete: false, compact: false };
        assert_eq!(config.cleanup_policy, kept_for_ever);
        assert_eq!(config.segment_bytes, 500);
        assert_eq!(config.message_timestamp_type, TimestampType::LogAppendTime);
        assert_eq!((config.retention_bytes, config.retention_ms), (Some(5), None));
    }

    #[test]
    fn a_codec_has_its_own_level() {
        for (codec, kind, level) in [
            ("uncompressed", CompressionType::None, None),
            ("snappy", CompressionType::Snappy, None),
            ("lz4", CompressionType::Lz4, None),
            ("gzip", CompressionType::Gzip, Some(4)),
            ("zstd", CompressionType::Zstd, Some(-7)),
        ] {
            let config = resolve(&[
                ("compression.type", codec),
                ("compression.gzip.level", "4"),
                ("compression.zstd.level", "-7"),
            ]);
            assert_eq!(config.compression, Some(Compression { kind, level }), "{codec}");
        }
    }

    #[test]
    fn batches_follow_the_configs() {
        let rules = resolve(&[
            ("cleanup.policy", "compact"),
            ("max.message.bytes", "100"),
            ("message.timestamp.after.max.ms", "5"),
        ])
        .batch_rules();
        assert!(rules.compacted);
        assert_eq!((rules.max_message_bytes, rules.timestamp_after_max_ms), (100, 5));
    }

    #[test]
    fn negative_retention_of_the_broker_is_no_limit() {
        let mut broker = BrokerLayers::default();
        broker.static_configs.insert("log.retention.hours".to_owned(), "-7".to_owned());
        let config = TopicConfig::resolve(&ConfigMap::new(), &broker).expect("Kafka allows it");
        assert_eq!(config.retention_ms, None);
    }
}
