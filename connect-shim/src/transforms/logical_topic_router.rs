//! Debezium's `ToLogicalTopicRouter`, and `ByLogicalTableRouter` as it was called: several tables in one topic, their keys
//! kept apart by a field.

use std::collections::HashMap;
use std::sync::Arc;

use super::Transformation;
use super::extract_new_record_state::is_envelope;
use super::operating::{field, not_a_struct};
use super::regex_router::RegexRouter;
use crate::connector_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator, Width,
};
use crate::data::{DataError, Schema, SchemaCache, SchemaType, SourceRecord, Struct, Value};
use crate::debezium::config::Choice;
use crate::debezium::name_adjustment::NameAdjustment;

struct LogicalTopicRouter {
    router: RegexRouter,
    key_enforce_uniqueness: bool,
    key_field_name: String,
    key_field: Option<RegexRouter>,
    adjuster: NameAdjustment,
    key_schemas: SchemaCache<Arc<Schema>>,
    envelope_schemas: SchemaCache<Arc<Schema>>,
    topics: HashMap<Arc<str>, Option<Arc<str>>>,
}

impl Transformation for LogicalTopicRouter {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        let Some(topic) = self.logical_topic(&record.topic)? else {
            return Ok(Some(record));
        };
        let physical = std::mem::replace(&mut record.topic, Arc::clone(&topic));
        match std::mem::take(&mut record.key) {
            Value::Null => record.key_schema = None,
            Value::Struct(key) => {
                let (schema, key) = self.key(key, &physical, &topic)?;
                (record.key_schema, record.key) = (Some(schema), key);
            }
            other => return Err(not_a_struct(&other, "Updating schema")),
        }
        if !is_envelope(record.value_schema.as_deref()) {
            return Ok(Some(record));
        }
        match std::mem::take(&mut record.value) {
            Value::Null => {}
            Value::Struct(envelope) => {
                let (schema, envelope) = self.envelope(envelope, &topic)?;
                (record.value_schema, record.value) = (Some(schema), envelope);
            }
            other => return Err(not_a_struct(&other, "Updating schema")),
        }
        Ok(Some(record))
    }
}

impl LogicalTopicRouter {
    /// Where a table's events go; `None` if they stay.
    fn logical_topic(&mut self, topic: &Arc<str>) -> Result<Option<Arc<str>>, DataError> {
        if let Some(known) = self.topics.get(topic) {
            return Ok(known.clone());
        }
        let route = self.router.route(topic)?.filter(|route| !route.is_empty());
        if self.topics.len() >= 10_000 {
            self.topics.clear();
        }
        self.topics.insert(Arc::clone(topic), route.clone());
        Ok(route)
    }

    fn key(&mut self, key: Struct, physical: &Arc<str>, topic: &str) -> Result<(Arc<Schema>, Value), DataError> {
        let schema = self.key_schemas.or_make(key.schema(), |old| {
            let mut fields = old.fields().to_vec();
            if self.key_enforce_uniqueness {
                fields.push(field(&self.key_field_name, Arc::new(Schema::of(SchemaType::String))));
            }
            let name = self.adjuster.schema(&format!("{topic}.Key"));
            Ok(Arc::new(Schema { name: Some(name.into()), kind: SchemaType::Struct(fields), ..old.clone() }))
        })?;
        let mut values = key.into_values();
        if self.key_enforce_uniqueness {
            let identifier = match &mut self.key_field {
                Some(router) => router.route(physical)?.unwrap_or_else(|| Arc::clone(physical)),
                None => Arc::clone(physical),
            };
            values.push(Value::String(identifier.into()));
        }
        Ok((Arc::clone(&schema), Value::Struct(Struct::new(schema, values))))
    }

