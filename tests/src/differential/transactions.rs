//! Transactions.

use crate::differential::{Random, Side, Versions, shown};
use brooklet_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use brooklet_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use brooklet_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use brooklet_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest,
    InitProducerIdRequest, ListOffsetsRequest, ListTransactionsRequest, ProduceRequest, ProducerId, TransactionalId,
    TxnOffsetCommitRequest,
};
use brooklet_protocol::records::BatchBuilder;
use uuid::Uuid;

use super::step::{Step, group, text, topic, version};

const TOPICS: [&str; 5] = ["transacted", "transacted", "transacted", "transacted", "none"];
const PARTITIONS: [i32; 4] = [0, 0, 1, 2];
/// Slots of transactional producers, apart from those that are only idempotent.
const SLOT: usize = 100;

/// One of the steps of this area.
pub(super) fn draw(random: &mut Random, versions: &Versions) -> Option<Step> {
    match random.below(12) {
        0..=1 => init(random, versions),
        2..=3 => add(random, versions),
        4..=5 => produce(random, versions),
        6 => add_offsets(random, versions),
        7 => commit_offsets(random, versions),
        8..=9 => end(random, versions),
        10 => describe(random, versions),
        _ => list(random, versions),
    }
}

fn id(slot: usize) -> TransactionalId {
    TransactionalId(text(&format!("transactional-{slot}")))
}

/// Producer id and epoch of a slot, the epoch off by so many.
fn producer(side: &Side, slot: usize, off: i16) -> (ProducerId, i16) {
    let (id, epoch) = side.producers.get(&(SLOT + slot)).copied().unwrap_or((123_456, 0));
    (ProducerId(id), epoch + off)
}

fn off(random: &mut Random) -> i16 {
    random.of(&[0, 0, 0, 0, 0, -1, 1])
}

fn init(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<InitProducerIdRequest>(random, versions, 0)?;
    versions.get(&26)?;
    let slot = random.below(2);
    let timeout = random.of(&[60_000, 60_000, 0, -1, 100_000_000]);
    let again = version >= 3 && random.once_in(2);
    let off = off(random);
    let what = format!("v{version} InitProducerId of {slot}, {timeout} ms, again: {again} off by {off}");
    Some(Step::by_side(what, move |side| {
        let mut request =
            InitProducerIdRequest::default().with_transactional_id(Some(id(slot))).with_transaction_timeout_ms(timeout);
        if again && side.producers.contains_key(&(SLOT + slot)) {
            let (id, epoch) = producer(side, slot, off);
            request = request.with_producer_id(id).with_producer_epoch(epoch);
        } else if version >= 3 {
            request = request.with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
        }
        // A transaction of the producer before may still be ending.
        let mut answer = side.ask(version, &request);
        while answer.as_ref().is_some_and(|answer| matches!(answer.error_code, 14 | 51)) {
            std::thread::sleep(std::time::Duration::from_millis(20));
            answer = side.ask(version, &request);
        }
        if let Some(answer) = answer.as_ref().filter(|answer| answer.error_code == 0) {
            side.producers.insert(SLOT + slot, (answer.producer_id.0, answer.producer_epoch));
        }
        shown(&answer)
    }))
}

