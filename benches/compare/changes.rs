//! Change data capture beside Debezium in a stock Connect worker: the same database, the same connector JSON, turn by turn.
//!
//! The worker writes to Apache Kafka, as in the workspaces that Brooklet is for, without exactly-once support (its default), which
//! Brooklet always gives. Brooklet's processor time and memory are those of the whole process, broker and all; Debezium's are the
//! worker's alone.

use std::time::{Duration, Instant};

use brooklet_tests::apache_kafka::ApacheKafka;
use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::capture::{postgres_config, put, task_state};
use brooklet_tests::connect::ConnectWorker;
use brooklet_tests::connect_rest::ConnectRest;
use brooklet_tests::java;
use brooklet_tests::log_client::LogClient;
use brooklet_tests::postgres::Postgres;
use tempfile::TempDir;

use crate::clients;
use crate::pages;
use crate::plan::Plan;
use crate::process::{cpu_seconds, resident};
use crate::report::{Better, Report};

const SECTION: &str = "changes (Debezium in Connect in Apache Kafka's column)";
/// How long rows may take to arrive.
const PATIENCE: Duration = Duration::from_secs(600);
/// Transactions a second while latency is watched.
const RATE: u64 = 100;

/// Measures both, one after the other, so many times.
pub(crate) fn changes(plan: &Plan, report: &mut Report) {
    for round in 0..plan.rounds {
        of_brooklet(plan, round, report);
        of_debezium(plan, round, report);
    }
}

fn of_brooklet(plan: &Plan, round: usize, report: &mut Report) {
    let broker = BrokerProcess::with_connect(&[]);
    let worker =
        Worker { name: "Brooklet", pid: broker.pid(), rest: broker.connect(), bootstrap: broker.bootstrap(), round };
    worker.measure(plan, report);
}

fn of_debezium(plan: &Plan, round: usize, report: &mut Report) {
    let kafka = ApacheKafka::start(&[]);
    let dir = TempDir::with_prefix("comparison-").unwrap();
    let begun = Instant::now();
    let more = ["exactly.once.source.support=disabled", "offset.flush.interval.ms=60000"];
    let process =
        ConnectWorker::start_as_shipped(&kafka.bootstrap(), dir.path(), &[java::installed("debezium")], &more);
    let worker =
        Worker { name: "Apache Kafka", pid: process.pid(), rest: process.rest(), bootstrap: kafka.bootstrap(), round };
    worker.add(report, "the worker's start, to its first answer", "ms", begun.elapsed().as_secs_f64() * 1000.0);
    worker.add(report, "the worker's start, processor", "CPU s", cpu_seconds(worker.pid));
    worker.measure(plan, report);
}

/// What captures changes: a process with Connect's REST API, and where it writes.
struct Worker {
    name: &'static str,
    pid: u32,
    rest: ConnectRest,
    bootstrap: String,
    round: usize,
}

impl Worker {
    fn measure(&self, plan: &Plan, report: &mut Report) {
        let postgres = Postgres::start();
        postgres.execute(
            "create table first (id int primary key); insert into first values (1); \
             create table item (id bigint primary key, name text); \
             create table timed (id bigserial primary key, at bigint)",
        );
        let rows = plan.changed_rows;
        postgres.execute(&format!("insert into item select i, 'item-' || i from generate_series(1, {rows}) i"));

        let begun = Instant::now();
        self.create(&postgres, "first", "public.first");
        self.wait_for("first.public.first", 1);
        self.add(report, "a connector's creation to its first event", "ms", begun.elapsed().as_secs_f64() * 1000.0);
        self.delete("first");

        self.rows(report, "a snapshot", rows, || {
            self.create(&postgres, "items", "public.item");
            self.wait_for("items.public.item", rows);
        });
        self.delete("items");
        let (first, last) = (rows + 1, 2 * rows);
        let insert = format!("insert into item select i, 'item-' || i from generate_series({first}, {last}) i");
        self.catch_up(&postgres, report, "whole", "catching up with one transaction", rows, &insert);
        let (first, last) = (last + 1, 3 * rows);
        let insert = format!(
            "do $$ begin for at in {first}..{last} by 100 loop \
             insert into item select i, 'item-' || i from generate_series(at, least(at + 99, {last})) i; commit; \
             end loop; end $$"
        );
        self.catch_up(&postgres, report, "pieces", "catching up with transactions of 100 rows", rows, &insert);

        self.latency(plan, &postgres, report);
        let memory = resident(self.pid);
        self.add(report, "resident memory, peak", "MiB", memory.peak);
    }

    /// Takes in rows that came while a connector was stopped: one of its own, since PostgreSQL decodes once more what lies behind the
    /// place from which a slot can start anew.
    fn catch_up(&self, postgres: &Postgres, report: &mut Report, name: &str, what: &str, rows: i64, insert: &str) {
        self.create_with(postgres, name, "public.item", &[("snapshot.mode", "no_data")]);
        wait_until_streaming(postgres, name);
        self.request("PUT", &format!("/connectors/{name}/stop"));
        self.wait_until_stopped(name);
        postgres.execute(insert);
        self.rows(report, what, rows, || {
            self.request("PUT", &format!("/connectors/{name}/resume"));
            self.wait_for(&format!("{name}.public.item"), rows);
        });
        // It was begun by the resumption. What it cannot send nobody can catch up with.
        let sender =
            postgres.execute(&format!("select active_pid from pg_replication_slots where slot_name = '{name}'"));
        let used = cpu_seconds(sender.trim().parse().unwrap());
        self.add(report, &format!("{what}, PostgreSQL's sender for a row"), "CPU µs", used / rows as f64 * 1e6);
        self.delete(name);
    }

