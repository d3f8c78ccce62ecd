//! A worker with a source that counts and topics in memory: its life, told through the REST API.

#![allow(clippy::unwrap_used)]

mod arbitrary;
mod counting_connector;
mod http;
mod lifecycle;
mod memory_destination;
mod recordings;
mod rest_errors;

use std::sync::Arc;
use std::time::{Duration, Instant};

use brooklet_connect_shim::connector_config::Plugins;
use brooklet_connect_shim::rest::{LogLevels, RestServer};
use brooklet_connect_shim::runtime::{Herder, WorkerSettings};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use counting_connector::{CLASS, CountingConnector};
use http::Reply;
use memory_destination::MemoryDestination;

/// A worker that serves until it is dropped.
pub(crate) struct Worker {
    pub(crate) topics: MemoryDestination,
    pub(crate) herder: Herder,
    address: String,
    _stop: DropGuard,
}

impl Worker {
    /// A worker over topics that may have been another's.
    pub(crate) async fn start(topics: MemoryDestination) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let plugins = Plugins::new(vec![Arc::new(CountingConnector)]);
        let herder = Herder::start(Arc::new(topics.clone()), plugins, WorkerSettings::new(&address)).await.unwrap();
        let stop = CancellationToken::new();
        let serving =
            RestServer::new(herder.clone(), LogLevels::new(None)).serve(listener, stop.clone().cancelled_owned());
        tokio::spawn(serving);
        Self { topics, herder, address, _stop: stop.drop_guard() }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        let headers = [("content-type", "application/json")];
        http::request(&self.address, method, path, if body.is_empty() { &[] } else { &headers }, body).await
    }

    pub(crate) async fn send_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        http::request(&self.address, method, path, headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.send("GET", path, "").await.json()
    }

    /// Makes a connector that counts.
    pub(crate) async fn create(&self, name: &str, more: &[(&str, &str)]) -> Reply {
        let mut config = json!({"connector.class": CLASS, "topic.prefix": name, "tasks.max": "1"});
        for (property, value) in more {
            config[*property] = (*value).into();
        }
        self.send("POST", "/connectors", &json!({"name": name, "config": config}).to_string()).await
    }

    /// The states of a connector and of its task, if it has one.
    pub(crate) async fn states(&self, name: &str) -> (String, Option<String>) {
        let status = self.get(&format!("/connectors/{name}/status")).await;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        (text(&status["connector"]["state"]).unwrap_or_default(), text(&status["tasks"][0]["state"]))
    }

    /// The numbers that were counted, in order.
    pub(crate) fn numbers(&self, name: &str) -> Vec<i64> {
        let mut numbers: Vec<i64> = self
            .topics
            .records(&format!("{name}.numbers"))
            .into_iter()
            .map(|(_, value)| {
                let value: Value = serde_json::from_str(&value.unwrap()).unwrap();
                value.get("payload").unwrap_or(&value)["n"].as_i64().unwrap()
            })
            .collect();
        numbers.sort_unstable();
        numbers
    }

    pub(crate) async fn counted_to(&self, name: &str, end: i64) {
        eventually(|| async { self.numbers(name).len() as i64 >= end }).await;
        assert_eq!(self.numbers(name), (0..end).collect::<Vec<_>>(), "no number is lost, none doubled");
    }
}

/// Waits for what comes by itself.
pub(crate) async fn eventually<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
