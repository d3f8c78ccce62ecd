//! Kafka's own command-line tools tell the same of Apache Kafka and of Brooklet: each is run against both, and what they
//! print is compared line by line, but for ids, times, sizes and addresses, and for what differs on purpose.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Instant;

use brooklet_tests::admin_tools::AdminTools;
use brooklet_tests::apache_kafka::ApacheKafka;
use brooklet_tests::subject::Subject;
use serde_json::Value;

/// Lines that are left out on either side, by their words: they differ on purpose, or from run to run.
struct OnPurpose {
    /// Words of the command.
    command: &'static str,
    /// Words of the line.
    line: &'static str,
    /// Why they differ.
    #[expect(dead_code, reason = "for the reader")]
    because: &'static str,
}

const ON_PURPOSE: [OnPurpose; 4] = [
    OnPurpose { command: "describe --replication", line: " Leader", because: "the metadata's log ends where it ends" },
    OnPurpose {
        command: "OffsetsMessageFormatter",
        line: "\"leaderEpoch\":-1,\"metadata\":\"\",\"offset\":0,",
        because: "a member that has not read of a partition yet may or may not commit that",
    },
    OnPurpose {
        command: "OffsetsMessageFormatter",
        line: "\"group\":\"console\"",
        because: "the reader itself commits how far it was when it ended",
    },
    OnPurpose {
        command: "kafka-console-consumer",
        line: "Processed a total of",
        because: "it counts such commits too",
    },
];

/// The same commands to both brokers.
struct Comparison {
    tools: AdminTools,
    kafka: ApacheKafka,
    subject: Subject,
    differences: String,
}

impl Comparison {
    fn start() -> Self {
        let kafka = ApacheKafka::start(&["log.retention.check.interval.ms=300000"]);
        let subject = Subject::start(&[]);
        Self { tools: AdminTools::start(), kafka, subject, differences: String::new() }
    }

    /// Runs a tool against both.
    fn same(&mut self, command: &str) {
        self.compare(command, false);
    }

    /// Runs a tool, of which the order of lines is that of a hash table, against both.
    fn same_in_any_order(&mut self, command: &str) {
        self.compare(command, true);
    }

    /// Prepares something in both, which says nothing and succeeds.
    fn both(&mut self, command: &str) {
        self.compare(command, false);
    }

    fn compare(&mut self, command: &str, any_order: bool) {
        let [of_kafka, of_brooklet] = [self.kafka.bootstrap(), self.subject.bootstrap()].map(|bootstrap| {
            let words: Vec<&str> = command.split(' ').collect();
            let mut line = vec![words[0]];
            if words[0] == "kafka-cluster" {
                line.extend([words[1], "--bootstrap-server", &bootstrap]);
            } else if words[0].starts_with("kafka-") {
                line.extend(["--bootstrap-server", &bootstrap]);
                line.extend(&words[1..]);
            } else {
                line.push(&bootstrap);
                line.extend(&words[1..]);
            }
            let begun = Instant::now();
            let printed = self.tools.run(&line);
            eprintln!("{:>6} ms {}", begun.elapsed().as_millis(), line.join(" "));
            let port = bootstrap.rsplit(':').next().unwrap();
            let mut lines: Vec<String> = printed.iter().flat_map(|line| normalised(line, port)).collect();
            lines.retain(|line| !ON_PURPOSE.iter().any(|it| command.contains(it.command) && line.contains(it.line)));
            if command.starts_with("kafka-share-groups") {
                without_epochs(&mut lines);
            }
            if command.contains("OffsetsMessageFormatter") {
                // A member commits the same again at its interval and when it leaves: how often is a matter of time.
                let mut seen = BTreeSet::new();
                lines.retain(|line| seen.insert(line.clone()));
            }
            if any_order {
                lines.sort_unstable();
            }
            lines
        });
        if of_kafka != of_brooklet {
            writeln!(self.differences, "\n$ {command}").unwrap();
            let only = |these: &[String], those: &[String], sign: char, out: &mut String| {
                for line in these.iter().filter(|line| !those.contains(line)) {
                    writeln!(out, "{sign} {line}").unwrap();
                }
            };
            only(&of_kafka, &of_brooklet, '-', &mut self.differences);
            only(&of_brooklet, &of_kafka, '+', &mut self.differences);
            let mut sorted = [of_kafka.clone(), of_brooklet.clone()];
            sorted.iter_mut().for_each(|lines| lines.sort_unstable());
            if sorted[0] == sorted[1] || of_kafka.len() != of_brooklet.len() {
                writeln!(self.differences, "in another order, or number: {of_kafka:#?} {of_brooklet:#?}").unwrap();
            }
        }
    }

