//! Apache Kafka's own `kafka-dump-log` over data directories that the broker wrote: every batch deep, every index.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::client::Client;
use brooklet_tests::root;

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
