//! Apache Kafka itself, one node, from the jars of `scripts/setup kafka`: what every story is held against.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::broker::free_port;
use crate::java::{self, JavaProcess};

/// How long a start may take on a machine that does much else.
const START: Duration = Duration::from_secs(60);

/// A stock broker with a directory and ports that stay the same when it is started again.
#[derive(Debug)]
pub struct ApacheKafka {
    process: Option<JavaProcess>,
    dir: TempDir,
    server_properties: PathBuf,
    port: u16,
}

impl ApacheKafka {
    /// Formats a directory and starts a broker on it, with further properties.
    pub fn start(properties: &[&str]) -> Self {
        Self::start_listening(&[], properties)
    }

    /// The same with further listeners, such as `SASL_SSL://127.0.0.1:9096`.
    pub fn start_listening(listeners: &[&str], properties: &[&str]) -> Self {
        let dir = TempDir::with_prefix("apache-kafka-test-").unwrap();
        let port = free_port();
        let server_properties = prepare_listening(dir.path(), port, free_port(), listeners, properties);
        let mut kafka = Self { process: None, dir, server_properties, port };
        kafka.start_again();
        kafka
    }

    /// `host:port` for clients.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Starts the broker after it was stopped or killed, and waits until clients can connect.
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "the broker runs already");
        let mut command = java::command(&java::class_path(&["kafka"]), "384m", "kafka.Kafka");
        command.arg(&self.server_properties);
        let mut process = JavaProcess::start(command, &self.dir.path().join("log"));
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(process.ended().is_none(), "Apache Kafka ended: {}", process.output());
            assert!(begun.elapsed() < START, "Apache Kafka does not listen: {}", process.output());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.process = Some(process);
    }

    /// Stops the broker in order.
    pub fn stop(&mut self) {
        self.process.take().expect("the broker runs").stop();
    }

    /// Kills the broker as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.take().expect("the broker runs").kill();
    }
}

/// Writes the properties of one node that is broker and controller, with further ones, and formats its directory `data`
/// below `dir`. Returns where the properties are.
///
/// # Panics
/// If Apache Kafka does not format it.
pub fn prepare(dir: &Path, port: u16, controller: u16, properties: &[&str]) -> PathBuf {
    prepare_listening(dir, port, controller, &[], properties)
}

fn prepare_listening(dir: &Path, port: u16, controller: u16, listeners: &[&str], properties: &[&str]) -> PathBuf {
    let own = [format!("PLAINTEXT://127.0.0.1:{port}"), format!("CONTROLLER://127.0.0.1:{controller}")];
    let listeners = own.iter().map(String::as_str).chain(listeners.iter().copied()).collect::<Vec<_>>().join(",");
    let mut lines = vec![
        "process.roles=broker,controller".to_owned(),
        "node.id=1".to_owned(),
        format!("controller.quorum.bootstrap.servers=127.0.0.1:{controller}"),
        format!("listeners={listeners}"),
        format!("advertised.listeners={listeners}"),
        "controller.listener.names=CONTROLLER".to_owned(),
        format!("log.dirs={}", dir.join("data").display()),
        // One node, and no waiting for members that might come.
        "offsets.topic.replication.factor=1".to_owned(),
        "transaction.state.log.replication.factor=1".to_owned(),
        "transaction.state.log.min.isr=1".to_owned(),
        "share.coordinator.state.topic.replication.factor=1".to_owned(),
        "share.coordinator.state.topic.min.isr=1".to_owned(),
        "group.initial.rebalance.delay.ms=0".to_owned(),
    ];
    lines.extend(properties.iter().map(|property| (*property).to_owned()));
    let path = dir.join("server.properties");
    std::fs::write(&path, lines.join("\n")).unwrap();
    let mut command = java::command(&java::class_path(&["kafka"]), "128m", "kafka.tools.StorageTool");
    command.args(["format", "--standalone", "--cluster-id", "4L6g3nShT-eMCtK--X86sw", "--config"]).arg(&path);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    path
}
