//! What the REST API asks of the worker (`DistributedHerder`): connectors are made, changed, started and stopped here, one
//! change at a time, each kept in `connect-configs` before anything follows from it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::clock::now_ms;
use super::config_state::{ConfigRecord, ConfigState, connector_record, target_record, task_records};
use super::herder_error::HerderError;
use super::offset_store::OffsetStore;
use super::settings::WorkerSettings;
use super::status::{State, Status, TargetState};
use super::status_store::StatusStore;
use super::task_runner::TaskRunner;
use crate::connector_config::{ConfigInfos, Plugins, Properties, TopicCreation, config_providers};
use crate::destination::{Destination, DestinationError, OutgoingRecord, TopicSpec};
use crate::metrics::{TaskFigures, TaskMetrics};

/// The worker. Cheap to clone.
#[derive(Clone)]
pub struct Herder {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) destination: Arc<dyn Destination>,
    plugins: Plugins,
    pub(super) settings: Arc<WorkerSettings>,
    statuses: StatusStore,
    pub(super) offsets: OffsetStore,
    configs: RwLock<ConfigState>,
    /// What the tasks at work tell of themselves.
    metrics: RwLock<BTreeMap<String, Arc<TaskMetrics>>>,
    /// Whoever changes a connector holds this.
    pub(super) running: Mutex<BTreeMap<String, Running>>,
}

/// A task under way.
pub(super) struct Running {
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

/// A connector as `GET /connectors/…` tells of it (`ConnectorInfo`).
#[derive(Debug, Clone)]
pub struct ConnectorInfo {
    /// Its name.
    pub name: String,
    /// Its config.
    pub config: Properties,
    /// The numbers of its tasks.
    pub tasks: Vec<usize>,
    /// Whether its class is known.
    pub known: bool,
}

impl ConnectorInfo {
    /// As an answer.
    pub fn to_json(&self) -> Value {
        let tasks: Vec<Value> = self.tasks.iter().map(|task| json!({"connector": self.name, "task": task})).collect();
        let kind = if self.known { "source" } else { "unknown" };
        json!({"name": self.name, "config": self.config.to_json(), "tasks": tasks, "type": kind})
    }
}

impl Herder {
    /// Takes in what is kept, and starts the connectors that should run.
    ///
    /// # Errors
    /// What keeps the topics from being read.
    pub async fn start(
        destination: Arc<dyn Destination>,
        plugins: Plugins,
        settings: WorkerSettings,
    ) -> Result<Self, DestinationError> {
        let statuses = StatusStore::new(Arc::clone(&destination), &settings.status_topic);
        let offsets = OffsetStore::new(Arc::clone(&destination), &settings.offset_topic);
        let mut configs = ConfigState::default();
        if destination.partition_count(&settings.config_topic).is_some() {
            destination.read(&settings.config_topic, &mut |record| {
                let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
                let value = record.value.and_then(|value| serde_json::from_slice::<Value>(&value).ok());
                configs.replay(key, value.as_ref());
            })?;
            statuses.load()?;
            offsets.load()?;
        }
        let names: Vec<String> = configs.connectors().cloned().collect();
        let settings = Arc::new(settings);
        let (configs, metrics, running) = (RwLock::new(configs), RwLock::default(), Mutex::default());
        let inner = Inner { destination, plugins, settings, statuses, offsets, configs, metrics, running };
        let herder = Self { inner: Arc::new(inner) };
        let mut running = herder.inner.running.lock().await;
        for name in &names {
            if let Err(error) = herder.begin(name, &mut running).await {
                tracing::error!(connector = name, %error, "the connector was not started");
            }
        }
        drop(running);
        Ok(herder)
    }

    /// The figures of each connector's task, by the connector's name. A connector that is paused or stopped has none.
    pub fn task_figures(&self) -> Vec<(String, TaskFigures)> {
        let metrics = self.inner.metrics.read().unwrap_or_else(PoisonError::into_inner);
        metrics.iter().map(|(name, metrics)| (name.clone(), metrics.figures())).collect()
    }

    /// Ends all tasks. What they have written is kept, so that another worker goes on from there.
    pub async fn shutdown(&self) {
        let mut running = self.inner.running.lock().await;
        running.values().for_each(|task| task.stop.cancel());
        for (_, task) in std::mem::take(&mut *running) {
            end(task).await;
        }
    }

    /// The classes that configs can name.
    pub fn plugins(&self) -> &Plugins {
        &self.inner.plugins
    }

    /// The id of the cluster.
    pub fn cluster_id(&self) -> String {
        self.inner.destination.cluster_id()
    }

    /// The names of all connectors.
    pub fn connectors(&self) -> Vec<String> {
        self.configs().connectors().cloned().collect()
    }

