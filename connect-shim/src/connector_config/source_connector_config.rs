//! The properties that every source connector has (`ConnectorConfig`, `SourceConnectorConfig`), with those of its
//! transforms and predicates.

use super::{ConfigDef, ConfigError, ConfigKey, ConfigType, ConfigValue, Importance, Properties, Validator, Width};
use crate::converters::{self, JSON_CONVERTER, SIMPLE_HEADER_CONVERTER};
use crate::transforms::{PREDICATES, TRANSFORMS, predicate_plugin, transform_plugin};

/// The version of Kafka Connect that this is like.
pub const CONNECT_VERSION: &str = "4.3.1";
/// The version of Debezium that this is like.
pub const DEBEZIUM_VERSION: &str = "3.7.0.Final";

/// What the worker has to say to the properties of all connectors. Without it they have no defaults that depend on it.
#[derive(Debug, Clone, Default)]
pub struct WorkerDefaults {
    /// `key.converter`, `value.converter`, `header.converter`.
    pub converters: Option<[String; 3]>,
}

impl WorkerDefaults {
    /// Those of a worker for which nothing is set.
    pub fn standard() -> Self {
        Self {
            converters: Some([
                JSON_CONVERTER.to_owned(),
                JSON_CONVERTER.to_owned(),
                SIMPLE_HEADER_CONVERTER.to_owned(),
            ]),
        }
    }

    /// The converter that stands for one that a connector does not name; 0 for keys, 1 for values, 2 for headers.
    pub fn converter(&self, at: usize) -> &str {
        const STANDARD: [&str; 3] = [JSON_CONVERTER, JSON_CONVERTER, SIMPLE_HEADER_CONVERTER];
        self.converters.as_ref().map_or(STANDARD[at], |all| &all[at])
    }
}

/// The properties of all source connectors.
pub fn source_config_def(version: &str, defaults: &WorkerDefaults, properties: &Properties) -> ConfigDef {
    common(version, defaults, properties).and(errors()).and(source())
}

/// Adds the properties of the transforms and the predicates that a config names.
pub fn enrich(def: &mut ConfigDef, properties: &Properties) {
    enrich_with(def, properties, "transforms", "Transforms", "Transformation", transform_config_def);
    enrich_with(def, properties, "predicates", "Predicates", "Predicate", predicate_config_def);
}

/// What a class adds: its properties, and its version.
type Contribution = fn(&str) -> Option<(ConfigDef, &'static str)>;

fn transform_config_def(class: &str) -> Option<(ConfigDef, &'static str)> {
    let plugin = transform_plugin(class)?;
    let predicate = "The alias of the predicate that says to which records the transform is applied.";
    let negate = "Whether it is applied to all others instead.";
    let implicit = ConfigDef::new()
        .define(ConfigKey::new("predicate", ConfigType::String, Importance::Medium, predicate).optional())
        .define(ConfigKey::new("negate", ConfigType::Boolean, Importance::Medium, negate).or("false"));
    let version = if plugin.of_debezium() { DEBEZIUM_VERSION } else { CONNECT_VERSION };
    Some((implicit.and((plugin.config_def)()), version))
}

fn predicate_config_def(class: &str) -> Option<(ConfigDef, &'static str)> {
    Some(((predicate_plugin(class)?.config_def)(), CONNECT_VERSION))
}

fn enrich_with(
    def: &mut ConfigDef,
    properties: &Properties,
    aliases: &'static str,
    heading: &str,
    kind: &'static str,
    contribution: Contribution,
) {
    let Ok(ConfigValue::List(all)) = ConfigType::List.parse(aliases, properties.value(aliases).unwrap_or_default())
    else {
        return;
    };
    let mut seen: Vec<&String> = Vec::new();
    for alias in &all {
        if seen.contains(&alias) {
            continue;
        }
        seen.push(alias);
        let prefix = format!("{aliases}.{alias}.");
        let group = format!("{heading}: {alias}");
        let class = properties.value(&format!("{prefix}type")).map(str::trim);
        let found = class.and_then(contribution);
        let lower = kind.to_lowercase();
        let (check, classes): (super::Check, Vec<&'static str>) = match kind {
            "Predicate" => (check_predicate_class, PREDICATES.iter().map(|plugin| plugin.class).collect()),
            _ => (check_transform_class, TRANSFORMS.iter().map(|plugin| plugin.class).collect()),
        };
        let type_key = ConfigKey::new(
            format!("{prefix}type"),
            ConfigType::Class,
            Importance::High,
            format!("The class of the {lower} '{alias}'."),
        )
        .valid(Validator::Custom(check))
        .recommend(classes)
        .group(group.clone(), 0, Width::Long, format!("{kind} type for {alias}"));
        let version = ConfigKey::new(
            format!("{prefix}plugin.version"),
            ConfigType::String,
            Importance::High,
            format!("The version of the {lower} '{alias}'."),
        );
        let version = match &found {
            Some((_, known)) => version.or(*known).recommend([*known]),
            None => version.optional(),
        };
        let added = ConfigDef::new().define(type_key).define(version.group(
            group.clone(),
            1,
            Width::Long,
            format!("{kind} version for {alias}"),
        ));
        *def = std::mem::take(def).and(added);
        if let Some((child, _)) = found {
            def.embed(&prefix, &group, 2, child);
        }
    }
}

fn check_transform_class(name: &str, value: &ConfigValue) -> Result<(), ConfigError> {
    match value {
        ConfigValue::Class(class) if transform_plugin(class).is_none() => {
            Err(ConfigError::class_not_found(name, class))
        }
        _ => Ok(()),
    }
}

fn check_predicate_class(name: &str, value: &ConfigValue) -> Result<(), ConfigError> {
    match value {
        ConfigValue::Class(class) if predicate_plugin(class).is_none() => {
            Err(ConfigError::class_not_found(name, class))
        }
        _ => Ok(()),
    }
}

fn check_converter_class(name: &str, value: &ConfigValue) -> Result<(), ConfigError> {
    let ConfigValue::Class(class) = value else {
        return Ok(());
    };
    let fits = |plugin: &&converters::ConverterPlugin| match name {
        "header.converter" => plugin.for_headers,
        _ => plugin.for_data,
    };
    converters::plugin(class).filter(fits).map(drop).ok_or_else(|| ConfigError::class_not_found(name, class))
}

/// The version of a converter, as answers tell it.
pub fn converter_version(class: &str) -> Option<&'static str> {
    converters::plugin(class).map(|plugin| if plugin.of_debezium { DEBEZIUM_VERSION } else { CONNECT_VERSION })
}

