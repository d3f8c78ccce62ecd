//! What a partition remembers of each producer, so that a batch sent twice is stored once (KIP-98) and so that open
//! transactions bound what a reader of committed records sees. Kafka's `ProducerStateManager` and `ProducerAppendInfo`.
//!
//! Checking and applying are two steps: [`ProducerStateManager::check`] decides and changes nothing, and
//! [`ProducerStateManager::apply`] is the only one that changes, for a live append and for replay alike.
//!
//! The first batch of a transaction is appended only if the transaction coordinator has been asked whether it knows of
//! the partition (KIP-890). Who is about to ask takes a [`VerificationGuard`] first; a marker that comes in between
//! takes it away again, so that nothing is left behind that no marker will end.

use std::collections::{BTreeSet, HashMap};

use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::records::{BatchHeader, ControlRecord, EndTransactionMarker, NO_PRODUCER_EPOCH, NO_SEQUENCE};

use crate::log::AppendOrigin;
use crate::transaction_index::AbortedTransaction;

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
    /// A batch in a transaction that the partition has no part in, as far as the transaction coordinator knows.
    #[error("the batch of producer {producer_id} is not part of an ongoing transaction")]
    Unverified {
        /// The producer's id.
        producer_id: i64,
    },
    /// A batch outside of a transaction while the producer has one open.
    #[error("producer {producer_id} has an open transaction and sends a batch outside of it")]
    NotInTransaction {
        /// The producer's id.
        producer_id: i64,
    },
}

/// Stands for a question to the transaction coordinator: whether a producer's transaction has a part in this partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerificationGuard(u64);

/// What is known of a producer whose transaction is being verified.
#[derive(Debug, Clone, Copy)]
struct Verification {
    guard: VerificationGuard,
    /// The lowest sequence that was to be appended: a higher one may not go first.
    lowest_sequence: i32,
    epoch: i16,
    transaction_version: TransactionVersion,
    /// When it began, in milliseconds since 1970.
    since: i64,
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

    /// Epoch of the coordinator that wrote its last marker, or -1.
    pub fn coordinator_epoch(&self) -> i32 {
        self.coordinator_epoch
    }

    /// Where its open transaction begins.
    pub fn current_txn_first_offset(&self) -> Option<i64> {
        self.current_txn_first_offset
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
    /// By producer id.
    verifications: HashMap<i64, Verification>,
    guards: u64,
}

impl ProducerStateManager {
    /// Whether the batch may be appended. Its base offset need not be set. `marker` is what it says if it ends a
    /// transaction.
    pub(crate) fn check(
        &self,
        header: &BatchHeader,
        marker: Option<EndTransactionMarker>,
        origin: AppendOrigin,
    ) -> Result<Admission, ProducerError> {
        if !header.has_producer_id() {
            return Ok(Admission::Append);
        }
        if header.attributes.is_control() {
            let Some(marker) = marker else { return Ok(Admission::Append) };
            return self.check_marker(header, marker, origin).map(|()| Admission::Append);
        }
        let entry = self.producers.get(&header.producer_id);
        if origin.is_client()
            && let Some(batch) = entry.and_then(|entry| entry.duplicate_of(header))
        {
            return Ok(Admission::Duplicate { base_offset: batch.base_offset(), last_offset: batch.last_offset });
        }
        check_epoch(header, entry)?;
        if header.attributes.is_transactional() {
            self.check_verified(header, origin)?;
        }
        if origin.is_client() {
            self.check_sequence(header, entry)?;
        }
        let in_transaction = entry.is_some_and(|entry| entry.current_txn_first_offset.is_some());
        if in_transaction && !header.attributes.is_transactional() {
            return Err(ProducerError::NotInTransaction { producer_id: header.producer_id });
        }
        Ok(Admission::Append)
    }

    /// Begins to verify that a producer's transaction has a part here; `None` if it is known to.
    pub(crate) fn begin_verification(
        &mut self,
        header: &BatchHeader,
        transaction_version: TransactionVersion,
        now_ms: i64,
    ) -> Result<Option<VerificationGuard>, ProducerError> {
        check_epoch(header, self.producers.get(&header.producer_id))?;
        if self.has_ongoing_transaction(header) {
            return Ok(None);
        }
        let guards = &mut self.guards;
        let verification = self.verifications.entry(header.producer_id).or_insert_with(|| {
            *guards += 1;
            Verification {
                guard: VerificationGuard(*guards),
                lowest_sequence: header.base_sequence,
                epoch: header.producer_epoch,
                transaction_version,
                since: now_ms,
            }
        });
        if header.producer_epoch > verification.epoch {
            (verification.epoch, verification.lowest_sequence) = (header.producer_epoch, header.base_sequence);
        } else if header.producer_epoch == verification.epoch {
            verification.lowest_sequence = verification.lowest_sequence.min(header.base_sequence);
        }
        Ok(Some(verification.guard))
    }

    fn has_ongoing_transaction(&self, header: &BatchHeader) -> bool {
        self.producers
            .get(&header.producer_id)
            .is_some_and(|entry| entry.current_txn_first_offset.is_some() && entry.epoch == header.producer_epoch)
    }

    fn check_verified(&self, header: &BatchHeader, origin: AppendOrigin) -> Result<(), ProducerError> {
        let verified = || {
            let verification = self.verifications.get(&header.producer_id)?;
            (origin.guard() == Some(verification.guard)).then_some(())
        };
        if self.has_ongoing_transaction(header) || verified().is_some() {
            return Ok(());
        }
        Err(ProducerError::Unverified { producer_id: header.producer_id })
    }

