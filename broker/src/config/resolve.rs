//! Which value of a config counts and where it comes from, as a stock broker describes it (KIP-226, KIP-569).

use std::collections::BTreeSet;

use super::broker::{BROKER_CONFIGS, broker_config, listener_config};
use super::definition::{ConfigDef, ConfigType, find};
use super::error::ConfigError;
use super::group::{GROUP_CONFIGS, group_config_synonym, group_value};
use super::layers::{BrokerLayers, ConfigMap, ConfigSource, broker_config_synonyms};
use super::topic::{INTERNAL_TOPIC_CONFIGS, TOPIC_CONFIGS, topic_config_synonyms};
use super::value::Value;

/// A config as DescribeConfigs or CreateTopics shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Kafka's name.
    pub name: String,
    /// The value that counts; `None` is null, which also hides the value of a sensitive config.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it is fixed while the broker runs.
    pub read_only: bool,
    /// Whether its values are left out.
    pub sensitive: bool,
    /// Every place that sets it or something it is taken from, the one that counts first.
    pub synonyms: Vec<ConfigSynonym>,
    /// Type of the value; `None` if only a plugin knows it.
    pub ty: Option<ConfigType>,
    /// What it is about, in one line of Markdown.
    pub doc: Option<&'static str>,
}

impl ConfigEntry {
    /// Whether nobody set it, which is all that version 0 of DescribeConfigs tells of the source.
    pub fn is_default(&self) -> bool {
        self.source == ConfigSource::DefaultConfig
    }

    /// The code of its type in a DescribeConfigs response.
    pub fn type_code(&self) -> i8 {
        self.ty.map_or(0, ConfigType::code)
    }
}

/// One place that sets a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The name it is set by, which may be that of a broker config that is the default of a topic config.
    pub name: String,
    /// The value there; `None` hides a sensitive one.
    pub value: Option<String>,
    /// Which place.
    pub source: ConfigSource,
}

/// The configs of a topic, sorted by name, as DescribeConfigs shows them. `overrides` are those set for the topic;
/// `wanted` selects names.
pub fn describe_topic(overrides: &ConfigMap, broker: &BrokerLayers, wanted: impl Fn(&str) -> bool) -> Vec<ConfigEntry> {
    shown_topic_configs(overrides)
        .filter(|def| wanted(def.name))
        .map(|def| {
            let value = match topic_value(def, overrides, broker) {
                Ok(value) => value.map(|value| value.to_string()),
                Err(_) => overrides.get(def.name).cloned(),
            };
            // Kafka follows the first synonym alone: retention that is set only in hours shows as a default.
            let mut synonyms = match topic_config_synonyms(def.name) {
                [first, ..] => broker_synonyms(first.name, false, broker),
                [] => Vec::new(),
            };
            if overrides.contains_key(def.name) {
                let own = ConfigSynonym {
                    name: def.name.to_owned(),
                    value: value.clone(),
                    source: ConfigSource::DynamicTopicConfig,
                };
                synonyms.insert(0, own);
            }
            writable_entry(def, value, first_source(&synonyms), synonyms)
        })
        .collect()
}

/// The configs of a topic, sorted by name, as the response to CreateTopics shows them: values as they were set, and
/// sources that know of synonyms in other units (`KafkaConfigSchema.resolveEffectiveTopicConfigs`).
pub fn created_topic(overrides: &ConfigMap, broker: &BrokerLayers) -> Vec<ConfigEntry> {
    shown_topic_configs(overrides)
        .map(|def| {
            let (value, source) = created_value(def, overrides, broker);
            writable_entry(def, value, source, Vec::new())
        })
        .collect()
}

fn created_value(def: &ConfigDef, overrides: &ConfigMap, broker: &BrokerLayers) -> (Option<String>, ConfigSource) {
    if let Some(text) = overrides.get(def.name) {
        return (Some(text.clone()), ConfigSource::DynamicTopicConfig);
    }
    for (layer, source) in set_layers(broker) {
        for synonym in topic_config_synonyms(def.name) {
            if let Some(text) = layer.get(synonym.name) {
                return (Some(synonym.convert_text(text)), source);
            }
        }
    }
    (def.default.map(str::to_owned), ConfigSource::DefaultConfig)
}

