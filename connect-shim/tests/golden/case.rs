//! A case: what is done to a database, and how the connector is configured meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::Value as Json;

use super::normalise::{difference, normalise};
use super::postgres::Postgres;
use super::worker::Worker;

/// How it begins when a server cannot run a case's script.
pub(crate) const REFUSED: &str = "the server refuses the script";

/// A case on disk: `NAME.case.json`, `NAME.sql` and `NAME.jsonl`.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    path: PathBuf,
    pub(crate) name: String,
    json: Json,
}

impl Case {
    /// All cases of a directory.
    pub(crate) fn all(directory: &Path) -> Vec<Self> {
        let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
        let mut cases: Vec<Self> = files
            .filter(|path| path.to_string_lossy().ends_with(".case.json"))
            .map(|path| {
                let json: Json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                Self { name: json["name"].as_str().unwrap().to_owned(), path, json }
            })
            .collect();
        cases.sort_by(|one, other| one.name.cmp(&other.name));
        cases
    }

    fn sibling(&self, extension: &str) -> PathBuf {
        self.path.with_file_name(format!("{}.{extension}", self.name))
    }

    /// The script stands beside the case, or in a tree of scripts beside the tree of cases.
    pub(crate) fn script(&self) -> String {
        let beside = self.sibling("sql");
        if let Ok(text) = std::fs::read_to_string(&beside) {
            return text;
        }
        let kind = self.path.parent().unwrap().file_name().unwrap();
        let path = self.path.ancestors().nth(3).unwrap().join("sql").join(kind).join(format!("{}.sql", self.name));
        std::fs::read_to_string(path).unwrap()
    }

