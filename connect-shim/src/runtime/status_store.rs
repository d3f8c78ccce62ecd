//! The statuses of connectors and tasks, and the topics that connectors have written to, kept in `connect-status`
//! (`KafkaStatusBackingStore`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};

use super::clock::now_ms;
use super::partitioner::partition_for_key;
use super::status::{State, Status};
use crate::destination::{Destination, DestinationError, OutgoingRecord, TopicSpec};

/// How many partitions the topic is made with, as Connect makes it.
const PARTITIONS: i32 = 5;

/// What is known, shared by the herder and the tasks.
#[derive(Clone)]
pub(crate) struct StatusStore {
    destination: Arc<dyn Destination>,
    topic: Arc<str>,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    connectors: BTreeMap<String, Status>,
    tasks: BTreeMap<(String, i32), Status>,
    /// Topics by connector.
    topics: BTreeMap<String, BTreeSet<String>>,
    /// How often a worker has begun: newer statuses have a higher one.
    generation: i64,
    topic_is_there: bool,
}

impl StatusStore {
    pub(crate) fn new(destination: Arc<dyn Destination>, topic: &str) -> Self {
        Self { destination, topic: topic.into(), known: Arc::default() }
    }

    /// Takes in what is kept. There is nothing to take in if there is no topic.
    pub(crate) fn load(&self) -> Result<(), DestinationError> {
        if self.destination.partition_count(&self.topic).is_none() {
            return Ok(());
        }
        let mut known = Known::default();
        self.destination.read(&self.topic, &mut |record| {
            if let Some(key) = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()) {
                known.replay(key, record.value.as_deref());
            }
        })?;
        known.generation += 1;
        known.topic_is_there = true;
        *self.lock() = known;
        Ok(())
    }

    pub(crate) fn connector(&self, name: &str) -> Option<Status> {
        self.lock().connectors.get(name).cloned()
    }

    /// The statuses of a connector's tasks, by number.
    pub(crate) fn tasks(&self, connector: &str) -> Vec<(i32, Status)> {
        let known = self.lock();
        let of_connector = known.tasks.iter().filter(|((name, _), _)| name == connector);
        of_connector.map(|((_, id), status)| (*id, status.clone())).collect()
    }

    pub(crate) fn task(&self, connector: &str, id: i32) -> Option<Status> {
        self.lock().tasks.get(&(connector.to_owned(), id)).cloned()
    }

    pub(crate) fn topics(&self, connector: &str) -> Vec<String> {
        self.lock().topics.get(connector).map(|topics| topics.iter().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn set_connector(&self, name: &str, status: &Status) {
        let generation = {
            let mut known = self.lock();
            if known.connectors.get(name) == Some(status) {
                return;
            }
            known.connectors.insert(name.to_owned(), status.clone());
            known.generation
        };
        self.keep(&format!("status-connector-{name}"), Some(&status_json(status, generation)));
    }

    pub(crate) fn set_task(&self, connector: &str, id: i32, status: &Status) {
        let generation = {
            let mut known = self.lock();
            if known.tasks.get(&(connector.to_owned(), id)) == Some(status) {
                return;
            }
            known.tasks.insert((connector.to_owned(), id), status.clone());
            known.generation
        };
        self.keep(&format!("status-task-{connector}-{id}"), Some(&status_json(status, generation)));
    }

    pub(crate) fn remove_tasks(&self, connector: &str) {
        let removed: Vec<i32> = self.tasks(connector).into_iter().map(|(id, _)| id).collect();
        self.lock().tasks.retain(|(name, _), _| name != connector);
        for id in removed {
            self.keep(&format!("status-task-{connector}-{id}"), None);
        }
    }

    pub(crate) fn remove_connector(&self, name: &str) {
        self.remove_tasks(name);
        self.reset_topics(name);
        if self.lock().connectors.remove(name).is_some() {
            self.keep(&format!("status-connector-{name}"), None);
        }
    }

    /// Remembers that a connector has written to a topic.
    pub(crate) fn add_topic(&self, connector: &str, topic: &str) {
        if !self.lock().topics.entry(connector.to_owned()).or_default().insert(topic.to_owned()) {
            return;
        }
        let status = json!({"topic": {
            "name": topic, "connector": connector, "task": 0, "discoverTimestamp": now_ms(),
        }});
        self.keep(&topic_key(connector, topic), Some(&status));
    }

    /// Forgets which topics a connector has written to.
    pub(crate) fn reset_topics(&self, connector: &str) {
        let topics = self.lock().topics.remove(connector).unwrap_or_default();
        for topic in topics {
            self.keep(&topic_key(connector, &topic), None);
        }
    }

    /// Writes what is known already. A status that cannot be kept is told all the same: it is no more than news.
    fn keep(&self, key: &str, value: Option<&Value>) {
        if let Err(error) = self.try_keep(key, value) {
            tracing::warn!(%error, key, "a status was not kept");
        }
    }

    fn try_keep(&self, key: &str, value: Option<&Value>) -> Result<(), DestinationError> {
        let there = self.lock().topic_is_there;
        if !there {
            let configs = [("cleanup.policy".to_owned(), "compact".to_owned())].into();
            let topic = TopicSpec { name: self.topic.to_string(), partitions: PARTITIONS, configs };
            self.destination.ensure_topic(&topic)?;
            self.lock().topic_is_there = true;
        }
        let partitions = self.destination.partition_count(&self.topic).unwrap_or(1);
        let record = OutgoingRecord {
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            value: value.map(|value| value.to_string().into()),
            headers: Arc::default(),
            timestamp: now_ms(),
        };
        self.destination.append(&self.topic, partition_for_key(key.as_bytes(), partitions), &[record]).map(drop)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn replay(&mut self, key: &str, value: Option<&[u8]>) {
        let value: Option<Value> = value.and_then(|bytes| serde_json::from_slice(bytes).ok());
        if let Some(rest) = key.strip_prefix("status-topic-") {
            let Some((topic, connector)) = rest.split_once(":connector-") else {
                return;
            };
            let topics = self.topics.entry(connector.to_owned()).or_default();
            match value {
                Some(_) => drop(topics.insert(topic.to_owned())),
                None => drop(topics.remove(topic)),
            }
            return;
        }
        let status = value.as_ref().and_then(parse_status);
        let generation = value.as_ref().and_then(|value| value["generation"].as_i64());
        self.generation = self.generation.max(generation.unwrap_or(0));
        if let Some(name) = key.strip_prefix("status-connector-") {
            match status {
                Some(status) => drop(self.connectors.insert(name.to_owned(), status)),
                None => drop(self.connectors.remove(name)),
            }
        } else if let Some((name, id)) = key.strip_prefix("status-task-").and_then(|rest| rest.rsplit_once('-'))
            && let Ok(id) = id.parse()
        {
            match status {
                Some(status) => drop(self.tasks.insert((name.to_owned(), id), status)),
                None => drop(self.tasks.remove(&(name.to_owned(), id))),
            }
        }
    }
}

fn topic_key(connector: &str, topic: &str) -> String {
    format!("status-topic-{topic}:connector-{connector}")
}

fn status_json(status: &Status, generation: i64) -> Value {
    json!({
        "state": status.state.name(),
        "trace": status.trace,
        "worker_id": status.worker_id,
        "generation": generation,
        "version": status.version,
    })
}

fn parse_status(value: &Value) -> Option<Status> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Some(Status {
        state: State::of(value["state"].as_str()?)?,
        trace: text("trace"),
        worker_id: text("worker_id")?,
        version: text("version"),
    })
}
