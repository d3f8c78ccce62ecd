//! A log against the simplest thing it could be: a vector of records. Whatever is appended, read, deleted, retained,
//! compacted, cut off, looked up by time or reopened after whatever kind of stop, both must say the same.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::Path;

use brooklet_protocol::records::validate::ValidBatch;
use brooklet_protocol::records::{BatchBuilder, CompressionType, batches};
use brooklet_storage::{AppendOrigin, CleanerConfig, Deadline, LogConfig, LogId, LogOrigin, PartitionLog, ReadError};
use proptest::prelude::*;
use uuid::Uuid;

/// Small enough that a few dozen batches fill several segments, whose indexes have entries.
const CONFIG: LogConfig = LogConfig {
    segment_bytes: 4000,
    segment_ms: 1000,
    segment_index_bytes: 64,
    index_interval_bytes: 200,
    ..LogConfig::DEFAULT
};

#[derive(Debug, Clone)]
enum Op {
    Append {
        times: Vec<i64>,
        value_len: usize,
        codec: u8,
        producer: Option<u8>,
    },
    Read {
        at: prop::sample::Index,
        max_bytes: usize,
        at_least_one: bool,
    },
    FindTime {
        timestamp: i64,
    },
    FindMaxTime,
    AdvanceStart {
        at: prop::sample::Index,
    },
    Retain {
        bytes: u64,
    },
    Compact,
    Flush,
    /// The machine stops, and the log's file has lost its end from somewhere behind the recovery point on.
    Cut {
        at: prop::sample::Index,
    },
    Reopen(Stop),
}

#[derive(Debug, Clone, Copy)]
enum Stop {
    /// Files are closed as a clean stop does.
    Clean,
    /// The process dies: what it stored in its mappings is in the page cache, and the files keep their reserved tails.
    Killed,
    /// The machine stops after the page cache was written: as `Killed`, and no index is believed.
    MachineStopped,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let time = 0i64..3000;
    let op = prop_oneof![
        8 => (prop::collection::vec(time.clone(), 1..6), 0usize..300, 0u8..5, prop::option::of(0u8..3))
            .prop_map(|(times, value_len, codec, producer)| Op::Append { times, value_len, codec, producer }),
        4 => (any::<prop::sample::Index>(), 0usize..3000, any::<bool>())
            .prop_map(|(at, max_bytes, at_least_one)| Op::Read { at, max_bytes, at_least_one }),
        2 => time.prop_map(|timestamp| Op::FindTime { timestamp }),
        1 => Just(Op::FindMaxTime),
        1 => any::<prop::sample::Index>().prop_map(|at| Op::AdvanceStart { at }),
        1 => (0u64..20_000).prop_map(|bytes| Op::Retain { bytes }),
        1 => Just(Op::Compact),
        1 => Just(Op::Flush),
        1 => any::<prop::sample::Index>().prop_map(|at| Op::Cut { at }),
        1 => prop_oneof![Just(Stop::Clean), Just(Stop::Killed), Just(Stop::MachineStopped)].prop_map(Op::Reopen),
    ];
    prop::collection::vec(op, 1..120)
}

#[derive(Debug, Clone, PartialEq)]
struct ModelRecord {
    offset: i64,
    timestamp: i64,
    value: Vec<u8>,
    batch_base: i64,
    batch_len: usize,
    producer: Option<u8>,
}

impl ModelRecord {
    /// One of a few keys.
    fn key(&self) -> [u8; 1] {
        [(self.offset % 5) as u8]
    }
}

#[derive(Default)]
struct Model {
    /// All that was appended, by offset.
    records: Vec<ModelRecord>,
    start: i64,
    sequences: [i32; 3],
    recovery_point: i64,
    /// Up to where records may be gone of which a later one has the key.
    compacted_upto: Option<i64>,
}

impl Model {
    fn end(&self) -> i64 {
        self.records.len() as i64
    }

    /// The log ends before its record at `end`.
    fn truncate(&mut self, end: i64) {
        self.records.truncate(end as usize);
        for (producer, sequence) in self.sequences.iter_mut().enumerate() {
            let of_it = |record: &&ModelRecord| record.producer == Some(producer as u8);
            *sequence = self.records.iter().filter(of_it).count() as i32;
        }
    }

    /// The records that nobody may have taken away.
    fn kept(&self) -> Vec<&ModelRecord> {
        let latest: BTreeMap<_, _> = self.records.iter().map(|record| (record.key(), record.offset)).collect();
        let upto = self.compacted_upto.unwrap_or(0);
        self.readable().filter(|record| record.offset >= upto || latest[&record.key()] == record.offset).collect()
    }

    fn readable(&self) -> impl Iterator<Item = &ModelRecord> {
        self.records.iter().filter(|record| record.offset >= self.start)
    }
}

