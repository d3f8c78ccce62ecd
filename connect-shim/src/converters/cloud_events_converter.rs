//! Debezium's converter to CloudEvents: a change as `https://cloudevents.io` has events, in JSON.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::cloud_events_config::{CloudEventsConfig, MetadataSource};
use super::json_text::{write_name, write_string};
use super::json_writer::JsonStyle;
use super::schema_json::SchemaJsonCache;
use super::{Converter, Output, json_reader, write_java_text};
use crate::connector_config::{ConfigError, Properties};
use crate::data::{DataError, Schema, SchemaCache, SchemaType, Struct, Value};
use crate::destination::OutgoingHeaders;
use crate::java::date_format::DateFormat;
use crate::spool::Spool;

/// What the names of attributes that are Debezium's begin with.
const PREFIX: &str = "iodebezium";
/// The attributes of a transaction (`TransactionMonitor.TRANSACTION_BLOCK_SCHEMA`).
const TRANSACTION: [&str; 3] = ["txid", "txtotalorder", "txdatacollectionorder"];
/// What of an event is its data, unless headers say what it is.
const ROWS: [&str; 2] = ["before", "after"];
struct CloudEventsConverter {
    config: CloudEventsConfig,
    with_schemas: bool,
    style: JsonStyle,
    time: DateFormat,
    schemas: SchemaJsonCache,
    /// The schemas of data by those of records.
    data_schemas: SchemaCache<Arc<Schema>>,
    headers: OutgoingHeaders,
}

impl Converter for CloudEventsConverter {
    fn heed_headers(&mut self, headers: &OutgoingHeaders) {
        self.headers = Arc::clone(headers);
    }

    fn convert(&mut self, _: &str, schema: Option<&Arc<Schema>>, value: &Value) -> Result<Option<Bytes>, DataError> {
        let mut out = BytesMut::new();
        let written = self.write(&mut out, schema, value)?;
        Ok(written.then(|| out.freeze()))
    }

    fn spool(
        &mut self,
        _: &str,
        schema: Option<&Arc<Schema>>,
        value: &Value,
        out: &mut Spool,
    ) -> Result<bool, DataError> {
        self.write(out, schema, value)
    }
}

/// What an event says of itself.
struct Attributes {
    id: String,
    kind: String,
    name: String,
    time: String,
    trace_parent: Option<String>,
    data_schema_name: Arc<str>,
    source: Struct,
    operation: Value,
    transaction: Value,
}

impl CloudEventsConverter {
    /// Writes an event; `false` if there is none to be made of a record.
    fn write<O: Output>(
        &mut self,
        out: &mut O,
        schema: Option<&Arc<Schema>>,
        value: &Value,
    ) -> Result<bool, DataError> {
        let Some(schema) = schema.filter(|_| !value.is_null()) else {
            return Ok(false);
        };
        if !self.is_change(schema)? {
            return Ok(false);
        }
        let Value::Struct(record) = value else {
            return Err(DataError::new("Mismatching schema"));
        };
        let attributes = self.attributes(record)?;
        let data_schema = self.data_schema(schema, &attributes.data_schema_name)?;
        self.write_attributes(out, &attributes)?;
        write_name(out, "data", false);
        if self.with_schemas {
            out.put(b"{\"schema\":");
            out.put(&self.schemas.json(&data_schema, self.style)?);
            out.put(b",\"payload\":");
        }
        out.put(b"{");
        for (at, (field, value)) in data_schema.fields().iter().zip(record.values()).enumerate() {
            write_name(out, &field.name, at == 0);
            self.style.write(out, Some(&field.schema), value.or_default(&field.schema))?;
        }
        out.put(if self.with_schemas { b"}}}" } else { b"}}" });
        Ok(true)
    }

    /// Whether a record tells of a change: messages and transactions, and keys, do not, unless headers say so.
    fn is_change(&self, schema: &Schema) -> Result<bool, DataError> {
        if self.config.sources.global == MetadataSource::Header {
            return Ok(self.last_header("source").is_some() && self.last_header("op").is_some());
        }
        let name = schema.name.as_deref().ok_or_else(|| DataError::new("The record's schema has no name"))?;
        Ok(name.ends_with(".Envelope"))
    }

