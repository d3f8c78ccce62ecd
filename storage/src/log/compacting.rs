//! What of a log is compacted next, and how the outcome takes its place (Kafka's `LogCleanerManager.cleanableOffsets`).

use std::path::PathBuf;
use std::sync::Arc;

use super::{LogConfig, PartitionLog};
use crate::compaction::{CleanedSegment, CompactionPlan, LastRecord};
use crate::error::Error;
use crate::segment::Segment;

impl PartitionLog {
    /// What may be compacted now: the segments that are sealed, decided (no open transaction reaches into them) and old
    /// enough (`min.compaction.lag.ms`). `compacted_upto` is where the last round ended. `None` if that is nothing.
    /// `now_ms` is in milliseconds since 1970.
    pub fn compaction_plan(
        &self,
        compacted_upto: Option<i64>,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<Option<CompactionPlan>, Error> {
        if !self.condition.is_sound() || !config.cleanup_compact {
            return Ok(None);
        }
        let (start, end) = (self.view.log_start_offset(), self.view.next_offset());
        let first_dirty_offset = compacted_upto.filter(|offset| (start..=end).contains(offset)).unwrap_or(start);
        let segments = self.view.segments();
        let active = self.active.as_ref().map_or(end, |active| active.shared().base_offset());
        let sealed = segments.partition_point(|segment| segment.base_offset() < active);
        let ends = |index: usize| segments.get(index + 1).map_or(active, |next| next.base_offset());
        let stable = self.view.last_stable_offset();
        let (mut upto, mut clean_segments) = (0, 0);
        let mut overdue = false;
        for (index, segment) in segments[..sealed].iter().enumerate() {
            if ends(index) > stable {
                break;
            }
            if ends(index) > first_dirty_offset {
                if is_young(segment, config.min_compaction_lag_ms, now_ms)? {
                    break;
                }
                overdue = overdue || is_overdue(segment, config.max_compaction_lag_ms, now_ms)?;
            } else {
                clean_segments = index + 1;
            }
            upto = index + 1;
        }
        let first_uncleanable_offset = upto.checked_sub(1).map_or(start, ends);
        if first_uncleanable_offset <= first_dirty_offset {
            return Ok(None);
        }
        let last_records = self.producers.entries().map(|(producer_id, entry)| {
            let last_data_offset = entry.batches().last().map(|batch| batch.last_offset);
            (producer_id, LastRecord { last_data_offset, producer_epoch: entry.epoch })
        });
        Ok(Some(CompactionPlan {
            dir: self.dir.clone(),
            segments: segments[..upto].to_vec(),
            first_dirty_offset,
            clean_segments,
            first_uncleanable_offset,
            aborted: self.view.aborted_below(first_uncleanable_offset)?,
            last_records: last_records.collect(),
            overdue,
            config: config.clone(),
        }))
    }

    /// Puts a compacted segment in the place of those it was made from. Returns the files that remain to be removed, or
    /// `None` if the log is not what it was when the plan was drawn: then nothing has changed.
    pub fn replace_segments(&mut self, cleaned: &CleanedSegment) -> Result<Option<Vec<PathBuf>>, Error> {
        let segments = self.view.segments();
        let replaced = cleaned.replaced();
        let first = segments.partition_point(|segment| segment.base_offset() < replaced[0]);
        let stands = segments
            .get(first..first + replaced.len())
            .is_some_and(|run| run.iter().map(|segment| segment.base_offset()).eq(replaced.iter().copied()));
        if !self.condition.is_sound() || !stands {
            cleaned.abandon()?;
            return Ok(None);
        }
        for segment in &segments[first..first + replaced.len()] {
            segment.open_all()?;
        }
        let remains = cleaned.swap_in()?;
        let mut published = segments.to_vec();
        let segment = Segment::sealed(self.dir.clone(), replaced[0]);
        segment.note_len();
        published.splice(first..first + replaced.len(), [Arc::new(segment)]);
        self.view.publish_segments(published);
        Ok(Some(remains))
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
