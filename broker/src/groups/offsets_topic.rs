//! `__consumer_offsets`: where the group coordinator's records are kept, in Kafka's own format and partitioning.

use std::collections::BTreeMap;
use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_protocol::records::{BatchBuilder, BatchHeader, CompressionType, ControlRecord, NO_SEQUENCE};
use brooklet_storage::{AppendError, AppendOrigin, VerificationGuard};
use bytes::Bytes;

use super::shard::GroupRecord;
use super::transactional_offsets::Marked;
use crate::config::BrokerLayers;
use crate::error::ToErrorCode;
use crate::partition::Partition;
use crate::partition_scan::MAX_BATCH_BYTES;
use crate::topics::{CONSUMER_OFFSETS, NewTopic, Topic, TopicError, Topics};
use crate::txn::markers::Marker;
use crate::txn::requests::ProducerIdAndEpoch;

/// Something that is kept in the topic, as it is read at start.
#[derive(Debug)]
pub(crate) enum Kept {
    /// A record that counts.
    Record(Bytes, Option<Bytes>),
    /// A record that counts when its transaction is committed.
    Transactional(Marked, Bytes, Option<Bytes>),
    /// The end of a transaction.
    Marker(Marked, /* committed */ bool),
}

/// The topic, made when the first record is to be kept.
#[derive(Debug)]
pub(crate) struct OffsetsTopic {
    pub(crate) topics: Arc<Topics>,
    /// The configs over which the topic's own are laid.
    pub(crate) layers: BrokerLayers,
    /// `offsets.topic.num.partitions`.
    pub(crate) partitions: i32,
    /// `offsets.topic.replication.factor`, as declared.
    pub(crate) replication_factor: i16,
    /// `offsets.topic.segment.bytes`.
    pub(crate) segment_bytes: u32,
    /// `offsets.topic.compression.codec`.
    pub(crate) compression: CompressionType,
}

impl OffsetsTopic {
    /// Keeps records. Those of one group stand in one partition, in order.
    pub(crate) fn append(&self, records: &[GroupRecord], wall_ms: i64) -> Result<(), ErrorCode> {
        if records.is_empty() {
            return Ok(());
        }
        let topic = self.topic_or_error()?;
        let mut by_partition: BTreeMap<i32, BatchBuilder> = BTreeMap::new();
        for record in records {
            let partition = partition_of(&record.group_id, topic.partition_count());
            by_partition.entry(partition).or_insert_with(|| BatchBuilder::new().compression(self.compression)).push(
                wall_ms,
                Some(&record.key),
                record.value.as_deref(),
                &[],
            );
        }
        for (index, batch) in by_partition {
            let partition = topic.partition(index).ok_or(ErrorCode::CoordinatorNotAvailable)?;
            let batch = batch.finish().map_err(|_| ErrorCode::UnknownServerError)?;
            partition
                .append(&ValidBatch::trusted(batch), AppendOrigin::Coordinator)
                .map_err(|error| append_error(&error, index))?;
        }
        Ok(())
    }

    /// Keeps records of one group in a producer's transaction. Returns where.
    pub(crate) fn append_transactional(
        &self,
        group_id: &str,
        records: &[GroupRecord],
        producer: ProducerIdAndEpoch,
        guard: Option<VerificationGuard>,
        wall_ms: i64,
    ) -> Result<i32, ErrorCode> {
        let (index, partition) = self.partition_of_group(group_id)?;
        let ProducerIdAndEpoch { producer_id, producer_epoch } = producer;
        let mut batch = BatchBuilder::new()
            .compression(self.compression)
            .producer(producer_id, producer_epoch, NO_SEQUENCE)
            .transactional();
        for record in records {
            batch.push(wall_ms, Some(&record.key), record.value.as_deref(), &[]);
        }
        let batch = ValidBatch::trusted(batch.finish().map_err(|_| ErrorCode::UnknownServerError)?);
        let origin = guard.map_or(AppendOrigin::Coordinator, AppendOrigin::VerifiedCoordinator);
        partition.append(&batch, origin).map_err(|error| append_error(&error, index))?;
        Ok(index)
    }

    /// Begins to verify that a producer's transaction has a part in a group's partition, which is returned; without a guard
    /// it is known to.
    pub(crate) fn begin_verification(
        &self,
        group_id: &str,
        producer: ProducerIdAndEpoch,
        version: TransactionVersion,
        now_ms: i64,
    ) -> Result<(i32, Option<VerificationGuard>), ErrorCode> {
        let (index, partition) = self.partition_of_group(group_id)?;
        let header = header_of(producer)?;
        let guard =
            partition.begin_verification(&header, version, now_ms).map_err(|error| append_error(&error, index))?;
        Ok((index, guard))
    }

