//! A connector that goes from Brooklet to a stock Connect worker with Debezium and back again, on the same topics: each goes
//! on where the other one stopped, while the database is under load. What is told is the tables, each change once.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::capture::{postgres_config, put, task_state};
use brooklet_tests::change_load::{ChangeLoad, Retold, TABLES};
use brooklet_tests::connect::ConnectWorker;
use brooklet_tests::differential::Random;
use brooklet_tests::java;
use brooklet_tests::postgres::Postgres;
use brooklet_tests::wait_until;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(120);

struct HandOver {
    postgres: Postgres,
    broker: BrokerProcess,
    load: ChangeLoad,
    tables: [Retold; 2],
    marks: i64,
}

impl HandOver {
    fn follow(&mut self) -> usize {
        let bootstrap = self.broker.bootstrap();
        self.tables.iter_mut().for_each(|table| table.follow(&bootstrap));
        self.tables.iter().map(|table| table.events).sum()
    }

    /// Waits until events come that were not there.
    fn goes_on(&mut self, whose: &str) {
        let before = self.follow();
        wait_until(&format!("{whose} events come"), PATIENCE, || self.follow() > before + 100);
    }

    /// Lets the events come to their end, and compares.
    fn check(&mut self) {
        self.load.stop(&self.postgres);
        self.marks += 1;
        let mark = 1_000_000 + self.marks;
        for table in TABLES {
            self.postgres.execute(&format!("insert into {table} values ({mark}, 0, 'the last', '')"));
        }
        wait_until("the last event comes", PATIENCE, || {
            self.follow();
            self.tables.iter().all(|table| table.rows.contains_key(&mark))
        });
        for (table, retold) in TABLES.iter().zip(&self.tables) {
            retold.check(&self.postgres, table);
        }
    }
}

#[test]
#[ignore = "an application: scripts/test apps"]
fn each_goes_on_where_the_other_stopped() {
    let postgres = Postgres::start();
    ChangeLoad::prepare(&postgres);
    let broker = BrokerProcess::with_connect(&[]);
    let config = postgres_config(
        &postgres,
        "over",
        &[
            ("table.include.list", "public.brief,public.full_rows"),
            ("exactly.once.support", "required"),
            ("poll.interval.ms", "50"),
        ],
    );
    put(broker.connect(), "over", &config);
    let tables = TABLES.map(|table| Retold::new(format!("over.public.{table}")));
    let mut over = HandOver { postgres, broker, load: ChangeLoad::default(), tables, marks: 0 };
    let mut random = Random::new(7);
    over.load.keep_on(&over.postgres, &mut random);
    wait_until("the snapshot comes", PATIENCE, || over.follow() >= 20_000);
    over.goes_on("Brooklet's");

    // From Brooklet to a worker that finds everything in the topics.
    over.broker.stop();
    over.broker.run_connectors(false);
    over.broker.start_again();
    let dir = TempDir::with_prefix("hand-over-").unwrap();
    let own = ["group.id=connect-cluster", "offset.storage.partitions=25"];
    let mut worker =
        ConnectWorker::start_with(&over.broker.bootstrap(), dir.path(), &[java::installed("debezium")], &own);
    worker.rest().wait_until_running("over");
    over.goes_on("the worker's");
    over.check();
    over.load.keep_on(&over.postgres, &mut random);
    over.goes_on("the worker's");

    // And back.
    worker.stop();
    over.broker.stop();
    over.broker.run_connectors(true);
    over.broker.start_again();
    wait_until("the task runs", PATIENCE, || task_state(over.broker.connect(), "over").0 == "RUNNING");
    over.goes_on("Brooklet's");
    over.check();
    let log = worker.log();
    assert!(!log.contains("Unrecoverable exception"), "{log}");
}
