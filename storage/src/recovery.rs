//! What of a segment's files can be believed after a stop, clean or not.
//!
//! The active segment ends in room that was reserved and never written, and perhaps in a batch that was being
//! written when the process died. When only the process died, the page cache kept every store it made, in order:
//! the index entries are true, and what follows the last of them is walked and its CRCs checked. After the machine
//! went down nothing but what was synced can be believed. An index entry that speaks of a batch behind the recovery point
//! may be there without it, or with a header that is there in part, whose CRC does not cover its offset. So entries are taken
//! on trust only if all of them lie below the recovery point; where the log or its index reaches further, the whole segment
//! is walked and its indexes made anew.

use std::io::{self, BufReader, Read};

use brooklet_protocol::records::{BatchHeader, HEADER_LEN};

use crate::disk::{Access, Dir, Reading};
use crate::error::Error;
use crate::files::{LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX, segment_file};
use crate::index_builder::IndexBuilder;
use crate::offset_index::{self, OffsetPosition};
use crate::time_index::{self, TimestampOffset};
use crate::transaction_index;

/// How much of the files is taken on trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Index entries are true; only what follows the last is walked.
    Indexes,
    /// What speaks of offsets below this one is true: it was flushed before the machine stopped. A segment that reaches
    /// further, or has an index that does, is found as with [`Trust::Nothing`].
    Below(i64),
    /// Nothing is: every batch is checked and the indexes are made anew. (That of aborted transactions takes the state of
    /// producers, so it is left empty here.)
    Nothing,
}

impl Trust {
    /// Whether what is said of this offset is taken on trust, where nothing has to be made anew.
    fn covers(self, offset: i64) -> bool {
        match self {
            Self::Below(recovery_point) => offset < recovery_point,
            Self::Indexes | Self::Nothing => true,
        }
    }
}

/// What recovery found in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecoveredSegment {
    /// Bytes of whole, good batches at the start of the log file.
    pub(crate) valid_bytes: usize,
    /// The offset that follows them.
    pub(crate) next_offset: i64,
    /// Good entries at the start of the offset index.
    pub(crate) offset_entries: usize,
    /// Good entries at the start of the time index.
    pub(crate) time_entries: usize,
    /// Good entries at the start of the transaction index.
    pub(crate) aborted_entries: usize,
    /// Bytes of batches behind the last index entry.
    pub(crate) bytes_since_index_entry: usize,
    /// The greatest timestamp in the good batches.
    pub(crate) max_timestamp: Option<TimestampOffset>,
    /// Whether what lies behind the good batches is something else than room never written.
    pub(crate) torn: bool,
    /// Whether the indexes were made anew.
    pub(crate) rebuilt: bool,
}

impl RecoveredSegment {
    /// A segment that does not exist yet.
    pub(crate) fn empty(base_offset: i64) -> Self {
        Self {
            valid_bytes: 0,
            next_offset: base_offset,
            offset_entries: 0,
            time_entries: 0,
            aborted_entries: 0,
            bytes_since_index_entry: 0,
            max_timestamp: None,
            torn: false,
            rebuilt: false,
        }
    }
}

/// Finds the good part of the segment that begins at `base_offset`. With [`Trust::Nothing`] it also writes both
/// indexes anew.
pub(crate) fn recover(
    dir: &Dir,
    base_offset: i64,
    trust: Trust,
    index_interval_bytes: usize,
) -> Result<RecoveredSegment, Error> {
    let path = segment_file(dir, base_offset, LOG);
    let file = dir.disk.open(&path, Access::Read).map_err(Error::io("open", &path))?;
    let file_len = file.len().map_err(Error::io("examine", &path))?;
    let mut found = RecoveredSegment::empty(base_offset);
    let mut indexes = match trust {
        Trust::Nothing => IndexBuilder::new(base_offset, index_interval_bytes),
        Trust::Indexes | Trust::Below(_) => {
            let offsets = trusted_offsets(dir, base_offset, file_len)?;
            if offsets.last().is_some_and(|last| !trust.covers(base_offset + i64::from(last.relative_offset))) {
                return recover(dir, base_offset, Trust::Nothing, index_interval_bytes);
            }
            let times = trusted_times(dir, base_offset, &offsets)?;
            IndexBuilder::resume(base_offset, index_interval_bytes, offsets, times)
        }
    };
    let rewrite = trust == Trust::Nothing;
    let start = indexes.position;

    let mut walk = Walk::new(Reading::new(file, start as u64));
    while trust.covers(found.next_offset - 1) {
        match walk.next(found.next_offset).map_err(Error::io("read", &path))? {
            Step::Batch(header) => {
                indexes.batch(&header, rewrite);
                found.next_offset = header.next_offset();
            }
            Step::NeverWritten => break,
            Step::Torn => {
                found.torn = true;
                break;
            }
        }
    }
    let points_at_nothing = !rewrite && !indexes.offsets.is_empty() && indexes.position == start;
    if points_at_nothing || !trust.covers(found.next_offset - 1) {
        // Then the index is not to be believed after all.
        return recover(dir, base_offset, Trust::Nothing, index_interval_bytes);
    }
    if rewrite {
        let index = |extension| segment_file(dir, base_offset, extension);
        indexes.write(dir, &index(OFFSET_INDEX), &index(TIME_INDEX))?;
    }
    found.valid_bytes = indexes.position;
    found.max_timestamp = indexes.max_timestamp;
    found.bytes_since_index_entry = indexes.bytes_since_entry;
    found.offset_entries = indexes.offsets.len();
    found.time_entries = indexes.times.len();
    found.aborted_entries = match trust {
        Trust::Indexes | Trust::Below(_) => transaction_index::trusted(
            dir,
            &segment_file(dir, base_offset, TRANSACTION_INDEX),
            base_offset,
            found.next_offset,
        )?,
        Trust::Nothing => 0,
    };
    found.rebuilt = rewrite;
    Ok(found)
}

