//! Real clients, each through its driver (`tests/clients/README.md`).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How long a member may take to leave its group.
const LEAVE: Duration = Duration::from_secs(60);

/// What a client says of itself.
#[derive(Debug, Clone, Deserialize)]
pub struct Abilities {
    /// Its version.
    pub version: String,
    /// The compressions it can write.
    pub compressions: Vec<String>,
    /// Whether it can be an idempotent producer.
    pub idempotent: bool,
    /// Whether it can write headers.
    pub headers: bool,
    /// Whether it can write timestamps.
    pub timestamps: bool,
    /// Whether it can be in a consumer group.
    pub groups: bool,
    /// Whether a header's name may occur more than once.
    #[serde(default = "yes")]
    pub duplicate_headers: bool,
}

fn yes() -> bool {
    true
}

/// A record as a client shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ShownRecord {
    /// Partition.
    pub p: i32,
    /// Offset.
    pub o: i64,
    /// Key.
    pub k: Option<String>,
    /// Value.
    pub v: Option<String>,
    /// Headers.
    pub h: Vec<(String, String)>,
    /// Timestamp.
    pub t: i64,
}

/// What a member of a group says.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum MemberEvent {
    /// It has got partitions.
    Assigned {
        /// All that it owns now.
        assigned: Vec<i32>,
        /// Milliseconds since it subscribed.
        ms: f64,
    },
    /// Partitions are taken from it.
    Revoked {
        /// Which.
        #[allow(dead_code)]
        revoked: Vec<i32>,
    },
    /// The broker has accepted a commit.
    Committed {
        /// The next offset to read, by partition.
        committed: BTreeMap<String, i64>,
    },
    /// It has committed a transaction.
    Copied {
        /// With so many records.
        copied: usize,
    },
    /// It knows how a transaction has ended.
    Ended {
        /// Its number.
        transaction: i64,
        /// Whether it was committed.
        committed: bool,
    },
    /// It was given a record.
    Record(ShownRecord),
}

/// A client, by the name of its driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(pub &'static str);

