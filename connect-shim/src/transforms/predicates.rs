//! Predicates: which records a transform is applied to (`org.apache.kafka.connect.transforms.predicates`).

use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator};
use crate::data::SourceRecord;
use crate::java::regex::{JavaRegex, compile};

/// A question about a record.
#[derive(Debug)]
pub enum Predicate {
    /// Whether the whole name of its topic matches.
    TopicNameMatches(JavaRegex),
    /// Whether it has a header of this name.
    HasHeaderKey(String),
    /// Whether its value is null.
    RecordIsTombstone,
}

impl Predicate {
    /// The answer.
    pub fn test(&self, record: &SourceRecord) -> bool {
        match self {
            Self::TopicNameMatches(pattern) => pattern.matches(&record.topic),
            Self::HasHeaderKey(name) => record.headers.iter().any(|header| *header.name == **name),
            Self::RecordIsTombstone => record.value.is_null(),
        }
    }
}

/// A predicate that can be named in a config.
#[derive(Debug)]
pub struct PredicatePlugin {
    /// Its Java class.
    pub class: &'static str,
    /// Its properties.
    pub config_def: fn() -> ConfigDef,
    create: fn(&Properties) -> Result<Predicate, ConfigError>,
}

/// Every predicate, sorted by class.
pub static PREDICATES: &[PredicatePlugin] = &[
    PredicatePlugin {
        class: "org.apache.kafka.connect.transforms.predicates.HasHeaderKey",
        config_def: has_header_key,
        create: |properties| Ok(Predicate::HasHeaderKey(has_header_key().parse(properties)?.string("name"))),
    },
    PredicatePlugin {
        class: "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
        config_def: ConfigDef::new,
        create: |_| Ok(Predicate::RecordIsTombstone),
    },
    PredicatePlugin {
        class: "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
        config_def: topic_name_matches,
        create: |properties| {
            let pattern = topic_name_matches().parse(properties)?.string("pattern");
            let pattern = compile(&pattern).map_err(|error| ConfigError::new(error.to_string()))?;
            Ok(Predicate::TopicNameMatches(pattern))
        },
    },
];

/// The predicate that a config names by its class, or by its class's name alone.
pub fn predicate_plugin(class: &str) -> Option<&'static PredicatePlugin> {
    PREDICATES.iter().find(|plugin| plugin.class == class || plugin.class.rsplit('.').next() == Some(class))
}

impl PredicatePlugin {
    /// Makes a predicate.
    ///
    /// # Errors
    /// What is wrong with its properties.
    pub fn create(&self, properties: &Properties) -> Result<Predicate, ConfigError> {
        (self.create)(properties)
    }
}

fn has_header_key() -> ConfigDef {
    let name = ConfigKey::new("name", ConfigType::String, Importance::Medium, "The header's name.");
    ConfigDef::new().define(name.valid(Validator::NonEmptyString))
}

fn topic_name_matches() -> ConfigDef {
    let doc = "A Java regular expression that the whole name of a topic must match.";
    let pattern = ConfigKey::new("pattern", ConfigType::String, Importance::Medium, doc);
    ConfigDef::new().define(pattern.valid(Validator::All(vec![Validator::NonEmptyString, Validator::Regex])))
}
