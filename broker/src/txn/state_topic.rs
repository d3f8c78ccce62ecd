//! `__transaction_state`: where the transaction coordinator's records are kept, in Kafka's own format and partitioning.

use std::sync::Arc;

use brooklet_protocol::ErrorCode;
use brooklet_protocol::records::BatchBuilder;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_storage::AppendOrigin;
use bytes::Bytes;

use super::shard::TransactionRecord;
use crate::config::BrokerLayers;
use crate::error::ToErrorCode;
use crate::groups::offsets_topic::partition_of;
use crate::topics::{NewTopic, TRANSACTION_STATE, Topic, TopicError, Topics};

/// The topic, made when the first record is to be kept.
#[derive(Debug)]
pub(crate) struct StateTopic {
    pub(crate) topics: Arc<Topics>,
    /// The configs over which the topic's own are laid.
    pub(crate) layers: BrokerLayers,
    /// `transaction.state.log.num.partitions`.
    pub(crate) partitions: i32,
    /// `transaction.state.log.segment.bytes`.
    pub(crate) segment_bytes: u32,
    /// `transaction.state.log.min.isr`.
    pub(crate) min_insync_replicas: i32,
}

impl StateTopic {
    /// Keeps a record, in the partition of its transactional id.
    pub(crate) fn append(&self, record: &TransactionRecord, wall_ms: i64) -> Result<(), ErrorCode> {
        let topic = self.topic().map_err(|error| {
            tracing::error!(%error, "{TRANSACTION_STATE} could not be created");
            ErrorCode::CoordinatorNotAvailable
        })?;
        let index = partition_of(&record.transactional_id, topic.partition_count());
        let partition = topic.partition(index).ok_or(ErrorCode::CoordinatorNotAvailable)?;
        let mut batch = BatchBuilder::new();
        let value = record.value(self.topics.transaction_version());
        batch.push(wall_ms, Some(&record.key()), value.as_deref(), &[]);
        let batch = ValidBatch::trusted(batch.finish().map_err(|_| ErrorCode::UnknownServerError)?);
        partition.append(&batch, AppendOrigin::Coordinator).map_err(|error| {
            tracing::error!(%error, partition = index, "{TRANSACTION_STATE} could not be appended to");
            match error.error_code() {
                ErrorCode::RecordListTooLarge => ErrorCode::UnknownServerError,
                // Clients look for the coordinator again and try once more.
                _ => ErrorCode::CoordinatorNotAvailable,
            }
        })?;
        Ok(())
    }

    /// Reads all that is kept, in the order in which it was.
    pub(crate) fn load(&self, mut take_in: impl FnMut(Bytes, Option<Bytes>)) {
        let Some(topic) = self.topics.by_name(TRANSACTION_STATE) else {
            return;
        };
        for partition in topic.partitions().iter() {
            let loaded = partition.for_each_record(|record| {
                if let Some(key) = record.key {
                    take_in(key, record.value);
                }
            });
            if let Err(error) = loaded {
                tracing::error!(%error, partition = partition.index(), "{TRANSACTION_STATE} could not be read");
            }
        }
    }

    fn topic(&self) -> Result<Arc<Topic>, TopicError> {
        self.topics.by_name_or_create(TRANSACTION_STATE, &self.layers, || {
            let configs = [
                ("cleanup.policy", "compact".to_owned()),
                ("compression.type", "uncompressed".to_owned()),
                ("min.insync.replicas", self.min_insync_replicas.to_string()),
                ("segment.bytes", self.segment_bytes.to_string()),
                ("unclean.leader.election.enable", "false".to_owned()),
            ];
            NewTopic {
                name: TRANSACTION_STATE.to_owned(),
                partitions: self.partitions,
                replication_factor: 1,
                configs: configs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            }
        })
    }
}
