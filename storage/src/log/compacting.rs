//! What of a log is compacted next, and how the outcome takes its place (Kafka's `LogCleanerManager.cleanableOffsets`).

use std::path::PathBuf;
use std::sync::Arc;

use super::{LogConfig, PartitionLog};
use crate::compaction::{Cleanable, CleanedSegment, CompactionPlan, LastRecord};
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
        let stable = self.view.last_stable_offset();
        let sealed = &segments[..sealed];
        let Some(cleanable) = Cleanable::among(sealed, active, first_dirty_offset, stable, config, now_ms)? else {
            return Ok(None);
        };
        let last_records = self.producers.entries().map(|(producer_id, entry)| {
            let last_data_offset = entry.batches().last().map(|batch| batch.last_offset);
            (producer_id, LastRecord { last_data_offset, producer_epoch: entry.epoch })
        });
        Ok(Some(CompactionPlan {
            dir: self.dir.clone(),
            aborted: self.view.aborted_below(cleanable.end_offset)?,
            cleanable,
            first_dirty_offset,
            last_records: last_records.collect(),
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