    /// Keeps the end of a transaction.
    pub(crate) fn append_marker(&self, index: i32, marker: Marker, wall_ms: i64) -> Result<(), ErrorCode> {
        let topic = self.topics.by_name(CONSUMER_OFFSETS);
        let partition = topic.and_then(|topic| topic.partition(index)).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        marker.append(&partition, wall_ms).map_err(|error| error.error_code())
    }

    fn partition_of_group(&self, group_id: &str) -> Result<(i32, Arc<Partition>), ErrorCode> {
        let topic = self.topic_or_error()?;
        let index = partition_of(group_id, topic.partition_count());
        Ok((index, topic.partition(index).ok_or(ErrorCode::CoordinatorNotAvailable)?))
    }

    fn topic_or_error(&self) -> Result<Arc<Topic>, ErrorCode> {
        self.topic().map_err(|error| {
            tracing::error!(%error, "{CONSUMER_OFFSETS} could not be created");
            ErrorCode::CoordinatorNotAvailable
        })
    }

    /// Reads all that is kept, in the order in which it was.
    pub(crate) fn load(&self, mut take_in: impl FnMut(Kept)) {
        let Some(topic) = self.topics.by_name(CONSUMER_OFFSETS) else {
            return;
        };
        for partition in topic.partitions().iter() {
            let loaded = partition.for_each_batch(|batch, from| {
                let header = batch.header();
                let marked = Marked { partition: partition.index(), producer_id: header.producer_id };
                if header.attributes.is_control() {
                    if let Some(ControlRecord::EndTransaction(marker)) = ControlRecord::of(batch) {
                        take_in(Kept::Marker(marked, marker.commit));
                    }
                    return Ok(());
                }
                for record in batch.records(MAX_BATCH_BYTES)? {
                    let record = record?;
                    // Copies: what is kept must not hold the mapped segment it was read from.
                    let copy = |bytes: Bytes| Bytes::copy_from_slice(&bytes);
                    match (record.key.map(copy), record.value.map(copy)) {
                        (None, _) => {}
                        _ if record.offset < from => {}
                        (Some(key), value) if header.attributes.is_transactional() => {
                            take_in(Kept::Transactional(marked, key, value));
                        }
                        (Some(key), value) => take_in(Kept::Record(key, value)),
                    }
                }
                Ok(())
            });
            if let Err(error) = loaded {
                tracing::error!(%error, partition = partition.index(), "{CONSUMER_OFFSETS} could not be read");
            }
        }
    }

    fn topic(&self) -> Result<Arc<Topic>, TopicError> {
        self.topics.by_name_or_create(CONSUMER_OFFSETS, &self.layers, || {
            let configs = [
                ("cleanup.policy", "compact".to_owned()),
                ("compression.type", "producer".to_owned()),
                ("segment.bytes", self.segment_bytes.to_string()),
            ];
            NewTopic {
                name: CONSUMER_OFFSETS.to_owned(),
                partitions: self.partitions,
                replication_factor: self.replication_factor,
                configs: configs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            }
        })
    }
}

/// A header that says no more than who writes.
fn header_of(producer: ProducerIdAndEpoch) -> Result<BatchHeader, ErrorCode> {
    let ProducerIdAndEpoch { producer_id, producer_epoch } = producer;
    let batch = BatchBuilder::new().producer(producer_id, producer_epoch, NO_SEQUENCE).transactional();
    batch.finish().map(|(header, _)| header).map_err(|_| ErrorCode::UnknownServerError)
}

fn append_error(error: &AppendError, partition: i32) -> ErrorCode {
    if let AppendError::Producer(error) = error {
        return error.error_code();
    }
    tracing::error!(%error, partition, "{CONSUMER_OFFSETS} could not be appended to");
    // Clients look for the coordinator again and try once more.
    match error.error_code() {
        ErrorCode::RecordListTooLarge => ErrorCode::InvalidCommitOffsetSize,
        _ => ErrorCode::CoordinatorNotAvailable,
    }
}

/// The partition of `__consumer_offsets` that keeps a group's records, where the topic may yet have to be made with so
/// many partitions.
pub(crate) fn placement_of(topics: &Topics, group_id: &str, partitions: i32) -> i32 {
    let count = topics.by_name(CONSUMER_OFFSETS).map_or(partitions, |topic| topic.partition_count());
    partition_of(group_id, count)
}

/// The partition that keeps a group's records: Java's hash of its id, without the sign, as Kafka places it.
pub(crate) fn partition_of(group_id: &str, partitions: i32) -> i32 {
    let hash = group_id.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_placed_as_kafka_places_them() {
        // "polygenelubricants" hashes to -2^31 in Java, whose absolute value Kafka takes as 0.
        assert_eq!(partition_of("polygenelubricants", 50), 0);
        assert_eq!(partition_of("my-group", 50), 12);
        assert_eq!(partition_of("connect-cluster", 50), 13);
        assert_eq!(partition_of("", 50), 0);
    }
}
