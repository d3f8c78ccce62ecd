//! A producer in transactions and a reader of committed records, by the wire.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use brooklet_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use brooklet_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use brooklet_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use brooklet_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use brooklet_protocol::messages::produce_response::PartitionProduceResponse;
use brooklet_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use brooklet_protocol::messages::*;
use brooklet_protocol::records::{BatchBuilder, batches};

use super::{Client, text};

pub(crate) const TIMEOUT_MS: i32 = 60_000;

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// How a client goes about transactions, by the versions of what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    /// It adds partitions and groups before it writes.
    First,
    /// What it writes adds them, and each end brings the next epoch (KIP-890).
    Second,
}

/// A transactional producer, as strict as a client's.
pub(crate) struct Producer {
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    /// By topic.
    sequences: HashMap<String, i32>,
    generation: Generation,
}

impl Producer {
    pub(crate) async fn begin(address: &str, id: &str, generation: Generation) -> Self {
        let mut client = Client::connect(address).await;
        let (producer_id, epoch) = init(&mut client, id).await;
        Self { client, id: id.to_owned(), producer_id, epoch, sequences: HashMap::new(), generation }
    }

    /// Appends a value to partition 0 of a topic.
    pub(crate) async fn send(&mut self, topic: &str, value: &str) -> PartitionProduceResponse {
        if self.generation == Generation::First {
            assert_eq!(self.add_partition(topic).await, 0);
        }
        let version = if self.generation == Generation::First { 11 } else { 12 };
        let sent = self.send_as(version, topic, value).await;
        if sent.error_code == 0 {
            *self.sequences.entry(topic.to_owned()).or_default() += 1;
        }
        sent
    }

    pub(crate) async fn send_as(&mut self, version: i16, topic: &str, value: &str) -> PartitionProduceResponse {
        let sequence = self.sequences.get(topic).copied().unwrap_or(0);
        let batch = BatchBuilder::new().producer(self.producer_id, self.epoch, sequence).transactional();
        let request = produce(topic, batch, value).with_transactional_id(Some(TransactionalId(text(&self.id))));
        self.client.call(version, &request).await.responses.remove(0).partition_responses.remove(0)
    }

    pub(crate) async fn add_partition(&mut self, topic: &str) -> i16 {
        let topic = AddPartitionsToTxnTopic::default().with_name(topic_name(topic)).with_partitions(vec![0]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(TransactionalId(text(&self.id)))
            .with_v3_and_below_producer_id(ProducerId(self.producer_id))
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![topic]);
        let answer = self.client.call(3, &request).await;
        answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
    }

    pub(crate) async fn end(&mut self, commit: bool) -> i16 {
        let version = if self.generation == Generation::First { 4 } else { 5 };
        let answer = self.client.call(version, &self.end_request(commit)).await;
        if answer.error_code == 0 && self.generation == Generation::Second {
            (self.producer_id, self.epoch) = (answer.producer_id.0, answer.producer_epoch);
            self.sequences.clear();
        }
        answer.error_code
    }

    pub(crate) fn end_request(&self, commit: bool) -> EndTxnRequest {
        EndTxnRequest::default()
            .with_transactional_id(TransactionalId(text(&self.id)))
            .with_producer_id(ProducerId(self.producer_id))
            .with_producer_epoch(self.epoch)
            .with_committed(commit)
    }

    /// Commits an offset of partition 0 of a topic for a group, in the transaction.
    pub(crate) async fn commit_offset(&mut self, group: &str, topic: &str, offset: i64) -> i16 {
        if self.generation == Generation::First {
            let request = AddOffsetsToTxnRequest::default()
                .with_transactional_id(TransactionalId(text(&self.id)))
                .with_producer_id(ProducerId(self.producer_id))
                .with_producer_epoch(self.epoch)
                .with_group_id(GroupId(text(group)));
            assert_eq!(self.client.call(3, &request).await.error_code, 0);
        }
        let version = if self.generation == Generation::First { 3 } else { 5 };
        let request = self.offset_commit(group, topic, offset);
        self.client.call(version, &request).await.topics[0].partitions[0].error_code
    }

