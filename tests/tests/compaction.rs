//! Compaction beside Apache Kafka's: the same batches, drawn from a seed, are written to both, both are made to compact at
//! the same moments, and what is left is the same, batch by batch and record by record: keys written again, tombstones,
//! headers, all compressions, idempotent producers, transactions committed and aborted, and their markers.
//!
//! `COMPACTION_SEED=n` draws another input.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use brooklet_protocol::records::{BatchBuilder, CompressionType, RecordBatch};
use brooklet_tests::apache_kafka::ApacheKafka;
use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::differential::Random;
use brooklet_tests::log_client::{LogClient, Producer};
use brooklet_tests::wait_until;

const SEED: u64 = 20_261_121;
const TOPIC: &str = "compacted";
/// Rounds of writing and compacting.
const ROUNDS: usize = 4;
/// Batches and transactions' ends in a round.
const STEPS: usize = 150;
const KEYS: usize = 40;
const HOUR_MS: i64 = 3_600_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// Producers without ids, with ids, and with transactions.
const PLAIN: usize = 0;
const IDEMPOTENT: [usize; 2] = [1, 2];
const TRANSACTIONAL: [usize; 3] = [3, 4, 5];
const MAX_BATCH_BYTES: usize = 1 << 20;

/// What both brokers are told to do.
#[derive(Debug, Clone)]
enum Step {
    /// Write a batch.
    Batch { producer: usize, compression: CompressionType, records: Vec<NewRecord> },
    /// Take the partition into a transaction.
    Begin { producer: usize },
    /// End a transaction.
    End { producer: usize, committed: bool },
}

#[derive(Debug, Clone)]
struct NewRecord {
    timestamp: i64,
    key: String,
    value: Option<String>,
    headers: Vec<(String, Option<String>)>,
}