    fn envelope(&mut self, envelope: Struct, topic: &str) -> Result<(Arc<Schema>, Value), DataError> {
        let adjuster = self.adjuster;
        let schema = self.envelope_schemas.or_make(envelope.schema(), |old| {
            let row = ["before", "after"].iter().find_map(|name| old.index_of(name));
            let row = row.map(|at| {
                let name = adjuster.schema(&format!("{topic}.Value"));
                Arc::new(Schema { name: Some(name.into()), ..old.fields()[at].schema.as_ref().clone() })
            });
            let renamed = |one: &crate::data::Field| match (&row, &*one.name) {
                (Some(row), "before" | "after") => field(&one.name, Arc::clone(row)),
                _ => one.clone(),
            };
            let fields = old.fields().iter().map(renamed).collect();
            let name = adjuster.schema(&format!("{topic}.Envelope"));
            let (kind, optional) = (SchemaType::Struct(fields), false);
            Ok(Arc::new(Schema { name: Some(name.into()), kind, optional, ..old.clone() }))
        })?;
        let mut values = envelope.into_values();
        for (value, field) in values.iter_mut().zip(schema.fields()) {
            let old = std::mem::take(value);
            *value = match old {
                Value::Struct(row) if matches!(&*field.name, "before" | "after") => {
                    Value::Struct(Struct::new(Arc::clone(&field.schema), row.into_values()))
                }
                Value::Null => Value::Null.or_default(&field.schema).clone(),
                other => other,
            };
        }
        Ok((Arc::clone(&schema), Value::Struct(Struct::new(schema, values))))
    }
}

pub(super) fn config_def() -> ConfigDef {
    let text = |name, doc| ConfigKey::new(name, ConfigType::String, Importance::Low, doc);
    let unique = "Whether a field is added to keys that tells from which table they are. Without it, keys of different tables \
                  must differ by themselves.";
    ConfigDef::new()
        .define(
            text("topic.regex", "What the whole name of a table's topic must match.").valid(Validator::Regex).display(
                1,
                Width::Long,
                "Topic regex",
            ),
        )
        .define(
            text(
                "topic.replacement",
                "The name of the topic to which the events go instead; $1 stands for the first group.",
            )
            .display(2, Width::Long, "Topic replacement"),
        )
        .define(
            ConfigKey::new("key.enforce.uniqueness", ConfigType::Boolean, Importance::Low, unique).or("true").display(
                3,
                Width::Short,
                "Add source topic name into key",
            ),
        )
        .define(
            text("key.field.regex", "What of a table's topic goes into that field: the groups of this expression.")
                .optional()
                .display(4, Width::Long, "Key field regex"),
        )
        .define(text("key.field.replacement", "What of those groups goes into that field.").optional().display(
            5,
            Width::Long,
            "Key field replacement",
        ))
        .define(
            ConfigKey::new(
                "logical.destination.cache.size",
                ConfigType::Int,
                Importance::Low,
                "It has no effect here: all topics are remembered.",
            )
            .or("16")
            .display(6, Width::Long, "Logical destination cache size"),
        )
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    create_with(properties, "__dbz__sourceIdentifier")
}

pub(super) fn create_table_router(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    create_with(properties, "__dbz__physicalTableIdentifier")
}

fn create_with(properties: &Properties, default_field: &str) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let mode = properties.value("schema.name.adjustment.mode").unwrap_or("none");
    let Some(adjuster) = NameAdjustment::parse(mode) else {
        let why = format!("Value must be one of {}", NameAdjustment::names().join(", "));
        return Err(ConfigError::value("schema.name.adjustment.mode", mode, &why));
    };
    let key_field = match (config.text("key.field.regex"), config.text("key.field.replacement")) {
        (None | Some(""), _) => None,
        (Some(regex), Some(replacement)) if !replacement.is_empty() => Some(RegexRouter::new(regex, replacement)?),
        (Some(_), _) => {
            return Err(ConfigError::new(
                "Invalid value null for configuration key.field.replacement: key.field.replacement must be non-empty if \
                 key.field.regex is set.",
            ));
        }
    };
    Ok(Box::new(LogicalTopicRouter {
        router: RegexRouter::new(&config.string("topic.regex"), &config.string("topic.replacement"))?,
        key_enforce_uniqueness: config.is("key.enforce.uniqueness"),
        key_field_name: properties.value("key.field.name").unwrap_or(default_field).to_owned(),
        key_field,
        adjuster,
        key_schemas: SchemaCache::default(),
        envelope_schemas: SchemaCache::default(),
        topics: HashMap::new(),
    }))
}
