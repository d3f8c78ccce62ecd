//! Share groups (KIP-932) as Apache Kafka's own client and tool use them, with the broker killed in between.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::client::Client;
use brooklet_tests::root;

/// `KafkaShareConsumer`, a process of its own (`tests/clients/java-share`).
struct Member {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Member {
    fn join(broker: &BrokerProcess, group: &str, configs: &[&str]) -> Self {
        let java = root().join(".tools/java");
        let classes = java.join("share-classes");
        assert!(classes.exists(), "the share consumer is not installed: run scripts/setup java-share");
        let classpath = format!("{}:{}/*", classes.display(), java.join("clients").display());
        let mut child = Command::new("java")
            .args(["-Xmx256m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", &classpath])
            .args(["ShareDriver", &broker.bootstrap(), "t", group])
            .args(configs)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.stdin, "{command}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Offsets with their delivery counts.
    fn poll(&mut self, time: Duration) -> BTreeMap<i64, i16> {
        let answer = self.ask(&format!("poll {}", time.as_millis()));
        let mut words = answer.split(' ');
        assert_eq!(words.next(), Some("records"), "{answer}");
        words
            .map(|word| {
                let mut parts = word.split(':');
                let offset = parts.next().unwrap().parse().unwrap();
                (offset, parts.next().unwrap().parse().unwrap())
            })
            .collect()
    }

    /// Polls until something comes.
    fn poll_some(&mut self) -> BTreeMap<i64, i16> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let polled = self.poll(Duration::from_millis(500));
            if !polled.is_empty() {
                return polled;
            }
            assert!(Instant::now() < deadline, "nothing is delivered");
        }
    }

    fn acknowledge(&mut self, offset: i64, how: &str) {
        assert_eq!(self.ask(&format!("ack {offset} {how}")), "ok");
    }

    fn commit(&mut self) {
        assert_eq!(self.ask("commit"), "committed 0:ok");
    }

