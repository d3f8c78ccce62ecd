//! What is counted, and shown at `/metrics` by the names that Kafka's JMX exporter gives it, so that common dashboards work.
//!
//! What is counted on the way of a request are relaxed additions. All else is looked up when somebody asks: what there is
//! already need not be counted again.

mod exposition;
mod process;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

pub use exposition::Exposition;

use brooklet_storage::LogView;

use crate::apis;
use crate::node::Node;

/// The highest key of an API that is counted by itself.
const API_KEYS: usize = 128;

/// A count that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What goes through all topics (`BrokerTopicStats`).
#[derive(Debug, Default)]
pub(crate) struct BrokerTopicMetrics {
    pub(crate) messages_in: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) failed_produce_requests: Counter,
    pub(crate) failed_fetch_requests: Counter,
}

/// Requests of one API (`RequestMetrics`).
#[derive(Debug, Default)]
struct RequestMetrics {
    requests: Counter,
    /// From its last byte to its answer, waiting included.
    micros: Counter,
}

/// Everything of a broker that is counted.
#[derive(Debug)]
pub(crate) struct BrokerMetrics {
    pub(crate) topics: Arc<BrokerTopicMetrics>,
    /// By the API's key.
    requests: Vec<RequestMetrics>,
    connections: AtomicI64,
    connections_made: Counter,
}

/// A connection that is counted while it is there.
#[derive(Debug)]
pub(crate) struct ConnectionCount {
    node: Arc<Node>,
}

impl Drop for ConnectionCount {
    fn drop(&mut self) {
        self.node.metrics.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl BrokerMetrics {
    pub(crate) fn new(topics: Arc<BrokerTopicMetrics>) -> Self {
        let requests = std::iter::repeat_with(RequestMetrics::default).take(API_KEYS).collect();
        Self { topics, requests, connections: AtomicI64::new(0), connections_made: Counter::default() }
    }

    /// Counts a request that was answered.
    pub(crate) fn answered(&self, api_key: i16, took: Duration) {
        let metrics = usize::try_from(api_key).ok().and_then(|key| self.requests.get(key));
        if let Some(metrics) = metrics {
            metrics.requests.add(1);
            metrics.micros.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// Counts a connection until what is returned is dropped.
    pub(crate) fn connected(node: &Arc<Node>) -> ConnectionCount {
        node.metrics.connections.fetch_add(1, Ordering::Relaxed);
        node.metrics.connections_made.add(1);
        ConnectionCount { node: Arc::clone(node) }
    }
}

/// A broker's metrics; with `partitions` those of each partition's log, too, of which
/// there may be many.
pub(crate) fn exposition(node: &Node, partitions: bool) -> Exposition {
    let mut out = Exposition::default();
    of_topics(&mut out, node, partitions);
    of_requests(&mut out, node);
    process::write(&mut out);
    out
}

fn of_topics(out: &mut Exposition, node: &Node, of_each: bool) {
    let all = node.topics.all();
    let count: usize = all.iter().map(|topic| topic.partitions().len()).sum();
    let BrokerTopicMetrics { messages_in, bytes_in, bytes_out, failed_produce_requests, failed_fetch_requests } =
        &*node.metrics.topics;
    let counted = [
        ("messagesin", "Records that were written", messages_in),
        ("bytesin", "Bytes of batches that were written", bytes_in),
        ("bytesout", "Bytes of batches that were fetched", bytes_out),
        ("failedproducerequests", "Partitions of Produce requests that were refused", failed_produce_requests),
        ("failedfetchrequests", "Partitions of Fetch requests that were refused", failed_fetch_requests),
    ];
    for (name, help, counter) in counted {
        out.counter(&format!("kafka_server_brokertopicmetrics_{name}_total"), help, counter.value());
    }
    let gauges = [
        ("kafka_server_replicamanager_partitioncount", "Partitions", count),
        ("kafka_server_replicamanager_leadercount", "Partitions that this broker leads", count),
        ("kafka_server_replicamanager_underreplicatedpartitions", "Partitions that lack a replica", 0),
        ("kafka_controller_kafkacontroller_activecontrollercount", "Whether this is the controller", 1),
        ("kafka_controller_kafkacontroller_offlinepartitionscount", "Partitions without a leader", 0),
        ("kafka_controller_kafkacontroller_globaltopiccount", "Topics", all.len()),
        ("kafka_controller_kafkacontroller_globalpartitioncount", "Partitions of all topics", count),
        ("kafka_server_kafkaserver_brokerstate", "3: it runs", 3),
    ];
    for (name, help, value) in gauges {
        out.gauge(name, help, value as f64);
    }
    if !of_each {
        return;
    }
    let mut logs = Vec::new();
    for topic in &all {
        // To open a log only to tell of it would cost more than the figure is worth.
        for partition in topic.partitions().iter().filter(|partition| partition.is_open()) {
            if let Ok(view) = partition.view() {
                logs.push((topic.name().to_owned(), partition.index().to_string(), Arc::clone(view)));
            }
        }
    }
    type Value = fn(&LogView) -> f64;
    let values: [(&str, &str, Value); 3] = [
        ("kafka_log_log_size", "Bytes of a partition's log", |view| view.size() as f64),
        ("kafka_log_log_logstartoffset", "First offset of a partition's log", |view| view.log_start_offset() as f64),
        ("kafka_log_log_logendoffset", "Next offset of a partition's log", |view| view.next_offset() as f64),
    ];
    for (name, help, value) in values {
        out.begin(name, help, "gauge");
        for (topic, partition, view) in &logs {
            out.sample(name, &[("topic", topic), ("partition", partition)], value(view));
        }
    }
}

fn of_requests(out: &mut Exposition, node: &Node) {
    let metrics = &node.metrics;
    out.gauge(
        "kafka_server_socket_server_metrics_connection_count",
        "Connections of Kafka clients",
        metrics.connections.load(Ordering::Relaxed) as f64,
    );
    out.counter(
        "kafka_server_socket_server_metrics_connection_creation_total",
        "Connections of Kafka clients that were accepted",
        metrics.connections_made.value(),
    );
    // Of APIs that nobody asks for nothing is shown.
    let asked: Vec<_> = (0_i16..)
        .zip(&metrics.requests)
        .filter(|(_, metrics)| metrics.requests.value() > 0)
        .filter_map(|(key, metrics)| Some((apis::api(key)?.name, metrics)))
        .collect();
    let name = "kafka_network_requestmetrics_requests_total";
    out.begin(name, "Requests that were answered", "counter");
    for (request, metrics) in &asked {
        out.sample(name, &[("request", request)], metrics.requests.value() as f64);
    }
    let name = "kafka_network_requestmetrics_totaltimems_sum";
    out.begin(name, "Milliseconds that answers took, waiting included", "counter");
    for (request, metrics) in &asked {
        out.sample(name, &[("request", request)], metrics.micros.value() as f64 / 1000.0);
    }
}