    /// Holds the two against each other: lines of Apache Kafka's only begin with `-`, of Brooklet's with `+`.
    fn end(self) {
        assert!(self.differences.is_empty(), "the tools tell differently:\n{}", self.differences);
    }
}

/// A line, or the several that it is, without what differs between any two brokers.
fn normalised(line: &str, port: &str) -> Vec<String> {
    let line = line.replace(&format!("127.0.0.1:{port}"), "HOST:PORT").replace("}{\"key\"", "}\n{\"key\"");
    let line = line.replace("}Processed", "}\nProcessed");
    let one = |line: &str| {
        let sorted = with_sorted_arrays(line);
        let line = sorted.as_deref().unwrap_or(line);
        let mut masked: Vec<String> = line.split_whitespace().map(|word| parts(word, port)).collect();
        // What follows the time when a transaction began is how long ago that was.
        if let Some(time) = masked.iter().position(|word| word == "TIME") {
            masked.iter_mut().skip(time + 1).take(1).for_each(|word| "MS".clone_into(word));
        }
        // How many changes of metadata the cluster has seen, and where its controller listens.
        for name in ["Epoch:", "HighWatermark:", "CurrentVoters:"] {
            if let Some(place) = masked.iter().position(|word| word == name) {
                masked.truncate(place + 1);
            }
        }
        without_message(&masked.join(" "))
    };
    line.lines().map(one).collect()
}

/// A table without its epochs. How often a share group is worked out anew while the share state of its partitions is
/// made is a matter of time in Kafka, and once here.
fn without_epochs(lines: &mut [String]) {
    let Some((header, rows)) = lines.split_first_mut() else { return };
    let is_epoch = |(column, name): (usize, &str)| name.ends_with("-EPOCH").then_some(column);
    let columns: Vec<usize> = header.split(' ').enumerate().filter_map(is_epoch).collect();
    for row in rows {
        let shown = |(column, word)| if columns.contains(&column) { "EPOCH" } else { word };
        *row = row.split(' ').enumerate().map(shown).collect::<Vec<_>>().join(" ");
    }
}

