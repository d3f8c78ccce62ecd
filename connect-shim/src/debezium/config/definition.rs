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
    /// A number that is larger than `max.batch.size`.
    LargerThanBatches,
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

    /// What Debezium says of a property. It never says what the property is set to.
    fn info(&self, properties: &Properties) -> ConfigInfo {
        let mut problems = self.problems(properties);
        // Debezium looks at it a second time after what it depends on.
        if self.name == "table.include.list" {
            problems.extend(problems.clone());
        }
        let said = |problem: String| format!("The '{}' value is invalid: {problem}", self.name);
        ConfigInfo {
            key: self.key(),
            value: None,
            errors: problems.into_iter().map(said).collect(),
            visible: self.name != "schema.exclude.list",
            known: true,
        }
    }

    /// What is wrong with a value: by its kind, and by what is asked of the property.
    fn problems(&self, properties: &Properties) -> Vec<String> {
        let value = properties.value(self.name).map(str::trim);
        let by_kind = value.filter(|value| !self.is_of_kind(value)).map(|_| match self.kind {
            ConfigType::Boolean => "Either 'true' or 'false' is expected",
            ConfigType::Int => "An integer is expected",
            ConfigType::Long => "A long value is expected",
            _ => "A Java class name is expected",
        });
        let mut problems: Vec<String> = by_kind.map(str::to_owned).into_iter().collect();
        if self.check == Check::LargerThanBatches {
            if problems.is_empty() {
                problems.extend(self.queue_problems(properties));
            }
            return problems;
        }
        problems.extend(self.problem(value, properties));
        if let Some(value) = value {
            problems.extend(self.own_problems(value));
        }
        problems
    }

    fn is_of_kind(&self, value: &str) -> bool {
        match self.kind {
            ConfigType::Boolean => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
            ConfigType::Int => value.parse::<i32>().is_ok(),
            ConfigType::Long => value.parse::<i64>().is_ok(),
            ConfigType::Class => value.split('.').all(is_java_name),
            _ => true,
        }
    }

    /// A queue holds more than a batch.
    fn queue_problems(&self, properties: &Properties) -> Vec<String> {
        let number = |name: &str, default: i32| match properties.value(name) {
            Some(value) => value.trim().parse().unwrap_or(default),
            None => default,
        };
        let default = self.default.and_then(|default| default.parse().ok()).unwrap_or_default();
        let size = number(self.name, default);
        let mut problems = Vec::new();
        if size <= 0 {
            problems.push("A positive queue size is required".to_owned());
        }
        if size <= number("max.batch.size", 2048) {
            problems.push("Must be larger than the maximum batch size".to_owned());
        }
        problems
    }

    /// What is wrong with a value by what is asked of the property.
    fn problem(&self, value: Option<&str>, properties: &Properties) -> Option<String> {
        let absent = value.is_none_or(str::is_empty);
        match self.check {
            Check::Required => return absent.then(|| "A value is required".to_owned()),
            Check::RequiredOfSink => {
                let channels = properties.value("notification.enabled.channels").unwrap_or_default();
                let to_topic = channels.split(',').any(|channel| channel.trim() == "sink");
                return (absent && to_topic).then(|| NO_NOTIFICATION_TOPIC.to_owned());
            }
            _ => {}
        }
        let value = value?;
        let number = value.parse::<i64>().ok();
        let small = number.filter(|number| i32::try_from(*number).is_ok());
        let (fine, message) = match self.check {
            Check::Any | Check::Required | Check::RequiredOfSink | Check::LargerThanBatches => return None,
            Check::Boolean => (self.is_of_kind(value), "Either 'true' or 'false' is expected"),
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
                return Some(format!(
                    "A comma-separated list of valid regular expressions is expected, but {}",
                    bad.why()
                ));
            }
        };
        (!fine).then(|| message.to_owned())
    }

    /// What is wrong with a value that only its own property knows.
    fn own_problems(&self, value: &str) -> Vec<String> {
        let allowed = |value: &str, extra: &[u8]| {
            let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || extra.contains(&byte);
            !value.is_empty() && value.bytes().all(fine)
        };
        let one = |problem: String| vec![problem];
        match self.name {
            "slot.name" if value.len() > 63 || !allowed(value, b"_") => one(
                "Valid replication slot name must contain only digits, lowercase characters and underscores with length <= 63"
                    .to_owned(),
            ),
            "topic.prefix" if !allowed(&value.to_ascii_lowercase(), b"._-") => one(format!(
                "{value} has invalid format (only the underscore, hyphen, dot and alphanumeric characters are allowed)"
            )),
            "skipped.operations" => {
                let operations: Vec<&str> = value.split(',').map(str::trim).collect();
                let known = |operation: &&str| ["r", "c", "u", "d", "t", "none"].contains(operation);
                if !operations.iter().all(known) {
                    one("Invalid operation".to_owned())
                } else if operations.contains(&"none") && operations.iter().any(|operation| *operation != "none") {
                    one("'none' cannot be specified with other skipped operation types".to_owned())
                } else {
                    Vec::new()
                }
            }
            "message.key.columns" => {
                let empty = value.is_empty().then(|| "Must not be empty".to_owned());
                let wrong = value.split(';').filter(|part| !names_key_columns(part));
                let format = r"^\s*([^:]+):([^:,]+(,[^:,]+)*)\s*$";
                let said = |part: &str| format!("{part} has an invalid format (expecting '{format}')");
                empty.into_iter().chain(wrong.map(said)).collect()
            }
            "custom.metric.tags" => {
                let pair = |tag: &str| tag.split('=').filter(|part| !part.is_empty()).count() == 2;
                let wrong = value.split(',').map(str::trim).filter(|tag| !tag.is_empty()).any(|tag| !pair(tag));
                let expected = "A equivalent-separated map of valid key/value pairs is expected, for example: k1=v1,k2=v2";
                if wrong { one(expected.to_owned()) } else { Vec::new() }
            }
            _ => Vec::new(),
        }
    }
}

