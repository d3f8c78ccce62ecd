//! What is asked of the coordinator before something is written in a transaction (KIP-890): whether it knows that the
//! partition takes part or, for clients of the second version, that it does from now on. Kafka's
//! `AddPartitionsToTxnManager`, within one process.

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::TransactionVersion;

use super::requests::{PartitionsOfTransaction, ProducerIdAndEpoch, TopicPartition};
use super::runtime::TransactionCoordinator;

/// How a client's version of a request goes about transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransactionSupport {
    /// Partitions were added before; the client knows no error for one that was not.
    Verified,
    /// Partitions were added before; the client aborts at TRANSACTION_ABORTABLE.
    VerifiedAbortable,
    /// Partitions are added by what is written to them.
    AddsPartitions,
}

impl TransactionSupport {
    pub(crate) fn of_produce(version: i16) -> Self {
        match version {
            ..=10 => Self::Verified,
            11 => Self::VerifiedAbortable,
            12.. => Self::AddsPartitions,
        }
    }

    pub(crate) fn of_txn_offset_commit(version: i16) -> Self {
        match version {
            ..=3 => Self::Verified,
            4 => Self::VerifiedAbortable,
            5.. => Self::AddsPartitions,
        }
    }

    pub(crate) fn version(self) -> TransactionVersion {
        match self {
            Self::Verified | Self::VerifiedAbortable => TransactionVersion::V0,
            Self::AddsPartitions => TransactionVersion::V2,
        }
    }
}

impl TransactionCoordinator {
    /// Verifies or adds partitions of a producer's transaction. Returns an outcome for each, in the codes that producers
    /// know.
    pub(crate) async fn admit(
        &self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        partitions: Vec<TopicPartition>,
        support: TransactionSupport,
    ) -> Vec<ErrorCode> {
        let count = partitions.len();
        let request = PartitionsOfTransaction {
            transactional_id: transactional_id.to_owned(),
            producer,
            partitions,
            version: support.version(),
        };
        let outcomes = match support {
            TransactionSupport::AddsPartitions => Err(self.add_partitions(request).await),
            _ => self.verify_partitions(request).await,
        };
        let outcomes = outcomes.unwrap_or_else(|error| vec![error; count]);
        let known = |outcome| match outcome {
            ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
            ErrorCode::TransactionAbortable if support == TransactionSupport::Verified => ErrorCode::InvalidTxnState,
            other => other,
        };
        outcomes.into_iter().map(known).collect()
    }
}
