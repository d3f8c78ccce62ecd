//! What makes records of a connector's events: its transforms and converters.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::clock::now_ms;
use super::error_tolerance::{ErrorTolerance, Failure, Stage};
use super::settings::WorkerSettings;
use crate::connector_config::{ConfigError, Properties, TopicCreation, WorkerDefaults, source_config_def};
use crate::converters::{self, Converter, ConverterType};
use crate::data::{Header, SourceRecord, Value};
use crate::destination::{Destination, LargeRecord, OutgoingHeaders, OutgoingRecord};
use crate::spool::Spool;
use crate::transforms::TransformationChain;

/// From how many bytes on a value is converted into a file, so that it and its event are not in memory together.
const SPOOLED: usize = 1024 * 1024;

/// Makes records as a connector's config has it.
pub(super) struct RecordMaker {
    chain: TransformationChain,
    key: NamedConverter,
    value: NamedConverter,
    header: NamedConverter,
    /// The last record's topic and headers, and what was made of them.
    last_headers: (Arc<str>, Vec<Header>, OutgoingHeaders),
    pub(super) creation: TopicCreation,
    pub(super) tolerance: ErrorTolerance,
}

/// A converter and its Java class.
struct NamedConverter {
    converter: Box<dyn Converter>,
    class: String,
}

/// What is to be written of an event, and where.
pub(super) struct Made {
    pub(super) topic: Arc<str>,
    /// The partition if the event itself says so.
    pub(super) partition: Option<i32>,
    pub(super) record: MadeRecord,
}

/// A record to be written.
pub(super) enum MadeRecord {
    /// One like most.
    Small(OutgoingRecord),
    /// One whose value waits in a file.
    Large(LargeRecord),
}

/// Why there is no record.
pub(super) enum MakeError {
    /// The event cannot be transformed or converted.
    Failure(Failure),
    /// A large value cannot be put aside.
    Spool(io::Error),
}

impl RecordMaker {
    /// # Errors
    /// The first thing in the config that cannot be.
    pub(super) fn new(properties: &Properties, settings: &WorkerSettings) -> Result<Self, ConfigError> {
        let config = source_config_def("", &WorkerDefaults::default(), properties).parse(properties)?;
        let converter = |at: usize, side: &str, kind| {
            let name = format!("{side}.converter");
            let class = config.text(&name).unwrap_or_else(|| settings.defaults.converter(at)).to_owned();
            let converter = converters::create(&class, kind, &properties.with_prefix(&format!("{name}.")))?;
            Ok(NamedConverter { converter, class })
        };
        Ok(Self {
            chain: TransformationChain::new(properties)?,
            key: converter(0, "key", ConverterType::Key)?,
            value: converter(1, "value", ConverterType::Value)?,
            header: converter(2, "header", ConverterType::Header)?,
            last_headers: ("".into(), Vec::new(), Arc::default()),
            creation: TopicCreation::new(properties)?,
            tolerance: ErrorTolerance::new(&config),
        })
    }

    /// What is to be written of an event; `None` if it is dropped.
    pub(super) fn make(
        &mut self,
        record: SourceRecord,
        destination: &dyn Destination,
    ) -> Result<Option<Made>, MakeError> {
        let record = match self.chain.is_empty() {
            true => Some(record),
            false => self
                .chain
                .apply_each(record)
                .map_err(|(class, error)| MakeError::Failure(Failure::new(Stage::Transformation, class, &error)))?,
        };
        let Some(record) = record else {
            return Ok(None);
        };
        let headers = self.headers(&record)?;
        self.key.converter.heed_headers(&headers);
        self.value.converter.heed_headers(&headers);
        let NamedConverter { converter, class } = &mut self.key;
        let key = converter
            .convert(&record.topic, record.key_schema.as_ref(), &record.key)
            .map_err(|error| MakeError::Failure(Failure::new(Stage::KeyConverter, class, &error)))?;
        let value = self.value(&record, destination)?;
        let timestamp = record.timestamp.unwrap_or_else(now_ms);
        let made = match value {
            MadeValue::Small(value) => MadeRecord::Small(OutgoingRecord { key, value, headers, timestamp }),
            MadeValue::Large(value) => MadeRecord::Large(LargeRecord { key, value, headers, timestamp }),
        };
        Ok(Some(Made { topic: record.topic, partition: record.partition, record: made }))
    }