fn common(version: &str, defaults: &WorkerDefaults, properties: &Properties) -> ConfigDef {
    let group = "Common";
    let class =
        "The connector's class, by its full name or by the class's name alone, with or without Connector at the end.";
    let mut def = ConfigDef::new()
        .define(
            ConfigKey::new("name", ConfigType::String, Importance::High, "A name for the connector that no other has.")
                .valid(Validator::NonEmptyStringWithoutControlChars)
                .group(group, 1, Width::Medium, "Connector name"),
        )
        .define(ConfigKey::new("connector.class", ConfigType::String, Importance::High, class).group(
            group,
            2,
            Width::Long,
            "Connector class",
        ))
        .define(
            ConfigKey::new(
                "connector.plugin.version",
                ConfigType::String,
                Importance::Medium,
                "The connector's version.",
            )
            .or(version.to_owned())
            .recommend([version.to_owned()])
            .group(group, 3, Width::Medium, "Connector version"),
        )
        .define(
            ConfigKey::new("tasks.max", ConfigType::Int, Importance::High, "How many tasks the connector may have.")
                .or("1")
                .valid(Validator::AtLeast(1))
                .group(group, 4, Width::Short, "Tasks max"),
        )
        .define(
            ConfigKey::new(
                "tasks.max.enforce",
                ConfigType::Boolean,
                Importance::Low,
                "(Deprecated) Whether a connector that makes more tasks than it may have fails.",
            )
            .or("true")
            .group(group, 5, Width::Short, "Enforce tasks max"),
        );
    let sides = [("key", "Key"), ("value", "Value"), ("header", "Header")];
    for (at, (side, display)) in sides.into_iter().enumerate() {
        def = def.and(converter(at, side, display, defaults, properties));
    }
    let reload = "What happens when a config provider tells of a change: nothing, or the connector is restarted.";
    def.define(
        ConfigKey::new(
            "transforms",
            ConfigType::List,
            Importance::Low,
            "Aliases of the transforms that records go through.",
        )
        .or("")
        .valid(Validator::Aliases)
        .group("Transforms", 12, Width::Long, "Transforms"),
    )
    .define(
        ConfigKey::new(
            "predicates",
            ConfigType::List,
            Importance::Low,
            "Aliases of the predicates that transforms use.",
        )
        .or("")
        .valid(Validator::Aliases)
        .group("Predicates", 13, Width::Long, "Predicates"),
    )
    .define(
        ConfigKey::new("config.action.reload", ConfigType::String, Importance::Low, reload)
            .or("restart")
            .valid(Validator::In(&["none", "restart"]))
            .group(group, 14, Width::Medium, "Reload Action"),
    )
}

