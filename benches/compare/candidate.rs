//! The brokers that are compared, each started as its users start it.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use brooklet_tests::broker::{binary, free_port, signal};
use brooklet_tests::wire::WireClient;
use brooklet_tests::{apache_kafka, java, process};
use rustix::process::Signal;
use tempfile::TempDir;

/// How long a broker may take to answer.
const START: Duration = Duration::from_secs(90);

/// What is started.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// The built binary with its defaults.
    Brooklet,
    /// One node in KRaft mode, as the Bitnami chart and `kafka-server-start.sh` run it.
    ApacheKafka {
        name: &'static str,
        heap: &'static [&'static str],
        /// Whether throughput is asked of it, or only what costs little time: a smaller heap does not change what the rows of
        /// the one with the usual heap say, save its memory.
        under_load: bool,
    },
    /// franz-go's kfake on disk, in a small main of ours.
    Kfake,
    /// noida-db's Kafka, from its wheel.
    Noida,
    /// Tansu in memory, from a wheel that carries it.
    Tansu,
}

/// A broker to compare.
#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    kind: Kind,
}

impl Candidate {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind }
    }

    /// The light brokers that are installed.
    pub(crate) fn installed_peers() -> Vec<Self> {
        let kinds = [Kind::Kfake, Kind::Noida, Kind::Tansu];
        let installed = kinds.into_iter().filter(|kind| peer(*kind).is_some_and(|path| path.exists()));
        installed.map(Self::new).collect()
    }

    /// Its name in tables.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Brooklet => "Brooklet",
            Kind::ApacheKafka { name, .. } => name,
            Kind::Kfake => "kfake on disk",
            Kind::Noida => "noida-db",
            Kind::Tansu => "Tansu in memory",
        }
    }

    /// Whether throughput is asked of it.
    pub(crate) fn under_load(&self) -> bool {
        !matches!(self.kind, Kind::ApacheKafka { under_load: false, .. })
    }

    /// Starts it on a fresh directory and waits for the first acknowledged record.
    pub(crate) fn start(&self) -> Running {
        let dir = TempDir::with_prefix("comparison-").unwrap();
        let mut running =
            Running { candidate: *self, dir, port: free_port(), second_port: free_port(), child: None, first_ack: 0.0 };
        running.prepare();
        running.start_again();
        running
    }
}

/// A broker that runs on a directory and a port of its own.
pub(crate) struct Running {
    candidate: Candidate,
    dir: TempDir,
    port: u16,
    second_port: u16,
    child: Option<Child>,
    /// Milliseconds from exec to the first acknowledged record.
    pub(crate) first_ack: f64,
}

impl Running {
    pub(crate) fn name(&self) -> &'static str {
        self.candidate.name()
    }

    /// Whether it is one of the light brokers.
    pub(crate) fn is_peer(&self) -> bool {
        peer(self.candidate.kind).is_some()
    }

    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Whether its process has not ended by itself.
    pub(crate) fn is_alive(&self) -> bool {
        process::is_alive(self.pid())
    }

    /// Starts it after it was stopped, until a record is acknowledged.
    pub(crate) fn start_again(&mut self) {
        let mut command = self.command();
        let output = File::options().create(true).append(true).open(self.dir.path().join("output")).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let begun = Instant::now();
        let child = self.child.insert(command.spawn().unwrap());
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        loop {
            assert!(child.try_wait().unwrap().is_none(), "it ended: {}", said(self.dir.path()));
            assert!(begun.elapsed() < START, "it does not answer: {}", said(self.dir.path()));
            match WireClient::connect(address).and_then(|mut client| client.write_first("first")) {
                Ok(()) => break,
                // One core is left to the broker.
                Err(_) => std::thread::yield_now(),
            }
        }
        self.first_ack = begun.elapsed().as_secs_f64() * 1000.0;
    }

    /// Stops it in order.
    pub(crate) fn stop(&mut self) {
        signal(self.pid(), Signal::TERM);
        self.child.take().unwrap().wait().unwrap();
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn prepare(&self) {
        if let Kind::ApacheKafka { .. } = self.candidate.kind {
            apache_kafka::prepare(self.dir.path(), self.port, self.second_port, &[]);
        }
    }

    fn command(&self) -> Command {
        let data = self.dir.path().join("data");
        match self.candidate.kind {
            Kind::Brooklet => {
                let mut command = Command::new(binary());
                command.env_clear().args(["--listen", &self.bootstrap(), "--connect", "off", "--data-dir"]).arg(data);
                command.args(["--admin", &format!("127.0.0.1:{}", self.second_port)]);
                command
            }
            Kind::ApacheKafka { heap, .. } => {
                let mut command = Command::new("java");
                // As kafka-server-start.sh and kafka-run-class.sh have it.
                command.args(heap).args(["-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]);
                command.args(["-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"]);
                command.args(["-Djava.awt.headless=true", "-cp", &java::class_path(&["kafka"]), "kafka.Kafka"]);
                command.arg(self.dir.path().join("server.properties"));
                command
            }
            Kind::Kfake => {
                let mut command = Command::new(peer(Kind::Kfake).unwrap());
                command.args(["-port", &self.port.to_string(), "-data-dir"]).arg(data);
                command
            }
            Kind::Noida => {
                let mut command = Command::new(peer(Kind::Noida).unwrap());
                command
                    .args(["start", "--only", "kafka", "--kafka-port", &self.port.to_string(), "--data-dir"])
                    .arg(data);
                command
            }
            Kind::Tansu => {
                let mut command = Command::new(peer(Kind::Tansu).unwrap());
                let url = format!("tcp://{}/", self.bootstrap());
                command.args(["broker", "--storage-engine", "memory://tansu/", "--listener-url", &url]);
                command.args(["--advertised-listener-url", &url]);
                command
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn said(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("output")).unwrap_or_default()
}

/// Where a peer's program is, if it is one.
fn peer(kind: Kind) -> Option<PathBuf> {
    let tools = brooklet_tests::root().join(".tools");
    match kind {
        Kind::Kfake => Some(tools.join("bin/kfake")),
        Kind::Noida => Some(tools.join("peers/bin/noida-db")),
        Kind::Tansu => Some(tools.join("peers/bin/tansu")),
        _ => None,
    }
}
