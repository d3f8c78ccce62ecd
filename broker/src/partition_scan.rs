//! Reading a partition from its beginning to its end, for those in the same process: coordinators that take in what
//! they kept, tests that look at what was written, the shim and the registry.

use brooklet_protocol::records::{Record, RecordBatch, RecordsError as BatchRecordsError, batches};
use brooklet_storage::{Error as StorageError, ReadError};

use crate::partition::Partition;

/// How much is read at a time.
const READ_BYTES: usize = 1 << 20;
/// What a batch may decompress to.
pub(crate) const MAX_BATCH_BYTES: usize = 256 << 20;

/// Why a partition could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("a stored batch does not decode: {0}")]
    Batch(String),
}

impl From<StorageError> for ScanError {
    fn from(error: StorageError) -> Self {
        Self::Read(ReadError::Storage(error))
    }
}

impl From<BatchRecordsError> for ScanError {
    fn from(error: BatchRecordsError) -> Self {
        Self::Batch(error.to_string())
    }
}

impl Partition {
    /// Gives `visit` each record in order, up to where the log ends now. Keys and values share the log's mapping: who
    /// keeps them should copy them. Control records are left out.
    pub(crate) fn for_each_record(&self, mut visit: impl FnMut(Record)) -> Result<(), ScanError> {
        self.for_each_batch(|batch, offset| {
            if batch.header().attributes.is_control() {
                return Ok(());
            }
            for record in batch.records(MAX_BATCH_BYTES)? {
                let record = record?;
                if record.offset >= offset {
                    visit(record);
                }
            }
            Ok(())
        })
    }

    /// Gives `visit` each record from an offset on that a reader of what is committed sees now, at most about `max_bytes` of
    /// them, and returns the offset from which to go on. Keys and values share the log's mapping.
    #[cfg(feature = "connect")]
    pub(crate) fn committed_records(
        &self,
        from: i64,
        max_bytes: usize,
        mut visit: impl FnMut(Record),
    ) -> Result<i64, ScanError> {
        let view = self.view()?;
        let from = from.max(view.log_start_offset());
        let slice = match view.read(from, view.last_stable_offset(), max_bytes, true) {
            // What is behind the last stable offset is not there yet.
            Err(ReadError::OutOfRange { .. }) => return Ok(from),
            read => read?,
        };
        let aborted = view.aborted_in(from, &slice)?;
        let mut next = from;
        for batch in batches(slice.records) {
            let batch = batch.map_err(|error| ScanError::Batch(error.to_string()))?;
            let header = batch.header();
            next = header.next_offset();
            let is_aborted = header.attributes.is_transactional() && aborted.iter().any(|one| one.covers(header));
            if is_aborted || header.attributes.is_control() {
                continue;
            }
            for record in batch.records(MAX_BATCH_BYTES)? {
                let record = record?;
                if record.offset >= from {
                    visit(record);
                }
            }
        }
        Ok(next)
    }

    /// Gives `visit` each batch in order, up to where the log ends now, with the offset from which its records count.
    pub(crate) fn for_each_batch(
        &self,
        mut visit: impl FnMut(&RecordBatch, i64) -> Result<(), ScanError>,
    ) -> Result<(), ScanError> {
        let view = self.view()?;
        let mut offset = view.log_start_offset();
        let end = view.next_offset();
        while offset < end {
            let slice = match view.read(offset, end, READ_BYTES, true) {
                // Retention has moved the start meanwhile: what is gone is not read.
                Err(ReadError::OutOfRange { start, .. }) if offset < start => {
                    offset = start;
                    continue;
                }
                read => read?,
            };
            if slice.is_empty() {
                break;
            }
            for batch in batches(slice.records) {
                let batch = batch.map_err(|error| ScanError::Batch(error.to_string()))?;
                let next = batch.header().next_offset();
                if next <= offset {
                    return Err(ScanError::Batch(format!("the batch at offset {offset} ends before it")));
                }
                visit(&batch, offset)?;
                offset = next;
            }
        }
        Ok(())
    }
}
