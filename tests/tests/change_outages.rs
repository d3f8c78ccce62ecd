//! What becomes of a connector when something is wrong with PostgreSQL: its status says what, and it goes on, by itself where
//! it can and otherwise once somebody has acted. Nothing is lost and nothing told twice.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::capture::{ids, postgres_config, put, task_state};
use brooklet_tests::postgres::Postgres;
use brooklet_tests::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);

/// A broker and a PostgreSQL with a table of one row.
struct Outage {
    broker: BrokerProcess,
    postgres: Postgres,
    rows: i64,
}

impl Outage {
    fn start() -> Self {
        let postgres = Postgres::start();
        postgres.execute("create table item (id int primary key); insert into item values (1)");
        Self { broker: BrokerProcess::with_connect(&[]), postgres, rows: 1 }
    }

    /// Runs a connector, whose name its topics, slot and publication have.
    fn run(&self, name: &str, more: &[(&str, &str)]) {
        let own = [("publication.name", name)];
        let more: Vec<_> = own.iter().chain(more).copied().collect();
        put(self.broker.connect(), name, &postgres_config(&self.postgres, name, &more));
    }

    fn ask(&self, method: &str, path: &str) {
        let (status, body) = self.broker.connect().request(method, path, "").unwrap();
        assert!(matches!(status, 200..=204), "{method} {path}: {status} {body}");
    }

    fn restart(&self, name: &str) {
        self.ask("POST", &format!("/connectors/{name}/restart?includeTasks=true"));
    }

    /// Waits until the task is in a state for a reason.
    fn told(&self, name: &str, state: &str, reason: &str) {
        let mut last = (String::new(), String::new());
        wait_until(&format!("{name} is {state} since: {reason}"), PATIENCE, || {
            let now = task_state(self.broker.connect(), name);
            if now != last {
                eprintln!("{name}: {} {}", now.0, now.1);
                last.clone_from(&now);
            }
            now.0 == state && now.1.contains(reason)
        });
    }

    fn insert(&mut self) {
        self.rows += 1;
        self.postgres.execute(&format!("insert into item values ({})", self.rows));
    }

    /// Waits until all rows have been told of, each once and in order.
    fn complete(&self, name: &str) {
        let topic = format!("{name}.public.item");
        let bootstrap = self.broker.bootstrap();
        wait_until("all rows are told of", PATIENCE, || {
            ids(&bootstrap, &topic).len() >= usize::try_from(self.rows).unwrap()
        });
        assert_eq!(ids(&bootstrap, &topic), (1..=self.rows).collect::<Vec<_>>());
        self.told(name, "RUNNING", "");
    }

    /// Lets the server forget the log that a slot needs.
    fn invalidate(&self, name: &str) {
        for _ in 0..4 {
            self.postgres.execute("create table if not exists noise (t text); insert into noise values ('x')");
            self.postgres.execute("select pg_switch_wal()");
        }
        self.postgres.execute("checkpoint");
        let status =
            self.postgres.execute(&format!("select wal_status from pg_replication_slots where slot_name = '{name}'"));
        assert_eq!(status.trim(), "lost");
    }
}

#[test]
fn a_server_that_goes_comes_back() {
    let mut outage = Outage::start();
    outage.run("goes", &[]);
    outage.complete("goes");
    outage.postgres.stop();
    outage.told("goes", "RESTARTING", "refused");
    outage.postgres.start_again();
    outage.insert();
    outage.complete("goes");
}

#[test]
fn a_log_that_is_not_logical_is_named() {
    let outage = Outage::start();
    outage.run("level", &[("snapshot.mode", "when_needed")]);
    outage.complete("level");
    outage.ask("PUT", "/connectors/level/pause");
    wait_until("it is paused", PATIENCE, || task_state(outage.broker.connect(), "level").0 == "PAUSED");
    outage.postgres.execute("select pg_drop_replication_slot('level')");
    outage.postgres.stop();
    outage.postgres.start_with(&["wal_level=replica"]);
    outage.ask("PUT", "/connectors/level/resume");
    outage.told("level", "FAILED", "wal_level property must be 'logical' but is: 'replica'");
    outage.postgres.stop();
    outage.postgres.start_again();
    outage.postgres.execute("insert into item values (2)");
    outage.restart("level");
    let topic = "level.public.item";
    wait_until("all is pictured anew", PATIENCE, || ids(&outage.broker.bootstrap(), topic) == [1, 1, 2]);
}

