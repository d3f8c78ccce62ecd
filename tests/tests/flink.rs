//! Flink counts words exactly once, from topic to topic: its job fails and restarts, the broker is killed, and then
//! Flink's whole process, which goes on from its last checkpoint.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use brooklet_tests::client::Client;
use brooklet_tests::java::{self, JavaProcess};
use brooklet_tests::subject::Subject;
use brooklet_tests::wait_until;
use tempfile::TempDir;

const VOCABULARY: [&str; 5] = ["brook", "river", "lake", "sea", "spring"];
const STEP: usize = 2_000;
const PATIENCE: Duration = Duration::from_secs(150);

#[test]
#[ignore = "an application: scripts/test apps"]
fn counts_are_exact_through_failures_of_job_broker_and_process() {
    let mut broker = Subject::start(&[]);
    let dir = TempDir::with_prefix("flink-").unwrap();
    let client = Client("franz-go");
    for topic in ["words", "counts"] {
        client.run(&["create", &broker.bootstrap(), topic, "2"]);
    }
    let mut written = 0;
    let mut write = |broker: &Subject| {
        let words: String =
            (written..written + STEP).map(|n| VOCABULARY[n % VOCABULARY.len()].to_owned() + "\n").collect();
        let path = dir.path().join("words");
        std::fs::write(&path, words).unwrap();
        client.run(&["produce-file", &broker.bootstrap(), "words", "2", path.to_str().unwrap(), "none"]);
        written += STEP;
        written
    };

    let mut flink = start(&broker, dir.path());
    let count = write(&broker);
    wait_until("the job counts after its own failure", PATIENCE, || counted(&broker, &mut flink) == count);
    assert!(flink.output().contains("failing on purpose"), "the job has not failed: {}", flink.output());

    write(&broker);
    broker.kill();
    broker.start_again();
    let count = write(&broker);
    wait_until("the job counts after the broker's death", PATIENCE, || counted(&broker, &mut flink) == count);

    let count = write(&broker);
    flink.kill();
    flink = start(&broker, dir.path());
    wait_until("the job counts after its process was killed", PATIENCE, || counted(&broker, &mut flink) == count);
    assert!(flink.output().contains("from /"), "it began at a checkpoint: {}", flink.output());
}

fn start(broker: &Subject, dir: &Path) -> JavaProcess {
    let class_path = java::class_path(&["flink-classes", "flink"]);
    let mut command = java::command(&class_path, "384m", "CountExactlyOnce");
    command.env(
        "JDK_JAVA_OPTIONS",
        "--add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.lang=ALL-UNNAMED",
    );
    command.args([&broker.bootstrap(), "words", "counts"]).arg(dir.join("checkpoints")).arg("700");
    JavaProcess::start(command, &dir.join("output"))
}

/// How many words were counted, to who reads what is committed: each one by one, nothing lost, nothing counted twice.
fn counted(broker: &Subject, flink: &mut JavaProcess) -> usize {
    assert!(flink.ended().is_none(), "Flink ended: {}", flink.output());
    let output = Command::new("kcat")
        .args(["-b", &broker.bootstrap(), "-C", "-t", "counts", "-e", "-q", "-X", "isolation.level=read_committed"])
        .output()
        .unwrap();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (word, count) = line.split_once(' ').unwrap();
        let last = counts.entry(word.to_owned()).or_default();
        *last += 1;
        assert_eq!(count, last.to_string(), "{word}");
    }
    counts.into_values().sum()
}
