//! `ReplaceField`: fields left out, kept or renamed.

use std::sync::Arc;

use super::operating::{Side, field, values_of, with_fields};
use super::{Transformation, replace_null_with_default};
use crate::connector_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, ConfigValue, Importance, Properties, Validator,
};
use crate::data::{DataError, Schema, SchemaCache, SourceRecord, Struct, Value};

const PURPOSE: &str = "field replacement";

/// Leaves fields out and renames those that stay.
#[derive(Debug)]
pub(super) struct ReplaceField {
    side: Side,
    exclude: Vec<String>,
    include: Vec<String>,
    renames: Vec<(String, String)>,
    replace_null_with_default: bool,
    schemas: SchemaCache<(Arc<Schema>, Arc<[usize]>)>,
}

impl ReplaceField {
    /// One that only leaves out.
    pub(super) fn excluding(side: Side, exclude: Vec<String>) -> Self {
        let replace_null_with_default = true;
        let (include, renames) = (Vec::new(), Vec::new());
        Self { side, exclude, include, renames, replace_null_with_default, schemas: SchemaCache::default() }
    }

    fn keeps(&self, name: &str) -> bool {
        !self.exclude.iter().any(|one| one == name)
            && (self.include.is_empty() || self.include.iter().any(|one| one == name))
    }

    fn renamed<'n>(&'n self, name: &'n str) -> &'n str {
        self.renames.iter().find(|(old, _)| old == name).map_or(name, |(_, new)| new)
    }

    /// The schema with the fields that stay, and where they stood.
    fn updated(&self, schema: &Schema) -> (Arc<Schema>, Arc<[usize]>) {
        let kept = schema.fields().iter().enumerate().filter(|(_, one)| self.keeps(&one.name));
        let (places, fields): (Vec<usize>, Vec<_>) =
            kept.map(|(at, one)| (at, field(self.renamed(&one.name), Arc::clone(&one.schema)))).unzip();
        (Arc::new(with_fields(schema, fields)), places.into())
    }
}

impl Transformation for ReplaceField {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        if self.side.value(&record).is_null() {
            return Ok(Some(record));
        }
        if self.side.schema(&record).is_none() {
            let entries = self.side.take_map(&mut record, PURPOSE)?;
            let kept = entries.into_iter().filter(|(key, _)| key.as_str().is_some_and(|name| self.keeps(name)));
            let kept =
                kept.map(|(key, value)| (self.renamed(key.as_str().unwrap_or_default()).into(), value)).collect();
            self.side.put(&mut record, None, Value::Map(kept));
            return Ok(Some(record));
        }
        let value = self.side.take_struct(&mut record, PURPOSE)?;
        let (schema, places) = self.schemas.or_make(value.schema(), |schema| Ok(self.updated(schema)))?;
        let mut values = values_of(value, self.replace_null_with_default);
        let kept = places.iter().map(|at| values.get_mut(*at).map(std::mem::take).unwrap_or_default()).collect();
        let updated = Value::Struct(Struct::new(Arc::clone(&schema), kept));
        self.side.put(&mut record, Some(schema), updated);
        Ok(Some(record))
    }
}

pub(super) fn config_def() -> ConfigDef {
    let list = |name, doc| ConfigKey::new(name, ConfigType::List, Importance::Medium, doc).or("");
    let distinct = Validator::DistinctItems { empty_allowed: true };
    ConfigDef::new()
        .define(list("exclude", "Fields that are left out, even if they are to be kept.").valid(distinct.clone()))
        .define(list("include", "Fields that are kept, and no others.").valid(distinct))
        .define(
            list("renames", "Pairs of an old and a new name, such as foo:bar,abc:xyz.").valid(Validator::Custom(check)),
        )
        .define(replace_null_with_default())
}

fn check(_: &str, value: &ConfigValue) -> Result<(), ConfigError> {
    match value {
        ConfigValue::List(items) => parse_renames(items).map(drop),
        _ => Ok(()),
    }
}

fn parse_renames(mappings: &[String]) -> Result<Vec<(String, String)>, ConfigError> {
    let pair = |mapping: &String| match mapping.split(':').collect::<Vec<_>>()[..] {
        [old, new] if !new.is_empty() => Ok((old.to_owned(), new.to_owned())),
        _ => {
            let all = format!("[{}]", mappings.join(", "));
            Err(ConfigError::value("renames", &all, &format!("Invalid rename mapping: {mapping}")))
        }
    };
    mappings.iter().map(pair).collect()
}

pub(super) fn create(side: Side, properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    Ok(Box::new(ReplaceField {
        side,
        exclude: config.list("exclude"),
        include: config.list("include"),
        renames: parse_renames(&config.list("renames"))?,
        replace_null_with_default: config.is("replace.null.with.default"),
        schemas: SchemaCache::default(),
    }))
}
