//! What is asked of the transaction coordinator and what it answers, apart from any version of the protocol.

use std::sync::{Arc, Weak};

use brooklet_protocol::coordinator::transaction_log::{TransactionState, TransactionVersion};

/// A partition by its topic's name, as transactions know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TopicPartition {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
}

impl TopicPartition {
    pub(crate) fn new(topic: &str, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

/// A producer's id and which incarnation of it, or transaction, it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProducerIdAndEpoch {
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
}

impl ProducerIdAndEpoch {
    /// What stands where there is none.
    pub(crate) const NONE: Self = Self { producer_id: -1, producer_epoch: -1 };
}

/// A producer that begins to use a transactional id, or goes on after an error.
#[derive(Debug, Clone)]
pub(crate) struct InitProducer {
    pub(crate) transactional_id: String,
    /// How long a transaction may take, in milliseconds.
    pub(crate) timeout_ms: i32,
    /// What the producer has so far, if it goes on (KIP-360).
    pub(crate) expected: Option<ProducerIdAndEpoch>,
    /// Of a producer in this process: as long as it lives, its transactions have no time limit.
    pub(crate) owner: Option<OwnerWatch>,
}

/// A producer in this process, to which its transactions belong until it is dropped.
#[cfg(any(feature = "connect", test))]
#[derive(Debug, Default)]
pub(crate) struct Owner(Arc<()>);

/// Tells whether an [`Owner`] is still there.
#[derive(Debug, Clone)]
pub(crate) struct OwnerWatch(Weak<()>);

#[cfg(any(feature = "connect", test))]
impl Owner {
    pub(crate) fn watch(&self) -> OwnerWatch {
        OwnerWatch(Arc::downgrade(&self.0))
    }
}

impl OwnerWatch {
    pub(crate) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

/// Partitions that a producer is about to write to, or that it should have added before.
#[derive(Debug, Clone)]
pub(crate) struct PartitionsOfTransaction {
    pub(crate) transactional_id: String,
    pub(crate) producer: ProducerIdAndEpoch,
    pub(crate) partitions: Vec<TopicPartition>,
    pub(crate) version: TransactionVersion,
}

/// The end of a transaction, as its producer wants it.
#[derive(Debug, Clone)]
pub(crate) struct EndTransaction {
    pub(crate) transactional_id: String,
    pub(crate) producer: ProducerIdAndEpoch,
    pub(crate) commit: bool,
    pub(crate) version: TransactionVersion,
}

/// A transactional id described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransactionDescription {
    pub(crate) producer: ProducerIdAndEpoch,
    pub(crate) state: TransactionState,
    pub(crate) timeout_ms: i32,
    /// Milliseconds since 1970, or -1.
    pub(crate) start_timestamp: i64,
    /// By topic and partition.
    pub(crate) partitions: Vec<TopicPartition>,
}

/// A transactional id in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransactionListing {
    pub(crate) transactional_id: Arc<str>,
    pub(crate) producer_id: i64,
    pub(crate) state: TransactionState,
    /// Milliseconds since 1970, or -1.
    pub(crate) start_timestamp: i64,
}

/// Markers that must be written, of one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingMarkers {
    pub(crate) transactional_id: Arc<str>,
    pub(crate) producer: ProducerIdAndEpoch,
    pub(crate) commit: bool,
    pub(crate) version: TransactionVersion,
    /// Where they are still missing.
    pub(crate) partitions: Vec<TopicPartition>,
}
