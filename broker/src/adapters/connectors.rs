//! The worker in this process as declared connectors change it.

use std::collections::BTreeMap;

use brooklet_connect_shim::connector_config::Properties;
use brooklet_connect_shim::runtime::{Herder, HerderError, TargetState};
use brooklet_declare::{AdminError, Connect, ConnectorState, RunState};

/// A worker's connectors, to be declared.
#[derive(Debug, Clone)]
pub struct WorkerConnectors {
    herder: Herder,
}

impl WorkerConnectors {
    /// Those of this worker.
    pub fn new(herder: Herder) -> Self {
        Self { herder }
    }
}

impl Connect for WorkerConnectors {
    async fn connectors(&self) -> Result<Vec<String>, AdminError> {
        Ok(self.herder.connectors())
    }

    async fn connector(&self, name: &str) -> Result<Option<ConnectorState>, AdminError> {
        let Ok(info) = self.herder.connector_info(name) else {
            return Ok(None);
        };
        let config = info.config.iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let state = match self.herder.target(name) {
            TargetState::Started => RunState::Running,
            TargetState::Paused => RunState::Paused,
            TargetState::Stopped => RunState::Stopped,
        };
        Ok(Some(ConnectorState { config: config.collect(), state: Some(state) }))
    }

    async fn put_connector(&self, name: &str, config: &BTreeMap<String, String>) -> Result<(), AdminError> {
        let properties: Properties = config.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.herder.put_config(name, properties, None, true).await.map_err(refusal)?;
        Ok(())
    }

    async fn set_state(&self, name: &str, state: RunState) -> Result<(), AdminError> {
        let target = match state {
            RunState::Running => TargetState::Started,
            RunState::Paused => TargetState::Paused,
            RunState::Stopped => TargetState::Stopped,
        };
        self.herder.set_target(name, target).await.map_err(refusal)
    }

    async fn restart_connector(&self, name: &str) -> Result<(), AdminError> {
        self.herder.restart(name, false, true).await.map(drop).map_err(refusal)
    }

    async fn delete_connector(&self, name: &str) -> Result<(), AdminError> {
        match self.herder.delete(name).await {
            Err(HerderError::NotFound(_)) => Ok(()),
            deleted => deleted.map_err(refusal),
        }
    }
}

fn refusal(error: HerderError) -> AdminError {
    match error {
        HerderError::NotFound(message) | HerderError::BadRequest(message) | HerderError::AlreadyExists(message) => {
            AdminError::Refused(message)
        }
        HerderError::Failed(message) => AdminError::Unavailable(message),
    }
}
