//! `TimestampConverter`: a time as a text, a number, or one of Connect's own types.

use std::sync::Arc;

use super::operating::{Side, entry, field, not_a_struct, set_entry, values_of, with_fields};
use super::{Transformation, replace_null_with_default};
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator};
use crate::data::{DataError, Schema, SchemaCache, SchemaType, SourceRecord, Struct, Value, logical};
use crate::java::date_format::DateFormat;

const PURPOSE: &str = "converting timestamp formats";
const DAY: i64 = 86_400_000;

/// How a time is represented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeType {
    String,
    Unix,
    Date,
    Time,
    Timestamp,
}

impl TimeType {
    fn schema(self, optional: bool) -> Schema {
        let schema = match self {
            Self::String => Schema::of(SchemaType::String),
            Self::Unix => Schema::of(SchemaType::Int64),
            Self::Date => Schema::of(SchemaType::Int32).named(logical::DATE).versioned(1),
            Self::Time => Schema::of(SchemaType::Int32).named(logical::TIME).versioned(1),
            Self::Timestamp => Schema::of(SchemaType::Int64).named(logical::TIMESTAMP).versioned(1),
        };
        Schema { optional, ..schema }
    }

    fn of_schema(schema: &Schema) -> Result<Self, DataError> {
        match (schema.name.as_deref(), &schema.kind) {
            (Some(logical::TIMESTAMP), _) => Ok(Self::Timestamp),
            (Some(logical::DATE), _) => Ok(Self::Date),
            (Some(logical::TIME), _) => Ok(Self::Time),
            (_, SchemaType::String) => Ok(Self::String),
            (_, SchemaType::Int64) => Ok(Self::Unix),
            (_, kind) => Err(DataError::new(format!(
                "Schema Schema{{{}}} does not correspond to a known timestamp type format",
                kind.name().to_uppercase()
            ))),
        }
    }

    fn of_value(value: &Value) -> Result<Self, DataError> {
        match value {
            Value::Int64(_) => Ok(Self::Unix),
            Value::String(_) => Ok(Self::String),
            other => Err(DataError::new(format!(
                "TimestampConverter does not support class {} objects as timestamps",
                other.java_class()
            ))),
        }
    }
}

struct TimestampConverter {
    side: Side,
    field: String,
    target: TimeType,
    format: Option<DateFormat>,
    /// How many units of a number make a millisecond, or a millisecond how many.
    unix_precision: UnixPrecision,
    replace_null_with_default: bool,
    schemas: SchemaCache<Arc<Schema>>,
}

#[derive(Debug, Clone, Copy)]
enum UnixPrecision {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl TimestampConverter {
    fn convert(&self, value: &Value, from: TimeType) -> Result<Value, DataError> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        let millis = self.millis(value, from)?;
        Ok(match self.target {
            TimeType::String => match &self.format {
                Some(format) => Value::String(format.format(millis).into()),
                None => Value::Null,
            },
            TimeType::Unix => Value::Int64(match self.unix_precision {
                UnixPrecision::Seconds => millis / 1000,
                UnixPrecision::Milliseconds => millis,
                UnixPrecision::Microseconds => millis.saturating_mul(1000),
                UnixPrecision::Nanoseconds => millis.saturating_mul(1_000_000),
            }),
            TimeType::Date => Value::Int32(i32::try_from(millis.div_euclid(DAY)).unwrap_or(i32::MAX)),
            TimeType::Time => Value::Int32(i32::try_from(millis.rem_euclid(DAY)).unwrap_or(0)),
            TimeType::Timestamp => Value::Int64(millis),
        })
    }

    fn millis(&self, value: &Value, from: TimeType) -> Result<i64, DataError> {
        match (from, value) {
            (TimeType::String, Value::String(text)) => {
                let read = self.format.as_ref().and_then(|format| format.parse(text));
                let pattern = self.format.as_ref().map_or("", DateFormat::pattern);
                read.ok_or_else(|| {
                    DataError::new(format!(
                        "Could not parse timestamp: value ({text}) does not match pattern ({pattern})"
                    ))
                })
            }
            (TimeType::Unix, Value::Int64(number)) => Ok(match self.unix_precision {
                UnixPrecision::Seconds => number.saturating_mul(1000),
                UnixPrecision::Milliseconds => *number,
                UnixPrecision::Microseconds => number / 1000,
                UnixPrecision::Nanoseconds => number / 1_000_000,
            }),
            (TimeType::Date, Value::Int32(days)) => Ok(i64::from(*days) * DAY),
            (TimeType::Time, Value::Int32(millis)) => Ok((*millis).into()),
            (TimeType::Timestamp, Value::Int64(millis)) => Ok(*millis),
            (kind, other) => {
                let found = other.java_class();
                Err(DataError::new(format!("Expected {kind:?} timestamp, but found class {found}")))
            }
        }
    }

