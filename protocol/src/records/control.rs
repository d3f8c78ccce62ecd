//! Control records: the markers that end a transaction (KIP-98, `EndTxnMarker.json`).

use bytes::{BufMut, Bytes, BytesMut};

use super::batch::RecordBatch;
use super::builder::BatchBuilder;
use super::compression::CompressionError;
use super::header::BatchHeader;
use crate::cursor::Cursor;

/// What the first record of a control batch says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlRecord {
    /// The end of a producer's transaction in this partition.
    EndTransaction(EndTransactionMarker),
    /// A kind that has no meaning for a partition's state here (leader changes and the like).
    Other(i16),
}

/// The end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndTransactionMarker {
    /// Whether the transaction's records become visible.
    pub commit: bool,
    /// Epoch of the transaction coordinator that wrote the marker.
    pub coordinator_epoch: i32,
}

const ABORT: i16 = 0;
const COMMIT: i16 = 1;
/// A control batch holds one record of a few bytes.
const LIMIT: usize = 64 * 1024;

impl ControlRecord {
    /// Reads the first record of a control batch; `None` if the batch is empty (compaction leaves such) or the
    /// record is not one of control.
    pub fn of(batch: &RecordBatch) -> Option<Self> {
        let record = batch.records(LIMIT).ok()?.next()?.ok()?;
        let mut key = Cursor::new(record.key?);
        let _version = key.i16("control version").ok()?;
        let kind = key.i16("control type").ok()?;
        if kind != ABORT && kind != COMMIT {
            return Some(Self::Other(kind));
        }
        let mut value = Cursor::new(record.value?);
        let _version = value.i16("marker version").ok()?;
        let coordinator_epoch = value.i32("coordinator epoch").ok()?;
        Some(Self::EndTransaction(EndTransactionMarker { commit: kind == COMMIT, coordinator_epoch }))
    }
}

impl EndTransactionMarker {
    /// The batch that ends the transaction of a producer in a partition.
    pub fn batch(
        self,
        timestamp: i64,
        producer_id: i64,
        producer_epoch: i16,
    ) -> Result<(BatchHeader, Bytes), CompressionError> {
        let mut key = BytesMut::new();
        key.put_i16(0);
        key.put_i16(if self.commit { COMMIT } else { ABORT });
        let mut value = BytesMut::new();
        value.put_i16(0);
        value.put_i32(self.coordinator_epoch);
        let mut builder =
            BatchBuilder::new().producer(producer_id, producer_epoch, super::NO_SEQUENCE).transactional().control();
        builder.push(timestamp, Some(&key), Some(&value), &[]);
        builder.finish()
    }
}
