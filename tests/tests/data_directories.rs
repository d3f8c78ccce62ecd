//! Data directories go both ways: Brooklet takes over one that Apache Kafka wrote, serves the same batches and goes on in it,
//! and Apache Kafka takes it back and serves what both have written.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use brooklet_protocol::records::{BatchBuilder, CompressionType, RecordBatch};
use brooklet_tests::apache_kafka::ApacheKafka;
use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::client::Client;
use brooklet_tests::log_client::{LogClient, Producer};
use brooklet_tests::wait_until;
use bytes::Bytes;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(60);
/// Topics with their partitions. The client's story is in the last.
const TOPICS: [(&str, i32); 4] = [("segments", 2), ("compacted", 1), ("transacted", 2), ("grouped", 3)];
const GROUPED: usize = 300;

/// All that a reader can see of a broker's topics.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    ids: BTreeMap<String, Uuid>,
    policies: BTreeMap<String, Option<String>>,
    /// By topic and partition: every batch as it is stored, the end, the last stable offset, and what was aborted.
    logs: BTreeMap<(String, i32), SeenLog>,
    committed: BTreeMap<i32, Option<i64>>,
}

#[derive(Debug, PartialEq, Eq)]
struct SeenLog {
    batches: Vec<Bytes>,
    high_watermark: i64,
    last_stable_offset: i64,
    aborted: BTreeSet<(i64, i64)>,
}

fn seen(bootstrap: &str) -> Seen {
    let mut client = LogClient::connect(bootstrap);
    let mut seen =
        Seen { ids: BTreeMap::new(), policies: BTreeMap::new(), logs: BTreeMap::new(), committed: BTreeMap::new() };
    for (topic, partitions) in TOPICS {
        client.wait_until_served(topic, partitions);
        seen.ids.insert(topic.to_owned(), client.topic_id(topic).unwrap());
        seen.policies.insert(topic.to_owned(), client.config(topic, "cleanup.policy"));
        for partition in 0..partitions {
            let batches: Vec<_> =
                client.read_from(topic, partition, 0).iter().map(|batch| batch.bytes().clone()).collect();
            let whole = client.fetch(topic, partition, 0, 1 << 30, true);
            let log = SeenLog {
                batches,
                high_watermark: whole.high_watermark,
                last_stable_offset: whole.last_stable_offset,
                aborted: whole.aborted.into_iter().collect(),
            };
            seen.logs.insert((topic.to_owned(), partition), log);
        }
    }
    for partition in 0..3 {
        seen.committed.insert(partition, client.committed_offset("members", "grouped", partition));
    }
    seen
}

/// That `later` has all that `earlier` had, whatever came behind it. What is compacted has the same last record of each
/// key.
fn goes_on(earlier: &Seen, later: &Seen) {
    assert_eq!(earlier.ids, later.ids);
    assert_eq!(earlier.policies, later.policies);
    for (name, log) in &earlier.logs {
        let found = &later.logs[name];
        if name.0 == "compacted" {
            let later: Vec<_> = last_records(found).into_iter().filter(|(_, at)| at.0 < log.high_watermark).collect();
            let earlier = last_records(log);
            assert!(later.iter().all(|(key, at)| earlier[key] == *at), "{name:?}: {earlier:?} and {later:?}");
            continue;
        }
        assert!(found.batches.len() >= log.batches.len(), "{name:?}: {} batches", found.batches.len());
        for (index, batch) in log.batches.iter().enumerate() {
            assert_eq!(batch, &found.batches[index], "{name:?}: batch {index}");
        }
        assert!(found.aborted.is_superset(&log.aborted), "{name:?}: {:?} and {:?}", log.aborted, found.aborted);
    }
}

