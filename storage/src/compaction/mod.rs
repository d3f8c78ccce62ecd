//! Compaction: of each key only the last record stays (Kafka's `Cleaner`, KIP-534 for tombstones and markers).
//!
//! A round has three steps. Under the log's lock a [`CompactionPlan`] is drawn: which segments, as they stand. Without the
//! lock the plan is carried out: the last offset of each key in the part that was never compacted is taken into an
//! [`OffsetMap`], then all segments up to there are written anew with what the map lets stand. Under the lock again each
//! new segment takes the place of those it was made from, unless the log has lost one of them meanwhile.
//!
//! Offsets never change. What a batch said of its producer stays for as long as the producer is known.

mod cleanable;
mod cleaned_segment;
mod offset_map;
mod transactions;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use brooklet_protocol::records::{ControlRecord, Record, RecordBatch};

use crate::disk::Dir;
use crate::error::Error;
use crate::files::{LOG, segment_file};
use crate::log::LogConfig;
use crate::segment::Segment;
use crate::transaction_index::AbortedTransaction;
pub(crate) use cleanable::Cleanable;
use cleaned_segment::CleanedSegmentWriter;
pub(crate) use cleaned_segment::{retire, settle};
use offset_map::OffsetMap;
use transactions::{CleanedTransactions, MarkerFate};

/// What a compressed batch may become when it is read: as much as any client can have meant.
const MAX_BATCH_BYTES: usize = 1 << 30;

