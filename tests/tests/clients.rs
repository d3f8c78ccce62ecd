//! The same story with every client: topics are created, records of all compressions written and read, a group of three
//! loses a member, offsets are committed, the broker is restarted and killed, and in the end nothing is lost, nothing is
//! out of order, and what an idempotent producer wrote is there once.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::client::{Abilities, Client, Member, ShownRecord};
use brooklet_tests::matrix::{self, Step, Steps};
use brooklet_tests::wait_until;

const TOPIC: &str = "story";
const GROUP: &str = "story-group";
const PARTITIONS: i32 = 3;
/// Records written at each step.
const STEP: usize = 300;
/// Records written while the broker goes down.
const LOAD: usize = 30_000;
/// How often to try to be quicker than the client.
const ATTEMPTS: usize = 5;
const SESSION_MS: u32 = 6_000;
/// The protocols that a group may speak (`group.protocol`).
const CLASSIC: &str = "classic";
const CONSUMER: &str = "consumer";
/// What members of a consumer group are told that those of a classic one say themselves.
const CONSUMER_GROUPS: [&str; 4] = [
    "group.consumer.min.session.timeout.ms=6000",
    "group.consumer.session.timeout.ms=6000",
    "group.consumer.min.heartbeat.interval.ms=500",
    "group.consumer.heartbeat.interval.ms=500",
];
/// Some clients take half a minute to come back after a broker was away.
const PATIENCE: Duration = Duration::from_secs(90);

macro_rules! stories {
    ($($test:ident: $name:literal by $protocol:expr,)*) => {
        $(#[test]
        fn $test() {
            Story::tell(Client($name), $protocol);
        })*
    };
}

stories! {
    kcat: "kcat" by CLASSIC,
    confluent_kafka: "confluent-kafka" by CLASSIC,
    kafka_python: "kafka-python" by CLASSIC,
    aiokafka: "aiokafka" by CLASSIC,
    kafkajs: "kafkajs" by CLASSIC,
    java: "java" by CLASSIC,
    franz_go: "franz-go" by CLASSIC,
    sarama: "sarama" by CLASSIC,
    rskafka: "rskafka" by CLASSIC,
    confluent_kafka_in_a_consumer_group: "confluent-kafka" by CONSUMER,
    java_in_a_consumer_group: "java" by CONSUMER,
    franz_go_in_a_consumer_group: "franz-go" by CONSUMER,
}

struct Story {
    client: Client,
    /// The protocol that its group speaks.
    protocol: &'static str,
    abilities: Abilities,
    broker: BrokerProcess,
    base_ms: i64,
    written: usize,
    steps: Steps,
}

impl Story {
    fn tell(client: Client, protocol: &'static str) {
        let abilities = client.abilities();
        let mut args = vec!["--set", "num.partitions=3"];
        args.extend(CONSUMER_GROUPS.iter().flat_map(|property| ["--set", property]));
        let broker = BrokerProcess::start(&args);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let base_ms = i64::try_from(now.as_millis()).unwrap();
        let mut story = Self { client, protocol, abilities, broker, base_ms, written: 0, steps: Steps::new() };
        story.create();
        story.write_all_compressions();
        story.read_all();
        story.did(Step::Read);
        if story.abilities.groups {
            story.live_in_a_group();
        } else {
            story.survive_stops();
        }
        story.read_all();
        let Abilities { version, .. } = &story.abilities;
        let name = if protocol == CLASSIC { client.0.to_owned() } else { format!("{}, KIP-848", client.0) };
        matrix::record(&name, version, &story.steps);
    }

    fn did(&mut self, step: Step) {
        self.steps.insert(step, "yes".to_owned());
    }

    fn create(&mut self) {
        let created = self.client.run(&["create", &self.broker.bootstrap(), TOPIC, &PARTITIONS.to_string()]);
        let how = if created.contains("\"auto\":true") { "on first use" } else { "yes" };
        self.steps.insert(Step::Create, how.to_owned());
    }

    fn write_all_compressions(&mut self) {
        let compressions = self.abilities.compressions.clone();
        for compression in &compressions {
            self.write(compression);
        }
        let how = if compressions.len() == 5 { "all five".to_owned() } else { compressions.join(", ") };
        self.steps.insert(Step::Compressions, how);
        if self.abilities.idempotent {
            self.did(Step::Idempotent);
        }
    }

