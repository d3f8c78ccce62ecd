//! The properties of Debezium's outbox event router (`EventRouterConfigDefinition`).

use std::sync::Arc;

use crate::connector_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, ConfigValue, Importance, Validator, Width,
};

/// Where a column of the outbox table goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placement {
    /// Into a header.
    Header,
    /// Beside the payload.
    Envelope,
    /// It is the partition.
    Partition,
}

/// A column of the outbox table that goes somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AdditionalField {
    /// Where to.
    pub(super) placement: Placement,
    /// The column.
    pub(super) field: String,
    /// What it is called there.
    pub(super) alias: Arc<str>,
}

/// Reads `table.fields.additional.placement`.
///
/// # Errors
/// An item that is neither a pair nor a trio, or goes to a place that is not known.
pub(super) fn additional_fields(items: &[String]) -> Result<Vec<AdditionalField>, ConfigError> {
    items.iter().map(|item| additional_field(item, items)).collect()
}

fn additional_field(item: &str, all: &[String]) -> Result<AdditionalField, ConfigError> {
    let refused = || {
        let all = format!("[{}]", all.join(", "));
        let why = format!("A comma-separated list of valid String pairs or trios is expected but got: {all}");
        ConfigError::value("table.fields.additional.placement", &all, &why)
    };
    let (field, place, alias) = match item.split(':').map(str::trim).collect::<Vec<_>>()[..] {
        [field, place] => (field, place, field),
        [field, place, alias] => (field, place, alias),
        _ => return Err(refused()),
    };
    let placement = match place.to_ascii_lowercase().as_str() {
        "header" => Placement::Header,
        "envelope" => Placement::Envelope,
        "partition" => Placement::Partition,
        _ => return Err(refused()),
    };
    Ok(AdditionalField { placement, field: field.to_owned(), alias: alias.into() })
}

fn check_additional_fields(_: &str, value: &ConfigValue) -> Result<(), ConfigError> {
    match value {
        ConfigValue::List(items) => additional_fields(items).map(drop),
        _ => Ok(()),
    }
}

/// The properties, in Debezium's order.
pub(super) fn config_def() -> ConfigDef {
    table().and(router()).and(tracing())
}

