//! `RegexRouter`: another topic for records whose topic matches.

use std::collections::HashMap;
use std::sync::Arc;

use super::Transformation;
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator};
use crate::data::{DataError, SourceRecord};
use crate::java::regex::{JavaRegex, compile};

/// How many topics a router remembers.
const TOPICS: usize = 1000;

/// Replaces topics, each once worked out.
#[derive(Debug)]
pub(super) struct RegexRouter {
    regex: JavaRegex,
    replacement: String,
    routes: HashMap<Arc<str>, Arc<str>>,
}

impl RegexRouter {
    /// A router by an expression and a replacement.
    ///
    /// # Errors
    /// That the expression is none.
    pub(super) fn new(regex: &str, replacement: &str) -> Result<Self, ConfigError> {
        let regex = compile(regex).map_err(|error| ConfigError::new(error.to_string()))?;
        Ok(Self { regex, replacement: replacement.to_owned(), routes: HashMap::new() })
    }

    /// Where a topic's records go; `None` if the expression does not match it.
    ///
    /// # Errors
    /// That the replacement names a group that is not there.
    pub(super) fn route(&mut self, topic: &Arc<str>) -> Result<Option<Arc<str>>, DataError> {
        if let Some(known) = self.routes.get(topic) {
            return Ok(Some(Arc::clone(known)));
        }
        if !self.regex.matches(topic) {
            return Ok(None);
        }
        let replaced = self.regex.replace_first(topic, &self.replacement);
        let route: Arc<str> = replaced.map_err(|error| DataError::new(error.to_string()))?.into();
        if self.routes.len() >= TOPICS {
            self.routes.clear();
        }
        self.routes.insert(Arc::clone(topic), Arc::clone(&route));
        Ok(Some(route))
    }
}

impl Transformation for RegexRouter {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        if let Some(topic) = self.route(&record.topic)? {
            record.topic = topic;
        }
        Ok(Some(record))
    }
}

pub(super) fn config_def() -> ConfigDef {
    let regex =
        ConfigKey::new("regex", ConfigType::String, Importance::High, "What the whole name of a topic must match.");
    let replacement = "The topic's new name; $1 stands for what the first group matched.";
    ConfigDef::new().define(regex.valid(Validator::Regex)).define(ConfigKey::new(
        "replacement",
        ConfigType::String,
        Importance::High,
        replacement,
    ))
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    Ok(Box::new(RegexRouter::new(&config.string("regex"), &config.string("replacement"))?))
}