    fn golden(&self) -> Vec<Json> {
        let text = match std::fs::read_to_string(self.sibling("jsonl")) {
            Ok(text) => text,
            Err(_) => {
                let output =
                    std::process::Command::new("gzip").arg("-dc").arg(self.sibling("jsonl.gz")).output().unwrap();
                String::from_utf8(output.stdout).unwrap()
            }
        };
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn properties(&self, postgres: &Postgres) -> BTreeMap<String, String> {
        let name = &self.name;
        let slot = format!("s_{name}");
        let mut more = vec![("topic.prefix", &**name), ("slot.name", &slot), ("publication.name", "dbz_publication")];
        let own = self.json["config"].as_object().unwrap().iter();
        more.extend(own.map(|(name, value)| (&**name, value.as_str().unwrap())));
        postgres.connector(&format!("g_{name}"), &more)
    }

    /// Replays the case; what comes back are the first differences.
    pub(crate) async fn replay(&self, postgres: &Postgres) -> Result<(), String> {
        let database = format!("g_{}", self.name);
        postgres.psql("postgres", &format!("create database \"{database}\""));
        postgres.psql("postgres", &format!("alter database \"{database}\" set timezone to 'UTC'"));
        let mut worker = Worker::new(self.properties(postgres));
        self.play(postgres, &database, &mut worker).await?;
        // A large transaction is seen at its end, before which all may seem quiet.
        let (expected, until) = (self.golden().len(), Instant::now() + Duration::from_secs(30));
        while worker.stored().records.len() < expected && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.quiet(&mut worker, 1).await?;
        let failure = worker.stop().await.err();
        let records: Vec<_> = {
            let topics = Regex::new(&format!("^(?:{})$", self.json["topics"].as_str().unwrap())).unwrap();
            worker.stored().records.iter().filter(|record| topics.is_match(&record.topic)).cloned().collect()
        };
        let got = normalise(&records, self.json["signal"].as_str(), self.json["collapse"].as_str());
        let slot = format!(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = 's_{}'",
            self.name
        );
        postgres.psql("postgres", &slot);
        if let Some(failure) = failure {
            return Err(format!("the task failed: {failure}"));
        }
        if let Some(dir) = std::env::var_os("GOLDEN_WRITE") {
            let lines: Vec<String> = got.iter().map(Json::to_string).collect();
            std::fs::write(Path::new(&dir).join(format!("{}.jsonl", self.name)), lines.join("\n") + "\n").unwrap();
        }
        compare(&self.golden(), &got)
    }

    async fn play(&self, postgres: &Postgres, database: &str, worker: &mut Worker) -> Result<(), String> {
        let script = self.script();
        let heading = Regex::new(r"(?m)^-- @(pre|stream|action)\b *(.*)$").unwrap();
        let headings: Vec<_> = heading.captures_iter(&script).collect();
        let mut started = false;
        for (at, found) in headings.iter().enumerate() {
            let end = headings.get(at + 1).map_or(script.len(), |next| next.get(0).unwrap().start());
            let body = &script[found.get(0).unwrap().end()..end];
            if &found[1] != "pre" && !started {
                self.start(postgres, worker).await?;
                started = true;
            }
            if &found[1] == "action" {
                self.act(found[2].trim(), postgres, worker).await?;
            }
            if !body.trim().is_empty() {
                postgres.try_psql(database, body).map_err(|error| format!("{REFUSED}: {error}"))?;
            }
        }
        if !started {
            self.start(postgres, worker).await?;
        }
        self.quiet(worker, if self.json["slow"].as_bool().unwrap_or(false) { 3 } else { 1 }).await
    }

    async fn act(&self, action: &str, postgres: &Postgres, worker: &mut Worker) -> Result<(), String> {
        let (what, rest) = action.split_once(' ').unwrap_or((action, ""));
        match what {
            "stop" | "pause" => {
                self.quiet(worker, 1).await?;
                worker.stop().await.map_err(|error| error.to_string())
            }
            "resume" => self.start(postgres, worker).await,
            "restart" | "put" => {
                self.quiet(worker, 1).await?;
                worker.stop().await.map_err(|error| error.to_string())?;
                if what == "put" {
                    worker.change(serde_json::from_str(rest).unwrap());
                }
                self.start(postgres, worker).await
            }
            "wait" => {
                tokio::time::sleep(Duration::from_secs_f64(rest.parse().unwrap())).await;
                Ok(())
            }
            "quiet" => self.quiet(worker, 1).await,
            other => panic!("no such action: {other}"),
        }
    }

    async fn start(&self, postgres: &Postgres, worker: &mut Worker) -> Result<(), String> {
        worker.start();
        let streaming = format!(
            "select 1 from pg_stat_replication r join pg_replication_slots s on s.active_pid = r.pid \
             where s.slot_name = 's_{}' and r.state = 'streaming'",
            self.name
        );
        let until = Instant::now() + Duration::from_secs(30);
        while self.json["no_stream"] != true && postgres.psql("postgres", &streaming).is_empty() {
            if let Some(failure) = worker.failure().await {
                return Err(format!("the task failed: {failure}"));
            }
            assert!(Instant::now() < until, "{}: the connector does not stream", self.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.quiet(worker, 1).await
    }

    /// Waits until nothing more comes, in units of 300 ms.
    async fn quiet(&self, worker: &mut Worker, units: u32) -> Result<(), String> {
        let (mut seen, mut since) = (usize::MAX, Instant::now());
        let until = Instant::now() + Duration::from_secs(60);
        while since.elapsed() < Duration::from_millis(300) * units && Instant::now() < until {
            let count = worker.stored().records.len();
            if count != seen {
                (seen, since) = (count, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        match worker.failure().await {
            Some(failure) => Err(format!("the task failed: {failure}")),
            None => Ok(()),
        }
    }
}

fn compare(golden: &[Json], got: &[Json]) -> Result<(), String> {
    let mut differences = Vec::new();
    for (at, (golden, got)) in golden.iter().zip(got).enumerate() {
        if let Some(found) = difference(golden, got, "") {
            differences.push(format!("  record {at} of {}: {found}", golden["topic"]));
        }
    }
    if golden.len() != got.len() {
        differences.push(format!("  {} records, got {}", golden.len(), got.len()));
    }
    differences.truncate(8);
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}
