//! What readers see of a log: no lock, and nothing that an append can pull away from under them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use brooklet_protocol::records::{RecordBatch, TimestampType, batches};
use bytes::Bytes;

use crate::error::{Error, ReadError};
use crate::leader_epochs::LeaderEpochs;
use crate::segment::Segment;
use crate::transaction_index::AbortedTransaction;

/// A log's readable side. The writer publishes into it; everyone else reads.
#[derive(Debug)]
pub struct LogView {
    /// Ascending by base offset.
    segments: ArcSwap<Vec<Arc<Segment>>>,
    log_start_offset: AtomicI64,
    next_offset: AtomicI64,
    last_stable_offset: AtomicI64,
    recovery_point: AtomicI64,
    leader_epochs: LeaderEpochs,
}

/// Whole batches out of one segment.
#[derive(Debug, Clone, Default)]
pub struct LogSlice {
    /// The bytes, shared with the mapped file.
    pub records: Bytes,
}

/// A record found by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampAndOffset {
    /// Its timestamp, in milliseconds since 1970.
    pub timestamp: i64,
    /// Its offset.
    pub offset: i64,
}

impl LogView {
    pub(crate) fn new(
        segments: Vec<Arc<Segment>>,
        log_start_offset: i64,
        next_offset: i64,
        leader_epochs: LeaderEpochs,
    ) -> Self {
        Self {
            leader_epochs,
            segments: ArcSwap::from_pointee(segments),
            log_start_offset: AtomicI64::new(log_start_offset),
            next_offset: AtomicI64::new(next_offset),
            last_stable_offset: AtomicI64::new(next_offset),
            recovery_point: AtomicI64::new(0),
        }
    }

    /// The first offset that can be read (log start offset).
    pub fn log_start_offset(&self) -> i64 {
        self.log_start_offset.load(Ordering::Acquire)
    }

    /// The offset that the next record will get: on one node the log end offset is the high watermark.
    pub fn next_offset(&self) -> i64 {
        self.next_offset.load(Ordering::Acquire)
    }

    /// The first offset of the earliest open transaction, or the next offset if none is open (last stable offset).
    pub fn last_stable_offset(&self) -> i64 {
        self.last_stable_offset.load(Ordering::Acquire)
    }

    /// Up to where the log is on disk for certain, as the last flush has found (recovery point).
    pub fn recovery_point(&self) -> i64 {
        self.recovery_point.load(Ordering::Acquire)
    }

    /// Who has led the partition. It does not change while the log is open: whoever opened it leads on.
    pub fn leader_epochs(&self) -> &LeaderEpochs {
        &self.leader_epochs
    }

    /// Bytes of all segments' logs.
    pub fn size(&self) -> u64 {
        self.segments.load().iter().map(|segment| segment.size()).sum()
    }

    /// Reads whole batches from the one that holds `offset` on, of those that begin before `upto`, at most
    /// `max_bytes` of them, all out of one segment. With `at_least_one`, the first batch is returned whatever its
    /// size (KIP-74). Nothing, where nothing lies between `offset` and `upto`.
    pub fn read(&self, offset: i64, upto: i64, max_bytes: usize, at_least_one: bool) -> Result<LogSlice, ReadError> {
        let end = self.next_offset();
        let start = self.log_start_offset();
        if offset < start || offset > end {
            return Err(ReadError::OutOfRange { offset, start, end });
        }
        let upto = upto.min(end);
        if offset >= upto {
            return Ok(LogSlice::default());
        }
        loop {
            let segments = self.segments.load_full();
            match Self::read_from(&segments, offset, upto, max_bytes, at_least_one) {
                // A file that is gone belongs to a segment that has been removed or replaced meanwhile.
                Err(_) if !Arc::ptr_eq(&segments, &self.segments.load()) => {
                    if offset < self.log_start_offset() {
                        return Err(ReadError::OutOfRange { offset, start: self.log_start_offset(), end });
                    }
                }
                read => return Ok(read?),
            }
        }
    }

