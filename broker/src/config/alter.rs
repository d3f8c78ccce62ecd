//! Changes of configs while the broker runs: AlterConfigs and IncrementalAlterConfigs (KIP-339).

use std::collections::BTreeSet;

use thiserror::Error;

use super::broker::{broker_config, listener_base_name, listener_config};
use super::broker_config::BrokerConfig;
use super::definition::{ConfigDef, ConfigType, UpdateMode};
use super::error::ConfigError;
use super::group::group_config;
use super::layers::{BrokerLayers, ConfigMap};
use super::topic::topic_config;
use super::topic_config::TopicConfig;

/// One change that IncrementalAlterConfigs asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    /// The config to change.
    pub name: String,
    /// What to do with it.
    pub op: AlterOp,
}

/// What IncrementalAlterConfigs may do with a config (`AlterConfigOp.OpType`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlterOp {
    /// Set it to this.
    Set(String),
    /// Set it no more.
    Delete,
    /// Add these elements, which commas separate, to a list.
    Append(String),
    /// Take these elements, which commas separate, off a list.
    Subtract(String),
}

/// Why a change is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AlterError {
    /// The request itself is wrong: `INVALID_REQUEST`.
    #[error("{0}")]
    InvalidRequest(String),
    /// What would come of it is wrong: `INVALID_CONFIG`.
    #[error("{0}")]
    InvalidConfig(String),
    /// There is no such operation, on which Kafka's controller fails: `UNKNOWN_SERVER_ERROR`.
    #[error("unknown operation type {0}")]
    UnknownOperation(i8),
}

impl ConfigChange {
    /// Reads the changes that a request names for one resource: name, operation and value of each.
    ///
    /// # Errors
    /// [`AlterError::InvalidRequest`] when a name is repeated or a value is missing, [`AlterError::UnknownOperation`] when
    /// there is no such operation.
    pub fn parse_all<'a>(
        requested: impl IntoIterator<Item = (&'a str, i8, Option<&'a str>)>,
    ) -> Result<Vec<Self>, AlterError> {
        let requested: Vec<_> = requested.into_iter().collect();
        refuse_duplicates(requested.iter().map(|(name, _, _)| *name))?;
        refuse_nulls(requested.iter().filter(|(_, op, _)| *op != 1).map(|(name, _, value)| (*name, *value)))?;
        requested
            .into_iter()
            .map(|(name, op, value)| {
                let value = value.unwrap_or_default().to_owned();
                let op = match op {
                    0 => AlterOp::Set(value),
                    1 => AlterOp::Delete,
                    2 => AlterOp::Append(value),
                    3 => AlterOp::Subtract(value),
                    _ => return Err(AlterError::UnknownOperation(op)),
                };
                Ok(Self { name: name.to_owned(), op })
            })
            .collect()
    }
}

/// Reads the configs that an AlterConfigs request names for one resource, which replace all that are set.
///
/// # Errors
/// [`AlterError::InvalidRequest`] when a name is repeated or a value is missing.
pub fn parse_replacement<'a>(
    requested: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<ConfigMap, AlterError> {
    let requested: Vec<_> = requested.into_iter().collect();
    refuse_duplicates(requested.iter().map(|(name, _)| *name))?;
    refuse_nulls(requested.iter().copied())?;
    Ok(collect(requested))
}

/// Reads the configs that CreateTopics names for a topic.
///
/// # Errors
/// [`AlterError::InvalidConfig`] when a value is missing.
pub fn parse_created<'a>(
    requested: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<ConfigMap, AlterError> {
    let requested: Vec<_> = requested.into_iter().collect();
    refuse_nulls(requested.iter().copied()).map_err(|error| AlterError::InvalidConfig(error.to_string()))?;
    Ok(collect(requested))
}

fn collect(values: Vec<(&str, Option<&str>)>) -> ConfigMap {
    let set = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    set.collect()
}

fn refuse_duplicates<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), AlterError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(AlterError::InvalidRequest(format!("configuration {name} is named twice")));
        }
    }
    Ok(())
}

fn refuse_nulls<'a>(values: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Result<(), AlterError> {
    let nulls: Vec<_> = values.filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
    if nulls.is_empty() {
        return Ok(());
    }
    Err(AlterError::InvalidRequest(format!("null value not supported for {}", nulls.join(", "))))
}

