//! How connectors get on, at `/metrics`, by the names that the JMX exporter gives what Connect and Debezium show.

use std::time::{SystemTime, UNIX_EPOCH};

use brooklet::Exposition;
use brooklet_connect_shim::metrics::Sample;
use brooklet_connect_shim::runtime::Herder;
use serde_json::Value;

/// Writes the metrics of a worker's connectors; with `each` those of each of their tables, too. Without a connector there is
/// nothing to write.
pub(crate) fn write(out: &mut Exposition, herder: &Herder, each: bool) {
    let connectors = herder.connectors();
    if connectors.is_empty() {
        return;
    }
    out.gauge("kafka_connect_connect_worker_metrics_connector_count", "Connectors", connectors.len() as f64);
    let name = "kafka_connect_connector_status";
    out.begin(name, "1 for the state of a connector, which is that of its task if the task has failed", "gauge");
    for connector in &connectors {
        let status = herder.connector_status(connector, false).unwrap_or_default();
        out.sample(name, &[("connector", connector), ("status", &state(&status))], 1.0);
    }
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
    let mut samples: Vec<(String, String, Sample)> = Vec::new();
    for (connector, figures) in herder.task_figures() {
        let of_task = figures.samples(now_ms).into_iter().filter(|sample| each || sample.table.is_none());
        samples.extend(of_task.map(|sample| (connector.clone(), figures.server.clone(), sample)));
    }
    // All samples of a metric stand together.
    samples.sort_by_key(|(_, _, sample)| sample.name);
    let mut last = "";
    for (connector, server, sample) in &samples {
        if sample.name != last {
            out.begin(sample.name, "As Debezium shows it", "gauge");
            last = sample.name;
        }
        let mut labels = vec![
            ("plugin", "postgres"),
            ("connector", connector),
            ("task", "0"),
            ("name", server),
            ("context", sample.context),
        ];
        labels.extend(sample.table.as_deref().map(|table| ("table", table)));
        out.sample(sample.name, &labels, sample.value);
    }
}

/// A connector's state in a word.
fn state(status: &Value) -> String {
    let tasks = status["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let failed = tasks.iter().find(|task| task["state"] == "FAILED");
    let of = failed.unwrap_or(&status["connector"]);
    of["state"].as_str().unwrap_or("UNASSIGNED").to_ascii_lowercase()
}