    /// A connector with its config and tasks.
    ///
    /// # Errors
    /// That there is none.
    pub fn connector_info(&self, name: &str) -> Result<ConnectorInfo, HerderError> {
        let configs = self.configs();
        let config = configs.config(name).ok_or_else(|| HerderError::no_connector(name))?.clone();
        let known = config.value("connector.class").is_some_and(|class| self.inner.plugins.connector(class).is_ok());
        Ok(ConnectorInfo { name: name.to_owned(), config, tasks: (0..configs.tasks(name).len()).collect(), known })
    }

    /// How a connector should be.
    pub fn target(&self, name: &str) -> TargetState {
        self.configs().target(name)
    }

    /// How a connector and its tasks are: with how far a snapshot is while one is taken, and, in `full`, with whatever else
    /// tasks tell of how far they are.
    ///
    /// # Errors
    /// That nothing is known of it.
    pub fn connector_status(&self, name: &str, full: bool) -> Result<Value, HerderError> {
        let status = self.inner.statuses.connector(name);
        let status = status.ok_or_else(|| HerderError::NotFound(format!("No status found for connector {name}")))?;
        let mut json = status_json(name, &status, &self.inner.statuses.tasks(name));
        for task in json["tasks"].as_array_mut().into_iter().flatten() {
            self.add_progress(name, task, full);
        }
        Ok(json)
    }

    /// Connect's own answers have no such field, and clients leave out what they do not know.
    fn add_progress(&self, name: &str, task: &mut Value, full: bool) {
        let metrics = self.inner.metrics.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(progress) = metrics.and_then(|metrics| metrics.figures().progress(full, now_ms())) {
            task["progress"] = progress;
        }
    }

    /// How a task is, as its connector's status has it.
    ///
    /// # Errors
    /// That nothing is known of it.
    pub fn task_status(&self, name: &str, id: i32, full: bool) -> Result<Value, HerderError> {
        let status = self.inner.statuses.task(name, id);
        let status = status.ok_or_else(|| HerderError::NotFound(format!("No status found for task {name}-{id}")))?;
        let mut json = status.to_json(Some(id));
        self.add_progress(name, &mut json, full);
        Ok(json)
    }

    /// The configs of a connector's tasks.
    ///
    /// # Errors
    /// That there is no such connector.
    pub fn task_configs(&self, name: &str) -> Result<Value, HerderError> {
        let configs = self.configs();
        configs.config(name).ok_or_else(|| HerderError::no_connector(name))?;
        let task = |(id, config): (usize, &Properties)| json!({"id": {"connector": name, "task": id}, "config": config.to_json()});
        Ok(configs.tasks(name).iter().enumerate().map(task).collect())
    }

    /// The topics to which a connector has written.
    pub fn topics(&self, name: &str) -> Vec<String> {
        self.inner.statuses.topics(name)
    }

    /// Forgets to which topics a connector has written.
    pub fn reset_topics(&self, name: &str) {
        self.inner.statuses.reset_topics(name);
    }

    /// What is to be said of a config.
    ///
    /// # Errors
    /// That it names no connector that there is, or refers to a file that cannot be read.
    pub async fn validate(&self, config: &Properties) -> Result<ConfigInfos, HerderError> {
        let config = resolved(config).await.map_err(HerderError::Failed)?;
        self.inner.plugins.validate(&config, &self.inner.settings.defaults).await.map_err(HerderError::BadRequest)
    }

    /// Makes a connector, or changes its config. Returns whether it was made.
    ///
    /// # Errors
    /// What is wrong with the config, or that the connector is there already and shall not be changed.
    pub async fn put_config(
        &self,
        name: &str,
        config: Properties,
        initial: Option<TargetState>,
        may_replace: bool,
    ) -> Result<(bool, ConnectorInfo), HerderError> {
        if let Some(refusal) = self.validate(&config).await?.refusal() {
            return Err(HerderError::BadRequest(refusal));
        }
        let mut running = self.inner.running.lock().await;
        let before = self.configs().config(name).cloned();
        if before.is_some() && !may_replace {
            return Err(HerderError::AlreadyExists(format!("Connector {name} already exists")));
        }
        if before.as_ref() == Some(&config) {
            return Ok((false, self.connector_info(name)?));
        }
        let target = initial.map(|target| target_record(name, Some(target)));
        self.keep(&target.into_iter().chain([connector_record(name, Some(&config))]).collect::<Vec<_>>())?;
        let info = self.connector_info(name)?;
        self.begin(name, &mut running).await?;
        Ok((before.is_none(), info))
    }

    /// Changes some properties of a connector's config; null takes one away.
    ///
    /// # Errors
    /// That there is no such connector, or what is wrong with the config that comes out.
    pub async fn patch_config(&self, name: &str, patch: &Properties) -> Result<ConnectorInfo, HerderError> {
        let mut config = self.configs().config(name).cloned().ok_or_else(|| HerderError::no_connector(name))?;
        for (property, value) in patch.iter() {
            match value {
                Some(value) => config.set(property, value),
                None => config.remove(property),
            }
        }
        Ok(self.put_config(name, config, None, true).await?.1)
    }

