//! The properties of Debezium's converter to CloudEvents (`CloudEventsConverterConfig`).

use super::{base_config_def, json_converter};
use crate::connector_config::{
    Config, ConfigDef, ConfigError, ConfigInfo, ConfigKey, ConfigType, ConfigValue, Importance, Properties, Validator,
};
use crate::debezium::config::Choice;
use crate::debezium::name_adjustment::NameAdjustment;

/// How events become CloudEvents.
#[derive(Debug)]
pub(super) struct CloudEventsConfig {
    /// `opentelemetry.tracing.attributes.enable`.
    pub(super) tracing: bool,
    /// `extension.attributes.enable`.
    pub(super) extensions: bool,
    /// `metadata.source`.
    pub(super) sources: MetadataSources,
    /// The properties under `json.`, which are those of the converter to JSON.
    pub(super) json: Config,
}

/// From where something that an event does not say itself is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetadataSource {
    /// The record's value.
    Value,
    /// A header.
    Header,
    /// It is made up.
    Generate,
}

/// From where each such thing is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MetadataSources {
    /// All that is not named: the source, the operation and the transaction.
    pub(super) global: MetadataSource,
    pub(super) id: MetadataSource,
    pub(super) kind: MetadataSource,
    pub(super) trace_parent: MetadataSource,
    pub(super) data_schema_name: MetadataSource,
}

impl CloudEventsConfig {
    /// # Errors
    /// What is wrong with the properties, or is not to be had: Avro needs a converter and a registry.
    pub(super) fn new(properties: &Properties) -> Result<Self, ConfigError> {
        let config = definition().parse(properties)?;
        if NameAdjustment::parse(&config.string(ADJUSTMENT)).is_none() {
            let why = format!("Value must be one of {}", NameAdjustment::names().join(", "));
            return Err(ConfigError::value(ADJUSTMENT, &config.string(ADJUSTMENT), &why));
        }
        let tracing = config.is("opentelemetry.tracing.attributes.enable");
        let name_from_header = config.is("schema.data.name.source.header.enable");
        let sources = MetadataSources::new(&config.list("metadata.source"), tracing, name_from_header)?;
        let mut json = properties.with_prefix("json.");
        json.set("converter.type", "value");
        let json = json_converter::config_def().parse(&json)?;
        Ok(Self { tracing, extensions: config.is("extension.attributes.enable"), sources, json })
    }
}

impl MetadataSource {
    fn parse(word: &str) -> Option<Self> {
        let words = [("value", Self::Value), ("header", Self::Header), ("generate", Self::Generate)];
        words.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word.trim())).map(|(_, source)| source)
    }
}

impl MetadataSources {
    fn new(items: &[String], tracing: bool, name_from_header: bool) -> Result<Self, ConfigError> {
        let refused = |why: &str| ConfigError::value("metadata.source", &items.join(","), why);
        let first = items.first().map(String::as_str).unwrap_or_default();
        let global = match MetadataSource::parse(first) {
            Some(MetadataSource::Generate) => return Err(refused("Global metadata source can't be GENERATE")),
            Some(global) => global,
            None => return Err(refused(&format!("Global metadata source `{first}` is not valid"))),
        };
        let mut sources = Self { global, id: global, kind: global, trace_parent: global, data_schema_name: global };
        for item in items.iter().skip(1) {
            let (field, source) = item.split_once(':').unwrap_or((item, ""));
            let source = source.split(':').next().unwrap_or_default();
            let source = match MetadataSource::parse(source) {
                Some(MetadataSource::Value) => return Err(refused("Field metadata source can't be VALUE")),
                Some(source) => source,
                None => return Err(refused(&format!("Field source `{source}` is not valid"))),
            };
            match field {
                "id" => sources.id = source,
                "type" => sources.kind = source,
                "traceparent" => sources.trace_parent = source,
                "dataSchemaName" => sources.data_schema_name = source,
                _ => return Err(refused(&format!("Field `{field}` is not allowed to set custom source"))),
            }
        }
        // Of these two, headers are looked at only if another property says so too.
        for (source, enabled) in
            [(&mut sources.trace_parent, tracing), (&mut sources.data_schema_name, name_from_header)]
        {
            if *source == MetadataSource::Header && !enabled {
                *source = MetadataSource::Generate;
            }
        }
        Ok(sources)
    }
}

const SERIALIZER: &str = "serializer.type";
const DATA_SERIALIZER: &str = "data.serializer.type";
const ADJUSTMENT: &str = "schema.name.adjustment.mode";

