//! The connector as Connect's plugins know it.

use std::collections::BTreeMap;

use super::PostgresConnectorTask;
use super::config::{config_def, validate};
use super::connection_check::check_connection;
use super::source_info::DEBEZIUM_VERSION;
use crate::connector_config::{ConfigDef, ConfigInfo, ConnectorPlugin, Properties};
use crate::source::{BoxFuture, SourceTask, TaskContext, TaskError};

/// `io.debezium.connector.postgresql.PostgresConnector`.
#[derive(Debug, Clone, Copy, Default)]
pub struct PostgresConnector;

impl ConnectorPlugin for PostgresConnector {
    fn class(&self) -> &'static str {
        "io.debezium.connector.postgresql.PostgresConnector"
    }

    fn task_class(&self) -> &'static str {
        "io.debezium.connector.postgresql.PostgresConnectorTask"
    }

    fn version(&self) -> &'static str {
        DEBEZIUM_VERSION
    }

    fn config_def(&self) -> ConfigDef {
        config_def()
    }

    fn validate<'a>(&'a self, properties: &'a Properties) -> BoxFuture<'a, Vec<ConfigInfo>> {
        Box::pin(async move {
            let mut infos = validate(properties);
            let reachable = |info: &ConfigInfo| !info.key.name.starts_with("database.") || info.errors.is_empty();
            if !infos.iter().all(reachable) {
                return infos;
            }
            if let Err(problem) = check_connection(&given(properties)).await
                && let Some(info) = infos.iter_mut().find(|info| info.key.name == problem.property)
            {
                info.errors.push(problem.message);
            }
            infos
        })
    }

    fn create_task(&self, properties: &Properties, context: TaskContext) -> Result<Box<dyn SourceTask>, TaskError> {
        match PostgresConnectorTask::new(&given(properties)) {
            Ok(task) => Ok(Box::new(task.within(context))),
            Err(error) => Err(TaskError::Failed(error.to_string())),
        }
    }
}

/// The properties that have a value.
fn given(properties: &Properties) -> BTreeMap<String, String> {
    properties.iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
}
