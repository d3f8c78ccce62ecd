//! Exactly once, with the transactions of four clients: what is copied from topic to topic while copiers and the broker
//! are killed arrives once and in order, and nothing is seen of what was aborted.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use brooklet_tests::client::{Client, Copier};
use brooklet_tests::subject::Subject;

const PARTITIONS: usize = 3;
const COUNT: usize = 9_000;
const PATIENCE: Duration = Duration::from_secs(150);

#[test]
#[ignore = "an application: scripts/test apps"]
fn java() {
    tell(Client("java"));
}

#[test]
#[ignore = "an application: scripts/test apps"]
fn confluent_kafka() {
    tell(Client("confluent-kafka"));
}

#[test]
#[ignore = "an application: scripts/test apps"]
fn franz_go() {
    tell(Client("franz-go"));
}

#[test]
#[ignore = "an application: scripts/test apps"]
fn sarama() {
    tell(Client("sarama"));
}

fn tell(client: Client) {
    let mut broker = Subject::start(&[]);
    let bootstrap = broker.bootstrap();
    for topic in ["from", "to"] {
        client.run(&["create", &bootstrap, topic, &PARTITIONS.to_string()]);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
    let (partitions, count) = (PARTITIONS.to_string(), COUNT.to_string());
    client.run(&["produce", &bootstrap, "from", &partitions, "none", "0", &count, &now]);

    let mut copiers =
        ["copier-0", "copier-1"].map(|id| Copier::start(client, &[&bootstrap, "from", "to", "copiers", id]));
    // Each blow falls when a part of the work is done, and some of it is under way.
    wait_for_copies(&mut copiers, &broker, COUNT / 6);
    copiers[0].kill_and_start_again();
    wait_for_copies(&mut copiers, &broker, COUNT / 3);
    broker.kill();
    broker.start_again();
    wait_for_copies(&mut copiers, &broker, COUNT / 2);
    copiers[1].kill_and_start_again();
    broker.stop();
    broker.start_again();
    wait_for_copies(&mut copiers, &broker, COUNT);
    drop(copiers);

    let mut next: BTreeMap<usize, usize> = (0..PARTITIONS).map(|partition| (partition, partition)).collect();
    for (partition, key, value) in committed(&broker) {
        let index = next.get_mut(&partition).unwrap();
        assert_eq!(key, format!("k-{index}"), "partition {partition}: nothing lost, doubled or out of order");
        assert_eq!(value, format!("v-{index}-{}", "x".repeat(*index % 200)), "nothing aborted");
        *index += PARTITIONS;
    }
    assert!(next.into_values().all(|index| index >= COUNT), "all was copied");
}

/// Waits until so many records are there to be read, and starts copiers again that ended.
fn wait_for_copies(copiers: &mut [Copier], broker: &Subject, count: usize) {
    let begun = Instant::now();
    let mut there = 0;
    while there < count {
        assert!(begun.elapsed() < PATIENCE, "{there} of {count} records are copied after {PATIENCE:?}");
        copiers.iter_mut().for_each(Copier::watch);
        std::thread::sleep(Duration::from_millis(100));
        there = committed(broker).len();
    }
}

/// The copies, as who reads committed records is given them by an independent client: partition, key and value.
fn committed(broker: &Subject) -> Vec<(usize, String, String)> {
    let output = Command::new("kcat")
        .args(["-b", &broker.bootstrap(), "-C", "-t", "to", "-e", "-q", "-f", "%p %k %s\n"])
        .args(["-X", "isolation.level=read_committed"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let record = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap().to_owned();
        (word().parse().unwrap(), word(), word())
    };
    text.lines().map(record).collect()
}
