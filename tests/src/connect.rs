//! Kafka Connect: the stock distributed worker, and its REST API as far as a test needs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::broker::free_port;
use crate::java::{self, JavaProcess};

/// How long a worker may take to answer, and a connector to run.
const START: Duration = Duration::from_secs(120);

/// A worker that keeps its directory and its port when it is started again.
#[derive(Debug)]
pub struct ConnectWorker {
    process: Option<JavaProcess>,
    dir: PathBuf,
    port: u16,
}

impl ConnectWorker {
    /// Starts a worker for exactly-once sources, with its three topics and its output in `dir`, and waits until it
    /// answers. `plugins` are directories of plugins.
    pub fn start(bootstrap: &str, dir: &Path, plugins: &[PathBuf]) -> Self {
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
        std::fs::write(dir.join("worker.properties"), properties.join("\n")).unwrap();
        let mut worker = Self { process: None, dir: dir.to_owned(), port };
        worker.start_again();
        worker
    }

    /// Starts the worker after it was killed, and waits until it answers.
    pub fn start_again(&mut self) {
        let class_path = java::class_path(&["connect"]);
        let mut command = java::command(&class_path, "384m", "org.apache.kafka.connect.cli.ConnectDistributed");
        command.arg(self.dir.join("worker.properties"));
        self.process = Some(JavaProcess::start(command, &self.dir.join("worker.log")));
        crate::wait_until("the worker answers", START, || {
            let process = self.process.as_mut().expect("it was started");
            assert!(process.ended().is_none(), "the worker ended: {}", process.output());
            self.request("GET", "/connectors", "").is_some_and(|(status, _)| status == 200)
        });
    }

    /// Kills the worker as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.take().expect("the worker runs").kill();
    }

    /// Creates a connector, or gives it another config, and waits until it and its tasks run.
    pub fn run(&self, name: &str, config: &Value) {
        let mut last = None;
        crate::wait_until("the connector is accepted", START, || {
            // A worker that is rebalancing says so with 409.
            last = self.request("PUT", &format!("/connectors/{name}/config"), &config.to_string());
            let status = last.as_ref().map_or(0, |(status, _)| *status);
            assert!(status != 400, "the connector is refused: {last:?}");
            matches!(status, 200 | 201)
        });
        self.wait_until_running(name);
    }

    /// Waits until a connector and its tasks run.
    pub fn wait_until_running(&self, name: &str) {
        crate::wait_until("the connector runs", START, || {
            let Some((200, body)) = self.request("GET", &format!("/connectors/{name}/status"), "") else {
                return false;
            };
            let status: Value = serde_json::from_str(&body).unwrap();
            let tasks = status["tasks"].as_array().cloned().unwrap_or_default();
            for task in &tasks {
                assert!(task["state"] != "FAILED", "a task of {name} failed: {body}");
            }
            status["connector"]["state"] == "RUNNING"
                && !tasks.is_empty()
                && tasks.iter().all(|task| task["state"] == "RUNNING")
        });
    }

    /// The answer to a request, if there is one.
    fn request(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status).ok()?;
        let code = status.split(' ').nth(1)?.parse().ok()?;
        let mut rest = String::new();
        reader.read_to_string(&mut rest).ok()?;
        let (head, body) = rest.split_once("\r\n\r\n")?;
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        Some((code, if chunked { unchunked(body) } else { body.to_owned() }))
    }
}

/// A body that was sent in chunks: each is its length in hexadecimal digits, a line end, and itself.
fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length.trim(), 16).unwrap_or(0);
        let Some(chunk) = rest.get(..length).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        whole += chunk;
        body = rest[length..].trim_start_matches("\r\n");
    }
    whole
}
