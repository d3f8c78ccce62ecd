//! Transactions by the wire, in both versions: who reads committed records, fencing, groups' offsets, timeouts, and stops
//! in the middle.
#![allow(clippy::unwrap_used)]

use crate::wire;

use std::path::Path;
use std::time::{Duration, Instant};

use brooklet::Broker;
use brooklet_protocol::coordinator::transaction_log::{
    self, TransactionLogValue, TransactionState, TransactionVersion,
};
use brooklet_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use brooklet_protocol::messages::*;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_protocol::records::{BatchBuilder, batches};
use brooklet_storage::{AppendOrigin, LogConfig, LogId, LogOrigin, PartitionLog};
use uuid::Uuid;
use wire::transactional::{
    Generation, Producer, committed, fetch, init, init_request, produce, read_committed, topic_name,
};
use wire::{Client, text};

const GENERATIONS: [Generation; 2] = [Generation::First, Generation::Second];

async fn broker() -> (Broker, Client) {
    let broker = Broker::builder().ephemeral().topic("t", 1).start().await.unwrap();
    let client = Client::connect(broker.bootstrap_servers()).await;
    (broker, client)
}

#[tokio::test]
async fn committed_records_are_read_and_aborted_ones_never() {
    for generation in GENERATIONS {
        let (broker, mut client) = broker().await;
        let address = broker.bootstrap_servers();
        let mut a = Producer::begin(address, "a", generation).await;
        let mut b = Producer::begin(address, "b", generation).await;
        let mut plain = Client::connect(address).await;
        let mut expected = Vec::new();
        for round in 0..6 {
            let (a_commits, b_commits) = (round % 2 == 0, round % 3 == 0);
            for step in 0..3 {
                for (producer, commits, name) in [(&mut a, a_commits, "a"), (&mut b, b_commits, "b")] {
                    let value = format!("{name}-{round}-{step}");
                    assert_eq!(producer.send("t", &value).await.error_code, 0);
                    if commits {
                        expected.push(value);
                    }
                }
            }
            let value = format!("plain-{round}");
            plain.call(9, &produce("t", BatchBuilder::new(), &value)).await;
            expected.push(value);
            assert_eq!(a.end(a_commits).await, 0);
            assert_eq!(b.end(b_commits).await, 0);
        }
        for max_bytes in [1, 200, 1 << 20] {
            assert_eq!(read_committed(&mut client, "t", max_bytes).await, expected, "{generation:?} {max_bytes}");
        }
        // Who does not ask for committed records gets all, and is told of no transaction.
        let all = client.call(12, &fetch("t", 0, false, 1 << 20)).await;
        let partition = &all.responses[0].partitions[0];
        let records: i32 =
            batches(partition.records.clone().unwrap()).map(|batch| batch.unwrap().header().record_count).sum();
        assert_eq!(records, 6 * 7 + 12, "six rounds of records and their markers");
        assert_eq!(partition.aborted_transactions, None);
    }
}

#[tokio::test]
async fn who_reads_committed_records_sees_nothing_of_an_open_transaction_and_is_woken_by_its_end() {
    let (broker, mut client) = broker().await;
    let mut producer = Producer::begin(broker.bootstrap_servers(), "a", Generation::Second).await;
    client.call(9, &produce("t", BatchBuilder::new(), "before")).await;
    producer.send("t", "within").await;
    client.call(9, &produce("t", BatchBuilder::new(), "behind")).await;
    assert_eq!(read_committed(&mut client, "t", 1 << 20).await, ["before"]);
    let offset = |timestamp, isolation| {
        let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default().with_name(topic_name("t")).with_partitions(vec![partition]);
        ListOffsetsRequest::default().with_isolation_level(isolation).with_topics(vec![topic])
    };
    for (isolation, latest) in [(0, 3), (1, 1)] {
        let answer = client.call(7, &offset(-1, isolation)).await;
        assert_eq!(answer.topics[0].partitions[0].offset, latest);
    }

    let waiting = fetch("t", 1, true, 1 << 20).with_max_wait_ms(20_000);
    client.send(12, &waiting).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    producer.end(true).await;
    assert!(client.receive().await.is_some());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(read_committed(&mut client, "t", 1 << 20).await, ["before", "within", "behind"]);
    assert_eq!(client.call(7, &offset(-1, 1)).await.topics[0].partitions[0].offset, 4);
}

