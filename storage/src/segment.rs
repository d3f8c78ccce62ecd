//! A segment: a run of batches in one file, with its indexes (Kafka's `LogSegment`).
//!
//! [`Segment`] is what readers share. The last segment of a log also has an [`ActiveSegment`], the writer.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use brooklet_protocol::records::{BatchHeader, HEADER_LEN, NO_TIMESTAMP, RecordBatch};
use bytes::Bytes;
use uuid::Uuid;

use crate::clock::Deadline;
use crate::disk::{Access, Dir};
use crate::error::{Error, FLUSH};
use crate::files::{LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX, segment_file};
use crate::log::LogConfig;
use crate::mmap::{MappedAppender, MappedReader};
use crate::offset_index::{OffsetIndex, OffsetIndexWriter};
use crate::open_segments::{self, Mapped, Turn};
use crate::recovery::RecoveredSegment;
use crate::time_index::{TimeIndex, TimeIndexWriter, TimestampOffset};
use crate::transaction_index::{AbortedTransaction, TransactionIndex, TransactionIndexWriter};

/// A segment as readers see it. Its files are mapped when it is read, and may be unmapped when others are.
#[derive(Debug)]
pub(crate) struct Segment {
    dir: Dir,
    base_offset: i64,
    maps: Arc<SegmentMaps>,
    /// How many bytes its log has, once nobody appends to it and somebody has looked.
    sealed_len: OnceLock<u64>,
}

/// What of a segment is mapped now.
#[derive(Debug, Default)]
struct SegmentMaps {
    files: ArcSwapOption<SegmentFiles>,
    /// Apart from the rest: who looks for aborted transactions looks into many segments of which it reads nothing.
    aborted: ArcSwapOption<TransactionIndex>,
    turn: Turn,
}

impl Mapped for SegmentMaps {
    fn turn(&self) -> &Turn {
        &self.turn
    }

    fn unmap(&self) {
        self.files.store(None);
        // That there is none is worth knowing, and takes no map.
        if self.aborted.load().as_ref().is_some_and(|index| index.is_mapped()) {
            self.aborted.store(None);
        }
    }
}

/// The mapped files of a segment.
#[derive(Debug)]
pub(crate) struct SegmentFiles {
    path: PathBuf,
    log: MappedReader,
    offsets: OffsetIndex,
    times: TimeIndex,
}

impl Segment {
    /// A segment that nobody appends to. Nothing is opened yet.
    pub(crate) fn sealed(dir: Dir, base_offset: i64) -> Self {
        Self { dir, base_offset, maps: Arc::default(), sealed_len: OnceLock::new() }
    }

    pub(crate) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    pub(crate) fn files(&self) -> Result<Arc<SegmentFiles>, Error> {
        if let Some(files) = self.maps.files.load_full() {
            self.maps.turn.used();
            return Ok(files);
        }
        let path = |extension| segment_file(&self.dir, self.base_offset, extension);
        let log = path(LOG);
        let files = SegmentFiles {
            log: self
                .dir
                .disk
                .open(&log, Access::Write)
                .and_then(|file| MappedReader::open(&*file))
                .map_err(Error::io("open", &log))?,
            offsets: OffsetIndex::open(&self.dir, &path(OFFSET_INDEX))?,
            times: TimeIndex::open(&self.dir, &path(TIME_INDEX))?,
            path: log,
        };
        files.check_len(*self.sealed_len.get_or_init(|| files.len() as u64))?;
        let files = Arc::new(files);
        // Two readers may both get here; either mapping is as good.
        self.maps.files.store(Some(Arc::clone(&files)));
        open_segments::admit(&self.maps);
        Ok(files)
    }

    /// The transactions whose markers are in this segment, of those that were aborted.
    pub(crate) fn aborted(&self) -> Result<Arc<TransactionIndex>, Error> {
        if let Some(index) = self.maps.aborted.load_full() {
            self.maps.turn.used();
            return Ok(index);
        }
        let path = segment_file(&self.dir, self.base_offset, TRANSACTION_INDEX);
        let index = Arc::new(TransactionIndex::open(&self.dir, &path)?);
        self.maps.aborted.store(Some(Arc::clone(&index)));
        if index.is_mapped() {
            open_segments::admit(&self.maps);
        }
        Ok(index)
    }

    /// Maps all files for as long as anyone shares this segment, so that it can be read when they have lost their names.
    pub(crate) fn open_all(&self) -> Result<(), Error> {
        open_segments::keep(&*self.maps);
        self.files()?;
        self.aborted().map(|_| ())
    }

