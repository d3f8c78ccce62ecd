//! Logs over the wire, without a client's own ideas: topics made with configs, batches written as they are given, batches
//! read as they are stored, and transactions step by step. It speaks to Apache Kafka as it does to Brooklet.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use brooklet_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use brooklet_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use brooklet_protocol::messages::describe_configs_request::DescribeConfigsResource;
use brooklet_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use brooklet_protocol::messages::find_coordinator_response::Coordinator;
use brooklet_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use brooklet_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use brooklet_protocol::messages::metadata_request::MetadataRequestTopic;
use brooklet_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use brooklet_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use brooklet_protocol::messages::{
    AddPartitionsToTxnRequest, BrokerId, CreateTopicsRequest, DescribeConfigsRequest, DescribeTransactionsRequest,
    EndTxnRequest, FetchRequest, FindCoordinatorRequest, GroupId, IncrementalAlterConfigsRequest,
    InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, OffsetFetchRequest, ProduceRequest, ProducerId,
    TopicName, TransactionalId,
};
use brooklet_protocol::records::{Record, RecordBatch, batches};
use brooklet_protocol::{Request, StrBytes};
use bytes::Bytes;
use uuid::Uuid;

use crate::wait_until;
use crate::wire::WireClient;

/// What a batch may decompress to.
const MAX_BATCH_BYTES: usize = 1 << 26;
/// How long a broker may take to come to know what it has just been told.
const SETTLE: Duration = Duration::from_secs(30);
/// The most that one fetch asks for, in bytes.
const FETCH_BYTES: i32 = 8 << 20;
/// `UNKNOWN_TOPIC_OR_PARTITION` and `NOT_LEADER_OR_FOLLOWER`: what Kafka may say of a partition that has just been made.
const LED_SOON: [i16; 2] = [3, 6];
/// `CONCURRENT_TRANSACTIONS`, and what a coordinator says that is not ready yet.
const ASK_AGAIN: [i16; 4] = [14, 15, 16, 51];

/// What a fetch brought.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Kafka's error code; 0 is none.
    pub error: i16,
    /// Where the partition ends.
    pub high_watermark: i64,
    /// Where undecided transactions begin.
    pub last_stable_offset: i64,
    /// Producer id and first offset of the aborted transactions in what was read.
    pub aborted: Vec<(i64, i64)>,
    /// Batches.
    pub records: Bytes,
}

/// A producer that has been given an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Producer {
    /// Its transactional id, if it has one.
    pub transactional_id: Option<String>,
    /// Its producer id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

/// A connection that works on logs.
#[derive(Debug)]
pub struct LogClient(WireClient);

impl LogClient {
    /// Connects to `host:port`.
    pub fn connect(bootstrap: &str) -> Self {
        Self(WireClient::connect(bootstrap.parse().unwrap()).unwrap())
    }

