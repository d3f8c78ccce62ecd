//! Broker configs: their tables, by theme, and what a name in a broker's configuration may stand for.

mod controller;
mod groups;
mod internal;
mod listeners;
mod log;
mod metrics;
mod node;
mod replication;
mod sasl_mechanisms;
mod security;
mod share_groups;
mod streams_groups;
mod tiering;
mod tls;
mod topics;
mod transactions;

use super::definition::{ConfigDef, Effect, find, merge};
use super::effects::{ACLS, NO_JVM, TIERING};
use super::error::ConfigError;
use super::suggestion::nearest;
use super::topic::topic_config_synonyms;

/// Tables of broker configs, each sorted by name, with what they are about.
pub(super) const THEMES: [(&str, &[ConfigDef]); 15] = [
    ("Node", node::DEFS),
    ("Listeners and connections", listeners::DEFS),
    ("Topics and limits", topics::DEFS),
    ("Logs", log::DEFS),
    ("Groups and offsets", groups::DEFS),
    ("Transactions and producers", transactions::DEFS),
    ("Security", security::DEFS),
    ("TLS", tls::DEFS),
    ("SASL mechanisms", sasl_mechanisms::DEFS),
    ("Metrics and quotas", metrics::DEFS),
    ("Replication", replication::DEFS),
    ("Controller quorum", controller::DEFS),
    ("Share groups", share_groups::DEFS),
    ("Streams groups", streams_groups::DEFS),
    ("Tiered storage", tiering::DEFS),
];

/// Every broker config that a stock broker shows, sorted by name.
pub static BROKER_CONFIGS: [&ConfigDef; 340] = merge(&rows(THEMES));

const fn rows<const N: usize>(themes: [(&str, &'static [ConfigDef]); N]) -> [&'static [ConfigDef]; N] {
    let mut tables: [&[ConfigDef]; N] = [&[]; N];
    let mut i = 0;
    while i < N {
        tables[i] = themes[i].1;
        i += 1;
    }
    tables
}

/// Broker configs that Kafka accepts but shows only when they are set, sorted by name.
pub static INTERNAL_BROKER_CONFIGS: [&ConfigDef; 27] = merge(&[internal::DEFS]);

/// The broker config of exactly this name.
pub fn broker_config(name: &str) -> Option<&'static ConfigDef> {
    find(&BROKER_CONFIGS, name).or_else(|| find(&INTERNAL_BROKER_CONFIGS, name))
}

/// The broker config that `listener.name.<listener>.<config>` sets for one listener, which may have the name of a
/// SASL mechanism before it (`DynamicBrokerConfig.brokerConfigSynonyms`).
pub fn listener_config(name: &str) -> Option<&'static ConfigDef> {
    broker_config(listener_base_name(name)?)
}

/// The name of what a config with a listener's prefix sets.
pub(super) fn listener_base_name(name: &str) -> Option<&str> {
    let (_listener, base) = name.strip_prefix("listener.name.")?.split_once('.')?;
    let of_mechanism = MECHANISM_CONFIGS.into_iter().find(|config| base.ends_with(config));
    Some(of_mechanism.unwrap_or(base))
}

const MECHANISM_CONFIGS: [&str; 5] = [
    "connections.max.reauth.ms",
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
];

/// The config that a name in a broker's configuration stands for; `None` if it belongs to a plugin.
///
/// # Errors
/// [`ConfigError::UnknownBrokerConfig`] or [`ConfigError::Removed`]. Kafka would only warn of it, so that a typing
/// error would go unseen.
pub fn resolve_broker_config(name: &str) -> Result<Option<&'static ConfigDef>, ConfigError> {
    if let Some(def) = broker_config(name).or_else(|| listener_config(name)) {
        return Ok(Some(def));
    }
    if PLUGIN_CONFIGS.iter().any(|config| config.covers(name)) {
        return Ok(None);
    }
    if let Some((_, instead)) = REMOVED.iter().find(|(removed, _)| covers(removed, name)) {
        return Err(ConfigError::Removed { name: name.to_owned(), instead });
    }
    Err(ConfigError::UnknownBrokerConfig { name: name.to_owned(), nearest: nearest_broker_config(name) })
}

/// The known name that someone who wrote `name` may have meant.
pub(super) fn nearest_broker_config(name: &str) -> Option<&'static str> {
    if let [synonym, ..] = topic_config_synonyms(name) {
        return Some(synonym.name);
    }
    let base = listener_base_name(name).unwrap_or(name);
    nearest(base, BROKER_CONFIGS.iter().map(|def| def.name))
}

