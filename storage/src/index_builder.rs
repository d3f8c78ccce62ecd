//! The offset and time index of a segment, made by walking its batches: at recovery, and for a segment that compaction
//! writes. An appended segment's own are made by the same rule as it grows.

use std::path::Path;

use brooklet_protocol::records::BatchHeader;

use crate::disk::Dir;
use crate::error::Error;
use crate::offset_index::OffsetPosition;
use crate::time_index::TimestampOffset;

/// See the module.
#[derive(Debug)]
pub(crate) struct IndexBuilder {
    base_offset: i64,
    interval_bytes: usize,
    pub(crate) offsets: Vec<OffsetPosition>,
    pub(crate) times: Vec<TimestampOffset>,
    /// Bytes of batches so far.
    pub(crate) position: usize,
    /// Bytes of batches behind the last entry.
    pub(crate) bytes_since_entry: usize,
    /// The greatest timestamp so far, and the end of the batch that holds it.
    pub(crate) max_timestamp: Option<TimestampOffset>,
}

impl IndexBuilder {
    /// For the segment that begins at `base_offset`, with an entry each `interval_bytes` (`index.interval.bytes`).
    pub(crate) fn new(base_offset: i64, interval_bytes: usize) -> Self {
        Self {
            base_offset,
            interval_bytes,
            offsets: Vec::new(),
            times: Vec::new(),
            position: 0,
            bytes_since_entry: 0,
            max_timestamp: None,
        }
    }

    /// Goes on behind the last of entries that are known to be good. Their last batch comes next: its own header tells the
    /// offset that follows.
    pub(crate) fn resume(
        base_offset: i64,
        interval_bytes: usize,
        offsets: Vec<OffsetPosition>,
        times: Vec<TimestampOffset>,
    ) -> Self {
        Self {
            position: offsets.last().map_or(0, |entry| entry.position as usize),
            max_timestamp: times.last().copied(),
            offsets,
            times,
            ..Self::new(base_offset, interval_bytes)
        }
    }

    /// Takes in the next batch. With `indexing` it gets an entry if one is due.
    pub(crate) fn batch(&mut self, header: &BatchHeader, indexing: bool) {
        let relative_offset = u32::try_from(header.last_offset() - self.base_offset).unwrap_or(u32::MAX);
        if self.max_timestamp.is_none_or(|max| header.max_timestamp > max.timestamp) {
            self.max_timestamp = Some(TimestampOffset { timestamp: header.max_timestamp, relative_offset });
        }
        if indexing && self.bytes_since_entry > self.interval_bytes {
            self.offsets.push(OffsetPosition { relative_offset, position: self.position as u32 });
            self.push_time();
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += header.size();
        self.position += header.size();
    }

    /// The segment ends: the time index ends with the greatest timestamp.
    pub(crate) fn seal(&mut self) {
        self.push_time();
    }

    /// Writes both indexes whole.
    pub(crate) fn write(&self, dir: &Dir, offset_index: &Path, time_index: &Path) -> Result<(), Error> {
        write(dir, offset_index, self.offsets.iter().map(|entry| entry.encode()))?;
        write(dir, time_index, self.times.iter().map(|entry| entry.encode()))
    }

    fn push_time(&mut self) {
        let Some(max) = self.max_timestamp.filter(|max| max.timestamp >= 0) else {
            return;
        };
        let newer =
            |last: &TimestampOffset| max.timestamp > last.timestamp && max.relative_offset > last.relative_offset;
        if self.times.last().is_none_or(newer) {
            self.times.push(max);
        }
    }
}

fn write<const N: usize>(dir: &Dir, path: &Path, entries: impl Iterator<Item = [u8; N]>) -> Result<(), Error> {
    let bytes: Vec<u8> = entries.flatten().collect();
    if bytes.is_empty() {
        return dir.disk.remove_if_present(path);
    }
    dir.disk.write_whole(path, &bytes)
}
