//! `kill -9` of the broker, of PostgreSQL, of both, and of the connection between them, again and again, at moments drawn
//! from a seed, while changes are captured: the tables that their events tell are the tables, no event is there twice or out
//! of order, and nothing of what was rolled back is seen.
//!
//! `CRASH_ROUNDS` and `CRASH_SEED` set how often and when (`just change-crash rounds="100"`).
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use brooklet_tests::broker::BrokerProcess;
use brooklet_tests::capture::{postgres_config, put};
use brooklet_tests::change_load::{ChangeLoad, Retold, TABLES};
use brooklet_tests::differential::Random;
use brooklet_tests::log_client::LogClient;
use brooklet_tests::postgres::Postgres;

/// Rounds in the gate.
const ROUNDS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(60);
/// What dies is killed at most so much later than it was seen at work.
const LONGEST_MS: usize = 400;

/// Who dies.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Broker,
    Postgres,
    Both,
    Connection,
}

struct Crash {
    random: Random,
    broker: BrokerProcess,
    postgres: Postgres,
    load: ChangeLoad,
    tables: [Retold; 2],
}

impl Crash {
    fn start(random: Random) -> Self {
        let postgres = Postgres::start();
        ChangeLoad::prepare(&postgres);
        let broker = BrokerProcess::with_connect(&[]);
        let tables = [("table.include.list", "public.brief,public.full_rows")];
        put(broker.connect(), "crash", &postgres_config(&postgres, "crash", &tables));
        let tables = TABLES.map(|table| Retold::new(format!("crash.public.{table}")));
        Self { random, broker, postgres, load: ChangeLoad::default(), tables }
    }

    fn round(&mut self) {
        self.load.keep_on(&self.postgres, &mut self.random);
        // Now and then the next blow comes while they still get up.
        if !self.random.once_in(4) {
            self.wait_for_events();
        }
        std::thread::sleep(Duration::from_millis(self.random.below(LONGEST_MS) as u64));
        let pause = Duration::from_millis(self.random.below(300) as u64);
        match self.random.of(&[Victim::Broker, Victim::Postgres, Victim::Both, Victim::Connection]) {
            Victim::Broker => {
                self.broker.kill();
                std::thread::sleep(pause);
                self.broker.start_again();
            }
            Victim::Postgres => {
                self.postgres.kill();
                std::thread::sleep(pause);
                self.postgres.start_again();
            }
            Victim::Both => {
                self.broker.kill();
                self.postgres.kill();
                if self.random.once_in(2) {
                    self.broker.start_again();
                    std::thread::sleep(pause);
                    self.postgres.start_again();
                } else {
                    self.postgres.start_again();
                    self.broker.start_again();
                }
            }
            Victim::Connection => {
                self.postgres.execute("select pg_terminate_backend(active_pid) from pg_replication_slots where active");
            }
        }
        self.follow();
    }

    fn follow(&mut self) {
        let bootstrap = self.broker.bootstrap();
        self.tables.iter_mut().for_each(|table| table.follow(&bootstrap));
    }

    /// Waits until events come that were not there.
    fn wait_for_events(&mut self) {
        let mut client = LogClient::connect(&self.broker.bootstrap());
        let mut end = |topic: &str| {
            let fetched = client.fetch(topic, 0, 0, 1, false);
            if fetched.error == 0 { fetched.high_watermark } else { 0 }
        };
        let before = end("crash.public.brief");
        let begun = Instant::now();
        while end("crash.public.brief") == before {
            let status = || self.broker.connect().request("GET", "/connectors/crash/status", "");
            assert!(begun.elapsed() < PATIENCE, "no events come: {:?}", status());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Lets the events come to their end, and compares.
    fn check(&mut self) {
        self.load.stop(&self.postgres);
        let mark = 1_000_000 + i64::try_from(self.tables[0].events).unwrap();
        for table in TABLES {
            self.postgres.execute(&format!("insert into {table} values ({mark}, 0, 'the last', '')"));
        }
        let begun = Instant::now();
        while !self.tables.iter().all(|table| table.rows.contains_key(&mark)) {
            let status = || self.broker.connect().request("GET", "/connectors/crash/status", "");
            assert!(begun.elapsed() < PATIENCE, "the last event does not come: {:?}", status());
            std::thread::sleep(Duration::from_millis(50));
            self.follow();
        }
        for (table, retold) in TABLES.iter().zip(&self.tables) {
            retold.check(&self.postgres, table);
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn no_change_is_lost_or_doubled_by_kill_9() {
    let rounds = usize::try_from(number("CRASH_ROUNDS", ROUNDS as u64)).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = number("CRASH_SEED", now);
    eprintln!("CRASH_SEED={seed}");
    let mut crash = Crash::start(Random::new(seed));
    let begun = Instant::now();
    for round in 1..=rounds {
        crash.round();
        if round % 10 == 0 {
            crash.check();
            let events: usize = crash.tables.iter().map(|table| table.events).sum();
            eprintln!("{round} rounds in {:.0} s, {events} events", begun.elapsed().as_secs_f64());
        }
    }
    crash.check();
    let events: usize = crash.tables.iter().map(|table| table.events).sum();
    eprintln!("{rounds} rounds in {:.0} s, {events} events", begun.elapsed().as_secs_f64());
}
