//! What is left of a log when a stop comes at a bad moment: every acknowledged batch, and nothing of the rest.

#![allow(clippy::unwrap_used)]

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brooklet_protocol::records::validate::ValidBatch;
use brooklet_protocol::records::{BatchBuilder, batches};
use brooklet_storage::{AppendError, AppendOrigin, Deadline, LogConfig, LogId, LogOrigin, PartitionLog, ProducerError};
use uuid::Uuid;

const BATCHES: usize = 40;

fn config() -> LogConfig {
    LogConfig { index_interval_bytes: 500, ..LogConfig::default() }
}

fn open(dir: &Path, machine_stopped: bool) -> PartitionLog {
    let id = LogId { topic: "t".into(), topic_id: Uuid::from_u128(1), partition: 0 };
    PartitionLog::open(dir, id, &config(), LogOrigin { machine_stopped, ..LogOrigin::default() }).unwrap()
}

fn batch(sequence: i32) -> ValidBatch {
    let mut builder = BatchBuilder::new().producer(9, 0, sequence);
    builder.push(1000 + i64::from(sequence), None, Some(&[sequence as u8; 100]), &[]);
    ValidBatch::trusted(builder.finish().unwrap())
}

fn append(log: &mut PartitionLog, sequence: i32) -> Result<i64, AppendError> {
    log.append(&batch(sequence), AppendOrigin::Client, &config()).map(|appended| appended.base_offset)
}

/// A log of `BATCHES` batches whose process died, and the bytes that were valid in it.
fn killed() -> (tempfile::TempDir, u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), false);
    for sequence in 0..BATCHES as i32 {
        append(&mut log, sequence).unwrap();
    }
    let valid = log.view().size();
    (dir, valid)
}

fn file(dir: &Path, extension: &str) -> PathBuf {
    dir.join(format!("t-0/00000000000000000000.{extension}"))
}

fn offsets(log: &PartitionLog) -> Vec<i64> {
    let records = log.view().read(0, i64::MAX, usize::MAX, true).unwrap().records;
    batches(records).map(|batch| batch.unwrap().header().base_offset).collect()
}

#[test]
fn a_batch_that_was_being_written_is_dropped_wherever_the_writing_stopped() {
    let (dir, valid) = killed();
    let whole = batch(BATCHES as i32);
    let mut next = whole.header.encode().to_vec();
    next[..8].copy_from_slice(&(BATCHES as i64).to_be_bytes());
    next.extend_from_slice(&whole.payload);
    for written in [1, 8, 12, 16, 17, 60, 61, 62, next.len() - 1] {
        let log_file = OpenOptions::new().write(true).open(file(dir.path(), "log")).unwrap();
        log_file.write_all_at(&next[..written], valid).unwrap();
        for machine_stopped in [false, true] {
            let log = open(dir.path(), machine_stopped);
            assert_eq!(log.view().next_offset(), BATCHES as i64, "{written} bytes written");
            assert_eq!(offsets(&log).len(), BATCHES);
        }
    }
}

#[test]
fn indexes_that_are_missing_short_or_wrong_do_not_lose_a_record() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 5] = [
        ("missing", |path| fs::remove_file(path).unwrap()),
        ("cut", |path| {
            OpenOptions::new().write(true).open(path).unwrap().set_len(13).unwrap();
        }),
        ("zeros", |path| fs::write(path, [0; 64]).unwrap()),
        ("noise", |path| {
            fs::write(path, (0..255).rev().collect::<Vec<u8>>()).unwrap();
        }),
        ("points nowhere", |path| {
            let mut content = fs::read(path).unwrap();
            content.truncate(content.len() - content.len() % 4);
            for byte in content.iter_mut().skip(4) {
                *byte = byte.wrapping_add(1);
            }
            fs::write(path, content).unwrap();
        }),
    ];
    for (name, damage) in damages {
        for extension in ["index", "timeindex"] {
            let (dir, _) = killed();
            damage(&file(dir.path(), extension));
            let log = open(dir.path(), false);
            assert_eq!(log.view().next_offset(), BATCHES as i64, "{extension} {name}");
            assert_eq!(offsets(&log), (0..BATCHES as i64).collect::<Vec<_>>(), "{extension} {name}");
            for offset in [0, 17, BATCHES as i64 - 1] {
                let slice = log.view().read(offset, i64::MAX, 1, true).unwrap();
                let first = batches(slice.records).next().unwrap().unwrap();
                assert_eq!(first.header().base_offset, offset, "{extension} {name}");
            }
        }
    }
}