/// A batch as it is stored, with what each broker chooses for itself left out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    base_offset: i64,
    last_offset: i64,
    producer: Option<usize>,
    base_sequence: i32,
    transactional: bool,
    control: bool,
    has_delete_horizon: bool,
    compression: u8,
    records: Vec<StoredRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct StoredRecord {
    offset: i64,
    /// `None` for a marker, which has the time of its broker.
    timestamp: Option<i64>,
    key: Option<Vec<u8>>,
    /// `None` for a marker too, which names its coordinator's epoch.
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// One of the two brokers, and what it has been told.
struct Side {
    name: &'static str,
    client: LogClient,
    data_dir: PathBuf,
    producers: BTreeMap<usize, (Producer, i32)>,
}

impl Side {
    fn new(name: &'static str, bootstrap: &str, data_dir: &Path, delete_retention_ms: &str) -> Self {
        let mut client = LogClient::connect(bootstrap);
        let configs = [
            ("cleanup.policy", "compact"),
            ("segment.ms", "3600000"),
            ("message.timestamp.after.max.ms", "9223372036854775807"),
            ("min.cleanable.dirty.ratio", "1.0"),
            ("delete.retention.ms", delete_retention_ms),
        ];
        client.create(TOPIC, 1, &configs);
        let mut producers = BTreeMap::new();
        for slot in IDEMPOTENT {
            producers.insert(slot, (client.init_producer(None), 0));
        }
        for slot in TRANSACTIONAL {
            producers.insert(slot, (client.init_producer(Some(&format!("transactional-{slot}"))), 0));
        }
        Self { name, client, data_dir: data_dir.to_owned(), producers }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Begin { producer } => {
                let (producer, _) = &self.producers[producer];
                self.client.add_to_transaction(producer, TOPIC, 0);
            }
            Step::End { producer, committed } => {
                let (producer, _) = &self.producers[producer];
                self.client.end_transaction(producer, *committed);
            }
            Step::Batch { producer, compression, records } => {
                let mut builder = BatchBuilder::new().compression(*compression);
                let mut transactional_id = None;
                if let Some((producer, sequence)) = self.producers.get_mut(producer) {
                    builder = builder.producer(producer.id, producer.epoch, *sequence);
                    *sequence += i32::try_from(records.len()).unwrap();
                    if producer.transactional_id.is_some() {
                        builder = builder.transactional();
                        transactional_id = producer.transactional_id.clone();
                    }
                }
                for record in records {
                    let headers: Vec<(&[u8], Option<&[u8]>)> = record
                        .headers
                        .iter()
                        .map(|(name, value)| (name.as_bytes(), value.as_ref().map(String::as_bytes)))
                        .collect();
                    let value = record.value.as_ref().map(String::as_bytes);
                    builder.push(record.timestamp, Some(record.key.as_bytes()), value, &headers);
                }
                let batch = builder.build().unwrap();
                self.client.try_produce(TOPIC, 0, batch, transactional_id.as_deref()).unwrap();
            }
        }
    }

    /// Waits until all that was asked for is decided and written.
    fn end(&mut self) -> i64 {
        let mut end = 0;
        wait_until("all transactions are decided", PATIENCE, || {
            let fetched = self.client.fetch(TOPIC, 0, 0, 1, false);
            end = fetched.high_watermark;
            fetched.last_stable_offset == end
        });
        end
    }

    /// Lets the broker compact up to the active segment, once.
    fn compact(&mut self) {
        let upto = self.active_segment();
        self.client.configure(TOPIC, &[("min.cleanable.dirty.ratio", "0.0")]);
        wait_until(&format!("{} compacts up to {upto}", self.name), PATIENCE, || self.compacted_upto() == upto);
        self.client.configure(TOPIC, &[("min.cleanable.dirty.ratio", "1.0")]);
    }

    fn compacted_upto(&self) -> i64 {
        let checkpoint = std::fs::read_to_string(self.data_dir.join("cleaner-offset-checkpoint")).unwrap_or_default();
        let line = checkpoint.lines().find_map(|line| line.strip_prefix(&format!("{TOPIC} 0 ")));
        line.map_or(-1, |offset| offset.parse().unwrap())
    }

    fn active_segment(&self) -> i64 {
        let files = std::fs::read_dir(self.data_dir.join(format!("{TOPIC}-0"))).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter_map(|name| name.strip_suffix(".log").map(|base| base.parse().unwrap())).max().unwrap()
    }

    fn stored(&mut self) -> Vec<Stored> {
        let slots: BTreeMap<i64, usize> =
            self.producers.iter().map(|(slot, (producer, _))| (producer.id, *slot)).collect();
        self.client.read_from(TOPIC, 0, 0).iter().map(|batch| stored(batch, &slots)).collect()
    }
}

fn stored(batch: &RecordBatch, slots: &BTreeMap<i64, usize>) -> Stored {
    let header = batch.header();
    let control = header.attributes.is_control();
    let records = batch.records(MAX_BATCH_BYTES).unwrap().map(|record| {
        let record = record.unwrap();
        StoredRecord {
            offset: record.offset,
            timestamp: (!control).then_some(record.timestamp),
            key: record.key.map(|key| key.to_vec()),
            value: record.value.filter(|_| !control).map(|value| value.to_vec()),
            headers: record
                .headers
                .into_iter()
                .map(|of| (of.key.to_vec(), of.value.map(|value| value.to_vec())))
                .collect(),
        }
    });
    Stored {
        base_offset: header.base_offset,
        last_offset: header.last_offset(),
        producer: slots.get(&header.producer_id).copied(),
        base_sequence: header.base_sequence,
        transactional: header.attributes.is_transactional(),
        control,
        has_delete_horizon: header.attributes.has_delete_horizon(),
        compression: header.attributes.compression().unwrap().id(),
        records: records.collect(),
    }
}

