//! The offset index: where in the segment a batch stands (`.index`; Kafka's `OffsetIndex`).
//!
//! An entry is 8 bytes: the last offset of a batch less the segment's base offset, and the position at which that
//! batch begins, both 32-bit big-endian and both ascending. It is sparse: one entry each `index.interval.bytes`.

use crate::entry_file::{EntryReader, EntryWriter};
use crate::error::Error;

pub(crate) const ENTRY_LEN: usize = 8;

/// An entry, relative to its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OffsetPosition {
    pub(crate) relative_offset: u32,
    pub(crate) position: u32,
}

impl OffsetPosition {
    pub(crate) fn decode(entry: &[u8; ENTRY_LEN]) -> Self {
        let [a, b, c, d, e, f, g, h] = *entry;
        Self { relative_offset: u32::from_be_bytes([a, b, c, d]), position: u32::from_be_bytes([e, f, g, h]) }
    }

    pub(crate) fn encode(self) -> [u8; ENTRY_LEN] {
        ((u64::from(self.relative_offset) << 32) | u64::from(self.position)).to_be_bytes()
    }
}

pub(crate) type OffsetIndexWriter = EntryWriter<ENTRY_LEN>;
pub(crate) type OffsetIndex = EntryReader<ENTRY_LEN>;

impl OffsetIndexWriter {
    pub(crate) fn append_position(&mut self, relative_offset: u32, position: u32) -> Result<(), Error> {
        self.append(OffsetPosition { relative_offset, position }.encode())
    }
}

impl OffsetIndex {
    /// The position from which a walk finds the batch that holds `relative_offset`: that of the last entry at or
    /// below it, or the segment's start.
    pub(crate) fn position_at_or_before(&self, relative_offset: u32) -> u32 {
        self.last_where(|entry| entry.relative_offset <= relative_offset)
    }

    /// The greatest indexed batch position at or below `position`, of those whose batch ends before
    /// `relative_offset`: from there a walk finds where to cut a read.
    pub(crate) fn position_within(&self, position: u32, relative_offset: u32) -> u32 {
        self.last_where(|entry| entry.position <= position && entry.relative_offset < relative_offset)
    }

    /// The position of the last batch that is indexed; 0 if none is.
    pub(crate) fn last_position(&self) -> u32 {
        self.entries().last().map_or(0, |entry| OffsetPosition::decode(entry).position)
    }

    fn last_where(&self, holds: impl Fn(OffsetPosition) -> bool) -> u32 {
        let entries = self.entries();
        let after = entries.partition_point(|entry| holds(OffsetPosition::decode(entry)));
        let position = after.checked_sub(1).map_or(0, |index| OffsetPosition::decode(&entries[index]).position);
        // Without the index a walk is longer, not wrong.
        if self.is_intact() { position } else { 0 }
    }
}