    fn attributes(&self, record: &Struct) -> Result<Attributes, DataError> {
        let sources = &self.config.sources;
        let by_headers = sources.global == MetadataSource::Header;
        let source = if by_headers { self.header("source")? } else { required(record, "source")?.clone() };
        let source = match source {
            Value::Struct(source) => source,
            other if by_headers => return Err(no_cast(&other, "org.apache.kafka.connect.data.Struct")),
            _ => return Err(DataError::new("Field 'source' is not of type STRUCT")),
        };
        let connector = text_of(required(&source, "connector")?);
        if connector != "postgresql" {
            let message = format!("No usable CloudEvents converters for connector type \"{connector}\"");
            return Err(DataError::new(message));
        }
        let Value::Int64(time) = required(&source, "ts_ms")? else {
            return Err(DataError::new("Field 'ts_ms' is not of type INT64"));
        };
        let time = self.time.format(*time);
        let id = match sources.id {
            MetadataSource::Generate => {
                let [name, lsn, tx_id, sequence] =
                    ["name", "lsn", "txId", "sequence"].map(|name| required(&source, name));
                let (name, lsn, tx_id, sequence) = (text_of(name?), text_of(lsn?), text_of(tx_id?), text_of(sequence?));
                format!("name:{name};lsn:{lsn};txId:{tx_id};sequence:{sequence}")
            }
            MetadataSource::Header => self.text_header("id", "id")?,
            MetadataSource::Value => return Err(null("id")),
        };
        let kind = match sources.kind {
            MetadataSource::Generate => "io.debezium.connector.postgresql.DataChangeEvent".to_owned(),
            MetadataSource::Header => self.text_header("type", "type")?,
            MetadataSource::Value => return Err(null("type")),
        };
        let trace_parent = match sources.trace_parent {
            _ if !self.config.tracing => None,
            MetadataSource::Header if self.last_header("traceparent").is_none() => return Err(null("traceparent")),
            MetadataSource::Header => Some(self.text_header("traceparent", "traceparent")?),
            _ => {
                return Err(DataError::new(
                    "Value for `traceparent` CloudEvents field currently can't be obtained from a record value and can only be \
                     obtained from a record header",
                ));
            }
        };
        let data_schema_name = match sources.data_schema_name {
            MetadataSource::Header => self.text_header("dataSchemaName", "name")?.into(),
            _ => "io.debezium.connector.postgresql.Data".into(),
        };
        let operation = match self.config.extensions {
            true if by_headers => self.header("op")?,
            true => required(record, "op")?.clone(),
            false => Value::Null,
        };
        let transaction = if !by_headers {
            record.get("transaction").cloned().unwrap_or_default()
        } else if self.last_header("transaction").is_some() {
            self.header("transaction")?
        } else {
            Value::Null
        };
        let name = text_of(required(&source, "name")?);
        Ok(Attributes { id, kind, name, time, trace_parent, data_schema_name, source, operation, transaction })
    }

    fn write_attributes<O: Output>(&self, out: &mut O, attributes: &Attributes) -> Result<(), DataError> {
        out.put(b"{");
        write_name(out, "id", true);
        write_string(out, &attributes.id);
        write_text(out, "source", &format!("/debezium/postgresql/{}", attributes.name));
        write_text(out, "specversion", "1.0");
        write_text(out, "type", &attributes.kind);
        write_text(out, "time", &attributes.time);
        write_text(out, "datacontenttype", "application/json");
        if let Some(trace_parent) = &attributes.trace_parent {
            write_text(out, "traceparent", trace_parent);
        }
        if !self.config.extensions {
            return Ok(());
        }
        let Value::String(operation) = &attributes.operation else {
            return Err(null("iodebeziumop"));
        };
        write_text(out, "iodebeziumop", operation);
        let source = &attributes.source;
        for (field, value) in source.schema().fields().iter().zip(source.values()) {
            let name = attribute_name(&field.name);
            let value = value.or_default(&field.schema);
            if value.is_null() && !field.schema.optional {
                return Err(null(&name));
            }
            write_attribute(out, &name, &field.schema, value)?;
        }
        let transaction = attributes.transaction.as_struct();
        for (at, name) in TRANSACTION.iter().enumerate() {
            let value = transaction.and_then(|transaction| transaction.values().get(at)).unwrap_or(&Value::Null);
            write_name(out, &format!("{PREFIX}{name}"), false);
            match value {
                Value::Null => out.put(b"null"),
                value => write_string(out, &text_of(value)),
            }
        }
        Ok(())
    }

