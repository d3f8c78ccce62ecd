//! Why a config is refused (`org.apache.kafka.common.config.ConfigException`).

/// What is wrong with a property, in Kafka's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    /// An error that says this.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A value is wrong.
    pub fn value(name: &str, value: &str, why: &str) -> Self {
        Self(format!("Invalid value {value} for configuration {name}: {why}"))
    }

    /// A property names a class that there is not.
    pub(crate) fn class_not_found(name: &str, class: &str) -> Self {
        Self::value(name, class, &class_not_found(class))
    }

    /// A property must be given.
    pub fn missing(name: &str) -> Self {
        Self(format!("Missing required configuration \"{name}\" which has no default value."))
    }
}

/// What is said of a class that there is not.
pub(crate) fn class_not_found(class: &str) -> String {
    format!("Class {class} could not be found.")
}
