//! The transaction index: which transactions were aborted in a segment (`.txnindex`; Kafka's `TransactionIndex` and
//! `AbortedTxn`).
//!
//! An entry is 34 bytes, big-endian: version 2 (0), producer id 8, the offset of the transaction's first record in this
//! partition 8, the offset of its marker 8, and the last stable offset once the marker stood there 8. It belongs to the
//! segment that holds the marker; markers' offsets ascend. A file exists only where a transaction was aborted.

use std::path::Path;

use brooklet_protocol::records::BatchHeader;

use crate::disk::Dir;
use crate::entry_file::{EntryReader, EntryWriter};
use crate::error::Error;

pub(crate) const ENTRY_LEN: usize = 34;
const VERSION: i16 = 0;

/// A transaction that was aborted, as far as one partition goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose it was.
    pub producer_id: i64,
    /// Offset of its first record.
    pub first_offset: i64,
    /// Offset of the marker that ended it.
    pub last_offset: i64,
    /// The last stable offset from then on: whatever was aborted and begins at or above it has an entry further on.
    pub last_stable_offset: i64,
}

impl AbortedTransaction {
    /// Whether a batch is part of it. Its marker is not.
    pub fn covers(&self, header: &BatchHeader) -> bool {
        self.producer_id == header.producer_id && (self.first_offset..self.last_offset).contains(&header.base_offset)
    }

    pub(crate) fn encode(self) -> [u8; ENTRY_LEN] {
        let mut out = [0; ENTRY_LEN];
        out[..2].copy_from_slice(&VERSION.to_be_bytes());
        let fields = [self.producer_id, self.first_offset, self.last_offset, self.last_stable_offset];
        for (place, field) in out[2..].as_chunks_mut::<8>().0.iter_mut().zip(fields) {
            *place = field.to_be_bytes();
        }
        out
    }

    /// `None` for what no writer of this format has written, such as room that was reserved.
    pub(crate) fn decode(entry: &[u8; ENTRY_LEN]) -> Option<Self> {
        let fields = entry[2..].as_chunks::<8>().0;
        let field = |index: usize| i64::from_be_bytes(fields[index]);
        let found =
            Self { producer_id: field(0), first_offset: field(1), last_offset: field(2), last_stable_offset: field(3) };
        // A marker follows at least one record.
        (entry[..2] == VERSION.to_be_bytes() && found.first_offset < found.last_offset).then_some(found)
    }
}

pub(crate) type TransactionIndexWriter = EntryWriter<ENTRY_LEN>;
pub(crate) type TransactionIndex = EntryReader<ENTRY_LEN>;

impl TransactionIndexWriter {
    pub(crate) fn append_aborted(&mut self, aborted: AbortedTransaction) -> Result<(), Error> {
        self.append(aborted.encode())
    }
}

impl TransactionIndex {
    pub(crate) fn aborted(&self) -> impl Iterator<Item = AbortedTransaction> {
        self.entries().iter().map_while(AbortedTransaction::decode)
    }

    /// Offset of the last marker that has an entry.
    pub(crate) fn last_offset(&self) -> Option<i64> {
        self.aborted().last().map(|aborted| aborted.last_offset)
    }

    /// Adds to `found` the transactions that overlap the range of offsets. Returns whether all that overlap it are found,
    /// so that later segments need not be asked.
    pub(crate) fn collect(&self, from: i64, upto: i64, found: &mut Vec<AbortedTransaction>) -> bool {
        for aborted in self.aborted() {
            if aborted.last_offset >= from && aborted.first_offset < upto {
                found.push(aborted);
            }
            if aborted.last_stable_offset >= upto {
                return true;
            }
        }
        false
    }
}

/// How many entries at the start of a file can be of markers in `base_offset..next_offset`. What follows them is room, or
/// speaks of what is not in the log.
pub(crate) fn trusted(dir: &Dir, path: &Path, base_offset: i64, next_offset: i64) -> Result<usize, Error> {
    let content = dir.disk.read_if_present(path)?.unwrap_or_default();
    let mut last = base_offset - 1;
    let good = content.as_chunks::<ENTRY_LEN>().0.iter().take_while(|entry| {
        let aborted = AbortedTransaction::decode(entry);
        let next = aborted.map(|aborted| aborted.last_offset).filter(|offset| *offset > last && *offset < next_offset);
        last = next.unwrap_or(last);
        next.is_some()
    });
    Ok(good.count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_has_kafkas_bytes() {
        let aborted =
            AbortedTransaction { producer_id: 1, first_offset: 258, last_offset: 1 << 40, last_stable_offset: -1 };
        let bytes =
            [&[0, 0][..], &[0, 0, 0, 0, 0, 0, 0, 1], &[0, 0, 0, 0, 0, 0, 1, 2], &[0, 0, 1, 0, 0, 0, 0, 0], &[0xff; 8]]
                .concat();
        assert_eq!(aborted.encode()[..], bytes[..]);
    }

    proptest! {
        #[test]
        fn entries_round_trip(producer_id: i64, first_offset in 0i64..1 << 60, len in 1i64..1000, stable: i64) {
            let last_offset = first_offset + len;
            let aborted = AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset: stable };
            prop_assert_eq!(AbortedTransaction::decode(&aborted.encode()), Some(aborted));
        }
    }

    #[test]
    fn room_that_was_reserved_is_no_entry() {
        assert_eq!(AbortedTransaction::decode(&[0; ENTRY_LEN]), None);
    }
}
