//! What the catalog records beside topics: dynamic configs of brokers, quotas, subscriptions to clients' metrics, configs of
//! groups, credentials, levels of features, and the producer ids that are given out.

use std::collections::BTreeMap;
use std::sync::Arc;

use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_storage::{Catalog, CatalogRecord};

use super::{TopicError, Topics};
use crate::config::ConfigMap;
use crate::features::{FeatureUpdate, FinalizedFeatures};
use crate::quotas::SetQuotas;
use crate::quotas::entity::QuotaEntity;
use crate::scram::{ScramAlteration, ScramCredentials, ScramOutcomes};

/// How many producer ids are recorded as given out at a time.
pub(crate) const PRODUCER_ID_BLOCK: i64 = 1000;

/// The catalog, and what it records beside topics.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) catalog: Catalog,
    pub(super) next_producer_id: i64,
    /// Dynamic configs of brokers, by entity.
    pub(super) broker_configs: BTreeMap<String, ConfigMap>,
    pub(super) client_quotas: SetQuotas,
    /// Configs of subscriptions to clients' metrics, by name.
    pub(super) client_metrics: BTreeMap<String, ConfigMap>,
    /// Configs of groups, by group. None is empty.
    pub(super) group_configs: BTreeMap<String, ConfigMap>,
    pub(super) scram_credentials: ScramCredentials,
}

impl Recorded {
    pub(super) fn new(catalog: Catalog) -> Self {
        Self {
            catalog,
            next_producer_id: 0,
            broker_configs: BTreeMap::new(),
            client_quotas: SetQuotas::new(),
            client_metrics: BTreeMap::new(),
            group_configs: BTreeMap::new(),
            scram_credentials: ScramCredentials::default(),
        }
    }

    /// Keeps what a record says, and takes it over.
    pub(super) fn put(&mut self, record: CatalogRecord) -> Result<(), TopicError> {
        self.catalog.append(&record)?;
        self.replay(record);
        Ok(())
    }

    /// Takes over what a record says, unless it is of topics or features.
    pub(super) fn replay(&mut self, record: CatalogRecord) {
        match record {
            CatalogRecord::BrokerConfigs { entity, configs } => {
                self.broker_configs.insert(entity, configs);
            }
            CatalogRecord::ClientQuotas { entity, quotas } => match QuotaEntity::parse(entity) {
                Ok(entity) => set_or_remove(&mut self.client_quotas, entity, quota_values(quotas)),
                Err(reason) => tracing::warn!(reason, "recorded quotas are passed over"),
            },
            CatalogRecord::ClientMetrics { name, configs } => set_or_remove(&mut self.client_metrics, name, configs),
            CatalogRecord::GroupConfigs { group_id, configs } => {
                set_or_remove(&mut self.group_configs, group_id, configs);
            }
            CatalogRecord::NextProducerId(id) => self.next_producer_id = id,
            CatalogRecord::ScramCredentials(records) => self.scram_credentials.replay(records),
            CatalogRecord::Topic(_)
            | CatalogRecord::TopicDeleted { .. }
            | CatalogRecord::FeatureLevels { .. }
            | CatalogRecord::Format(_) => {}
        }
    }

    /// The records that say all this anew.
    fn records(&self) -> Vec<CatalogRecord> {
        // The block that is in use is as good as given out.
        let begun = (self.next_producer_id + PRODUCER_ID_BLOCK - 1) / PRODUCER_ID_BLOCK;
        let mut records =
            vec![CatalogRecord::NextProducerId(begun * PRODUCER_ID_BLOCK), self.scram_credentials.record()];
        records.extend(self.broker_configs.iter().map(|(entity, configs)| CatalogRecord::BrokerConfigs {
            entity: entity.clone(),
            configs: configs.clone(),
        }));
        records.extend(self.client_quotas.iter().map(|(entity, quotas)| quota_record(entity, quotas)));
        records.extend(
            self.client_metrics
                .iter()
                .map(|(name, configs)| CatalogRecord::ClientMetrics { name: name.clone(), configs: configs.clone() }),
        );
        records.extend(self.group_configs.iter().map(|(group_id, configs)| CatalogRecord::GroupConfigs {
            group_id: group_id.clone(),
            configs: configs.clone(),
        }));
        records
    }
}

impl Topics {
    /// All quotas that are set.
    pub(crate) fn client_quotas(&self) -> SetQuotas {
        self.recorded.lock().client_quotas.clone()
    }

    /// Sets an entity's quotas, in place of those it had.
    pub(crate) fn set_client_quotas(
        &self,
        entity: &QuotaEntity,
        quotas: &BTreeMap<String, f64>,
    ) -> Result<(), TopicError> {
        self.put(quota_record(entity, quotas))
    }

