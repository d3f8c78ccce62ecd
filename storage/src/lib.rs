//! A partition's log on disk, memory-mapped, in Kafka's own file format, and the data directory around it.
//!
//! A [`PartitionLog`] is one partition: segments of record batches as they arrived (`.log`), with an offset
//! index (`.index`), a time index (`.timeindex`), an index of aborted transactions (`.txnindex`) and snapshots of
//! producer state (`.snapshot`). It is the writer,
//! owned by whoever holds the partition's lock; any number of readers share its [`LogView`] without a lock.
//! [`DataDir`] is the directory that holds them, [`Catalog`] the record of which topics exist.
//!
//! Nothing here knows the network, a runtime or a topic's policies beyond its [`LogConfig`].

mod catalog;
mod checkpoint;
mod clock;
mod compaction;
#[cfg(test)]
mod crashes;
mod data_dir;
mod disk;
mod entry_file;
mod error;
mod files;
mod index_builder;
mod kafka_directory;
mod leader_epochs;
mod log;
mod mmap;
mod offset_index;
mod open_segments;
mod partition_dir;
mod producer_snapshot;
mod producer_state;
mod recovery;
mod resident;
mod segment;
mod time_index;
mod transaction_index;
mod view;

pub use catalog::{Catalog, CatalogRecord, Durability, ScramCredential, ScramCredentialRecord, TopicRecord};
pub use clock::Deadline;
pub use compaction::{CleanedSegment, CleanerConfig, CompactionPlan};
pub use data_dir::{DataDir, PreviousStop, Space};
pub use error::{AppendError, Error, ReadError};
pub use kafka_directory::{KafkaDirectory, KafkaTopic};
pub use leader_epochs::LeaderEpochs;
pub use log::{AppendOrigin, Appended, FlushPlan, LogConfig, LogId, LogOrigin, PartitionLog};
pub use mmap::release_program_pages;
pub use producer_state::{ProducerError, ProducerStateEntry, VerificationGuard};
pub use resident::note_progress;
pub use transaction_index::AbortedTransaction;
pub use view::{LogSlice, LogView, TimestampAndOffset};