/// Draws what is written in a round. All transactions are ended, and the last batch begins a segment of its own.
fn draw(random: &mut Random, now: &mut i64) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut open: BTreeMap<usize, bool> = BTreeMap::new();
    for step in 0..STEPS {
        *now += if step % 30 == 29 { 2 * HOUR_MS } else { 1000 };
        match random.below(10) {
            0..=2 => steps.push(batch(random, PLAIN, *now)),
            3..=4 => {
                let producer = random.of(&IDEMPOTENT);
                steps.push(batch(random, producer, *now));
            }
            5..=7 => {
                let producer = random.of(&TRANSACTIONAL);
                if open.insert(producer, true).is_none() {
                    steps.push(Step::Begin { producer });
                }
                steps.push(batch(random, producer, *now));
            }
            _ => {
                let producer = random.of(&TRANSACTIONAL);
                if open.remove(&producer).is_some() {
                    steps.push(Step::End { producer, committed: random.once_in(2) });
                }
            }
        }
    }
    steps.extend(open.into_keys().map(|producer| Step::End { producer, committed: random.once_in(2) }));
    *now += 2 * HOUR_MS;
    steps.push(batch(random, PLAIN, *now));
    steps
}

fn batch(random: &mut Random, producer: usize, now: i64) -> Step {
    let kinds = [
        CompressionType::None,
        CompressionType::Gzip,
        CompressionType::Snappy,
        CompressionType::Lz4,
        CompressionType::Zstd,
    ];
    let compression = random.of(&kinds);
    let records = (0..=random.below(6)).map(|index| {
        let headers =
            (0..random.below(3)).map(|_| ("same name".to_owned(), (!random.once_in(3)).then(|| "x".to_owned())));
        let headers = headers.collect();
        NewRecord {
            timestamp: now + i64::try_from(index).unwrap(),
            key: format!("key-{}", random.below(KEYS)),
            value: (!random.once_in(5)).then(|| "v".repeat(random.below(300))),
            headers,
        }
    });
    Step::Batch { producer, compression, records: records.collect() }
}

#[test]
fn what_compaction_leaves_is_what_kafka_leaves_when_tombstones_are_kept() {
    compare("86400000");
}

#[test]
fn what_compaction_leaves_is_what_kafka_leaves_when_tombstones_go_in_the_next_round() {
    compare("0");
}

fn compare(delete_retention_ms: &str) {
    let seed = std::env::var("COMPACTION_SEED").map_or(SEED, |text| text.parse().unwrap());
    eprintln!("COMPACTION_SEED={seed}");
    let kafka = ApacheKafka::start(&["log.cleaner.backoff.ms=100", "log.retention.ms=-1"]);
    let set = ["log.cleaner.backoff.ms=100", "log.retention.ms=-1", "log.initial.task.delay.ms=0"];
    let brooklet = BrokerProcess::start(&set.map(|config| ["--set", config]).concat());
    let mut sides = [
        Side::new("Apache Kafka", &kafka.bootstrap(), &kafka.data_dir(), delete_retention_ms),
        Side::new("Brooklet", &brooklet.bootstrap(), &brooklet.data_dir(), delete_retention_ms),
    ];
    let mut random = Random::new(seed);
    let mut now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    for round in 1..=ROUNDS {
        let steps = draw(&mut random, &mut now);
        let ends = sides.each_mut().map(|side| {
            steps.iter().for_each(|step| side.take(step));
            side.end()
        });
        assert_eq!(ends[0], ends[1], "round {round}: both have the same offsets");
        let before = sides.each_mut().map(Side::stored);
        same(&before, &format!("round {round}, before compaction"));
        sides.iter_mut().for_each(Side::compact);
        let after = sides.each_mut().map(Side::stored);
        same(&after, &format!("round {round}, compacted"));
        let count = |stored: &[Stored]| stored.iter().map(|batch| batch.records.len()).sum::<usize>();
        eprintln!("round {round}: {} of {} records stay", count(&after[0]), count(&before[0]));
        assert!(count(&after[0]) < count(&before[0]), "compaction takes something away");
    }
}

fn same([kafka, brooklet]: &[Vec<Stored>; 2], when: &str) {
    for (one, other) in kafka.iter().zip(brooklet) {
        assert_eq!(one, other, "{when}: Apache Kafka has (left), Brooklet has (right)");
    }
    assert_eq!(kafka.len(), brooklet.len(), "{when}: batches");
}
