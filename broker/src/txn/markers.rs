//! Writing markers: the control records by which each partition learns how a transaction ended.

use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::records::EndTransactionMarker;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_storage::{AppendError, AppendOrigin, ProducerError};

use super::requests::{PendingMarkers, ProducerIdAndEpoch, TopicPartition};
use crate::clock::Clock;
use crate::error::ToErrorCode;
use crate::groups::runtime::GroupCoordinator;
use crate::partition::Partition;
use crate::topics::{CONSUMER_OFFSETS, TRANSACTION_STATE, Topics};

/// The end of a producer's transaction, for one partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marker {
    pub(crate) producer: ProducerIdAndEpoch,
    pub(crate) end: EndTransactionMarker,
    pub(crate) version: TransactionVersion,
}

impl Marker {
    /// Appends the marker to a partition.
    pub(crate) fn append(&self, partition: &Arc<Partition>, wall_ms: i64) -> Result<(), AppendError> {
        let ProducerIdAndEpoch { producer_id, producer_epoch } = self.producer;
        let batch =
            self.end.batch(wall_ms, producer_id, producer_epoch).expect("a batch that is not compressed is made");
        partition.append(&ValidBatch::trusted(batch), AppendOrigin::Marker(self.version))?;
        Ok(())
    }
}

/// Who writes markers into partitions.
#[derive(Debug)]
pub(crate) struct MarkerWriter {
    pub(crate) topics: Arc<Topics>,
    /// Writes those into its own topic.
    pub(crate) groups: GroupCoordinator,
    pub(crate) clock: Clock,
}

impl MarkerWriter {
    /// Writes a transaction's markers. Returns the partitions where that is done with.
    pub(crate) async fn write(&self, pending: PendingMarkers) -> Vec<TopicPartition> {
        let end = EndTransactionMarker { commit: pending.commit, coordinator_epoch: self.coordinator_epoch() };
        let marker = Marker { producer: pending.producer, end, version: pending.version };
        let mut written = Vec::with_capacity(pending.partitions.len());
        for partition in pending.partitions {
            if self.write_one(marker, &partition, &pending.transactional_id).await {
                written.push(partition);
            }
        }
        written
    }

    /// Epoch of this coordinator: that of the leader of its partitions, the greatest where Kafka has left several.
    fn coordinator_epoch(&self) -> i32 {
        let partitions = self.topics.by_name(TRANSACTION_STATE).map(|topic| topic.partitions());
        partitions.and_then(|all| all.iter().map(|partition| partition.leader_epoch()).max()).unwrap_or(0)
    }

    async fn write_one(&self, marker: Marker, at: &TopicPartition, transactional_id: &str) -> bool {
        let error = match self.append(marker, at).await {
            Ok(()) => return true,
            Err(error) => error,
        };
        match error {
            // The partition is gone, or it has seen a later epoch: nothing of the transaction is open there.
            ErrorCode::UnknownTopicOrPartition
            | ErrorCode::InvalidProducerEpoch
            | ErrorCode::TransactionCoordinatorFenced => {
                tracing::info!(transactional_id, topic = &*at.topic, partition = at.partition, %error, "no marker needed");
                true
            }
            _ => {
                let partition = at.partition;
                tracing::warn!(transactional_id, topic = &*at.topic, partition, %error, "marker is tried again later");
                false
            }
        }
    }

    /// Writes one marker to a partition, or has the group coordinator write it to one of its own.
    pub(crate) async fn append(&self, marker: Marker, at: &TopicPartition) -> Result<(), ErrorCode> {
        let partition = self.topics.by_name(&at.topic).and_then(|topic| topic.partition(at.partition));
        let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
        if &*at.topic == CONSUMER_OFFSETS {
            return self.groups.complete_transaction(at.partition, marker).await;
        }
        marker.append(&partition, self.clock.wall_ms()).map_err(|error| {
            if !matches!(error, AppendError::Producer(ProducerError::InvalidEpoch { .. }) | AppendError::Deleted) {
                tracing::error!(%error, topic = &*at.topic, partition = at.partition, "marker not written");
            }
            error.error_code()
        })
    }
}
