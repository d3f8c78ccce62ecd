//! What a partition remembers of each producer, so that a batch sent twice is stored once (KIP-98) and so that open
//! transactions bound what a reader of committed records sees. Kafka's `ProducerStateManager`.
//!
//! Checking and applying are two steps: [`ProducerStateManager::check`] decides and changes nothing, and
//! [`ProducerStateManager::apply`] is the only one that changes, for a live append and for replay alike.

use std::collections::{BTreeSet, HashMap};

use brooklet_protocol::records::{BatchHeader, ControlRecord, EndTransactionMarker, NO_PRODUCER_EPOCH, NO_SEQUENCE};

use crate::log::AppendOrigin;

/// How many batches of a producer are remembered: the most that an idempotent client has in flight.
pub(crate) const BATCHES_TO_RETAIN: usize = 5;

/// Why a producer's batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProducerError {
    /// A newer incarnation of the producer has written.
    #[error("producer {producer_id} writes with epoch {epoch}, the partition has seen epoch {current}")]
    InvalidEpoch {
        /// The producer's id.
        producer_id: i64,
        /// The batch's epoch.
        epoch: i16,
        /// The epoch seen last.
        current: i16,
    },
    /// The batch does not follow the producer's last one.
    #[error("producer {producer_id} sends sequence {sequence} where {expected} comes next")]
    OutOfOrderSequence {
        /// The producer's id.
        producer_id: i64,
        /// The batch's first sequence.
        sequence: i32,
        /// The sequence that would follow.
        expected: i32,
    },
    /// A transaction's marker from a coordinator that has been replaced.
    #[error("marker of coordinator epoch {epoch}, the partition has seen epoch {current}")]
    CoordinatorFenced {
        /// The marker's coordinator epoch.
        epoch: i32,
        /// The epoch seen last.
        current: i32,
    },
    /// A batch outside of a transaction while the producer has one open.
    #[error("producer {producer_id} has an open transaction and sends a batch outside of it")]
    NotInTransaction {
        /// The producer's id.
        producer_id: i64,
    },
}

/// What is to be done with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Append,
    /// It is stored already, at these offsets.
    Duplicate {
        base_offset: i64,
        last_offset: i64,
    },
}

/// A batch that a producer has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BatchMetadata {
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: i64,
    pub(crate) offset_delta: i32,
    pub(crate) timestamp: i64,
}

impl BatchMetadata {
    fn first_sequence(&self) -> i32 {
        // Sequences wrap at 2^31; so does the way back.
        (i64::from(self.last_sequence) - i64::from(self.offset_delta)).rem_euclid(1 << 31) as i32
    }

    fn base_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }
}

/// What is known of one producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerStateEntry {
    pub(crate) epoch: i16,
    pub(crate) coordinator_epoch: i32,
    pub(crate) last_timestamp: i64,
    pub(crate) current_txn_first_offset: Option<i64>,
    batches: [BatchMetadata; BATCHES_TO_RETAIN],
    len: u8,
}

impl Default for ProducerStateEntry {
    fn default() -> Self {
        Self {
            epoch: NO_PRODUCER_EPOCH,
            coordinator_epoch: -1,
            last_timestamp: -1,
            current_txn_first_offset: None,
            batches: [BatchMetadata::default(); BATCHES_TO_RETAIN],
            len: 0,
        }
    }
}

impl ProducerStateEntry {
    /// The producer's epoch.
    pub fn epoch(&self) -> i16 {
        self.epoch
    }

    /// Sequence of the last record written, or -1.
    pub fn last_sequence(&self) -> i32 {
        self.batches().last().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    /// When it last wrote, in milliseconds since 1970.
    pub fn last_timestamp(&self) -> i64 {
        self.last_timestamp
    }

    /// Oldest first.
    pub(crate) fn batches(&self) -> &[BatchMetadata] {
        &self.batches[..usize::from(self.len)]
    }

    pub(crate) fn push(&mut self, batch: BatchMetadata) {
        if usize::from(self.len) == BATCHES_TO_RETAIN {
            self.batches.rotate_left(1);
            self.len -= 1;
        }
        self.batches[usize::from(self.len)] = batch;
        self.len += 1;
    }

    fn adopt_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.len = 0;
        }
    }

    fn duplicate_of(&self, header: &BatchHeader) -> Option<&BatchMetadata> {
        self.batches().iter().find(|batch| {
            self.epoch == header.producer_epoch
                && batch.first_sequence() == header.base_sequence
                && batch.last_sequence == header.last_sequence()
        })
    }
}

/// All producers of a partition.
#[derive(Debug, Default)]
pub(crate) struct ProducerStateManager {
    producers: HashMap<i64, ProducerStateEntry>,
    /// First offsets of open transactions.
    open_transactions: BTreeSet<i64>,
}

