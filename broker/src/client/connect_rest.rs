//! The connectors of any Connect cluster, over its REST API.

use std::collections::BTreeMap;
use std::fmt::Write;

use brooklet_declare::{AdminError, Connect, ConnectorState, RunState};
use serde_json::Value;

use super::http::{Response, Url, request};

/// A Connect cluster's connectors.
#[derive(Debug, Clone)]
pub(crate) struct ConnectRest {
    url: Url,
}

impl ConnectRest {
    /// Those of the cluster with this address.
    pub(crate) fn new(url: Url) -> Self {
        Self { url }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<String>) -> Result<Response, AdminError> {
        let url = self.url.below(path);
        request(method, &url, body).await.map_err(|error| AdminError::Unavailable(format!("{error:#}")))
    }

    async fn change(&self, method: &str, path: &str, body: Option<String>) -> Result<(), AdminError> {
        let response = self.ask(method, path, body).await?;
        match response.status {
            200..=299 => Ok(()),
            // It is about to be started elsewhere, or the worker is not ready.
            409 | 500..=599 => Err(AdminError::Unavailable(message(&response))),
            _ => Err(AdminError::Refused(message(&response))),
        }
    }

    async fn json(&self, path: &str) -> Result<Option<Value>, AdminError> {
        let response = self.ask("GET", path, None).await?;
        match response.status {
            404 => Ok(None),
            200..=299 => {
                let json = serde_json::from_slice(&response.body);
                json.map(Some).map_err(|error| AdminError::Unavailable(format!("{}: {error}", self.url)))
            }
            _ => Err(AdminError::Unavailable(message(&response))),
        }
    }
}

impl Connect for ConnectRest {
    async fn connectors(&self) -> Result<Vec<String>, AdminError> {
        let names = self.json("/connectors").await?.unwrap_or_default();
        let names = names.as_array().into_iter().flatten();
        Ok(names.filter_map(|name| Some(name.as_str()?.to_owned())).collect())
    }

    async fn connector(&self, name: &str) -> Result<Option<ConnectorState>, AdminError> {
        let path = format!("/connectors/{}", encoded(name));
        let Some(info) = self.json(&path).await? else {
            return Ok(None);
        };
        let config = info["config"].as_object().into_iter().flatten();
        let config: BTreeMap<_, _> =
            config.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
        let status = self.json(&format!("{path}/status")).await?.unwrap_or_default();
        let state = match status["connector"]["state"].as_str() {
            Some("PAUSED") => Some(RunState::Paused),
            Some("STOPPED") => Some(RunState::Stopped),
            Some("RUNNING" | "FAILED" | "RESTARTING") => Some(RunState::Running),
            _ => None,
        };
        Ok(Some(ConnectorState { config, state }))
    }

    async fn put_connector(&self, name: &str, config: &BTreeMap<String, String>) -> Result<(), AdminError> {
        let body = serde_json::to_string(config).map_err(|error| AdminError::Refused(error.to_string()))?;
        self.change("PUT", &format!("/connectors/{}/config", encoded(name)), Some(body)).await
    }

    async fn set_state(&self, name: &str, state: RunState) -> Result<(), AdminError> {
        let action = match state {
            RunState::Running => "resume",
            RunState::Paused => "pause",
            RunState::Stopped => "stop",
        };
        self.change("PUT", &format!("/connectors/{}/{action}", encoded(name)), None).await
    }

    async fn restart_connector(&self, name: &str) -> Result<(), AdminError> {
        self.change("POST", &format!("/connectors/{}/restart?includeTasks=true", encoded(name)), None).await
    }

    async fn delete_connector(&self, name: &str) -> Result<(), AdminError> {
        self.change("DELETE", &format!("/connectors/{}", encoded(name)), None).await
    }
}

/// What the worker says, or else what its status is.
fn message(response: &Response) -> String {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    match json["message"].as_str() {
        Some(message) => message.to_owned(),
        None => format!("the Connect worker answers {}", response.status),
    }
}

/// A name as a part of a path.
fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