    /// The configs of a subscription to clients' metrics; none if there is no such subscription.
    pub(crate) fn client_metrics(&self, name: &str) -> ConfigMap {
        self.recorded.lock().client_metrics.get(name).cloned().unwrap_or_default()
    }

    /// The names of all subscriptions to clients' metrics.
    pub(crate) fn client_metrics_names(&self) -> Vec<String> {
        self.recorded.lock().client_metrics.keys().cloned().collect()
    }

    /// Sets the configs of a subscription to clients' metrics, in place of those it had.
    pub(crate) fn set_client_metrics(&self, name: &str, configs: ConfigMap) -> Result<(), TopicError> {
        self.put(CatalogRecord::ClientMetrics { name: name.to_owned(), configs })
    }

    /// Keeps the configs of a group, in place of those it had.
    pub(crate) fn configure_group(&self, group_id: &str, configs: ConfigMap) -> Result<(), TopicError> {
        self.put(CatalogRecord::GroupConfigs { group_id: group_id.to_owned(), configs })
    }

    /// The configs of all groups that have some of their own, by group.
    pub(crate) fn group_configs(&self) -> BTreeMap<String, ConfigMap> {
        self.recorded.lock().group_configs.clone()
    }

    /// A producer id that nobody has had. They are recorded in blocks, so that most cost nothing.
    pub(crate) fn next_producer_id(&self) -> Result<i64, TopicError> {
        let mut recorded = self.recorded.lock();
        let id = recorded.next_producer_id;
        if id % PRODUCER_ID_BLOCK == 0 {
            recorded.catalog.append(&CatalogRecord::NextProducerId(id + PRODUCER_ID_BLOCK))?;
        }
        recorded.next_producer_id += 1;
        Ok(id)
    }

    /// The levels that the cluster's features are at.
    pub(crate) fn finalized_features(&self) -> Arc<FinalizedFeatures> {
        self.features.load_full()
    }

    /// The level of `transaction.version`.
    pub(crate) fn transaction_version(&self) -> TransactionVersion {
        self.features.load().transaction_version()
    }

    /// Changes the levels of features, all or none; with `validate_only` only tells whether they could be.
    pub(crate) fn update_features(&self, updates: &[FeatureUpdate], validate_only: bool) -> Result<(), TopicError> {
        let mut recorded = self.recorded.lock();
        let current = self.finalized_features();
        let updated = current.updated(updates)?;
        if validate_only || updated == *current {
            return Ok(());
        }
        recorded.catalog.append(&updated.record())?;
        self.features.store(Arc::new(updated));
        self.compact(&mut recorded);
        Ok(())
    }

    /// All SCRAM credentials.
    pub(crate) fn scram_credentials(&self) -> ScramCredentials {
        self.recorded.lock().scram_credentials.clone()
    }

    /// Alters SCRAM credentials, each user's for itself.
    pub(crate) fn alter_scram_credentials(
        &self,
        alterations: Vec<ScramAlteration>,
    ) -> Result<ScramOutcomes, TopicError> {
        let mut recorded = self.recorded.lock();
        let (records, outcomes) = recorded.scram_credentials.alter(alterations);
        if !records.is_empty() {
            recorded.put(CatalogRecord::ScramCredentials(records))?;
            self.compact(&mut recorded);
        }
        Ok(outcomes)
    }

    fn put(&self, record: CatalogRecord) -> Result<(), TopicError> {
        let mut recorded = self.recorded.lock();
        recorded.put(record)?;
        self.compact(&mut recorded);
        Ok(())
    }

    /// Rewrites the catalog when most of it no longer counts.
    pub(super) fn compact(&self, recorded: &mut Recorded) {
        if !recorded.catalog.is_mostly_stale() {
            return;
        }
        let mut records = recorded.records();
        records.push(self.finalized_features().record());
        records.extend(
            self.all().iter().map(|topic| topic.record(topic.partition_count(), topic.settings().overrides.clone())),
        );
        if let Err(error) = recorded.catalog.rewrite(records.iter()) {
            // What there is says all that the shorter one would.
            tracing::warn!(%error, "the catalog was not rewritten; it is tried again with the next change");
        }
    }
}

fn quota_record(entity: &QuotaEntity, quotas: &BTreeMap<String, f64>) -> CatalogRecord {
    let quotas = quotas.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    CatalogRecord::ClientQuotas { entity: entity.pairs(), quotas }
}

fn quota_values(quotas: BTreeMap<String, String>) -> BTreeMap<String, f64> {
    quotas.into_iter().filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
}

/// Puts a map of settings in the place of the one that was there; without settings there is nothing to keep.
fn set_or_remove<K: Ord, V>(all: &mut BTreeMap<K, BTreeMap<String, V>>, key: K, settings: BTreeMap<String, V>) {
    if settings.is_empty() {
        all.remove(&key);
    } else {
        all.insert(key, settings);
    }
}
