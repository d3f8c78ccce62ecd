//! Connect's REST API as far as a test needs it, of the stock worker or of the broker.

use std::time::Duration;

use serde_json::Value;

use crate::http;

/// How long a connector may take to run.
const START: Duration = Duration::from_secs(120);

/// The API at a port on 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub struct ConnectRest {
    /// The port.
    pub port: u16,
}

impl ConnectRest {
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

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The answer to a request, if there is one.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        http::request(self.port, method, path, body)
    }
}
