//! Compaction and retention against a list of what was written: which records must stay, which must go, and that a log
//! reads the same before and after a stop, at whatever moment of the exchange of segments that comes.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_protocol::records::validate::ValidBatch;
use brooklet_protocol::records::{BatchBuilder, CompressionType, EndTransactionMarker, batches};
use brooklet_storage::{AppendOrigin, CleanerConfig, LogConfig, LogId, LogOrigin, PartitionLog};
use proptest::prelude::*;
use uuid::Uuid;

/// A few batches fill a segment.
const CONFIG: LogConfig = LogConfig {
    segment_bytes: 700,
    segment_index_bytes: 256,
    index_interval_bytes: 150,
    cleanup_delete: false,
    cleanup_compact: true,
    min_cleanable_dirty_ratio: 0.0,
    delete_retention_ms: 1000,
    ..LogConfig::DEFAULT
};
const CLEANER: CleanerConfig = CleanerConfig { dedupe_buffer_bytes: 1 << 20, load_factor: 0.9 };

fn open(dir: &Path) -> PartitionLog {
    let id = LogId { topic: "t".into(), topic_id: Uuid::from_u128(1), partition: 0 };
    PartitionLog::open(dir, id, &CONFIG, LogOrigin::default()).unwrap()
}

type Written = (i64, Vec<u8>, Option<Vec<u8>>);

/// All records for applications, and the offset at which each batch ends.
fn read(log: &PartitionLog) -> (Vec<Written>, Vec<i64>) {
    let view = log.view();
    let (mut records, mut ends) = (Vec::new(), Vec::new());
    let mut at = view.log_start_offset();
    loop {
        let slice = view.read(at, i64::MAX, 1 << 20, true).unwrap();
        if slice.is_empty() {
            break;
        }
        for batch in batches(slice.records) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            at = batch.header().next_offset();
            ends.push(at);
            if !batch.header().attributes.is_control() {
                for record in batch.records(1 << 20).unwrap() {
                    let record = record.unwrap();
                    records.push((
                        record.offset,
                        record.key.unwrap().to_vec(),
                        record.value.map(|value| value.to_vec()),
                    ));
                }
            }
        }
    }
    (records, ends)
}

fn append(log: &mut PartitionLog, builder: BatchBuilder) -> i64 {
    let batch = ValidBatch::trusted(builder.finish().unwrap());
    log.append(&batch, AppendOrigin::Coordinator, &CONFIG).unwrap().base_offset
}

/// One round, whatever the share of dirty bytes. Returns up to where the log is compacted then.
fn compact(log: &mut PartitionLog, upto: Option<i64>, cleaner: &CleanerConfig, now_ms: i64) -> Option<i64> {
    let plan = log.compaction_plan(upto, &CONFIG, now_ms).unwrap()?;
    let end = plan.carry_out(cleaner, now_ms, |cleaned| {
        let remains = log.replace_segments(&cleaned)?;
        for path in remains.iter().flatten() {
            fs::remove_file(path).unwrap();
        }
        Ok(remains.is_some())
    });
    Some(end.unwrap())
}

#[derive(Debug, Clone)]
struct Batch {
    keys: Vec<u8>,
    tombstones: bool,
    codec: u8,
    producer: Option<u8>,
}

fn batch() -> impl Strategy<Value = Batch> {
    (prop::collection::vec(0u8..6, 1..5), prop::bool::weighted(0.2), 0u8..5, prop::option::of(0u8..2))
        .prop_map(|(keys, tombstones, codec, producer)| Batch { keys, tombstones, codec, producer })
}