/// Offset and value of each key's last record.
fn last_records(log: &SeenLog) -> BTreeMap<Bytes, (i64, Option<Bytes>)> {
    let mut last = BTreeMap::new();
    for batch in &log.batches {
        for record in RecordBatch::parse(batch).unwrap().records(1 << 20).unwrap().map(Result::unwrap) {
            last.insert(record.key.unwrap(), (record.offset, record.value));
        }
    }
    last
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn batch(producer: Option<(&Producer, i32)>, timestamp: i64, records: &[(&str, Option<&str>)]) -> Bytes {
    let mut builder = BatchBuilder::new().compression(CompressionType::Zstd);
    if let Some((producer, sequence)) = producer {
        builder = builder.producer(producer.id, producer.epoch, sequence);
        if producer.transactional_id.is_some() {
            builder = builder.transactional();
        }
    }
    for (key, value) in records {
        builder.push(timestamp, Some(key.as_bytes()), value.map(str::as_bytes), &[(b"header", Some(b"value"))]);
    }
    builder.build().unwrap()
}

/// What the two brokers that write one after the other have in common: producers that outlive them.
struct Writer {
    idempotent: Producer,
    sequence: i32,
    /// In a transaction that is open while the directory changes hands.
    open: Producer,
}

impl Writer {
    fn begin(client: &mut LogClient) -> Self {
        let hour = ("segment.ms", "3600000");
        let future = ("message.timestamp.after.max.ms", "9223372036854775807");
        client.create("segments", 2, &[hour, future]);
        let compacted = [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.0"), hour, future];
        client.create("compacted", 1, &compacted);
        client.create("transacted", 2, &[]);
        client.create("grouped", 3, &[]);
        let idempotent = client.init_producer(None);
        let open = client.init_producer(Some("open"));
        Self { idempotent, sequence: 0, open }
    }

    /// Several segments, with entries in each index.
    fn write_segments(&mut self, client: &mut LogClient) {
        for hours in 0..4 {
            for _ in 0..40 {
                let value = "x".repeat(1000);
                let producer = Some((&self.idempotent, self.sequence));
                let batch = batch(producer, now_ms() + hours * 2 * 3_600_000, &[("key", Some(&value)), ("key", None)]);
                client.produce("segments", 0, &batch);
                self.sequence += 2;
            }
        }
    }

    fn write_compacted(client: &mut LogClient, from: i64) {
        for number in 0..60 {
            let key = format!("key-{}", number % 7);
            let value = (number % 5 > 0).then(|| format!("value-{from}-{number}"));
            let at = now_ms() + (from + number) * 600_000;
            client.produce("compacted", 0, &batch(None, at, &[(&key, value.as_deref())]));
        }
    }

    /// One transaction after the other, every other one aborted, and one that stays open.
    fn write_transactions(&self, client: &mut LogClient) {
        let producer = client.init_producer(Some("decided"));
        let open = self.open.transactional_id.as_deref();
        for (number, committed) in [true, false, true, false].into_iter().enumerate() {
            for partition in 0..2 {
                client.add_to_transaction(&producer, "transacted", partition);
                let batch = batch(
                    Some((&producer, i32::try_from(number).unwrap())),
                    now_ms(),
                    &[("key", Some(&number.to_string()))],
                );
                client.try_produce("transacted", partition, batch, Some("decided")).unwrap();
            }
            client.end_transaction(&producer, committed);
        }
        client.add_to_transaction(&self.open, "transacted", 1);
        let batch = batch(Some((&self.open, 0)), now_ms(), &[("key", Some("undecided"))]);
        client.try_produce("transacted", 1, batch, open).unwrap();
    }

    /// The producer goes on with its sequence, and what it sends again is known.
    fn go_on(&mut self, client: &mut LogClient) {
        let again = batch(Some((&self.idempotent, self.sequence)), now_ms(), &[("key", Some("next"))]);
        let offset = client.produce("segments", 0, &again);
        assert_eq!(client.produce("segments", 0, &again), offset, "what was sent twice is there once");
        self.sequence += 1;
    }
}

/// Where the transaction begins that was open when the directory changed hands.
fn first_undecided(seen: &Seen) -> i64 {
    seen.logs[&("transacted".to_owned(), 1)].last_stable_offset
}

/// A member reads `count` records that nobody of its group has committed, and commits them.
fn read_in_group(bootstrap: &str, count: usize) {
    let mut member = Client("java").join(bootstrap, "grouped", "members", None);
    wait_until("a member reads what was not committed", PATIENCE, || member.records().len() >= count);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(member.records().len(), count, "and nothing that was");
    member.leave();
}

fn write_for_group(bootstrap: &str, first: usize) {
    let (first, count, now) = (first.to_string(), GROUPED.to_string(), now_ms().to_string());
    Client("franz-go").run(&["produce", bootstrap, "grouped", "3", "lz4", &first, &count, &now]);
}

fn copy(from: &Path, to: &Path) {
    if to.exists() {
        std::fs::remove_dir_all(to).unwrap();
    }
    let status = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(status.success());
}

fn written_by_kafka() -> (ApacheKafka, Writer, Seen) {
    let mut kafka = ApacheKafka::start(&["log.cleaner.backoff.ms=100"]);
    let mut client = LogClient::connect(&kafka.bootstrap());
    let mut writer = Writer::begin(&mut client);
    writer.write_segments(&mut client);
    Writer::write_compacted(&mut client, 0);
    // Another leader epoch.
    kafka.stop();
    kafka.start_again();
    let mut client = LogClient::connect(&kafka.bootstrap());
    TOPICS.iter().for_each(|(topic, partitions)| client.wait_until_served(topic, *partitions));
    writer.go_on(&mut client);
    writer.write_transactions(&mut client);
    Writer::write_compacted(&mut client, 100);
    let checkpoint = kafka.data_dir().join("cleaner-offset-checkpoint");
    wait_until("Kafka compacts", PATIENCE, || {
        std::fs::read_to_string(&checkpoint).is_ok_and(|text| text.contains("compacted 0 1"))
    });
    write_for_group(&kafka.bootstrap(), 0);
    read_in_group(&kafka.bootstrap(), GROUPED);
    let seen = seen(&kafka.bootstrap());
    (kafka, writer, seen)
}

#[test]
fn brooklet_goes_on_in_kafkas_directory_and_kafka_in_brooklets() {
    let (mut kafka, mut writer, of_kafka) = written_by_kafka();
    kafka.stop();

    let mut brooklet = BrokerProcess::prepared(&["--set", "log.cleaner.enable=false"]);
    copy(&kafka.data_dir(), &brooklet.data_dir());
    brooklet.start_again();
    let of_brooklet = seen(&brooklet.bootstrap());
    assert_eq!(of_kafka, of_brooklet);
    assert_eq!(of_brooklet.policies["compacted"].as_deref(), Some("compact"));

    // A group goes on where it was, producers too, and the transaction that was open is decided.
    let mut client = LogClient::connect(&brooklet.bootstrap());
    write_for_group(&brooklet.bootstrap(), GROUPED);
    read_in_group(&brooklet.bootstrap(), GROUPED);
    writer.go_on(&mut client);
    client.end_transaction(&writer.open, false);
    let undecided = writer.open.id;
    let next = client.init_producer(Some("decided"));
    assert!(next.epoch > 0 && next.id >= 0, "a transactional id is known: {next:?}");
    let fresh = client.init_producer(None);
    assert!(fresh.id > writer.idempotent.id.max(writer.open.id), "{fresh:?} is nobody else's");
    writer.open = client.init_producer(Some("open again"));
    let first_open = first_undecided(&of_kafka);
    let aborted = (undecided, first_open);
    writer.write_transactions(&mut client);
    Writer::write_compacted(&mut client, 200);
    let both = seen(&brooklet.bootstrap());
    goes_on(&of_brooklet, &both);
    assert!(both.logs[&("transacted".to_owned(), 1)].aborted.contains(&aborted));
    // It is a directory of Brooklet's from now on, whatever happens to the process.
    brooklet.kill();
    brooklet.start_again();
    assert_eq!(seen(&brooklet.bootstrap()), both);
    brooklet.stop();

    copy(&brooklet.data_dir(), &kafka.data_dir());
    kafka.start_again();
    // Kafka takes its own last high watermark for the end until it leads.
    let mut client = LogClient::connect(&kafka.bootstrap());
    for ((topic, partition), log) in &both.logs {
        wait_until(&format!("Kafka serves {topic}-{partition} to its end"), PATIENCE, || {
            let found = client.fetch(topic, *partition, 0, 1, false);
            found.error == 0 && found.high_watermark == log.high_watermark
        });
    }
    let back = seen(&kafka.bootstrap());
    goes_on(&both, &back);
    let name = ("compacted".to_owned(), 0);
    assert_eq!(last_records(&both.logs[&name]), last_records(&back.logs[&name]));
    writer.go_on(&mut client);
    write_for_group(&kafka.bootstrap(), 2 * GROUPED);
    read_in_group(&kafka.bootstrap(), GROUPED);
}

#[test]
fn a_directory_is_left_as_clean_when_every_log_in_it_is() {
    let mut brooklet = BrokerProcess::start(&[]);
    let mut client = LogClient::connect(&brooklet.bootstrap());
    for topic in ["one", "other"] {
        client.create(topic, 1, &[]);
        client.produce(topic, 0, &batch(None, now_ms(), &[("key", None)]));
    }
    let mark = brooklet.data_dir().join(".kafka_cleanshutdown");
    let ends_in_room = |brooklet: &BrokerProcess| {
        let log = brooklet.data_dir().join("other-0/00000000000000000000.log");
        std::fs::read(log).unwrap().ends_with(&[0; 1000])
    };
    brooklet.kill();
    brooklet.start_again();
    LogClient::connect(&brooklet.bootstrap()).produce("one", 0, &batch(None, now_ms(), &[("key", None)]));
    brooklet.stop();
    // Kafka would believe such a mark, and fail at what it then reads.
    assert!(ends_in_room(&brooklet) && !mark.exists());
    brooklet.start_again();
    let mut client = LogClient::connect(&brooklet.bootstrap());
    ["one", "other"].iter().for_each(|topic| assert_eq!(client.fetch(topic, 0, 0, 1, false).error, 0));
    brooklet.stop();
    assert!(!ends_in_room(&brooklet) && mark.exists());
}

#[test]
fn brooklet_goes_on_where_kafka_was_killed() {
    let (mut kafka, mut writer, of_kafka) = written_by_kafka();
    kafka.kill();
    let mut brooklet = BrokerProcess::prepared(&["--set", "log.cleaner.enable=false"]);
    copy(&kafka.data_dir(), &brooklet.data_dir());
    brooklet.start_again();
    assert_eq!(of_kafka, seen(&brooklet.bootstrap()));
    writer.go_on(&mut LogClient::connect(&brooklet.bootstrap()));
    write_for_group(&brooklet.bootstrap(), GROUPED);
    read_in_group(&brooklet.bootstrap(), GROUPED);
}
