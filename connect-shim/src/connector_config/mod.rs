//! Configs as Kafka Connect knows them: what properties there are, what they may be set to, and what is wrong with those
//! that were given.

mod config_def;
mod config_info;
mod config_value;
mod connector_plugin;
mod error;
mod properties;
mod validator;

pub use config_def::{Config, ConfigDef, ConfigDefault, ConfigKey, Importance, Text, Width};
pub use config_info::{ConfigInfo, definition};
pub use config_value::{ConfigType, ConfigValue};
pub use connector_plugin::ConnectorPlugin;
pub use error::ConfigError;
pub use properties::Properties;
pub use validator::{Check, Validator};