/// Whether a text can name something in Java.
fn is_java_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_' || first == '$')
        && text.chars().all(|one| one.is_alphanumeric() || one == '_' || one == '$')
}

/// Whether a text is a table's pattern, a colon, and names of columns.
fn names_key_columns(text: &str) -> bool {
    let Some((table, columns)) = text.split_once(':') else { return false };
    !table.is_empty() && !columns.contains(':') && columns.split(',').all(|column| !column.is_empty())
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
    fn a_value_of_another_kind_is_told_before_what_is_asked_of_it() {
        let base =
            [("database.hostname", "h"), ("database.user", "u"), ("database.dbname", "d"), ("topic.prefix", "t")];
        let said = |name: &str, value: &str| {
            let prefix = format!("The '{name}' value is invalid: ");
            let given: Vec<(&str, &str)> = base.into_iter().chain([(name, value)]).collect();
            let all = errors(&given);
            all.iter().map(|one| one.strip_prefix(&prefix).unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (integer, positive) = ("An integer is expected", "A positive, non-zero integer value is expected");
        let boolean = "Either 'true' or 'false' is expected";
        assert_eq!(said("max.batch.size", "x"), [integer, positive]);
        assert_eq!(said("max.batch.size", ""), [integer, positive]);
        assert_eq!(said("poll.interval.ms", "99999999999"), [positive]);
        assert_eq!(said("slot.drop.on.stop", "yes"), [boolean]);
        assert_eq!(said("tombstones.on.delete", ""), [boolean, boolean]);
        assert_eq!(said("max.queue.size", "2048"), ["Must be larger than the maximum batch size"]);
        assert_eq!(said("skipped.operations", "c,none").len(), 1);
        assert_eq!(said("skipped.operations", "c, d"), [""; 0]);
        assert_eq!(said("message.key.columns", "a.b:c,d;a.c:e"), [""; 0]);
        assert_eq!(said("message.key.columns", "a.b").len(), 1);
        assert_eq!(said("topic.naming.strategy", "a b"), ["A Java class name is expected"]);
        assert_eq!(said("table.include.list", "([").len(), 2);
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
