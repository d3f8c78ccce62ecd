//! `kill -9` again and again, at moments drawn from a seed, under producers, transactions and groups of real clients. After
//! each start and at the end it is checked that
//!
//! - what any reader has seen is still there, and the offsets of every log are dense and ascend;
//! - what was acknowledged is there, and what idempotent producers sent is there once and in order;
//! - who reads committed records sees whole transactions only, all that were said to be committed, none that was aborted;
//! - what was copied by consuming transactions is there once and in order;
//! - groups go on from the offsets that they were told are committed.
//!
//! `CRASH_ROUNDS` and `CRASH_SEED` set how often and when (`just crash rounds="200"`).
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::client::{Client, Copier, Member, MemberEvent, Running};
use brooklet_tests::differential::Random;
use brooklet_tests::log_client::LogClient;
use brooklet_tests::wait_until;
use bytes::Bytes;

const PARTITIONS: i32 = 3;
/// Rounds in the gate.
const ROUNDS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(120);
/// A broker is killed at most so much later than the first record that is written to it.
const LONGEST_MS: usize = 500;
const GROUP: &str = "members";
const ATOMIC: &str = "atomic";
const COPIED: &str = "copied";
/// How far apart the numbers of a transactional producer's lives are.
const LIFE: i64 = 1_000_000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// A client that writes numbered records to a topic of its own, run after run, each of which ends when all of it was
/// acknowledged.
struct Writer {
    client: Client,
    topic: &'static str,
    /// Records of a run.
    run: usize,
    written: usize,
    running: Option<Running>,
}

impl Writer {
    fn new(client: &'static str, topic: &'static str, run: usize) -> Self {
        Self { client: Client(client), topic, run, written: 0, running: None }
    }

    /// Begins the next run if the one before has ended.
    fn keep_on(&mut self, bootstrap: &str) {
        if self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        self.finish(bootstrap);
        let (partitions, first, count) = (PARTITIONS.to_string(), self.written.to_string(), self.run.to_string());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
        let args = ["produce", bootstrap, self.topic, &partitions, "none", &first, &count, &now];
        self.running = Some(self.client.begin(&args));
    }

    /// Waits for the end of a run. It may have failed if nothing of it was written: some clients give up when the first
    /// connection of their lives breaks.
    fn finish(&mut self, bootstrap: &str) {
        match self.running.take().map(Running::outcome) {
            None => {}
            Some(Ok(_)) => self.written += self.run,
            Some(Err(said)) => {
                let mut client = LogClient::connect(bootstrap);
                let mut end = |partition| client.fetch(self.topic, partition, 0, 1, false).high_watermark;
                let there: i64 = (0..PARTITIONS).map(&mut end).sum();
                assert_eq!(there, i64::try_from(self.written).unwrap(), "{}: a run ended with {said}", self.topic);
            }
        }
    }
}

/// A producer of transactions in its lives, and what it was told of them.
struct Transactions {
    member: Member,
    lives: i64,
    committed: BTreeSet<i64>,
    aborted: BTreeSet<i64>,
}

impl Transactions {
    fn begin(bootstrap: &str, lives: i64) -> Member {
        Client("confluent-kafka").transact(bootstrap, ATOMIC, PARTITIONS, "atomic", lives * LIFE)
    }

    fn start(bootstrap: &str) -> Self {
        Self { member: Self::begin(bootstrap, 0), lives: 0, committed: BTreeSet::new(), aborted: BTreeSet::new() }
    }

    fn watch(&mut self, bootstrap: &str) {
        let ended = self.member.ended();
        self.listen();
        if let Some(said) = ended {
            eprintln!("the transactional producer is started again, which ended with: {said}");
            self.lives += 1;
            self.member = Self::begin(bootstrap, self.lives);
        }
    }

    fn listen(&mut self) {
        for event in self.member.take_events() {
            if let MemberEvent::Ended { transaction, committed } = event {
                if committed {
                    self.committed.insert(transaction)
                } else {
                    self.aborted.insert(transaction)
                };
            }
        }
    }