/// The columns of the outbox table.
fn table() -> ConfigDef {
    let column = |name: &'static str, default: &'static str, doc: &'static str, order, display: &'static str| {
        ConfigKey::new(name, ConfigType::String, Importance::Low, doc).or(default).group(
            "Table",
            order,
            Width::Medium,
            display,
        )
    };
    let choice = |name: &'static str, default: &'static str, of, doc: &'static str, order, display: &'static str| {
        ConfigKey::new(name, ConfigType::String, Importance::Medium, doc)
            .or(default)
            .valid(Validator::InIgnoringCase(of))
            .group("Table", order, Width::Medium, display)
    };
    let timestamp = "The column that is the message's time; if there is none, it is when the event was processed.";
    let placement = "Columns that go into headers, beside the payload, or are the partition: pairs of column and place, or \
                     trios with a new name, such as id:header,type:envelope:kind,shard:partition.";
    let expand = "Whether a payload that is the text of a JSON object becomes a struct with a schema of its own.";
    ConfigDef::new()
        .define(column("table.field.event.id", "id", "The column of the event's id.", 1, "Event ID Field"))
        .define(column(
            "table.field.event.key",
            "aggregateid",
            "The column of the message's key.",
            2,
            "Event Key Field",
        ))
        .define(column("table.field.event.type", "type", "The column of the event's type.", 3, "Event Type Field"))
        .define(column("table.field.event.payload", "payload", "The column of the payload.", 4, "Event Payload Field"))
        .define(
            ConfigKey::new("table.field.event.timestamp", ConfigType::String, Importance::Medium, timestamp)
                .optional()
                .group("Table", 5, Width::Medium, "Event Timestamp Field"),
        )
        .define(
            ConfigKey::new("table.fields.additional.placement", ConfigType::List, Importance::High, placement)
                .optional()
                .valid(Validator::Custom(check_additional_fields))
                .group("Table", 6, Width::Medium, "Settings for each additional column in the outbox table"),
        )
        .define(choice(
            "table.field.additional.missing",
            "error",
            &["error", "ignore"],
            "What happens if such a column is not there: error fails, ignore goes on without it.",
            7,
            "Behavior when an additional field is missing in the change data",
        ))
        .define(
            ConfigKey::new(
                "table.field.event.schema.version",
                ConfigType::String,
                Importance::Low,
                "The column of the version of the event's schema.",
            )
            .optional()
            .group("Table", 8, Width::Medium, "Event Schema Version Field"),
        )
        .define(choice(
            "table.op.invalid.behavior",
            "warn",
            &["warn", "error", "fatal"],
            "What happens if a row of the outbox is updated: a warning, an error in the log, or the task's end.",
            9,
            "Behavior when capturing an unexpected outbox event",
        ))
        .define(
            ConfigKey::new("table.expand.json.payload", ConfigType::Boolean, Importance::Medium, expand)
                .or("false")
                .group("Table", 10, Width::Medium, "Expand Payload escaped string as real JSON"),
        )
        .define(choice(
            "table.json.payload.null.behavior",
            "ignore",
            &["ignore", "optional_bytes"],
            "What becomes of nulls in such a payload: they are left out, or are optional bytes.",
            11,
            "Behavior when json payload including null value",
        ))
        .define(choice(
            "table.json.payload.empty.array.behavior",
            "ignore",
            &["ignore", "optional_string"],
            "What becomes of empty arrays in such a payload: they are left out, or are arrays of optional texts.",
            12,
            "Behavior when json payload including empty array value",
        ))
}

/// Where events go.
fn router() -> ConfigDef {
    let text = |name: &'static str, default: &'static str, importance, doc: &'static str| {
        ConfigKey::new(name, ConfigType::String, importance, doc).or(default)
    };
    let replacement = "The event's topic, in which ${routedByValue} stands for the value of the column that routes.";
    let tombstone = "Whether an event without a payload becomes a tombstone.";
    ConfigDef::new()
        .define(
            text("route.by.field", "aggregatetype", Importance::High, "The column that routes events to topics.")
                .group("Router", 1, Width::Medium, "Field to route events by"),
        )
        .define(
            text("route.topic.regex", "(?<routedByValue>.*)", Importance::Low, "What that column's value must match.")
                .valid(Validator::Regex)
                .group("Router", 2, Width::Medium, "The name of the routed topic"),
        )
        .define(text("route.topic.replacement", "outbox.event.${routedByValue}", Importance::High, replacement).group(
            "Router",
            3,
            Width::Medium,
            "The name of the routed topic",
        ))
        .define(
            ConfigKey::new("route.tombstone.on.empty.payload", ConfigType::Boolean, Importance::High, tombstone)
                .or("false")
                .group("Router", 4, Width::Medium, "Empty payloads cause a tombstone message"),
        )
}

/// What traces would be made of, if there was something to take them.
fn tracing() -> ConfigDef {
    let key = |name, kind, default, doc, order, display: &'static str| {
        ConfigKey::new(name, kind, Importance::High, doc).or(default).group("Tracing", order, Width::Medium, display)
    };
    let inert = "It has no effect here: there is nothing that takes traces.";
    ConfigDef::new()
        .define(key(
            "tracing.span.context.field",
            ConfigType::String,
            "tracingspancontext",
            inert,
            1,
            "Serialized tracing span context field",
        ))
        .define(key("tracing.operation.name", ConfigType::String, "debezium-read", inert, 2, "Tracing operation name"))
        .define(key(
            "tracing.with.context.field.only",
            ConfigType::Boolean,
            "false",
            inert,
            3,
            "Trace only events with context field present",
        ))
}
