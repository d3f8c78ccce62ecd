//! The configs of connectors and tasks and how connectors should be, as `connect-configs` has it
//! (`KafkaConfigBackingStore`, `ClusterConfigState`). It changes only by replay.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::status::TargetState;
use crate::connector_config::Properties;

/// A record of the topic: a key and a value, which is null to delete.
pub(crate) type ConfigRecord = (String, Option<Value>);

/// What the topic says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ConfigState {
    connectors: BTreeMap<String, Properties>,
    targets: BTreeMap<String, TargetState>,
    tasks: BTreeMap<String, Vec<Properties>>,
    /// Configs of tasks that are written, but not yet committed.
    deferred: BTreeMap<String, BTreeMap<usize, Properties>>,
}

impl ConfigState {
    pub(crate) fn connectors(&self) -> impl Iterator<Item = &String> {
        self.connectors.keys()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.connectors.contains_key(name)
    }

    pub(crate) fn config(&self, name: &str) -> Option<&Properties> {
        self.connectors.get(name)
    }

    pub(crate) fn target(&self, name: &str) -> TargetState {
        self.targets.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn tasks(&self, name: &str) -> &[Properties] {
        self.tasks.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes a record in.
    pub(crate) fn replay(&mut self, key: &str, value: Option<&Value>) {
        if let Some(name) = key.strip_prefix("target-state-") {
            self.replay_target(name, value);
        } else if let Some(name) = key.strip_prefix("connector-") {
            match value.and_then(properties) {
                Some(config) => drop(self.connectors.insert(name.to_owned(), config)),
                None => {
                    self.connectors.remove(name);
                    self.targets.remove(name);
                    self.tasks.remove(name);
                    self.deferred.remove(name);
                }
            }
        } else if let Some(name) = key.strip_prefix("commit-") {
            let count = value.and_then(|value| value["tasks"].as_u64()).unwrap_or(0);
            let mut written = self.deferred.remove(name).unwrap_or_default();
            let before = self.tasks.remove(name).unwrap_or_default();
            let count = usize::try_from(count).unwrap_or(0).min(before.len().max(written.len()));
            let config = |at| written.remove(&at).or_else(|| before.get(at).cloned()).unwrap_or_default();
            self.tasks.insert(name.to_owned(), (0..count).map(config).collect());
        } else if let Some((name, id)) = key.strip_prefix("task-").and_then(|rest| rest.rsplit_once('-'))
            && let (Ok(id), Some(config)) = (id.parse(), value.and_then(properties))
        {
            self.deferred.entry(name.to_owned()).or_default().insert(id, config);
        }
    }

    fn replay_target(&mut self, name: &str, value: Option<&Value>) {
        let state = value.and_then(|value| value["state.v2"].as_str().or_else(|| value["state"].as_str()));
        match state.and_then(TargetState::of) {
            Some(state) => drop(self.targets.insert(name.to_owned(), state)),
            None => drop(self.targets.remove(name)),
        }
    }
}

fn properties(value: &Value) -> Option<Properties> {
    let mut all = Properties::new();
    for (name, value) in value["properties"].as_object()? {
        all.set_nullable(name.as_str(), value.as_str().map(str::to_owned));
    }
    Some(all)
}

/// The record of a connector's config; `None` deletes it.
pub(crate) fn connector_record(name: &str, config: Option<&Properties>) -> ConfigRecord {
    (format!("connector-{name}"), config.map(|config| json!({"properties": config.to_json()})))
}

/// The record of how a connector should be; `None` deletes it. Workers of before `STOPPED` read `state`.
pub(crate) fn target_record(name: &str, target: Option<TargetState>) -> ConfigRecord {
    let value = target.map(|target| {
        let old = if target == TargetState::Started { "STARTED" } else { "PAUSED" };
        json!({"state": old, "state.v2": target.name()})
    });
    (format!("target-state-{name}"), value)
}

/// The records of the configs of a connector's tasks.
pub(crate) fn task_records(name: &str, tasks: &[Properties]) -> Vec<ConfigRecord> {
    let config = |(id, config): (usize, &Properties)| {
        (format!("task-{name}-{id}"), Some(json!({"properties": config.to_json()})))
    };
    let mut records: Vec<ConfigRecord> = tasks.iter().enumerate().map(config).collect();
    records.push((format!("commit-{name}"), Some(json!({"tasks": tasks.len()}))));
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(state: &mut ConfigState, records: &[ConfigRecord]) {
        for (key, value) in records {
            state.replay(key, value.as_ref());
        }
    }

    #[test]
    fn records_say_what_they_were_made_of() {
        let config: Properties = [("connector.class", "a.B"), ("x", "1")].into_iter().collect();
        let mut state = ConfigState::default();
        replay(&mut state, &[target_record("a-1", Some(TargetState::Stopped)), connector_record("a-1", Some(&config))]);
        assert_eq!(state.config("a-1"), Some(&config));
        assert_eq!(state.target("a-1"), TargetState::Stopped);
        let tasks = task_records("a-1", std::slice::from_ref(&config));
        replay(&mut state, &tasks[..1]);
        assert!(state.tasks("a-1").is_empty(), "tasks count once they are committed");
        replay(&mut state, &tasks[1..]);
        assert_eq!(state.tasks("a-1"), [config]);
        replay(&mut state, &task_records("a-1", &[]));
        assert!(state.tasks("a-1").is_empty());
        replay(&mut state, &[connector_record("a-1", None), target_record("a-1", None)]);
        assert_eq!(state, ConfigState::default());
    }

    #[test]
    fn a_paused_connector_is_paused_for_old_workers_too() {
        let (_, value) = target_record("c", Some(TargetState::Stopped));
        assert_eq!(value, Some(json!({"state": "PAUSED", "state.v2": "STOPPED"})));
        let mut state = ConfigState::default();
        state.replay("target-state-c", Some(&json!({"state": "PAUSED"})));
        assert_eq!(state.target("c"), TargetState::Paused);
    }
}
