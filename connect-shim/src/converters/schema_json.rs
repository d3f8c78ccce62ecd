//! A schema as JSON (`JsonConverter.asJsonSchema`), worked out once for each schema.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::json_text::write_string;
use super::json_writer::JsonStyle;
use crate::connector_config::Config;
use crate::data::{DataError, Schema, SchemaCache, SchemaType};

/// The JSON of schemas that were seen.
#[derive(Debug)]
pub(crate) struct SchemaJsonCache(SchemaCache<Bytes>);

impl SchemaJsonCache {
    /// A cache of as many schemas as the properties of a converter to JSON say (`schemas.cache.size`).
    pub(crate) fn of(config: &Config) -> Self {
        let limit = usize::try_from(config.number("schemas.cache.size").unwrap_or(1000)).unwrap_or(0);
        Self(SchemaCache::with_limit(limit))
    }

    /// The JSON of a schema.
    ///
    /// # Errors
    /// That a default is not what its schema says.
    pub(crate) fn json(&self, schema: &Arc<Schema>, style: JsonStyle) -> Result<Bytes, DataError> {
        self.0.or_make(schema, |schema| {
            let mut out = BytesMut::new();
            write_schema(&mut out, schema, None, style)?;
            Ok(out.freeze())
        })
    }
}

/// Appends a schema; of a field, its name comes last.
fn write_schema(out: &mut BytesMut, schema: &Schema, field: Option<&str>, style: JsonStyle) -> Result<(), DataError> {
    out.extend_from_slice(b"{\"type\":");
    write_string(out, schema.kind.name());
    match &schema.kind {
        SchemaType::Array(items) => {
            out.extend_from_slice(b",\"items\":");
            write_schema(out, items, None, style)?;
        }
        SchemaType::Map(keys, values) => {
            out.extend_from_slice(b",\"keys\":");
            write_schema(out, keys, None, style)?;
            out.extend_from_slice(b",\"values\":");
            write_schema(out, values, None, style)?;
        }
        SchemaType::Struct(fields) => {
            out.extend_from_slice(b",\"fields\":[");
            for (at, field) in fields.iter().enumerate() {
                if at > 0 {
                    out.extend_from_slice(b",");
                }
                write_schema(out, &field.schema, Some(&field.name), style)?;
            }
            out.extend_from_slice(b"]");
        }
        _ => {}
    }
    out.extend_from_slice(if schema.optional { b",\"optional\":true" } else { b",\"optional\":false" });
    if let Some(name) = &schema.name {
        out.extend_from_slice(b",\"name\":");
        write_string(out, name);
    }
    if let Some(version) = schema.version {
        out.extend_from_slice(format!(",\"version\":{version}").as_bytes());
    }
    if let Some(doc) = &schema.doc {
        out.extend_from_slice(b",\"doc\":");
        write_string(out, doc);
    }
    if !schema.parameters.is_empty() {
        out.extend_from_slice(b",\"parameters\":{");
        for (at, (name, value)) in schema.parameters.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(b",");
            }
            write_string(out, name);
            out.extend_from_slice(b":");
            write_string(out, value);
        }
        out.extend_from_slice(b"}");
    }
    if let Some(default) = &schema.default {
        out.extend_from_slice(b",\"default\":");
        style.write(out, Some(schema), default)?;
    }
    if let Some(field) = field {
        out.extend_from_slice(b",\"field\":");
        write_string(out, field);
    }
    out.extend_from_slice(b"}");
    Ok(())
}
