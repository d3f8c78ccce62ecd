//! A database under load, and the tables that a reader of its events makes of them. Whatever is lost, told twice or out of
//! order does not fit what was told before.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::differential::Random;
use crate::log_client::LogClient;
use crate::postgres::Postgres;

/// The tables that change.
pub const TABLES: [&str; 2] = ["brief", "full_rows"];
/// How many write at a time.
const WRITERS: i32 = 3;
/// What an event says in place of a large value that its change left alone.
const UNAVAILABLE: &str = "__debezium_unavailable_value";

/// Sessions that change the tables until they are stopped or the server dies.
#[derive(Debug, Default)]
pub struct ChangeLoad {
    sessions: Vec<Child>,
}

impl ChangeLoad {
    /// Makes the tables, with rows.
    pub fn prepare(postgres: &Postgres) {
        postgres.execute(include_str!("change_load.sql"));
        for table in TABLES {
            postgres.execute(&format!(
                "insert into {table} select i, 0, 'first', 'small' from generate_series(1, 20000) i where i % 8 > {WRITERS}"
            ));
        }
    }

    /// Starts the sessions that have ended.
    pub fn keep_on(&mut self, postgres: &Postgres, random: &mut Random) {
        self.sessions.retain_mut(|session| session.try_wait().unwrap().is_none());
        if !self.sessions.is_empty() {
            return;
        }
        for writer in 0..WRITERS {
            let seed = f64::from(u32::try_from(random.below(1000)).unwrap()) / 1000.0;
            let mut command = postgres.psql();
            command.args(["-c", &format!("call work({writer}, {seed})")]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            self.sessions.push(command.spawn().unwrap());
        }
    }

    /// Ends them, whatever they are at.
    pub fn stop(&mut self, postgres: &Postgres) {
        let sql = "select pg_terminate_backend(pid, 10000) from pg_stat_activity where query like 'call work%'";
        postgres.execute(sql);
        for mut session in self.sessions.drain(..) {
            session.wait().unwrap();
        }
    }
}

impl Drop for ChangeLoad {
    fn drop(&mut self) {
        for session in &mut self.sessions {
            let _ = session.kill();
            let _ = session.wait();
        }
    }
}

/// A row beside its key: how often it was changed, its name, its large value.
pub type Row = (i64, String, String);

/// A table as its events tell it.
#[derive(Debug, Default)]
pub struct Retold {
    topic: String,
    /// The first offset that was not read yet.
    next: i64,
    /// Its rows.
    pub rows: BTreeMap<i64, Row>,
    /// How many events there were, tombstones among them.
    pub events: usize,
    /// A row that has changed its key: it is gone under the old one, and not yet there under the new one.
    last_deleted: Option<i64>,
}

impl Retold {
    /// The table of a topic with one partition.
    pub fn new(topic: String) -> Self {
        Self { topic, ..Self::default() }
    }

    /// Reads what has been committed since, and takes it in.
    ///
    /// # Panics
    /// If an event does not fit.
    pub fn follow(&mut self, bootstrap: &str) {
        let mut client = LogClient::connect(bootstrap);
        if client.topic_id(&self.topic).is_none() {
            return;
        }
        let (records, next) = client.read_committed_from(&self.topic, 0, self.next);
        self.next = next;
        for record in records {
            let json =
                |bytes: Option<&[u8]>| -> Value { bytes.map_or(Value::Null, |b| serde_json::from_slice(b).unwrap()) };
            let key = json(record.key.as_deref());
            self.take(record.offset, key["id"].as_i64().unwrap(), &json(record.value.as_deref()));
        }
    }

    fn take(&mut self, offset: i64, id: i64, event: &Value) {
        let at = || format!("{} at offset {offset}: row {id}, {event}", self.topic);
        self.events += 1;
        if event.is_null() {
            assert_eq!(self.last_deleted, Some(id), "a tombstone follows its deletion, {}", at());
            return;
        }
        let known = self.rows.get(&id);
        if event["before"].is_object() && event["before"]["name"].is_string() {
            assert_eq!(known, Some(&row(&event["before"], known)), "what was there before, {}", at());
        }
        let is_new = |changes: i64| assert_eq!((known, changes), (None, 0), "it was not there, {}", at());
        let after = &event["after"];
        match event["op"].as_str().unwrap() {
            "r" => assert_eq!(known, None, "{}", at()),
            // A row that comes from another key goes on counting.
            "c" if after["n"].as_i64() > Some(0) => {
                assert!(known.is_none() && self.last_deleted.is_some(), "{}", at());
            }
            "c" => is_new(after["n"].as_i64().unwrap()),
            "u" => {
                let before = known.unwrap_or_else(|| panic!("it was there, {}", at())).0;
                assert_eq!(after["n"].as_i64(), Some(before + 1), "one change after another, {}", at());
            }
            "d" => assert!(known.is_some(), "it was there, {}", at()),
            _ => panic!("an event of another kind, {}", at()),
        }
        if after.is_null() {
            self.last_deleted = Some(id);
            self.rows.remove(&id);
        } else {
            let row = row(after, known);
            self.rows.insert(id, row);
        }
    }

    /// Compares with the table itself.
    ///
    /// # Panics
    /// If they differ.
    pub fn check(&self, postgres: &Postgres, table: &str) {
        let text = postgres.execute(&format!("select id, n, name, large from {table}"));
        let rows = text.lines().map(|line| {
            let mut columns = line.split('\t');
            let mut column = || columns.next().unwrap();
            let (id, n) = (column().parse().unwrap(), column().parse().unwrap());
            (id, (n, column().to_owned(), column().to_owned()))
        });
        let rows: BTreeMap<i64, Row> = rows.collect();
        let missing: Vec<_> = rows.iter().filter(|(id, row)| self.rows.get(id) != Some(row)).take(3).collect();
        assert!(missing.is_empty(), "{table}: told otherwise or not: {missing:?}");
        let surplus: Vec<_> = self.rows.keys().filter(|id| !rows.contains_key(id)).take(3).collect();
        assert!(surplus.is_empty(), "{table}: told, and not there: {surplus:?}");
    }
}

fn row(json: &Value, known: Option<&Row>) -> Row {
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    let large = match (text("large"), known) {
        (large, Some((.., known))) if large == UNAVAILABLE => known.clone(),
        (large, _) => large,
    };
    (json["n"].as_i64().unwrap(), text("name"), large)
}