    /// Takes note of how many bytes it has, so that one which is cut short before it is read is not taken for whole.
    pub(crate) fn note_len(&self) {
        // One that cannot be looked at now is looked at when it is read.
        if let Ok(status) = self.dir.disk.status(&segment_file(&self.dir, self.base_offset, LOG)) {
            self.sealed_len.get_or_init(|| status.len);
        }
    }

    /// Its writer is done with it: from now on it is mapped as sealed segments are.
    pub(crate) fn release(&self) {
        if let Some(files) = self.maps.files.load().as_ref() {
            self.sealed_len.get_or_init(|| files.len() as u64);
        }
        self.maps.turn.release();
        open_segments::admit(&self.maps);
    }

    /// Bytes of the log file, in memory or on disk.
    pub(crate) fn size(&self) -> u64 {
        match self.maps.files.load().as_ref() {
            Some(files) => files.log.len() as u64,
            None => {
                self.dir.disk.status(&segment_file(&self.dir, self.base_offset, LOG)).map_or(0, |status| status.len)
            }
        }
    }

    /// Hands the batches from the one that holds `from` on to the disk, with what cannot be made from them again, and with
    /// `indexes` those too. Returns whether that was done before `deadline`.
    pub(crate) fn flush(&self, from: i64, indexes: bool, deadline: &Deadline) -> Result<bool, Error> {
        let (files, aborted) = (self.files()?, self.aborted()?);
        let position = files.offsets.position_at_or_before(self.relative(from)) as usize;
        let flush = || {
            Ok(files.log.flush(position, deadline)?
                && aborted.flush(deadline)?
                && (!indexes || (files.offsets.flush(deadline)? && files.times.flush(deadline)?)))
        };
        flush().map_err(Error::io(FLUSH, &segment_file(&self.dir, self.base_offset, LOG)))
    }

    /// Whether the segment has a file of aborted transactions, as far as it was looked at.
    pub(crate) fn has_aborted_file(&self) -> bool {
        self.maps.aborted.load().as_ref().is_some_and(|index| index.is_mapped())
    }

    /// Unlinks the files. Readers that have them mapped keep them until they are done.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        for extension in [LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX] {
            self.dir.disk.remove_if_present(&segment_file(&self.dir, self.base_offset, extension))?;
        }
        Ok(())
    }

    /// Makes the transaction index of a sealed segment that nobody has read yet hold just these.
    pub(crate) fn set_aborted(&self, aborted: &[AbortedTransaction]) -> Result<(), Error> {
        let path = segment_file(&self.dir, self.base_offset, TRANSACTION_INDEX);
        let entries: Vec<u8> = aborted.iter().flat_map(|aborted| aborted.encode()).collect();
        match self.dir.disk.read_if_present(&path)? {
            Some(content) if content == entries => Ok(()),
            None if entries.is_empty() => Ok(()),
            _ if entries.is_empty() => self.dir.disk.remove_if_present(&path),
            _ => self.dir.disk.write_atomically(&path, &entries),
        }
    }

    /// An offset relative to this segment's base, clamped to what an index entry can hold.
    pub(crate) fn relative(&self, offset: i64) -> u32 {
        u32::try_from(offset.saturating_sub(self.base_offset).max(0)).unwrap_or(u32::MAX)
    }
}

impl SegmentFiles {
    /// An error if the log is shorter than it was when it was sealed, or than its index says.
    fn check_len(&self, sealed_len: u64) -> Result<(), Error> {
        let len = self.len() as u64;
        let indexed = u64::from(self.offsets.last_position());
        if len >= sealed_len && (len > indexed || indexed == 0) {
            return Ok(());
        }
        let had = sealed_len.max(indexed + 1);
        Err(Error::Corrupt {
            path: self.path.clone(),
            at: len,
            reason: format!("it was cut short; it had {had} bytes"),
        })
    }

    /// The header of the batch at `position`, or `None` at the end of what is published. One that the file ends in the middle
    /// of is not there, and the log is not [intact](Self::intact) then.
    pub(crate) fn header_at(&self, position: usize) -> Option<BatchHeader> {
        let bytes = self.log.look_at(position);
        let rest = bytes.get(position..)?;
        match BatchHeader::parse(rest) {
            Ok(header) if header.size() <= rest.len() => Some(header),
            Ok(_) => {
                self.log.note_cut(position);
                None
            }
            // Room that was reserved and never written is no batch, and nothing that is missing.
            Err(_) => {
                if rest.len() < HEADER_LEN && rest.iter().any(|byte| *byte != 0) {
                    self.log.note_cut(position);
                }
                None
            }
        }
    }

    /// The batch at `position`.
    pub(crate) fn batch_at(&self, position: usize) -> Option<RecordBatch> {
        let header = self.header_at(position)?;
        RecordBatch::parse(&self.log.slice(position..position + header.size()).ok()?).ok()
    }

