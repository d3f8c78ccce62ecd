//! Crashes of a whole data directory: catalog, checkpoints, the mark of a stop in order, and logs that are compacted, whose
//! topics are made and deleted. What the broker does with them it does here, in the same order.
//!
//! After a crash the catalog must say what it was told; no partition of a deleted topic may be there, nor come back under
//! another topic of its name; records that were deleted stay deleted; of each key the last record is there, whatever became of
//! an exchange of segments; and who led is known of every log that has records, to us and to a Kafka that opens it.
#![allow(clippy::unwrap_used)]

mod model;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::catalog::{Catalog, CatalogRecord, Durability, TopicRecord};
use crate::clock::Clock;
use crate::compaction::CleanerConfig;
use crate::data_dir::{DataDir, PreviousStop};
use crate::disk::Disk;
use crate::leader_epochs::LeaderEpochs;
use crate::partition_dir::partition_of;
use model::{Kind, LogModel};

/// Seeds of runs that failed once: another topic of the name got the records; a log began anew before where it began; a
/// deleted topic's start was kept for the next; zeros in the catalog kept the broker from starting; an empty segment in front
/// of a log that began anew; old index entries came back; a deleted topic was read without its checkpoints; the index of
/// aborted transactions was made anew in part; an index entry of a batch that is torn said that the log ends early; the
/// recovery point of a log that was lost was believed of what followed.
const KEPT: [u64; 10] = [4, 5, 120, 170, 226, 2724, 3918, 10757, 20585, 3_002_221];
const NAMES: [&str; 2] = ["a", "b"];
const CONFIG: LogConfig = LogConfig {
    segment_bytes: 9000,
    segment_index_bytes: 128,
    index_interval_bytes: 300,
    cleanup_delete: false,
    cleanup_compact: true,
    min_cleanable_dirty_ratio: 0.0,
    delete_retention_ms: i64::MAX / 2,
    ..LogConfig::DEFAULT
};
const CLEANER: CleanerConfig = CleanerConfig { dedupe_buffer_bytes: 1 << 16, load_factor: 0.9 };
const NOW_MS: i64 = 10_000;

/// A clock that steps by a millisecond each time it is looked at.
#[derive(Debug)]
struct SteppingClock {
    start: Instant,
    steps: AtomicU64,
}

impl Clock for SteppingClock {
    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.steps.fetch_add(1, Ordering::Relaxed))
    }
}

/// Enough time, or too little of it.
fn deadline(random: &mut Seeded) -> Deadline {
    let clock = SteppingClock { start: Instant::now(), steps: AtomicU64::new(0) };
    match random.below(3) {
        0 => Deadline::on(Arc::new(clock), Duration::from_millis(random.below(8) as u64)),
        _ => Deadline::never(),
    }
}

/// What the catalog says, all records taken together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Said {
    /// Names by id.
    topics: BTreeMap<Uuid, String>,
    next_producer_id: i64,
}

impl Said {
    fn take(&mut self, record: &CatalogRecord) {
        match record {
            CatalogRecord::Topic(topic) => drop(self.topics.insert(topic.id, topic.name.clone())),
            CatalogRecord::TopicDeleted { id } => drop(self.topics.remove(id)),
            CatalogRecord::NextProducerId(id) => self.next_producer_id = *id,
            other => panic!("nobody wrote {other:?}"),
        }
    }

    fn records(&self) -> Vec<CatalogRecord> {
        let topics = self.topics.iter().map(|(id, name)| topic_record(*id, name));
        topics.chain([CatalogRecord::NextProducerId(self.next_producer_id)]).collect()
    }

    fn id_of(&self, name: &str) -> Option<Uuid> {
        self.topics.iter().find(|(_, known)| *known == name).map(|(id, _)| *id)
    }
}

fn topic_record(id: Uuid, name: &str) -> CatalogRecord {
    CatalogRecord::Topic(TopicRecord {
        name: name.to_owned(),
        id,
        partitions: 1,
        replication_factor: 1,
        configs: BTreeMap::new(),
    })
}

fn log_id(id: Uuid, name: &str) -> LogId {
    LogId { topic: name.to_owned(), topic_id: id, partition: 0 }
}