fn open(dir: &Path, model: &Model, machine_stopped: bool) -> PartitionLog {
    let id = LogId { topic: "t".into(), topic_id: Uuid::from_u128(1), partition: 0 };
    let Model { start: log_start_offset, recovery_point, .. } = *model;
    PartitionLog::open(dir, id, &CONFIG, LogOrigin { log_start_offset, recovery_point, machine_stopped }).unwrap()
}

fn append(log: &mut PartitionLog, model: &mut Model, op: &Op) {
    let Op::Append { times, value_len, codec, producer } = op else { unreachable!() };
    let mut builder = BatchBuilder::new().compression(CompressionType::from_id(*codec).unwrap());
    if let Some(producer) = *producer {
        let sequence = &mut model.sequences[usize::from(producer)];
        builder = builder.producer(i64::from(producer), 0, *sequence);
        *sequence += times.len() as i32;
    }
    let base = model.end();
    for (offset, &timestamp) in (base..).zip(times) {
        let value: Vec<u8> = (0..*value_len).map(|at| (at as i64 ^ offset) as u8).collect();
        let record = ModelRecord { offset, timestamp, value, batch_base: base, batch_len: 0, producer: *producer };
        builder.push(timestamp, Some(&record.key()), Some(&record.value), &[]);
        model.records.push(record);
    }
    let batch = ValidBatch::trusted(builder.finish().unwrap());
    for record in &mut model.records[base as usize..] {
        record.batch_len = batch.header.size();
    }
    let appended = log.append(&batch, AppendOrigin::Client, &CONFIG).unwrap();
    assert_eq!((appended.base_offset, appended.duplicate), (base, false));
    assert_eq!(appended.last_offset, model.end() - 1);
    if batch.header.has_producer_id() {
        // The same batch again is the same batch, wherever it stands.
        let again = log.append(&batch, AppendOrigin::Client, &CONFIG).unwrap();
        assert_eq!((again.base_offset, again.duplicate), (base, true));
    }
}

fn read(log: &PartitionLog, model: &Model, offset: i64, max_bytes: usize, at_least_one: bool) {
    let view = log.view();
    let slice = match view.read(offset, i64::MAX, max_bytes, at_least_one) {
        Ok(slice) => slice,
        Err(ReadError::OutOfRange { start, end, .. }) => {
            assert!(offset < model.start || offset > model.end());
            assert_eq!((start, end), (model.start, model.end()));
            return;
        }
        Err(error) => panic!("{error}"),
    };
    assert!(offset >= model.start && offset <= model.end());
    let mut read = Vec::new();
    for batch in batches(slice.records.clone()) {
        let batch = batch.unwrap();
        batch.verify_crc().unwrap();
        for record in batch.records(1 << 20).unwrap() {
            let record = record.unwrap();
            read.push((record.offset, record.timestamp, record.value.unwrap().to_vec()));
        }
    }
    if model.compacted_upto.is_some() {
        // What is left is what it was.
        for (offset, timestamp, value) in read {
            let record = &model.records[offset as usize];
            assert_eq!((record.timestamp, &record.value), (timestamp, &value));
        }
        return;
    }
    let Some(first) = model.records.get(offset as usize) else {
        assert!(read.is_empty());
        return;
    };
    if first.batch_len > max_bytes && !at_least_one {
        assert!(read.is_empty());
        return;
    }
    assert!(slice.records.len() <= max_bytes.max(first.batch_len));
    assert!(!read.is_empty(), "nothing read at {offset} of {}", model.end());
    let expected: Vec<_> = model.records[first.batch_base as usize..]
        .iter()
        .take(read.len())
        .map(|record| (record.offset, record.timestamp, record.value.clone()))
        .collect();
    assert_eq!(read, expected);
}

fn check_times(log: &PartitionLog, model: &Model, timestamp: i64) {
    if model.compacted_upto.is_some() {
        return;
    }
    let found = log.view().first_at_or_after(timestamp).unwrap();
    let expected = model.readable().find(|record| record.timestamp >= timestamp);
    assert_eq!(
        found.map(|found| (found.offset, found.timestamp)),
        expected.map(|record| (record.offset, record.timestamp)),
    );
}

fn check_max_time(log: &PartitionLog, model: &Model) {
    if model.start > 0 || model.compacted_upto.is_some() {
        // Deleted records may still be what the index remembers as the latest.
        return;
    }
    let found = log.view().max_timestamp().unwrap();
    let max = model.readable().map(|record| record.timestamp).max();
    let expected = model.readable().find(|record| Some(record.timestamp) == max);
    assert_eq!(found.map(|found| found.offset), expected.map(|record| record.offset));
}

fn flush(log: &mut PartitionLog, model: &mut Model) {
    model.recovery_point = log.flush(&Deadline::never()).unwrap();
    assert_eq!(model.recovery_point, model.end().max(model.recovery_point));
}