    pub(crate) fn slice(&self, range: Range<usize>) -> Result<Bytes, Error> {
        self.log.slice(range).map_err(Error::io("read", &self.path))
    }

    /// An error if the file is not what was written, as far as anybody has noticed: a walk that came to an end may then
    /// have ended too early.
    pub(crate) fn intact(&self) -> Result<(), Error> {
        self.log.intact(self.log.len()).map_err(Error::io("read", &self.path))
    }

    pub(crate) fn len(&self) -> usize {
        self.log.len()
    }

    /// Position and header of the first batch that ends at or after `relative_offset`.
    pub(crate) fn batch_at_or_after(&self, segment: &Segment, offset: i64) -> Option<(usize, BatchHeader)> {
        let mut position = self.offsets.position_at_or_before(segment.relative(offset)) as usize;
        loop {
            let header = self.header_at(position)?;
            if header.last_offset() >= offset {
                return Some((position, header));
            }
            position += header.size();
        }
    }

    /// Where a read that starts at batch `start` must end: behind the last whole batch that lies below `upto` and
    /// within `max_bytes`. `start` itself if not even one does.
    pub(crate) fn end_of_read(&self, segment: &Segment, start: usize, upto: i64, max_bytes: usize) -> usize {
        let limit = start.saturating_add(max_bytes).min(self.len());
        let near = self.offsets.position_within(limit as u32, segment.relative(upto)) as usize;
        let mut end = near.max(start);
        while let Some(header) = self.header_at(end) {
            if end + header.size() > limit || header.base_offset >= upto {
                break;
            }
            end += header.size();
        }
        end
    }

    /// The greatest timestamp in the segment with the offset that holds it, walking what the index does not cover.
    pub(crate) fn max_timestamp(&self, segment: &Segment) -> TimestampOffset {
        let mut max = self.times.last().unwrap_or(NO_TIMESTAMP_YET);
        let mut position = self.offsets.position_at_or_before(max.relative_offset) as usize;
        while let Some(header) = self.header_at(position) {
            if header.max_timestamp > max.timestamp {
                max = TimestampOffset {
                    timestamp: header.max_timestamp,
                    relative_offset: segment.relative(header.last_offset()),
                };
            }
            position += header.size();
        }
        max
    }

    /// The first batch from `from` on that holds a timestamp of at least `timestamp`.
    pub(crate) fn batch_at_timestamp(&self, segment: &Segment, timestamp: i64, from: i64) -> Option<RecordBatch> {
        let known = self.times.last_before(timestamp).map_or(0, |entry| entry.relative_offset);
        let relative = known.max(segment.relative(from));
        let mut position = self.offsets.position_at_or_before(relative) as usize;
        loop {
            let header = self.header_at(position)?;
            if header.max_timestamp >= timestamp && header.last_offset() >= from {
                return self.batch_at(position);
            }
            position += header.size();
        }
    }
}

/// A random part of `segment.jitter.ms`, so that segments which were begun together do not end together.
fn jitter(config: &LogConfig) -> i64 {
    let most = config.segment_jitter_ms.min(config.roll_after_ms());
    if most <= 0 { 0 } else { (Uuid::new_v4().as_u128() % u128::from(most.unsigned_abs())) as i64 }
}

const NO_TIMESTAMP_YET: TimestampOffset = TimestampOffset { timestamp: NO_TIMESTAMP, relative_offset: 0 };

/// The writer of the last segment.
#[derive(Debug)]
pub(crate) struct ActiveSegment {
    shared: Arc<Segment>,
    path: PathBuf,
    log: MappedAppender,
    offsets: OffsetIndexWriter,
    times: TimeIndexWriter,
    aborted: TransactionIndexWriter,
    bytes_since_index_entry: usize,
    max_timestamp: TimestampOffset,
    /// Greatest timestamp of the first batch: `segment.ms` counts from it.
    first_timestamp: Option<i64>,
    /// What this segment's end comes earlier than `segment.ms` says, in milliseconds.
    jitter_ms: i64,
}

