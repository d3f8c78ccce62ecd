//! `__consumer_offsets`: where the group coordinator's records are kept, in Kafka's own format and partitioning.

use std::collections::BTreeMap;
use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_protocol::records::{BatchBuilder, CompressionType};
use brooklet_storage::AppendOrigin;
use bytes::Bytes;

use super::shard::GroupRecord;
use crate::config::{BrokerLayers, ConfigMap};
use crate::error::ToErrorCode;
use crate::topics::{CONSUMER_OFFSETS, NewTopic, Topic, TopicError, Topics};

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
        let topic = self.topic().map_err(|error| {
            tracing::error!(%error, "{CONSUMER_OFFSETS} could not be created");
            ErrorCode::CoordinatorNotAvailable
        })?;
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
            partition.append(&ValidBatch::trusted(batch), AppendOrigin::Coordinator).map_err(|error| {
                tracing::error!(%error, partition = index, "{CONSUMER_OFFSETS} could not be appended to");
                // Clients look for the coordinator again and try once more.
                match error.error_code() {
                    ErrorCode::RecordListTooLarge => ErrorCode::InvalidCommitOffsetSize,
                    _ => ErrorCode::CoordinatorNotAvailable,
                }
            })?;
        }
        Ok(())
    }

    /// Reads all that is kept, in the order in which it was.
    pub(crate) fn load(&self, mut take_in: impl FnMut(Bytes, Option<Bytes>)) {
        let Some(topic) = self.topics.by_name(CONSUMER_OFFSETS) else {
            return;
        };
        for partition in topic.partitions().iter() {
            let loaded = partition.for_each_record(|record| {
                if let Some(key) = record.key {
                    // Copies: what is kept must not hold the mapped segment it was read from.
                    let copy = |bytes: Bytes| Bytes::copy_from_slice(&bytes);
                    take_in(copy(key), record.value.map(copy));
                }
            });
            if let Err(error) = loaded {
                tracing::error!(%error, partition = partition.index(), "{CONSUMER_OFFSETS} could not be read");
            }
        }
    }

    fn topic(&self) -> Result<Arc<Topic>, TopicError> {
        if let Some(topic) = self.topics.by_name(CONSUMER_OFFSETS) {
            return Ok(topic);
        }
        let configs = [
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "producer".to_owned()),
            ("segment.bytes", self.segment_bytes.to_string()),
        ];
        let new = NewTopic {
            name: CONSUMER_OFFSETS.to_owned(),
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            configs: configs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<ConfigMap>(),
        };
        match self.topics.create(&new, &self.layers) {
            Err(TopicError::Exists(name)) => self.topics.by_name(&name).ok_or(TopicError::Unknown(name)),
            created => created,
        }
    }
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
