//! One transactional id: its producer and the transaction it is in. Kafka's `TransactionMetadata`.
//!
//! Nothing is changed in place. Each step makes the metadata that is to be stored next, and it counts once it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use brooklet_protocol::coordinator::transaction_log::{TransactionLogValue, TransactionState, TransactionVersion};

use super::requests::{PendingMarkers, ProducerIdAndEpoch, TopicPartition};

pub(crate) const NO_PRODUCER_ID: i64 = -1;
pub(crate) const NO_PRODUCER_EPOCH: i16 = -1;
const NO_TIMESTAMP: i64 = -1;

/// Whether no further epoch may be given to a producer with this one: the last is kept, so that it can still be fenced.
pub(crate) fn is_epoch_exhausted(epoch: i16) -> bool {
    epoch >= i16::MAX - 1
}

/// What is known of a transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransactionMetadata {
    pub(crate) producer_id: i64,
    /// The id before the last step, which differs where epochs were used up.
    pub(crate) previous_producer_id: i64,
    /// The id from the transaction's completion on, or -1 if it stays.
    pub(crate) next_producer_id: i64,
    pub(crate) producer_epoch: i16,
    /// The epoch that a producer had which asked for this one, or -1. It is not stored, as in Kafka: who asks again across
    /// a restart is fenced.
    pub(crate) last_producer_epoch: i16,
    pub(crate) timeout_ms: i32,
    pub(crate) state: TransactionState,
    pub(crate) partitions: BTreeSet<TopicPartition>,
    /// When the transaction began, in milliseconds since 1970, or -1.
    pub(crate) start_timestamp: i64,
    /// When any of this last changed, in milliseconds since 1970.
    pub(crate) last_update_timestamp: i64,
    pub(crate) client_version: TransactionVersion,
}

impl TransactionMetadata {
    /// Of a transactional id that nobody has used. It is stored with its first epoch, not before.
    pub(crate) fn new(producer_id: i64, timeout_ms: i32, wall_ms: i64) -> Self {
        Self {
            producer_id,
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            last_producer_epoch: NO_PRODUCER_EPOCH,
            timeout_ms,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            start_timestamp: NO_TIMESTAMP,
            last_update_timestamp: wall_ms,
            client_version: TransactionVersion::V0,
        }
    }

    pub(crate) fn producer(&self) -> ProducerIdAndEpoch {
        ProducerIdAndEpoch { producer_id: self.producer_id, producer_epoch: self.producer_epoch }
    }

    /// It is decided how the transaction ends, and not every partition knows.
    pub(crate) fn is_completing(&self) -> bool {
        matches!(self.state, TransactionState::PrepareCommit | TransactionState::PrepareAbort)
    }

    /// Whether it may be forgotten when it has not been used for long.
    pub(crate) fn may_expire(&self) -> bool {
        use TransactionState::{CompleteAbort, CompleteCommit, Empty};
        matches!(self.state, Empty | CompleteCommit | CompleteAbort)
    }

    /// Whether the transaction is open and has taken longer than it may. The greatest timeout is none (KIP-939).
    pub(crate) fn is_overdue(&self, wall_ms: i64) -> bool {
        self.state == TransactionState::Ongoing
            && self.timeout_ms != i32::MAX
            && self.start_timestamp.saturating_add(i64::from(self.timeout_ms)) < wall_ms
    }

    /// Another incarnation of the producer, with the next epoch.
    pub(crate) fn with_next_epoch(&self, timeout_ms: i32, last_producer_epoch: i16, wall_ms: i64) -> Self {
        let producer_epoch = self.producer_epoch.saturating_add(1);
        Self { producer_epoch, last_producer_epoch, ..self.initialised(timeout_ms, wall_ms) }
    }

    /// Another incarnation of the producer with another id, as the epochs of the one it has are used up.
    pub(crate) fn with_producer_id(
        &self,
        producer_id: i64,
        timeout_ms: i32,
        last_producer_epoch: i16,
        wall_ms: i64,
    ) -> Self {
        Self { producer_id, producer_epoch: 0, last_producer_epoch, ..self.initialised(timeout_ms, wall_ms) }
    }

