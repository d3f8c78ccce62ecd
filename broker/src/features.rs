//! The features of the cluster and their levels (KIP-584): which there are, what they are finalized at, and how that may
//! change. The levels of a new cluster are those of a new Apache Kafka 4.3.1.
//!
//! The rules are those of Kafka's `FeatureControlManager`. A level below a feature's finalized one is a downgrade, which
//! must be asked for as such; `metadata.version` and `kraft.version` go no lower than where Kafka 4.3 begins.

use std::collections::BTreeMap;

use brooklet_protocol::coordinator::transaction_log::TransactionVersion;
use brooklet_storage::CatalogRecord;

/// A feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Feature {
    pub(crate) name: &'static str,
    /// The lowest level that is offered.
    pub(crate) min: i16,
    /// The highest level that is offered.
    pub(crate) max: i16,
    /// The level of a new cluster; 0 is off.
    pub(crate) finalized: i16,
}

const fn feature(name: &'static str, min: i16, max: i16, finalized: i16) -> Feature {
    Feature { name, min, max, finalized }
}

/// Consumer groups (KIP-848).
pub(crate) const GROUP_VERSION: &str = "group.version";
/// Share groups (KIP-932).
pub(crate) const SHARE_VERSION: &str = "share.version";
/// Streams groups (KIP-1071).
pub(crate) const STREAMS_VERSION: &str = "streams.version";
/// How transactions are gone about (KIP-890).
pub(crate) const TRANSACTION_VERSION: &str = "transaction.version";
const METADATA_VERSION: &str = "metadata.version";
const KRAFT_VERSION: &str = "kraft.version";

/// All features.
pub(crate) const FEATURES: [Feature; 7] = [
    feature(GROUP_VERSION, 0, 1, 1),
    feature(KRAFT_VERSION, 0, 1, 1),
    feature(METADATA_VERSION, 7, 30, 30),
    feature(SHARE_VERSION, 0, 1, 1),
    feature(STREAMS_VERSION, 0, 1, 1),
    feature(TRANSACTION_VERSION, 0, 2, 2),
    feature("eligible.leader.replicas.version", 0, 1, 1),
];

/// The levels that the cluster is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FinalizedFeatures {
    epoch: i64,
    levels: BTreeMap<&'static str, i16>,
}

/// A wish to change a feature's level.
#[derive(Debug, Clone)]
pub(crate) struct FeatureUpdate {
    pub(crate) name: String,
    pub(crate) level: i16,
    pub(crate) kind: UpgradeType,
}

/// What a client says that it means to do (`FeatureUpdate.UpgradeType` of Kafka's).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpgradeType {
    Upgrade,
    SafeDowngrade,
    UnsafeDowngrade,
    Unknown,
}

impl UpgradeType {
    pub(crate) fn from_code(code: i8) -> Self {
        match code {
            1 => Self::Upgrade,
            2 => Self::SafeDowngrade,
            3 => Self::UnsafeDowngrade,
            _ => Self::Unknown,
        }
    }
}

/// Why no feature was changed: the first that could not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no feature was updated: {feature} cannot be set to {level}: {reason}")]
pub(crate) struct FeatureError {
    feature: String,
    level: i16,
    reason: String,
}

impl Default for FinalizedFeatures {
    fn default() -> Self {
        let levels = FEATURES.iter().map(|feature| (feature.name, feature.finalized));
        Self { epoch: 1, levels: levels.collect() }
    }
}

impl FinalizedFeatures {
    /// The levels as they were recorded. Features that are not known here are passed over.
    pub(crate) fn recorded(epoch: i64, levels: &BTreeMap<String, i16>) -> Self {
        let mut restored = Self { epoch, ..Self::default() };
        for (name, level) in &mut restored.levels {
            *level = levels.get(*name).copied().unwrap_or(*level);
        }
        restored
    }

    /// As the catalog keeps them.
    pub(crate) fn record(&self) -> CatalogRecord {
        let levels = self.levels.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        CatalogRecord::FeatureLevels { epoch: self.epoch, levels }
    }

