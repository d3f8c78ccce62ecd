//! The time index: which offset holds the greatest timestamp so far (`.timeindex`; Kafka's `TimeIndex`).
//!
//! An entry is 12 bytes: a timestamp in milliseconds, and the offset, relative to the segment's base, of the batch
//! end that holds it. Timestamps and offsets both ascend: an entry says that every record up to its offset has at
//! most its timestamp.

use crate::entry_file::{EntryReader, EntryWriter};
use crate::error::Error;

pub(crate) const ENTRY_LEN: usize = 12;

/// An entry, relative to its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimestampOffset {
    pub(crate) timestamp: i64,
    pub(crate) relative_offset: u32,
}

impl TimestampOffset {
    pub(crate) fn decode(entry: &[u8; ENTRY_LEN]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *entry;
        Self {
            timestamp: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
            relative_offset: u32::from_be_bytes([i, j, k, l]),
        }
    }

    pub(crate) fn encode(self) -> [u8; ENTRY_LEN] {
        let mut out = [0; ENTRY_LEN];
        out[..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..].copy_from_slice(&self.relative_offset.to_be_bytes());
        out
    }
}

pub(crate) type TimeIndexWriter = EntryWriter<ENTRY_LEN>;
pub(crate) type TimeIndex = EntryReader<ENTRY_LEN>;

impl TimeIndexWriter {
    /// Appends the entry if it says anything new: both its fields must ascend.
    pub(crate) fn append_if_later(&mut self, entry: TimestampOffset) -> Result<(), Error> {
        let newer = match self.reader().last() {
            None => entry.timestamp >= 0,
            Some(last) => entry.timestamp > last.timestamp && entry.relative_offset > last.relative_offset,
        };
        if newer && !self.is_full() { self.append(entry.encode()) } else { Ok(()) }
    }
}

impl TimeIndex {
    pub(crate) fn last(&self) -> Option<TimestampOffset> {
        self.entries().last().map(TimestampOffset::decode).filter(|_| self.is_intact())
    }

    /// The last entry with a timestamp below `timestamp`: no record up to its offset is as late as that.
    pub(crate) fn last_before(&self, timestamp: i64) -> Option<TimestampOffset> {
        let entries = self.entries();
        let after = entries.partition_point(|entry| TimestampOffset::decode(entry).timestamp < timestamp);
        after.checked_sub(1).map(|index| TimestampOffset::decode(&entries[index])).filter(|_| self.is_intact())
    }
}