/// How many cases: `PROPTEST_CASES`, where it is set.
fn cases(usual: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(usual),
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn of_each_key_the_last_record_stays_and_nothing_else_changes(
        rounds in prop::collection::vec(prop::collection::vec(batch(), 1..40), 1..4), small_map: bool,
    ) {
        let cleaner = if small_map { CleanerConfig { dedupe_buffer_bytes: 24 * 4, load_factor: 0.75 } } else { CLEANER };
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path());
        let mut written: BTreeMap<i64, (Vec<u8>, Option<Vec<u8>>)> = BTreeMap::new();
        let mut sequences = [0i32; 2];
        let mut upto = None;
        for round in rounds {
            for batch in round {
                let mut builder = BatchBuilder::new().compression(CompressionType::from_id(batch.codec).unwrap());
                if let Some(producer) = batch.producer {
                    let sequence = &mut sequences[usize::from(producer)];
                    builder = builder.producer(i64::from(producer), 0, *sequence);
                    *sequence += batch.keys.len() as i32;
                }
                let base = log.view().next_offset();
                for (offset, key) in (base..).zip(&batch.keys) {
                    let value = (!batch.tombstones).then(|| format!("value {offset}").into_bytes());
                    builder.push(1, Some(&[*key]), value.as_deref(), &[]);
                    written.insert(offset, (vec![*key], value));
                }
                prop_assert_eq!(append(&mut log, builder), base);
            }
            let end = log.view().next_offset();
            upto = compact(&mut log, upto, &cleaner, 100).or(upto);
            let compacted = upto.unwrap_or(0);
            prop_assert!(compacted <= end);
            prop_assert_eq!(log.view().next_offset(), end);

            let (records, ends) = read(&log);
            let kept: BTreeSet<i64> = records.iter().map(|(offset, ..)| *offset).collect();
            for (offset, key, value) in &records {
                prop_assert_eq!(&written[offset], &(key.clone(), value.clone()), "offset {}", offset);
            }
            prop_assert!(ends.is_sorted());
            prop_assert_eq!(ends.last().copied().unwrap_or(0), end, "the log's end is known by its last batch");
            for (offset, (key, _)) in &written {
                let later = |upto: i64| {
                    written.range(offset + 1..upto.max(offset + 1)).any(|(_, (later, _))| later == key)
                };
                if !later(end) {
                    prop_assert!(kept.contains(offset), "offset {} is the last of its key", offset);
                }
                if later(compacted) {
                    prop_assert!(!kept.contains(offset), "offset {} is superseded below {}", offset, compacted);
                }
            }

            let producers: BTreeSet<_> = log.producers().into_iter().map(|(id, entry)| (id, entry.last_sequence())).collect();
            log.close().unwrap();
            drop(log);
            log = open(dir.path());
            prop_assert_eq!(read(&log).0, records.clone());
            // Without the snapshots, what remains of the batches alone must tell of the producers.
            drop(log);
            for entry in fs::read_dir(dir.path().join("t-0")).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "snapshot") {
                    fs::remove_file(path).unwrap();
                }
            }
            log = open(dir.path());
            let known: BTreeSet<_> = log.producers().into_iter().map(|(id, entry)| (id, entry.last_sequence())).collect();
            prop_assert_eq!(known, producers);
        }
    }
}

fn write(log: &mut PartitionLog, key: &str, value: Option<&str>) -> i64 {
    let mut builder = BatchBuilder::new();
    builder.push(1, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    append(log, builder)
}

fn fill(log: &mut PartitionLog, count: usize) {
    for n in 0..count {
        write(log, &format!("fill-{}", n % 3), Some("0123456789012345678901234567890123456789"));
    }
}

#[test]
fn a_tombstone_stays_for_its_time_and_then_goes() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    write(&mut log, "gone", Some("value"));
    let tombstone = write(&mut log, "gone", None);
    fill(&mut log, 20);
    let has = |log: &PartitionLog, offset: i64| read(log).0.iter().any(|(at, ..)| *at == offset);

    let upto = compact(&mut log, None, &CLEANER, 10_000);
    assert!(!has(&log, 0) && has(&log, tombstone));
    fill(&mut log, 20);
    let upto = compact(&mut log, upto, &CLEANER, 10_999);
    assert!(has(&log, tombstone), "delete.retention.ms counts from the first round that saw it");
    fill(&mut log, 20);
    compact(&mut log, upto, &CLEANER, 11_000);
    assert!(!has(&log, tombstone));
}

#[test]
fn aborted_records_go_and_their_marker_follows_later() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    let transactional = |log: &mut PartitionLog, producer: i64, sequence: i32, key: &str| {
        let mut builder = BatchBuilder::new().producer(producer, 0, sequence).transactional();
        builder.push(1, Some(key.as_bytes()), Some(b"value"), &[]);
        let batch = ValidBatch::trusted(builder.finish().unwrap());
        let guard = log.begin_verification(&batch.header, TransactionVersion::V1, 0).unwrap().unwrap();
        log.append(&batch, AppendOrigin::VerifiedClient(guard), &CONFIG).unwrap().base_offset
    };
    let end = |log: &mut PartitionLog, producer: i64, commit: bool| {
        let marker = EndTransactionMarker { commit, coordinator_epoch: 0 };
        let batch = ValidBatch::trusted(marker.batch(1, producer, 0).unwrap());
        log.append(&batch, AppendOrigin::Marker(TransactionVersion::V1), &CONFIG).unwrap();
    };
    let committed = transactional(&mut log, 1, 0, "kept");
    let aborted = transactional(&mut log, 2, 0, "dropped");
    end(&mut log, 1, true);
    // The marker comes segments later.
    fill(&mut log, 12);
    end(&mut log, 2, false);
    fill(&mut log, 12);
    let open_at = transactional(&mut log, 3, 0, "undecided");
    fill(&mut log, 12);

    compact(&mut log, None, &CLEANER, 10_000);
    let offsets: Vec<i64> = read(&log).0.into_iter().map(|(offset, ..)| offset).collect();
    assert!(offsets.contains(&committed) && !offsets.contains(&aborted) && offsets.contains(&open_at));
    let after_open: Vec<i64> = offsets.into_iter().filter(|offset| *offset > open_at).collect();
    assert_eq!(after_open.len(), 12, "nothing behind an open transaction is compacted");
    assert_eq!(log.view().last_stable_offset(), open_at);
    // Read anew, the producers stand as they stood.
    log.close().unwrap();
    drop(log);
    let log = open(dir.path());
    assert_eq!(log.view().last_stable_offset(), open_at);
}

