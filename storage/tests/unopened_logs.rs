//! What is known of a log that is not open: whether records in it are to go, and whether it is to be compacted.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use brooklet_protocol::records::validate::ValidBatch;
use brooklet_protocol::records::{BatchBuilder, NO_TIMESTAMP};
use brooklet_storage::{AppendOrigin, CleanerConfig, DataDir, LogConfig, LogId, PartitionLog};
use uuid::Uuid;

const DAY_MS: i64 = 24 * 3_600_000;
const CONFIG: LogConfig = LogConfig { segment_bytes: 1000, retention_ms: Some(7 * DAY_MS), ..LogConfig::DEFAULT };
const COMPACTED: LogConfig = LogConfig { cleanup_delete: false, cleanup_compact: true, ..CONFIG };

fn id() -> LogId {
    LogId { topic: "t".into(), topic_id: Uuid::from_u128(1), partition: 0 }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

fn append(log: &mut PartitionLog, timestamp: i64, key: u8) {
    let mut builder = BatchBuilder::new();
    builder.push(timestamp, Some(&[key]), Some(&[7; 300]), &[]);
    log.append(&ValidBatch::trusted(builder.finish().unwrap()), AppendOrigin::Client, &CONFIG).unwrap();
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir.join("t-0")).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect()
}

/// A log with so many records of this timestamp, that was closed.
fn written(dir: &DataDir, records: u8, timestamp: i64) {
    let mut log = dir.open_log(id(), &CONFIG).unwrap();
    (0..records).for_each(|key| append(&mut log, timestamp, key % 2));
    log.close().unwrap();
}

#[test]
fn records_without_timestamps_are_as_old_as_their_file() {
    let parent = tempfile::tempdir().unwrap();
    let dir = DataDir::open(parent.path(), 1).unwrap();
    // One segment, which is the active one when the log is opened.
    written(&dir, 2, NO_TIMESTAMP);
    let now = now_ms();
    let has_expired = || dir.has_expired(&id(), &CONFIG, now).unwrap();
    assert!(!has_expired(), "it was written just now");
    let eight_days_ago = SystemTime::now() - Duration::from_millis(8 * DAY_MS as u64);
    File::open(&segments(parent.path())[0]).unwrap().set_modified(eight_days_ago).unwrap();
    assert!(has_expired());
    let mut log = dir.open_log(id(), &CONFIG).unwrap();
    assert!(!log.retain(&CONFIG, now).unwrap().is_empty(), "to open it has not made it younger");
    assert_eq!((log.view().log_start_offset(), log.view().next_offset()), (2, 2));
    log.close().unwrap();
    drop(log);
    assert!(!has_expired(), "what is left is empty");
}

#[test]
fn a_log_whose_first_record_never_came_has_nothing_to_give_up() {
    let parent = tempfile::tempdir().unwrap();
    let dir = DataDir::open(parent.path(), 1).unwrap();
    written(&dir, 1, 0);
    // Room that was reserved, and then the broker was killed.
    fs::write(&segments(parent.path())[0], [0; 4096]).unwrap();
    assert!(!dir.has_expired(&id(), &CONFIG, i64::MAX).unwrap());
}

#[test]
fn only_what_is_dirty_enough_and_old_enough_is_worth_to_be_opened_for_compaction() {
    let parent = tempfile::tempdir().unwrap();
    let dir = DataDir::open(parent.path(), 1).unwrap();
    let due = |config: &LogConfig| dir.may_be_due(&id(), config, 1_000_000).unwrap();
    assert!(!due(&COMPACTED), "there is nothing");
    written(&dir, 1, 500_000);
    assert!(!due(&COMPACTED), "the last segment is never compacted");
    written(&dir, 20, 500_000);
    assert!(due(&COMPACTED));
    assert!(!due(&CONFIG), "it is not to be compacted");
    assert!(!due(&LogConfig { min_compaction_lag_ms: 600_000, ..COMPACTED }), "too young");

    let mut log = dir.open_log(id(), &COMPACTED).unwrap();
    let plan = log.compaction_plan(dir.compacted_upto("t", 0), &COMPACTED, 1_000_000).unwrap().unwrap();
    assert!(plan.is_due());
    let cleaner = CleanerConfig { dedupe_buffer_bytes: 1 << 16, load_factor: 0.9 };
    let end = plan.carry_out(&cleaner, 1_000_000, |cleaned| {
        log.replace_segments(&cleaned)?.into_iter().flatten().for_each(|path| fs::remove_file(path).unwrap());
        Ok(true)
    });
    dir.set_compacted_upto("t", 0, end.unwrap()).unwrap();
    log.close().unwrap();
    drop(log);
    let any = LogConfig { min_cleanable_dirty_ratio: 0.0, ..COMPACTED };
    assert!(!due(&any), "all is compacted");

    written(&dir, 4, 500_000);
    assert!(due(&any));
    assert!(!due(&LogConfig { min_cleanable_dirty_ratio: 0.9, ..COMPACTED }), "most of it is compacted");
    let overdue = LogConfig { min_cleanable_dirty_ratio: 0.9, max_compaction_lag_ms: 400_000, ..COMPACTED };
    assert!(due(&overdue), "it has waited for too long");
}
