//! How topics are made for a connector's events (`topic.creation.*`, KIP-158).

use std::collections::BTreeMap;

use super::{
    Config, ConfigDef, ConfigError, ConfigKey, ConfigType, ConfigValue, Importance, Properties, Validator, Width,
};
use crate::destination::TopicSpec;
use crate::java::regex::{JavaRegex, compile};

/// The group that every topic is in if no other takes it.
const DEFAULT_GROUP: &str = "default";

/// What topics are made with, if Connect is to make them with anything but the broker's defaults.
#[derive(Debug, Default)]
pub struct TopicCreation {
    groups: Vec<Group>,
}

/// Rules for the topics that match.
#[derive(Debug)]
struct Group {
    include: Vec<JavaRegex>,
    exclude: Vec<JavaRegex>,
    /// -1 is the broker's default.
    partitions: i32,
    configs: BTreeMap<String, String>,
}

impl TopicCreation {
    /// The rules of a connector's config: none if it has no property that begins with `topic.creation.`.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn new(properties: &Properties) -> Result<Self, ConfigError> {
        if !properties.iter().any(|(name, _)| name.starts_with("topic.creation.")) {
            return Ok(Self::default());
        }
        let default = group_config_def(None).parse(&properties.with_prefix("topic.creation.default."))?;
        let mut groups = Vec::new();
        for alias in aliases(properties)? {
            let own = properties.with_prefix(&format!("topic.creation.{alias}."));
            let config = group_config_def(Some(&default)).parse(&own)?;
            groups.push(Group::new(&config, &own, false)?);
        }
        groups.push(Group::new(&default, &properties.with_prefix("topic.creation.default."), true)?);
        Ok(Self { groups })
    }

    /// Whether there are rules.
    pub fn is_used(&self) -> bool {
        !self.groups.is_empty()
    }

    /// The topic as it is to be made.
    pub fn topic(&self, name: &str) -> TopicSpec {
        let (partitions, configs) = match self.groups.iter().find(|group| group.takes(name)) {
            Some(group) => (group.partitions, group.configs.clone()),
            None => (-1, BTreeMap::new()),
        };
        TopicSpec { name: name.to_owned(), partitions, configs }
    }
}

impl Group {
    fn new(config: &Config, own: &Properties, default: bool) -> Result<Self, ConfigError> {
        let regexes = |name| -> Result<Vec<JavaRegex>, ConfigError> {
            let all = config.list(name);
            all.iter().map(|text| compile(text).map_err(|error| ConfigError::new(error.to_string()))).collect()
        };
        let known = ["include", "exclude", "replication.factor", "partitions"];
        let configs = own.iter().filter(|(name, _)| !known.contains(name));
        let configs = configs.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
        Ok(Self {
            include: if default { vec![] } else { regexes("include")? },
            exclude: if default { vec![] } else { regexes("exclude")? },
            partitions: config.number("partitions").and_then(|count| i32::try_from(count).ok()).unwrap_or(-1),
            configs,
        })
    }

    /// The default group, which includes nothing by name, takes everything.
    fn takes(&self, topic: &str) -> bool {
        let excluded = self.exclude.iter().any(|regex| regex.matches(topic));
        !excluded && (self.include.is_empty() || self.include.iter().any(|regex| regex.matches(topic)))
    }
}

/// The groups that are listed, without the default one.
fn aliases(properties: &Properties) -> Result<Vec<String>, ConfigError> {
    let text = properties.value("topic.creation.groups").unwrap_or_default();
    Ok(match ConfigType::List.parse("topic.creation.groups", text)? {
        ConfigValue::List(aliases) => aliases.into_iter().filter(|alias| alias != DEFAULT_GROUP).collect(),
        _ => Vec::new(),
    })
}

/// The properties of a group. Those of the default group must be given; others take them from there.
fn group_config_def(default: Option<&Config>) -> ConfigDef {
    let group = if default.is_some() { "the group" } else { DEFAULT_GROUP };
    let key = |name: &'static str, kind, doc, order, display: &str| {
        ConfigKey::new(name, kind, Importance::Low, doc).display(order, Width::Long, format!("{display} {group}"))
    };
    let from_default = |key: ConfigKey, name: &str| match default.and_then(|config| config.number(name)) {
        Some(number) => key.or(number.to_string()),
        None => key,
    };
    let include = "Regular expressions of the names of topics that are made by the rules of this group.";
    let exclude = "Regular expressions of the names of topics that are not, even if they are included.";
    let factor = "How many brokers hold such a topic; -1 is the broker's default.";
    let partitions = "How many partitions such a topic has; -1 is the broker's default.";
    ConfigDef::new()
        .define(
            key("include", ConfigType::List, include, 1, "Inclusion Topic Pattern for")
                .or(if default.is_some() { "" } else { ".*" })
                .valid(Validator::Regexes),
        )
        .define(
            key("exclude", ConfigType::List, exclude, 2, "Exclusion Topic Pattern for")
                .or("")
                .valid(Validator::Regexes),
        )
        .define(
            from_default(
                key("replication.factor", ConfigType::Short, factor, 3, "Replication Factor for Topics in"),
                "replication.factor",
            )
            .valid(Validator::Custom(check_replication_factor)),
        )
        .define(
            from_default(
                key("partitions", ConfigType::Int, partitions, 4, "Partition Count for Topics in"),
                "partitions",
            )
            .valid(Validator::Custom(check_partitions)),
        )
}

fn check_replication_factor(name: &str, value: &ConfigValue) -> Result<(), ConfigError> {
    positive_or_default(
        name,
        value,
        "Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use \
         the broker's default",
    )
}

fn check_partitions(name: &str, value: &ConfigValue) -> Result<(), ConfigError> {
    positive_or_default(name, value, "Number of partitions must be positive, or -1 to use the broker's default")
}

fn positive_or_default(name: &str, value: &ConfigValue, why: &str) -> Result<(), ConfigError> {
    match value {
        ConfigValue::Number(number) if *number != -1 && *number < 1 => {
            Err(ConfigError::value(name, &number.to_string(), why))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_first_group_that_takes_a_topic_decides() {
        let config = [
            ("topic.creation.groups", "big,default"),
            ("topic.creation.default.partitions", "2"),
            ("topic.creation.default.replication.factor", "1"),
            ("topic.creation.default.cleanup.policy", "compact"),
            ("topic.creation.big.include", "s\\.big.*"),
            ("topic.creation.big.exclude", ".*_old"),
            ("topic.creation.big.partitions", "12"),
        ];
        let creation = TopicCreation::new(&config.into_iter().collect()).unwrap();
        assert_eq!(creation.topic("s.big_1").partitions, 12);
        assert!(creation.topic("s.big_1").configs.is_empty());
        assert_eq!(creation.topic("s.big_old").partitions, 2);
        assert_eq!(creation.topic("s.t").configs["cleanup.policy"], "compact");
        assert_eq!(TopicCreation::new(&Properties::new()).unwrap().topic("t").partitions, -1);
        let missing = TopicCreation::new(&[("topic.creation.default.partitions", "1")].into_iter().collect());
        assert!(missing.unwrap_err().to_string().starts_with("Missing required configuration \"replication.factor\""));
    }
}
