//! What there is to know of a property, and what is wrong with its value in Debezium's words.

use crate::connector_config::{ConfigDef, ConfigInfo, ConfigKey, ConfigType, Importance, Properties, Width};
use crate::debezium::filters::Patterns;

use super::definitions;

/// What a property does here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// What it does in Debezium.
    Works,
    /// Nothing, for this reason.
    Inert(&'static str),
}

/// What is said of a topic that is missing.
pub(super) const NO_NOTIFICATION_TOPIC: &str =
    "Notification topic name must be provided when kafka notification channel is enabled";

/// What a property's value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Anything.
    Any,
    /// Something.
    Required,
    /// Something, if notifications go to a topic.
    RequiredOfSink,
    /// True or false.
    Boolean,
    /// A number of 32 bits.
    Integer,
    /// One that is more than zero.
    PositiveInteger,
    /// One that is not less than zero.
    NonNegativeInteger,
    /// A number of 64 bits that is more than zero.
    PositiveLong,
    /// One that is not less than zero.
    NonNegativeLong,
    /// One of the recommended values.
    OneOf,
    /// Regular expressions.
    Patterns,
    /// Regular expressions, unless this property is given.
    PatternsUnless(&'static str),
}

/// A property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: ConfigType,
    /// What it is if nothing is said.
    pub default: Option<&'static str>,
    /// How much it matters.
    pub importance: Importance,
    /// Its group, its place there, how wide a form shows it, and what it calls it.
    pub place: (&'static str, i32, Width, &'static str),
    /// The values that it may have, if it is one of a few.
    pub recommended: &'static [&'static str],
    /// What its value has to be.
    pub check: Check,
    /// What it does here.
    pub effect: Effect,
    /// What it means.
    pub doc: &'static str,
}

/// The groups in the order in which a form shows them.
const GROUPS: [&str; 10] = [
    "CONNECTION",
    "CONNECTION_ADVANCED",
    "CONNECTOR",
    "CONNECTOR_ADVANCED",
    "CONNECTOR_SNAPSHOT",
    "ADVANCED",
    "ADVANCED_HEARTBEAT",
    "FILTERS",
    "CONNECTION_ADVANCED_SSL",
    "CONNECTION_ADVANCED_REPLICATION",
];

/// Every property of the connector's own, in the order in which a form shows them.
pub fn all() -> Vec<&'static Definition> {
    let mut all: Vec<&Definition> = definitions::ALL.iter().flat_map(|group| group.iter()).collect();
    let rank = |one: &Definition| (GROUPS.iter().position(|group| *group == one.place.0), one.place.1);
    all.sort_by_key(|one| rank(one));
    all
}

/// The same as Connect knows properties.
pub fn config_def() -> ConfigDef {
    all().into_iter().fold(ConfigDef::new(), |def, one| def.define(one.key()))
}

/// What is to be said of each property among those that are given.
pub fn validate(properties: &Properties) -> Vec<ConfigInfo> {
    all().into_iter().map(|one| one.info(properties)).collect()
}

impl Definition {
    fn key(&self) -> ConfigKey {
        let key = ConfigKey::new(self.name, self.kind, self.importance, self.doc).optional();
        let key = match self.default {
            Some(default) => key.or(default),
            None => key,
        };
        let (group, order, width, display_name) = self.place;
        let mut key = key.group(group, order, width, display_name).recommend(self.recommended.iter().copied());
        if matches!(self.name, "schema.include.list" | "database.include.list") {
            key.dependents = vec!["table.include.list".into()];
        }
        key
    }

    fn info(&self, properties: &Properties) -> ConfigInfo {
        let value = properties.value(self.name);
        let problem = self.problem(value.map(str::trim).filter(|value| !value.is_empty()), properties);
        let said = |problem: String| format!("The '{}' value is invalid: {problem}", self.name);
        // A secret is shown as Connect shows secrets.
        let shown =
            |value: &str| if self.kind == ConfigType::Password { "[hidden]".to_owned() } else { value.to_owned() };
        ConfigInfo {
            key: self.key(),
            value: value.map(shown),
            errors: problem.map(said).into_iter().collect(),
            visible: self.name != "schema.exclude.list",
        }
    }