/// What compaction may use (`log.cleaner.*`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CleanerConfig {
    /// `log.cleaner.dedupe.buffer.size`: the most that a round's map of keys takes, in bytes. It takes less where there are
    /// fewer records.
    pub dedupe_buffer_bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`: the share of it that is filled, between 0 and 1.
    pub load_factor: f64,
}

/// The last that an active producer wrote in a log: the batch that says so must stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastRecord {
    /// Offset of its last record; `None` if only a marker of it is there.
    pub(crate) last_data_offset: Option<i64>,
    pub(crate) producer_epoch: i16,
}

/// What a round works on.
#[derive(Debug)]
pub struct CompactionPlan {
    pub(crate) dir: Dir,
    pub(crate) cleanable: Cleanable,
    /// From where on the log was never compacted.
    pub(crate) first_dirty_offset: i64,
    /// The transactions that were aborted in these segments, also where the marker stands behind them.
    pub(crate) aborted: Vec<AbortedTransaction>,
    pub(crate) last_records: HashMap<i64, LastRecord>,
    pub(crate) config: LogConfig,
}

/// A segment that is ready to take the place of others.
#[derive(Debug)]
pub struct CleanedSegment {
    dir: Dir,
    base_offset: i64,
    replaced: Vec<i64>,
}

impl CleanedSegment {
    /// Base offsets of the segments that it was made from; its own is the first.
    pub(crate) fn replaced(&self) -> &[i64] {
        &self.replaced
    }

    /// Does as its name says. The files are what remains to be removed.
    pub(crate) fn swap_in(&self) -> Result<Vec<PathBuf>, Error> {
        cleaned_segment::swap_in(&self.dir, self.base_offset, &self.replaced)
    }

    /// Takes its files away.
    pub(crate) fn abandon(&self) -> Result<(), Error> {
        cleaned_segment::abandon(&self.dir, self.base_offset)
    }
}

impl CompactionPlan {
    /// The share of bytes that were never compacted, among those that may be: from 0 to 1.
    pub fn cleanable_ratio(&self) -> f64 {
        self.cleanable.ratio()
    }

    /// Whether a round is worth its while now (`min.cleanable.dirty.ratio`, `max.compaction.lag.ms`).
    pub fn is_due(&self) -> bool {
        self.cleanable.is_due(&self.config)
    }

    /// Carries the plan out. Each segment is given to `replace` when it is ready, which says whether it has taken its place:
    /// if not, the log is not what it was, and the round ends. Returns up to where the log is compacted then. `now_ms` is in
    /// milliseconds since 1970.
    pub fn carry_out(
        &self,
        cleaner: &CleanerConfig,
        now_ms: i64,
        mut replace: impl FnMut(CleanedSegment) -> Result<bool, Error>,
    ) -> Result<i64, Error> {
        let map = self.map_keys(cleaner)?;
        let end_offset = map.latest_offset() + 1;
        let mut transactions = CleanedTransactions::new(&self.aborted);
        for group in self.groups(end_offset) {
            let cleaned = self.clean(group, &map, &mut transactions, now_ms)?;
            if !replace(cleaned)? {
                return Ok(self.first_dirty_offset);
            }
        }
        Ok(end_offset)
    }

    /// The last offset of each key from the first dirty offset on, for as many records as there is room.
    fn map_keys(&self, cleaner: &CleanerConfig) -> Result<OffsetMap, Error> {
        let records = self.cleanable.end_offset.saturating_sub(self.first_dirty_offset).max(0) as u64;
        let mut map = OffsetMap::new(cleaner.dedupe_buffer_bytes, records, cleaner.load_factor);
        let mut transactions = CleanedTransactions::new(&self.aborted);
        let dirty = &self.cleanable.segments[self.cleanable.clean_segments..];
        for (index, segment) in dirty.iter().enumerate() {
            let mut full = false;
            walk(segment, |batch| {
                let header = batch.header();
                if header.attributes.is_control() {
                    transactions.on_marker(header, ControlRecord::of(batch));
                } else if !transactions.is_aborted(header) {
                    for record in records_of(segment, batch)? {
                        let dirty = record.offset >= self.first_dirty_offset;
                        if let Some(key) = record.key.filter(|_| dirty)
                            && !map.put(&key, record.offset)
                        {
                            full = true;
                            return Ok(false);
                        }
                    }
                }
                if header.last_offset() >= self.first_dirty_offset {
                    map.set_latest_offset(header.last_offset());
                }
                Ok(true)
            })?;
            if full {
                break;
            }
            // Records at its end may have been compacted away.
            let next = dirty.get(index + 1).map_or(self.cleanable.end_offset, |next| next.base_offset());
            map.set_latest_offset(next - 1);
        }
        Ok(map)
    }

    /// The segments below `end_offset`, in runs that each become one: a run's files may not be larger than a segment's.
    fn groups(&self, end_offset: i64) -> Vec<&[Arc<Segment>]> {
        let segments = &self.cleanable.segments;
        let segments = &segments[..segments.partition_point(|segment| segment.base_offset() < end_offset)];
        let end_of =
            |index: usize| segments.get(index + 1).map_or(self.cleanable.end_offset, |next| next.base_offset());
        let mut groups = Vec::new();
        let mut start = 0;
        let mut bytes = 0;
        for (index, segment) in segments.iter().enumerate() {
            let size = segment.size();
            let fits = bytes + size <= self.config.segment_bytes as u64
                && end_of(index) - segments[start].base_offset() <= i64::from(i32::MAX);
            if index > start && !fits {
                groups.push(&segments[start..index]);
                (start, bytes) = (index, 0);
            }
            bytes += size;
        }
        if start < segments.len() {
            groups.push(&segments[start..]);
        }
        groups
    }

    /// Writes a run of segments anew as one.
    fn clean(
        &self,
        group: &[Arc<Segment>],
        map: &OffsetMap,
        transactions: &mut CleanedTransactions,
        now_ms: i64,
    ) -> Result<CleanedSegment, Error> {
        let base_offset = group[0].base_offset();
        let mut writer = CleanedSegmentWriter::create(&self.dir, base_offset, self.config.index_interval_bytes)?;
        let cleaned = group.iter().try_for_each(|segment| {
            walk(segment, |batch| {
                self.clean_batch(segment, batch, map, transactions, &mut writer, now_ms)?;
                Ok(true)
            })
        });
        if let Err(error) = cleaned {
            writer.abandon()?;
            return Err(error);
        }
        let last = segment_file(&self.dir, group[group.len() - 1].base_offset(), LOG);
        let now = || UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
        let modified = self.dir.disk.status(&last).map_or_else(|_| now(), |status| status.modified);
        if let Err(error) = writer.finish(modified) {
            // What there was no room for is not to take up room.
            cleaned_segment::abandon(&self.dir, base_offset)?;
            return Err(error);
        }
        let replaced = group.iter().map(|segment| segment.base_offset()).collect();
        Ok(CleanedSegment { dir: self.dir.clone(), base_offset, replaced })
    }

    /// Writes what remains of a batch.
    fn clean_batch(
        &self,
        segment: &Segment,
        batch: &RecordBatch,
        map: &OffsetMap,
        transactions: &mut CleanedTransactions,
        writer: &mut CleanedSegmentWriter,
        now_ms: i64,
    ) -> Result<(), Error> {
        let header = batch.header();
        let horizon = header.delete_horizon();
        let past_horizon = horizon.is_some_and(|horizon| horizon <= now_ms);
        let (discardable, discard) = match header.attributes.is_control() {
            false => {
                let aborted = transactions.is_aborted(header);
                (false, aborted)
            }
            true => match transactions.on_marker(header, ControlRecord::of(batch)) {
                MarkerFate::Needed => (false, false),
                MarkerFate::Discardable => (true, past_horizon),
                MarkerFate::EndsAborted(aborted) => {
                    writer.append_aborted(aborted);
                    (false, false)
                }
            },
        };
        let mut kept = Vec::new();
        let mut lost_some = discard;
        let mut sets_horizon = discardable && horizon.is_none();
        if !discard {
            for record in records_of(segment, batch)? {
                if header.attributes.is_control() || self.stays(&record, map, horizon, now_ms) {
                    sets_horizon |= record.value.is_none() && horizon.is_none();
                    kept.push(record);
                } else {
                    lost_some = true;
                }
            }
        }
        if !kept.is_empty() {
            if !lost_some && !sets_horizon {
                return writer.append(header, &batch.payload());
            }
            let horizon = match sets_horizon {
                true => Some(now_ms.saturating_add(self.config.delete_retention_ms)),
                false => horizon,
            };
            let (header, payload) = batch.rewrite(&kept, horizon).map_err(|error| self.unreadable(segment, &error))?;
            return writer.append(&header, &payload);
        }
        // The last batch of the round stays too: without it the log's end would not be known.
        if self.is_last_of_producer(batch) || header.next_offset() == self.cleanable.end_offset {
            return writer.append(&batch.emptied(), &[]);
        }
        Ok(())
    }

    fn stays(&self, record: &Record, map: &OffsetMap, horizon: Option<i64>, now_ms: i64) -> bool {
        if record.offset > map.latest_offset() {
            return true;
        }
        let Some(key) = &record.key else {
            // A record without a key was written before the topic was compacted. Nobody can say what it stands for.
            return false;
        };
        let is_latest = map.get(key).is_none_or(|latest| record.offset >= latest);
        let is_value = record.value.is_some() || horizon.is_none_or(|horizon| now_ms < horizon);
        is_latest && is_value
    }

    fn is_last_of_producer(&self, batch: &RecordBatch) -> bool {
        let header = batch.header();
        if !header.has_producer_id() {
            return false;
        }
        self.last_records.get(&header.producer_id).is_some_and(|last| match last.last_data_offset {
            Some(offset) => header.last_offset() == offset,
            None => header.attributes.is_control() && header.producer_epoch == last.producer_epoch,
        })
    }

    fn unreadable(&self, segment: &Segment, error: &dyn std::fmt::Display) -> Error {
        Error::Corrupt {
            path: segment_file(&self.dir, segment.base_offset(), LOG),
            at: 0,
            reason: format!("a batch cannot be compacted: {error}"),
        }
    }
}

/// Visits the batches of a segment for as long as `visit` says so.
fn walk(segment: &Segment, mut visit: impl FnMut(&RecordBatch) -> Result<bool, Error>) -> Result<(), Error> {
    let files = segment.files()?;
    let mut position = 0;
    while let Some(batch) = files.batch_at(position) {
        position += batch.header().size();
        if !visit(&batch)? {
            return Ok(());
        }
    }
    // What cannot be read any more must not be taken for the segment's end.
    files.intact()
}

fn records_of(segment: &Segment, batch: &RecordBatch) -> Result<Vec<Record>, Error> {
    let records = batch.records(MAX_BATCH_BYTES).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    records.map_err(|error| Error::Corrupt {
        path: PathBuf::from(format!("segment {}", segment.base_offset())),
        at: 0,
        reason: format!("batch at offset {} does not decode: {error}", batch.header().base_offset),
    })
}