#[tokio::test]
async fn an_older_incarnation_is_fenced_and_its_transaction_aborted() {
    for generation in GENERATIONS {
        let (broker, mut client) = broker().await;
        let mut old = Producer::begin(broker.bootstrap_servers(), "a", generation).await;
        assert_eq!(old.send("t", "zombie").await.error_code, 0);
        let first = client.call(4, &init_request("a")).await;
        assert_eq!((first.error_code, first.producer_id.0), (51, -1), "the transaction is aborted first");
        let (_, epoch) = init(&mut client, "a").await;
        assert!(epoch > old.epoch);
        assert_eq!(old.send_as(12, "t", "zombie").await.error_code, 47);
        assert_eq!(old.send_as(11, "t", "zombie").await.error_code, 47);
        assert_eq!(old.end(true).await, 90);
        let request = old.end_request(true);
        assert_eq!(old.client.call(1, &request).await.error_code, 47, "PRODUCER_FENCED is for clients that know it");
        let mut new = Producer::begin(broker.bootstrap_servers(), "a", generation).await;
        new.send("t", "new").await;
        new.end(true).await;
        assert_eq!(read_committed(&mut client, "t", 1 << 20).await, ["new"]);
    }
}

#[tokio::test]
async fn nothing_is_written_to_a_partition_that_was_not_added() {
    let (broker, mut client) = broker().await;
    let mut producer = Producer::begin(broker.bootstrap_servers(), "a", Generation::First).await;
    for (version, error) in [(3, 48), (10, 48), (11, 120)] {
        assert_eq!(producer.send_as(version, "t", "v").await.error_code, error, "v{version}");
    }
    assert_eq!(producer.send("t", "v").await.error_code, 0);
    assert_eq!(producer.end(true).await, 0);
    assert_eq!(producer.send_as(11, "t", "late").await.error_code, 120, "the transaction has ended");
    producer.id = "other".to_owned();
    assert_eq!(producer.send_as(12, "t", "v").await.error_code, 49);
    let batch = BatchBuilder::new().producer(producer.producer_id, producer.epoch, 1).transactional();
    let nameless = client.call(9, &produce("t", batch, "v")).await;
    assert_eq!(nameless.responses[0].partition_responses[0].error_code, 53);
    assert_eq!(read_committed(&mut client, "t", 1 << 20).await, ["v"]);
}

#[tokio::test]
async fn verification_can_be_turned_off() {
    let broker = Broker::builder()
        .ephemeral()
        .topic("t", 1)
        .set("transaction.partition.verification.enable", "false")
        .start()
        .await
        .unwrap();
    let mut producer = Producer::begin(broker.bootstrap_servers(), "a", Generation::First).await;
    assert_eq!(producer.send_as(11, "t", "v").await.error_code, 0);
}

#[tokio::test]
async fn offsets_count_when_their_transaction_is_committed() {
    for generation in GENERATIONS {
        let (broker, mut client) = broker().await;
        let mut producer = Producer::begin(broker.bootstrap_servers(), "a", generation).await;
        assert_eq!(producer.commit_offset("g", "t", 5).await, 0);
        assert_eq!(committed(&mut client, "g", "t", false).await, (0, -1));
        assert_eq!(committed(&mut client, "g", "t", true).await, (88, -1));
        producer.end(true).await;
        assert_eq!(committed(&mut client, "g", "t", true).await, (0, 5));
        assert_eq!(producer.commit_offset("g", "t", 9).await, 0);
        producer.end(false).await;
        assert_eq!(committed(&mut client, "g", "t", true).await, (0, 5));
    }
}