    fn write(&mut self, compression: &str) {
        let (first, base_ms) = (self.written.to_string(), self.base_ms.to_string());
        let bootstrap = self.broker.bootstrap();
        let partitions = PARTITIONS.to_string();
        let count = STEP.to_string();
        self.client.run(&["produce", &bootstrap, TOPIC, &partitions, compression, &first, &count, &base_ms]);
        self.written += STEP;
    }

    /// Writes, and lets something happen to the broker in the middle of it.
    fn write_through(&mut self, mut happens: impl FnMut(&mut BrokerProcess)) {
        for _ in 0..ATTEMPTS {
            let (first, base_ms) = (self.written.to_string(), self.base_ms.to_string());
            let bootstrap = self.broker.bootstrap();
            let (partitions, count) = (PARTITIONS.to_string(), LOAD.to_string());
            let before = self.broker.log_bytes(TOPIC);
            let writing =
                self.client.begin(&["produce", &bootstrap, TOPIC, &partitions, "none", &first, &count, &base_ms]);
            wait_until("the first records of many", PATIENCE, || {
                writing.is_finished() || self.broker.log_bytes(TOPIC) > before
            });
            happens(&mut self.broker);
            let interrupted = !writing.is_finished();
            writing.finish();
            self.written += LOAD;
            if interrupted {
                return;
            }
        }
        panic!("{} writes {LOAD} records too quickly to be interrupted", self.client.0);
    }

    /// Reads everything and holds it against what was written.
    fn read_all(&self) {
        let count = if self.abilities.idempotent { self.written } else { self.stored() };
        let records = self.client.consume(&self.broker.bootstrap(), TOPIC, PARTITIONS, count);
        let mut next: BTreeMap<i32, (i64, usize)> = BTreeMap::new();
        for record in &records {
            let (next_offset, next_index) = next.entry(record.p).or_insert((0, usize::try_from(record.p).unwrap()));
            assert_eq!(record.o, *next_offset, "offsets are dense and in order");
            let index = index_of(record);
            self.check(record, index);
            if self.abilities.idempotent {
                assert_eq!(index, *next_index, "partition {}: nothing lost, doubled or out of order", record.p);
            } else {
                // A retry of a producer that is not idempotent may write records again, and no more than that.
                assert!(index <= *next_index, "partition {}: record {next_index} is lost", record.p);
            }
            *next_offset += 1;
            *next_index = (index + usize::try_from(PARTITIONS).unwrap()).max(*next_index);
        }
        assert_eq!(next.values().map(|(_, index)| *index).min(), Some(self.written), "all was read");
    }

    /// How many records the broker holds, by an independent reader.
    fn stored(&self) -> usize {
        let output = std::process::Command::new("kcat")
            .args(["-b", &self.broker.bootstrap(), "-C", "-t", TOPIC, "-e", "-q", "-f", "%o\n"])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().lines().count()
    }

    fn check(&self, record: &ShownRecord, index: usize) {
        assert_eq!(record.p, i32::try_from(index).unwrap() % PARTITIONS);
        assert_eq!(record.k, Some(format!("k-{index}")));
        assert_eq!(record.v, Some(format!("v-{index}-{}", "x".repeat(index % 200))));
        if self.abilities.headers {
            let text = index.to_string();
            let all = [("i", text.as_str()), ("dup", "a"), ("dup", "b"), ("empty", "")];
            let mut expected: Vec<_> = all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let mut headers = record.h.clone();
            if !self.abilities.duplicate_headers {
                expected.remove(1);
                expected.sort();
                headers.sort();
            }
            assert_eq!(headers, expected, "record {index}");
        }
        if self.abilities.timestamps {
            assert_eq!(record.t, self.base_ms + i64::try_from(index).unwrap());
        }
    }

    fn survive_stops(&mut self) {
        self.broker.stop();
        self.broker.start_again();
        self.write("none");
        self.did(Step::Restart);
        self.broker.kill();
        self.broker.start_again();
        self.write("none");
        self.did(Step::Kill);
    }