    fn read_from(
        segments: &[Arc<Segment>],
        offset: i64,
        upto: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<LogSlice, Error> {
        let from = segments.partition_point(|segment| segment.base_offset() <= offset).saturating_sub(1);
        // Where compaction has emptied the end of a segment, the next one holds the batch.
        for segment in &segments[from.min(segments.len())..] {
            let files = segment.files()?;
            let Some((position, header)) = files.batch_at_or_after(segment, offset) else {
                files.intact()?;
                continue;
            };
            if header.base_offset >= upto {
                break;
            }
            let mut stop = files.end_of_read(segment, position, upto, max_bytes);
            if stop == position && at_least_one {
                stop = position + header.size();
            }
            return Ok(LogSlice { records: files.slice(position..stop)? });
        }
        Ok(LogSlice::default())
    }

    /// The aborted transactions that overlap what was read from `from` on, by where they ended: their records, from the
    /// first offset to the marker, are not for who reads committed records.
    pub fn aborted_in(&self, from: i64, slice: &LogSlice) -> Result<Vec<AbortedTransaction>, Error> {
        let segments = self.segments.load();
        let first = segments.partition_point(|segment| segment.base_offset() <= from).saturating_sub(1);
        let segments = &segments[first.min(segments.len())..];
        let indexes: Vec<_> = segments.iter().map(|segment| segment.aborted()).collect::<Result<_, _>>()?;
        let mut found = Vec::new();
        if indexes.iter().all(|index| index.entries().is_empty()) {
            return Ok(found);
        }
        let Some(last) = batches(slice.records.clone()).flatten().last() else {
            return Ok(found);
        };
        let upto = last.header().next_offset();
        // Where one is complete, whatever begins below the end is in it or in one before.
        indexes.into_iter().find(|index| index.collect(from, upto, &mut found));
        Ok(found)
    }

    /// All aborted transactions with records below `upto`, by where they ended.
    pub(crate) fn aborted_below(&self, upto: i64) -> Result<Vec<AbortedTransaction>, Error> {
        let mut found = Vec::new();
        for segment in self.segments.load().iter() {
            if segment.aborted()?.collect(i64::MIN, upto, &mut found) {
                break;
            }
        }
        Ok(found)
    }

    /// The first record with a timestamp of at least `timestamp`; `None` if there is none.
    pub fn first_at_or_after(&self, timestamp: i64) -> Result<Option<TimestampAndOffset>, Error> {
        let (start, end) = (self.log_start_offset(), self.next_offset());
        for segment in self.segments.load().iter() {
            let files = segment.files()?;
            let mut from = start;
            while let Some(batch) = files.batch_at_timestamp(segment, timestamp, from) {
                let wanted = |at: TimestampAndOffset| at.timestamp >= timestamp && at.offset >= start;
                match first_record_where(&batch, wanted) {
                    Some(found) => return Ok(Some(found).filter(|found| found.offset < end)),
                    // The batch's header promised a timestamp that only a deleted record had.
                    None => from = batch.header().next_offset(),
                }
            }
            files.intact()?;
        }
        Ok(None)
    }

    /// The record with the greatest timestamp, the first of them if several have it (KIP-734); `None` in an empty
    /// log. As in Kafka it may stand before the log's start, as long as its segment is there.
    pub fn max_timestamp(&self) -> Result<Option<TimestampAndOffset>, Error> {
        let mut max: Option<(i64, i64, Arc<Segment>)> = None;
        for segment in self.segments.load().iter() {
            let files = segment.files()?;
            let found = files.max_timestamp(segment);
            files.intact()?;
            let offset = segment.base_offset() + i64::from(found.relative_offset);
            if found.timestamp >= 0 && max.as_ref().is_none_or(|max| found.timestamp > max.0) {
                max = Some((found.timestamp, offset, Arc::clone(segment)));
            }
        }
        let Some((timestamp, offset, segment)) = max else {
            return Ok(None);
        };
        let files = segment.files()?;
        let batch = files.batch_at_or_after(&segment, offset).and_then(|(position, _)| files.batch_at(position));
        Ok(batch.and_then(|batch| first_record_where(&batch, |at| at.timestamp >= timestamp)))
    }

    /// Begins anew at `segments`, as the writer's last segment changes.
    pub(crate) fn publish_segments(&self, segments: Vec<Arc<Segment>>) {
        self.segments.store(Arc::new(segments));
    }

    /// Makes what the active segment has published readable.
    pub(crate) fn publish_end(&self, next_offset: i64, last_stable_offset: i64) {
        self.next_offset.store(next_offset, Ordering::Release);
        self.last_stable_offset.store(last_stable_offset, Ordering::Release);
    }

    pub(crate) fn publish_start(&self, log_start_offset: i64) {
        self.log_start_offset.store(log_start_offset, Ordering::Release);
    }

    pub(crate) fn publish_recovery_point(&self, recovery_point: i64) {
        self.recovery_point.store(recovery_point, Ordering::Release);
    }

    pub(crate) fn segments(&self) -> Arc<Vec<Arc<Segment>>> {
        self.segments.load_full()
    }
}

impl LogSlice {
    /// Whether nothing was there to read.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

fn first_record_where(batch: &RecordBatch, wanted: impl Fn(TimestampAndOffset) -> bool) -> Option<TimestampAndOffset> {
    let header = batch.header();
    let mut found = None;
    let scanned = batch.scan(|record| {
        let timestamp = match header.attributes.timestamp_type() {
            TimestampType::CreateTime => header.base_timestamp.wrapping_add(record.timestamp_delta),
            TimestampType::LogAppendTime => header.max_timestamp,
        };
        let at = TimestampAndOffset { timestamp, offset: header.base_offset + i64::from(record.offset_delta) };
        if found.is_none() && wanted(at) {
            found = Some(at);
        }
    });
    if let Err(error) = scanned {
        // Batches are checked before they are appended, so this one came from elsewhere.
        tracing::warn!(base_offset = header.base_offset, %error, "a stored batch does not decode");
    }
    found
}
