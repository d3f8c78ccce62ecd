//! MirrorMaker 2 between Apache Kafka and Brooklet, both ways: records with their headers and timestamps, and the offsets
//! of a consumer group, translated, so that it goes on in the other cluster where it stopped.
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::time::Duration;

use brooklet_tests::admin_tools::AdminTools;
use brooklet_tests::apache_kafka::ApacheKafka;
use brooklet_tests::java::{self, JavaProcess};
use brooklet_tests::subject::Subject;
use brooklet_tests::wait_until;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(180);
const COUNT: usize = 600;

#[test]
#[ignore = "an application: scripts/test apps"]
fn records_and_a_groups_offsets_are_mirrored_both_ways() {
    let kafka = ApacheKafka::start(&[]);
    let broker = Subject::start(&[]);
    let dir = TempDir::with_prefix("mirror-").unwrap();
    let mut tools = AdminTools::start();
    let clusters = [("stock", kafka.bootstrap()), ("brook", broker.bootstrap())];
    for (name, bootstrap) in &clusters {
        let topic = format!("of-{name}");
        for command in [
            format!(
                "kafka-topics --bootstrap-server {bootstrap} --create --topic {topic} --partitions 3 --config retention.ms=-1"
            ),
            format!("produce {bootstrap} {topic} 3 {COUNT}"),
            // A group that has read all there is.
            format!("join {bootstrap} readers-{name} {topic} classic {COUNT}"),
            format!("leave {bootstrap} readers-{name}"),
        ] {
            let words: Vec<&str> = command.split(' ').collect();
            let printed = tools.run(&words);
            assert_eq!(printed.last().unwrap(), "exit code 0", "{command}: {printed:?}");
        }
    }
    let _mirror = start_mirror_maker(&dir, &clusters);

    for (source, target, bootstrap) in [("stock", "brook", &clusters[1].1), ("brook", "stock", &clusters[0].1)] {
        let original = read(if source == "stock" { &clusters[0].1 } else { &clusters[1].1 }, &format!("of-{source}"));
        let topic = format!("{source}.of-{source}");
        wait_until(&format!("{topic} is mirrored to {target}"), PATIENCE, || read(bootstrap, &topic).len() == COUNT);
        assert_eq!(read(bootstrap, &topic), original, "keys, values, timestamps, partitions and order are kept");

        let group = format!("readers-{source}");
        let describe = ["kafka-consumer-groups", "--bootstrap-server", bootstrap, "--describe", "--group", &group];
        // What it had read ends with each partition, and so does what it is to go on from once all syncs are through.
        wait_until(&format!("{group}'s offsets are translated"), PATIENCE, || {
            let offsets = offsets(&tools.run(&describe), &topic);
            offsets.len() == 3 && offsets.iter().all(|(offset, end)| offset == end && *end == COUNT / 3)
        });
    }
}

fn start_mirror_maker(dir: &TempDir, clusters: &[(&str, String); 2]) -> JavaProcess {
    let mut lines = vec!["clusters = stock, brook".to_owned()];
    lines.extend(clusters.iter().map(|(name, bootstrap)| format!("{name}.bootstrap.servers = {bootstrap}")));
    lines.extend(clusters.iter().map(|(name, _)| format!("{name}.producer.linger.ms = 5")));
    for way in ["stock->brook", "brook->stock"] {
        lines.push(format!("{way}.enabled = true"));
        lines.push(format!("{way}.topics = of-.*"));
        lines.push(format!("{way}.groups = readers-.*"));
        lines.push(format!("{way}.sync.group.offsets.enabled = true"));
        lines.push(format!("{way}.offset.lag.max = 0"));
    }
    for line in [
        "replication.factor = 1",
        "checkpoints.topic.replication.factor = 1",
        "heartbeats.topic.replication.factor = 1",
        "offset-syncs.topic.replication.factor = 1",
        "offset.storage.replication.factor = 1",
        "status.storage.replication.factor = 1",
        "config.storage.replication.factor = 1",
        "emit.checkpoints.interval.seconds = 1",
        "sync.group.offsets.interval.seconds = 1",
        "refresh.topics.interval.seconds = 2",
        "refresh.groups.interval.seconds = 2",
        "sync.topic.acls.enabled = false",
        "dedicated.mode.enable.internal.rest = false",
        "scheduled.rebalance.max.delay.ms = 0",
    ] {
        lines.push(line.to_owned());
    }
    let path = dir.path().join("mirror.properties");
    std::fs::write(&path, lines.join("\n")).unwrap();
    let mut command =
        java::command(&java::class_path(&["connect"]), "512m", "org.apache.kafka.connect.mirror.MirrorMaker");
    command.arg(path);
    JavaProcess::start(command, &dir.path().join("mirror.log"))
}

/// Committed and end offset of each of a topic's partitions, from what kafka-consumer-groups says.
fn offsets(told: &[String], topic: &str) -> Vec<(usize, usize)> {
    let of_topic = told.iter().map(|line| line.split_whitespace().collect::<Vec<_>>());
    of_topic
        .filter(|words| words.len() > 4 && words[1] == topic)
        .filter_map(|words| Some((words[3].parse().ok()?, words[4].parse().ok()?)))
        .collect()
}

/// The records of a topic, each in a line, by partition and in order.
fn read(bootstrap: &str, topic: &str) -> Vec<String> {
    let output =
        Command::new("kcat").args(["-b", bootstrap, "-C", "-t", topic, "-e", "-q", "-f", "%p %o %T %k %s\n"]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    lines.sort_by_key(|line| {
        let mut numbers = line.split(' ').map(|word| word.parse::<u64>().unwrap_or(0));
        (numbers.next(), numbers.next())
    });
    lines
}
