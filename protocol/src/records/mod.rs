//! Record batches of format v2 (KIP-98), the only one that Apache Kafka 4 accepts (KIP-724).
//!
//! A batch is kept as the bytes that arrived. [`BatchHeader`] reads its 61-byte header in place,
//! [`batches`] walks a run of batches by their headers, and only what must look inside does:
//! [`validate`] on the way in, [`RecordIter`] for reading by time and for coordinators' own topics.

mod batch;
mod builder;
mod compression;
mod control;
mod header;
mod record;
mod rewrite;
mod scan;
pub mod validate;

pub use batch::{BatchIter, RecordBatch, batches};
pub use builder::BatchBuilder;
pub use compression::{Compression, CompressionError, CompressionType};
pub use control::{ControlRecord, EndTransactionMarker};
pub use header::{Attributes, BatchError, BatchHeader, HEADER_LEN, LOG_OVERHEAD, TimestampType};
pub use record::{Record, RecordHeader, RecordIter};
pub use rewrite::RewriteError;
pub use scan::{RecordMeta, RecordsError};

/// Sequence number, producer id or epoch of a batch that has no producer id.
pub const NO_PRODUCER_ID: i64 = -1;
/// The epoch that goes with [`NO_PRODUCER_ID`].
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// The sequence that goes with [`NO_PRODUCER_ID`].
pub const NO_SEQUENCE: i32 = -1;
/// The timestamp of a record or batch that has none.
pub const NO_TIMESTAMP: i64 = -1;
