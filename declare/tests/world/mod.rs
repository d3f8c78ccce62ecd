//! A cluster that is a few maps, and counts what is asked of it.
#![allow(dead_code, clippy::unwrap_used)] // each test uses a part of it

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use brooklet_declare::{
    Admin, AdminError, ConfigChanges, Connect, ConnectorState, Loaded, NewTopic, Reconciler, Remembered, Report,
    RunState, Secrets, TopicState,
};

/// Kafka's defaults, as far as these tests go.
pub(crate) const DEFAULT_PARTITIONS: i32 = 1;

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) topics: Mutex<BTreeMap<String, TopicState>>,
    pub(crate) connectors: Mutex<BTreeMap<String, ConnectorState>>,
    /// Every request that changes something, refused ones too.
    pub(crate) altering: Mutex<Vec<String>>,
    pub(crate) is_down: Mutex<bool>,
    /// Whether connectors are not restarted.
    pub(crate) is_refusing: Mutex<bool>,
}

impl World {
    pub(crate) fn topic(&self, name: &str) -> Option<TopicState> {
        self.topics.lock().unwrap().get(name).cloned()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.topics.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn take_altering(&self) -> Vec<String> {
        std::mem::take(&mut self.altering.lock().unwrap())
    }

    fn alter(&self, what: String) {
        self.altering.lock().unwrap().push(what);
    }

    fn check(configs: &BTreeMap<String, String>) -> Result<(), AdminError> {
        for (name, value) in configs {
            if !["retention.ms", "cleanup.policy", "segment.bytes", "min.insync.replicas"].contains(&name.as_str()) {
                return Err(AdminError::Refused(format!("Unknown topic config name: {name}")));
            }
            if name != "cleanup.policy" && value.parse::<i64>().is_err() {
                return Err(AdminError::Refused(format!(
                    "Invalid value {value} for configuration {name}: not a number"
                )));
            }
        }
        Ok(())
    }
}

impl Admin for &World {
    async fn topics(&self, only: Option<&BTreeSet<String>>) -> Result<Vec<TopicState>, AdminError> {
        if *self.is_down.lock().unwrap() {
            return Err(AdminError::Unavailable("nobody answers".to_owned()));
        }
        let topics = self.topics.lock().unwrap();
        Ok(topics.values().filter(|topic| only.is_none_or(|only| only.contains(&topic.name))).cloned().collect())
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<(), AdminError> {
        self.alter(format!("create {}", topic.name));
        World::check(&topic.configs)?;
        let made = TopicState {
            name: topic.name.clone(),
            partitions: topic.partitions.unwrap_or(DEFAULT_PARTITIONS),
            replication_factor: Some(topic.replication_factor.unwrap_or(1)),
            configs: topic.configs.clone(),
        };
        self.topics.lock().unwrap().insert(topic.name.clone(), made);
        Ok(())
    }

    async fn add_partitions(&self, topic: &str, count: i32) -> Result<(), AdminError> {
        self.alter(format!("grow {topic} {count}"));
        self.topics.lock().unwrap().get_mut(topic).unwrap().partitions = count;
        Ok(())
    }

    async fn alter_configs(&self, topic: &str, changes: &ConfigChanges) -> Result<(), AdminError> {
        self.alter(format!("alter {topic} {:?} {:?}", changes.set, changes.delete));
        World::check(&changes.set)?;
        let mut topics = self.topics.lock().unwrap();
        let configs = &mut topics.get_mut(topic).unwrap().configs;
        configs.extend(changes.set.clone());
        configs.retain(|name, _| !changes.delete.contains(name));
        Ok(())
    }

    async fn delete_topic(&self, topic: &str) -> Result<(), AdminError> {
        self.alter(format!("delete {topic}"));
        self.topics.lock().unwrap().remove(topic);
        Ok(())
    }
}

impl Connect for &World {
    async fn connectors(&self) -> Result<Vec<String>, AdminError> {
        Ok(self.connectors.lock().unwrap().keys().cloned().collect())
    }

    async fn connector(&self, name: &str) -> Result<Option<ConnectorState>, AdminError> {
        Ok(self.connectors.lock().unwrap().get(name).cloned())
    }

    async fn put_connector(&self, name: &str, config: &BTreeMap<String, String>) -> Result<(), AdminError> {
        self.alter(format!("put {name}"));
        let mut connectors = self.connectors.lock().unwrap();
        let state = connectors.get(name).map_or(Some(RunState::Running), |connector| connector.state);
        connectors.insert(name.to_owned(), ConnectorState { config: config.clone(), state });
        Ok(())
    }

    async fn set_state(&self, name: &str, state: RunState) -> Result<(), AdminError> {
        self.alter(format!("state {name} {state}"));
        self.connectors.lock().unwrap().get_mut(name).unwrap().state = Some(state);
        Ok(())
    }

    async fn restart_connector(&self, name: &str) -> Result<(), AdminError> {
        self.alter(format!("restart {name}"));
        match *self.is_refusing.lock().unwrap() {
            true => Err(AdminError::Unavailable("not now".to_owned())),
            false => Ok(()),
        }
    }

    async fn delete_connector(&self, name: &str) -> Result<(), AdminError> {
        self.alter(format!("delete connector {name}"));
        self.connectors.lock().unwrap().remove(name);
        Ok(())
    }
}

/// Knows `${env:PW}` and nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OneSecret;

pub(crate) const SECRET: &str = "hunter2";

impl Secrets for OneSecret {
    fn look_up(&self, reference: &str) -> Result<Option<String>, String> {
        Ok((reference == "env:PW").then(|| SECRET.to_owned()))
    }
}

pub(crate) fn yaml(text: &str) -> Loaded {
    Loaded::of_text(Path::new("topics.yaml"), text)
}

pub(crate) async fn reconcile(world: &World, loaded: &Loaded, remembered: &mut Remembered, prune: bool) -> Report {
    let reconciler = Reconciler { admin: world, connect: Some(world), secrets: OneSecret, prune };
    reconciler.reconcile(loaded, remembered).await
}

/// The conditions of what is not as declared, as they are shown.
pub(crate) fn failing(report: &Report) -> Vec<String> {
    report.failing().map(ToString::to_string).collect()
}