fn retain(log: &mut PartitionLog, model: &mut Model, bytes: u64) {
    let config = LogConfig { retention_bytes: Some(bytes), retention_ms: None, ..CONFIG };
    for path in log.retain(&config, 10_000).unwrap() {
        fs::remove_file(path).unwrap();
    }
    let start = log.view().log_start_offset();
    assert!(start >= model.start && start <= model.end());
    assert!(log.view().size() < bytes + CONFIG.segment_bytes as u64 + 1, "{} bytes remain", log.view().size());
    model.start = start;
}

fn compact(log: &mut PartitionLog, model: &mut Model) {
    let config = LogConfig { cleanup_compact: true, ..CONFIG };
    let Some(plan) = log.compaction_plan(model.compacted_upto, &config, 10_000).unwrap() else { return };
    // As the broker does, that a gap is not taken for damage.
    flush(log, model);
    let cleaner = CleanerConfig { dedupe_buffer_bytes: 1 << 16, load_factor: 0.9 };
    let end = plan.carry_out(&cleaner, 10_000, |cleaned| {
        let remains = log.replace_segments(&cleaned)?;
        assert!(remains.is_some(), "nobody else has changed the log");
        remains.into_iter().flatten().for_each(|path| fs::remove_file(path).unwrap());
        Ok(true)
    });
    model.compacted_upto = Some(end.unwrap());
}

/// Cuts the file of the last segment off in a batch that was never flushed.
fn cut(dir: &Path, model: &mut Model, at: prop::sample::Index) {
    let logs = fs::read_dir(dir.join("t-0")).into_iter().flatten().map(|entry| entry.unwrap().path());
    let Some(last) = logs.filter(|path| path.extension().is_some_and(|found| found == "log")).max() else { return };
    let base: i64 = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let batches: BTreeMap<i64, usize> =
        model.records.iter().map(|record| (record.batch_base, record.batch_len)).collect();
    let unflushed: Vec<_> = batches.range(base.max(model.recovery_point)..).collect();
    if unflushed.is_empty() {
        return;
    }
    let (victim, len) = *at.get(&unflushed);
    let before: usize = batches.range(base..*victim).map(|(_, len)| len).sum();
    let file = OpenOptions::new().write(true).open(last).unwrap();
    file.set_len((before + at.index(*len)) as u64).unwrap();
    model.truncate(*victim);
    model.start = model.start.min(model.end());
}

/// What nobody may have taken away is there.
fn check_kept(log: &PartitionLog, model: &Model) {
    let mut found = BTreeMap::new();
    let mut offset = model.start;
    while offset < model.end() {
        let slice = log.view().read(offset, i64::MAX, 1 << 20, true).unwrap();
        let before = offset;
        for batch in batches(slice.records) {
            let batch = batch.unwrap();
            for record in batch.records(1 << 20).unwrap() {
                let record = record.unwrap();
                found.insert(record.offset, record.value.unwrap().to_vec());
            }
            offset = batch.header().next_offset();
        }
        if offset == before {
            break;
        }
    }
    for record in model.kept() {
        assert_eq!(found.get(&record.offset), Some(&record.value), "offset {}", record.offset);
    }
}

fn run(ops: &[Op]) {
    let dir = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    let mut log = open(dir.path(), &model, false);
    for op in ops {
        match op {
            Op::Append { .. } => append(&mut log, &mut model, op),
            Op::Read { at, max_bytes, at_least_one } => {
                let offset = at.index(model.records.len() + 2) as i64;
                read(&log, &model, offset, *max_bytes, *at_least_one);
            }
            Op::FindTime { timestamp } => check_times(&log, &model, *timestamp),
            Op::FindMaxTime => check_max_time(&log, &model),
            Op::AdvanceStart { at } => {
                model.start = model.start.max(at.index(model.records.len() + 1) as i64);
                log.advance_start(model.start).unwrap();
            }
            Op::Retain { bytes } => retain(&mut log, &mut model, *bytes),
            Op::Compact => compact(&mut log, &mut model),
            Op::Flush => flush(&mut log, &mut model),
            Op::Cut { at } => {
                drop(log);
                cut(dir.path(), &mut model, *at);
                log = open(dir.path(), &model, true);
            }
            Op::Reopen(stop) => {
                if matches!(stop, Stop::Clean) {
                    log.close().unwrap();
                }
                let known = log.producers().len();
                drop(log);
                log = open(dir.path(), &model, matches!(stop, Stop::MachineStopped));
                // Producers whose segments are all deleted may be forgotten; no other may.
                if model.start == 0 {
                    assert_eq!(log.producers().len(), known);
                }
            }
        }
        assert_eq!(log.view().next_offset(), model.end());
        assert_eq!(log.view().log_start_offset(), model.start);
    }
    for offset in 0..=model.end() {
        read(&log, &model, offset, 5000, true);
    }
    check_kept(&log, &model);
}

/// How many cases: `PROPTEST_CASES`, where it is set.
fn cases(usual: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(usual),
    }
}

proptest! {
    #![proptest_config(cases(200))]
    #[test]
    fn the_log_says_what_the_model_says(ops in ops()) {
        run(&ops);
    }
}