    /// Whether the end of a transaction may be written.
    fn check_marker(
        &self,
        header: &BatchHeader,
        marker: EndTransactionMarker,
        origin: AppendOrigin,
    ) -> Result<(), ProducerError> {
        let Some(entry) = self.producers.get(&header.producer_id) else {
            return Ok(());
        };
        let (epoch, current) = (header.producer_epoch, entry.epoch);
        let admitted = match origin {
            // The coordinator raises the epoch before it writes the markers, so that one with the epoch of the records is
            // late, unless it is written again for a transaction that has ended (KIP-890, KAFKA-19999).
            AppendOrigin::Marker(version) if version.bumps_epoch() => {
                epoch > current || (epoch == current && (entry.current_txn_first_offset.is_none() || epoch == i16::MAX))
            }
            _ => epoch >= current,
        };
        if !admitted {
            return Err(ProducerError::InvalidEpoch { producer_id: header.producer_id, epoch, current });
        }
        if entry.coordinator_epoch > marker.coordinator_epoch {
            return Err(ProducerError::CoordinatorFenced {
                epoch: marker.coordinator_epoch,
                current: entry.coordinator_epoch,
            });
        }
        Ok(())
    }

    fn check_sequence(&self, header: &BatchHeader, entry: Option<&ProducerStateEntry>) -> Result<(), ProducerError> {
        let out_of_order = |expected| {
            let BatchHeader { producer_id, base_sequence: sequence, .. } = *header;
            Err(ProducerError::OutOfOrderSequence { producer_id, sequence, expected })
        };
        let sequence = header.base_sequence;
        if let Some(verification) = self.verifications.get(&header.producer_id) {
            let knows_nothing = entry.is_none_or(|entry| entry.batches().is_empty());
            if verification.transaction_version.bumps_epoch() && sequence != 0 && knows_nothing {
                return out_of_order(0);
            }
            if sequence > verification.lowest_sequence {
                return out_of_order(verification.lowest_sequence);
            }
        }
        // Of a producer that is new, or whose records have expired, any sequence will do.
        let Some(entry) = entry.filter(|entry| entry.epoch != NO_PRODUCER_EPOCH) else {
            return Ok(());
        };
        let expected = match entry.last_sequence() {
            _ if header.producer_epoch != entry.epoch => 0,
            i32::MAX => 0,
            last => last + 1,
        };
        if sequence == expected { Ok(()) } else { out_of_order(expected) }
    }

    /// Whether this marker, once it stands in the log, will have aborted a transaction.
    pub(crate) fn aborts(&self, header: &BatchHeader, marker: EndTransactionMarker) -> bool {
        let open = || self.producers.get(&header.producer_id)?.current_txn_first_offset;
        !marker.commit && open().is_some()
    }

    /// Takes note of a batch that stands in the log. `control` is its first record, if it is a control batch. Returns the
    /// transaction that it has aborted.
    pub(crate) fn apply(&mut self, header: &BatchHeader, control: Option<ControlRecord>) -> Option<AbortedTransaction> {
        if !header.has_producer_id() {
            return None;
        }
        if header.attributes.is_transactional() {
            self.end_verification(header);
        }
        match control {
            Some(ControlRecord::EndTransaction(marker)) => self.apply_marker(header, marker),
            Some(ControlRecord::Other(_)) => None,
            None if header.attributes.is_control() => None,
            None => {
                self.apply_records(header);
                None
            }
        }
    }

    fn apply_records(&mut self, header: &BatchHeader) {
        let entry = self.producers.entry(header.producer_id).or_default();
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

    fn apply_marker(&mut self, header: &BatchHeader, marker: EndTransactionMarker) -> Option<AbortedTransaction> {
        let entry = self.producers.entry(header.producer_id).or_default();
        entry.adopt_epoch(header.producer_epoch);
        entry.coordinator_epoch = marker.coordinator_epoch;
        entry.last_timestamp = header.max_timestamp;
        let first_offset = entry.current_txn_first_offset.take()?;
        self.open_transactions.remove(&first_offset);
        let last_offset = header.last_offset();
        let aborted = AbortedTransaction {
            producer_id: header.producer_id,
            first_offset,
            last_offset,
            last_stable_offset: self.first_unstable_offset().unwrap_or(last_offset + 1),
        };
        (!marker.commit).then_some(aborted)
    }

    /// The transaction has begun here, or has ended. Only the verification of the next one stays, which may begin before
    /// the marker of the last is written.
    fn end_verification(&mut self, header: &BatchHeader) {
        let is_of_next = |verification: &Verification| {
            verification.transaction_version.bumps_epoch()
                && header.attributes.is_control()
                && verification.epoch == header.producer_epoch
        };
        if !self.verifications.get(&header.producer_id).is_some_and(is_of_next) {
            self.verifications.remove(&header.producer_id);
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
        self.verifications.retain(|_, verification| verification.since >= before);
    }
}

fn check_epoch(header: &BatchHeader, entry: Option<&ProducerStateEntry>) -> Result<(), ProducerError> {
    let BatchHeader { producer_id, producer_epoch: epoch, .. } = *header;
    match entry {
        Some(entry) if epoch < entry.epoch => {
            Err(ProducerError::InvalidEpoch { producer_id, epoch, current: entry.epoch })
        }
        _ => Ok(()),
    }
}