/// What is known of the directory, whatever becomes of the process.
#[derive(Debug, Default)]
struct Model {
    /// What the catalog has said from which moment on, acknowledged.
    said: Vec<(usize, Said)>,
    logs: BTreeMap<Uuid, LogModel>,
    /// Since when all logs are closed and the directory is marked so; `None` when it is open again.
    clean: Vec<(usize, bool)>,
    topics_made: u128,
}

impl Model {
    fn now_said(&self) -> Said {
        self.said.last().map(|(_, said)| said.clone()).unwrap_or_default()
    }
}

/// A broker, as far as its files go.
struct Process {
    disk: SimulatedDisk,
    data_dir: DataDir,
    catalog: Catalog,
    logs: BTreeMap<Uuid, PartitionLog>,
}

impl Process {
    /// Starts as the broker does. Returns what the catalog says.
    fn start(disk: &SimulatedDisk, durability: Durability) -> (Self, Said) {
        let dir = Dir::new(Arc::new(disk.clone()), Path::new(DATA_DIR));
        let data_dir = DataDir::open_in(&dir, 1).unwrap();
        let machine_stopped = data_dir.previous_stop() == PreviousStop::MachineStopped;
        let (catalog, records) = Catalog::open_in(&dir, machine_stopped, durability).unwrap();
        let mut said = Said::default();
        let mut deleted = Vec::new();
        for record in &records {
            said.take(record);
            if let CatalogRecord::TopicDeleted { id } = record {
                deleted.push(*id);
            }
        }
        data_dir.settle_directories(|topic, _| said.id_of(topic).is_some(), |id| deleted.contains(&id)).unwrap();
        (Self { disk: disk.clone(), data_dir, catalog, logs: BTreeMap::new() }, said)
    }

    /// A topic's log, opened if it is not. What is found is held against the model.
    fn log(&mut self, id: Uuid, name: &str, model: &mut LogModel) -> &mut PartitionLog {
        let data_dir = &self.data_dir;
        let disk = &self.disk;
        self.logs.entry(id).or_insert_with(|| {
            let id = log_id(id, name);
            let dir = Dir::new(Arc::new(disk.clone()), Path::new(DATA_DIR)).child(id.dir_name());
            let found = LeaderEpochs::read(&dir).unwrap();
            let log = data_dir.open_log(id, &CONFIG).unwrap();
            model.check(&log);
            model.check_leader_epochs(&log, found.as_ref(), LeaderEpochs::read(&dir).unwrap().as_ref());
            model.opened(&log, disk.now());
            log
        })
    }

    fn flush(&mut self, id: Uuid, model: &mut LogModel, at_stop: bool, deadline: &Deadline) -> i64 {
        let log = self.logs.get_mut(&id).unwrap();
        if let Some(plan) = log.flush_plan(at_stop) {
            let outcome = plan.carry_out(deadline);
            let upto = log.flushed(&plan, outcome).unwrap();
            model.flushed(self.disk.now(), upto);
        }
        log.recovery_point()
    }

    fn append(&mut self, id: Uuid, model: &mut LogModel, random: &mut Seeded) {
        let log = self.logs.get_mut(&id).unwrap();
        let (batch, kind, written) = model.next_batch(random);
        let origin = match kind {
            Kind::Plain => AppendOrigin::Client,
            Kind::Of(_) => log
                .begin_verification(&batch.header, TransactionVersion::V2, 0)
                .unwrap()
                .map_or(AppendOrigin::Client, AppendOrigin::VerifiedClient),
            Kind::Marker(..) => AppendOrigin::Marker(TransactionVersion::V2),
        };
        let appended = log.append(&batch, origin, &CONFIG).unwrap();
        assert_eq!((appended.base_offset, appended.duplicate), (model.end(), false));
        model.appended(self.disk.now(), kind, batch.header, written);
    }