    /// What is wrong with a value.
    fn problem(&self, value: Option<&str>, properties: &Properties) -> Option<String> {
        let Some(value) = value else {
            let channels = || properties.value("notification.enabled.channels").unwrap_or_default();
            return match self.check {
                Check::Required => Some("A value is required".to_owned()),
                Check::RequiredOfSink if channels().split(',').any(|channel| channel.trim() == "sink") => {
                    Some(NO_NOTIFICATION_TOPIC.to_owned())
                }
                _ => None,
            };
        };
        let number = value.parse::<i64>().ok();
        let small = number.filter(|number| i32::try_from(*number).is_ok());
        let (fine, message) = match self.check {
            Check::Any | Check::Required | Check::RequiredOfSink => return self.own_problem(value),
            Check::Boolean => {
                let known = value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
                (known, "Either 'true' or 'false' is expected")
            }
            Check::Integer => (small.is_some(), "An integer is expected"),
            Check::PositiveInteger => {
                (small.is_some_and(|number| number > 0), "A positive, non-zero integer value is expected")
            }
            Check::NonNegativeInteger => {
                (small.is_some_and(|number| number >= 0), "An non-negative integer is expected")
            }
            Check::PositiveLong => {
                (number.is_some_and(|number| number > 0), "A positive, non-zero long value is expected")
            }
            Check::NonNegativeLong => {
                (number.is_some_and(|number| number >= 0), "A non-negative long value is expected")
            }
            Check::OneOf => {
                let known = self.recommended.iter().any(|one| one.eq_ignore_ascii_case(value));
                return (!known).then(|| format!("Value must be one of {}", self.recommended.join(", ")));
            }
            Check::PatternsUnless(other) if properties.value(other).is_some_and(|value| !value.trim().is_empty()) => {
                return Some(format!("\"{other}\" is already specified"));
            }
            Check::Patterns | Check::PatternsUnless(_) => {
                let bad = Patterns::parse(value).err()?;
                return Some(format!("A comma-separated list of valid regular expressions is expected, but {bad}"));
            }
        };
        (!fine).then(|| message.to_owned())
    }

    /// What is wrong with a value that only its own property knows.
    fn own_problem(&self, value: &str) -> Option<String> {
        let allowed = |value: &str, extra: &[u8]| {
            value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || extra.contains(&byte))
        };
        match self.name {
            "slot.name" if value.len() > 63 || !allowed(value, b"_") => Some(
                "Valid replication slot name must contain only digits, lowercase characters and underscores with length <= 63"
                    .to_owned(),
            ),
            "topic.prefix" if !allowed(&value.to_ascii_lowercase(), b"._-") => Some(format!(
                "{value} has invalid format (only the underscore, hyphen, dot and alphanumeric characters are allowed)"
            )),
            "skipped.operations" => {
                let known = |operation: &str| ["c", "u", "d", "t", "none"].contains(&operation.trim());
                let all_known = value.split(',').all(known);
                (!all_known).then(|| "Value must be a list of 'c', 'u', 'd' and 't', or 'none'".to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(given: &[(&str, &str)]) -> Vec<String> {
        let mut properties = Properties::new();
        for (name, value) in given {
            properties.set(*name, *value);
        }
        validate(&properties).into_iter().flat_map(|info| info.errors).collect()
    }

    #[test]
    fn every_property_is_there_once() {
        let names: std::collections::BTreeSet<&str> = all().iter().map(|one| one.name).collect();
        assert_eq!((all().len(), names.len()), (141, 141));
    }

    #[test]
    fn what_is_wrong_is_said_as_debezium_says_it() {
        let base = [("database.hostname", "h"), ("database.user", "u"), ("database.dbname", "d")];
        assert_eq!(errors(&base), ["The 'topic.prefix' value is invalid: A value is required"]);
        let given: Vec<(&str, &str)> = base
            .into_iter()
            .chain([("topic.prefix", "t"), ("slot.name", "Bad-Slot"), ("snapshot.mode", "sometimes")])
            .collect();
        assert_eq!(
            errors(&given),
            [
                "The 'snapshot.mode' value is invalid: Value must be one of always, initial_only, configuration_based, \
                 when_needed, initial, custom, no_data",
                "The 'slot.name' value is invalid: Valid replication slot name must contain only digits, lowercase characters \
                 and underscores with length <= 63",
            ]
        );
    }
}
