//! Configuration: every config of Apache Kafka 4.3.1, of topics, of groups and of the broker.
//!
//! Static tables hold what is known of each config ([`TOPIC_CONFIGS`], [`GROUP_CONFIGS`], [`BROKER_CONFIGS`]): name,
//! type, default, rules, whether it may change at run time, and what it does here. Parsing, validation, the answers to
//! DescribeConfigs, changes by AlterConfigs, `docs/configuration.md` and the typed settings that the rest of the
//! broker reads all come from these rows.
//!
//! The way of a broker config: [`Settings`] gathers it from flags, environment and files, [`BrokerLayers`] puts the
//! dynamic configs over it, [`BrokerConfig`] is what the code reads. The way of a topic config: [`TopicConfig`] is
//! made of what is set for the topic and the layers, since most topic configs have a broker config as their default.
//! Text is read only there, not when a request comes.
//!
//! Nothing here does I/O or knows the time.

mod alter;
mod broker;
mod broker_config;
mod client_metrics;
mod definition;
mod effects;
mod error;
mod group;
mod layers;
mod listeners;
mod load;
mod properties;
mod reference;
mod relations;
mod resolve;
mod share_group;
mod suggestion;
mod topic;
mod topic_config;
mod typed;
mod validator;
mod value;
#[cfg(feature = "cli")]
mod yaml;

pub use alter::{
    AlterError, AlterOp, ConfigChange, DynamicScope, alter_broker, alter_group, changed_topic, parse_created,
    parse_replacement, replace_broker, validate_group, validate_topic,
};
pub use broker::{
    BROKER_CONFIGS, INTERNAL_BROKER_CONFIGS, OWN_DEFAULTS, OwnDefault, PLUGIN_CONFIGS, PluginConfig, broker_config,
    listener_config, resolve_broker_config,
};
pub use broker_config::BrokerConfig;
pub use client_metrics::{alter_client_metrics, describe_client_metrics, validate_client_metrics};
pub use definition::{ConfigDef, ConfigType, Effect, UpdateMode};
pub use error::ConfigError;
pub use group::{GROUP_CONFIGS, GroupConfig, group_config, group_config_synonym};
pub use layers::{BrokerLayers, ConfigMap, ConfigSource, INITIAL_DYNAMIC_DEFAULTS};
pub use listeners::{Advertised, Listener, ListenerSettings, SecurityProtocol};
pub use load::{ENVIRONMENT_PREFIX, LoadError, Origin, Setting, Settings};
pub use properties::{PropertiesError, Property, parse_properties};
pub use reference::render_markdown;
pub use resolve::{
    ConfigEntry, ConfigSynonym, created_topic, describe_broker, describe_dynamic_default, describe_group,
    describe_topic,
};
pub use share_group::{ShareAutoOffsetReset, ShareGroupConfig};
pub use topic::{INTERNAL_TOPIC_CONFIGS, Synonym, TOPIC_CONFIGS, topic_config, topic_config_synonyms};
pub use topic_config::{CleanupPolicy, TopicConfig};
pub use validator::Validator;
pub use value::{Password, Value};
#[cfg(feature = "cli")]
pub use yaml::{YamlError, parse_yaml};