    fn leave(mut self) {
        assert_eq!(self.ask("close"), "closed");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `kafka-share-groups`.
fn tool(broker: &BrokerProcess, args: &[&str]) -> String {
    let jars = root().join(".tools/java/kafka");
    assert!(jars.exists(), "Kafka's tools are not installed: run scripts/setup kafka");
    let output = Command::new("java")
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-cp", &format!("{}/*", jars.display())])
        .arg("org.apache.kafka.tools.consumer.group.ShareGroupCommand")
        .args(["--bootstrap-server", &broker.bootstrap()])
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kafka-share-groups {args:?}: {text}");
    text
}

/// The columns of the line that begins with these.
fn line(text: &str, begins: &[&str]) -> Vec<String> {
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let found = text
        .lines()
        .map(columns)
        .find(|columns| columns.starts_with(&begins.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()));
    found.unwrap_or_else(|| panic!("no line {begins:?} in {text}"))
}

/// A broker with records 0 to `count` in one partition, and a group that reads from the beginning.
fn broker(count: usize, args: &[&str]) -> BrokerProcess {
    let broker = BrokerProcess::start(args);
    Client("franz-go").run(&["create", &broker.bootstrap(), "t", "1"]);
    produce(&broker, 0, count);
    tool(&broker, &["--reset-offsets", "--to-earliest", "--group", "g", "--topic", "t", "--execute"]);
    broker
}

fn produce(broker: &BrokerProcess, first: usize, count: usize) {
    let (first, count) = (first.to_string(), count.to_string());
    Client("franz-go").run(&["produce", &broker.bootstrap(), "t", "1", "none", &first, &count]);
}

#[test]
fn what_is_polled_again_is_accepted() {
    let broker = broker(100, &[]);
    let mut member = Member::join(&broker, "g", &[]);
    let mut seen = BTreeSet::new();
    while seen.len() < 100 {
        let polled = member.poll_some();
        assert!(polled.values().all(|count| *count == 1), "{polled:?}");
        for offset in polled.keys() {
            assert!(seen.insert(*offset), "{offset} was delivered twice");
        }
    }
    member.poll(Duration::from_millis(500));
    member.commit_nothing();
    member.leave();
    let mut other = Member::join(&broker, "g", &[]);
    assert!(other.poll(Duration::from_secs(3)).is_empty());
    other.leave();
}

impl Member {
    fn commit_nothing(&mut self) {
        let answer = self.ask("commit");
        assert!(answer == "committed" || answer == "committed 0:ok", "{answer}");
    }
}

#[test]
fn each_record_is_answered_for_and_a_kill_forgets_nothing() {
    let mut broker = broker(6, &[]);
    let explicit = ["share.acknowledgement.mode=explicit"];
    let mut member = Member::join(&broker, "g", &explicit);
    let polled = member.poll_some();
    assert_eq!(polled.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    for (offset, how) in [(0, "accept"), (1, "release"), (2, "reject"), (3, "accept"), (4, "release"), (5, "accept")] {
        member.acknowledge(offset, how);
    }
    member.commit();
    assert_eq!(member.poll_some(), BTreeMap::from([(1, 2), (4, 2)]), "what was released");
    member.acknowledge(1, "accept");
    member.acknowledge(4, "release");
    member.commit();

    broker.kill();
    broker.start_again();
    assert_eq!(member.poll_some(), BTreeMap::from([(4, 3)]), "the same member goes on");
    member.acknowledge(4, "accept");
    member.commit();
    member.leave();
    let described = tool(&broker, &["--describe", "--group", "g"]);
    assert_eq!(line(&described, &["g", "t", "0"]).last().unwrap(), "0", "no lag: {described}");

    // What a dead broker's member had is delivered again, what it had accepted is not.
    produce(&broker, 6, 4);
    let mut member = Member::join(&broker, "g", &explicit);
    assert_eq!(member.poll_some().keys().copied().collect::<Vec<_>>(), [6, 7, 8, 9]);
    member.acknowledge(7, "accept");
    for offset in [6, 8, 9] {
        member.acknowledge(offset, "renew");
    }
    member.commit();
    broker.kill();
    drop(member);
    broker.start_again();
    let mut other = Member::join(&broker, "g", &explicit);
    let mut seen = BTreeSet::new();
    while seen.len() < 3 {
        for offset in other.poll_some().keys() {
            seen.insert(*offset);
            other.acknowledge(*offset, "accept");
        }
        other.commit();
    }
    assert_eq!(seen, BTreeSet::from([6, 8, 9]));
    other.leave();
}

#[test]
fn two_members_share_a_partition_and_a_lock_that_ends_gives_records_to_the_other() {
    let broker = broker(
        0,
        &["--set", "group.share.min.record.lock.duration.ms=2000", "--set", "group.share.record.lock.duration.ms=2000"],
    );
    let explicit = ["share.acknowledgement.mode=explicit", "max.poll.records=10"];
    let mut members = [Member::join(&broker, "g", &explicit), Member::join(&broker, "g", &explicit)];
    members.iter_mut().for_each(|member| assert!(member.poll(Duration::from_secs(2)).is_empty()));
    for batch in 0..20 {
        produce(&broker, batch * 10, 10);
    }
    let mut seen: BTreeMap<i64, i16> = BTreeMap::new();
    let mut by_member = [0, 0];
    let deadline = Instant::now() + Duration::from_secs(120);
    while seen.len() < 200 {
        assert!(Instant::now() < deadline, "{} of 200", seen.len());
        for (index, member) in members.iter_mut().enumerate() {
            let polled = member.poll(Duration::from_millis(300));
            by_member[index] += polled.len();
            for (offset, count) in &polled {
                assert!(seen.insert(*offset, *count).is_none(), "{offset} was delivered twice");
                member.acknowledge(*offset, "accept");
            }
            if !polled.is_empty() {
                member.commit();
            }
        }
    }
    assert!(by_member.iter().all(|count| *count > 0), "both got some: {by_member:?}");

    produce(&broker, 200, 1);
    let [mut first, mut second] = members;
    // Whichever gets it keeps it for longer than its lock lasts.
    let got = first.poll(Duration::from_secs(1));
    let (mut slow, mut other) = if got.is_empty() {
        assert_eq!(second.poll_some(), BTreeMap::from([(200, 1)]));
        (second, first)
    } else {
        (first, second)
    };
    assert_eq!(other.poll_some(), BTreeMap::from([(200, 2)]));
    slow.acknowledge(200, "accept");
    assert_eq!(slow.ask("commit"), "committed 0:InvalidRecordStateException", "its lock has ended");
    other.acknowledge(200, "accept");
    other.commit();
    slow.leave();
    other.leave();
}

#[test]
fn kafkas_tool_lists_describes_resets_and_deletes_groups() {
    let broker = broker(10, &[]);
    let described = tool(&broker, &["--describe", "--group", "g"]);
    let columns = line(&described, &["g", "t", "0"]);
    assert_eq!(&columns[3..], ["0", "10"], "start offset and lag: {described}");
    let member = {
        let mut member = Member::join(&broker, "g", &["share.acknowledgement.mode=explicit"]);
        for offset in member.poll_some().keys().filter(|offset| **offset < 5) {
            member.acknowledge(*offset, "accept");
        }
        for offset in 5..10 {
            member.acknowledge(offset, "release");
        }
        member.commit();
        member
    };
    assert_eq!(line(&tool(&broker, &["--list", "--state"]), &["g"])[1], "Stable");
    let described = tool(&broker, &["--describe", "--group", "g", "--members", "--verbose"]);
    assert!(line(&described, &["g"]).join(" ").contains("t:0"), "{described}");
    assert_eq!(line(&tool(&broker, &["--describe", "--group", "g", "--state"]), &["g"]).last().unwrap(), "1");
    member.leave();
    let columns = line(&tool(&broker, &["--describe", "--group", "g"]), &["g", "t", "0"]);
    assert_eq!(columns[4], "5", "{columns:?}");

    tool(&broker, &["--reset-offsets", "--to-latest", "--group", "g", "--topic", "t", "--execute"]);
    assert_eq!(line(&tool(&broker, &["--describe", "--group", "g"]), &["g", "t", "0"])[3..], ["10", "0"]);
    let deleted = tool(&broker, &["--delete-offsets", "--group", "g", "--topic", "t"]);
    assert_eq!(line(&deleted, &["t"])[1], "Successful", "{deleted}");
    let deleted = tool(&broker, &["--delete", "--group", "g"]);
    assert!(deleted.contains("successful"), "{deleted}");
    assert!(!tool(&broker, &["--list"]).lines().any(|line| line.trim() == "g"));
}