#[tokio::test]
async fn offsets_are_committed_by_the_groups_present_members_alone() {
    let (broker, _) = broker().await;
    let mut producer = Producer::begin(broker.bootstrap_servers(), "a", Generation::Second).await;
    let foreign = |request: TxnOffsetCommitRequest, generation, member: &str, instance: Option<&str>| {
        request.with_generation_id(generation).with_member_id(text(member)).with_group_instance_id(instance.map(text))
    };
    let mut member = Client::connect(broker.bootstrap_servers()).await;
    let protocol = join_group_request::JoinGroupRequestProtocol::default().with_name(text("range"));
    let join = JoinGroupRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_group_instance_id(Some(text("instance")))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    let joined = member.call(7, &join).await;
    assert_eq!(joined.error_code, 0);
    let request = producer.offset_commit("g", "t", 1);
    let present = foreign(request.clone(), joined.generation_id, &joined.member_id, Some("instance"));
    for (request, error) in [
        (foreign(request.clone(), joined.generation_id, "other", None), 25),
        (foreign(request.clone(), joined.generation_id + 1, &joined.member_id, Some("instance")), 22),
        (foreign(request.clone(), joined.generation_id, "other", Some("instance")), 82),
        (present, 0),
        // Producers of before KIP-447 name no member.
        (request, 0),
    ] {
        let answer = producer.client.call(5, &request).await;
        assert_eq!(answer.topics[0].partitions[0].error_code, error);
    }
    let unknown = foreign(producer.offset_commit("nobody", "t", 1), 3, "m", None);
    assert_eq!(producer.client.call(5, &unknown).await.topics[0].partitions[0].error_code, 22);
}

#[tokio::test]
async fn transactions_that_take_too_long_are_aborted() {
    let broker = Broker::builder()
        .ephemeral()
        .topic("t", 1)
        .set("transaction.abort.timed.out.transaction.cleanup.interval.ms", "50")
        .start()
        .await
        .unwrap();
    let mut client = Client::connect(broker.bootstrap_servers()).await;
    let mut producer = Producer::begin(broker.bootstrap_servers(), "a", Generation::Second).await;
    let short = init_request("a").with_transaction_timeout_ms(200);
    let answer = client.call(4, &short).await;
    (producer.producer_id, producer.epoch) = (answer.producer_id.0, answer.producer_epoch);
    assert_eq!(producer.send("t", "slow").await.error_code, 0);
    let started = Instant::now();
    let waiting = fetch("t", 0, true, 1 << 20).with_max_wait_ms(20_000);
    let aborted = client.call(12, &waiting).await;
    assert_eq!(aborted.responses[0].partitions[0].last_stable_offset, 2);
    assert!(started.elapsed() >= Duration::from_millis(100), "not before its time");
    assert_eq!(producer.send("t", "late").await.error_code, 47);
    assert_eq!(producer.end(true).await, 48, "it was aborted");
    assert!(read_committed(&mut client, "t", 1 << 20).await.is_empty());
}

#[tokio::test]
async fn a_restart_keeps_open_transactions_pending_offsets_and_who_is_fenced() {
    for in_order in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let start = || Broker::builder().data_dir(dir.path()).topic("t", 1).start();
        let broker = start().await.unwrap();
        let mut aborted = Producer::begin(broker.bootstrap_servers(), "aborted", Generation::Second).await;
        let mut open = Producer::begin(broker.bootstrap_servers(), "open", Generation::Second).await;
        let mut zombie = Producer::begin(broker.bootstrap_servers(), "zombie", Generation::Second).await;
        aborted.send("t", "aborted").await;
        open.send("t", "open-1").await;
        zombie.send("t", "zombie").await;
        assert_eq!(open.commit_offset("g", "t", 7).await, 0);
        aborted.end(false).await;
        let again = Producer::begin(broker.bootstrap_servers(), "zombie", Generation::Second).await;
        if in_order {
            broker.shutdown().await;
        } else {
            drop(broker);
        }

        let broker = start().await.unwrap();
        let mut client = Client::connect(broker.bootstrap_servers()).await;
        assert!(read_committed(&mut client, "t", 1 << 20).await.is_empty());
        assert_eq!(committed(&mut client, "g", "t", true).await, (88, -1));
        open.client = Client::connect(broker.bootstrap_servers()).await;
        zombie.client = Client::connect(broker.bootstrap_servers()).await;
        assert_eq!(zombie.send("t", "zombie").await.error_code, 47);
        assert_eq!(zombie.end(true).await, 90);
        assert_eq!(open.send("t", "open-2").await.error_code, 0);
        let first_end = open.end_request(true);
        assert_eq!(open.end(true).await, 0);
        let repeated = open.client.call(5, &first_end).await;
        assert_eq!((repeated.error_code, repeated.producer_epoch), (0, open.epoch), "the answer was lost");
        assert_eq!(read_committed(&mut client, "t", 60).await, ["open-1", "open-2"]);
        assert_eq!(committed(&mut client, "g", "t", true).await, (0, 7));
        let (producer_id, epoch) = init(&mut client, "zombie").await;
        assert_eq!((producer_id, epoch), (again.producer_id, again.epoch + 1));
        broker.shutdown().await;
    }
}

