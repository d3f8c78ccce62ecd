//! `__share_group_state`: where the share coordinator's records are kept, in Kafka's own format and partitioning.

use std::collections::HashMap;
use std::sync::Arc;

use brooklet_protocol::coordinator::share_state::{SharePartitionKey, ShareStateKey};
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_protocol::records::{BatchBuilder, CompressionType};
use brooklet_storage::AppendOrigin;
use bytes::Bytes;
use parking_lot::Mutex;

use super::coordinator_key::coordinator_key;
use super::shard::{ShareStateError, ShareStateRecord};
use crate::config::BrokerLayers;
use crate::groups::offsets_topic::partition_of;
use crate::partition::Partition;
use crate::topics::{NewTopic, SHARE_GROUP_STATE, Topic, TopicError, Topics};

/// The topic, made when the first record is to be kept.
#[derive(Debug)]
pub(crate) struct ShareStateTopic {
    pub(crate) topics: Arc<Topics>,
    /// The configs over which the topic's own are laid.
    pub(crate) layers: BrokerLayers,
    /// `share.coordinator.state.topic.num.partitions`.
    pub(crate) partitions: i32,
    /// `share.coordinator.state.topic.segment.bytes`.
    pub(crate) segment_bytes: u32,
    /// `share.coordinator.state.topic.min.isr`, as declared.
    pub(crate) min_isr: i16,
    /// `share.coordinator.state.topic.compression.codec`.
    pub(crate) compression: CompressionType,
    /// Where the last snapshot of each share partition stands, by the partition that it stands in.
    pub(crate) snapshots: Mutex<HashMap<i32, HashMap<SharePartitionKey, i64>>>,
}

impl ShareStateTopic {
    /// Keeps a record. Those of one share partition stand in one partition, in order. What a snapshot has made
    /// superfluous is given up, so that the log does not grow with every acknowledgement.
    pub(super) fn append(&self, record: &ShareStateRecord, wall_ms: i64) -> Result<(), ShareStateError> {
        let topic = self.topic().map_err(|error| {
            tracing::error!(%error, "{SHARE_GROUP_STATE} could not be created");
            ShareStateError::NotKept
        })?;
        let index = partition_of(&coordinator_key(&record.share_partition), topic.partition_count());
        let partition = topic.partition(index).ok_or(ShareStateError::NotKept)?;
        let mut batch = BatchBuilder::new().compression(self.compression);
        batch.push(wall_ms, Some(&record.key), record.value.as_deref(), &[]);
        let batch = batch.finish().map_err(|_| ShareStateError::NotKept)?;
        let appended = partition.append(&ValidBatch::trusted(batch), AppendOrigin::Coordinator).map_err(|error| {
            tracing::error!(%error, partition = index, "{SHARE_GROUP_STATE} could not be appended to");
            ShareStateError::NotKept
        })?;
        if record.supersedes {
            self.superseded(&partition, &record.share_partition, record.value.is_some(), appended.base_offset);
        }
        Ok(())
    }

    fn superseded(&self, partition: &Partition, key: &SharePartitionKey, lives: bool, offset: i64) {
        let needed_from = {
            let mut snapshots = self.snapshots.lock();
            let here = snapshots.entry(partition.index()).or_default();
            let before = if lives { here.insert(key.clone(), offset) } else { here.remove(key) };
            if before.is_none() {
                return;
            }
            here.values().copied().min().unwrap_or(offset)
        };
        if let Err(error) = partition.advance_start(needed_from) {
            tracing::warn!(%error, partition = partition.index(), "old share state remains");
        }
    }

    /// Reads all that is kept, in the order in which it was, apart from that of topics that are no more.
    pub(super) fn load(&self, mut take_in: impl FnMut(Bytes, Option<Bytes>)) {
        let Some(topic) = self.topics.by_name(SHARE_GROUP_STATE) else {
            return;
        };
        for partition in topic.partitions().iter() {
            let mut here: HashMap<SharePartitionKey, i64> = HashMap::new();
            let loaded = partition.for_each_record(|record| {
                let Some(key) = record.key.map(|key| Bytes::copy_from_slice(&key)) else {
                    return;
                };
                match ShareStateKey::decode(key.clone()) {
                    Ok(ShareStateKey::Snapshot(of)) if record.value.is_none() => {
                        here.remove(&of);
                    }
                    Ok(ShareStateKey::Snapshot(of)) => {
                        if self.topics.by_id(of.topic_id).is_none() {
                            return;
                        }
                        here.insert(of, record.offset);
                    }
                    Ok(ShareStateKey::Update(of)) if self.topics.by_id(of.topic_id).is_none() => return,
                    _ => {}
                }
                take_in(key, record.value.map(|value| Bytes::copy_from_slice(&value)));
            });
            if let Err(error) = loaded {
                tracing::error!(%error, partition = partition.index(), "{SHARE_GROUP_STATE} could not be read");
            }
            self.snapshots.lock().insert(partition.index(), here);
        }
    }

    fn topic(&self) -> Result<Arc<Topic>, TopicError> {
        self.topics.by_name_or_create(SHARE_GROUP_STATE, &self.layers, || {
            let configs = [
                ("cleanup.policy", "delete".to_owned()),
                ("compression.type", "producer".to_owned()),
                ("min.insync.replicas", self.min_isr.to_string()),
                ("retention.ms", "-1".to_owned()),
                ("segment.bytes", self.segment_bytes.to_string()),
            ];
            NewTopic {
                name: SHARE_GROUP_STATE.to_owned(),
                partitions: self.partitions,
                replication_factor: 1,
                configs: configs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            }
        })
    }
}
