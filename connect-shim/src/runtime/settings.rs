//! What a worker is told of itself (`DistributedConfig`).

use crate::connector_config::WorkerDefaults;

/// A worker's settings.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// By what it is known in statuses: the address at which its REST API is reached.
    pub worker_id: String,
    /// `group.id`: the first part of transactional ids.
    pub group_id: String,
    /// `config.storage.topic`.
    pub config_topic: String,
    /// `offset.storage.topic`.
    pub offset_topic: String,
    /// `status.storage.topic`.
    pub status_topic: String,
    /// Converters for connectors that name none.
    pub defaults: WorkerDefaults,
}

impl WorkerSettings {
    /// Kafka's own names for everything, and JSON converters.
    pub fn new(worker_id: impl Into<String>) -> Self {
        Self {
            worker_id: worker_id.into(),
            group_id: "connect-cluster".to_owned(),
            config_topic: "connect-configs".to_owned(),
            offset_topic: "connect-offsets".to_owned(),
            status_topic: "connect-status".to_owned(),
            defaults: WorkerDefaults::standard(),
        }
    }

    /// The transactional id of a task (`Worker.taskTransactionalId`): the same as a real worker's, so that either fences
    /// the other.
    pub fn transactional_id(&self, connector: &str, task: i32) -> String {
        format!("{}-{connector}-{task}", self.group_id)
    }
}