    fn updated(&self, schema: &Schema) -> Arc<Schema> {
        let converted = |one: &crate::data::Field| match *one.name == *self.field {
            true => field(&one.name, Arc::new(self.target.schema(one.schema.optional))),
            false => one.clone(),
        };
        let fields = schema.fields().iter().map(converted).collect();
        Arc::new(Schema { optional: schema.optional, ..with_fields(schema, fields) })
    }

    fn apply_with_schema(&mut self, record: &mut SourceRecord, schema: &Arc<Schema>) -> Result<(), DataError> {
        if self.field.is_empty() {
            let converted = self.convert(self.side.value(record), TimeType::of_schema(schema)?)?;
            self.side.put(record, Some(Arc::new(self.target.schema(schema.optional))), converted);
            return Ok(());
        }
        let updated = self.schemas.or_make(schema, |schema| Ok(self.updated(schema)))?;
        let value = match self.side.take(record) {
            Value::Null => Value::Null,
            Value::Struct(value) => {
                let mut values = values_of(value, self.replace_null_with_default);
                if let Some(at) = schema.index_of(&self.field) {
                    values[at] = self.convert(&values[at], TimeType::of_schema(&schema.fields()[at].schema)?)?;
                }
                Value::Struct(Struct::new(Arc::clone(&updated), values))
            }
            other => return Err(not_a_struct(&other, PURPOSE)),
        };
        self.side.put(record, Some(updated), value);
        Ok(())
    }
}

impl Transformation for TimestampConverter {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        if let Some(schema) = self.side.schema(&record).cloned() {
            self.apply_with_schema(&mut record, &schema)?;
            return Ok(Some(record));
        }
        let convert = |value: &Value| match value {
            Value::Null => Ok(Value::Null),
            value => self.convert(value, TimeType::of_value(value)?),
        };
        let updated = if self.field.is_empty() || self.side.value(&record).is_null() {
            convert(self.side.value(&record))?
        } else {
            let mut entries = self.side.take_map(&mut record, PURPOSE)?;
            let value = convert(entry(&entries, &self.field).unwrap_or(&Value::Null))?;
            set_entry(&mut entries, &self.field, value);
            Value::Map(entries)
        };
        self.side.put(&mut record, None, updated);
        Ok(Some(record))
    }
}

pub(super) fn config_def() -> ConfigDef {
    let text = |name, importance, doc| ConfigKey::new(name, ConfigType::String, importance, doc);
    ConfigDef::new()
        .define(text("field", Importance::High, "The field that holds the time; empty if the whole is one.").or(""))
        .define(
            text("target.type", Importance::High, "What it becomes: string, unix, Date, Time or Timestamp.")
                .valid(Validator::In(&["string", "unix", "Date", "Time", "Timestamp"])),
        )
        .define(
            text(
                "format",
                Importance::Medium,
                "The pattern of a text, as SimpleDateFormat has it; texts are read by it too.",
            )
            .or(""),
        )
        .define(
            text(
                "unix.precision",
                Importance::Low,
                "What a number counts: nanoseconds, microseconds, milliseconds or seconds.",
            )
            .or("milliseconds")
            .valid(Validator::In(&["nanoseconds", "microseconds", "milliseconds", "seconds"])),
        )
        .define(replace_null_with_default())
}

pub(super) fn create(side: Side, properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let pattern = config.string("format");
    let target = match config.string("target.type").as_str() {
        "string" => TimeType::String,
        "unix" => TimeType::Unix,
        "Date" => TimeType::Date,
        "Time" => TimeType::Time,
        _ => TimeType::Timestamp,
    };
    if target == TimeType::String && pattern.is_empty() {
        return Err(ConfigError::new(
            "TimestampConverter requires format option to be specified when using string timestamps",
        ));
    }
    let format = (!pattern.is_empty()).then(|| DateFormat::new(&pattern)).transpose().map_err(|error| {
        ConfigError::new(format!(
            "TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: {pattern}: {error}"
        ))
    })?;
    let unix_precision = match config.string("unix.precision").as_str() {
        "seconds" => UnixPrecision::Seconds,
        "microseconds" => UnixPrecision::Microseconds,
        "nanoseconds" => UnixPrecision::Nanoseconds,
        _ => UnixPrecision::Milliseconds,
    };
    Ok(Box::new(TimestampConverter {
        side,
        field: config.string("field"),
        target,
        format,
        unix_precision,
        replace_null_with_default: config.is("replace.null.with.default"),
        schemas: SchemaCache::default(),
    }))
}