    fn live_in_a_group(&mut self) {
        let alive = (0..3).map(|_| self.join()).collect();
        let mut group = Group { alive, gone: Vec::new() };
        group.wait_until_shared("three members share three partitions");
        group.wait_for(self.written, "the group reads all");
        self.did(Step::Group);

        group.kill_one();
        group.wait_until_shared("two members take over from the third");
        self.write("none");
        group.wait_for(self.written, "records after the loss of a member");
        self.did(Step::MemberKilled);

        self.write_through(|broker| {
            let took = broker.stop();
            assert!(took < Duration::from_secs(1), "a clean stop took {took:?}");
            broker.start_again();
        });
        group.wait_for(self.written, "records after a restart");
        self.did(Step::Restart);

        self.write_through(|broker| {
            broker.kill();
            broker.start_again();
        });
        self.until_each_reads_again(&group.alive);
        group.wait_for(self.written, "records after kill -9");
        self.did(Step::Kill);

        group.leave();
        for member in &group.gone {
            self.check_order(member);
        }
        self.continue_from_the_commits();
    }

    fn join(&self) -> Member {
        let bootstrap = self.broker.bootstrap();
        if self.protocol == CLASSIC {
            self.client.join(&bootstrap, TOPIC, GROUP, Some(SESSION_MS))
        } else {
            self.client.join_by(&bootstrap, TOPIC, GROUP, SESSION_MS, self.protocol)
        }
    }

    /// Writes a little now and then until each member has read some of it: some clients take their time to come back.
    fn until_each_reads_again(&mut self, members: &[Member]) {
        let mark = self.written;
        let reads = |member: &Member| member.records().iter().any(|record| index_of(record) >= mark);
        let begun = Instant::now();
        while !members.iter().all(reads) {
            assert!(begun.elapsed() < PATIENCE, "a member does not read again");
            self.write("none");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// A member that comes when all is committed gets what is written from then on, and nothing before.
    fn continue_from_the_commits(&mut self) {
        let member = self.join();
        wait_until("the last member owns all", PATIENCE, || member.assigned().len() == 3);
        let before = self.written;
        self.write("none");
        let written = self.written;
        wait_until("records after the commits", PATIENCE, || {
            indexes(member.records().into_iter()).contains(&(written - 1))
        });
        let earlier: Vec<_> = member.records().iter().map(index_of).filter(|index| *index < before).collect();
        assert!(earlier.is_empty(), "committed records came again: {earlier:?}");
        self.did(Step::Commits);
    }

    /// Within a partition a member sees records in order; it goes back only where it takes up an earlier commit.
    fn check_order(&self, member: &Member) {
        let mut seen: BTreeMap<i32, i64> = BTreeMap::new();
        let mut went_back = 0;
        for record in member.records() {
            self.check(&record, index_of(&record));
            if let Some(last) = seen.insert(record.p, record.o)
                && record.o <= last
            {
                went_back += 1;
            }
        }
        assert!(went_back <= 12, "a member went back {went_back} times");
    }
}

/// The members of the story's group, and those that were.
struct Group {
    alive: Vec<Member>,
    gone: Vec<Member>,
}

impl Group {
    /// Waits until the members own all partitions between them, each at least one, and none twice.
    fn wait_until_shared(&self, what: &str) {
        wait_until(what, PATIENCE, || {
            let owned: Vec<Vec<i32>> = self.alive.iter().map(Member::assigned).collect();
            let all: Vec<i32> = owned.iter().flatten().copied().collect();
            let distinct: BTreeSet<i32> = all.iter().copied().collect();
            owned.iter().all(|owned| !owned.is_empty()) && all.len() == 3 && distinct.len() == 3
        });
    }

    /// Waits until the members, past ones included, have read so many records.
    fn wait_for(&self, written: usize, what: &str) {
        let all = || self.gone.iter().chain(&self.alive).flat_map(Member::records);
        wait_until(what, PATIENCE, || indexes(all()).len() == written);
    }

    fn kill_one(&mut self) {
        let mut member = self.alive.remove(0);
        member.kill();
        self.gone.push(member);
    }

    fn leave(&mut self) {
        self.alive.iter_mut().for_each(Member::leave);
        self.gone.append(&mut self.alive);
    }
}

fn index_of(record: &ShownRecord) -> usize {
    record.k.as_deref().and_then(|key| key.strip_prefix("k-")).unwrap().parse().unwrap()
}

fn indexes(records: impl Iterator<Item = ShownRecord>) -> BTreeSet<usize> {
    records.map(|record| index_of(&record)).collect()
}
