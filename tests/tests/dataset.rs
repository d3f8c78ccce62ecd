//! The main job on real input: a million JSON events go in by one client and come out by another one's, byte for byte.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::client::Client;
use brooklet_tests::root;

const EVENTS: usize = 1_000_000;
const PARTITIONS: &str = "4";

#[test]
fn a_million_events_come_out_as_they_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let (events, copy) = (dir.path().join("events.jsonl"), dir.path().join("copy.jsonl"));
    let count = EVENTS.to_string();
    let made = Command::new(root().join("scripts/make-events"))
        .args(["--seed", "42", "--count", &count, "--out"])
        .arg(&events)
        .status()
        .unwrap();
    assert!(made.success());
    let lines = std::fs::read(&events).unwrap().iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, EVENTS);

    let mut broker = BrokerProcess::start(&[]);
    let (writer, reader) = (Client("franz-go"), Client("java"));
    writer.run(&["create", &broker.bootstrap(), "events", PARTITIONS]);
    let path = events.to_str().unwrap();
    writer.run(&["produce-file", &broker.bootstrap(), "events", PARTITIONS, path, "lz4"]);
    broker.kill();
    broker.start_again();
    let to = copy.to_str().unwrap();
    reader.run(&["consume-file", &broker.bootstrap(), "events", PARTITIONS, &count, to]);
    assert!(std::fs::read(&events).unwrap() == std::fs::read(&copy).unwrap(), "what came out is not what went in");
}
