//! The transforms of a connector, one after the other, each behind its predicate (`TransformationChain`,
//! `TransformationStage`).

use std::fmt;

use super::{Predicate, Transformation, predicate_plugin, transform_plugin};
use crate::connector_config::{ConfigError, ConfigType, ConfigValue, Properties};
use crate::data::{DataError, SourceRecord};

/// A transform with what says to which records it is applied.
struct Stage {
    class: String,
    transformation: Box<dyn Transformation>,
    predicate: Option<Predicate>,
    negate: bool,
}

/// The transforms of a connector.
#[derive(Default)]
pub struct TransformationChain {
    stages: Vec<Stage>,
}

impl TransformationChain {
    /// The chain that a connector's config asks for with `transforms` and `predicates`.
    ///
    /// # Errors
    /// What is wrong with the first transform or predicate that cannot be made.
    pub fn new(properties: &Properties) -> Result<Self, ConfigError> {
        let aliases = match ConfigType::List.parse("transforms", properties.value("transforms").unwrap_or_default())? {
            ConfigValue::List(aliases) => aliases,
            _ => Vec::new(),
        };
        let mut stages = aliases.iter().map(|alias| Stage::new(alias, properties)).collect::<Result<Vec<_>, _>>()?;
        for stage in &mut stages {
            if !stage.transformation.headers_are_shared() {
                break;
            }
        }
        Ok(Self { stages })
    }

    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// What becomes of a record; `None` if it is dropped.
    ///
    /// # Errors
    /// Those of the transform that does not take it.
    pub fn apply(&mut self, record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        self.apply_each(record).map_err(|(_, error)| error)
    }

    /// The same; an error comes with the class of the transform that it is of.
    pub(crate) fn apply_each(&mut self, record: SourceRecord) -> Result<Option<SourceRecord>, (&str, DataError)> {
        let mut record = record;
        for stage in &mut self.stages {
            if stage.predicate.as_ref().is_some_and(|predicate| predicate.test(&record) == stage.negate) {
                continue;
            }
            match stage.transformation.apply(record) {
                Ok(Some(changed)) => record = changed,
                Ok(None) => return Ok(None),
                Err(error) => return Err((&stage.class, error)),
            }
        }
        Ok(Some(record))
    }
}

impl Stage {
    fn new(alias: &str, properties: &Properties) -> Result<Self, ConfigError> {
        let mut own = properties.with_prefix(&format!("transforms.{alias}."));
        let predicate = own.value("predicate").map(|alias| predicate(alias, properties)).transpose()?;
        let negate = own.value("negate").is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
        let class = own.value("type").unwrap_or_default().to_owned();
        let plugin = transform_plugin(&class).ok_or_else(|| not_found("transforms", alias, &class))?;
        ["type", "predicate", "negate"].iter().for_each(|name| own.remove(name));
        Ok(Self { transformation: plugin.create(&own)?, class, predicate, negate })
    }
}

fn predicate(alias: &str, properties: &Properties) -> Result<Predicate, ConfigError> {
    let own = properties.with_prefix(&format!("predicates.{alias}."));
    let class = own.value("type").unwrap_or_default();
    predicate_plugin(class).ok_or_else(|| not_found("predicates", alias, class))?.create(&own)
}

fn not_found(kind: &str, alias: &str, class: &str) -> ConfigError {
    ConfigError::class_not_found(&format!("{kind}.{alias}.type"), class)
}

impl fmt::Debug for TransformationChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransformationChain").field("stages", &self.stages.len()).finish()
    }
}