    /// Deletes a connector. Its offsets stay.
    ///
    /// # Errors
    /// That there is none.
    pub async fn delete(&self, name: &str) -> Result<(), HerderError> {
        let mut running = self.inner.running.lock().await;
        if !self.configs().contains(name) {
            return Err(HerderError::no_connector(name));
        }
        self.keep(&[connector_record(name, None), target_record(name, None)])?;
        self.stop_task(name, &mut running).await;
        self.inner.statuses.remove_connector(name);
        Ok(())
    }

    /// Starts, pauses or stops a connector.
    ///
    /// # Errors
    /// That there is none.
    pub async fn set_target(&self, name: &str, target: TargetState) -> Result<(), HerderError> {
        let mut running = self.inner.running.lock().await;
        if !self.configs().contains(name) {
            return Err(HerderError::NotFound(format!("Unknown connector {name}")));
        }
        let before = self.configs().target(name);
        if before == target {
            return Ok(());
        }
        self.keep(&[target_record(name, Some(target))])?;
        // A task that has failed stays as it is until it is restarted, or made anew after a stop.
        let tasks = self.inner.statuses.tasks(name);
        let failed = !tasks.is_empty() && tasks.iter().all(|(_, task)| task.state == State::Failed);
        if failed && target != TargetState::Stopped && before != TargetState::Stopped {
            let state = if target == TargetState::Paused { State::Paused } else { State::Running };
            let version = self.inner.statuses.connector(name).and_then(|status| status.version);
            self.tell(name, state, None, version);
            return Ok(());
        }
        self.begin(name, &mut running).await
    }

    /// Starts a connector again, its task too if that is asked for, or only what has failed. Returns what is about to be
    /// restarted, as its status tells.
    ///
    /// # Errors
    /// That there is none.
    pub async fn restart(&self, name: &str, only_failed: bool, include_tasks: bool) -> Result<Value, HerderError> {
        let mut running = self.inner.running.lock().await;
        if !self.configs().contains(name) {
            return Err(HerderError::NotFound(format!("Unknown connector: {name}")));
        }
        let restarts = |status: &Status| !only_failed || status.state == State::Failed;
        let restarting = |status: Status| Status { state: State::Restarting, ..status };
        let status = self.inner.statuses.connector(name);
        let Some(status) = status else {
            return Err(HerderError::NotFound(format!("Status for connector {name} not found")));
        };
        let connector_restarts = restarts(&status);
        let status = if connector_restarts { restarting(status) } else { status };
        let mut tasks = self.inner.statuses.tasks(name);
        let mut task_restarts = false;
        for (_, task) in tasks.iter_mut().filter(|(_, task)| include_tasks && restarts(task)) {
            *task = restarting(task.clone());
            task_restarts = true;
        }
        if task_restarts || connector_restarts && !running.contains_key(name) {
            self.begin(name, &mut running).await?;
        }
        Ok(status_json(name, &status, &tasks))
    }

    /// Starts a task again.
    ///
    /// # Errors
    /// That there is no such task or connector.
    pub async fn restart_task(&self, name: &str, id: i32) -> Result<(), HerderError> {
        let mut running = self.inner.running.lock().await;
        if !self.configs().contains(name) {
            return Err(HerderError::NotFound(format!("Unknown connector: {name}")));
        }
        let there = usize::try_from(id).is_ok_and(|id| id < self.configs().tasks(name).len());
        if !there {
            return Err(HerderError::NotFound(format!("Unknown task: {name}-{id}")));
        }
        self.begin(name, &mut running).await
    }

