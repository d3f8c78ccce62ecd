//! A batch over shared bytes, and the walk over a run of them.

use bytes::Bytes;

use super::header::{BatchError, BatchHeader, CRC_COVERS_FROM, HEADER_LEN};

/// One whole batch: its header, decoded, over its bytes, shared.
#[derive(Debug, Clone)]
pub struct RecordBatch {
    header: BatchHeader,
    bytes: Bytes,
}

impl RecordBatch {
    /// The batch at the front of `bytes`, which may hold more behind it.
    pub fn parse(bytes: &Bytes) -> Result<Self, BatchError> {
        let header = BatchHeader::parse(bytes)?;
        if header.size() > bytes.len() {
            return Err(BatchError::Truncated { have: bytes.len(), need: header.size() });
        }
        Ok(Self { header, bytes: bytes.slice(..header.size()) })
    }

    /// The decoded header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All bytes of the batch.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes that follow the header: records, compressed as the attributes say.
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(HEADER_LEN..)
    }

    /// Compares the CRC with the bytes.
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        let computed = crc32c::crc32c(&self.bytes[CRC_COVERS_FROM..]);
        if computed == self.header.crc { Ok(()) } else { Err(BatchError::Crc { stored: self.header.crc, computed }) }
    }
}

/// Walks a run of batches, as they stand in a segment or in a fetch response. A last batch that is cut short
/// (which a fetch may hold) ends the walk without an error; anything else that is no batch is one.
pub fn batches(bytes: Bytes) -> BatchIter {
    BatchIter { rest: bytes }
}

/// See [`batches`].
#[derive(Debug)]
pub struct BatchIter {
    rest: Bytes,
}

impl Iterator for BatchIter {
    type Item = Result<RecordBatch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match RecordBatch::parse(&self.rest) {
            Ok(batch) => {
                self.rest = self.rest.slice(batch.bytes.len()..);
                Some(Ok(batch))
            }
            Err(BatchError::Truncated { .. }) => {
                self.rest = Bytes::new();
                None
            }
            Err(error) => {
                self.rest = Bytes::new();
                Some(Err(error))
            }
        }
    }
}