fn definition() -> ConfigDef {
    let key =
        |name, kind, importance, default: &'static str, doc| ConfigKey::new(name, kind, importance, doc).or(default);
    let serializer = |name, doc| {
        key(name, ConfigType::String, Importance::High, "json", doc).valid(Validator::Custom(check_serializer))
    };
    let flag = |name, importance, default, doc| key(name, ConfigType::Boolean, importance, default, doc);
    let tracing = "Whether events carry the attribute traceparent.";
    let extensions = "Whether events carry what the source, the operation and the transaction say as attributes.";
    let sources = "From where attributes are taken: value or header, then ID:header or ID:generate for single ones.";
    let name = "The name of the schema of events, for a registry.";
    base_config_def()
        .define(serializer(SERIALIZER, "How events are written."))
        .define(serializer(DATA_SERIALIZER, "How the data in events is written."))
        .define(flag("opentelemetry.tracing.attributes.enable", Importance::High, "false", tracing))
        .define(flag("extension.attributes.enable", Importance::High, "true", extensions))
        .define(key(
            ADJUSTMENT,
            ConfigType::String,
            Importance::Low,
            "avro",
            "How names of schemas are made to fit Avro.",
        ))
        .define(ConfigKey::new("schema.cloudevents.name", ConfigType::String, Importance::Low, name).optional())
        .define(flag(
            "schema.data.name.source.header.enable",
            Importance::Low,
            "false",
            "Whether the name of the data's schema may come from a header.",
        ))
        .define(key(
            "metadata.source",
            ConfigType::List,
            Importance::High,
            "value,id:generate,type:generate,traceparent:header,dataSchemaName:generate",
            sources,
        ))
}

fn check_serializer(name: &str, value: &ConfigValue) -> Result<(), ConfigError> {
    match value {
        ConfigValue::String(text) if text.eq_ignore_ascii_case("json") => Ok(()),
        ConfigValue::String(text) if text.eq_ignore_ascii_case("avro") => Err(ConfigError::value(
            name,
            text,
            "Avro is not available, since there is no converter to it here; use json.",
        )),
        other => Err(ConfigError::value(name, &other.quoted(), "Value must be json")),
    }
}

/// What keeps a connector's task from starting, as `config/validate` says it. Debezium's converter says nothing there, not even
/// which properties it has.
pub(super) fn problems(properties: &Properties) -> Vec<ConfigInfo> {
    let serializers = definition().validate(properties).into_iter();
    serializers
        .filter(|info| [SERIALIZER, DATA_SERIALIZER].contains(&&*info.key.name) && !info.errors.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::MetadataSource::{Generate, Header, Value};
    use super::*;

    fn config(properties: &[(&str, &str)]) -> Result<CloudEventsConfig, String> {
        let mut properties: Properties = properties.iter().copied().collect();
        properties.set("converter.type", "value");
        CloudEventsConfig::new(&properties).map_err(|error| error.to_string())
    }

    #[test]
    fn headers_are_asked_only_for_what_is_enabled() {
        let sources = |given: &[(&str, &str)]| {
            let sources = config(given).unwrap().sources;
            [sources.global, sources.id, sources.kind, sources.trace_parent, sources.data_schema_name]
        };
        assert_eq!(sources(&[]), [Value, Generate, Generate, Generate, Generate]);
        assert_eq!(sources(&[("metadata.source", "header")]), [Header, Header, Header, Generate, Generate]);
        let both = [
            ("opentelemetry.tracing.attributes.enable", "true"),
            ("schema.data.name.source.header.enable", "TRUE"),
            ("metadata.source", " Value , id:HEADER,traceparent: header,dataSchemaName:header "),
        ];
        assert_eq!(sources(&both), [Value, Header, Value, Header, Header]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (name, value, why) in [
            ("metadata.source", "generate", "Global metadata source can't be GENERATE"),
            ("metadata.source", "", "Global metadata source `` is not valid"),
            ("metadata.source", "value,id:value", "Field metadata source can't be VALUE"),
            ("metadata.source", "value,id:const", "Field source `const` is not valid"),
            ("metadata.source", "value,id", "Field source `` is not valid"),
            ("metadata.source", "value,op:header", "Field `op` is not allowed to set custom source"),
            ("schema.name.adjustment.mode", "upper", "Value must be one of none, avro, avro_unicode"),
            ("serializer.type", "Avro", "Avro is not available, since there is no converter to it here; use json."),
            ("data.serializer.type", "xml", "Value must be json"),
            ("extension.attributes.enable", "perhaps", "Expected value to be either true or false"),
        ] {
            let said = config(&[(name, value)]).unwrap_err();
            assert_eq!(said, format!("Invalid value {value} for configuration {name}: {why}"));
        }
        assert!(config(&[("json.decimal.format", "roman")]).is_err());
        assert!(config(&[("json.decimal.format", "numeric"), ("serializer.type", "JSON")]).is_ok());
    }
}