    /// The headers of a record, which most often are those of the one before it.
    fn headers(&mut self, record: &SourceRecord) -> Result<OutgoingHeaders, MakeError> {
        let (topic, before, converted) = &self.last_headers;
        if is_same(before, &record.headers) && (before.is_empty() || *topic == record.topic) {
            return Ok(Arc::clone(converted));
        }
        let mut headers = Vec::with_capacity(record.headers.len());
        for header in &record.headers {
            let NamedConverter { converter, class } = &mut self.header;
            let value = converter.convert(&record.topic, header.schema.as_ref(), &header.value);
            let value =
                value.map_err(|error| MakeError::Failure(Failure::new(Stage::HeaderConverter, class, &error)))?;
            headers.push((header.name.to_string(), value));
        }
        let converted: OutgoingHeaders = headers.into();
        if is_same(&record.headers, &record.headers) {
            self.last_headers = (Arc::clone(&record.topic), record.headers.clone(), Arc::clone(&converted));
        }
        Ok(converted)
    }

    fn value(&mut self, record: &SourceRecord, destination: &dyn Destination) -> Result<MadeValue, MakeError> {
        let NamedConverter { converter, class } = &mut self.value;
        let failed = |error| MakeError::Failure(Failure::new(Stage::ValueConverter, class, &error));
        let SourceRecord { topic, value_schema: schema, value, .. } = record;
        // Where there is no file to be had, memory has to do.
        let scratch = if size(value) < SPOOLED { None } else { destination.scratch_file().ok() };
        let Some(file) = scratch else {
            return converter.convert(topic, schema.as_ref(), value).map(MadeValue::Small).map_err(failed);
        };
        let mut spool = Spool::new(file);
        if !converter.spool(topic, schema.as_ref(), value, &mut spool).map_err(failed)? {
            return Ok(MadeValue::Small(None));
        }
        spool.finish().map_err(MakeError::Spool)?;
        Ok(MadeValue::Large(spool))
    }
}

/// A value's bytes.
enum MadeValue {
    Small(Option<Bytes>),
    Large(Spool),
}

/// Whether headers are the same, as far as is known at a glance: parts that are shared, or short.
fn is_same(some: &[Header], others: &[Header]) -> bool {
    let is_same = |(one, other): (&Header, &Header)| {
        let is_same_schema = match (&one.schema, &other.schema) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        let is_same_value = match (&one.value, &other.value) {
            (Value::String(one), Value::String(other)) => one.size() < 256 && one == other,
            (one, other) => one.is_null() && other.is_null(),
        };
        Arc::ptr_eq(&one.name, &other.name) && is_same_schema && is_same_value
    };
    some.len() == others.len() && some.iter().zip(others).all(is_same)
}

/// How many bytes the texts and bytes in a value have.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.size(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|(key, value)| size(key) + size(value)).sum(),
        Value::Struct(value) => value.values().iter().map(size).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::data::{Schema, SchemaType};

    #[test]
    fn headers_are_made_once_for_all_that_have_the_same() {
        let settings = WorkerSettings::new("w");
        let class = "io.debezium.connector.postgresql.PostgresConnector";
        let properties = [("name", "n"), ("connector.class", class)].into_iter().collect();
        let mut maker = RecordMaker::new(&properties, &settings).unwrap();
        let schema = Arc::new(Schema::of(SchemaType::String));
        let name: Arc<str> = "h".into();
        let header = |value: Value| Header { name: Arc::clone(&name), schema: Some(Arc::clone(&schema)), value };
        let mut of = |headers: Vec<Header>| {
            let record = SourceRecord {
                offset: Arc::default(),
                topic: "t".into(),
                partition: None,
                key_schema: None,
                key: Value::Null,
                value_schema: None,
                value: Value::Null,
                timestamp: None,
                headers,
            };
            maker.headers(&record).unwrap_or_else(|_| panic!("they can be converted"))
        };
        let text = |text: &str| [("h".to_owned(), Some(Bytes::copy_from_slice(text.as_bytes())))];
        let first = of(vec![header("a".into())]);
        assert_eq!(*first, text("a"));
        assert!(Arc::ptr_eq(&first, &of(vec![header("a".into())])));
        assert_eq!(*of(vec![header("b".into())]), text("b"));
        assert_eq!(*of(vec![header(Value::Int32(7))]), text("7"));
        assert_eq!(*of(vec![header(Value::Int32(8))]), text("8"));
        assert_eq!(*of(vec![header("b".into()), header("a".into())]), [text("b"), text("a")].concat());
        assert_eq!(*of(Vec::new()), []);
        assert_eq!(*of(vec![header("a".into())]), text("a"));
    }
}
