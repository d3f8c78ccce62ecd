//! Kafka Connect on the broker: the stock distributed worker, with exactly-once sources, carries a file to a topic and the
//! topic to another file; both the broker and the worker are killed on the way, and the two files are the same.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use brooklet_tests::connect::ConnectWorker;
use brooklet_tests::subject::Subject;
use brooklet_tests::wait_until;
use serde_json::json;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(120);
const LINES: usize = 2_000;

#[test]
#[ignore = "an application: scripts/test apps"]
fn a_file_arrives_once_and_in_order_through_restarts_of_broker_and_worker() {
    let mut broker = Subject::start(&[]);
    let dir = TempDir::with_prefix("connect-").unwrap();
    let (source, sink) = (dir.path().join("source.txt"), dir.path().join("sink.txt"));
    let mut written = 0;
    let mut write = || {
        let mut file = File::options().create(true).append(true).open(&source).unwrap();
        let lines: String = (written..written + LINES).map(|line| format!("line {line}\n")).collect();
        file.write_all(lines.as_bytes()).unwrap();
        written += LINES;
        written
    };
    let arrived = || std::fs::read_to_string(&sink).unwrap_or_default();
    let have_arrived = |count: usize| {
        let last = format!("line {}\n", count - 1);
        wait_until("the lines arrive", PATIENCE, || arrived().ends_with(&last));
    };

    write();
    let mut worker = ConnectWorker::start(&broker.bootstrap(), dir.path(), &[]);
    worker.rest().run(
        "source",
        &json!({
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "tasks.max": "1", "file": source, "topic": "lines", "batch.size": "100",
            "exactly.once.support": "requested", "transaction.boundary": "poll",
        }),
    );
    worker.rest().run(
        "sink",
        &json!({
            "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
            "tasks.max": "1", "file": sink, "topics": "lines",
        }),
    );
    have_arrived(LINES);

    let count = write();
    broker.kill();
    broker.start_again();
    have_arrived(count);

    let count = write();
    worker.kill();
    worker.start_again();
    worker.rest().wait_until_running("source");
    worker.rest().wait_until_running("sink");
    have_arrived(count);

    // In the topic is every line once, by exactly-once sources; a sink may write again what it had not yet committed.
    let output = Command::new("kcat")
        .args(["-b", &broker.bootstrap(), "-C", "-t", "lines", "-e", "-q", "-X", "isolation.level=read_committed"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), std::fs::read_to_string(&source).unwrap());
    let mut next = 0;
    for line in arrived().lines() {
        let number: usize = line.strip_prefix("line ").unwrap().parse().unwrap();
        assert!(number <= next, "line {next} is lost");
        next = next.max(number + 1);
    }
    assert_eq!(next, count);
}
