//! What a connector brings along: its properties, its look at a config, and its task
//! (`org.apache.kafka.connect.source.SourceConnector`).

use std::fmt;

use super::{ConfigDef, ConfigInfo, Properties};
use crate::source::{BoxFuture, SourceTask, TaskContext, TaskError};

/// A kind of source connector.
pub trait ConnectorPlugin: Send + Sync + 'static {
    /// Its Java class, by which `connector.class` names it.
    fn class(&self) -> &'static str;

    /// The class of its tasks, which is in their configs.
    fn task_class(&self) -> &'static str;

    /// Its version, as `connector-plugins` lists it.
    fn version(&self) -> &'static str;

    /// Its own properties, without those that every connector has.
    fn config_def(&self) -> ConfigDef;

    /// What is to be said of each of its own properties. It may look at the database. `properties` has everything that
    /// was given, with what config providers know filled in.
    fn validate<'a>(&'a self, properties: &'a Properties) -> BoxFuture<'a, Vec<ConfigInfo>>;

    /// Makes the task of a connector. Nothing is connected yet: that is for the task's `run`.
    ///
    /// # Errors
    /// Why such a config cannot be run.
    fn create_task(&self, properties: &Properties, context: TaskContext) -> Result<Box<dyn SourceTask>, TaskError>;
}

impl fmt::Debug for dyn ConnectorPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorPlugin").field("class", &self.class()).field("version", &self.version()).finish()
    }
}