#[test]
fn producers_are_known_after_every_kind_of_stop() {
    for clean in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), false);
        for sequence in 0..8 {
            append(&mut log, sequence).unwrap();
        }
        if clean {
            log.close().unwrap();
        }
        drop(log);
        let mut log = open(dir.path(), false);
        // The last five may have been sent without an answer: each is known, at its own offset.
        for sequence in 3..8 {
            let again = log.append(&batch(sequence), AppendOrigin::Client, &config()).unwrap();
            assert_eq!((again.base_offset, again.duplicate), (i64::from(sequence), true), "clean: {clean}");
        }
        assert!(matches!(
            append(&mut log, 9),
            Err(AppendError::Producer(ProducerError::OutOfOrderSequence { expected: 8, sequence: 9, .. }))
        ));
        assert_eq!(append(&mut log, 8).unwrap(), 8);
    }
}

#[test]
fn a_damaged_snapshot_is_replaced_by_a_replay() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), false);
    for sequence in 0..3 {
        append(&mut log, sequence).unwrap();
    }
    log.close().unwrap();
    drop(log);
    let snapshot = dir.path().join("t-0/00000000000000000003.snapshot");
    let mut content = fs::read(&snapshot).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(&snapshot, content).unwrap();
    let mut log = open(dir.path(), false);
    assert!(log.append(&batch(2), AppendOrigin::Client, &config()).unwrap().duplicate);
}

#[test]
fn damage_in_the_middle_after_the_machine_stopped_ends_the_log_there() {
    let dir = tempfile::tempdir().unwrap();
    let small = LogConfig { segment_bytes: 1000, ..config() };
    let mut log = open(dir.path(), false);
    for sequence in 0..20 {
        log.append(&batch(sequence), AppendOrigin::Client, &small).unwrap();
    }
    log.close().unwrap();
    drop(log);
    let mut logs: Vec<_> = fs::read_dir(dir.path().join("t-0"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    assert!(logs.len() >= 3);
    let second: i64 = logs[1].file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let mut content = fs::read(&logs[1]).unwrap();
    let second_batch = content.len() / 2;
    content[second_batch] ^= 1;
    fs::write(&logs[1], content).unwrap();

    let mut log = open(dir.path(), true);
    let end = log.view().next_offset();
    assert!(end > second && end < 20, "log ends at {end}");
    assert_eq!(append(&mut log, 100).map_err(|error| error.to_string()).ok(), None);
    let last = log.view().read(end - 1, i64::MAX, 1 << 20, true).unwrap();
    assert_eq!(batches(last.records).count(), 1);
    assert!(!logs[2].exists());
}

#[test]
fn what_was_flushed_is_believed_after_the_machine_stopped_and_the_rest_is_checked() {
    let (dir, _) = killed();
    let origin = LogOrigin { machine_stopped: true, ..LogOrigin::default() };
    let reopen = |recovery_point| {
        let id = LogId { topic: "t".into(), topic_id: Uuid::from_u128(1), partition: 0 };
        PartitionLog::open(dir.path(), id, &config(), LogOrigin { recovery_point, ..origin }).unwrap()
    };
    let mut log = reopen(0);
    assert_eq!(log.flush(&Deadline::after(Duration::ZERO)).unwrap(), 0, "no time, nothing flushed");
    log.close().unwrap();
    let flushed = log.flush(&Deadline::never()).unwrap();
    assert_eq!(flushed, BATCHES as i64);
    drop(log);
    // Early in the file, where only a check of everything looks.
    let log_file = OpenOptions::new().write(true).open(file(dir.path(), "log")).unwrap();
    log_file.write_all_at(&[0xff], 100).unwrap();
    assert_eq!(reopen(flushed).view().next_offset(), flushed);
    assert_eq!(reopen(flushed - 1).view().next_offset(), 0);
}

#[test]
fn an_index_entry_whose_batch_never_came_to_the_disk_does_not_say_where_the_log_ends() {
    let (dir, _) = killed();
    let index = fs::read(file(dir.path(), "index")).unwrap();
    let entries = index.as_chunks::<8>().0.iter().take_while(|entry| entry[4..] != [0; 4]);
    let (offset, position) = entries.last().unwrap().split_at(4);
    let [offset, position] = [offset, position].map(|field| u32::from_be_bytes(field.try_into().unwrap()));
    let recovery_point = 20;
    assert!(i64::from(offset) > recovery_point);
    // Of its header, what the CRC does not cover is missing: it seems to be the first batch of all.
    let log_file = OpenOptions::new().write(true).open(file(dir.path(), "log")).unwrap();
    log_file.write_all_at(&[0; 8], u64::from(position)).unwrap();
    let id = LogId { topic: "t".into(), topic_id: Uuid::from_u128(1), partition: 0 };
    let origin = LogOrigin { recovery_point, machine_stopped: true, ..LogOrigin::default() };
    let log = PartitionLog::open(dir.path(), id, &config(), origin).unwrap();
    assert_eq!(log.view().next_offset(), i64::from(offset));
    assert_eq!(offsets(&log), (0..i64::from(offset)).collect::<Vec<_>>());
}

#[test]
fn a_log_that_was_never_appended_to_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), false);
    log.close().unwrap();
    drop(log);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn deleting_frees_the_name_at_once_and_readers_finish() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), false);
    append(&mut log, 0).unwrap();
    let slice = log.view().read(0, i64::MAX, 1000, true).unwrap();
    let remains = log.delete().unwrap().unwrap();
    assert!(matches!(append(&mut log, 1), Err(AppendError::Deleted)));
    let again = open(dir.path(), false);
    assert_eq!(again.view().next_offset(), 0);
    fs::remove_dir_all(remains).unwrap();
    assert_eq!(batches(slice.records).count(), 1);
}

