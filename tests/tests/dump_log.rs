//! Apache Kafka's own `kafka-dump-log` over data directories that the broker wrote: every batch deep, every index.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use brooklet_protocol::records::{BatchBuilder, CompressionType};
use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::client::Client;
use brooklet_tests::log_client::{LogClient, Producer};
use brooklet_tests::{root, wait_until};

/// What the tool prints or throws when a log or an index is not sound.
const COMPLAINTS: [&str; 8] = [
    "mismatch",
    "Exception",
    "isvalid: false",
    "invalid",
    "out of order",
    "Found timestamp",
    "non-consecutive",
    "do not match",
];

fn dump(options: &[&str], files: &[PathBuf]) -> String {
    let jars = root().join(".tools/java/kafka");
    assert!(jars.exists(), "Kafka's tools are not installed: run scripts/setup kafka");
    let files: Vec<_> = files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
    let output = Command::new("java")
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-cp", &format!("{}/*", jars.display())])
        .arg("org.apache.kafka.tools.DumpLogSegments")
        .args(options)
        .args(["--files", &files.join(",")])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kafka-dump-log ended with {}: {text}", output.status);
    for line in text.lines() {
        assert!(!COMPLAINTS.iter().any(|complaint| line.contains(complaint)), "kafka-dump-log complains: {line}");
    }
    text
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn produce(client: Client, bootstrap: &str, compression: &str, first: usize, count: usize) {
    let (first, count) = (first.to_string(), count.to_string());
    client.run(&["produce", bootstrap, "t", "2", compression, &first, &count]);
}

#[test]
fn logs_and_indexes_are_sound_to_kafkas_own_tool() {
    let mut broker = BrokerProcess::start(&[
        // Small segments and dense indexes, so that there are several of each.
        "--set",
        "log.segment.bytes=1048576",
        "--set",
        "log.index.interval.bytes=1024",
    ]);
    let client = Client("franz-go");
    client.run(&["create", &broker.bootstrap(), "t", "2"]);
    let mut written = 0;
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        produce(client, &broker.bootstrap(), compression, written, 10_000);
        written += 10_000;
    }
    // Many small batches, which fill the indexes.
    for _ in 0..30 {
        produce(client, &broker.bootstrap(), "none", written, 100);
        written += 100;
    }
    broker.kill();
    broker.start_again();
    produce(client, &broker.bootstrap(), "none", written, 100);
    written += 100;
    let mut member = client.join(&broker.bootstrap(), "t", "g", None);
    brooklet_tests::wait_until("the group reads all", std::time::Duration::from_secs(30), || {
        member.records().len() == written
    });
    member.leave();
    broker.stop();

    let mut records = 0;
    for partition in ["t-0", "t-1"] {
        let dir = broker.data_dir().join(partition);
        let logs = files(&dir, "log");
        let indexes = files(&dir, "index");
        assert!(logs.len() >= 2, "{partition} has {} segments", logs.len());
        assert!(indexes.len() >= 2, "{partition} has {} offset indexes", indexes.len());
        let text = dump(&["--deep-iteration"], &logs);
        records += text.lines().filter(|line| line.starts_with("| offset:")).count();
        let times = files(&dir, "timeindex");
        assert_eq!(times.len(), logs.len(), "each segment's time index ends with its greatest timestamp");
        dump(&[], &indexes);
        dump(&["--index-sanity-check"], &indexes);
        dump(&["--verify-index-only"], &indexes);
        dump(&[], &times);
        dump(&["--index-sanity-check"], &times);
        let producers = dump(&[], &files(&dir, "snapshot"));
        assert!(producers.contains("producerId: "), "{producers}");
    }
    assert_eq!(records, written);

    let offsets: Vec<PathBuf> = (0..50)
        .map(|index| broker.data_dir().join(format!("__consumer_offsets-{index}")))
        .filter(|dir| dir.exists())
        .flat_map(|dir| files(&dir, "log"))
        .collect();
    assert_eq!(offsets.len(), 1, "one group has one partition of __consumer_offsets");
    let text = dump(&["--offsets-decoder"], &offsets);
    assert!(text.contains(r#""group":"g","topic":"t","partition":0"#), "{text}");
    assert!(text.contains(r#""protocolType":"consumer""#), "{text}");
}

/// A batch of a producer or of nobody, `count` records with keys from a few.
fn batch(producer: Option<(&Producer, i32)>, at: i64, number: i64, count: i64) -> bytes::Bytes {
    let codecs = [CompressionType::None, CompressionType::Gzip, CompressionType::Lz4, CompressionType::Zstd];
    let mut builder = BatchBuilder::new().compression(codecs[usize::try_from(number).unwrap() % codecs.len()]);
    if let Some((producer, sequence)) = producer {
        builder = builder.producer(producer.id, producer.epoch, sequence);
        if producer.transactional_id.is_some() {
            builder = builder.transactional();
        }
    }
    for record in 0..count {
        let key = format!("key-{}", (number * 3 + record) % 50);
        let value = (record % 7 > 0).then(|| format!("{number}-{record}-{}", "x".repeat(100)));
        builder.push(at, Some(key.as_bytes()), value.as_ref().map(String::as_bytes), &[(b"header", None)]);
    }
    builder.build().unwrap()
}

/// Six segments of plain, idempotent and transactional batches; each third transaction is aborted. Returns how many are.
fn write_segments(client: &mut LogClient, topic: &str) -> usize {
    let idempotent = client.init_producer(None);
    let transactional = client.init_producer(Some(topic));
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let (mut sequence, mut transactional_sequence, mut aborted) = (0, 0, 0);
    for number in 0..180 {
        // Each thirty batches another two hours have passed, and a segment ends after one.
        let at = now + (number / 30) * 2 * 3_600_000 + number;
        match number % 3 {
            0 => client.produce(topic, 0, &batch(None, at, number, 5)),
            1 => {
                let offset = client.produce(topic, 0, &batch(Some((&idempotent, sequence)), at, number, 5));
                sequence += 5;
                offset
            }
            _ => {
                client.add_to_transaction(&transactional, topic, 0);
                let batch = batch(Some((&transactional, transactional_sequence)), at, number, 5);
                let offset = client.try_produce(topic, 0, batch, Some(topic)).unwrap();
                transactional_sequence += 5;
                client.end_transaction(&transactional, number % 9 != 8);
                aborted += usize::from(number % 9 == 8);
                offset
            }
        };
    }
    aborted
}

#[test]
fn transactions_and_what_compaction_leaves_are_sound_to_kafkas_own_tool() {
    let set = ["log.index.interval.bytes=1024", "log.cleaner.backoff.ms=100", "log.initial.task.delay.ms=0"];
    let mut broker = BrokerProcess::start(&set.map(|config| ["--set", config]).concat());
    let mut client = LogClient::connect(&broker.bootstrap());
    let configs = [("segment.ms", "3600000"), ("message.timestamp.after.max.ms", "9223372036854775807")];
    let compact = [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.0")];
    client.create("kept", 1, &configs);
    client.create("compacted", 1, &[configs, compact].concat());
    let aborted = write_segments(&mut client, "kept");
    assert_eq!(write_segments(&mut client, "compacted"), aborted);
    let checkpoint = broker.data_dir().join("cleaner-offset-checkpoint");
    wait_until("compaction up to the last segment", Duration::from_secs(30), || {
        let last = files(&broker.data_dir().join("compacted-0"), "log").pop().unwrap();
        let base: i64 = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        std::fs::read_to_string(&checkpoint).is_ok_and(|text| text.contains(&format!("compacted 0 {base}\n")))
    });
    // An unfinished end, as a killed process leaves it, is cut off before it is looked at.
    broker.kill();
    broker.start_again();
    for topic in ["kept", "compacted"] {
        LogClient::connect(&broker.bootstrap()).produce(topic, 0, &batch(None, 0, 0, 1));
    }
    broker.stop();

    let mut counts = Vec::new();
    for topic in ["kept", "compacted"] {
        let dir = broker.data_dir().join(format!("{topic}-0"));
        let logs = files(&dir, "log");
        let text = dump(&["--deep-iteration"], &logs);
        counts.push(text.lines().filter(|line| line.starts_with("| offset:")).count());
        assert!(text.contains("isTransactional: true") && text.contains("endTxnMarker"), "{text}");
        let (indexes, times) = (files(&dir, "index"), files(&dir, "timeindex"));
        assert!(!indexes.is_empty() && !times.is_empty());
        for checked in ["--index-sanity-check", "--verify-index-only"] {
            dump(&[checked], &indexes);
        }
        dump(&[], &indexes);
        dump(&[], &times);
        dump(&["--index-sanity-check"], &times);
        let transactions = files(&dir, "txnindex");
        let text = dump(&[], &transactions);
        let entries = text.lines().filter(|line| line.contains("lastStableOffset")).count();
        // Once nothing is left of what was aborted, compaction lets go of the entry too, but for the segment not compacted.
        assert!(
            if topic == "kept" { entries == aborted } else { (1..=aborted).contains(&entries) },
            "{entries}: {text}"
        );
        let producers = dump(&[], &files(&dir, "snapshot"));
        assert!(producers.matches("producerId: ").count() >= 2, "{producers}");
    }
    assert!(counts[1] * 2 < counts[0], "{counts:?}: compaction has taken most away");
}
