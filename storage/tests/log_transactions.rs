//! Transactions of several producers in one log, interleaved and across segments, against a list of what happened: where
//! the last stable offset is, which transactions were aborted, and what of that a reopened log still knows.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_protocol::records::{BatchBuilder, EndTransactionMarker, batches};
use brooklet_storage::{
    AbortedTransaction, AppendError, AppendOrigin, Appended, LogConfig, LogId, LogOrigin, PartitionLog, ProducerError,
};
use proptest::prelude::*;
use uuid::Uuid;

/// A few batches fill a segment.
const CONFIG: LogConfig = LogConfig {
    segment_bytes: 600,
    segment_ms: 1000,
    segment_index_bytes: 64,
    index_interval_bytes: 100,
    ..LogConfig::DEFAULT
};
const PRODUCERS: usize = 3;

fn open(dir: &Path, start: i64, machine_stopped: bool) -> PartitionLog {
    let id = LogId { topic: "t".into(), topic_id: Uuid::from_u128(1), partition: 0 };
    PartitionLog::open(dir, id, &CONFIG, LogOrigin { log_start_offset: start, recovery_point: 0, machine_stopped })
        .unwrap()
}

fn records(producer: usize, epoch: i16, sequence: i32) -> ValidBatch {
    let mut builder = BatchBuilder::new().producer(producer as i64, epoch, sequence).transactional();
    builder.push(0, None, Some(b"value"), &[]);
    ValidBatch::trusted(builder.finish().unwrap())
}

fn marker(producer: usize, epoch: i16, commit: bool) -> ValidBatch {
    let marker = EndTransactionMarker { commit, coordinator_epoch: 0 };
    ValidBatch::trusted(marker.batch(0, producer as i64, epoch).unwrap())
}

/// Appends as a broker does that has asked the coordinator.
fn append_verified(log: &mut PartitionLog, batch: &ValidBatch) -> Result<Appended, AppendError> {
    let guard = log.begin_verification(&batch.header, TransactionVersion::V2, 0)?;
    let origin = guard.map_or(AppendOrigin::Client, AppendOrigin::VerifiedClient);
    log.append(batch, origin, &CONFIG)
}

fn end(log: &mut PartitionLog, batch: &ValidBatch) -> Result<Appended, AppendError> {
    log.append(batch, AppendOrigin::Marker(TransactionVersion::V2), &CONFIG)
}

#[derive(Debug, Clone)]
enum Op {
    Write(usize),
    End(usize, bool),
    Ask(prop::sample::Index, prop::sample::Index),
    AdvanceStart(prop::sample::Index),
    /// Whether the files were closed, whether the machine stopped, and whether the indexes of aborted transactions are gone.
    Reopen(bool, bool, bool),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => (0..PRODUCERS).prop_map(Op::Write),
        4 => (0..PRODUCERS, any::<bool>()).prop_map(|(producer, commit)| Op::End(producer, commit)),
        2 => (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(from, upto)| Op::Ask(from, upto)),
        1 => any::<prop::sample::Index>().prop_map(Op::AdvanceStart),
        1 => (any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(closed, machine, gone)| Op::Reopen(closed, machine, gone && machine)),
    ];
    prop::collection::vec(op, 1..80)
}

#[derive(Default)]
struct Model {
    end: i64,
    start: i64,
    /// First offset of the open transaction.
    open: [Option<i64>; PRODUCERS],
    epochs: [i16; PRODUCERS],
    sequences: [i32; PRODUCERS],
    aborted: Vec<AbortedTransaction>,
}

impl Model {
    fn stable(&self) -> i64 {
        self.open.iter().flatten().min().copied().unwrap_or(self.end)
    }

    fn write(&mut self, log: &mut PartitionLog, producer: usize) {
        let batch = records(producer, self.epochs[producer], self.sequences[producer]);
        let appended = append_verified(log, &batch).unwrap();
        assert_eq!(appended.base_offset, self.end);
        self.open[producer].get_or_insert(self.end);
        self.sequences[producer] += 1;
        self.end += 1;
    }

    fn end(&mut self, log: &mut PartitionLog, producer: usize, commit: bool) {
        self.epochs[producer] += 1;
        self.sequences[producer] = 0;
        end(log, &marker(producer, self.epochs[producer], commit)).unwrap();
        let (producer_id, last_offset) = (producer as i64, self.end);
        self.end += 1;
        let Some(first_offset) = self.open[producer].take() else { return };
        let last_stable_offset = self.stable();
        if !commit {
            self.aborted.push(AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset });
        }
    }

    /// What a reader of this range must know.
    fn check_aborted(&self, log: &PartitionLog, from: i64, upto: i64) {
        let slice = log.view().read(from, upto, usize::MAX, true).unwrap();
        let found = log.view().aborted_in(from, &slice).unwrap();
        let upto = batches(slice.records).last().map_or(from, |last| last.unwrap().header().next_offset());
        let overlaps =
            |aborted: &&AbortedTransaction| from < upto && aborted.last_offset >= from && aborted.first_offset < upto;
        let expected: Vec<_> = self.aborted.iter().filter(overlaps).copied().collect();
        assert_eq!(found, expected, "between {from} and {upto}");
    }

    fn check(&self, log: &PartitionLog) {
        assert_eq!(log.view().next_offset(), self.end);
        assert_eq!(log.view().last_stable_offset(), self.stable().max(self.start));
    }
}

