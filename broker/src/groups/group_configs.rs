//! The configs of groups, as they count at this moment: those that are set for a group, over the broker's.

use std::collections::HashMap;

use crate::config::{BrokerLayers, ConfigError, ConfigMap, GroupConfig};

/// The configs of all groups.
#[derive(Debug, Clone, Default)]
pub(crate) struct GroupConfigs {
    /// Of groups that have none of their own.
    default: GroupConfig,
    own: HashMap<String, GroupConfig>,
}

impl GroupConfigs {
    /// What these configs of groups, by group, make with the broker's.
    pub(crate) fn resolve<'a>(
        layers: &BrokerLayers,
        groups: impl Iterator<Item = (&'a String, &'a ConfigMap)>,
    ) -> Result<Self, ConfigError> {
        let own = groups.map(|(group_id, configs)| Ok((group_id.clone(), GroupConfig::resolve(configs, layers)?)));
        Ok(Self { default: GroupConfig::resolve(&ConfigMap::new(), layers)?, own: own.collect::<Result<_, _>>()? })
    }

    /// Those of a group.
    pub(crate) fn of(&self, group_id: &str) -> &GroupConfig {
        self.own.get(group_id).unwrap_or(&self.default)
    }
}