impl ActiveSegment {
    /// Creates the segment that begins at `base_offset`, or opens it as recovery left it.
    pub(crate) fn open(
        dir: &Dir,
        base_offset: i64,
        config: &LogConfig,
        recovered: &RecoveredSegment,
    ) -> Result<Self, Error> {
        let path = segment_file(dir, base_offset, LOG);
        let log = MappedAppender::open(dir, path.clone(), config.segment_bytes, recovered.valid_bytes)
            .map_err(Error::io("open", &path))?;
        let max_bytes = config.segment_index_bytes;
        let index = segment_file(dir, base_offset, OFFSET_INDEX);
        let offsets = OffsetIndexWriter::open(dir, index, max_bytes, recovered.offset_entries)?;
        let time_index = segment_file(dir, base_offset, TIME_INDEX);
        let times = TimeIndexWriter::open(dir, time_index, max_bytes, recovered.time_entries)?;
        // A marker takes 78 bytes of log and at most one entry of 34.
        let aborted_index = segment_file(dir, base_offset, TRANSACTION_INDEX);
        let aborted = TransactionIndexWriter::open(dir, aborted_index, log.capacity() / 2, recovered.aborted_entries)?;
        let files =
            SegmentFiles { path: path.clone(), log: log.reader(), offsets: offsets.reader(), times: times.reader() };
        let first_timestamp = files.header_at(0).map(|header| header.max_timestamp);
        let maps = SegmentMaps {
            files: ArcSwapOption::from_pointee(files),
            aborted: ArcSwapOption::from_pointee(aborted.reader()),
            turn: Turn::kept(),
        };
        let sealed_len = OnceLock::new();
        let shared = Arc::new(Segment { dir: dir.clone(), base_offset, maps: Arc::new(maps), sealed_len });
        Ok(Self {
            shared,
            path,
            log,
            offsets,
            times,
            aborted,
            bytes_since_index_entry: recovered.bytes_since_index_entry,
            max_timestamp: recovered.max_timestamp.unwrap_or(NO_TIMESTAMP_YET),
            first_timestamp,
            jitter_ms: jitter(config),
        })
    }

    pub(crate) fn shared(&self) -> &Arc<Segment> {
        &self.shared
    }

    /// Whether nothing has been appended and a batch of this size never can be.
    pub(crate) fn is_too_small_for(&self, size: usize) -> bool {
        self.log.len() == 0 && size > self.log.capacity()
    }

    /// Whether the log must begin another segment before it appends this batch.
    pub(crate) fn must_roll_for(&self, header: &BatchHeader, config: &LogConfig) -> bool {
        let size = self.log.len();
        let max_age = config.roll_after_ms() - self.jitter_ms;
        let aged = self.first_timestamp.is_some_and(|first| header.max_timestamp.saturating_sub(first) > max_age);
        size > 0
            && (size + header.size() > config.segment_bytes.min(self.log.capacity())
                || aged
                || self.offsets.is_full()
                || self.times.is_full()
                || header.last_offset() - self.shared.base_offset > i64::from(i32::MAX))
    }

    /// Appends a batch whose header is final. After an error nothing has been published.
    pub(crate) fn append(&mut self, header: &BatchHeader, payload: &[u8], config: &LogConfig) -> Result<(), Error> {
        let encoded: [u8; HEADER_LEN] = header.encode();
        let position = self.log.append(&[&encoded, payload]).map_err(Error::io("append to", &self.path))?;
        self.first_timestamp.get_or_insert(header.max_timestamp);
        let relative_offset = self.shared.relative(header.last_offset());
        if header.max_timestamp > self.max_timestamp.timestamp {
            self.max_timestamp = TimestampOffset { timestamp: header.max_timestamp, relative_offset };
        }
        if self.bytes_since_index_entry > config.index_interval_bytes {
            self.index(relative_offset, position as u32);
            self.bytes_since_index_entry = 0;
        }
        self.bytes_since_index_entry += header.size();
        Ok(())
    }

    /// Indexes are sparse by design: one that cannot grow makes look-ups longer, not wrong, so the batch that
    /// is in the log stays acknowledged.
    fn index(&mut self, relative_offset: u32, position: u32) {
        let indexed = self
            .offsets
            .append_position(relative_offset, position)
            .and_then(|()| self.times.append_if_later(self.max_timestamp));
        if let Err(error) = indexed {
            tracing::warn!(%error, "an index entry was left out");
        }
    }

    /// Makes room for an entry of the transaction index.
    pub(crate) fn reserve_aborted(&mut self) -> Result<(), Error> {
        self.aborted.reserve()
    }

    /// Takes note of a transaction whose marker is in this segment.
    pub(crate) fn append_aborted(&mut self, aborted: AbortedTransaction) -> Result<(), Error> {
        self.aborted.append_aborted(aborted)
    }

    /// Ends the segment: the files hold what was appended and no more, and the time index ends with the greatest
    /// timestamp, so that a reader need not walk to find it.
    pub(crate) fn seal(&mut self) -> Result<(), Error> {
        if self.max_timestamp.timestamp >= 0 {
            self.times.append_if_later(self.max_timestamp)?;
        }
        self.log.trim().map_err(Error::io("trim", &self.path))?;
        self.offsets.trim()?;
        self.times.trim()?;
        self.aborted.trim()
    }
}
