//! What the broker does with logs when nobody asks: old records go, and of each key the last one stays.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use brooklet::{Broker, Record};

async fn broker(dir: &Path) -> Broker {
    Broker::builder()
        .data_dir(dir)
        .set("log.initial.task.delay.ms", "0")
        .set("log.retention.check.interval.ms", "50")
        .set("log.cleaner.backoff.ms", "50")
        .start()
        .await
        .unwrap()
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn files(dir: &Path, extension: &str) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|found| found == extension)).count()
}

fn log_bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let logs = entries.filter(|entry| entry.path().extension().is_some_and(|found| found == "log"));
    // One that has just been replaced may be gone.
    logs.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_removes_what_is_too_much_and_the_files_go_after_their_delay() {
    let dir = tempfile::tempdir().unwrap();
    let broker = broker(dir.path()).await;
    let configs = [("internal.segment.bytes", "2000"), ("retention.bytes", "6000"), ("file.delete.delay.ms", "1500")];
    broker.create_topic_with("t", 1, configs).unwrap();
    for n in 0..100 {
        broker.produce("t", 0, [Record::new("key", vec![n; 400])]).unwrap();
    }
    let partition = dir.path().join("t-0");
    eventually("only what retention.bytes allows remains", || broker.records("t").unwrap().len() < 20).await;
    let records = broker.records("t").unwrap();
    assert_eq!(records.last().unwrap().offset, 99);
    assert!(records.len() >= 12, "no more goes than must: {}", records.len());
    assert!(files(&partition, "deleted") > 0, "removed segments keep their files for a while");
    eventually("they go", || files(&partition, "deleted") == 0).await;
    broker.shutdown().await;

    // What was removed is not back after a start.
    let broker = self::broker(dir.path()).await;
    assert_eq!(broker.records("t").unwrap()[0].offset, records[0].offset);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_opened_since_the_start_loses_what_is_too_old() {
    let dir = tempfile::tempdir().unwrap();
    // The first one does not look within its life.
    let first = Broker::builder().data_dir(dir.path()).start().await.unwrap();
    first.create_topic_with("t", 1, [("internal.segment.bytes", "1000"), ("retention.ms", "600000")]).unwrap();
    for n in 0..20i64 {
        first
            .produce("t", 0, [Record { timestamp: Some(1_700_000_000_000 + n), ..Record::new("key", vec![1; 300]) }])
            .unwrap();
    }
    first.shutdown().await;
    let partition = dir.path().join("t-0");
    let before = files(&partition, "log");
    let second = broker(dir.path()).await;
    eventually("old segments go though nobody reads", || files(&partition, "log") < before.min(2)).await;
    eventually("it is not kept open", || !is_mapped(&partition)).await;
    assert!(second.records("t").unwrap().is_empty());
    second.produce("t", 0, [Record::new("key", "value")]).unwrap();
    assert_eq!(second.records("t").unwrap()[0].offset, 20, "offsets go on");
}

/// Whether this process has files of a partition mapped.
fn is_mapped(partition: &Path) -> bool {
    let partition = format!("{}/", partition.canonicalize().unwrap().display());
    std::fs::read_to_string("/proc/self/maps").unwrap().contains(&partition)
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_that_were_dirty_at_the_stop_are_compacted_though_nobody_opens_them_and_are_not_kept_open() {
    let dir = tempfile::tempdir().unwrap();
    // The first one does not look within its life.
    let first = Broker::builder().data_dir(dir.path()).start().await.unwrap();
    let configs = [("cleanup.policy", "compact"), ("internal.segment.bytes", "2000"), ("file.delete.delay.ms", "0")];
    first.create_topic_with("t", 3, configs).unwrap();
    for n in 0..300u32 {
        let value = format!("value-{n}-{}", "x".repeat(80));
        first.produce("t", (n % 3) as i32, [Record::new(format!("key-{}", n % 21), value)]).unwrap();
    }
    first.shutdown().await;
    let partitions: Vec<_> = (0..3).map(|partition| dir.path().join(format!("t-{partition}"))).collect();
    let before: Vec<u64> = partitions.iter().map(|partition| log_bytes(partition)).collect();

    let second = broker(dir.path()).await;
    // A round leaves as many segments as there were, save that most are empty: each was full, and stood alone.
    eventually("all are compacted", || {
        partitions.iter().zip(&before).all(|(partition, before)| log_bytes(partition) < before / 3)
    })
    .await;
    eventually("none is open", || !partitions.iter().any(|partition| is_mapped(partition))).await;
    let records = second.records("t").unwrap();
    let keys: std::collections::BTreeSet<_> = records.iter().map(|record| record.key.clone()).collect();
    assert_eq!(keys.len(), 21);
    assert!(records.len() < 120, "{} records are left", records.len());
    assert!(partitions.iter().all(|partition| is_mapped(partition)), "to read them has opened them");
    second.produce("t", 0, [Record::new("key-0", "last")]).unwrap();
    second.shutdown().await;
    let third = broker(dir.path()).await;
    assert_eq!(third.records("t").unwrap().iter().filter(|record| record.value.as_deref() == Some(b"last")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_topic_keeps_the_last_record_of_each_key() {
    let dir = tempfile::tempdir().unwrap();
    let broker = broker(dir.path()).await;
    let configs = [
        ("cleanup.policy", "compact"),
        ("internal.segment.bytes", "2000"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("file.delete.delay.ms", "0"),
    ];
    broker.create_topic_with("t", 1, configs).unwrap();
    let mut last = BTreeMap::new();
    for n in 0..300u32 {
        let (key, value) = (format!("key-{}", n % 7), format!("value-{n}-{}", "x".repeat(80)));
        broker.produce("t", 0, [Record::new(key.clone(), value.clone())]).unwrap();
        last.insert(key, value);
    }
    eventually("superseded records go", || broker.records("t").unwrap().len() < 60).await;
    let mut read = BTreeMap::new();
    for record in broker.records("t").unwrap() {
        read.insert(
            String::from_utf8(record.key.unwrap().to_vec()).unwrap(),
            String::from_utf8(record.value.unwrap().to_vec()).unwrap(),
        );
    }
    assert_eq!(read, last);
    let checkpoint = dir.path().join("cleaner-offset-checkpoint");
    let remembered = || std::fs::read_to_string(&checkpoint).is_ok_and(|content| content.contains("t 0 "));
    eventually("how far it is compacted is kept", remembered).await;
}