    /// A producer that has begun and has no transaction.
    pub(crate) fn initialised(&self, timeout_ms: i32, wall_ms: i64) -> Self {
        Self {
            timeout_ms,
            partitions: BTreeSet::new(),
            start_timestamp: NO_TIMESTAMP,
            ..self.step(TransactionState::Empty, wall_ms)
        }
    }

    /// The transaction, begun if there is none, writes to more partitions.
    pub(crate) fn with_partitions(&self, added: &[TopicPartition], version: TransactionVersion, wall_ms: i64) -> Self {
        let mut next = self.step(TransactionState::Ongoing, wall_ms);
        if self.state != TransactionState::Ongoing {
            next.start_timestamp = wall_ms;
        }
        next.partitions.extend(added.iter().cloned());
        next.client_version = version;
        next
    }

    /// It is decided how the transaction ends. Of a producer whose epochs are used up, `next_producer_id` is its next id.
    pub(crate) fn prepared(
        &self,
        commit: bool,
        version: TransactionVersion,
        next_producer_id: i64,
        wall_ms: i64,
    ) -> Self {
        let state = if commit { TransactionState::PrepareCommit } else { TransactionState::PrepareAbort };
        let mut next = self.step(state, wall_ms);
        if version.bumps_epoch() {
            // At the greatest epoch, which no producer is given, an abort goes on without another.
            next.producer_epoch = self.producer_epoch.saturating_add(1);
            next.last_producer_epoch = self.producer_epoch;
        }
        if self.state != TransactionState::Ongoing {
            next.start_timestamp = wall_ms;
        }
        next.next_producer_id = next_producer_id;
        next.client_version = version;
        next
    }

    /// Every partition knows how the transaction ended.
    pub(crate) fn completed(&self, wall_ms: i64) -> Self {
        let state = match self.state {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            _ => TransactionState::CompleteAbort,
        };
        let mut next = self.step(state, wall_ms);
        if self.client_version.bumps_epoch() && self.next_producer_id != NO_PRODUCER_ID {
            (next.producer_id, next.producer_epoch) = (self.next_producer_id, 0);
        }
        next.next_producer_id = NO_PRODUCER_ID;
        next.partitions.clear();
        next
    }

    fn step(&self, state: TransactionState, wall_ms: i64) -> Self {
        Self { previous_producer_id: self.producer_id, state, last_update_timestamp: wall_ms, ..self.clone() }
    }

    /// The markers of a transaction whose end is decided.
    pub(crate) fn markers(&self, transactional_id: Arc<str>, partitions: Vec<TopicPartition>) -> PendingMarkers {
        PendingMarkers {
            transactional_id,
            producer: self.producer(),
            commit: self.state == TransactionState::PrepareCommit,
            version: self.client_version,
            partitions,
        }
    }

    /// As it is stored.
    pub(crate) fn to_value(&self) -> TransactionLogValue {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for TopicPartition { topic, partition } in &self.partitions {
            topics.entry(topic).or_default().push(*partition);
        }
        TransactionLogValue {
            producer_id: self.producer_id,
            previous_producer_id: self.previous_producer_id,
            next_producer_id: self.next_producer_id,
            producer_epoch: self.producer_epoch,
            timeout_ms: self.timeout_ms,
            state: self.state,
            partitions: topics.into_iter().map(|(topic, partitions)| (topic.to_owned(), partitions)).collect(),
            last_update_timestamp: self.last_update_timestamp,
            start_timestamp: self.start_timestamp,
            client_transaction_version: self.client_version,
        }
    }

    /// As it was stored.
    pub(crate) fn from_value(value: TransactionLogValue) -> Self {
        let mut partitions = BTreeSet::new();
        for (topic, of_topic) in value.partitions {
            let topic: Arc<str> = topic.into();
            partitions
                .extend(of_topic.into_iter().map(|partition| TopicPartition { topic: Arc::clone(&topic), partition }));
        }
        Self {
            producer_id: value.producer_id,
            previous_producer_id: value.previous_producer_id,
            next_producer_id: value.next_producer_id,
            producer_epoch: value.producer_epoch,
            last_producer_epoch: NO_PRODUCER_EPOCH,
            timeout_ms: value.timeout_ms,
            state: value.state,
            partitions,
            start_timestamp: value.start_timestamp,
            last_update_timestamp: value.last_update_timestamp,
            client_version: value.client_transaction_version,
        }
    }
}
