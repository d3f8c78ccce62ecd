//! Kafka Streams counts words exactly once: the application is killed in the middle of its work, the broker with it, and
//! comes back without its local state, which it restores from the changelog.
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

const VOCABULARY: [&str; 7] = ["brook", "river", "lake", "sea", "spring", "delta", "well"];
const PARTITIONS: usize = 3;
const LINES: usize = 600;
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
#[ignore = "an application: scripts/test apps"]
fn counts_are_exact_with_classic_groups() {
    tell("classic");
}

#[test]
#[ignore = "an application: scripts/test apps"]
fn counts_are_exact_with_streams_groups() {
    tell("streams");
}

fn tell(protocol: &'static str) {
    let mut broker = Subject::start(&[
        // A killed member of a streams group is missed after six seconds, as that of a classic one is.
        "group.streams.min.session.timeout.ms=6000",
        "group.streams.session.timeout.ms=6000",
        "group.streams.min.heartbeat.interval.ms=1000",
        "group.streams.heartbeat.interval.ms=1000",
    ]);
    let dir = TempDir::with_prefix("word-count-").unwrap();
    let producer = Client("franz-go");
    for topic in ["lines", "counts"] {
        producer.run(&["create", &broker.bootstrap(), topic, &PARTITIONS.to_string()]);
    }
    let mut words = Words::default();
    let mut application = WordCount::start(&broker, dir.path(), protocol);

    words.write(&broker, dir.path());
    wait_until("the first words are counted", PATIENCE, || application.store() == words.counts);

    let writing = words.begin_to_write(&broker, dir.path());
    wait_until("some more are counted", PATIENCE, || application.store() != words.before || writing.is_finished());
    application.process.kill();
    broker.kill();
    broker.start_again();
    writing.finish();
    std::fs::remove_dir_all(dir.path().join("state")).unwrap();

    application = WordCount::start(&broker, dir.path(), protocol);
    wait_until("all are counted after the restart", PATIENCE, || application.store() == words.counts);
    words.write(&broker, dir.path());
    wait_until("and what came after it", PATIENCE, || application.store() == words.counts);
    application.process.stop();
    check_every_count_was_told_once(&broker, &words.counts);
}

/// What was written, by word.
#[derive(Debug, Default)]
struct Words {
    lines: usize,
    counts: BTreeMap<String, usize>,
    before: BTreeMap<String, usize>,
}

impl Words {
    fn write(&mut self, broker: &Subject, dir: &Path) {
        self.begin_to_write(broker, dir).finish();
    }

    fn begin_to_write(&mut self, broker: &Subject, dir: &Path) -> brooklet_tests::client::Running {
        self.before.clone_from(&self.counts);
        let mut text = String::new();
        for line in self.lines..self.lines + LINES {
            let of_line: Vec<_> =
                (0..3).map(|n| VOCABULARY[(line * line + n * 5 + line * n) % VOCABULARY.len()]).collect();
            for word in &of_line {
                *self.counts.entry((*word).to_owned()).or_default() += 1;
            }
            text += &(of_line.join(" ") + "\n");
        }
        self.lines += LINES;
        let path = dir.join(format!("lines-{}", self.lines));
        std::fs::write(&path, text).unwrap();
        let (bootstrap, partitions) = (broker.bootstrap(), PARTITIONS.to_string());
        Client("franz-go").begin(&["produce-file", &bootstrap, "lines", &partitions, path.to_str().unwrap(), "none"])
    }
}

/// The application's process.
struct WordCount {
    process: JavaProcess,
}

impl WordCount {
    fn start(broker: &Subject, dir: &Path, protocol: &str) -> Self {
        let mut command = java::command(&java::class_path(&["streams-classes", "streams"]), "256m", "WordCount");
        command.args([&broker.bootstrap(), "word-count", protocol]).arg(dir.join("state")).args(["lines", "counts"]);
        // Each life has its own output: what the store was before says nothing of what it is.
        let life = std::fs::read_dir(dir).unwrap().count();
        Self { process: JavaProcess::start(command, &dir.join(format!("output-{life}"))) }
    }

    /// What its store held, by its last answer.
    fn store(&mut self) -> BTreeMap<String, usize> {
        assert!(self.process.ended().is_none(), "the application ended: {}", self.process.output());
        let output = self.process.output();
        let complete = output.rsplit_once('\n').map_or("", |(complete, _)| complete);
        let Some(last) = complete.lines().rev().find(|line| line.starts_with("store ")) else {
            return BTreeMap::new();
        };
        let pairs = last.split(' ').skip(2).map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(word, count)| (word.to_owned(), count.parse().unwrap())).collect()
    }
}

/// To who reads what is committed, each word was counted one by one: nothing lost, nothing counted twice.
fn check_every_count_was_told_once(broker: &Subject, counts: &BTreeMap<String, usize>) {
    let output = Command::new("kcat")
        .args(["-b", &broker.bootstrap(), "-C", "-t", "counts", "-e", "-q", "-f", "%k %s\n"])
        .args(["-X", "isolation.level=read_committed"])
        .output()
        .unwrap();
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (word, count) = line.split_once(' ').unwrap();
        let last = told.entry(word.to_owned()).or_default();
        *last += 1;
        assert_eq!(count, last.to_string(), "{word}");
    }
    assert_eq!(&told, counts);
}
