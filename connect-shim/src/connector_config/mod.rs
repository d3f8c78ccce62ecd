//! Configs as Kafka Connect knows them: what properties there are, what they may be set to, and what is wrong with those
//! that were given.

mod config_def;
mod config_info;
pub mod config_providers;
mod config_value;
mod connector_plugin;
mod error;
mod plugins;
mod properties;
mod source_connector_config;
mod topic_creation;
mod validator;

pub use config_def::{Config, ConfigDef, ConfigDefault, ConfigKey, Importance, Text, Width};
pub use config_info::{ConfigInfo, definition};
pub use config_value::{ConfigType, ConfigValue};
pub use connector_plugin::ConnectorPlugin;
pub use error::ConfigError;
pub(crate) use error::class_not_found;
pub use plugins::{ConfigInfos, Plugins};
pub use properties::Properties;
pub use source_connector_config::{
    CONNECT_VERSION, DEBEZIUM_VERSION, WorkerDefaults, converter_version, enrich, source_config_def,
};
pub use topic_creation::TopicCreation;
pub use validator::{Check, Validator};
