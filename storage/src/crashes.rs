//! Every crash there can be: a log on a simulated disk is worked on, the disk is found as a crash at some moment would have
//! left it, and the log that is opened there is held against what must be in it.
//!
//! When the process dies, all that was acknowledged is there. When the machine stops, all below the recovery point is. And
//! whatever else is there is what was appended, in order, without a gap. Each run follows from its seed, which a failure
//! prints; seeds that once failed are run again each time.
#![allow(clippy::unwrap_used)]

mod data_directory;
mod faults;

use std::path::Path;
use std::sync::Arc;

use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_protocol::records::{BatchBuilder, EndTransactionMarker, batches};
use uuid::Uuid;

use crate::clock::Deadline;
use crate::disk::Dir;
use crate::disk::simulated::{Crash, Seeded, SimulatedDisk};
use crate::error::{AppendError, Error};
use crate::log::{AppendOrigin, LogConfig, LogId, LogOrigin, PartitionLog};

/// Seeds of runs that failed once: a sealed segment had lost its end and the next one had not; what recovery had removed came
/// back; a snapshot from before what was deleted was believed; the aborted transactions that recovery had found again were lost;
/// the index of an empty segment outlived its batches; a batch that was cut off came back with the payload of the next.
const KEPT: [u64; 8] = [14, 27, 141, 223, 246, 715, 2_002_362, 3_003_371];
const PRODUCERS: usize = 2;
const DATA_DIR: &str = "/data";
const CONFIG: LogConfig = LogConfig {
    segment_bytes: 12_000,
    segment_index_bytes: 64,
    index_interval_bytes: 300,
    retention_bytes: Some(20_000),
    retention_ms: None,
    ..LogConfig::DEFAULT
};

/// How many runs: `PROPTEST_CASES`, where it is set.
fn runs(usual: u64) -> u64 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

/// Prints the seed of a run that fails.
struct Run(u64);

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the run with seed {} failed; keep it in KEPT", self.0);
        }
    }
}

fn for_each_seed(kept: &[u64], runs: u64, run: impl Fn(u64)) {
    // Another beginning in each soak, and the same one in CI.
    let base = std::env::var("CRASH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    for seed in kept.iter().copied().chain(base..base + runs) {
        let _run = Run(seed);
        run(seed);
    }
}

fn open(disk: &SimulatedDisk, origin: LogOrigin) -> Result<PartitionLog, Error> {
    let id = LogId { topic: "t".into(), topic_id: Uuid::from_u128(1), partition: 0 };
    PartitionLog::open_in(&Dir::new(Arc::new(disk.clone()), Path::new(DATA_DIR)), id, &CONFIG, origin)
}

/// What was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Appended {
    base_offset: i64,
    next_offset: i64,
    crc: u32,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Plain,
    /// Of a transaction, with the producer, its epoch and sequence.
    Transactional(usize, i16, i32),
    /// The end of one, and whether it was aborted.
    Marker(usize, bool),
}

/// What a log must hold, and since when.
#[derive(Debug, Default, Clone)]
struct Model {
    batches: Vec<Appended>,
    /// At which moments so many batches had been acknowledged.
    acknowledged: Vec<(usize, usize)>,
    /// At which moments the recovery point had come so far.
    recovery_points: Vec<(usize, i64)>,
    /// At which moments the log's start was kept.
    starts: Vec<(usize, i64)>,
    /// Up to where the log has forgotten what each producer wrote, because it was deleted.
    forgotten: [i64; PRODUCERS],
}

impl Model {
    fn end(&self) -> i64 {
        self.batches.last().map_or(0, |batch| batch.next_offset)
    }

    fn acknowledged_at(&self, moment: usize) -> i64 {
        let count = last_at(&self.acknowledged, moment).unwrap_or(0);
        count.checked_sub(1).map_or(0, |last| self.batches[last].next_offset)
    }