    /// Rows a second, and the processor time of each.
    fn rows(&self, report: &mut Report, what: &str, rows: i64, run: impl FnOnce()) {
        pages::have_at_hand();
        let (begun, before) = (Instant::now(), cpu_seconds(self.pid));
        run();
        let (took, used) = (begun.elapsed().as_secs_f64(), cpu_seconds(self.pid) - before);
        let a_second = rows as f64 / took;
        eprintln!("{}: {what}: {a_second:.0} rows/s, {:.2} CPU µs a row", self.name, used / rows as f64 * 1e6);
        report.add(SECTION, what, "rows/s", Better::Higher, self.name, a_second);
        let a_row = used / rows as f64 * 1e6;
        report.add(SECTION, &format!("{what}, processor for a row"), "CPU µs", Better::Lower, self.name, a_row);
    }

    fn latency(&self, plan: &Plan, postgres: &Postgres, report: &mut Report) {
        self.create(postgres, "timed", "public.timed");
        wait_until_streaming(postgres, "timed");
        if self.round == 0 {
            std::thread::sleep(Duration::from_secs(5));
            let before = cpu_seconds(self.pid);
            std::thread::sleep(Duration::from_secs(plan.idle_seconds));
            let idle = 100.0 * (cpu_seconds(self.pid) - before) / plan.idle_seconds as f64;
            self.add(report, "processor, a connector without changes", "% of a core", idle);
        }
        // So that the topic exists before it is read.
        postgres.execute("insert into timed (at) values (0)");
        self.wait_for("timed.public.timed", 1);
        let seconds = u64::from(plan.latency_seconds) + 1;
        let count = (RATE * seconds).to_string();
        let answer = std::thread::scope(|scope| {
            let arguments = ["changes", "timed.public.timed", &count];
            let consumer = scope.spawn(move || clients::looped(&self.bootstrap, &arguments));
            postgres.load(
                "insert into timed (at) values ((extract(epoch from clock_timestamp()) * 1e6)::bigint);",
                RATE,
                seconds + 1,
            );
            consumer.join().unwrap()
        });
        let answer = answer.unwrap();
        for (quantile, name) in [("p50", "p50"), ("p99", "p99")] {
            let value = answer[name].as_f64().unwrap();
            self.add(report, &format!("commit to consumer at {RATE} transactions a second, {quantile}"), "ms", value);
        }
        self.delete("timed");
    }

    fn add(&self, report: &mut Report, what: &str, unit: &'static str, value: f64) {
        eprintln!("{}: {what}: {value:.3} {unit}", self.name);
        report.add(SECTION, what, unit, Better::Lower, self.name, value);
    }

    /// A connector of one table, named as its topics' prefix and its slot.
    fn create(&self, postgres: &Postgres, name: &str, table: &str) {
        self.create_with(postgres, name, table, &[]);
    }

    fn create_with(&self, postgres: &Postgres, name: &str, table: &str, more: &[(&str, &str)]) {
        let own =
            [("table.include.list", table), ("publication.name", name), ("publication.autocreate.mode", "filtered")];
        put(self.rest, name, &postgres_config(postgres, name, &[&own, more].concat()));
    }

    fn delete(&self, name: &str) {
        self.request("DELETE", &format!("/connectors/{name}"));
    }

    fn request(&self, method: &str, path: &str) {
        // A worker that is busy with another change says so with 409.
        brooklet_tests::wait_until(path, PATIENCE, || {
            self.rest.request(method, path, "").is_some_and(|(status, _)| (200..300).contains(&status))
        });
    }

    fn wait_until_stopped(&self, name: &str) {
        brooklet_tests::wait_until("the connector stops", PATIENCE, || {
            let answer = self.rest.request("GET", &format!("/connectors/{name}/status"), "");
            answer.is_some_and(|(_, body)| body.contains("\"STOPPED\""))
        });
    }

    fn wait_for(&self, topic: &str, records: i64) {
        let mut client = LogClient::connect(&self.bootstrap);
        let begun = Instant::now();
        let connector = topic.split('.').next().unwrap_or_default();
        while client.topic_id(topic).is_none() || client.last_stable_offset(topic, 0) < records {
            if begun.elapsed() > Duration::from_secs(20) {
                let state = task_state(self.rest, connector);
                assert!(state.0 != "FAILED", "{state:?}");
                assert!(begun.elapsed() < PATIENCE, "the rows do not arrive: {state:?}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn wait_until_streaming(postgres: &Postgres, slot: &str) {
    let active = format!("select active from pg_replication_slots where slot_name = '{slot}'");
    brooklet_tests::wait_until("the stream begins", PATIENCE, || postgres.execute(&active).trim() == "t");
}
