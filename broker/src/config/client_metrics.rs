//! Configs of a subscription to the metrics of clients (KIP-714): kept and checked, as on a broker to which no plugin
//! brings a place for the metrics.

use std::net::IpAddr;

use super::alter::{AlterError, ConfigChange, apply};
use super::definition::{ConfigDef, Effect::Inert, config_defs};
use super::layers::{ConfigMap, ConfigSource};
use super::resolve::{ConfigEntry, ConfigSynonym};
use super::validator::Validator::{AnyOf, Between};
use super::value::Value;

const NO_REPORTER: super::definition::Effect = Inert("nothing here takes metrics of clients");

/// Every config of a subscription, sorted by name.
static DEFS: &[ConfigDef] = config_defs! {
    Int "interval.ms" = "300000", Between(100, 3_600_000), ClusterWide, NO_REPORTER,
        "time between two pushes of a client";
    List "match" = "", AnyOf(&[]), ClusterWide, NO_REPORTER,
        "`attribute=pattern` pairs that a client must match";
    List "metrics" = "", AnyOf(&[]), ClusterWide, NO_REPORTER,
        "prefixes of the names of metrics; `*` is all";
};

/// What a client may be matched by.
const ATTRIBUTES: [&str; 6] = [
    "client_id",
    "client_instance_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

fn find(name: &str) -> Option<&'static ConfigDef> {
    DEFS.iter().find(|def| def.name == name)
}

/// What is set for a subscription after these changes.
///
/// # Errors
/// As [`validate_client_metrics`].
pub fn alter_client_metrics(set: &ConfigMap, changes: &[ConfigChange]) -> Result<ConfigMap, AlterError> {
    let altered = apply(set, changes, find)?;
    validate_client_metrics(&altered)?;
    Ok(altered)
}

/// Checks everything that would be set for a subscription (`ClientMetricsConfigs.validate`).
///
/// # Errors
/// [`AlterError::InvalidRequest`] for a name that is none and an interval out of range, [`AlterError::InvalidConfig`]
/// for other values.
pub fn validate_client_metrics(configs: &ConfigMap) -> Result<(), AlterError> {
    for (name, text) in configs {
        let def = find(name)
            .ok_or_else(|| AlterError::InvalidRequest(format!("Unknown client metrics configuration: {name}")))?;
        let value = def.parse(text).map_err(|error| match text.trim().parse::<i32>() {
            Ok(_) if name == "interval.ms" => AlterError::InvalidRequest(error.to_string()),
            _ => AlterError::InvalidConfig(error.to_string()),
        })?;
        if let Value::List(patterns) = value
            && name == "match"
        {
            patterns.iter().try_for_each(|pattern| check_match(pattern))?;
        }
    }
    Ok(())
}

/// The configs of a subscription, sorted by name, as DescribeConfigs shows them; `wanted` selects names.
pub fn describe_client_metrics(set: &ConfigMap, wanted: impl Fn(&str) -> bool) -> Vec<ConfigEntry> {
    let shown = DEFS.iter().filter(|def| wanted(def.name));
    let entries = shown.map(|def| {
        let own = set.get(def.name).map(|text| match def.parse(text) {
            Ok(value) => value.to_string(),
            Err(_) => text.clone(),
        });
        let source = if own.is_some() { ConfigSource::ClientMetricsConfig } else { ConfigSource::DefaultConfig };
        let synonym = |value: &String| ConfigSynonym { name: def.name.to_owned(), value: Some(value.clone()), source };
        ConfigEntry {
            name: def.name.to_owned(),
            synonyms: own.iter().map(synonym).collect(),
            value: own.or_else(|| def.default.map(str::to_owned)),
            source,
            read_only: false,
            sensitive: false,
            ty: Some(def.ty),
            doc: Some(def.doc),
        }
    });
    entries.collect()
}

/// Checks one `attribute=pattern`.
fn check_match(text: &str) -> Result<(), AlterError> {
    let illegal = || AlterError::InvalidConfig(format!("Illegal client matching pattern: {text}"));
    // As Java splits: nothing may follow a second `=`, and what is empty at the end does not count.
    let mut parts: Vec<&str> = text.split('=').collect();
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    let [attribute, pattern] = parts[..] else {
        return Err(illegal());
    };
    let pattern = pattern.trim();
    if !ATTRIBUTES.contains(&attribute.trim()) {
        return Err(illegal());
    }
    // An address needs no closer look, IPv6 in brackets aside.
    if pattern.parse::<IpAddr>().is_ok() || is_pattern(pattern) { Ok(()) } else { Err(illegal()) }
}

/// Whether a text is a regular expression, as far as its brackets and repetitions tell. Nothing is ever matched
/// against it.
fn is_pattern(text: &str) -> bool {
    let mut groups = 0;
    let mut in_class = false;
    let mut repeatable = false;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' if chars.next().is_none() => return false,
            ']' if in_class => in_class = false,
            _ if in_class => {}
            '[' => in_class = true,
            '(' => {
                groups += 1;
                repeatable = false;
                continue;
            }
            ')' if groups == 0 => return false,
            ')' => groups -= 1,
            '|' | '^' => {
                repeatable = false;
                continue;
            }
            // What follows a group's bracket names its kind.
            '?' if groups > 0 && !repeatable => {}
            '*' | '+' | '?' | '{' if !repeatable => return false,
            _ => {}
        }
        repeatable = true;
    }
    groups == 0 && !in_class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_checked_as_kafka_checks_them() {
        let outcome = |name: &str, value: &str| {
            let set = ConfigMap::from([(name.to_owned(), value.to_owned())]);
            validate_client_metrics(&set)
        };
        assert_eq!(outcome("interval.ms", "100"), Ok(()));
        assert!(matches!(outcome("interval.ms", "99"), Err(AlterError::InvalidRequest(_))));
        assert!(matches!(outcome("interval.ms", "often"), Err(AlterError::InvalidConfig(_))));
        assert!(matches!(outcome("interval", "100"), Err(AlterError::InvalidRequest(_))));
        assert_eq!(outcome("metrics", "org.apache.kafka.producer.,org.apache.kafka.consumer."), Ok(()));
        for good in ["client_id=a", "client_software_version = 11.1.*,client_id=[a-z]+(x|y)?", "client_id=(?i)b"] {
            assert_eq!(outcome("match", good), Ok(()), "{good}");
        }
        for bad in
            ["client_id", "client_id=", "=x", "name=x", "client_id=a=b", "client_id=(", "client_id=*", "client_id=[a"]
        {
            assert!(matches!(outcome("match", bad), Err(AlterError::InvalidConfig(_))), "{bad}");
        }
    }
}