impl Client {
    fn command(self, args: &[&str]) -> Command {
        let mut command = Command::new(crate::root().join("scripts/client"));
        command.arg(self.0).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// If the driver says that something went wrong.
    pub fn run(self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert!(
            output.status.success(),
            "{} {args:?} ended with {}: {}",
            self.0,
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command in the background.
    pub fn begin(self, args: &[&str]) -> Running {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let thread = std::thread::spawn(move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            self.run(&args)
        });
        Running { thread }
    }

    /// What it can do.
    pub fn abilities(self) -> Abilities {
        lines(&self.run(&["versions"])).remove(0)
    }

    /// Reads a topic from the beginning: so many records.
    pub fn consume(self, bootstrap: &str, topic: &str, partitions: i32, count: usize) -> Vec<ShownRecord> {
        lines(&self.run(&["consume", bootstrap, topic, &partitions.to_string(), &count.to_string()]))
    }

    /// Writes transactions until it is told to stop, or cannot go on: `transact BOOTSTRAP TOPIC PARTITIONS
    /// TRANSACTIONAL_ID FIRST`.
    pub fn transact(self, bootstrap: &str, topic: &str, partitions: i32, id: &str, first: i64) -> Member {
        Member::begin(self, &["transact", bootstrap, topic, &partitions.to_string(), id, &first.to_string()])
    }

    /// Joins a group.
    pub fn join(self, bootstrap: &str, topic: &str, group: &str, session_timeout_ms: Option<u32>) -> Member {
        let timeout = session_timeout_ms.map(|ms| ms.to_string());
        let mut args = vec!["group", bootstrap, topic, group];
        args.extend(timeout.as_deref());
        Member::begin(self, &args)
    }

    /// Joins a group in this protocol, `classic` or `consumer` (KIP-848); in the latter the timeout is the broker's.
    pub fn join_by(self, bootstrap: &str, topic: &str, group: &str, session_ms: u32, protocol: &str) -> Member {
        Member::begin(self, &["group", bootstrap, topic, group, &session_ms.to_string(), protocol])
    }
}

/// A copier: a member of a group that writes what it reads, exactly once, in transactions.
#[derive(Debug)]
pub struct Copier {
    client: Client,
    args: Vec<String>,
    member: Member,
    /// How often it was started again because it could not go on.
    pub restarts: usize,
    /// How often that may be.
    pub patience: usize,
}

impl Copier {
    /// Starts one: `copy BOOTSTRAP FROM TO GROUP TRANSACTIONAL_ID`.
    pub fn start(client: Client, args: &[&str]) -> Self {
        let args: Vec<String> = ["copy"].iter().chain(args).map(|arg| (*arg).to_owned()).collect();
        let member = Self::member(client, &args);
        Self { client, args, member, restarts: 0, patience: 20 }
    }

    fn member(client: Client, args: &[String]) -> Member {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Member::begin(client, &args)
    }

    /// How many records it has copied in this life, and committed.
    pub fn copied(&self) -> usize {
        let copied = |event: &MemberEvent| if let MemberEvent::Copied { copied } = event { *copied } else { 0 };
        self.member.events().iter().map(copied).sum()
    }

    /// Starts it again if it ended, as whoever runs such a program does.
    ///
    /// # Panics
    /// If it ends again and again.
    pub fn watch(&mut self) {
        if self.member.child.try_wait().unwrap().is_some() {
            let said = locked(&self.member.diagnostics).clone();
            assert!(self.restarts < self.patience, "{} ends again and again: {said}", self.client.0);
            eprintln!("{} is started again, which ended with: {said}", self.client.0);
            self.restarts += 1;
            self.member = Self::member(self.client, &self.args);
        }
    }

    /// Kills it as `kill -9` does, and starts it again.
    pub fn kill_and_start_again(&mut self) {
        self.member.kill();
        self.member = Self::member(self.client, &self.args);
    }
}

/// A command in the background.
#[derive(Debug)]
pub struct Running {
    thread: JoinHandle<String>,
}

impl Running {
    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What it said if that was not a good one.
    pub fn outcome(self) -> Result<String, String> {
        self.thread.join().map_err(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default())
    }

    /// Waits for its end, which must be a good one.
    pub fn finish(self) -> String {
        match self.thread.join() {
            Ok(output) => output,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// A member of a group, in a process of its own.
#[derive(Debug)]
pub struct Member {
    child: Child,
    stdin: Option<ChildStdin>,
    events: Arc<Mutex<Vec<MemberEvent>>>,
    diagnostics: Arc<Mutex<String>>,
}

impl Member {
    fn begin(client: Client, args: &[&str]) -> Self {
        let mut child = client.command(args).spawn().unwrap();
        let stdin = child.stdin.take();
        let events = Arc::new(Mutex::new(Vec::new()));
        let diagnostics = Arc::new(Mutex::new(String::new()));
        let out = BufReader::new(child.stdout.take().unwrap());
        let seen = Arc::clone(&events);
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                locked(&seen).push(event);
            }
        });
        let err = BufReader::new(child.stderr.take().unwrap());
        let said = Arc::clone(&diagnostics);
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                locked(&said).push_str(&(line + "\n"));
            }
        });
        Self { child, stdin, events, diagnostics }
    }

    /// What it has said so far.
    pub fn events(&self) -> Vec<MemberEvent> {
        locked(&self.events).clone()
    }

    /// What it owns, as it last said.
    pub fn assigned(&self) -> Vec<i32> {
        let events = locked(&self.events);
        let last = events.iter().rev().find_map(|event| match event {
            MemberEvent::Assigned { assigned, .. } => Some(assigned.clone()),
            _ => None,
        });
        last.unwrap_or_default()
    }

    /// Milliseconds from its subscription to the first partition it got.
    pub fn first_assigned_ms(&self) -> Option<f64> {
        let events = locked(&self.events);
        events.iter().find_map(|event| match event {
            MemberEvent::Assigned { assigned, ms } if !assigned.is_empty() => Some(*ms),
            _ => None,
        })
    }

    /// The records it was given, in order.
    pub fn records(&self) -> Vec<ShownRecord> {
        let events = locked(&self.events);
        let records = events.iter().filter_map(|event| match event {
            MemberEvent::Record(record) => Some(record.clone()),
            _ => None,
        });
        records.collect()
    }

    /// What it said last before it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().unwrap().map(|_| locked(&self.diagnostics).clone())
    }

    /// Takes what it has said since this was last called.
    pub fn take_events(&mut self) -> Vec<MemberEvent> {
        std::mem::take(&mut *locked(&self.events))
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Lets it leave the group and waits for its end, which must be a good one.
    pub fn leave(&mut self) {
        drop(self.stdin.take());
        let mut status = None;
        crate::wait_until("a member leaves", LEAVE, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.expect("it has ended");
        assert!(status.success(), "a member ended with {status}: {}", locked(&self.diagnostics));
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- a member's diagnostics\n{}", locked(&self.diagnostics));
        }
    }
}

/// Whoever panicked while holding it left a whole value, and is told of elsewhere.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lines<T: DeserializeOwned>(output: &str) -> Vec<T> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    output.lines().map(parse).collect()
}