    /// Whole transactions only, all that are known to be committed, none that was aborted; while it goes on, up to where
    /// each partition was read.
    fn check(&self, visible: &BTreeMap<i32, Vec<i64>>, told: &BTreeSet<i64>) {
        let last = |partition| visible.get(&partition).and_then(|seen| seen.last()).copied().unwrap_or(-1);
        let upto = (0..PARTITIONS).map(last).min().unwrap();
        let sets: Vec<BTreeSet<i64>> = (0..PARTITIONS)
            .map(|partition| {
                let seen = visible.get(&partition).map_or(&[][..], Vec::as_slice);
                assert!(seen.is_sorted_by(|a, b| a < b), "partition {partition}: no transaction twice, all in order");
                seen.iter().copied().filter(|number| *number <= upto).collect()
            })
            .collect();
        for (partition, set) in sets.iter().enumerate() {
            let torn: Vec<_> = set.symmetric_difference(&sets[0]).collect();
            assert!(torn.is_empty(), "partitions 0 and {partition} differ in transactions {torn:?}");
        }
        let lost: Vec<_> = told.iter().filter(|number| !sets[0].contains(number) && **number <= upto).collect();
        assert!(lost.is_empty(), "committed transactions {lost:?} are lost");
        // None that was told of lies beyond what every partition shows.
        assert!(told.last().is_none_or(|last| *last <= upto), "transaction {:?} is not seen", told.last());
        let undead: Vec<_> = self.aborted.iter().filter(|number| sets[0].contains(number)).collect();
        assert!(undead.is_empty(), "aborted transactions {undead:?} are seen");
        assert!(sets[0].iter().all(|number| number % 3 != 0));
    }
}

/// What readers have seen of a log.
#[derive(Default)]
struct Watched {
    /// Up to where its batches were looked at.
    checked: i64,
    /// The greatest end that it was seen to have.
    end: i64,
}

struct Crash {
    broker: BrokerProcess,
    random: Random,
    writers: Vec<Writer>,
    transactions: Transactions,
    copiers: Vec<Copier>,
    members: Vec<Member>,
    /// The greatest offset that a member was told is committed, by partition.
    committed: BTreeMap<i32, i64>,
    read_by_members: BTreeSet<(i32, i64)>,
    watched: BTreeMap<(&'static str, i32), Watched>,
}

impl Crash {
    fn start(random: Random, rounds: usize) -> Self {
        let broker = BrokerProcess::start(&[
            // Segments end often, so that a kill falls into that too.
            "--set",
            "log.segment.bytes=1048576",
            "--set",
            "log.index.interval.bytes=1024",
        ]);
        let bootstrap = broker.bootstrap();
        let mut writers =
            vec![Writer::new("franz-go", "by-go", 1_000), Writer::new("confluent-kafka", "by-librdkafka", 1_000)];
        // Read by the group, and copied in transactions.
        writers.push(Writer::new("franz-go", "source", 150));
        if rounds > ROUNDS {
            writers.push(Writer::new("java", "by-java", 5_000));
        }
        let mut client = LogClient::connect(&bootstrap);
        for topic in writers.iter().map(|writer| writer.topic).chain([ATOMIC, COPIED]) {
            client.create(topic, PARTITIONS, &[]);
        }
        let copier = |client, id| {
            let mut copier = Copier::start(Client(client), &[&bootstrap, "source", COPIED, "copiers", id]);
            copier.patience = 20 + 4 * rounds;
            copier
        };
        let copiers = vec![copier("franz-go", "copier-0"), copier("confluent-kafka", "copier-1")];
        let join = |client| Client(client).join(&bootstrap, "source", GROUP, Some(6_000));
        let members = vec![join("franz-go"), join("confluent-kafka")];
        let transactions = Transactions::start(&bootstrap);
        Self {
            broker,
            random,
            writers,
            transactions,
            copiers,
            members,
            committed: BTreeMap::new(),
            read_by_members: BTreeSet::new(),
            watched: BTreeMap::new(),
        }
    }

