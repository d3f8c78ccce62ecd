//! `Filter`: drops every record that gets here; a predicate says which do.

use super::Transformation;
use crate::connector_config::{ConfigDef, ConfigError, Properties};
use crate::data::{DataError, SourceRecord};

struct Filter;

impl Transformation for Filter {
    fn apply(&mut self, _: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        Ok(None)
    }
}

pub(super) fn config_def() -> ConfigDef {
    ConfigDef::new()
}

#[allow(clippy::unnecessary_wraps)] // one of a table of constructors
pub(super) fn create(_: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    Ok(Box::new(Filter))
}