/// Names that Kafka hands to a plugin without knowing them.
#[derive(Debug, Clone, Copy)]
pub struct PluginConfig {
    /// The name, or the beginning of names if it ends in a dot.
    pub name: &'static str,
    /// What setting it does.
    pub effect: Effect,
    /// What it is about, in one line of Markdown.
    pub doc: &'static str,
}

impl PluginConfig {
    fn covers(&self, name: &str) -> bool {
        covers(self.name, name)
    }
}

/// Names that belong to plugins and are accepted as they are.
pub static PLUGIN_CONFIGS: [PluginConfig; 7] = [
    PluginConfig {
        name: "allow.everyone.if.no.acl.found",
        effect: ACLS,
        doc: "`StandardAuthorizer`: allow what no ACL speaks of",
    },
    PluginConfig { name: "config.providers.", effect: NO_JVM, doc: "settings of config providers" },
    PluginConfig { name: "confluent.", effect: NO_JVM, doc: "settings of Confluent's distribution" },
    PluginConfig { name: "metrics.jmx.", effect: NO_JVM, doc: "settings of the JMX reporter" },
    PluginConfig { name: "rlmm.config.", effect: TIERING, doc: "settings of the remote log metadata manager" },
    PluginConfig { name: "rsm.config.", effect: TIERING, doc: "settings of the remote storage manager" },
    PluginConfig { name: "super.users", effect: ACLS, doc: "`StandardAuthorizer`: principals that may do everything" },
];

/// Names, or beginnings of names, that Kafka 4.0 removed, and what to do instead.
const REMOVED: [(&str, &str); 12] = [
    ("auto.include.jmx.reporter", "leave it out"),
    ("broker.id.generation.enable", "set node.id"),
    ("control.plane.listener.name", "leave it out"),
    ("delegation.token.master.key", "set delegation.token.secret.key"),
    ("inter.broker.protocol.version", "leave it out"),
    ("leader.imbalance.per.broker.percentage", "leave it out"),
    ("log.message.downconversion.enable", "leave it out"),
    ("log.message.format.version", "leave it out"),
    (
        "log.message.timestamp.difference.max.ms",
        "set log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms",
    ),
    ("offsets.commit.required.acks", "leave it out"),
    ("reserved.broker.max.id", "set node.id"),
    ("zookeeper.", "there is no ZooKeeper, set node.id and process.roles"),
];

fn covers(name_or_prefix: &str, name: &str) -> bool {
    match name_or_prefix.ends_with('.') {
        true => name.starts_with(name_or_prefix),
        false => name == name_or_prefix,
    }
}

/// A default that differs from Kafka's.
#[derive(Debug, Clone, Copy)]
pub struct OwnDefault {
    /// Name of the broker config; its row has our default.
    pub name: &'static str,
    /// Kafka's default; `None` if Kafka has none.
    pub kafka: Option<&'static str>,
    /// Why it differs.
    pub reason: &'static str,
}

/// Every default that differs from Kafka's.
pub static OWN_DEFAULTS: [OwnDefault; 10] = [
    OwnDefault {
        name: "group.initial.rebalance.delay.ms",
        kafka: Some("3000"),
        reason: "a test should not wait three seconds for its first record",
    },
    OwnDefault {
        name: "group.streams.initial.rebalance.delay.ms",
        kafka: Some("3000"),
        reason: "a test should not wait three seconds for its first record",
    },
    OwnDefault {
        name: "listeners",
        kafka: Some("PLAINTEXT://:9092"),
        reason: "a broker for development is not for the network unless told so",
    },
    OwnDefault {
        name: "log.dir",
        kafka: Some("/tmp/kafka-logs"),
        reason: "data stays beside the project that started it",
    },
    OwnDefault { name: "node.id", kafka: None, reason: "Kafka demands it; one node needs no telling apart" },
    OwnDefault { name: "offsets.topic.replication.factor", kafka: Some("3"), reason: ONE_REPLICA },
    OwnDefault { name: "share.coordinator.state.topic.min.isr", kafka: Some("2"), reason: ONE_REPLICA },
    OwnDefault { name: "share.coordinator.state.topic.replication.factor", kafka: Some("3"), reason: ONE_REPLICA },
    OwnDefault { name: "transaction.state.log.min.isr", kafka: Some("2"), reason: ONE_REPLICA },
    OwnDefault { name: "transaction.state.log.replication.factor", kafka: Some("3"), reason: ONE_REPLICA },
];

const ONE_REPLICA: &str = "one node holds one replica; Kafka's own single-node examples set it so";