/// The configs of this broker, sorted by name, as DescribeConfigs shows them; `wanted` selects names.
pub fn describe_broker(broker: &BrokerLayers, wanted: impl Fn(&str) -> bool) -> Vec<ConfigEntry> {
    let set: BTreeSet<&str> = broker.settings().map(|(name, _)| name.as_str()).collect();
    let shown: BTreeSet<&str> = BROKER_CONFIGS.iter().map(|def| def.name).chain(set).collect();
    shown
        .into_iter()
        .filter(|name| wanted(name))
        .map(|name| {
            let value = match find_shown(name) {
                Some(def) => match broker.value(def) {
                    Ok(value) => value.map(|value| value.to_string()),
                    Err(_) => broker.text(name).map(|(text, _)| text.to_owned()),
                },
                None => broker.text(name).map(|(text, _)| text.to_owned()),
            };
            let facts = NameFacts::of(name);
            let synonyms = broker_synonyms(name, facts.sensitive, broker);
            facts.entry(name, value, first_source(&synonyms), synonyms)
        })
        .collect()
}

/// The configs of a group, sorted by name, as DescribeConfigs shows them, whether there is such a group or not.
/// `overrides` are those set for it; `wanted` selects names.
pub fn describe_group(overrides: &ConfigMap, broker: &BrokerLayers, wanted: impl Fn(&str) -> bool) -> Vec<ConfigEntry> {
    let wanted = GROUP_CONFIGS.iter().filter(|def| wanted(def.name));
    let entry = |def: &&'static ConfigDef| {
        let value = group_value(def, overrides, broker).ok().flatten().map(|value| value.to_string());
        let mut synonyms = match (group_config_synonym(def.name), def.default) {
            (Some(synonym), _) => broker_synonyms(synonym, false, broker),
            (None, Some(default)) => vec![ConfigSynonym {
                name: def.name.to_owned(),
                value: Some(default.to_owned()),
                source: ConfigSource::DefaultConfig,
            }],
            (None, None) => Vec::new(),
        };
        if overrides.contains_key(def.name) {
            let (name, value) = (def.name.to_owned(), value.clone());
            synonyms.insert(0, ConfigSynonym { name, value, source: ConfigSource::GroupConfig });
        }
        writable_entry(def, value, first_source(&synonyms), synonyms)
    };
    wanted.map(entry).collect()
}

/// The dynamic configs of all brokers, sorted by name, as DescribeConfigs shows them of the broker without a name.
pub fn describe_dynamic_default(broker: &BrokerLayers, wanted: impl Fn(&str) -> bool) -> Vec<ConfigEntry> {
    let source = ConfigSource::DynamicDefaultBrokerConfig;
    broker
        .dynamic_default
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, text)| {
            let facts = NameFacts::of(name);
            let mut synonyms = broker_synonyms(name, facts.sensitive, broker);
            synonyms.retain(|synonym| synonym.source == source);
            facts.entry(name, Some(text.clone()), source, synonyms)
        })
        .collect()
}

/// The value of a topic config: the topic's own, else that of the first broker config it is taken from that is set,
/// else the default; `None` is Kafka's null. Retention that is
/// negative in whatever unit becomes -1.
pub(super) fn topic_value(
    def: &ConfigDef,
    overrides: &ConfigMap,
    broker: &BrokerLayers,
) -> Result<Option<Value>, ConfigError> {
    if let Some(text) = overrides.get(def.name) {
        return def.parse(text).map(Some);
    }
    for synonym in topic_config_synonyms(def.name) {
        let config = broker_config(synonym.name).expect("every synonym is a broker config");
        match broker.value(config)?.map(|value| synonym.convert(value)) {
            Some(Value::Long(ms)) if def.name == "retention.ms" => return Ok(Some(Value::Long(ms.max(-1)))),
            Some(value) => return Ok(Some(value)),
            None => {}
        }
    }
    Ok(def.default_value())
}

