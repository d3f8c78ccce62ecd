//! `HeaderFrom`: fields copied or moved into headers.

use std::sync::Arc;

use super::operating::{Side, entry, field_value, values_of, with_fields};
use super::{Transformation, replace_null_with_default};
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator};
use crate::data::{DataError, Header, Schema, SchemaCache, SourceRecord, Struct, Value};

/// What Java says of a field that is not there.
const NO_SUCH_FIELD: &str = "Cannot invoke \"org.apache.kafka.connect.data.Field.schema()\" because the return value of \
                             \"org.apache.kafka.connect.data.Schema.field(String)\" is null";

struct HeaderFrom {
    side: Side,
    /// Fields and the headers to which they go.
    pairs: Vec<(String, Arc<str>)>,
    moves: bool,
    replace_null_with_default: bool,
    schemas: SchemaCache<Arc<Schema>>,
}

impl HeaderFrom {
    fn purpose(&self) -> &'static str {
        if self.moves { "header move" } else { "header copy" }
    }

    fn leaves(&self, name: &str) -> bool {
        self.pairs.iter().any(|(field, _)| field == name)
    }
}

impl Transformation for HeaderFrom {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        let Some(schema) = self.side.schema(&record).cloned() else {
            let mut entries = self.side.take_map(&mut record, self.purpose())?;
            for (field, header) in &self.pairs {
                let value = entry(&entries, field).cloned().unwrap_or_default();
                record.headers.push(Header { name: Arc::clone(header), schema: None, value });
            }
            if self.moves {
                entries.retain(|(key, _)| !key.as_str().is_some_and(|name| self.leaves(name)));
            }
            self.side.put(&mut record, None, Value::Map(entries));
            return Ok(Some(record));
        };
        let value = self.side.take_struct(&mut record, self.purpose())?;
        for (field, header) in &self.pairs {
            let at = schema.index_of(field);
            let at = at.ok_or_else(|| DataError::of("java.lang.NullPointerException", NO_SUCH_FIELD))?;
            record.headers.push(Header {
                name: Arc::clone(header),
                schema: Some(Arc::clone(&schema.fields()[at].schema)),
                value: field_value(&value, field, self.replace_null_with_default).cloned().unwrap_or_default(),
            });
        }
        if !self.moves {
            self.side.put(&mut record, Some(schema), Value::Struct(value));
            return Ok(Some(record));
        }
        let updated = self.schemas.or_make(&schema, |schema| {
            let stays = schema.fields().iter().filter(|field| !self.leaves(&field.name));
            Ok(Arc::new(with_fields(schema, stays.cloned().collect())))
        })?;
        let values = values_of(value, self.replace_null_with_default);
        let stays = schema.fields().iter().zip(values).filter(|(field, _)| !self.leaves(&field.name));
        let values = stays.map(|(_, value)| value).collect();
        self.side.put(&mut record, Some(Arc::clone(&updated)), Value::Struct(Struct::new(updated, values)));
        Ok(Some(record))
    }
}

pub(super) fn config_def() -> ConfigDef {
    let list = |name, doc| ConfigKey::new(name, ConfigType::List, Importance::High, doc).valid(Validator::NonEmptyList);
    let doc = "Either move, which takes the fields away, or copy, which leaves them.";
    let operation = ConfigKey::new("operation", ConfigType::String, Importance::High, doc);
    ConfigDef::new()
        .define(list("fields", "Fields whose values become headers."))
        .define(list("headers", "Names of the headers, in the order of the fields."))
        .define(operation.valid(Validator::In(&["move", "copy"])))
        .define(replace_null_with_default())
}

pub(super) fn create(side: Side, properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let (fields, headers) = (config.list("fields"), config.list("headers"));
    if fields.len() != headers.len() {
        return Err(ConfigError::new("'fields' config must have the same number of elements as 'headers' config."));
    }
    Ok(Box::new(HeaderFrom {
        side,
        pairs: fields.into_iter().zip(headers.into_iter().map(Into::into)).collect(),
        moves: config.string("operation") == "move",
        replace_null_with_default: config.is("replace.null.with.default"),
        schemas: SchemaCache::default(),
    }))
}