/// What would be set for a topic after these changes, which is checked by [`validate_topic`].
///
/// # Errors
/// [`AlterError::InvalidConfig`] when something is added to or taken off what is no list.
pub fn changed_topic(overrides: &ConfigMap, changes: &[ConfigChange]) -> Result<ConfigMap, AlterError> {
    apply(overrides, changes, topic_config)
}

/// Checks everything that would be set for a topic, as at its creation.
pub fn validate_topic(overrides: &ConfigMap, broker: &BrokerLayers) -> Result<TopicConfig, AlterError> {
    refuse_long_values(overrides)?;
    TopicConfig::resolve(overrides, broker).map_err(|error| AlterError::InvalidConfig(error.to_string()))
}

/// What is set for a group after these changes.
pub fn alter_group(
    overrides: &ConfigMap,
    changes: &[ConfigChange],
    broker: &BrokerLayers,
) -> Result<ConfigMap, AlterError> {
    let altered = apply(overrides, changes, group_config)?;
    validate_group(&altered, broker)?;
    Ok(altered)
}

/// Checks everything that would be set for a group: what is allowed, and what the broker allows groups.
pub fn validate_group(overrides: &ConfigMap, broker: &BrokerLayers) -> Result<(), AlterError> {
    refuse_long_values(overrides)?;
    super::group::check(overrides, broker)
}

/// The two sets of dynamic broker configs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DynamicScope {
    /// Those of this broker.
    Broker,
    /// Those of all brokers: the resource whose name is empty.
    Default,
}

impl DynamicScope {
    fn layer(self, layers: &BrokerLayers) -> &ConfigMap {
        match self {
            Self::Broker => &layers.dynamic_broker,
            Self::Default => &layers.dynamic_default,
        }
    }
}

/// The layers after these changes to the dynamic configs of one scope, and the configuration they make.
pub fn alter_broker(
    layers: &BrokerLayers,
    scope: DynamicScope,
    changes: &[ConfigChange],
) -> Result<(BrokerLayers, BrokerConfig), AlterError> {
    let altered = apply(scope.layer(layers), changes, broker_config)?;
    replace_broker(layers, scope, altered)
}

/// The layers with other dynamic configs in one scope, and the configuration they make.
///
/// Names that no table has are kept, as Kafka keeps them for plugins.
pub fn replace_broker(
    layers: &BrokerLayers,
    scope: DynamicScope,
    dynamic: ConfigMap,
) -> Result<(BrokerLayers, BrokerConfig), AlterError> {
    refuse_static(scope, &dynamic)?;
    let before = scope.layer(layers);
    let changed: Vec<&str> = dynamic
        .iter()
        .filter(|(name, text)| before.get(*name) != Some(text))
        .map(|(name, _)| name.as_str())
        .chain(before.keys().filter(|name| !dynamic.contains_key(*name)).map(String::as_str))
        .collect();
    refuse_open_listeners(&changed)?;
    refuse_min_insync_replicas(scope, &changed, &dynamic)?;
    refuse_long_values(&dynamic)?;

    let mut altered = layers.clone();
    match scope {
        DynamicScope::Broker => altered.dynamic_broker = dynamic,
        DynamicScope::Default => altered.dynamic_default = dynamic,
    }
    let config =
        BrokerConfig::resolve(&altered).map_err(|error: ConfigError| AlterError::InvalidRequest(error.to_string()))?;
    Ok((altered, config))
}

/// Refuses what only the start of a broker can set, and what one scope cannot (`DynamicBrokerConfig.validateConfigs`).
fn refuse_static(scope: DynamicScope, dynamic: &ConfigMap) -> Result<(), AlterError> {
    let names_where = |refused: &dyn Fn(&str) -> bool| -> Vec<&str> {
        let names = dynamic.keys().map(String::as_str);
        names.filter(|name| refused(name)).collect()
    };
    let refuse = |names: Vec<&str>, why: &str| match names.as_slice() {
        [] => Ok(()),
        names => Err(AlterError::InvalidRequest(format!("{why}: {}", names.join(", ")))),
    };
    refuse(
        names_where(&|name| broker_config(name).is_some_and(ConfigDef::is_read_only)),
        "these configs cannot be updated dynamically",
    )?;
    refuse(
        names_where(&|name| KEY_STORE_CONFIGS.contains(&name)),
        "these configs can be updated dynamically only for one listener, with its prefix",
    )?;
    if scope == DynamicScope::Broker {
        return Ok(());
    }
    let cluster_wide_of_listener = ["max.connection.creation.rate", "max.connections", "num.network.threads"];
    refuse(
        names_where(&|name| match listener_base_name(name) {
            Some(base) => !cluster_wide_of_listener.contains(&base),
            None => broker_config(name).is_some_and(|def| def.update == UpdateMode::PerBroker),
        }),
        "these configs cannot be updated for all brokers, only for one",
    )
}

