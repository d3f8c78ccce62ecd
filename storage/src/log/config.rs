//! What a topic says of its logs.

/// The topic configs that a log follows. Units as Kafka's names say.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: the most a segment holds.
    pub segment_bytes: usize,
    /// `segment.ms`: a segment ends when a batch comes that is this much later than its first, in milliseconds.
    pub segment_ms: i64,
    /// `segment.index.bytes`: the most an index holds; a full one ends the segment.
    pub segment_index_bytes: usize,
    /// `index.interval.bytes`: bytes of batches between two index entries.
    pub index_interval_bytes: usize,
    /// `segment.jitter.ms`: the most that is taken off `segment.ms`, at random for each segment.
    pub segment_jitter_ms: i64,
    /// `cleanup.policy` names `delete`.
    pub cleanup_delete: bool,
    /// `cleanup.policy` names `compact`.
    pub cleanup_compact: bool,
    /// `retention.ms`, unless it is -1.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`, unless it is -1.
    pub retention_bytes: Option<u64>,
    /// `delete.retention.ms`: how long compaction keeps tombstones and markers.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`: how old a record must be before it may be compacted away.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: how long a record may wait for compaction.
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`: the share of bytes never compacted from which on a round is worth its while.
    pub min_cleanable_dirty_ratio: f64,
}

impl LogConfig {
    /// Kafka's defaults.
    pub const DEFAULT: Self = Self {
        segment_bytes: 1 << 30,
        segment_ms: 7 * 24 * 3_600_000,
        segment_index_bytes: 10 << 20,
        index_interval_bytes: 4096,
        segment_jitter_ms: 0,
        cleanup_delete: true,
        cleanup_compact: false,
        retention_ms: Some(7 * 24 * 3_600_000),
        retention_bytes: None,
        delete_retention_ms: 24 * 3_600_000,
        min_compaction_lag_ms: 0,
        max_compaction_lag_ms: i64::MAX,
        min_cleanable_dirty_ratio: 0.5,
    };

    /// After how long a segment ends, before jitter: one that waits for compaction may not wait for longer than that may
    /// take.
    pub(crate) fn roll_after_ms(&self) -> i64 {
        match self.cleanup_compact {
            true => self.segment_ms.min(self.max_compaction_lag_ms),
            false => self.segment_ms,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}