/// Asks again while the transaction before is ending.
fn settled<T>(mut ask: impl FnMut() -> Option<T>, code: impl Fn(&T) -> i16) -> Option<T> {
    loop {
        let answer = ask();
        if answer.as_ref().is_none_or(|answer| code(answer) != 51) {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn add(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<AddPartitionsToTxnRequest>(random, versions, 0).filter(|version| *version <= 3)?;
    let (slot, off) = (random.below(2), off(random));
    let of = AddPartitionsToTxnTopic::default()
        .with_name(topic(random.of(&TOPICS)))
        .with_partitions(vec![random.of(&PARTITIONS)]);
    let what = format!("v{version} AddPartitionsToTxn of {slot} off by {off}: {of:?}");
    Some(Step::by_side(what, move |side| {
        let (producer_id, epoch) = producer(side, slot, off);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(id(slot))
            .with_v3_and_below_producer_id(producer_id)
            .with_v3_and_below_producer_epoch(epoch)
            .with_v3_and_below_topics(vec![of.clone()]);
        let first = |answer: &brooklet_protocol::messages::AddPartitionsToTxnResponse| {
            let of = answer.results_by_topic_v3_and_below.first();
            of.and_then(|of| of.results_by_partition.first()).map_or(0, |of| of.partition_error_code)
        };
        shown(&settled(|| side.ask(version, &request), first))
    }))
}

fn produce(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<ProduceRequest>(random, versions, 3)?;
    versions.get(&26)?;
    let (slot, off) = (random.below(2), off(random));
    let (name, partition) = (random.of(&TOPICS), random.of(&PARTITIONS));
    let sequence = random.of(&[0, 0, 0, 1, 2]);
    let what = format!("v{version} Produce of {slot} off by {off} to {name}-{partition}, sequence {sequence}");
    Some(Step::by_side(what, move |side| {
        let (producer_id, epoch) = producer(side, slot, off);
        let mut builder = BatchBuilder::new().producer(producer_id.0, epoch, sequence).transactional();
        builder.push(1_790_000_000_000, None, Some(b"value"), &[]);
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(builder.build().unwrap()));
        let mut of = TopicProduceData::default().with_partition_data(vec![data]);
        if version >= 13 {
            of.topic_id = side.topic_ids.get(name).copied().unwrap_or(Uuid::from_u128(7));
        } else {
            of.name = topic(name);
        }
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000);
        let request = request.with_transactional_id(Some(id(slot))).with_topic_data(vec![of]);
        let first = |answer: &brooklet_protocol::messages::ProduceResponse| {
            let of = answer.responses.first().and_then(|of| of.partition_responses.first());
            of.map_or(0, |of| of.error_code)
        };
        shown(&settled(|| side.ask(version, &request), first))
    }))
}

fn add_offsets(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<AddOffsetsToTxnRequest>(random, versions, 0)?;
    let (slot, off) = (random.below(2), off(random));
    Some(Step::by_side(format!("v{version} AddOffsetsToTxn of {slot} off by {off}"), move |side| {
        let (producer_id, epoch) = producer(side, slot, off);
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(id(slot))
            .with_producer_id(producer_id)
            .with_producer_epoch(epoch)
            .with_group_id(group("transacting"));
        shown(&settled(|| side.ask(version, &request), |answer| answer.error_code))
    }))
}

fn commit_offsets(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<TxnOffsetCommitRequest>(random, versions, 0)?;
    let (slot, off) = (random.below(2), off(random));
    let (member, generation) = if version >= 3 { random.of(&[("", -1), ("", -1), ("nobody", 1)]) } else { ("", -1) };
    let of = TxnOffsetCommitRequestPartition::default()
        .with_partition_index(random.of(&PARTITIONS))
        .with_committed_offset(random.of(&[0, 7]));
    let of = TxnOffsetCommitRequestTopic::default().with_name(topic(random.of(&TOPICS))).with_partitions(vec![of]);
    let what = format!("v{version} TxnOffsetCommit of {slot} off by {off} as {member:?} {generation}: {of:?}");
    Some(Step::by_side(what, move |side| {
        let (producer_id, epoch) = producer(side, slot, off);
        let mut request = TxnOffsetCommitRequest::default()
            .with_transactional_id(id(slot))
            .with_group_id(group("transacting"))
            .with_producer_id(producer_id)
            .with_producer_epoch(epoch)
            .with_topics(vec![of.clone()]);
        if version >= 3 {
            request.member_id = text(member);
            request.generation_id = generation;
        }
        let first = |answer: &brooklet_protocol::messages::TxnOffsetCommitResponse| {
            answer.topics.first().and_then(|of| of.partitions.first()).map_or(0, |of| of.error_code)
        };
        shown(&settled(|| side.ask(version, &request), first))
    }))
}

fn end(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<EndTxnRequest>(random, versions, 0)?;
    let (slot, off, committed) = (random.below(2), off(random), random.once_in(2));
    Some(Step::by_side(format!("v{version} EndTxn of {slot} off by {off}, committed: {committed}"), move |side| {
        let (producer_id, epoch) = producer(side, slot, off);
        let request = EndTxnRequest::default()
            .with_transactional_id(id(slot))
            .with_producer_id(producer_id)
            .with_producer_epoch(epoch)
            .with_committed(committed);
        let answer = settled(|| side.ask(version, &request), |answer| answer.error_code);
        if let Some(answer) = answer.as_ref().filter(|answer| version >= 5 && answer.error_code == 0) {
            side.producers.insert(SLOT + slot, (answer.producer_id.0, answer.producer_epoch));
        }
        wait_until_ended(side, slot);
        shown(&answer)
    }))
}

/// Kafka writes a transaction's markers after it has answered.
fn wait_until_ended(side: &mut Side, slot: usize) {
    let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![id(slot)]);
    loop {
        let state = side.ask(0, &request).unwrap().transaction_states.remove(0).transaction_state.to_string();
        if !state.starts_with("Prepare") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

fn describe(random: &mut Random, versions: &Versions) -> Option<Step> {
    let version = version::<DescribeTransactionsRequest>(random, versions, 0)?;
    let ids = vec![id(random.below(3))];
    let request = DescribeTransactionsRequest::default().with_transactional_ids(ids);
    let what = format!("v{version} {request:?}");
    Some(Step::by_side(what, move |side| {
        let mut answer = side.ask(version, &request);
        for state in answer.iter_mut().flat_map(|answer| &mut answer.transaction_states) {
            state.transaction_start_time_ms = state.transaction_start_time_ms.min(0);
            state.topics.sort_by_key(|of| of.topic.to_string());
            state.topics.iter_mut().for_each(|of| of.partitions.sort_unstable());
        }
        shown(&answer)
    }))
}

fn list(random: &mut Random, versions: &Versions) -> Option<Step> {
    if random.once_in(2) {
        let version = version::<ListOffsetsRequest>(random, versions, 2)?;
        versions.get(&26)?;
        return Some(super::logs::ends(version, "transacted"));
    }
    let version = version::<ListTransactionsRequest>(random, versions, 0)?;
    let mut request = ListTransactionsRequest::default();
    if random.once_in(2) {
        request.state_filters = vec![text(random.of(&["Ongoing", "CompleteCommit", "Nothing"]))];
    }
    let what = format!("v{version} {request:?}");
    Some(Step::by_side(what, move |side| {
        let mut answer = side.ask(version, &request);
        answer
            .iter_mut()
            .for_each(|answer| answer.transaction_states.sort_by_key(|of| of.transactional_id.to_string()));
        shown(&answer)
    }))
}