#[test]
fn a_stop_at_any_moment_of_the_exchange_loses_nothing() {
    for stage in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path());
        fill(&mut log, 40);
        let before = read(&log).0;
        let plan = log.compaction_plan(None, &CONFIG, 10).unwrap().unwrap();
        let partition = dir.path().join("t-0");
        let mut first = true;
        plan.carry_out(&CLEANER, 10, |_| {
            if !std::mem::take(&mut first) {
                return Ok(false);
            }
            let copies: Vec<(std::path::PathBuf, Vec<u8>)> = fs::read_dir(&partition)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "cleaned"))
                .map(|path| (path.clone(), fs::read(path).unwrap()))
                .collect();
            let swapped = |path: &Path| path.with_extension("swap");
            match stage {
                // Only being written.
                0 => {}
                // Indexes renamed, the log not yet.
                1 | 2 => {
                    for (path, _) in &copies {
                        if stage == 2 || !path.to_string_lossy().contains(".log.") {
                            fs::rename(path, swapped(path)).unwrap();
                        }
                    }
                }
                // All renamed, and the old log is gone, or an index has its own name already.
                3 | 4 => {
                    for (path, content) in &copies {
                        fs::rename(path, swapped(path)).unwrap();
                        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                        if stage == 3 && name.ends_with(".log") {
                            fs::rename(partition.join(&name), partition.join(format!("{name}.deleted"))).unwrap();
                        }
                        if stage == 4 && name.ends_with(".index") {
                            fs::write(partition.join(&name), content).unwrap();
                            fs::remove_file(swapped(path)).unwrap();
                        }
                    }
                }
                _ => unreachable!(),
            }
            Ok(false)
        })
        .unwrap();
        drop(log);
        let log = open(dir.path());
        let after = read(&log).0;
        let last = |records: &[Written]| -> BTreeMap<Vec<u8>, i64> {
            records.iter().map(|(offset, key, _)| (key.clone(), *offset)).collect()
        };
        assert_eq!(last(&after), last(&before), "stage {stage}");
        assert_eq!(after.len() < before.len(), stage >= 2, "stage {stage}: the exchange is made or not");
        for entry in fs::read_dir(&partition).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            assert!(!["cleaned", "swap", "deleted"].iter().any(|suffix| name.ends_with(suffix)), "{name} remains");
        }
    }
}

#[test]
fn what_is_too_old_or_too_much_goes_in_whole_segments() {
    let config = LogConfig { cleanup_delete: true, cleanup_compact: false, ..CONFIG };
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    let append_at = |log: &mut PartitionLog, timestamp: i64| {
        let mut builder = BatchBuilder::new();
        builder.push(timestamp, Some(b"key"), Some(&[7; 100]), &[]);
        append(log, builder)
    };
    for n in 0..40 {
        append_at(&mut log, 1000 * n);
    }
    let size = log.view().size();

    let by_size = LogConfig { retention_bytes: Some(size / 2), retention_ms: None, ..config.clone() };
    let remains = log.retain(&by_size, 0).unwrap();
    assert!(!remains.is_empty() && remains.iter().all(|path| path.extension().unwrap() == "deleted"));
    assert!(log.view().size() >= size / 2 && log.view().size() < size / 2 + 700);
    let start = log.view().log_start_offset();
    assert_eq!(read(&log).0[0].0, start);

    let by_age = LogConfig { retention_ms: Some(10_000), ..config.clone() };
    log.retain(&by_age, 40_000).unwrap();
    let (records, _) = read(&log);
    assert!(records[0].0 > start && records[0].0 <= 30, "a segment goes when its newest record is too old");
    assert!(log.retain(&LogConfig { retention_ms: None, ..config.clone() }, i64::MAX).unwrap().is_empty());

    // The last segment goes too, and the next offset is still known.
    log.retain(&by_age, 1_000_000).unwrap();
    assert_eq!((log.view().log_start_offset(), log.view().next_offset()), (40, 40));
    drop(log);
    let mut log = open(dir.path());
    assert_eq!((log.view().log_start_offset(), log.view().next_offset()), (40, 40));
    assert_eq!(append_at(&mut log, 5), 40);
    assert_eq!(read(&log).0.len(), 1);
}