    /// Compacts as the broker's log manager does; others work on the log meanwhile.
    fn compact(&mut self, id: Uuid, name: &str, model: &mut LogModel, random: &mut Seeded) {
        let upto = self.data_dir.compacted_upto(name, 0);
        let Some(plan) = self.logs[&id].compaction_plan(upto, &CONFIG, NOW_MS).unwrap() else {
            return;
        };
        let recovery_point = self.flush(id, model, false, &Deadline::never());
        self.data_dir.set_recovery_points([((name.to_owned(), 0), recovery_point)]).unwrap();
        model.is_compacted = true;
        let mut remains = Vec::new();
        let end = plan.carry_out(&CLEANER, NOW_MS, |cleaned| {
            match random.below(6) {
                0 => self.delete_records(id, name, model, random),
                1 => self.append(id, model, random),
                _ => {}
            }
            let replaced = self.logs.get_mut(&id).unwrap().replace_segments(&cleaned)?;
            let stands = replaced.is_some();
            remains.extend(replaced.into_iter().flatten());
            Ok(stands)
        });
        self.data_dir.set_compacted_upto(name, 0, end.unwrap()).unwrap();
        self.remove(&remains, random);
    }

    fn delete_records(&mut self, id: Uuid, name: &str, model: &mut LogModel, random: &mut Seeded) {
        let log = self.logs.get_mut(&id).unwrap();
        let (start, end) = (log.view().log_start_offset(), log.view().next_offset());
        let offset = start + random.below((end - start) as usize + 1) as i64;
        model.start_asked(offset);
        log.advance_start(offset).unwrap();
        self.data_dir.set_log_start_offset(name, 0, log.view().log_start_offset()).unwrap();
        model.start_kept(self.disk.now(), offset);
    }

    /// Removes files that are no part of a log any more, as many as time allows.
    fn remove(&self, remains: &[PathBuf], random: &mut Seeded) {
        let count = random.below(remains.len() + 1);
        remains[..count].iter().for_each(|path| self.disk.remove_file(path).unwrap());
    }

    fn record(&mut self, model: &mut Model, record: &CatalogRecord) {
        let mut said = model.now_said();
        said.take(record);
        self.catalog.append(record).unwrap();
        model.said.push((self.disk.now(), said));
    }

    fn delete_topic(&mut self, id: Uuid, name: &str, model: &mut Model, random: &mut Seeded) {
        let now = self.disk.now();
        model.logs.get_mut(&id).unwrap().deletion_begun(now);
        self.record(model, &CatalogRecord::TopicDeleted { id });
        let remains = self.logs.remove(&id).unwrap().delete().unwrap();
        self.data_dir.forget_topic(name).unwrap();
        if let Some(remains) = remains.filter(|_| random.below(2) == 0) {
            self.disk.remove_tree(&remains).unwrap();
        }
    }

    /// Stops in order, with little time for the disk.
    fn stop(mut self, model: &mut Model, random: &mut Seeded) {
        let was_clean = self.data_dir.previous_stop() == PreviousStop::Clean;
        let all_open = model.now_said().topics.keys().all(|id| self.logs.contains_key(id));
        self.logs.values_mut().for_each(|log| log.close().unwrap());
        if was_clean || all_open {
            model.clean.push((self.disk.now(), true));
            self.data_dir.mark_clean().unwrap();
        }
        let deadline = deadline(random);
        let ids: Vec<_> = self.logs.keys().copied().collect();
        let mut points = Vec::new();
        for id in ids {
            let point = self.flush(id, model.logs.get_mut(&id).unwrap(), true, &deadline);
            points.push(((model.now_said().topics[&id].clone(), 0), point));
        }
        self.data_dir.set_recovery_points(points).unwrap();
        self.data_dir.flush().unwrap();
    }

    fn work(&mut self, model: &mut Model, random: &mut Seeded) {
        for _ in 0..5 + random.below(60) {
            let name = NAMES[random.below(NAMES.len())];
            let Some(id) = model.now_said().id_of(name) else {
                model.topics_made += 1;
                let id = Uuid::from_u128(model.topics_made);
                model.logs.insert(id, LogModel::default());
                self.record(model, &topic_record(id, name));
                continue;
            };
            let mut log = model.logs.remove(&id).unwrap();
            self.log(id, name, &mut log);
            let mut delete = false;
            match random.below(24) {
                0..=1 => self.compact(id, name, &mut log, random),
                2..=3 => {
                    let recovery_point = self.flush(id, &mut log, false, &deadline(random));
                    if random.below(2) == 0 {
                        self.data_dir.set_recovery_points([((name.to_owned(), 0), recovery_point)]).unwrap();
                    }
                }
                4 if random.below(2) == 0 => self.delete_records(id, name, &mut log, random),
                5 => self.logs.get_mut(&id).unwrap().close().unwrap(),
                6 => delete = random.below(3) == 0,
                _ => self.append(id, &mut log, random),
            }
            model.logs.insert(id, log);
            if delete {
                self.delete_topic(id, name, model, random);
            }
            match random.below(40) {
                0 => {
                    let next = model.now_said().next_producer_id + 1000;
                    self.record(model, &CatalogRecord::NextProducerId(next));
                }
                1 => self.catalog.rewrite(model.now_said().records().iter()).unwrap(),
                _ => {}
            }
        }
    }
}

