//! How far a connector has read its source, as the REST API shows and changes it (`AbstractHerder.connectorOffsets`,
//! KIP-875).

use std::sync::Arc;

use serde_json::Value;

use super::herder::Herder;
use super::herder_error::HerderError;
use super::offset_store::{OffsetStore, PartitionOffset};
use super::status::TargetState;
use super::task_runner::TASK;
use crate::connector_config::Properties;
use crate::data::OffsetMap;

impl Herder {
    /// How far a connector's source was read.
    ///
    /// # Errors
    /// That there is no such connector.
    pub fn offsets(&self, name: &str) -> Result<Vec<PartitionOffset>, HerderError> {
        let config = self.configs().config(name).cloned().ok_or_else(|| HerderError::no_connector(name))?;
        Ok(self.offset_store(name, &config)?.offsets(name))
    }

    /// Sets offsets of a stopped connector; `None` resets one.
    ///
    /// # Errors
    /// That there is no such connector, or that it is not stopped.
    pub async fn alter_offsets(&self, name: &str, offsets: Vec<PartitionOffset>) -> Result<(), HerderError> {
        let _running = self.inner.running.lock().await;
        let store = self.stopped_offsets(name)?;
        let maps = offsets.iter().flat_map(|(partition, offset)| [Some(partition), offset.as_ref()]).flatten();
        maps.into_iter().try_for_each(plain)?;
        self.write_offsets(name, &store, &offsets, false).await
    }

    /// Resets all offsets of a stopped connector.
    ///
    /// # Errors
    /// That there is no such connector, or that it is not stopped.
    pub async fn reset_offsets(&self, name: &str) -> Result<(), HerderError> {
        let _running = self.inner.running.lock().await;
        let store = self.stopped_offsets(name)?;
        let all: Vec<_> = store.offsets(name).into_iter().map(|(partition, _)| (partition, None)).collect();
        self.write_offsets(name, &store, &all, true).await
    }

    fn stopped_offsets(&self, name: &str) -> Result<OffsetStore, HerderError> {
        let configs = self.configs();
        let config = configs.config(name).ok_or_else(|| HerderError::no_connector(name))?;
        if configs.target(name) != TargetState::Stopped {
            return Err(HerderError::BadRequest(format!(
                "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the \
                 specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
            )));
        }
        self.offset_store(name, config)
    }

    async fn write_offsets(
        &self,
        name: &str,
        store: &OffsetStore,
        offsets: &[PartitionOffset],
        show_null: bool,
    ) -> Result<(), HerderError> {
        if offsets.is_empty() {
            return Ok(());
        }
        store.ensure_topic()?;
        // Under the task's own transactional id, so that no task of the past can write after this.
        let transactional_id = self.inner.settings.transactional_id(name, TASK);
        let mut producer = self.inner.destination.producer(&transactional_id).await?;
        for (partition, offset) in offsets {
            let (at, record) = store.record(name, partition, offset.as_ref());
            producer.append(store.topic(), at, std::slice::from_ref(&record)).await?;
        }
        producer.commit().await?;
        for (partition, offset) in offsets {
            store.remember(name, partition, offset.clone(), show_null);
        }
        Ok(())
    }

    /// Where a connector keeps its offsets. One of its own is read anew each time it is asked for.
    pub(super) fn offset_store(&self, name: &str, config: &Properties) -> Result<OffsetStore, HerderError> {
        match config.value("offsets.storage.topic").map(str::trim).filter(|topic| !topic.is_empty()) {
            None => Ok(self.inner.offsets.clone()),
            Some(topic) if topic == self.inner.offsets.topic() => Ok(self.inner.offsets.clone()),
            Some(topic) => {
                let store = OffsetStore::new(Arc::clone(&self.inner.destination), topic);
                store.load_connector(name)?;
                Ok(store)
            }
        }
    }
}

/// Nothing in an offset holds anything else (`OffsetUtils.validateFormat`).
fn plain(map: &OffsetMap) -> Result<(), HerderError> {
    let of = |value: &Value| match value {
        Value::Array(_) => Some("ARRAY"),
        Value::Object(_) => Some("MAP"),
        _ => None,
    };
    match map.iter().find_map(|(field, value)| Some((field, of(value)?))) {
        None => Ok(()),
        Some((field, kind)) => Err(HerderError::Failed(format!(
            "Offsets may only contain primitive types as values, but field {field} contains {kind}"
        ))),
    }
}
