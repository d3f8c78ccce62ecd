//! Kafka Connect: the stock distributed worker.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::broker::free_port;
use crate::connect_rest::ConnectRest;
use crate::java::{self, JavaProcess};

/// How long a worker may take to answer.
const START: Duration = Duration::from_secs(120);

/// What is enough for a test: a small heap, and the quick compiler only.
const SMALL: &[&str] = &["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// What `connect-distributed.sh` and `kafka-run-class.sh` give it.
const AS_SHIPPED: &[&str] = &[
    "-Xms256M",
    "-Xmx2G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
];

/// A worker that keeps its directory and its port when it is started again.
#[derive(Debug)]
pub struct ConnectWorker {
    process: Option<JavaProcess>,
    options: &'static [&'static str],
    dir: PathBuf,
    rest: ConnectRest,
}

impl ConnectWorker {
    /// Starts a worker for exactly-once sources, with its three topics and its output in `dir`, and waits until it
    /// answers. `plugins` are directories of plugins.
    pub fn start(bootstrap: &str, dir: &Path, plugins: &[PathBuf]) -> Self {
        Self::start_with(bootstrap, dir, plugins, &[])
    }

    /// The same, with further properties, which stand above the others.
    pub fn start_with(bootstrap: &str, dir: &Path, plugins: &[PathBuf], more: &[&str]) -> Self {
        Self::start_on(SMALL, bootstrap, dir, plugins, more)
    }

    /// The same as its users run it, to be measured: with the virtual machine's options of its own scripts.
    pub fn start_as_shipped(bootstrap: &str, dir: &Path, plugins: &[PathBuf], more: &[&str]) -> Self {
        Self::start_on(AS_SHIPPED, bootstrap, dir, plugins, more)
    }

    fn start_on(
        options: &'static [&'static str],
        bootstrap: &str,
        dir: &Path,
        plugins: &[PathBuf],
        more: &[&str],
    ) -> Self {
        let port = free_port();
        let plugins: Vec<_> = plugins.iter().map(|path| path.display().to_string()).collect();
        let mut properties = vec![
            format!("bootstrap.servers={bootstrap}"),
            format!("listeners=http://127.0.0.1:{port}"),
            "plugin.discovery=service_load".to_owned(),
            "group.id=connect".to_owned(),
            "config.storage.topic=connect-configs".to_owned(),
            "offset.storage.topic=connect-offsets".to_owned(),
            "status.storage.topic=connect-status".to_owned(),
            "config.storage.replication.factor=1".to_owned(),
            "offset.storage.replication.factor=1".to_owned(),
            "offset.storage.partitions=3".to_owned(),
            "status.storage.replication.factor=1".to_owned(),
            "status.storage.partitions=1".to_owned(),
            "exactly.once.source.support=enabled".to_owned(),
            "key.converter=org.apache.kafka.connect.storage.StringConverter".to_owned(),
            "value.converter=org.apache.kafka.connect.storage.StringConverter".to_owned(),
            "offset.flush.interval.ms=500".to_owned(),
            "scheduled.rebalance.max.delay.ms=0".to_owned(),
            "consumer.isolation.level=read_committed".to_owned(),
        ];
        if !plugins.is_empty() {
            properties.push(format!("plugin.path={}", plugins.join(",")));
        }
        properties.extend(more.iter().map(|property| (*property).to_owned()));
        std::fs::write(dir.join("worker.properties"), properties.join("\n")).unwrap();
        let mut worker = Self { process: None, options, dir: dir.to_owned(), rest: ConnectRest { port } };
        worker.start_again();
        worker
    }

    /// Starts the worker after it was killed, and waits until it answers.
    pub fn start_again(&mut self) {
        let class_path = java::class_path(&["connect"]);
        let mut command =
            java::command_with(self.options, &class_path, "org.apache.kafka.connect.cli.ConnectDistributed");
        command.arg(self.dir.join("worker.properties"));
        self.process = Some(JavaProcess::start(command, &self.dir.join("worker.log")));
        crate::wait_until("the worker answers", START, || {
            let process = self.process.as_mut().expect("it was started");
            assert!(process.ended().is_none(), "the worker ended: {}", process.output());
            self.rest.request("GET", "/connectors", "").is_some_and(|(status, _)| status == 200)
        });
    }

    /// Kills the worker as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.take().expect("the worker runs").kill();
    }

    /// Stops the worker in order.
    pub fn stop(&mut self) {
        self.process.take().expect("the worker runs").stop();
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the worker runs").pid()
    }

    /// What the worker has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("worker.log")).unwrap_or_default()
    }

    /// Its REST API.
    pub fn rest(&self) -> ConnectRest {
        self.rest
    }
}