    /// Whether a producer has an open transaction, its epoch, and the sequence it goes on with.
    fn producer(&self, producer: usize) -> (bool, i16, i32) {
        let mut state = (false, 0, 0);
        for batch in self.batches.iter().filter(|batch| batch.base_offset >= self.forgotten[producer]) {
            match batch.what {
                What::Transactional(of, epoch, sequence) if of == producer => state = (true, epoch, sequence + 1),
                What::Marker(of, _) if of == producer => state = (false, state.1 + 1, 0),
                _ => {}
            }
        }
        state
    }

    /// First offsets and markers' offsets of aborted transactions, by where they ended.
    fn aborted(&self) -> Vec<(i64, i64)> {
        let mut open = [None; PRODUCERS];
        let mut aborted = Vec::new();
        for batch in &self.batches {
            match batch.what {
                What::Plain => {}
                What::Transactional(producer, ..) => {
                    open[producer].get_or_insert(batch.base_offset);
                }
                What::Marker(producer, abort) => {
                    let first = open[producer].take();
                    aborted.extend(first.filter(|_| abort).map(|first| (first, batch.base_offset)));
                }
            }
        }
        aborted
    }

    fn first_unstable(&self) -> i64 {
        let mut open = [None; PRODUCERS];
        for batch in &self.batches {
            match batch.what {
                What::Plain => {}
                What::Transactional(producer, ..) => {
                    open[producer].get_or_insert(batch.base_offset);
                }
                What::Marker(producer, _) => open[producer] = None,
            }
        }
        open.into_iter().flatten().min().unwrap_or(self.end())
    }
}

fn last_at<T: Copy>(events: &[(usize, T)], moment: usize) -> Option<T> {
    events.iter().take_while(|(at, _)| *at <= moment).last().map(|(_, value)| *value)
}

fn batch_of(what: What, size: usize, random: &mut Seeded) -> ValidBatch {
    let value: Vec<u8> = (0..size).map(|_| random.below(256) as u8).collect();
    let mut builder = BatchBuilder::new();
    let batch = match what {
        What::Marker(producer, abort) => {
            let marker = EndTransactionMarker { commit: !abort, coordinator_epoch: 0 };
            // The epoch is put in by whoever appends it.
            return ValidBatch::trusted(marker.batch(1, producer as i64, 0).unwrap());
        }
        What::Transactional(producer, epoch, sequence) => {
            builder = builder.producer(producer as i64, epoch, sequence).transactional();
            builder
        }
        What::Plain => builder,
    };
    let mut batch = batch;
    for _ in 0..if matches!(what, What::Plain) { 1 + random.below(3) } else { 1 } {
        batch.push(1 + random.below(1000) as i64, Some(b"key"), Some(&value), &[]);
    }
    ValidBatch::trusted(batch.finish().unwrap())
}

/// Appends as a broker does, whose coordinators have been asked.
fn append(log: &mut PartitionLog, batch: &ValidBatch, what: What) -> Result<i64, AppendError> {
    let origin = match what {
        What::Plain => AppendOrigin::Client,
        What::Transactional(..) => log
            .begin_verification(&batch.header, TransactionVersion::V2, 0)?
            .map_or(AppendOrigin::Client, AppendOrigin::VerifiedClient),
        What::Marker(..) => AppendOrigin::Marker(TransactionVersion::V2),
    };
    Ok(log.append(batch, origin, &CONFIG)?.base_offset)
}

/// Something to append that the producers' states allow.
fn next_batch(model: &Model, random: &mut Seeded) -> (What, ValidBatch) {
    let size = match random.below(6) {
        0 => 2100 + random.below(1500),
        _ => random.below(300),
    };
    let producer = random.below(PRODUCERS);
    let (open, epoch, sequence) = model.producer(producer);
    let what = match random.below(3) {
        0 => What::Plain,
        1 if open => What::Marker(producer, random.below(3) > 0),
        _ => What::Transactional(producer, epoch, sequence),
    };
    let batch = match what {
        What::Marker(producer, abort) => {
            let marker = EndTransactionMarker { commit: !abort, coordinator_epoch: 0 };
            ValidBatch::trusted(marker.batch(1, producer as i64, epoch + 1).unwrap())
        }
        _ => batch_of(what, size, random),
    };
    (what, batch)
}