/// The leading entries that ascend and point into the file. What follows them is room, or was never finished.
fn trusted_offsets(dir: &Dir, base_offset: i64, file_len: u64) -> Result<Vec<OffsetPosition>, Error> {
    let content = dir.disk.read_if_present(&segment_file(dir, base_offset, OFFSET_INDEX))?.unwrap_or_default();
    let mut good: Vec<OffsetPosition> = Vec::new();
    for entry in content.as_chunks::<{ offset_index::ENTRY_LEN }>().0 {
        let entry = OffsetPosition::decode(entry);
        let ascends = match good.last() {
            None => entry.position > 0,
            Some(last) => entry.position > last.position && entry.relative_offset > last.relative_offset,
        };
        if !ascends || u64::from(entry.position) >= file_len {
            break;
        }
        good.push(entry);
    }
    Ok(good)
}

/// The leading entries that ascend and speak of offsets that the offset index covers, so that one which was written
/// for a batch that was not finished is not among them.
fn trusted_times(dir: &Dir, base_offset: i64, offsets: &[OffsetPosition]) -> Result<Vec<TimestampOffset>, Error> {
    let content = dir.disk.read_if_present(&segment_file(dir, base_offset, TIME_INDEX))?.unwrap_or_default();
    let covered = offsets.last().map_or(0, |entry| entry.relative_offset);
    let mut good: Vec<TimestampOffset> = Vec::new();
    for entry in content.as_chunks::<{ time_index::ENTRY_LEN }>().0 {
        let entry = TimestampOffset::decode(entry);
        let ascends = good
            .last()
            .is_none_or(|last| entry.timestamp > last.timestamp && entry.relative_offset > last.relative_offset);
        if !ascends || entry.relative_offset > covered || (entry.timestamp, entry.relative_offset) == (0, 0) {
            break;
        }
        good.push(entry);
    }
    Ok(good)
}

enum Step {
    Batch(BatchHeader),
    /// The end of the file, or zeros: room that was reserved.
    NeverWritten,
    /// Something that is no batch, or not the one that must come.
    Torn,
}

/// Reads batch after batch with plain reads: nothing is mapped until it is known to be good.
struct Walk {
    reader: BufReader<Reading>,
    buffer: Vec<u8>,
}

impl Walk {
    fn new(file: Reading) -> Self {
        Self { reader: BufReader::with_capacity(64 * 1024, file), buffer: vec![0; 64 * 1024] }
    }

    fn next(&mut self, expected_offset: i64) -> io::Result<Step> {
        let mut raw = [0; HEADER_LEN];
        if !self.fill(&mut raw)? || raw == [0; HEADER_LEN] {
            return Ok(Step::NeverWritten);
        }
        let Ok(header) = BatchHeader::parse(&raw) else {
            return Ok(Step::Torn);
        };
        // Compaction leaves gaps between batches, so an offset may be later than the one before it says.
        if header.base_offset < expected_offset || header.last_offset_delta < 0 {
            return Ok(Step::Torn);
        }
        let mut crc = crc32c::crc32c(&raw[21..]);
        let mut left = header.size() - HEADER_LEN;
        while left > 0 {
            let step = left.min(self.buffer.len());
            let (chunk, _) = self.buffer.split_at_mut(step);
            if let Err(error) = self.reader.read_exact(chunk) {
                return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(Step::Torn) } else { Err(error) };
            }
            crc = crc32c::crc32c_append(crc, chunk);
            left -= step;
        }
        Ok(if crc == header.crc { Step::Batch(header) } else { Step::Torn })
    }

    /// Reads a whole header; `false` if the file ends before one.
    fn fill(&mut self, raw: &mut [u8; HEADER_LEN]) -> io::Result<bool> {
        match self.reader.read_exact(raw) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}
