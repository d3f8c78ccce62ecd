//! A value as JSON, straight into a buffer (`JsonConverter.convertToJson`).

use super::{Output, json_text};
use crate::connector_config::Config;
use crate::data::{DataError, Schema, SchemaType, Value, logical};
use crate::java::base64;
use crate::java::{decimal, number};

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JsonStyle {
    /// Whether decimals are numbers, and not Base64 of their bytes (`decimal.format`).
    pub numeric_decimals: bool,
    /// Whether the default stands for null (`replace.null.with.default`).
    pub replace_null_with_default: bool,
}

impl JsonStyle {
    /// What the properties of a converter to JSON say.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            numeric_decimals: config.string("decimal.format").eq_ignore_ascii_case("numeric"),
            replace_null_with_default: config.is("replace.null.with.default"),
        }
    }

    /// Appends a value.
    ///
    /// # Errors
    /// That it is not what its schema says.
    pub(crate) fn write<O: Output>(self, out: &mut O, schema: Option<&Schema>, value: &Value) -> Result<(), DataError> {
        let Some(schema) = schema else {
            return self.write_without_schema(out, value);
        };
        match (&schema.kind, value) {
            (_, Value::Null) => return self.write_null(out, schema),
            (SchemaType::Int8, Value::Int8(number)) => write_integer(out, (*number).into()),
            (SchemaType::Int16, Value::Int16(number)) => write_integer(out, (*number).into()),
            (SchemaType::Int32, Value::Int32(number)) => write_integer(out, (*number).into()),
            (SchemaType::Int64, Value::Int64(number)) => write_integer(out, *number),
            (SchemaType::Float32, Value::Float32(number)) => write_float(out, *number),
            (SchemaType::Float64, Value::Float64(number)) => write_double(out, *number),
            (SchemaType::Boolean, Value::Boolean(value)) => write_boolean(out, *value),
            (SchemaType::String, Value::String(text)) => json_text::write_string(out, text),
            (SchemaType::Bytes, Value::Bytes(bytes)) => match logical::decimal_scale(schema) {
                Some(scale) if self.numeric_decimals => {
                    out.put(decimal::to_text(bytes, scale).as_bytes());
                }
                _ => write_bytes(out, bytes),
            },
            (SchemaType::Array(items), Value::Array(values)) => {
                return write_list(out, values, |out, item| self.write(out, Some(items), item));
            }
            (SchemaType::Map(keys, values), Value::Map(entries)) => {
                return self.write_map(out, entries, Some(keys), Some(values), keys.kind == SchemaType::String);
            }
            (SchemaType::Struct(fields), Value::Struct(value)) => {
                if value.values().len() != fields.len() {
                    return Err(DataError::new("Mismatching schema."));
                }
                out.put(b"{");
                for (at, (field, value)) in fields.iter().zip(value.values()).enumerate() {
                    json_text::write_name(out, &field.name, at == 0);
                    self.write(out, Some(&field.schema), value)?;
                }
                out.put(b"}");
            }
            (kind, value) => {
                let kind = kind.name().to_uppercase();
                return Err(DataError::new(format!("Invalid type for {kind}: class {}", value.java_class())));
            }
        }
        Ok(())
    }

    fn write_null<O: Output>(self, out: &mut O, schema: &Schema) -> Result<(), DataError> {
        match &schema.default {
            Some(default) if self.replace_null_with_default => self.write(out, Some(schema), default),
            _ if schema.optional => {
                out.put(b"null");
                Ok(())
            }
            _ => {
                Err(DataError::new("Conversion error: null value for field that is required and has no default value"))
            }
        }
    }

    fn write_without_schema<O: Output>(self, out: &mut O, value: &Value) -> Result<(), DataError> {
        match value {
            Value::Null => out.put(b"null"),
            Value::Int8(number) => write_integer(out, (*number).into()),
            Value::Int16(number) => write_integer(out, (*number).into()),
            Value::Int32(number) => write_integer(out, (*number).into()),
            Value::Int64(number) => write_integer(out, *number),
            Value::Float32(number) => write_float(out, *number),
            Value::Float64(number) => write_double(out, *number),
            Value::Boolean(value) => write_boolean(out, *value),
            Value::String(text) => json_text::write_string(out, text),
            Value::Bytes(bytes) => write_bytes(out, bytes),
            Value::Array(values) => return write_list(out, values, |out, item| self.write(out, None, item)),
            Value::Map(entries) => {
                let texts = entries.iter().all(|(key, _)| matches!(key, Value::String(_)));
                return self.write_map(out, entries, None, None, texts);
            }
            Value::Struct(value) => {
                let schema = value.schema();
                return self.write(out, Some(schema), &Value::Struct(value.clone()));
            }
        }
        Ok(())
    }

    /// A map whose keys are texts is an object, any other an array of pairs.
    fn write_map<O: Output>(
        self,
        out: &mut O,
        entries: &[(Value, Value)],
        keys: Option<&Schema>,
        values: Option<&Schema>,
        as_object: bool,
    ) -> Result<(), DataError> {
        let (open, close): (&[u8], &[u8]) = if as_object { (b"{", b"}") } else { (b"[", b"]") };
        out.put(open);
        for (at, (key, value)) in entries.iter().enumerate() {
            if at > 0 {
                out.put(b",");
            }
            if as_object {
                match key {
                    Value::String(text) => json_text::write_string(out, text),
                    _ => out.put(b"\"null\""),
                }
                out.put(b":");
                self.write(out, values, value)?;
            } else {
                out.put(b"[");
                self.write(out, keys, key)?;
                out.put(b",");
                self.write(out, values, value)?;
                out.put(b"]");
            }
        }
        out.put(close);
        Ok(())
    }
}

fn write_list<O: Output>(
    out: &mut O,
    values: &[Value],
    mut write: impl FnMut(&mut O, &Value) -> Result<(), DataError>,
) -> Result<(), DataError> {
    out.put(b"[");
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.put(b",");
        }
        write(out, value)?;
    }
    out.put(b"]");
    Ok(())
}

fn write_boolean<O: Output>(out: &mut O, value: bool) {
    out.put(if value { b"true" } else { b"false" });
}

/// Digits from the end of a small array: an order of magnitude faster than formatting.
fn write_integer<O: Output>(out: &mut O, number: i64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.put(b"-");
    }
    out.put(&digits[at..]);
}

fn write_double<O: Output>(out: &mut O, value: f64) {
    let mut text = String::new();
    number::write_double(&mut text, value);
    write_number_text(out, &text, value.is_finite());
}

fn write_float<O: Output>(out: &mut O, value: f32) {
    let mut text = String::new();
    number::write_float(&mut text, value);
    write_number_text(out, &text, value.is_finite());
}

/// What JSON has no number for is a string, as Jackson has it.
fn write_number_text<O: Output>(out: &mut O, text: &str, finite: bool) {
    let quote: &[u8] = if finite { b"" } else { b"\"" };
    out.put(quote);
    out.put(text.as_bytes());
    out.put(quote);
}

fn write_bytes<O: Output>(out: &mut O, bytes: &[u8]) {
    out.put(b"\"");
    base64::append(out, bytes);
    out.put(b"\"");
}