/// A converter and its version.
fn converter(at: usize, side: &str, display: &str, defaults: &WorkerDefaults, properties: &Properties) -> ConfigDef {
    let name = format!("{side}.converter");
    let fits = |plugin: &&converters::ConverterPlugin| if at == 2 { plugin.for_headers } else { plugin.for_data };
    let class = ConfigKey::new(
        name.clone(),
        ConfigType::Class,
        Importance::Low,
        format!("The class that makes bytes of {side}s; without it, the worker's."),
    )
    .optional()
    .valid(Validator::Custom(check_converter_class));
    let version = ConfigKey::new(
        format!("{name}.plugin.version"),
        ConfigType::String,
        Importance::Low,
        format!("The version of the {side} converter."),
    )
    .optional();
    let order = 6 + 2 * i32::try_from(at).unwrap_or(0);
    let (class, version) = match &defaults.converters {
        None => (class, version),
        Some(all) => {
            let classes = converters::PLUGINS.iter().filter(fits).map(|plugin| plugin.class);
            let used = properties.value(&name).unwrap_or(&all[at]);
            let version = match converter_version(used) {
                Some(known) => version.or(known).recommend([known]),
                None => version,
            };
            (class.or(all[at].clone()).recommend(classes), version)
        }
    };
    ConfigDef::new()
        .define(class.group("Common", order, Width::Short, format!("{display} converter class")))
        .define(version.group("Common", order + 1, Width::Short, format!("{display} converter version")))
}

fn errors() -> ConfigDef {
    let group = "Error Handling";
    let key = |name, kind, doc, default| ConfigKey::new(name, kind, Importance::Medium, doc).or(default);
    let timeout = "For how many milliseconds an operation that failed is tried again; 0 is not at all, -1 without end.";
    let tolerance =
        "none ends the task at the first record that cannot be converted or transformed; all leaves it out.";
    ConfigDef::new()
        .define(key("errors.retry.timeout", ConfigType::Long, timeout, "0").group(
            group,
            1,
            Width::Medium,
            "Retry Timeout for Errors",
        ))
        .define(
            key(
                "errors.retry.delay.max.ms",
                ConfigType::Long,
                "The longest pause between tries, in milliseconds.",
                "60000",
            )
            .group(group, 2, Width::Medium, "Maximum Delay Between Retries for Errors"),
        )
        .define(
            key("errors.tolerance", ConfigType::String, tolerance, "none")
                .valid(Validator::In(&["none", "all"]))
                .group(group, 3, Width::Short, "Error Tolerance"),
        )
        .define(
            key("errors.log.enable", ConfigType::Boolean, "Whether errors that are tolerated are logged.", "false")
                .group(group, 4, Width::Short, "Log Errors"),
        )
        .define(
            key("errors.log.include.messages", ConfigType::Boolean, "Whether the log tells of which record.", "false")
                .group(group, 5, Width::Short, "Log Error Details"),
        )
}

fn source() -> ConfigDef {
    let once = "Exactly Once Support";
    let support = "required refuses a connector that cannot write each event exactly once; requested does not. Here every \
                   event is written exactly once in any case.";
    let boundary = "When a transaction is committed: poll after each batch of the task's, interval after a while, connector \
                    when the connector says so.";
    let interval = "After how many milliseconds transactions are committed if their boundary is an interval.";
    let offsets = "A topic of its own for this connector's offsets; without it, the worker's.";
    ConfigDef::new()
        .define(
            ConfigKey::new(
                "topic.creation.groups",
                ConfigType::List,
                Importance::Low,
                "Groups of rules by which topics are made.",
            )
            .or("")
            .valid(Validator::Aliases)
            .group("Topic Creation", 1, Width::Long, "Topic Creation Groups"),
        )
        .define(
            ConfigKey::new("exactly.once.support", ConfigType::String, Importance::Medium, support)
                .or("requested")
                .valid(Validator::InIgnoringCase(&["required", "requested"]))
                .group(once, 2, Width::Short, "Exactly once support"),
        )
        .define(
            ConfigKey::new("transaction.boundary", ConfigType::String, Importance::Medium, boundary)
                .or("poll")
                .valid(Validator::InIgnoringCase(&["interval", "poll", "connector"]))
                .group(once, 3, Width::Short, "Transaction Boundary"),
        )
        .define(
            ConfigKey::new("transaction.boundary.interval.ms", ConfigType::Long, Importance::Low, interval)
                .optional()
                .valid(Validator::NullOrAtLeast(0))
                .group(once, 4, Width::Short, "Transaction boundary interval"),
        )
        .define(
            ConfigKey::new("offsets.storage.topic", ConfigType::String, Importance::Low, offsets)
                .optional()
                .valid(Validator::NonEmptyString)
                .group("offsets.topic", 1, Width::Long, "Offsets topic"),
        )
}