/// Refuses changes to what an open listener was made from, but for its keys.
fn refuse_open_listeners(changed: &[&str]) -> Result<(), AlterError> {
    let refused = changed.iter().find(|name| {
        let def = broker_config(name).or_else(|| listener_config(name));
        def.is_some_and(|def| {
            let of_listener = def.update == UpdateMode::PerBroker && def.name != "cordoned.log.dirs";
            of_listener && !KEY_STORE_CONFIGS.contains(&def.name)
        })
    });
    match refused {
        None => Ok(()),
        Some(name) => Err(AlterError::InvalidRequest(format!(
            "{name} cannot be updated while its listener is open, restart the broker"
        ))),
    }
}

/// What a running broker may be given anew for a listener (`SslConfigs.RECONFIGURABLE_CONFIGS`).
const KEY_STORE_CONFIGS: [&str; 10] = [
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// With eligible leader replicas (KIP-966), which a new cluster has, `min.insync.replicas` is the cluster's alone.
fn refuse_min_insync_replicas(scope: DynamicScope, changed: &[&str], dynamic: &ConfigMap) -> Result<(), AlterError> {
    let name = "min.insync.replicas";
    let why = match scope {
        _ if !changed.contains(&name) => return Ok(()),
        DynamicScope::Broker => "cannot be set for one broker, only for all",
        DynamicScope::Default if !dynamic.contains_key(name) => "cannot be removed for all brokers",
        DynamicScope::Default => return Ok(()),
    };
    let text = format!("{name} {why} with eligible leader replicas");
    Err(AlterError::InvalidConfig(text))
}

/// Refuses values longer than a record of Kafka's metadata log can hold.
fn refuse_long_values(configs: &ConfigMap) -> Result<(), AlterError> {
    const LONGEST: usize = i16::MAX as usize;
    match configs.iter().find(|(_, text)| text.len() > LONGEST) {
        None => Ok(()),
        Some((name, _)) => {
            Err(AlterError::InvalidConfig(format!("the value of {name} is longer than {LONGEST} bytes")))
        }
    }
}

/// Carries out changes one after the other. Lists change as text, as in Kafka's controller: an element with white
/// space before it is another element, and a list that is not set is the default.
pub(super) fn apply(
    configs: &ConfigMap,
    changes: &[ConfigChange],
    table: fn(&str) -> Option<&'static ConfigDef>,
) -> Result<ConfigMap, AlterError> {
    let mut altered = configs.clone();
    for change in changes {
        let name = &change.name;
        let elements = |what| match table(name).filter(|def| def.ty == ConfigType::List) {
            Some(def) => {
                let text = configs.get(name).map(String::as_str).or(def.default).unwrap_or_default();
                Ok(text.split(',').filter(|element| !element.is_empty()).collect::<Vec<_>>())
            }
            None => Err(AlterError::InvalidConfig(format!("cannot {what} {name}, which is no list"))),
        };
        let text = match &change.op {
            AlterOp::Set(text) => text.clone(),
            AlterOp::Delete => {
                altered.remove(name);
                continue;
            }
            AlterOp::Append(added) => {
                let mut elements = elements("append to")?;
                for element in java_split(added) {
                    if !elements.contains(&element) {
                        elements.push(element);
                    }
                }
                elements.join(",")
            }
            AlterOp::Subtract(taken) => {
                let mut elements = elements("subtract from")?;
                for element in java_split(taken) {
                    if let Some(at) = elements.iter().position(|kept| *kept == element) {
                        elements.remove(at);
                    }
                }
                elements.join(",")
            }
        };
        altered.insert(name.clone(), text);
    }
    Ok(altered)
}

/// Splits at commas as Java's `String.split` does: without empty elements at the end, but with one for an empty text.
fn java_split(text: &str) -> impl Iterator<Item = &str> {
    let trimmed = text.trim_end_matches(',');
    let only_commas = trimmed.is_empty() && !text.is_empty();
    trimmed.split(',').filter(move |_| !only_commas)
}