    /// Brings a connector to where it should be, whatever it does now.
    async fn begin(&self, name: &str, running: &mut BTreeMap<String, Running>) -> Result<(), HerderError> {
        self.stop_task(name, running).await;
        let (config, target, tasks) = {
            let configs = self.configs();
            let config = configs.config(name).cloned().ok_or_else(|| HerderError::no_connector(name))?;
            (config, configs.target(name), configs.tasks(name).to_vec())
        };
        let class = config.value("connector.class").unwrap_or_default();
        let plugin = self.inner.plugins.connector(class.trim()).cloned();
        let version = plugin.as_ref().ok().map(|plugin| plugin.version().to_owned());
        let tell = |state| self.tell(name, state, None, version.clone());
        match target {
            TargetState::Stopped => {
                if !tasks.is_empty() {
                    self.keep(&task_records(name, &[]))?;
                }
                self.inner.statuses.remove_tasks(name);
                tell(State::Stopped);
                return Ok(());
            }
            TargetState::Paused => {
                tell(State::Paused);
                for id in (0..tasks.len()).filter_map(|id| i32::try_from(id).ok()) {
                    let worker_id = self.inner.settings.worker_id.clone();
                    let status = Status { state: State::Paused, trace: None, worker_id, version: version.clone() };
                    self.inner.statuses.set_task(name, id, &status);
                }
                return Ok(());
            }
            TargetState::Started => {}
        }
        let fail = |trace: String| {
            self.inner.statuses.remove_tasks(name);
            self.tell(name, State::Failed, Some(trace), None);
        };
        let plugin = match plugin {
            Ok(plugin) => plugin,
            Err(error) => {
                fail(format!("org.apache.kafka.connect.errors.ConnectException: {error}\n"));
                return Ok(());
            }
        };
        if let Some((property, _)) = config.iter().find(|(_, value)| value.is_none()) {
            fail(format!(
                "java.lang.ClassCastException: Non-string value found in original settings for key {property}: null\n"
            ));
            return Ok(());
        }
        let properties = match resolved(&config).await {
            Ok(properties) => properties,
            Err(error) => {
                fail(format!("org.apache.kafka.common.config.ConfigException: {error}\n"));
                return Ok(());
            }
        };
        if let Err(error) = TopicCreation::new(&properties) {
            fail(format!(
                "org.apache.kafka.connect.errors.ConnectException: Failed to start connector: {name}\n\
                 Caused by: org.apache.kafka.common.config.ConfigException: {error}\n"
            ));
            return Ok(());
        }
        tell(State::Running);
        let mut task = config.clone();
        task.set("task.class", plugin.task_class());
        if tasks != [task.clone()] {
            self.keep(&task_records(name, &[task]))?;
        }
        let metrics = Arc::<TaskMetrics>::default();
        let runner = TaskRunner {
            connector: name.to_owned(),
            offsets: self.offset_store(name, &config)?,
            properties,
            plugin,
            settings: Arc::clone(&self.inner.settings),
            destination: Arc::clone(&self.inner.destination),
            statuses: self.inner.statuses.clone(),
            metrics: Arc::clone(&metrics),
        };
        self.inner.metrics.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), metrics);
        let stop = CancellationToken::new();
        let ended = tokio::spawn(runner.run(stop.clone()));
        running.insert(name.to_owned(), Running { stop, ended });
        Ok(())
    }

    /// Ends a connector's task, if it has one.
    async fn stop_task(&self, name: &str, running: &mut BTreeMap<String, Running>) {
        if let Some(task) = running.remove(name) {
            task.stop.cancel();
            end(task).await;
        }
        self.inner.metrics.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn tell(&self, name: &str, state: State, trace: Option<String>, version: Option<String>) {
        let worker_id = self.inner.settings.worker_id.clone();
        self.inner.statuses.set_connector(name, &Status { state, trace, worker_id, version });
    }

    /// Makes records true.
    fn keep(&self, records: &[ConfigRecord]) -> Result<(), DestinationError> {
        let topic = &self.inner.settings.config_topic;
        if self.inner.destination.partition_count(topic).is_none() {
            let configs = [("cleanup.policy".to_owned(), "compact".to_owned())].into();
            self.inner.destination.ensure_topic(&TopicSpec { name: topic.clone(), partitions: 1, configs })?;
        }
        let outgoing = records.iter().map(|(key, value)| OutgoingRecord {
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            value: value.as_ref().map(|value| value.to_string().into()),
            headers: Arc::default(),
            timestamp: now_ms(),
        });
        self.inner.destination.append(topic, 0, &outgoing.collect::<Vec<_>>())?;
        let mut configs = self.inner.configs.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in records {
            configs.replay(key, value.as_ref());
        }
        Ok(())
    }

    pub(super) fn configs(&self) -> RwLockReadGuard<'_, ConfigState> {
        self.inner.configs.read().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn end(task: Running) {
    if let Err(error) = task.ended.await {
        tracing::error!(%error, "a task's supervisor has failed");
    }
}

/// A config with what config providers know, looked up where it holds nobody up.
async fn resolved(config: &Properties) -> Result<Properties, String> {
    if !config_providers::refers(config) {
        return Ok(config.clone());
    }
    let config = config.clone();
    let looked_up = tokio::task::spawn_blocking(move || config_providers::resolve(&config)).await;
    looked_up.map_err(|error| error.to_string())?
}

fn status_json(name: &str, connector: &Status, tasks: &[(i32, Status)]) -> Value {
    let tasks: Vec<Value> = tasks.iter().map(|(id, status)| status.to_json(Some(*id))).collect();
    json!({"name": name, "connector": connector.to_json(None), "tasks": tasks, "type": "source"})
}

impl fmt::Debug for Herder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Herder").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}