/// Topic configs that answers show: all but the internal ones that are not set.
fn shown_topic_configs(overrides: &ConfigMap) -> impl Iterator<Item = &'static ConfigDef> {
    let internal = INTERNAL_TOPIC_CONFIGS.into_iter().filter(|def| overrides.contains_key(def.name));
    let mut shown: Vec<_> = TOPIC_CONFIGS.into_iter().chain(internal).collect();
    shown.sort_unstable_by_key(|def| def.name);
    shown.into_iter()
}

fn writable_entry(
    def: &'static ConfigDef,
    value: Option<String>,
    source: ConfigSource,
    synonyms: Vec<ConfigSynonym>,
) -> ConfigEntry {
    ConfigEntry {
        name: def.name.to_owned(),
        value,
        source,
        read_only: false,
        sensitive: false,
        synonyms,
        ty: Some(def.ty),
        doc: Some(def.doc),
    }
}

/// What answers tell of a name in a broker's configuration, whatever its value.
struct NameFacts {
    ty: Option<ConfigType>,
    doc: Option<&'static str>,
    read_only: bool,
    /// A config of unknown type might be a secret.
    sensitive: bool,
}

impl NameFacts {
    fn of(name: &str) -> Self {
        let own = broker_config(name);
        let def = own.or_else(|| listener_config(name));
        Self {
            ty: def.map(|def| def.ty),
            doc: def.map(|def| def.doc),
            read_only: own.is_none_or(ConfigDef::is_read_only),
            sensitive: def.is_none_or(ConfigDef::is_sensitive),
        }
    }

    fn entry(
        self,
        name: &str,
        value: Option<String>,
        source: ConfigSource,
        synonyms: Vec<ConfigSynonym>,
    ) -> ConfigEntry {
        ConfigEntry {
            name: name.to_owned(),
            value: value.filter(|_| !self.sensitive),
            source,
            read_only: self.read_only,
            sensitive: self.sensitive,
            synonyms,
            ty: self.ty,
            doc: self.doc,
        }
    }
}

/// Every place that sets `name` or a synonym of it, the one that counts first, from the first that is of `name`
/// itself (`ConfigHelper.configSynonyms`).
fn broker_synonyms(name: &str, sensitive: bool, broker: &BrokerLayers) -> Vec<ConfigSynonym> {
    let names = broker_config_synonyms(name);
    let synonym = |name: &str, text: &str, source| ConfigSynonym {
        name: name.to_owned(),
        value: (!sensitive).then(|| text.to_owned()),
        source,
    };
    let set = set_layers(broker).into_iter().flat_map(|(layer, source)| {
        names.iter().filter_map(move |name| layer.get(*name).map(|text| synonym(name, text, source)))
    });
    let defaults = names.iter().filter_map(|name| {
        let text = broker_config(name)?.default?;
        Some(synonym(name, text, ConfigSource::DefaultConfig))
    });
    set.chain(defaults).skip_while(|synonym| synonym.name != name).collect()
}

fn first_source(synonyms: &[ConfigSynonym]) -> ConfigSource {
    synonyms.first().map_or(ConfigSource::DefaultConfig, |synonym| synonym.source)
}

fn set_layers(broker: &BrokerLayers) -> [(&ConfigMap, ConfigSource); 3] {
    [
        (&broker.dynamic_broker, ConfigSource::DynamicBrokerConfig),
        (&broker.dynamic_default, ConfigSource::DynamicDefaultBrokerConfig),
        (&broker.static_configs, ConfigSource::StaticBrokerConfig),
    ]
}

/// A broker config that is shown whether or not it is set.
fn find_shown(name: &str) -> Option<&'static ConfigDef> {
    find(&BROKER_CONFIGS, name)
}
