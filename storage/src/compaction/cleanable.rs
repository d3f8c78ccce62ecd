//! What of a log may be compacted now, and whether that is worth its while (Kafka's `LogToClean`).

use std::sync::Arc;

use crate::disk::Dir;
use crate::error::Error;
use crate::files::LOG;
use crate::log::LogConfig;
use crate::segment::Segment;

/// The segments that are sealed, decided and old enough.
#[derive(Debug)]
pub(crate) struct Cleanable {
    /// From the log's first on.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// How many of them lie wholly before the first offset that was never compacted.
    pub(crate) clean_segments: usize,
    /// Where the first segment begins that may not be compacted yet.
    pub(crate) end_offset: i64,
    /// A record has waited for longer than `max.compaction.lag.ms`.
    overdue: bool,
}

impl Cleanable {
    /// Of `sealed` segments, which end where `active` begins and are decided below `stable`. `None` if none of them holds
    /// anything from `first_dirty_offset` on that may be compacted.
    pub(crate) fn among(
        sealed: &[Arc<Segment>],
        active: i64,
        first_dirty_offset: i64,
        stable: i64,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<Option<Self>, Error> {
        let mut found =
            Self { segments: Vec::new(), clean_segments: 0, end_offset: first_dirty_offset, overdue: false };
        for (index, segment) in sealed.iter().enumerate() {
            let end = sealed.get(index + 1).map_or(active, |next| next.base_offset());
            if end > stable {
                break;
            }
            if end > first_dirty_offset {
                if is_young(segment, config.min_compaction_lag_ms, now_ms)? {
                    break;
                }
                found.overdue = found.overdue || is_overdue(segment, config.max_compaction_lag_ms, now_ms)?;
            } else {
                found.clean_segments = index + 1;
            }
            found.segments.push(Arc::clone(segment));
            found.end_offset = end;
        }
        Ok(Some(found).filter(|found| found.end_offset > first_dirty_offset))
    }

    /// As far as it can be told of a log that is not open, from the names and the indexes in its directory: transactions may
    /// yet prove undecided.
    pub(crate) fn unopened(
        dir: &Dir,
        compacted_upto: Option<i64>,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<Option<Self>, Error> {
        if !config.cleanup_compact || !dir.is_there() {
            return Ok(None);
        }
        let offsets = dir.disk.offsets_of(dir, LOG)?;
        let Some((active, sealed)) = offsets.split_last().filter(|(active, _)| compacted_upto < Some(**active)) else {
            return Ok(None);
        };
        let sealed: Vec<_> = sealed.iter().map(|base| Arc::new(Segment::sealed(dir.clone(), *base))).collect();
        let first_dirty_offset = compacted_upto.unwrap_or(offsets[0]);
        Self::among(&sealed, *active, first_dirty_offset, i64::MAX, config, now_ms)
    }

    /// The share of bytes that were never compacted: from 0 to 1.
    pub(crate) fn ratio(&self) -> f64 {
        let bytes = |segments: &[Arc<Segment>]| -> u64 { segments.iter().map(|segment| segment.size()).sum() };
        let (clean, dirty) = self.segments.split_at(self.clean_segments);
        let (clean, dirty) = (bytes(clean), bytes(dirty));
        if clean + dirty == 0 { 0.0 } else { dirty as f64 / (clean + dirty) as f64 }
    }

    /// Whether a round is worth its while now (`min.cleanable.dirty.ratio`, `max.compaction.lag.ms`).
    pub(crate) fn is_due(&self, config: &LogConfig) -> bool {
        let ratio = self.ratio();
        ratio > config.min_cleanable_dirty_ratio || (self.overdue && ratio > 0.0)
    }
}

/// Whether a segment holds a record that is younger than the lag.
fn is_young(segment: &Segment, lag_ms: i64, now_ms: i64) -> Result<bool, Error> {
    Ok(lag_ms > 0 && segment.files()?.max_timestamp(segment).timestamp > now_ms.saturating_sub(lag_ms))
}

/// Whether the first batch of a segment has waited for longer than the lag.
fn is_overdue(segment: &Segment, lag_ms: i64, now_ms: i64) -> Result<bool, Error> {
    if lag_ms == i64::MAX {
        return Ok(false);
    }
    let first = segment.files()?.header_at(0).map(|header| header.max_timestamp);
    Ok(first.is_some_and(|first| first > 0 && first < now_ms.saturating_sub(lag_ms)))
}