#[test]
fn passwords_and_rights_are_asked_for() {
    let mut outage = Outage::start();
    outage.postgres.execute("create role app login superuser password 'first'");
    outage.postgres.ask_for_password_of("app");
    outage.run("rights", &[("database.user", "app"), ("database.password", "first")]);
    outage.complete("rights");

    outage.postgres.execute("alter role app password 'second'");
    outage.postgres.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'");
    outage.told("rights", "FAILED", "password authentication failed for user \"app\"");
    outage.insert();
    outage.run("rights", &[("database.user", "app"), ("database.password", "second")]);
    outage.complete("rights");

    outage.postgres.execute("alter role app nosuperuser; grant select on item to app");
    outage.postgres.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'");
    let refused = match outage.postgres.major_version() {
        ..16 => "must be superuser or replication role to start walsender",
        _ => "permission denied to start WAL sender",
    };
    outage.told("rights", "FAILED", refused);
    outage.insert();
    outage.postgres.execute("alter role app replication");
    outage.restart("rights");
    outage.complete("rights");
}

#[test]
fn a_publication_that_is_missing_is_named() {
    let mut outage = Outage::start();
    outage.run("published", &[("publication.autocreate.mode", "disabled")]);
    outage.told("published", "FAILED", "please create one and restart the connector");
    outage.postgres.execute("create publication published for table item");
    outage.insert();
    outage.restart("published");
    outage.complete("published");
}

#[test]
fn what_a_slot_has_lost_is_said_or_pictured_anew() {
    let mut outage = Outage::start();
    outage.postgres.stop();
    outage.postgres.start_with(&["max_slot_wal_keep_size=1MB"]);
    // A connector that may heal itself, and one that may not.
    outage.run("heals", &[("snapshot.mode", "when_needed")]);
    outage.run("stays", &[]);
    outage.complete("heals");
    outage.complete("stays");
    let gone = "is no longer available on the server. Reconfigure the connector to use a snapshot mode when needed.";

    // Dropped while nobody looks.
    for name in ["heals", "stays"] {
        outage.ask("PUT", &format!("/connectors/{name}/pause"));
        wait_until("it is paused", PATIENCE, || task_state(outage.broker.connect(), name).0 == "PAUSED");
        outage.postgres.execute(&format!("select pg_drop_replication_slot('{name}')"));
    }
    outage.insert();
    for name in ["heals", "stays"] {
        outage.ask("PUT", &format!("/connectors/{name}/resume"));
    }
    outage.told("stays", "FAILED", gone);
    let topic = "heals.public.item";
    let healed = |rows: &[i64]| {
        wait_until("a snapshot fills the gap", PATIENCE, || ids(&outage.broker.bootstrap(), topic).ends_with(rows));
    };
    healed(&[1, 2]);

    // Invalidated while nobody looks.
    outage.ask("PUT", "/connectors/heals/pause");
    wait_until("it is paused", PATIENCE, || task_state(outage.broker.connect(), "heals").0 == "PAUSED");
    outage.invalidate("heals");
    outage.postgres.execute("insert into item values (3)");
    outage.ask("PUT", "/connectors/heals/resume");
    healed(&[1, 2, 3]);
    outage.postgres.execute("insert into item values (4)");
    healed(&[1, 2, 3, 4]);

    // The other one goes on once its slot is wanted anew.
    outage.ask("PUT", "/connectors/stays/stop");
    outage.ask("DELETE", "/connectors/stays/offsets");
    outage.ask("PUT", "/connectors/stays/resume");
    let topic = "stays.public.item";
    wait_until("all is pictured anew", PATIENCE, || ids(&outage.broker.bootstrap(), topic) == [1, 1, 2, 3, 4]);
}

/// As one transaction of Kafka's, which the coordinator would abort if its producer came over the network.
#[test]
fn a_snapshot_may_take_longer_than_transactions_may() {
    let postgres = Postgres::start();
    postgres.execute(
        "create table item (id int primary key, t text); alter table item alter t set storage external; \
         insert into item select i, repeat('x', 600000) from generate_series(1, 12) i",
    );
    let limits = ["transaction.max.timeout.ms=1000", "transaction.abort.timed.out.transaction.cleanup.interval.ms=200"];
    let broker = BrokerProcess::with_connect(&["--set", limits[0], "--set", limits[1]]);
    let slowly = [
        ("snapshot.select.statement.overrides", "public.item"),
        ("snapshot.select.statement.overrides.public.item", "select * from item where pg_sleep(0.4) is not null"),
        ("errors.max.retries", "0"),
    ];
    put(broker.connect(), "slow", &postgres_config(&postgres, "slow", &slowly));
    let bootstrap = broker.bootstrap();
    wait_until("the snapshot is over", PATIENCE, || {
        assert_ne!(task_state(broker.connect(), "slow").0, "FAILED", "{:?}", task_state(broker.connect(), "slow"));
        ids(&bootstrap, "slow.public.item").len() == 12
    });
    postgres.execute("insert into item values (13, 'y')");
    wait_until("the stream goes on", PATIENCE, || ids(&bootstrap, "slow.public.item") == (1..=13).collect::<Vec<_>>());
    assert!(!broker.log().contains("it took too long"), "{}", broker.log());
}
