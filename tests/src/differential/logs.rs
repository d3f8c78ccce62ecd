//! Records: produced, idempotently too, looked up, read and deleted.

use crate::differential::{Random, Versions, shown};
use brooklet_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use brooklet_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use brooklet_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use brooklet_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use brooklet_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use brooklet_protocol::messages::{
    BrokerId, DeleteRecordsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest,
    OffsetForLeaderEpochRequest, ProduceRequest, ProducerId,
};
use brooklet_protocol::records::{BatchBuilder, CompressionType};
use bytes::Bytes;
use uuid::Uuid;

use super::step::{Step, text, topic, version};

const TOPICS: [&str; 5] = ["logged", "logged", "logged", "logged", "none"];
const PARTITIONS: [i32; 6] = [0, 0, 1, 1, 2, -1];
const BASE_MS: i64 = 1_790_000_000_000;

/// One of the steps of this area.
pub(super) fn draw(random: &mut Random, versions: &Versions) -> Option<Step> {
    match random.below(12) {
        0 => init(random, versions),
        1..=5 => produce(random, versions),
        6..=7 => list(random, versions),
        8..=9 => fetch(random, versions),
        10 => epochs(random, versions),
        _ => delete(random, versions),
    }
}

fn init(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<InitProducerIdRequest>(random, versions, 0)?;
    let slot = random.below(2);
    let again = version >= 3 && random.once_in(3);
    let timeout = random.of(&[60_000, 0, -1]);
    Some(Step::by_side(format!("v{version} InitProducerId of slot {slot}, again: {again}"), move |side| {
        let mut request =
            InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(timeout);
        if version >= 3 {
            let (id, epoch) = side.producers.get(&slot).copied().filter(|_| again).unwrap_or((-1, -1));
            request = request.with_producer_id(ProducerId(id)).with_producer_epoch(epoch);
        }
        let mut answer = side.ask(version, &request);
        // Kafka may first have to fetch a block of ids.
        while answer.as_ref().is_some_and(|answer| answer.error_code == 14) {
            std::thread::sleep(std::time::Duration::from_millis(20));
            answer = side.ask(version, &request);
        }
        if let Some(answer) = answer.as_ref().filter(|answer| answer.error_code == 0) {
            side.producers.insert(slot, (answer.producer_id.0, answer.producer_epoch));
        }
        shown(&answer)
    }))
}

/// How a batch is damaged before it is sent.
#[derive(Debug, Clone, Copy)]
enum Damage {
    None,
    Crc,
    Magic,
    Truncated,
    Empty,
    Twice,
    Count,
}

fn damaged(batch: &Bytes, damage: Damage) -> Option<Bytes> {
    let mut bytes = batch.to_vec();
    match damage {
        Damage::None => {}
        Damage::Crc => *bytes.last_mut().unwrap() ^= 1,
        Damage::Magic => bytes[16] = 1,
        Damage::Truncated => bytes.truncate(bytes.len() - 3),
        Damage::Empty => bytes.clear(),
        Damage::Twice => bytes.extend_from_slice(batch),
        Damage::Count => bytes[60] += 1,
    }
    Some(Bytes::from(bytes))
}

fn produce(random: &mut Random, versions: &Versions) -> Option<Step> {
    // Below version 3 there are no batches of this format.
    let version = version::<ProduceRequest>(random, versions, 3)?;
    let (name, partition) = (random.of(&TOPICS), random.of(&PARTITIONS));
    let acks = random.of(&[-1, -1, -1, 1, 2, -2]);
    let count = random.of(&[1, 1, 2, 5]);
    let slot = (!random.once_in(3)).then(|| random.below(2));
    let sequence = random.of(&[0, 0, 1, 2, 3, 5, 6, i32::MAX]);
    let stale = random.once_in(8);
    let age = random.of(&[0, 0, 0, -1_700_000_000_000, 100_000_000_000]);
    let compression =
        random.of(&[CompressionType::None, CompressionType::None, CompressionType::Gzip, CompressionType::Zstd]);
    let damage = random.of(&[
        Damage::None,
        Damage::None,
        Damage::None,
        Damage::None,
        Damage::None,
        Damage::None,
        Damage::Crc,
        Damage::Magic,
        Damage::Truncated,
        Damage::Empty,
        Damage::Twice,
        Damage::Count,
    ]);
    let what = format!(
        "v{version} Produce {count} records to {name}-{partition} with acks {acks} of producer {slot:?}, sequence \
         {sequence}, stale {stale}, timestamps off by {age}, {compression:?}, {damage:?}"
    );
    Some(Step::by_side(what, move |side| {
        let mut builder = BatchBuilder::new().compression(compression);
        if let Some((id, epoch)) = slot.and_then(|slot| side.producers.get(&slot).copied()) {
            builder = builder.producer(id, if stale { epoch - 1 } else { epoch }, sequence);
        }
        for n in 0..count {
            builder.push(BASE_MS + age + n, Some(b"key"), Some(b"value"), &[]);
        }
        let records = damaged(&builder.build().unwrap(), damage);
        let data = PartitionProduceData::default().with_index(partition).with_records(records);
        let mut of = TopicProduceData::default().with_partition_data(vec![data]);
        if version >= 13 {
            of.topic_id = side.topic_ids.get(name).copied().unwrap_or(Uuid::from_u128(7));
        } else {
            of.name = topic(name);
        }
        let request = ProduceRequest::default().with_acks(acks).with_timeout_ms(5_000).with_topic_data(vec![of]);
        shown(&side.ask(version, &request))
    }))
}