    /// Sends a request and waits for its response.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.0.call(version, request)
    }

    /// Makes a topic and waits until it can be written to.
    pub fn create(&mut self, topic: &str, partitions: i32, configs: &[(&str, &str)]) {
        let configs = configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
        let of = CreatableTopic::default()
            .with_name(topic_name(topic))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![of]).with_timeout_ms(30_000);
        let response = self.call(7, &request);
        let created = &response.topics[0];
        assert_eq!(created.error_code, 0, "{topic}: {:?}", created.error_message);
        self.wait_until_served(topic, partitions);
    }

    /// Waits until a topic's partitions can be read and written: after it was made, or after a start. Kafka's metadata knows
    /// of leaders before its logs do.
    pub fn wait_until_served(&mut self, topic: &str, partitions: i32) {
        wait_until("a topic has leaders", SETTLE, || self.topic_id(topic).is_some());
        for partition in 0..partitions {
            wait_until("a topic has logs", SETTLE, || self.fetch(topic, partition, 0, 1, false).error == 0);
        }
    }

    /// The id of a topic whose partitions all have a leader.
    pub fn topic_id(&mut self, topic: &str) -> Option<Uuid> {
        let named = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
        let request = MetadataRequest::default().with_topics(Some(vec![named])).with_allow_auto_topic_creation(false);
        let response = self.call(12, &request);
        let found = &response.topics[0];
        let led = found.partitions.iter().all(|partition| partition.error_code == 0);
        (found.error_code == 0 && led && !found.partitions.is_empty()).then_some(found.topic_id)
    }

    /// Sets configs of a topic, and leaves its others.
    pub fn configure(&mut self, topic: &str, configs: &[(&str, &str)]) {
        let configs = configs
            .iter()
            .map(|(name, value)| AlterableConfig::default().with_name(text(name)).with_value(Some(text(value))));
        let of = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(topic))
            .with_configs(configs.collect());
        let response = self.call(1, &IncrementalAlterConfigsRequest::default().with_resources(vec![of]));
        assert_eq!(response.responses[0].error_code, 0, "{:?}", response.responses[0].error_message);
    }

    /// A config of a topic as it works.
    pub fn config(&mut self, topic: &str, name: &str) -> Option<String> {
        let of = DescribeConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(topic))
            .with_configuration_keys(Some(vec![text(name)]));
        let response = self.call(4, &DescribeConfigsRequest::default().with_resources(vec![of]));
        response.results[0].configs.first().and_then(|config| config.value.as_ref()).map(ToString::to_string)
    }

    /// Writes a batch with acks=all.
    ///
    /// # Errors
    /// Kafka's code for why it was not written.
    pub fn try_produce(
        &mut self,
        topic: &str,
        partition: i32,
        batch: Bytes,
        transactional_id: Option<&str>,
    ) -> Result<i64, i16> {
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
        let of = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_transactional_id(transactional_id.map(|id| TransactionalId(text(id))))
            .with_acks(-1)
            .with_timeout_ms(30_000)
            .with_topic_data(vec![of]);
        let response = self.call(9, &request);
        let written = &response.responses[0].partition_responses[0];
        if written.error_code == 0 { Ok(written.base_offset) } else { Err(written.error_code) }
    }

    /// Writes a batch, and returns its base offset. As clients do, it asks again where a partition has no leader yet.
    ///
    /// # Panics
    /// If it is not acknowledged.
    pub fn produce(&mut self, topic: &str, partition: i32, batch: &Bytes) -> i64 {
        let begun = Instant::now();
        loop {
            match self.try_produce(topic, partition, batch.clone(), None) {
                Ok(offset) => return offset,
                Err(error) if LED_SOON.contains(&error) && begun.elapsed() < SETTLE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => panic!("{topic}: error {error}"),
            }
        }
    }

    /// Reads batches from an offset on; `committed` leaves out what is undecided.
    pub fn fetch(&mut self, topic: &str, partition: i32, offset: i64, max_bytes: i32, committed: bool) -> Fetched {
        let of = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_current_leader_epoch(-1)
            .with_partition_max_bytes(max_bytes);
        let of = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![of]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(0)
            .with_min_bytes(0)
            .with_max_bytes(max_bytes)
            .with_isolation_level(i8::from(committed))
            .with_session_epoch(-1)
            .with_topics(vec![of]);
        let response = self.call(12, &request);
        assert_eq!(response.error_code, 0);
        let found = &response.responses[0].partitions[0];
        let aborted = found.aborted_transactions.iter().flatten();
        Fetched {
            error: found.error_code,
            high_watermark: found.high_watermark,
            last_stable_offset: found.last_stable_offset,
            aborted: aborted.map(|aborted| (aborted.producer_id.0, aborted.first_offset)).collect(),
            records: found.records.clone().unwrap_or_default(),
        }
    }

    /// Where undecided transactions begin, without reading anything; -1 while the partition has no leader.
    pub fn last_stable_offset(&mut self, topic: &str, partition: i32) -> i64 {
        let of = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(-1);
        let of = of.with_current_leader_epoch(-1);
        let of = ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(vec![of]);
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_isolation_level(1);
        let response = self.call(7, &request.with_topics(vec![of]));
        response.topics[0].partitions[0].offset
    }

    /// Every whole batch of a partition from `offset` on, markers and aborted ones too.
    pub fn read_from(&mut self, topic: &str, partition: i32, mut offset: i64) -> Vec<RecordBatch> {
        let mut all = Vec::new();
        loop {
            let fetched = self.fetch(topic, partition, offset, FETCH_BYTES, false);
            assert_eq!(fetched.error, 0, "{topic}-{partition} at {offset}");
            let before = offset;
            for batch in batches(fetched.records).map_while(Result::ok) {
                offset = batch.header().next_offset();
                all.push(batch);
            }
            if offset == before || offset >= fetched.high_watermark {
                return all;
            }
        }
    }

    /// The records of a partition up to where it is decided now, as a consumer that reads committed records sees them.
    pub fn read_committed(&mut self, topic: &str, partition: i32) -> Vec<Record> {
        self.read_committed_from(topic, partition, 0).0
    }

    /// The same from `offset` on, with the offset from which to go on later.
    pub fn read_committed_from(&mut self, topic: &str, partition: i32, mut offset: i64) -> (Vec<Record>, i64) {
        let upto = self.fetch(topic, partition, offset, 1, true).last_stable_offset;
        let (mut seen, mut aborting) = (Vec::new(), BTreeSet::new());
        while offset < upto {
            let mut fetched = self.fetch(topic, partition, offset, FETCH_BYTES, true);
            assert_eq!(fetched.error, 0, "{topic}-{partition} at {offset}");
            fetched.aborted.sort_unstable_by_key(|(_, first_offset)| std::cmp::Reverse(*first_offset));
            let before = offset;
            for batch in batches(fetched.records).map_while(Result::ok) {
                let header = batch.header();
                offset = header.next_offset();
                while let Some((id, _)) = fetched.aborted.pop_if(|(_, first)| *first <= header.last_offset()) {
                    aborting.insert(id);
                }
                if header.attributes.is_control() {
                    aborting.remove(&header.producer_id);
                } else if !(header.attributes.is_transactional() && aborting.contains(&header.producer_id)) {
                    seen.extend(batch.records(MAX_BATCH_BYTES).unwrap().map(Result::unwrap));
                }
            }
            assert!(offset > before, "{topic}-{partition}: nothing to read at {offset} of {upto}");
        }
        (seen, offset)
    }

    /// Gets an id, for a producer with or without transactions.
    pub fn init_producer(&mut self, transactional_id: Option<&str>) -> Producer {
        if let Some(id) = transactional_id {
            self.find_coordinator(id, 1);
        }
        let request = InitProducerIdRequest::default()
            .with_transactional_id(transactional_id.map(|id| TransactionalId(text(id))))
            .with_transaction_timeout_ms(60_000)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let response = self.until_settled(|client| client.call(4, &request), |response| response.error_code);
        let transactional_id = transactional_id.map(str::to_owned);
        Producer { transactional_id, id: response.producer_id.0, epoch: response.producer_epoch }
    }

    /// Takes a partition into the producer's transaction.
    pub fn add_to_transaction(&mut self, producer: &Producer, topic: &str, partition: i32) {
        let of = AddPartitionsToTxnTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(transactional(producer))
            .with_v3_and_below_producer_id(ProducerId(producer.id))
            .with_v3_and_below_producer_epoch(producer.epoch)
            .with_v3_and_below_topics(vec![of]);
        self.until_settled(
            |client| client.call(3, &request),
            |response| response.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code,
        );
    }

    /// Ends the producer's transaction, and waits until its markers stand.
    pub fn end_transaction(&mut self, producer: &Producer, committed: bool) {
        let request = EndTxnRequest::default()
            .with_transactional_id(transactional(producer))
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_committed(committed);
        self.until_settled(|client| client.call(3, &request), |response| response.error_code);
        // Kafka answers before it has written the markers.
        let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![transactional(producer)]);
        wait_until("the markers of a transaction stand", SETTLE, || {
            let described = self.call(0, &request);
            !described.transaction_states[0].transaction_state.starts_with("Prepare")
        });
    }

    /// What a group has committed for a partition; `None` if nothing.
    pub fn committed_offset(&mut self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        self.find_coordinator(group, 0);
        let of =
            OffsetFetchRequestTopics::default().with_name(topic_name(topic)).with_partition_indexes(vec![partition]);
        let of = OffsetFetchRequestGroup::default().with_group_id(GroupId(text(group))).with_topics(Some(vec![of]));
        let request = OffsetFetchRequest::default().with_groups(vec![of]);
        let response = self.until_settled(|client| client.call(8, &request), |response| response.groups[0].error_code);
        let found = &response.groups[0].topics[0].partitions[0];
        assert_eq!(found.error_code, 0);
        Some(found.committed_offset).filter(|offset| *offset >= 0)
    }

    /// Asks who coordinates, which makes Kafka make the topic that its coordinators need: 0 for a group, 1 for a
    /// transactional id.
    fn find_coordinator(&mut self, key: &str, kind: i8) {
        let request = FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(vec![text(key)]);
        let first = |coordinators: &[Coordinator]| coordinators[0].error_code;
        self.until_settled(|client| client.call(4, &request), |response| first(&response.coordinators));
    }

    fn until_settled<T>(&mut self, mut ask: impl FnMut(&mut Self) -> T, code: impl Fn(&T) -> i16) -> T {
        let mut answer = ask(self);
        wait_until("a coordinator is ready", SETTLE, || {
            if ASK_AGAIN.contains(&code(&answer)) {
                answer = ask(self);
            }
            !ASK_AGAIN.contains(&code(&answer))
        });
        assert_eq!(code(&answer), 0, "the coordinator refuses");
        answer
    }
}

fn transactional(producer: &Producer) -> TransactionalId {
    TransactionalId(text(producer.transactional_id.as_deref().expect("a transactional producer")))
}

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