fn try_append(log: &mut PartitionLog, model: &mut Model, random: &mut Seeded) -> Result<(), AppendError> {
    let (what, batch) = next_batch(model, random);
    let base_offset = append(log, &batch, what)?;
    assert_eq!(base_offset, model.end());
    let next_offset = base_offset + i64::from(batch.header.record_count);
    model.batches.push(Appended { base_offset, next_offset, crc: batch.header.crc, what });
    Ok(())
}

/// Works on a log for a while.
fn work(disk: &SimulatedDisk, log: &mut PartitionLog, model: &mut Model, random: &mut Seeded) {
    let producers = log.producers();
    for (producer, forgotten) in model.forgotten.iter_mut().enumerate() {
        let known = producers.iter().any(|(id, _)| *id == producer as i64);
        *forgotten = if known || log.view().log_start_offset() == 0 { 0 } else { log.view().next_offset() };
    }
    for _ in 0..3 + random.below(25) {
        match random.below(16) {
            0 => {
                let plan = log.flush_plan(random.below(2) == 0);
                // Others append while it is carried out.
                if random.below(2) == 0 {
                    try_append(log, model, random).unwrap();
                    model.acknowledged.push((disk.now(), model.batches.len()));
                }
                if let Some(plan) = plan {
                    let outcome = plan.carry_out(&Deadline::never());
                    let flushed = log.flushed(&plan, outcome).unwrap();
                    model.recovery_points.push((disk.now(), flushed));
                }
            }
            1 => log.close().unwrap(),
            2 => {
                let start =
                    model.batches.get(random.below(model.batches.len() + 1)).map_or(0, |batch| batch.base_offset);
                if random.below(3) == 0 && start > log.view().log_start_offset() {
                    log.advance_start(start).unwrap();
                    model.starts.push((disk.now(), start));
                }
            }
            3 => {
                for path in log.retain(&CONFIG, 10_000).unwrap() {
                    crate::disk::Disk::remove_file(disk, &path).unwrap();
                }
            }
            _ => {
                try_append(log, model, random).unwrap();
                model.acknowledged.push((disk.now(), model.batches.len()));
            }
        }
    }
}

/// Holds a log that was opened after a crash against what must be in it. Cuts the model to what is.
fn check(log: &PartitionLog, model: &mut Model, at_least: i64) {
    let (start, end) = (log.view().log_start_offset(), log.view().next_offset());
    assert!(end >= at_least, "the log ends at {end}, before {at_least}");
    assert!(end <= model.end(), "the log ends at {end}, where nothing was appended behind {}", model.end());
    let position = |offset: i64| model.batches.iter().position(|batch| batch.base_offset == offset);
    let upto = if end == model.end() { model.batches.len() } else { position(end).expect("the end of a batch") };
    model.batches.truncate(upto);
    let mut offset = start;
    let mut found = Vec::new();
    while offset < end {
        let slice = log.view().read(offset, i64::MAX, 1 << 20, true).unwrap();
        assert!(!slice.is_empty(), "nothing is read at {offset} of {start}..{end}");
        for batch in batches(slice.records) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            found.push((batch.header().base_offset, batch.header().crc));
            offset = batch.header().next_offset();
        }
    }
    let expected = model.batches.iter().filter(|batch| batch.next_offset > start);
    let expected: Vec<_> = expected.map(|batch| (batch.base_offset, batch.crc)).collect();
    assert_eq!(found, expected);
    for batch in model.batches.iter().filter(|batch| batch.base_offset >= start) {
        let slice = log.view().read(batch.base_offset, i64::MAX, 1, true).unwrap();
        let first = batches(slice.records).next().unwrap().unwrap();
        assert_eq!(first.header().base_offset, batch.base_offset, "found by its offset");
    }
    let known: Vec<_> =
        log.view().aborted_below(end).unwrap().iter().map(|found| (found.first_offset, found.last_offset)).collect();
    let aborted = model.aborted();
    // Where the first of them were deleted, so is the knowledge of where they began.
    let ended = |known: &(i64, i64)| aborted.iter().any(|(_, last_offset)| *last_offset == known.1);
    assert!(known.iter().all(ended), "{known:?} of {aborted:?}");
    if start == 0 {
        assert_eq!(known, aborted);
        assert_eq!(log.view().last_stable_offset(), model.first_unstable());
    }
}

