//! What a topic's configs come to: made when they change, read without a lock by every append.

use brooklet_protocol::records::validate::BatchRules;
use brooklet_storage::LogConfig;

use crate::config::{BrokerLayers, ConfigError, ConfigMap, TopicConfig};

/// A topic's configs, as set and as they work.
#[derive(Debug, Clone)]
pub(crate) struct TopicSettings {
    /// What was set for this topic.
    pub(crate) overrides: ConfigMap,
    /// All configs, typed.
    pub(crate) config: TopicConfig,
    /// What is checked of a batch.
    pub(crate) rules: BatchRules,
    /// What the log follows.
    pub(crate) log: LogConfig,
}

impl TopicSettings {
    /// Works out what `overrides` mean over the broker's configs.
    pub(crate) fn resolve(overrides: ConfigMap, broker: &BrokerLayers) -> Result<Self, ConfigError> {
        let config = TopicConfig::resolve(&overrides, broker)?;
        let log = LogConfig {
            segment_bytes: config.segment_bytes as usize,
            segment_ms: config.segment_ms,
            segment_index_bytes: config.segment_index_bytes as usize,
            index_interval_bytes: config.index_interval_bytes as usize,
            segment_jitter_ms: config.segment_jitter_ms,
            cleanup_delete: config.cleanup_policy.delete,
            cleanup_compact: config.cleanup_policy.compact,
            retention_ms: config.retention_ms,
            retention_bytes: config.retention_bytes,
            delete_retention_ms: config.delete_retention_ms,
            min_compaction_lag_ms: config.min_compaction_lag_ms,
            max_compaction_lag_ms: config.max_compaction_lag_ms,
            min_cleanable_dirty_ratio: config.min_cleanable_dirty_ratio,
        };
        Ok(Self { rules: config.batch_rules(), overrides, config, log })
    }
}
