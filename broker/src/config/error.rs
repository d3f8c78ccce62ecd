//! What can be wrong with a configuration, in words a person can act on.

use thiserror::Error;

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A name that no topic config has.
    #[error("unknown topic config name: {0}")]
    UnknownTopicConfig(String),
    /// A name that no broker config has.
    #[error("unknown configuration {name}{}", did_you_mean(.nearest))]
    UnknownBrokerConfig {
        /// The name as it was given.
        name: String,
        /// The known name that is nearest to it, if one is near.
        nearest: Option<&'static str>,
    },
    /// A name that older Kafkas had.
    #[error("configuration {name} is not one of Kafka 4: {instead}")]
    Removed {
        /// The name as it was given.
        name: String,
        /// What took its place.
        instead: &'static str,
    },
    /// A value that its name does not allow.
    #[error("invalid value {value} for configuration {name}: {reason}")]
    InvalidValue {
        /// The name as it was given.
        name: String,
        /// The text as it was given, or the part of it that is wrong.
        value: String,
        /// What would be allowed.
        reason: String,
    },
    /// Values that are each allowed but not together.
    #[error("{0}")]
    Conflict(String),
}

impl ConfigError {
    /// A value that its name does not allow, `reason` saying what it does.
    pub(super) fn invalid(name: &str, value: &str, reason: impl Into<String>) -> Self {
        Self::InvalidValue { name: name.to_owned(), value: value.to_owned(), reason: reason.into() }
    }

    /// The name this is about, unless several are in conflict.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::UnknownTopicConfig(name)
            | Self::UnknownBrokerConfig { name, .. }
            | Self::Removed { name, .. }
            | Self::InvalidValue { name, .. } => Some(name),
            Self::Conflict(_) => None,
        }
    }
}

/// The end of an error about an unknown name.
pub(super) fn did_you_mean(nearest: &Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(", did you mean {nearest}?"))
}
