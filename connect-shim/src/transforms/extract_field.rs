//! `ExtractField`: one field in place of the whole.

use super::field_path::{FieldPath, SYNTAX_VERSION, syntax_version};
use super::operating::{Side, not_a_struct};
use super::{Transformation, replace_null_with_default};
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties};
use crate::data::{DataError, SourceRecord, Value};

const PURPOSE: &str = "field extraction";

struct ExtractField {
    side: Side,
    name: String,
    path: FieldPath,
    replace_null_with_default: bool,
}

impl Transformation for ExtractField {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        let Some(schema) = self.side.schema(&record).cloned() else {
            if !self.side.value(&record).is_null() {
                let entries = self.side.take_map(&mut record, PURPOSE)?;
                self.side.put(&mut record, None, self.path.value_of_map(&entries));
            }
            return Ok(Some(record));
        };
        let value = match self.side.value(&record) {
            Value::Null => None,
            Value::Struct(value) => Some(value),
            other => return Err(not_a_struct(other, PURPOSE)),
        };
        let field = self.path.field(&schema);
        let field = field.ok_or_else(|| {
            DataError::of("java.lang.IllegalArgumentException", format!("Unknown field: {}", self.name))
        })?;
        let extracted = match value {
            Some(value) => self.path.value_of_struct(value, self.replace_null_with_default)?,
            None => Value::Null,
        };
        self.side.put(&mut record, Some(field.schema.clone()), extracted);
        Ok(Some(record))
    }
}

pub(super) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .define(ConfigKey::new(
            "field",
            ConfigType::String,
            Importance::Medium,
            "The field that takes the place of all.",
        ))
        .define(replace_null_with_default())
        .define(syntax_version())
}

pub(super) fn create(side: Side, properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let name = config.string("field");
    let path = FieldPath::new(&name, &config.string(SYNTAX_VERSION))?;
    Ok(Box::new(ExtractField { side, name, path, replace_null_with_default: config.is("replace.null.with.default") }))
}
