//! What a log gives up with time and size (`cleanup.policy=delete`, Kafka's `UnifiedLog.deleteOldSegments`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::{LogConfig, PartitionLog};
use crate::compaction::retire;
use crate::disk::Dir;
use crate::error::Error;
use crate::files::{LOG, segment_file};
use crate::segment::Segment;

impl PartitionLog {
    /// Removes the oldest segments that lie below the log's start, make it larger than `retention.bytes`, or hold nothing
    /// younger than `retention.ms`: whole ones, the last of them too. Returns the files that remain to be removed
    /// (`file.delete.delay.ms`). `now_ms` is in milliseconds since 1970.
    pub fn retain(&mut self, config: &LogConfig, now_ms: i64) -> Result<Vec<PathBuf>, Error> {
        if self.condition.is_deleted() {
            return Ok(Vec::new());
        }
        let start = self.view.log_start_offset();
        let below_start =
            |segments: &[Arc<Segment>]| segments.windows(2).take_while(|pair| pair[1].base_offset() <= start).count();
        let mut remains = self.remove_oldest(below_start(&self.view.segments()), config)?;
        if config.cleanup_delete {
            let by_size = self.beyond_size(config);
            remains.extend(self.remove_oldest(by_size, config)?);
            let by_age = self.beyond_age(config, now_ms)?;
            remains.extend(self.remove_oldest(by_age, config)?);
        }
        Ok(remains)
    }

    fn beyond_size(&self, config: &LogConfig) -> usize {
        let Some(max) = config.retention_bytes else {
            return 0;
        };
        let segments = self.view.segments();
        let Some(mut excess) = segments.iter().map(|segment| segment.size()).sum::<u64>().checked_sub(max) else {
            return 0;
        };
        let fits = |(index, segment): &(usize, &Arc<Segment>)| match excess.checked_sub(segment.size()) {
            // An empty one that compaction has left goes, one that is yet to be written to does not.
            Some(left) if segment.size() > 0 || index + 1 < segments.len() => {
                excess = left;
                true
            }
            _ => false,
        };
        segments.iter().enumerate().take_while(fits).count()
    }

    fn beyond_age(&self, config: &LogConfig, now_ms: i64) -> Result<usize, Error> {
        let Some(max) = config.retention_ms else {
            return Ok(0);
        };
        let mut count = 0;
        for segment in self.view.segments().iter() {
            let files = segment.files()?;
            // An active segment that nothing was written to yet is no older than now.
            if files.len() == 0 && count + 1 == self.view.segments().len() {
                break;
            }
            let newest = newest_ms(&self.dir, segment)?;
            if now_ms.saturating_sub(newest) <= max {
                break;
            }
            count += 1;
        }
        Ok(count)
    }

    /// Removes so many segments. Where they are all there are, an empty one remains, whose name keeps the next offset.
    fn remove_oldest(&mut self, count: usize, config: &LogConfig) -> Result<Vec<PathBuf>, Error> {
        if count == 0 {
            return Ok(Vec::new());
        }
        if count == self.view.segments().len() {
            self.roll()?;
            self.active = Some(self.create_segment(self.view.next_offset(), config)?);
        }
        let segments = self.view.segments();
        let (gone, kept) = segments.split_at(count);
        let start = kept.first().map_or(self.view.next_offset(), |first| first.base_offset());
        self.cover_producers_below(start)?;
        self.view.publish_start(start.max(self.view.log_start_offset()));
        self.publish_end(self.view.next_offset());
        self.view.publish_segments(kept.to_vec());
        let mut remains = Vec::new();
        for segment in gone {
            segment.open_all()?;
            remains.extend(retire(&self.dir, segment.base_offset())?);
        }
        tracing::info!(log = %self.id.dir_name(), segments = count, start, "old segments removed");
        Ok(remains)
    }
}

/// Whether segments of a log that is not open are to go.
pub(crate) fn has_expired(dir: &Dir, config: &LogConfig, now_ms: i64) -> Result<bool, Error> {
    if !config.cleanup_delete || !dir.is_there() {
        return Ok(false);
    }
    let offsets = dir.disk.offsets_of(dir, LOG)?;
    let Some(oldest) = offsets.first() else {
        return Ok(false);
    };
    let size = |offset: &i64| dir.disk.status(&segment_file(dir, *offset, LOG)).map_or(0, |status| status.len);
    if let Some(max) = config.retention_bytes
        && offsets.iter().map(size).sum::<u64>().saturating_sub(max) >= size(oldest)
        && size(oldest) > 0
    {
        return Ok(true);
    }
    let Some(max) = config.retention_ms else {
        return Ok(false);
    };
    let segment = Segment::sealed(dir.clone(), *oldest);
    // Room that was reserved for the first batch is no older than now either.
    if offsets.len() == 1 && segment.files()?.header_at(0).is_none() {
        return Ok(false);
    }
    Ok(now_ms.saturating_sub(newest_ms(dir, &segment)?) > max)
}

/// The greatest timestamp in a segment, in milliseconds since 1970; where records have none, when it was last written to.
fn newest_ms(dir: &Dir, segment: &Segment) -> Result<i64, Error> {
    let files = segment.files()?;
    let newest = files.max_timestamp(segment).timestamp;
    files.intact()?;
    if newest >= 0 {
        return Ok(newest);
    }
    let status = dir.disk.status(&segment_file(dir, segment.base_offset(), LOG));
    let since_1970 = status.ok().and_then(|status| status.modified.duration_since(UNIX_EPOCH).ok());
    Ok(since_1970.map_or(i64::MAX, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX)))
}
