//! A fresh group is assigned at once, at every client's defaults: Apache Kafka's default makes it wait three seconds.
//!
//! Two times are taken. The broker's: from the first request of the group's first member to the answer that holds its
//! assignment, which includes what the client does between its requests. And the client's own, from its subscription,
//! for those that do not wait for themselves: librdkafka 2.16 holds back a connection for 50 ms, kafka-python asks every
//! 100 ms, and a Java process has yet to compile itself.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::client::Client;
use brooklet_tests::wait_until;

const LIMIT_MS: f64 = 50.0;

macro_rules! fresh_groups {
    ($($test:ident: $name:literal, own time $own_time:literal;)*) => {
        $(#[test]
        fn $test() {
            is_assigned_at_once(Client($name), $own_time);
        })*
    };
}

fresh_groups! {
    kcat: "kcat", own time true;
    confluent_kafka: "confluent-kafka", own time false;
    kafka_python: "kafka-python", own time false;
    aiokafka: "aiokafka", own time true;
    kafkajs: "kafkajs", own time true;
    java: "java", own time false;
    franz_go: "franz-go", own time true;
    sarama: "sarama", own time true;
}

fn is_assigned_at_once(client: Client, own_time: bool) {
    let broker = BrokerProcess::start(&["--set", "num.partitions=3", "--log", "info,brooklet::apis=trace"]);
    client.run(&["create", &broker.bootstrap(), "t", "3"]);
    // The best of three: these are times of a test on a busy machine, and what is shown is that nothing waits.
    let mut own = f64::MAX;
    for attempt in 0..3 {
        let mut member = client.join(&broker.bootstrap(), "t", &format!("g{attempt}"), None);
        wait_until("the member owns all partitions", Duration::from_secs(20), || member.assigned().len() == 3);
        own = own.min(member.first_assigned_ms().unwrap());
        member.leave();
    }
    let brokers = best_rebalance_ms(&broker.log());
    eprintln!("{}: {own:.1} ms by its own clock, {brokers:.1} ms by the broker's", client.0);
    assert!(brokers < LIMIT_MS, "{brokers:.1} ms from the first join to the assignment");
    if own_time {
        assert!(own < LIMIT_MS, "{own:.1} ms from the subscription to the assignment");
    }
}

/// The shortest time from the first JoinGroup after an idle group to the answer of a SyncGroup, by the broker's log.
fn best_rebalance_ms(log: &str) -> f64 {
    let mut best = f64::MAX;
    let mut joined = None;
    for line in log.lines() {
        let Some(at) = seconds_of_day(line) else { continue };
        if line.contains("request api=\"JoinGroup\"") {
            joined.get_or_insert(at);
        } else if line.contains("answer api=\"SyncGroup\"") {
            best = best.min((at - joined.take().unwrap_or(at)) * 1000.0);
        } else if line.contains("request api=\"LeaveGroup\"") {
            joined = None;
        }
    }
    assert!(best < f64::MAX, "no rebalance in the log: {log}");
    best
}

/// The time of day at the beginning of a line of the log, as in `2026-01-02T03:04:05.678901Z`.
fn seconds_of_day(line: &str) -> Option<f64> {
    let time = line.split_once('T')?.1.split_once('Z')?.0;
    let mut parts = time.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    Some(hours.parse::<f64>().ok()? * 3600.0 + minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
}