    fn topics(&self) -> Vec<&'static str> {
        self.writers.iter().map(|writer| writer.topic).chain([ATOMIC, COPIED]).collect()
    }

    fn keep_on(&mut self) {
        let bootstrap = self.broker.bootstrap();
        self.writers.iter_mut().for_each(|writer| writer.keep_on(&bootstrap));
        self.copiers.iter_mut().for_each(Copier::watch);
        self.transactions.watch(&bootstrap);
        self.listen();
    }

    fn listen(&mut self) {
        for member in &mut self.members {
            for event in member.take_events() {
                match event {
                    MemberEvent::Committed { committed } => {
                        for (partition, offset) in committed {
                            let known = self.committed.entry(partition.parse().unwrap()).or_default();
                            *known = (*known).max(offset);
                        }
                    }
                    MemberEvent::Record(record) => {
                        self.read_by_members.insert((record.p, record.o));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Lets all work for a while from the first record on that is written, looks at the ends of all logs, and kills.
    fn round(&mut self) {
        let mut client = LogClient::connect(&self.broker.bootstrap());
        let ends = |client: &mut LogClient| -> i64 {
            (0..PARTITIONS).map(|partition| client.fetch("by-go", partition, 0, 1, false).high_watermark).sum()
        };
        let before = ends(&mut client);
        let begun = Instant::now();
        while ends(&mut client) == before {
            assert!(begun.elapsed() < PATIENCE, "nothing is written after a start");
            self.keep_on();
            std::thread::sleep(Duration::from_millis(5));
        }
        let last = Instant::now() + Duration::from_millis(self.random.below(LONGEST_MS) as u64);
        while Instant::now() < last {
            self.keep_on();
            std::thread::sleep(Duration::from_millis(5));
        }
        for topic in self.topics() {
            for partition in 0..PARTITIONS {
                let end = client.fetch(topic, partition, 0, 1, false).high_watermark;
                let watched = self.watched.entry((topic, partition)).or_default();
                watched.end = watched.end.max(end);
            }
        }
        self.listen();
        self.broker.kill();
        self.broker.start_again();
        self.check();
    }

    fn check(&mut self) {
        let mut client = LogClient::connect(&self.broker.bootstrap());
        self.check_offsets(&mut client);
        for (partition, offset) in &self.committed {
            let kept = client.committed_offset(GROUP, "source", *partition);
            assert!(kept >= Some(*offset), "partition {partition}: {kept:?} is committed, a member was told {offset}");
        }
        self.transactions.listen();
        let told = self.transactions.committed.clone();
        let visible = (0..PARTITIONS).map(|partition| (partition, committed_numbers(&mut client, partition))).collect();
        // What came since may have been aborted: that is heard of first.
        self.transactions.listen();
        self.transactions.check(&visible, &told);
    }

    fn check_offsets(&mut self, client: &mut LogClient) {
        for topic in self.topics() {
            for partition in 0..PARTITIONS {
                let watched = self.watched.entry((topic, partition)).or_default();
                for batch in client.read_from(topic, partition, watched.checked) {
                    let header = batch.header();
                    assert_eq!(header.base_offset, watched.checked, "{topic}-{partition}: offsets are dense");
                    batch.verify_crc().unwrap();
                    watched.checked = header.next_offset();
                }
                assert!(watched.checked >= watched.end, "{topic}-{partition}: records that were seen are lost");
            }
        }
    }

    /// Lets all come to their end, and looks at everything.
    fn finish(mut self) {
        let bootstrap = self.broker.bootstrap();
        self.writers.iter_mut().for_each(|writer| writer.finish(&bootstrap));
        self.transactions.member.leave();
        let source = self.writers.iter().find(|writer| writer.topic == "source").unwrap().written;
        wait_until("the group has read all", PATIENCE, || {
            self.listen();
            self.read_by_members.len() == source
        });
        wait_until("all is copied", PATIENCE, || {
            self.copiers.iter_mut().for_each(Copier::watch);
            committed_count(&bootstrap, COPIED) >= source
        });
        self.check();
        // To another client the transactions look the same.
        let mut client = LogClient::connect(&bootstrap);
        for (partition, records) in consume(&bootstrap, ATOMIC, true) {
            let numbers: Vec<i64> = records.iter().map(|(_, number)| number.parse().unwrap()).collect();
            assert_eq!(numbers, committed_numbers(&mut client, partition));
        }
        for writer in &self.writers {
            let records = consume(&bootstrap, writer.topic, false);
            once_and_in_order(writer.topic, &records, writer.written);
            eprintln!("{}: {} records acknowledged, each there once", writer.topic, writer.written);
        }
        once_and_in_order(COPIED, &consume(&bootstrap, COPIED, true), source);
        let Transactions { lives, committed, aborted, .. } = &self.transactions;
        eprintln!(
            "{source} records copied, each once; {} transactions committed, {} aborted, in {} lives",
            committed.len(),
            aborted.len(),
            lives + 1
        );
        self.members.iter_mut().for_each(Member::leave);
        for (partition, offset) in &self.committed {
            let kept = LogClient::connect(&bootstrap).committed_offset(GROUP, "source", *partition);
            assert_eq!(kept, Some(*offset));
        }
    }
}

/// Records by partition in their order, as an independent client reads them: key and value.
fn consume(bootstrap: &str, topic: &str, committed: bool) -> BTreeMap<i32, Vec<(String, String)>> {
    let isolation = if committed { "read_committed" } else { "read_uncommitted" };
    let output = Command::new("kcat")
        .args(["-b", bootstrap, "-C", "-t", topic, "-e", "-q", "-f", "%p %k %s\n"])
        .args(["-X", &format!("isolation.level={isolation}")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut records: BTreeMap<i32, Vec<(String, String)>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap().to_owned();
        records.entry(word().parse().unwrap()).or_default().push((word(), word()));
    }
    records
}

/// The numbers of the transactions that who reads committed records sees in a partition.
fn committed_numbers(client: &mut LogClient, partition: i32) -> Vec<i64> {
    let numbers = client.read_committed(ATOMIC, partition).into_iter().map(|record| {
        let text = |part: Option<Bytes>| String::from_utf8(part.unwrap().to_vec()).unwrap();
        let number = text(record.value);
        assert_eq!(text(record.key), "committed", "transaction {number}");
        number.parse().unwrap()
    });
    numbers.collect()
}

fn committed_count(bootstrap: &str, topic: &str) -> usize {
    consume(bootstrap, topic, true).values().map(Vec::len).sum()
}

/// That the records are those numbered below `count`, each once and in the order of its partition.
fn once_and_in_order(topic: &str, records: &BTreeMap<i32, Vec<(String, String)>>, count: usize) {
    for partition in 0..PARTITIONS {
        let partitions = usize::try_from(PARTITIONS).unwrap();
        let expected = (usize::try_from(partition).unwrap()..count).step_by(partitions);
        let found = records.get(&partition).map_or(&[][..], Vec::as_slice);
        for (index, (key, value)) in expected.clone().zip(found) {
            assert_eq!(key, &format!("k-{index}"), "{topic}-{partition}: nothing lost, doubled or out of order");
            assert_eq!(value, &format!("v-{index}-{}", "x".repeat(index % 200)), "{topic}-{partition}");
        }
        assert_eq!(found.len(), expected.count(), "{topic}-{partition}: records");
    }
}

#[test]
fn nothing_that_anybody_was_told_is_lost_by_kill_9() {
    let rounds = usize::try_from(number("CRASH_ROUNDS", ROUNDS as u64)).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = number("CRASH_SEED", now);
    eprintln!("CRASH_SEED={seed}");
    let mut crash = Crash::start(Random::new(seed), rounds);
    let begun = Instant::now();
    for round in 1..=rounds {
        crash.round();
        if round % 20 == 0 {
            eprintln!("{round} rounds in {:.0} s", begun.elapsed().as_secs_f64());
        }
    }
    crash.finish();
    eprintln!("{rounds} rounds in {:.0} s", begun.elapsed().as_secs_f64());
}