impl ProducerStateManager {
    /// Whether the batch may be appended. Its base offset need not be set.
    pub(crate) fn check(&self, header: &BatchHeader, origin: AppendOrigin) -> Result<Admission, ProducerError> {
        if !header.has_producer_id() || header.attributes.is_control() {
            return Ok(Admission::Append);
        }
        let Some(entry) = self.producers.get(&header.producer_id) else {
            // Nothing is known of the producer: it is new, or its records have expired. Any sequence will do.
            return Ok(Admission::Append);
        };
        if let Some(batch) = entry.duplicate_of(header) {
            return Ok(Admission::Duplicate { base_offset: batch.base_offset(), last_offset: batch.last_offset });
        }
        check_epoch(header.producer_id, header.producer_epoch, entry)?;
        if origin == AppendOrigin::Client {
            check_sequence(header, entry)?;
        }
        if entry.current_txn_first_offset.is_some() && !header.attributes.is_transactional() {
            return Err(ProducerError::NotInTransaction { producer_id: header.producer_id });
        }
        Ok(Admission::Append)
    }

    /// Whether a coordinator may write this marker.
    pub(crate) fn check_marker(&self, header: &BatchHeader, marker: EndTransactionMarker) -> Result<(), ProducerError> {
        let Some(entry) = self.producers.get(&header.producer_id) else {
            return Ok(());
        };
        check_epoch(header.producer_id, header.producer_epoch, entry)?;
        if entry.coordinator_epoch > marker.coordinator_epoch {
            return Err(ProducerError::CoordinatorFenced {
                epoch: marker.coordinator_epoch,
                current: entry.coordinator_epoch,
            });
        }
        Ok(())
    }

    /// Takes note of a batch that stands in the log. `control` is its first record, if it is a control batch.
    pub(crate) fn apply(&mut self, header: &BatchHeader, control: Option<ControlRecord>) {
        if !header.has_producer_id() {
            return;
        }
        let entry = self.producers.entry(header.producer_id).or_default();
        match control {
            Some(ControlRecord::EndTransaction(marker)) => {
                entry.adopt_epoch(header.producer_epoch);
                entry.coordinator_epoch = marker.coordinator_epoch;
                entry.last_timestamp = header.max_timestamp;
                if let Some(first_offset) = entry.current_txn_first_offset.take() {
                    self.open_transactions.remove(&first_offset);
                }
            }
            Some(ControlRecord::Other(_)) => {}
            None if header.attributes.is_control() => {}
            None => {
                entry.adopt_epoch(header.producer_epoch);
                entry.last_timestamp = header.max_timestamp;
                entry.push(BatchMetadata {
                    last_sequence: header.last_sequence(),
                    last_offset: header.last_offset(),
                    offset_delta: header.last_offset_delta,
                    timestamp: header.max_timestamp,
                });
                if header.attributes.is_transactional() && entry.current_txn_first_offset.is_none() {
                    entry.current_txn_first_offset = Some(header.base_offset);
                    self.open_transactions.insert(header.base_offset);
                }
            }
        }
    }

    /// The first offset of the earliest open transaction.
    pub(crate) fn first_unstable_offset(&self) -> Option<i64> {
        self.open_transactions.first().copied()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (i64, &ProducerStateEntry)> {
        self.producers.iter().map(|(id, entry)| (*id, entry))
    }

    /// Puts in an entry from a snapshot.
    pub(crate) fn restore(&mut self, producer_id: i64, entry: ProducerStateEntry) {
        if let Some(first_offset) = entry.current_txn_first_offset {
            self.open_transactions.insert(first_offset);
        }
        self.producers.insert(producer_id, entry);
    }

    /// Forgets producers that have not written since `before` and have no open transaction
    /// (`producer.id.expiration.ms`).
    pub(crate) fn expire(&mut self, before: i64) {
        self.producers.retain(|_, entry| entry.current_txn_first_offset.is_some() || entry.last_timestamp >= before);
    }
}

fn check_epoch(producer_id: i64, epoch: i16, entry: &ProducerStateEntry) -> Result<(), ProducerError> {
    if epoch < entry.epoch {
        return Err(ProducerError::InvalidEpoch { producer_id, epoch, current: entry.epoch });
    }
    Ok(())
}

fn check_sequence(header: &BatchHeader, entry: &ProducerStateEntry) -> Result<(), ProducerError> {
    let expected = if header.producer_epoch == entry.epoch {
        match entry.last_sequence() {
            i32::MAX => 0,
            last => last + 1,
        }
    } else {
        0
    };
    if header.base_sequence == expected || entry.epoch == NO_PRODUCER_EPOCH {
        return Ok(());
    }
    Err(ProducerError::OutOfOrderSequence { producer_id: header.producer_id, sequence: header.base_sequence, expected })
}