    /// The schema of the data in an event: both rows or, if headers say what it is, all that the record holds.
    fn data_schema(&self, schema: &Arc<Schema>, name: &Arc<str>) -> Result<Arc<Schema>, DataError> {
        // Headers can give the data of one schema several names.
        let has_name = |known: &Arc<Schema>| known.name.as_ref() == Some(name);
        self.data_schemas.or_make_anew(schema, has_name, |schema| {
            let fields = schema.fields();
            let fields = match self.config.sources.global {
                MetadataSource::Header => fields,
                // Debezium takes their values by where they stand.
                _ => match fields.get(..ROWS.len()) {
                    Some(rows) if rows.iter().map(|field| &*field.name).eq(ROWS) => rows,
                    _ => return Err(DataError::new("The event does not begin with its rows before and after")),
                },
            };
            Ok(Arc::new(Schema::structure(Arc::clone(name), fields.to_vec())))
        })
    }

    fn last_header(&self, name: &str) -> Option<&Option<Bytes>> {
        self.headers.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// What a header holds, of which its converter has to have written JSON with the schema beside it.
    fn header(&self, name: &str) -> Result<Value, DataError> {
        let value = self.last_header(name);
        let value = value.ok_or_else(|| DataError::new(format!("Header `{name}` was not provided")))?;
        value.as_ref().map_or(Ok(Value::Null), |bytes| json_reader::read(bytes).map(|(_, value)| value))
    }

    fn text_header(&self, name: &str, field: &str) -> Result<String, DataError> {
        match self.header(name)? {
            Value::String(text) => Ok((*text).to_owned()),
            Value::Null => Err(null(field)),
            other => Err(no_cast(&other, "java.lang.String")),
        }
    }
}

fn write_text<O: Output>(out: &mut O, name: &str, value: &str) {
    write_name(out, name, false);
    write_string(out, value);
}

/// An attribute of the source. Numbers of 64 bits are texts, as CloudEvents has no such numbers.
fn write_attribute<O: Output>(out: &mut O, name: &str, schema: &Schema, value: &Value) -> Result<(), DataError> {
    let known = [SchemaType::Boolean, SchemaType::Int8, SchemaType::Int16, SchemaType::Int32, SchemaType::Int64];
    if !known.contains(&schema.kind) && schema.kind != SchemaType::String {
        let kind = schema.kind.name().to_uppercase();
        let message = format!("Source field of type {kind} cannot be converted into CloudEvents extension attribute.");
        return Err(DataError::new(message));
    }
    write_name(out, name, false);
    match value {
        Value::Null => out.put(b"null"),
        Value::String(text) => write_string(out, text),
        Value::Int64(number) => write_string(out, &number.to_string()),
        other => out.put(text_of(other).as_bytes()),
    }
    Ok(())
}

/// The name of an attribute: of a field's only letters and digits are left.
fn attribute_name(field: &str) -> String {
    let letters = field.chars().filter(char::is_ascii_alphanumeric);
    PREFIX.chars().chain(letters).collect()
}

fn required<'v>(value: &'v Struct, name: &str) -> Result<&'v Value, DataError> {
    value.get_or_default(name).ok_or_else(|| DataError::new(format!("{name} is not a valid field name")))
}

fn no_cast(value: &Value, class: &str) -> DataError {
    DataError::new(format!("class {} cannot be cast to class {class}", value.java_class()))
}

fn null(field: &str) -> DataError {
    DataError::new(format!("Invalid value: null used for required field: \"{field}\", schema type: STRING"))
}

/// A text, a number or a truth as Java puts it behind a text.
fn text_of(value: &Value) -> String {
    let mut out = String::new();
    write_java_text(&mut out, None, value);
    out
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Converter>, ConfigError> {
    let config = CloudEventsConfig::new(properties)?;
    let json = &config.json;
    Ok(Box::new(CloudEventsConverter {
        with_schemas: json.is("schemas.enable"),
        style: JsonStyle::of(json),
        time: DateFormat::new("yyyy-MM-dd'T'HH:mm:ss.SSSXXX").map_err(ConfigError::new)?,
        schemas: SchemaJsonCache::of(json),
        data_schemas: SchemaCache::default(),
        headers: Arc::default(),
        config,
    }))
}