fn run_with_crashes(seed: u64) {
    let mut random = Seeded::new(seed);
    let mut disk = SimulatedDisk::with_dir(Path::new(DATA_DIR));
    let mut model = Model::default();
    let mut origin = LogOrigin::default();
    let mut uncut = Vec::new();
    for _ in 0..4 {
        let before = disk.now();
        let mut log = open(&disk, origin).unwrap();
        let opened = disk.now();
        model.recovery_points.push((opened, log.recovery_point()));
        work(&disk, &mut log, &mut model, &mut random);
        drop(log);
        let moment = before + random.below(disk.now() - before + 1);
        let crash = if random.below(2) == 0 { Crash::Process } else { Crash::Machine };
        let flushed = last_at(&model.recovery_points, moment).unwrap_or(0);
        let at_least = match crash {
            Crash::Process => model.acknowledged_at(moment),
            Crash::Machine => flushed,
        };
        disk = disk.after(moment, crash, &mut random);
        origin = LogOrigin {
            log_start_offset: last_at(&model.starts, moment).unwrap_or(0),
            // It may have been kept a while ago.
            recovery_point: if random.below(3) == 0 { 0 } else { flushed },
            // Until a log has been checked once, it is in doubt.
            machine_stopped: crash == Crash::Machine || (origin.machine_stopped && moment < opened),
        };
        if moment < opened {
            // What was cut off when it was opened was on no disk for certain, and neither is that it was cut off.
            model.batches = uncut;
        }
        uncut = model.batches.clone();
        let moment = disk.now();
        let log = open(&disk, origin).unwrap();
        check(&log, &mut model, at_least);
        // What is found is on disk.
        model.acknowledged = vec![(0, model.batches.len())];
        model.recovery_points = vec![(0, log.recovery_point())];
        model.starts = vec![(0, log.view().log_start_offset())];
        drop(log);
        if random.below(2) == 0 {
            // It is opened for the second time.
            origin.machine_stopped = false;
        } else {
            disk = disk.after(moment, Crash::Process, &mut random);
        }
    }
}

#[test]
fn after_any_crash_the_log_holds_what_it_must() {
    for_each_seed(&KEPT, runs(1000), run_with_crashes);
}

/// One piece of work, and a crash of either kind before and in the middle of every write of it.
fn crash_at_every_moment(seed: u64) {
    let mut random = Seeded::new(seed);
    let disk = SimulatedDisk::with_dir(Path::new(DATA_DIR));
    let mut model = Model::default();
    let mut log = open(&disk, LogOrigin::default()).unwrap();
    work(&disk, &mut log, &mut model, &mut random);
    drop(log);
    for moment in 0..=disk.now() {
        for crash in [Crash::Process, Crash::Machine] {
            let recovery_point = last_at(&model.recovery_points, moment).unwrap_or(0);
            let (machine_stopped, at_least) = match crash {
                Crash::Process => (false, model.acknowledged_at(moment)),
                Crash::Machine => (true, recovery_point),
            };
            let log_start_offset = last_at(&model.starts, moment).unwrap_or(0);
            let found = disk.after(moment, crash, &mut random);
            let log = open(&found, LogOrigin { log_start_offset, recovery_point, machine_stopped }).unwrap();
            check(&log, &mut model.clone(), at_least);
        }
    }
}

#[test]
fn whenever_it_crashes_the_log_holds_what_it_must() {
    // Each is hundreds of crashes.
    for_each_seed(&[], runs(1000) / 50, crash_at_every_moment);
}