#[test]
fn a_log_without_its_leader_epochs_has_those_of_its_batches() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), false);
    for sequence in 0..3 {
        append(&mut log, sequence).unwrap();
    }
    log.close().unwrap();
    drop(log);
    let checkpoint = dir.path().join("t-0/leader-epoch-checkpoint");
    assert_eq!(fs::read_to_string(&checkpoint).unwrap(), "0\n1\n0 0\n");
    // Somebody else led from offset 3 on.
    fs::write(&checkpoint, "0\n2\n0 0\n4 3\n").unwrap();
    let mut log = open(dir.path(), false);
    append(&mut log, 3).unwrap();
    let last = log.view().read(3, i64::MAX, 1000, true).unwrap();
    assert_eq!(batches(last.records).next().unwrap().unwrap().header().partition_leader_epoch, 4);
    log.close().unwrap();
    drop(log);
    for damage in [None, Some("0\n1\n"), Some("0\n1\n0 0\n")] {
        match damage {
            None => fs::remove_file(&checkpoint).unwrap(),
            Some(content) => fs::write(&checkpoint, content).unwrap(),
        }
        let log = open(dir.path(), false);
        let epochs = log.view().leader_epochs();
        let found = (epochs.latest(), epochs.end_offset_for(0, 4));
        assert_eq!(found, (4, Some((0, 3))), "{damage:?}");
    }
}

/// A log of several segments that was closed, and opened again.
fn sealed(dir: &Path) -> PartitionLog {
    let small = LogConfig { segment_bytes: 2500, ..config() };
    let open = || {
        let id = LogId { topic: "t".into(), topic_id: Uuid::from_u128(1), partition: 0 };
        PartitionLog::open(dir, id, &small, LogOrigin::default()).unwrap()
    };
    let mut log = open();
    for sequence in 0..BATCHES as i32 {
        log.append(&batch(sequence), AppendOrigin::Client, &small).unwrap();
    }
    log.close().unwrap();
    open()
}

#[test]
fn a_sealed_segment_that_was_cut_while_nobody_had_it_open_is_an_error_and_no_end() {
    let size = batch(0).header.size() as u64;
    // At the end of a batch, of which nothing but its length tells; in a batch; and in the header of one.
    for len in [size * 12, size * 12 + 100, size * 12 + 10] {
        let dir = tempfile::tempdir().unwrap();
        let log = sealed(dir.path());
        let cut = || OpenOptions::new().write(true).open(file(dir.path(), "log")).unwrap().set_len(len).unwrap();
        assert!(fs::metadata(file(dir.path(), "log")).unwrap().len() > len + size);
        cut();
        let error = log.view().read(13, i64::MAX, 1 << 20, true).unwrap_err().to_string();
        assert!(error.contains("cut short"), "{len}: {error}");
        assert!(log.view().first_at_or_after(1013).is_err());
        // What it has not lost elsewhere is read.
        let last = BATCHES as i64 - 1;
        assert!(!log.view().read(last, i64::MAX, 1 << 20, true).unwrap().is_empty());
    }
}

#[test]
fn a_sealed_segment_that_was_cut_while_no_broker_ran_is_told_by_its_index_or_by_half_a_batch() {
    let size = batch(0).header.size() as u64;
    for len in [size * 3, size * 12 + 100, size * 12 + 10] {
        let dir = tempfile::tempdir().unwrap();
        drop(sealed(dir.path()));
        OpenOptions::new().write(true).open(file(dir.path(), "log")).unwrap().set_len(len).unwrap();
        let log = open(dir.path(), false);
        let error = log.view().read(13, i64::MAX, 1 << 20, true).unwrap_err().to_string();
        assert!(error.contains("cut short"), "{len}: {error}");
    }
}