fn list(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<ListOffsetsRequest>(random, versions, 1)?;
    let of = ListOffsetsPartition::default().with_partition_index(random.of(&PARTITIONS)).with_timestamp(random.of(&[
        -1,
        -2,
        -3,
        -4,
        -5,
        -7,
        0,
        BASE_MS,
        BASE_MS + 1,
        BASE_MS + 9,
        i64::MAX,
    ]));
    let of = if version >= 4 { of.with_current_leader_epoch(random.of(&[-1, -1, 0, 1])) } else { of };
    let of = ListOffsetsTopic::default().with_name(topic(random.of(&TOPICS))).with_partitions(vec![of]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![of]);
    let request = if version >= 2 { request.with_isolation_level(random.of(&[0, 1])) } else { request };
    Some(Step::same(version, request))
}

fn fetch(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<FetchRequest>(random, versions, 4)?;
    let name = random.of(&TOPICS);
    let of = FetchPartition::default()
        .with_partition(random.of(&PARTITIONS))
        .with_fetch_offset(random.of(&[0, 1, 2, 5, -1, 1_000]))
        .with_partition_max_bytes(random.of(&[1, 1_000_000, 0]));
    let of = if version >= 9 { of.with_current_leader_epoch(random.of(&[-1, -1, 0, 1])) } else { of };
    let isolation = random.of(&[0, 1]);
    let limit = random.of(&[1, 10_000_000]);
    let what = format!("v{version} Fetch {name} {of:?} with isolation {isolation} up to {limit} bytes");
    Some(Step::by_side(what, move |side| {
        let mut topics = FetchTopic::default().with_partitions(vec![of.clone()]);
        if version >= 13 {
            topics.topic_id = side.topic_ids.get(name).copied().unwrap_or(Uuid::from_u128(7));
        } else {
            topics.topic = topic(name);
        }
        let mut request = FetchRequest::default()
            .with_max_wait_ms(0)
            .with_min_bytes(0)
            .with_max_bytes(limit)
            .with_isolation_level(isolation)
            .with_topics(vec![topics]);
        if version >= 15 {
            request.replica_state = ReplicaState::default();
        } else {
            request.replica_id = BrokerId(-1);
        }
        if version >= 7 {
            request.session_epoch = -1;
        }
        if version >= 11 {
            request.rack_id = text("");
        }
        let answer = side.ask(version, &request);
        let any = answer.iter().flat_map(|answer| &answer.responses).flat_map(|of| &of.partitions);
        let any = any.filter(|of| of.records.as_ref().is_some_and(|records| !records.is_empty())).count();
        format!("{} partitions with records\n{}", any, shown(&answer))
    }))
}

fn epochs(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<OffsetForLeaderEpochRequest>(random, versions, 0)?;
    let of = OffsetForLeaderPartition::default()
        .with_partition(random.of(&PARTITIONS))
        .with_current_leader_epoch(random.of(&[-1, 0, 1]))
        .with_leader_epoch(random.of(&[0, 1, -1, 5]));
    let of = OffsetForLeaderTopic::default().with_topic(topic(random.of(&TOPICS))).with_partitions(vec![of]);
    let request = OffsetForLeaderEpochRequest::default().with_topics(vec![of]);
    Some(Step::same(version, if version >= 3 { request.with_replica_id(BrokerId(-1)) } else { request }))
}

fn delete(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<DeleteRecordsRequest>(random, versions, 0)?;
    let of = DeleteRecordsPartition::default()
        .with_partition_index(random.of(&PARTITIONS))
        .with_offset(random.of(&[0, 1, 2, -1, -2, 1_000]));
    let of = DeleteRecordsTopic::default().with_name(topic(random.of(&TOPICS))).with_partitions(vec![of]);
    Some(Step::same(version, DeleteRecordsRequest::default().with_topics(vec![of]).with_timeout_ms(5_000)))
}

/// Where the partitions of a topic end for who reads committed records.
pub(super) fn ends(version: i16, name: &str) -> Step {
    let of = |partition| ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(-1);
    let of = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![of(0), of(1)]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_isolation_level(1);
    Step::same(version, request.with_topics(vec![of]))
}