    pub(crate) fn offset_commit(&self, group: &str, topic: &str, offset: i64) -> TxnOffsetCommitRequest {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("")));
        let topic =
            TxnOffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
        TxnOffsetCommitRequest::default()
            .with_transactional_id(TransactionalId(text(&self.id)))
            .with_group_id(GroupId(text(group)))
            .with_producer_id(ProducerId(self.producer_id))
            .with_producer_epoch(self.epoch)
            .with_topics(vec![topic])
    }
}

/// A producer's id and epoch, asked for until an older incarnation's transaction is aborted.
pub(crate) async fn init(client: &mut Client, id: &str) -> (i64, i16) {
    loop {
        let answer = client.call(4, &init_request(id)).await;
        if answer.error_code == 51 {
            continue;
        }
        assert_eq!(answer.error_code, 0);
        return (answer.producer_id.0, answer.producer_epoch);
    }
}

pub(crate) fn init_request(id: &str) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(text(id))))
        .with_transaction_timeout_ms(TIMEOUT_MS)
}

pub(crate) fn produce(topic: &str, mut batch: BatchBuilder, value: &str) -> ProduceRequest {
    // Now, as markers are: one that is weeks later begins another segment.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    batch.push(now, None, Some(value.as_bytes()), &[]);
    let data = PartitionProduceData::default().with_records(Some(batch.build().unwrap()));
    let topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic])
}

pub(crate) fn fetch(topic: &str, offset: i64, committed: bool, max_bytes: i32) -> FetchRequest {
    let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(max_bytes);
    let topic = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_isolation_level(i8::from(committed))
        .with_topics(vec![topic])
}

/// What a consumer that reads committed records gets of partition 0 of a topic, in steps of `max_bytes`.
pub(crate) async fn read_committed(client: &mut Client, topic: &str, max_bytes: i32) -> Vec<String> {
    let mut values = Vec::new();
    let mut offset = 0;
    loop {
        let mut answer = client.call(12, &fetch(topic, offset, true, max_bytes)).await;
        let partition = answer.responses.remove(0).partitions.remove(0);
        assert_eq!(partition.error_code, 0);
        let records = partition.records.unwrap_or_default();
        if records.is_empty() {
            assert_eq!(offset, partition.last_stable_offset, "nothing more is stable");
            return values;
        }
        // As clients do it: a transaction is aborted from its first offset to its producer's next marker.
        let mut aborted = partition.aborted_transactions.unwrap();
        aborted.sort_by_key(|aborted| aborted.first_offset);
        let mut aborting = std::collections::HashSet::new();
        for batch in batches(records) {
            let batch = batch.unwrap();
            let header = *batch.header();
            assert!(header.base_offset < partition.last_stable_offset);
            while aborted.first().is_some_and(|next| next.first_offset <= header.last_offset()) {
                aborting.insert(aborted.remove(0).producer_id.0);
            }
            offset = header.next_offset();
            if header.attributes.is_control() {
                aborting.remove(&header.producer_id);
            } else if !(header.attributes.is_transactional() && aborting.contains(&header.producer_id)) {
                let records = batch.records(1 << 20).unwrap();
                values
                    .extend(records.map(|record| String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap()));
            }
        }
        assert!(aborted.is_empty(), "no more is told than concerns what was read: {aborted:?}");
    }
}

/// The error and the offset that a group has committed for partition 0 of a topic.
pub(crate) async fn committed(client: &mut Client, group: &str, topic: &str, stable: bool) -> (i16, i64) {
    let topic = OffsetFetchRequestTopic::default().with_name(topic_name(topic)).with_partition_indexes(vec![0]);
    let request = OffsetFetchRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_topics(Some(vec![topic]))
        .with_require_stable(stable);
    let answer = client.call(7, &request).await;
    let partition = &answer.topics[0].partitions[0];
    (partition.error_code, partition.committed_offset)
}