/// A line of JSON with its arrays in order: in Kafka's answers some have that of a hash table.
fn with_sorted_arrays(line: &str) -> Option<String> {
    fn sort(value: &mut Value) {
        match value {
            Value::Array(elements) => {
                elements.iter_mut().for_each(sort);
                elements.sort_by_key(Value::to_string);
            }
            Value::Object(fields) => fields.values_mut().for_each(sort),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_str(line).ok().filter(Value::is_object)?;
    sort(&mut value);
    Some(value.to_string())
}

/// A word with each of its parts masked.
fn parts(word: &str, port: &str) -> String {
    let parts = word.split_inclusive([',', '=', ':', '"', '{', '}', '(', ')']);
    parts.map(|part| if part == port { "PORT".to_owned() } else { masked(part) }).collect()
}

/// A line up to the message of the error that it tells of: the errors are Kafka's, their messages are Brooklet's own.
fn without_message(line: &str) -> String {
    for beginning in ["Error while executing topic command :", "Error while executing client metrics command :"] {
        if line.starts_with(beginning) {
            return beginning.to_owned();
        }
    }
    match line.split_once("Exception: ") {
        // The last exception named: those before it are the tools' own.
        Some(_) => line.rsplit_once("Exception: ").map_or(line, |(errors, _)| errors).to_owned() + "Exception",
        None => line.to_owned(),
    }
}

/// A word, or what it stands for.
fn masked(word: &str) -> String {
    let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    let rest = &word[bare.len()..];
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let base64 = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    // An id may be of letters alone, but hardly of letters that make words.
    let is_random = |text: &str| {
        let small_then_large =
            text.as_bytes().windows(2).filter(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
        text.bytes().any(|byte| byte.is_ascii_digit() || byte == b'-') || small_then_large.count() >= 3
    };
    let is_uuid = |text: &str| text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let tail = bare.len().checked_sub(36).filter(|start| bare.is_char_boundary(*start)).unwrap_or_default();
    if bare.contains("-test-") {
        format!("DIRECTORY{rest}")
    } else if digits(bare) && bare.len() == 13 && !bare.starts_with("1790000000") {
        format!("TIME{rest}")
    } else if is_uuid(&bare[tail..]) {
        format!("{}UUID{rest}", &bare[..tail])
    } else if bare.len() == 22 && bare.chars().all(base64) && is_random(bare) {
        format!("ID{rest}")
    } else {
        word.to_owned()
    }
}

fn topics(all: &mut Comparison) {
    all.same("kafka-topics --list");
    all.same("kafka-topics --create --topic t --partitions 3 --config retention.ms=-1");
    all.same("kafka-topics --create --topic t --partitions 3");
    all.same("kafka-topics --create --topic t --if-not-exists");
    all.same("kafka-topics --create --topic u --replica-assignment 1,1");
    all.same("kafka-topics --create --topic bad/name");
    all.same("kafka-topics --create --topic v --partitions 0");
    all.same("kafka-topics --create --topic v --config retention.ms=soon");
    all.same("kafka-topics --create --topic v --config no.such=1");
    all.same("kafka-topics --create --topic v --replica-assignment 2");
    all.same("kafka-topics --create --topic a.b");
    all.same("kafka-topics --create --topic a_b");
    all.same("kafka-topics --list");
    all.same("kafka-topics --describe");
    all.same("kafka-topics --describe --topic t");
    all.same("kafka-topics --describe --topic none");
    all.same("kafka-topics --describe --topics-with-overrides");
    all.same("kafka-topics --describe --under-replicated-partitions");
    all.same("kafka-topics --describe --unavailable-partitions");
    all.same("kafka-topics --describe --at-min-isr-partitions");
    all.same("kafka-topics --alter --topic t --partitions 5");
    all.same("kafka-topics --alter --topic t --partitions 4");
    all.same("kafka-topics --alter --topic none --partitions 4");
    all.same("kafka-topics --describe --topic t");
    all.same("kafka-topics --delete --topic a.b");
    all.same("kafka-topics --delete --topic none");
    all.same("kafka-topics --list --exclude-internal");
    all.both("produce t 3 30");
    all.same("kafka-get-offsets --topic t");
    all.same("kafka-get-offsets --topic t --time earliest");
    all.same("kafka-get-offsets --topic t --time max-timestamp");
    all.same("kafka-get-offsets --topic t --time 1790000000010");
    all.same("kafka-get-offsets --topic t --time earliest-local");
    all.same("kafka-get-offsets --topic t --time latest-tiered");
    all.same("kafka-get-offsets --topic-partitions t:1-2");
    all.same("kafka-get-offsets --topic none");
    let dir = tempfile::tempdir().unwrap();
    let offsets = |partition: i32, offset: i64| {
        let path = dir.path().join(format!("{partition}-{offset}.json")).display().to_string();
        let of = |partition, offset| format!(r#"{{"topic":"t","partition":{partition},"offset":{offset}}}"#);
        std::fs::write(&path, format!(r#"{{"partitions":[{}],"version":1}}"#, of(partition, offset))).unwrap();
        path
    };
    all.same(&format!("kafka-delete-records --offset-json-file {}", offsets(0, 4)));
    all.same(&format!("kafka-delete-records --offset-json-file {}", offsets(1, -1)));
    all.same(&format!("kafka-delete-records --offset-json-file {}", offsets(2, 99)));
    all.same("kafka-get-offsets --topic t --time earliest");
}

fn configs(all: &mut Comparison) {
    all.both("kafka-topics --create --topic configured --partitions 1 --config retention.ms=600000");
    let topic = "--entity-type topics --entity-name configured";
    all.same(&format!("kafka-configs --describe {topic}"));
    all.same(&format!("kafka-configs --describe {topic} --all"));
    all.same(&format!("kafka-configs --alter {topic} --add-config max.message.bytes=2000,cleanup.policy=compact"));
    all.same(&format!("kafka-configs --describe {topic}"));
    all.same(&format!("kafka-configs --alter {topic} --delete-config retention.ms,max.message.bytes"));
    all.same(&format!("kafka-configs --alter {topic} --delete-config segment.ms"));
    all.same(&format!("kafka-configs --alter {topic} --add-config retention.ms=soon"));
    all.same(&format!("kafka-configs --alter {topic} --add-config no.such=1"));
    all.same(&format!("kafka-configs --describe {topic}"));
    all.same("kafka-configs --describe --entity-type topics");
    all.same("kafka-configs --describe --entity-type topics --entity-name none");
    all.same("kafka-configs --alter --entity-type topics --entity-name none --add-config retention.ms=1");
    let broker = "--entity-type brokers --entity-name 1";
    all.same(&format!("kafka-configs --alter {broker} --add-config log.cleaner.threads=2"));
    all.same(&format!("kafka-configs --describe {broker}"));
    all.same(&format!("kafka-configs --alter {broker} --add-config node.id=2"));
    all.same(&format!("kafka-configs --alter {broker} --delete-config log.cleaner.threads"));
    all.same("kafka-configs --alter --entity-type brokers --entity-default --add-config log.retention.ms=700000");
    all.same("kafka-configs --describe --entity-type brokers --entity-default");
    all.same("kafka-configs --describe --entity-type brokers --entity-name 9");
    all.same("kafka-configs --describe --entity-type broker-loggers --entity-name 9");
    all.same(
        "kafka-configs --alter --entity-type groups --entity-name g --add-config consumer.session.timeout.ms=50000",
    );
    all.same("kafka-configs --alter --entity-type groups --entity-name g --add-config no.such=1");
    all.same("kafka-configs --describe --entity-type groups --entity-name g");
    all.same("kafka-configs --describe --entity-type groups");
    all.same("kafka-client-metrics --alter --name m --metrics org.apache.kafka. --interval 10000 --match client_id=a");
    all.same("kafka-client-metrics --alter --name m --interval 1");
    all.same("kafka-client-metrics --describe");
    all.same("kafka-client-metrics --list");
    all.same("kafka-client-metrics --delete --name m");
    all.same("kafka-client-metrics --list");
    let user = "--entity-type users --entity-name alice";
    all.same(&format!("kafka-configs --alter {user} --add-config SCRAM-SHA-256=[iterations=8192,password=secret]"));
    all.same(&format!("kafka-configs --alter {user} --add-config producer_byte_rate=1024"));
    all.same(&format!("kafka-configs --describe {user}"));
    all.same("kafka-configs --describe --entity-type users");
    all.same(&format!("kafka-configs --alter {user} --delete-config SCRAM-SHA-256"));
    all.same(&format!("kafka-configs --alter {user} --delete-config SCRAM-SHA-256"));
    all.same("kafka-configs --alter --entity-type clients --entity-default --add-config request_percentage=50");
    all.same("kafka-configs --describe --entity-type clients");
    all.same("kafka-configs --alter --entity-type ips --entity-name 10.0.0.1 --add-config connection_creation_rate=5");
    all.same("kafka-configs --describe --entity-type ips");
}

fn consumer_groups(all: &mut Comparison) {
    let groups = "kafka-consumer-groups";
    all.both("kafka-topics --create --topic read --partitions 3 --config retention.ms=-1");
    all.both("produce read 3 30");
    for protocol in ["classic", "consumer"] {
        let g = &format!("--group {protocol}");
        all.same(&format!("{groups} --describe {g}"));
        all.both(&format!("join {protocol} read {protocol} 30"));
        all.same("kafka-groups --list");
        all.same(&format!("{groups} --list --state"));
        all.same(&format!("{groups} --list --type"));
        all.same_in_any_order(&format!("{groups} --describe {g}"));
        all.same(&format!("{groups} --describe {g} --members --verbose"));
        all.same(&format!("{groups} --describe {g} --state --verbose"));
        all.same(&format!("{groups} --delete {g}"));
        all.same(&format!("{groups} --reset-offsets {g} --topic read --to-earliest --execute"));
        all.same_in_any_order(&format!("{groups} --delete-offsets {g} --topic read"));
        all.both(&format!("leave {protocol}"));
        all.same_in_any_order(&format!("{groups} --describe {g}"));
        all.same(&format!("{groups} --describe {g} --members"));
        all.same(&format!("{groups} --describe {g} --state"));
        for to in [
            "--to-earliest",
            "--to-latest",
            "--to-current",
            "--to-offset 5",
            "--to-offset 500",
            "--shift-by -3",
            "--to-datetime 2026-09-21T13:33:20.010Z",
            "--by-duration PT1H",
        ] {
            all.same_in_any_order(&format!("{groups} --reset-offsets {g} --topic read {to} --dry-run"));
        }
        all.same_in_any_order(&format!("{groups} --reset-offsets {g} --topic read:0,1 --to-offset 7 --execute"));
        all.same_in_any_order(&format!("{groups} --reset-offsets {g} --all-topics --shift-by 1 --export --dry-run"));
        all.same_in_any_order(&format!("{groups} --describe {g}"));
        all.same_in_any_order(&format!("{groups} --delete-offsets {g} --topic read:1"));
        all.same_in_any_order(&format!("{groups} --describe {g}"));
    }
    // Groups that never have a member: one stays, the other goes.
    for g in ["simple", "deleted"] {
        all.same_in_any_order(&format!("{groups} --reset-offsets --group {g} --topic read --to-offset 4 --execute"));
    }
    all.same(&format!("{groups} --describe --group simple --state"));
    all.same(&format!("{groups} --delete --group deleted"));
    what_groups_keep(all);
    all.same(&format!("{groups} --delete --group classic --group none"));
    all.same(&format!("{groups} --delete --group consumer"));
    all.same(&format!("{groups} --list"));
}

/// What stands in `__consumer_offsets`, as Kafka's formatters show it.
fn what_groups_keep(all: &mut Comparison) {
    let formatter = "--formatter org.apache.kafka.tools.consumer";
    let internal =
        "kafka-console-consumer --topic __consumer_offsets --group console --from-beginning --timeout-ms 1500";
    all.same_in_any_order(&format!("{internal} {formatter}.OffsetsMessageFormatter"));
    all.same_in_any_order(&format!("{internal} {formatter}.GroupMetadataMessageFormatter"));
}

fn share_groups(all: &mut Comparison) {
    let groups = "kafka-share-groups";
    all.both("kafka-topics --create --topic shared --partitions 1 --config retention.ms=-1");
    all.both(
        "kafka-configs --alter --entity-type groups --entity-name s --add-config share.auto.offset.reset=earliest",
    );
    all.both("produce shared 1 30");
    all.same(&format!("{groups} --list"));
    all.same(&format!("{groups} --describe --group s"));
    all.both("share s shared 30");
    all.same(&format!("{groups} --list --state"));
    all.same(&format!("{groups} --describe --group s"));
    all.same(&format!("{groups} --describe --group s --members --verbose"));
    all.same(&format!("{groups} --describe --group s --state --verbose"));
    all.same(&format!("{groups} --delete --group s"));
    all.both("leave s");
    all.same(&format!("{groups} --describe --group s"));
    all.same(&format!("{groups} --describe --group s --members"));
    all.same(&format!("{groups} --reset-offsets --group s --topic shared --to-earliest --dry-run"));
    all.same(&format!("{groups} --reset-offsets --group s --topic shared --to-earliest --execute"));
    all.same(&format!("{groups} --describe --group s"));
    all.same(&format!("{groups} --delete-offsets --group s --topic shared"));
    all.same(&format!("{groups} --describe --group s"));
    all.same(&format!("{groups} --delete --group s"));
    all.same(&format!("{groups} --list"));
}

fn transactions(all: &mut Comparison) {
    all.both("kafka-topics --create --topic written --partitions 1 --config retention.ms=-1");
    all.same("kafka-transactions list");
    all.same("kafka-transactions describe --transactional-id tx");
    all.both("begin tx written g");
    all.same("kafka-transactions list");
    all.same_in_any_order("kafka-transactions describe --transactional-id tx");
    all.same("kafka-transactions describe-producers --topic written --partition 0");
    all.same("kafka-transactions list --duration-filter 3600000");
    all.same("kafka-transactions list --transactional-id-pattern no.*");
    all.same("kafka-get-offsets --topic written");
    all.same("kafka-consumer-groups --describe --group g");
    all.same("kafka-transactions find-hanging --topic written --partition 0");
    all.same("kafka-transactions abort --topic written --partition 0 --start-offset 9");
    all.both("commit tx");
    all.same("kafka-transactions describe --transactional-id tx");
    all.same("kafka-transactions describe-producers --topic written --partition 0");
    all.same("kafka-consumer-groups --describe --group g");
    all.both("begin left written g");
    all.same("kafka-transactions forceTerminateTransaction --transactionalId left");
    all.same("kafka-transactions describe --transactional-id left");
    let log = "kafka-console-consumer --topic __transaction_state --group console --from-beginning --timeout-ms 1500";
    all.same_in_any_order(&format!("{log} --formatter org.apache.kafka.tools.consumer.TransactionLogMessageFormatter"));
    // Offsets that were committed in transactions are among them.
    what_groups_keep(all);
}

fn the_cluster(all: &mut Comparison) {
    all.both("kafka-topics --create --topic first --partitions 2 --config retention.ms=-1");
    all.both("produce first 2 10");
    all.same("kafka-cluster cluster-id");
    all.same("kafka-cluster list-endpoints");
    all.same("kafka-broker-api-versions");
    all.same("kafka-features describe");
    all.same("kafka-metadata-quorum describe --status");
    all.same("kafka-metadata-quorum describe --replication");
    all.same("kafka-log-dirs --describe --topic-list first");
    all.same("kafka-leader-election --election-type preferred --all-topic-partitions");
    all.same("kafka-leader-election --election-type preferred --topic first --partition 0");
    all.same("kafka-leader-election --election-type unclean --topic first --partition 0");
    all.same("kafka-leader-election --election-type preferred --topic none --partition 0");
    all.same("kafka-reassign-partitions --list");
    all.same("kafka-acls --list");
    all.same("kafka-acls --add --allow-principal User:a --operation Read --topic first");
}

#[test]
#[ignore = "an application: scripts/test apps"]
fn the_tools_tell_the_same_of_both_brokers() {
    let mut all = Comparison::start();
    the_cluster(&mut all);
    topics(&mut all);
    configs(&mut all);
    consumer_groups(&mut all);
    share_groups(&mut all);
    transactions(&mut all);
    all.end();
}
