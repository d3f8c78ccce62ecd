//! Debezium's `ExtractChangedRecordState`: headers that tell which columns an update has changed, and which not.

use std::sync::Arc;

use super::Transformation;
use super::extract_new_record_state::is_envelope;
use super::operating::not_a_struct;
use super::shared_headers::SharedHeaders;
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Width};
use crate::data::{DataError, Header, Schema, SchemaType, SourceRecord, Value};

struct ExtractChangedRecordState {
    changed: Option<Names>,
    unchanged: Option<Names>,
    shared: SharedHeaders,
}

/// A header that lists columns.
struct Names {
    header: Arc<str>,
    schema: Arc<Schema>,
}

impl Names {
    fn of(header: &str) -> Self {
        let item = Arc::new(Schema::of(SchemaType::String).optional());
        let schema = Schema::of(SchemaType::Array(item)).optional().named(header);
        Self { header: header.into(), schema: Arc::new(schema) }
    }

    fn header(&self, names: Vec<Value>) -> Header {
        Header { name: self.header.clone(), schema: Some(self.schema.clone()), value: Value::Array(names) }
    }
}

impl Transformation for ExtractChangedRecordState {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        if record.value.is_null() {
            self.shared.give(&mut record);
            return Ok(Some(record));
        }
        if !is_envelope(record.value_schema.as_deref()) {
            return Ok(Some(record));
        }
        let Value::Struct(envelope) = &record.value else {
            return Err(not_a_struct(&record.value, "Record value should be struct."));
        };
        let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
        if let (Some(Value::Struct(before)), Some(Value::Struct(after))) =
            (envelope.get("before"), envelope.get("after"))
        {
            for (field, value) in after.schema().fields().iter().zip(after.values()) {
                let same = before.get(&field.name) == Some(value);
                let names = if same { &mut unchanged } else { &mut changed };
                names.push(Value::from(&*field.name));
            }
        }
        let changed = self.changed.as_ref().map(|names| names.header(changed));
        let unchanged = self.unchanged.as_ref().map(|names| names.header(unchanged));
        let added: Vec<Header> = changed.into_iter().chain(unchanged).collect();
        self.shared.note(&record, &added);
        record.headers.extend(added);
        Ok(Some(record))
    }

    fn headers_are_shared(&mut self) -> bool {
        self.shared.shares = true;
        true
    }
}

pub(super) fn config_def() -> ConfigDef {
    let name = |name, doc, display| {
        ConfigKey::new(name, ConfigType::String, Importance::Low, doc).optional().display(1, Width::Long, display)
    };
    ConfigDef::new()
        .define(name("header.changed.name", "The header that lists the changed columns.", "Header change name."))
        .define(name("header.unchanged.name", "The header that lists the other columns.", "Header unchanged name."))
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let names = |name| config.text(name).filter(|header| !header.trim().is_empty()).map(Names::of);
    Ok(Box::new(ExtractChangedRecordState {
        changed: names("header.changed.name"),
        unchanged: names("header.unchanged.name"),
        shared: SharedHeaders::default(),
    }))
}