fn run(ops: &[Op]) {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), 0, false);
    let mut model = Model::default();
    for op in ops {
        match op {
            Op::Write(producer) => model.write(&mut log, *producer),
            Op::End(producer, commit) => model.end(&mut log, *producer, *commit),
            Op::Ask(from, upto) => {
                let readable = (model.stable().max(model.start) - model.start + 1) as usize;
                let from = model.start + from.index(readable) as i64;
                let upto = model.start + upto.index(readable) as i64;
                model.check_aborted(&log, from, upto);
            }
            Op::AdvanceStart(at) => {
                // Not into what is still open: a producer whose beginning is gone is another story.
                model.start = model.start.max(at.index(model.stable() as usize + 1) as i64);
                log.advance_start(model.start).unwrap();
            }
            Op::Reopen(closed, machine_stopped, without_index) => {
                if *closed {
                    log.close().unwrap();
                }
                drop(log);
                if *without_index && model.start == 0 {
                    remove_indexes(dir.path());
                }
                log = open(dir.path(), model.start, *machine_stopped && model.start == 0);
            }
        }
        model.check(&log);
    }
    for from in model.start..model.stable() {
        model.check_aborted(&log, from, model.stable());
    }
}

fn remove_indexes(dir: &Path) {
    let Ok(files) = fs::read_dir(dir.join("t-0")) else { return };
    for path in files.map(|entry| entry.unwrap().path()) {
        if path.extension().is_some_and(|extension| extension == "txnindex") {
            fs::remove_file(path).unwrap();
        }
    }
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
    fn the_log_knows_what_was_aborted_and_what_is_open(ops in ops()) {
        run(&ops);
    }
}

#[test]
fn a_log_made_whole_after_a_machine_stopped_remembers_what_began_in_segments_that_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), 0, false);
    let mut model = Model::default();
    for producer in [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2] {
        model.write(&mut log, producer);
    }
    model.end(&mut log, 0, false);
    (0..7).for_each(|_| model.write(&mut log, 0));
    model.end(&mut log, 1, false);
    drop(log);
    let mut log = open(dir.path(), 0, true);
    model.start = 10;
    log.advance_start(model.start).unwrap();
    drop(log);
    let log = open(dir.path(), model.start, false);
    model.check(&log);
    for from in model.start..model.stable() {
        model.check_aborted(&log, from, model.stable());
    }
}

#[test]
fn an_index_whose_last_entries_were_not_written_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), 0, false);
    let mut model = Model::default();
    for _ in 0..2 {
        model.write(&mut log, 0);
        model.end(&mut log, 0, false);
    }
    drop(log);
    let index = dir.path().join("t-0/00000000000000000000.txnindex");
    for len in [34 + 20, 34, 0] {
        fs::OpenOptions::new().write(true).open(&index).unwrap().set_len(len).unwrap();
        let log = open(dir.path(), 0, false);
        model.check_aborted(&log, 0, model.end);
    }
    fs::remove_file(&index).unwrap();
    model.check_aborted(&open(dir.path(), 0, false), 0, model.end);
}

fn refused(outcome: Result<Appended, AppendError>) -> ProducerError {
    match outcome.unwrap_err() {
        AppendError::Producer(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_transaction_begins_only_with_the_guard_of_its_verification() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), 0, false);
    let first = records(1, 0, 0);
    let unverified = ProducerError::Unverified { producer_id: 1 };
    assert_eq!(refused(log.append(&first, AppendOrigin::Client, &CONFIG)), unverified);
    let guard = log.begin_verification(&first.header, TransactionVersion::V0, 0).unwrap().unwrap();
    // The transaction is aborted before the answer to the verification is there.
    log.append(&marker(1, 0, false), AppendOrigin::Marker(TransactionVersion::V0), &CONFIG).unwrap();
    assert_eq!(refused(log.append(&first, AppendOrigin::VerifiedClient(guard), &CONFIG)), unverified);
    assert_eq!(log.view().last_stable_offset(), log.view().next_offset());

    append_verified(&mut log, &first).unwrap();
    assert_eq!(log.begin_verification(&first.header, TransactionVersion::V0, 0).unwrap(), None, "it is known now");
    log.append(&records(1, 0, 1), AppendOrigin::Client, &CONFIG).unwrap();
}

#[test]
fn a_lower_sequence_that_is_being_verified_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), 0, false);
    log.begin_verification(&records(1, 0, 0).header, TransactionVersion::V0, 0).unwrap();
    let second = append_verified(&mut log, &records(1, 0, 1));
    assert!(matches!(refused(second), ProducerError::OutOfOrderSequence { sequence: 1, .. }));
    append_verified(&mut log, &records(1, 0, 0)).unwrap();
    log.append(&records(1, 0, 1), AppendOrigin::Client, &CONFIG).unwrap();
}

#[test]
fn markers_of_the_second_version_must_raise_the_epoch_unless_they_are_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), 0, false);
    append_verified(&mut log, &records(1, 5, 0)).unwrap();
    for late in [4, 5] {
        let error = refused(end(&mut log, &marker(1, late, true)));
        assert_eq!(error, ProducerError::InvalidEpoch { producer_id: 1, epoch: late, current: 5 });
    }
    end(&mut log, &marker(1, 6, true)).unwrap();
    end(&mut log, &marker(1, 6, true)).unwrap();
    assert!(matches!(refused(append_verified(&mut log, &records(1, 5, 1))), ProducerError::InvalidEpoch { .. }));
    assert!(matches!(
        refused(append_verified(&mut log, &records(1, 6, 1))),
        ProducerError::OutOfOrderSequence { expected: 0, .. }
    ));
    append_verified(&mut log, &records(1, 6, 0)).unwrap();
    // In the first version the records' own epoch is the marker's.
    log.append(&marker(1, 6, true), AppendOrigin::Marker(TransactionVersion::V0), &CONFIG).unwrap();
}