/// What the catalog said must be what it was told, up to what was under way; a machine that stopped may have lost any number
/// of what it was last told, unless that was to be on disk.
fn check_catalog(found: &Said, told: &[(usize, Said)], moment: usize, exact: bool) {
    let acknowledged = told.iter().take_while(|(at, _)| *at <= moment).count();
    let nothing = Said::default();
    let of = |count: usize| count.checked_sub(1).map_or(&nothing, |last| &told[last].1);
    let least = if exact { acknowledged } else { 0 };
    let allowed: Vec<_> = (least..=(acknowledged + 1).min(told.len())).map(of).collect();
    assert!(allowed.contains(&found), "{found:?} is none of {allowed:?}");
}

/// No partition may be there whose topic is not.
fn check_directories(disk: &SimulatedDisk, found: &Said) {
    let dirs = disk.list(Path::new(DATA_DIR)).unwrap();
    for (name, _) in dirs.iter().filter_map(|path| partition_of(path.file_name()?.to_str()?)) {
        assert!(found.id_of(&name).is_some(), "a directory of {name} is left");
    }
}

fn run(seed: u64) {
    let mut random = Seeded::new(seed);
    let durability = if random.below(2) == 0 { Durability::Process } else { Durability::Machine };
    let mut disk = SimulatedDisk::with_dir(Path::new(DATA_DIR));
    let mut model = Model { clean: vec![(0, true)], ..Model::default() };
    let mut begun = 0;
    // The catalog may have forgotten topics whose directories are there.
    let mut forgets = false;
    for _ in 0..4 {
        let (mut process, found) = Process::start(&disk, durability);
        assert_eq!(found, model.now_said());
        model.clean.push((disk.now(), false));
        // The others are not asked for before the next crash.
        for (id, name) in found.topics.iter().filter(|_| random.below(2) == 0) {
            process.log(*id, name, model.logs.get_mut(id).unwrap());
        }
        if found.topics.keys().all(|id| process.logs.contains_key(id)) {
            process.data_dir.all_checked().unwrap();
        }
        process.work(&mut model, &mut random);
        let before_stop = disk.now();
        if random.below(3) == 0 {
            process.stop(&mut model, &mut random);
        }
        let crash = if random.below(2) == 0 { Crash::Process } else { Crash::Machine };
        let from = if random.below(3) == 0 { before_stop } else { begun };
        let moment = from + random.below(disk.now() - from + 1);
        disk = disk.after(moment, crash, &mut random);
        begun = disk.now();
        let clean = last_at(&model.clean, moment).unwrap_or(false);
        let (process, found) = Process::start(&disk, durability);
        match (crash, process.data_dir.previous_stop()) {
            (Crash::Process, PreviousStop::Clean) => assert!(clean, "not all logs were closed"),
            (Crash::Machine, PreviousStop::ProcessDied) => panic!("what was flushed alone is on disk"),
            _ => {}
        }
        check_catalog(&found, &model.said, moment, crash == Crash::Process || durability == Durability::Machine);
        forgets |= crash == Crash::Machine && durability == Durability::Process;
        if !forgets {
            check_directories(&disk, &found);
        }
        drop(process);
        model.said = vec![(0, found.clone())];
        model.clean = vec![(0, clean)];
        model.logs.retain(|id, _| found.topics.contains_key(id));
        model.logs.values_mut().for_each(|log| log.crashed(moment, crash));
    }
    let (mut process, found) = Process::start(&disk, durability);
    for (id, name) in &found.topics {
        process.log(*id, name, model.logs.get_mut(id).unwrap());
    }
}

#[test]
fn after_any_crash_the_directory_says_what_it_was_told() {
    for_each_seed(&KEPT, runs(1000), run);
}
