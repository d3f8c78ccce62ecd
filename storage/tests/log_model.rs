//! A log against the simplest thing it could be: a vector of records. Whatever is appended, read, deleted, looked up
//! by time or reopened after whatever kind of stop, both must say the same.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use brooklet_protocol::records::validate::ValidBatch;
use brooklet_protocol::records::{BatchBuilder, CompressionType, batches};
use brooklet_storage::{AppendOrigin, LogConfig, LogId, LogOrigin, PartitionLog, ReadError};
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
    Append { times: Vec<i64>, value_len: usize, codec: u8, producer: Option<u8> },
    Read { at: prop::sample::Index, max_bytes: usize, at_least_one: bool },
    FindTime { timestamp: i64 },
    FindMaxTime,
    AdvanceStart { at: prop::sample::Index },
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
}

#[derive(Default)]
struct Model {
    records: Vec<ModelRecord>,
    start: i64,
    sequences: [i32; 3],
}

impl Model {
    fn end(&self) -> i64 {
        self.records.len() as i64
    }

    fn readable(&self) -> impl Iterator<Item = &ModelRecord> {
        self.records.iter().filter(|record| record.offset >= self.start)
    }
}

fn open(dir: &Path, start: i64, machine_stopped: bool) -> PartitionLog {
    let id = LogId { topic: "t".into(), topic_id: Uuid::from_u128(1), partition: 0 };
    PartitionLog::open(dir, id, &CONFIG, LogOrigin { log_start_offset: start, recovery_point: 0, machine_stopped })
        .unwrap()
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
        builder.push(timestamp, Some(b"key"), Some(&value), &[]);
        model.records.push(ModelRecord { offset, timestamp, value, batch_base: base, batch_len: 0 });
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
    let found = log.view().first_at_or_after(timestamp).unwrap();
    let expected = model.readable().find(|record| record.timestamp >= timestamp);
    assert_eq!(
        found.map(|found| (found.offset, found.timestamp)),
        expected.map(|record| (record.offset, record.timestamp)),
    );
}

fn check_max_time(log: &PartitionLog, model: &Model) {
    if model.start > 0 {
        // Deleted records may still be what the index remembers as the latest.
        return;
    }
    let found = log.view().max_timestamp().unwrap();
    let max = model.readable().map(|record| record.timestamp).max();
    let expected = model.readable().find(|record| Some(record.timestamp) == max);
    assert_eq!(found.map(|found| found.offset), expected.map(|record| record.offset));
}

fn run(ops: &[Op]) {
    let dir = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    let mut log = open(dir.path(), 0, false);
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
            Op::Reopen(stop) => {
                if matches!(stop, Stop::Clean) {
                    log.close().unwrap();
                }
                let known = log.producers().len();
                drop(log);
                log = open(dir.path(), model.start, matches!(stop, Stop::MachineStopped));
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
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_log_says_what_the_model_says(ops in ops()) {
        run(&ops);
    }
}