    /// Grows with every change, over restarts too: a client disregards levels of an epoch below what it has seen.
    pub(crate) fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The features that are on, with their levels.
    pub(crate) fn enabled(&self) -> impl Iterator<Item = (&'static str, i16)> + '_ {
        self.levels.iter().map(|(name, level)| (*name, *level)).filter(|(_, level)| *level > 0)
    }

    /// A feature's level; 0 is off, and that of one that is not known.
    pub(crate) fn level(&self, name: &str) -> i16 {
        self.levels.get(name).copied().unwrap_or(0)
    }

    /// The level of `transaction.version`.
    pub(crate) fn transaction_version(&self) -> TransactionVersion {
        TransactionVersion::from_level(self.level(TRANSACTION_VERSION))
    }

    /// The levels after all of the updates, or why there is none of them.
    pub(crate) fn updated(&self, updates: &[FeatureUpdate]) -> Result<Self, FeatureError> {
        // Where a feature is named twice the last one counts.
        let last: BTreeMap<&str, &FeatureUpdate> = updates.iter().map(|update| (&*update.name, update)).collect();
        let mut updated = self.clone();
        for update in last.into_values() {
            let refuse = |reason| FeatureError { feature: update.name.clone(), level: update.level, reason };
            let name = self.check(update).map_err(refuse)?;
            updated.levels.insert(name, update.level);
        }
        if updated.levels != self.levels {
            updated.epoch += 1;
        }
        Ok(updated)
    }

    fn check(&self, update: &FeatureUpdate) -> Result<&'static str, String> {
        if update.kind == UpgradeType::Unknown {
            return Err("the upgrade type must be 1 (upgrade), 2 (safe downgrade) or 3 (unsafe downgrade)".to_owned());
        }
        if update.level < 0 {
            return Err("a level cannot be below 0".to_owned());
        }
        let Some(feature) = FEATURES.iter().find(|feature| feature.name == update.name) else {
            return Err("there is no such feature".to_owned());
        };
        if !(feature.min..=feature.max).contains(&update.level) {
            return Err(format!("its levels are {} to {}", feature.min, feature.max));
        }
        let current = self.levels[feature.name];
        if update.level > current && update.kind != UpgradeType::Upgrade {
            return Err(format!("a downgrade cannot go up from {current}"));
        }
        if update.level < current {
            if update.kind == UpgradeType::Upgrade {
                return Err(format!("that is a downgrade from {current} and must be asked for as one"));
            }
            if matches!(feature.name, METADATA_VERSION | KRAFT_VERSION) {
                return Err(format!("it cannot go down from {current}"));
            }
        }
        Ok(feature.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn updates() -> impl Strategy<Value = Vec<FeatureUpdate>> {
        let name = prop_oneof![
            4 => prop::sample::select(FEATURES.to_vec()).prop_map(|feature| feature.name.to_owned()),
            1 => Just("nope".to_owned())
        ];
        let update = (name, -1i16..32, 0i8..5).prop_map(|(name, level, kind)| {
            let level = if name == METADATA_VERSION { level } else { level % 3 };
            FeatureUpdate { name, level, kind: UpgradeType::from_code(kind) }
        });
        prop::collection::vec(update, 0..3)
    }

    proptest! {
        #[test]
        fn levels_stay_in_range_the_epoch_grows_with_them_and_a_record_gives_them_back(
            rounds in prop::collection::vec(updates(), 0..20)
        ) {
            let mut present = FinalizedFeatures::default();
            for updates in rounds {
                let Ok(next) = present.updated(&updates) else { continue };
                prop_assert_eq!(next.epoch > present.epoch, next.levels != present.levels);
                present = next;
                for feature in FEATURES {
                    prop_assert!((feature.min..=feature.max).contains(&present.levels[feature.name]));
                }
                prop_assert_eq!((present.levels[METADATA_VERSION], present.levels[KRAFT_VERSION]), (30, 1));
                let CatalogRecord::FeatureLevels { epoch, levels } = present.record() else { unreachable!() };
                prop_assert_eq!(&FinalizedFeatures::recorded(epoch, &levels), &present);
            }
        }
    }
}
