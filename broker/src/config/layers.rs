//! The places a broker config can be set, and which of them counts.

use std::collections::BTreeMap;

use super::broker::{broker_config, listener_config, resolve_broker_config};
use super::definition::ConfigDef;
use super::error::ConfigError;
use super::value::Value;

/// Names and their values as text, as they are stored and sent.
pub type ConfigMap = BTreeMap<String, String>;

/// Where a value comes from (`DescribeConfigsResponse.ConfigSource`, KIP-226).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfigSource {
    /// Set for the topic.
    DynamicTopicConfig = 1,
    /// Set for this broker while it ran.
    DynamicBrokerConfig = 2,
    /// Set for all brokers while they ran.
    DynamicDefaultBrokerConfig = 3,
    /// Set when the broker started.
    StaticBrokerConfig = 4,
    /// Set by nobody.
    DefaultConfig = 5,
    /// Set for a logger of this broker while it ran.
    DynamicBrokerLoggerConfig = 6,
    /// Set for a subscription to clients' metrics.
    ClientMetricsConfig = 7,
    /// Set for the group.
    GroupConfig = 8,
}

impl ConfigSource {
    /// The code in a response.
    pub const fn code(self) -> i8 {
        self as i8
    }
}

/// What the cluster-wide dynamic configs of a new cluster hold: formatting a stock node with
/// `eligible.leader.replicas.version=1` writes this (KIP-966).
pub const INITIAL_DYNAMIC_DEFAULTS: [(&str, &str); 1] = [("min.insync.replicas", "1")];

/// Everything that is set of a broker's configuration.
///
/// A value for this broker counts before one for all brokers, that before one from its start, and that before the
/// default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerLayers {
    /// From flags, environment and files, fixed while the broker runs.
    pub static_configs: ConfigMap,
    /// Dynamic configs of this broker.
    pub dynamic_broker: ConfigMap,
    /// Dynamic configs of all brokers.
    pub dynamic_default: ConfigMap,
}

impl BrokerLayers {
    /// The layers of a broker that starts with these settings, no dynamic config being set yet.
    ///
    /// `node.id` and its old name `broker.id` stand for each other, and a node without either has the default id.
    ///
    /// # Errors
    /// The first setting whose name is unknown or whose value is not allowed. Values that only contradict each
    /// other are [`super::BrokerConfig::resolve`]'s to find.
    pub fn new(mut static_configs: ConfigMap) -> Result<Self, ConfigError> {
        for (name, text) in &static_configs {
            if let Some(def) = resolve_broker_config(name)? {
                def.parse_as(name, text)?;
            }
        }
        let (node_id, broker_id) = (static_configs.get("node.id"), static_configs.get("broker.id"));
        match (node_id.cloned(), broker_id.cloned()) {
            (Some(_), Some(_)) => {}
            (Some(id), None) => {
                static_configs.insert("broker.id".to_owned(), id);
            }
            (None, Some(id)) => {
                static_configs.insert("node.id".to_owned(), id);
            }
            (None, None) => {
                let id = broker_config("node.id").and_then(|def| def.default);
                let id = id.expect("node.id has a default").to_owned();
                static_configs.insert("broker.id".to_owned(), id.clone());
                static_configs.insert("node.id".to_owned(), id);
            }
        }
        Ok(Self { static_configs, ..Self::default() })
    }

    /// The text that counts for a name and where it is set. Defaults are [`ConfigDef`]'s to give.
    pub(super) fn text(&self, name: &str) -> Option<(&str, ConfigSource)> {
        let dynamic = [
            (&self.dynamic_broker, ConfigSource::DynamicBrokerConfig),
            (&self.dynamic_default, ConfigSource::DynamicDefaultBrokerConfig),
        ];
        for (layer, source) in dynamic {
            if let Some(text) = layer.get(name) {
                return Some((text, source));
            }
        }
        if self.is_superseded(name) {
            return None;
        }
        let text = self.static_configs.get(name)?;
        Some((text, ConfigSource::StaticBrokerConfig))
    }

    /// Whether a dynamic config makes the static value of `name` count no more: a dynamic `log.retention.ms` takes
    /// the place of a static `log.retention.hours` too (`DynamicBrokerConfig.overrideProps`).
    fn is_superseded(&self, name: &str) -> bool {
        UNIT_SYNONYMS.iter().filter(|synonyms| synonyms.contains(&name)).any(|synonyms| {
            let dynamic = synonyms[0];
            self.dynamic_broker.contains_key(dynamic) || self.dynamic_default.contains_key(dynamic)
        })
    }

    /// The value of a config, which is its default if nothing sets it; `None` is Kafka's null.
    pub(super) fn value(&self, def: &ConfigDef) -> Result<Option<Value>, ConfigError> {
        match self.text(def.name) {
            Some((text, _)) => def.parse(text).map(Some),
            None => Ok(def.default_value()),
        }
    }

    /// Names and values of all layers.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&String, &String)> {
        let layers = [&self.static_configs, &self.dynamic_broker, &self.dynamic_default];
        layers.into_iter().flatten()
    }

    /// Settings that do nothing, and why: for a line in the log at start.
    pub fn inert(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.settings().filter_map(|(name, _)| {
            let def = broker_config(name).or_else(|| listener_config(name))?;
            match def.effect {
                super::Effect::Inert(reason) => Some((name.as_str(), reason)),
                super::Effect::Works => None,
            }
        })
    }
}

/// Configs that set the same thing in different units; the first that is set counts. Only the first of each can be
/// set while the broker runs.
const UNIT_SYNONYMS: [&[&str]; 4] = [
    &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.roll.ms", "log.roll.hours"],
];

/// The names whose settings a description of `name` lists (`DynamicBrokerConfig.brokerConfigSynonyms`).
pub(super) fn broker_config_synonyms(name: &str) -> Vec<&str> {
    // Only the flush interval has a synonym that does not have it in turn.
    if name != "log.flush.scheduler.interval.ms"
        && let Some(synonyms) = UNIT_SYNONYMS.iter().find(|synonyms| synonyms.contains(&name))
    {
        return synonyms.to_vec();
    }
    match super::broker::listener_base_name(name) {
        Some(base) => vec![name, base],
        None => vec![name],
    }
}