/// Puts a record into `__transaction_state` behind the broker's back: as if it had died right after it wrote it.
fn decide(dir: &Path, id: &str, state: TransactionState) {
    let name = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.starts_with("__transaction_state-"))
        .unwrap();
    let partition = name.rsplit_once('-').unwrap().1.parse().unwrap();
    let log_id = LogId { topic: "__transaction_state".into(), topic_id: Uuid::nil(), partition };
    let mut log = PartitionLog::open(dir, log_id, &LogConfig::default(), LogOrigin::default()).unwrap();
    let view = log.view();
    let stored = view.read(0, i64::MAX, usize::MAX, true).unwrap().records;
    let last = batches(stored).last().unwrap().unwrap().records(1 << 20).unwrap().last().unwrap().unwrap();
    assert_eq!(transaction_log::decode_key(last.key.unwrap()), Ok(Some(id.to_owned())));
    let mut value = TransactionLogValue::decode(last.value.unwrap()).unwrap();
    assert_eq!(value.state, TransactionState::Ongoing);
    (value.state, value.producer_epoch) = (state, value.producer_epoch + 1);
    let mut batch = BatchBuilder::new();
    batch.push(0, Some(&transaction_log::encode_key(id)), Some(&value.encode(TransactionVersion::V2)), &[]);
    log.append(&ValidBatch::trusted(batch.finish().unwrap()), AppendOrigin::Coordinator, &LogConfig::default())
        .unwrap();
    log.close().unwrap();
}

#[tokio::test]
async fn what_was_decided_before_the_broker_died_is_carried_out_after_it() {
    for commit in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let start = || Broker::builder().data_dir(dir.path()).topic("t", 1).topic("u", 1).start();
        let broker = start().await.unwrap();
        let mut producer = Producer::begin(broker.bootstrap_servers(), "a", Generation::Second).await;
        producer.send("t", "t").await;
        producer.send("u", "u").await;
        assert_eq!(producer.commit_offset("g", "t", 3).await, 0);
        broker.shutdown().await;
        decide(dir.path(), "a", if commit { TransactionState::PrepareCommit } else { TransactionState::PrepareAbort });

        let broker = start().await.unwrap();
        let mut client = Client::connect(broker.bootstrap_servers()).await;
        let describe = DescribeTransactionsRequest::default().with_transactional_ids(vec![TransactionalId(text("a"))]);
        let described = client.call(0, &describe).await;
        let state = &described.transaction_states[0];
        assert_eq!(&*state.transaction_state, if commit { "CompleteCommit" } else { "CompleteAbort" });
        assert!(state.topics.is_empty());
        for topic in ["t", "u"] {
            let expected: &[&str] = if commit { &[topic] } else { &[] };
            assert_eq!(read_committed(&mut client, topic, 1 << 20).await, expected);
        }
        assert_eq!(committed(&mut client, "g", "t", true).await, (0, if commit { 3 } else { -1 }));
        producer.client = Client::connect(broker.bootstrap_servers()).await;
        assert_eq!(producer.end(commit).await, 0, "the producer learns what became of it");
        assert_eq!(producer.send("t", "next").await.error_code, 0);
        assert_eq!(producer.end(true).await, 0);
        broker.shutdown().await;
    }
}

#[tokio::test]
async fn a_deleted_topic_keeps_no_transaction_from_ending() {
    let (broker, mut client) = broker().await;
    broker.create_topic("gone", 1).unwrap();
    let mut producer = Producer::begin(broker.bootstrap_servers(), "a", Generation::Second).await;
    producer.send("gone", "v").await;
    producer.send("t", "v").await;
    let delete = DeleteTopicsRequest::default().with_topic_names(vec![topic_name("gone")]);
    client.call(5, &delete).await;
    assert_eq!(producer.end(true).await, 0);
    assert_eq!(read_committed(&mut client, "t", 1 << 20).await, ["v"]);
    assert_eq!(producer.send("t", "next").await.error_code, 0);
}
