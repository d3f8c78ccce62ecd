//! Taking over a data directory that Apache Kafka wrote: when a directory is opened that has no catalog yet, the topics that
//! are found in it are recorded, with their ids, partitions and configs, and from then on they are topics like
//! all others. The coordinators' own are among them, so that committed offsets and transactions go on.

use std::collections::BTreeMap;
use std::path::Path;

use brooklet_storage::{Catalog, CatalogRecord, Error, KafkaDirectory, KafkaTopic, TopicRecord};

use crate::config::{BrokerLayers, ConfigMap};
use crate::topic_settings::TopicSettings;
use crate::topics::{PRODUCER_ID_BLOCK, check_name, is_internal};

/// Records what is found in the directory, all of it or nothing.
pub(crate) fn adopt(data_dir: &Path, catalog: &mut Catalog) -> Result<Vec<CatalogRecord>, Error> {
    let found = KafkaDirectory::read(data_dir)?;
    if found.topics.is_empty() {
        return Ok(Vec::new());
    }
    if !found.has_metadata_log {
        tracing::warn!(
            "there is no metadata log beside the topics: they have the broker's configs, not those they had"
        );
    }
    let records = records(found);
    catalog.rewrite(records.iter())?;
    let topics = records.iter().filter(|record| matches!(record, CatalogRecord::Topic(_))).count();
    tracing::info!(topics, data_dir = %data_dir.display(), "a directory of Apache Kafka's is taken over");
    Ok(records)
}

fn records(found: KafkaDirectory) -> Vec<CatalogRecord> {
    // The block that Kafka had begun is as good as given out.
    let next_block = (found.next_producer_id / PRODUCER_ID_BLOCK + 1) * PRODUCER_ID_BLOCK;
    let mut records = vec![CatalogRecord::NextProducerId(next_block)];
    records.extend(found.topics.into_iter().filter(|topic| check_name(&topic.name).is_ok()).map(topic_record));
    let brokers = found.broker_configs.into_iter();
    records.extend(brokers.map(|(entity, configs)| CatalogRecord::BrokerConfigs { entity, configs }));
    let groups = found.group_configs.into_iter();
    records.extend(groups.map(|(group_id, configs)| CatalogRecord::GroupConfigs { group_id, configs }));
    records
}

fn topic_record(found: KafkaTopic) -> CatalogRecord {
    let KafkaTopic { name, id, partitions, mut configs } = found;
    configs.retain(|config, value| is_known(&name, config, value));
    if is_internal(&name) && configs.is_empty() {
        // Without a metadata log: to let retention at the coordinators' records would lose groups.
        configs.insert("cleanup.policy".to_owned(), "compact".to_owned());
    }
    CatalogRecord::Topic(TopicRecord { name, id, partitions, replication_factor: 1, configs })
}

/// Whether a config has a meaning here; one that has none must not keep the broker from starting.
fn is_known(topic: &str, config: &str, value: &str) -> bool {
    let alone: ConfigMap = BTreeMap::from([(config.to_owned(), value.to_owned())]);
    let resolved = TopicSettings::resolve(alone, &BrokerLayers::default());
    if let Err(error) = &resolved {
        tracing::warn!(%error, topic, config, value, "a config is passed over");
    }
    resolved.is_ok()
}
