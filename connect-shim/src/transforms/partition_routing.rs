//! Debezium's `PartitionRouting`: fields of an event say to which partition it goes.

use super::Transformation;
use super::extract_new_record_state::is_envelope;
use crate::connector_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator, Width,
};
use crate::data::{DataError, SourceRecord, Struct, Value};
use crate::java::string_hash::string_hash;

struct PartitionRouting {
    /// Paths of fields; `change` is the row after the change, or the one that is gone.
    fields: Vec<Vec<String>>,
    partitions: i32,
}

impl Transformation for PartitionRouting {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        let Value::Struct(envelope) = &record.value else { return Ok(Some(record)) };
        if !is_envelope(record.value_schema.as_deref()) {
            return Ok(Some(record));
        }
        let operation = envelope.get("op").and_then(Value::as_str).unwrap_or_default();
        if matches!(operation, "t" | "m") {
            return Ok(Some(record));
        }
        let row = if operation == "d" { "before" } else { "after" };
        let values = self.fields.iter().filter_map(|path| follow(envelope, path, row)).filter(|value| !value.is_null());
        let hashes: Vec<i32> = values.map(java_hash).collect();
        if hashes.is_empty() {
            return Ok(Some(record));
        }
        let sum = hashes.into_iter().fold(0i32, i32::wrapping_add) & i32::MAX;
        record.partition = Some(if sum == i32::MAX { 0 } else { sum } % self.partitions);
        Ok(Some(record))
    }
}

fn follow<'v>(envelope: &'v Struct, path: &[String], row: &str) -> Option<&'v Value> {
    let (last, parents) = path.split_last()?;
    let mut place = envelope;
    for name in parents {
        let name = if name == "change" { row } else { name.as_str() };
        place = place.get(name)?.as_struct()?;
    }
    place.get_or_default(last)
}

/// Java's `hashCode` of a value.
fn java_hash(value: &Value) -> i32 {
    let of_long = |bits: i64| (bits ^ ((bits as u64) >> 32) as i64) as i32;
    let of_all =
        |hashes: &mut dyn Iterator<Item = i32>| hashes.fold(1i32, |sum, hash| sum.wrapping_mul(31).wrapping_add(hash));
    match value {
        Value::Null => 0,
        Value::Int8(number) => (*number).into(),
        Value::Int16(number) => (*number).into(),
        Value::Int32(number) => *number,
        Value::Int64(number) => of_long(*number),
        Value::Float32(number) if number.is_nan() => 0x7fc0_0000,
        Value::Float32(number) => number.to_bits() as i32,
        Value::Float64(number) if number.is_nan() => of_long(0x7ff8_0000_0000_0000),
        Value::Float64(number) => of_long(number.to_bits() as i64),
        Value::Boolean(truth) => {
            if *truth {
                1231
            } else {
                1237
            }
        }
        Value::String(text) => string_hash(text),
        // A buffer counts from its end.
        Value::Bytes(bytes) => of_all(&mut bytes.iter().rev().map(|byte| i32::from(*byte as i8))),
        Value::Array(items) => of_all(&mut items.iter().map(java_hash)),
        Value::Map(entries) => {
            entries.iter().fold(0i32, |sum, (key, value)| sum.wrapping_add(java_hash(key) ^ java_hash(value)))
        }
        Value::Struct(value) => of_all(&mut value.values().iter().map(java_hash)),
    }
}

pub(super) fn config_def() -> ConfigDef {
    let key = |name, kind, importance, doc, order, display| {
        ConfigKey::new(name, kind, importance, doc).optional().group("partitions", order, Width::None, display)
    };
    ConfigDef::new()
        .define(key(
            "partition.payload.fields",
            ConfigType::List,
            Importance::High,
            "Fields of the event whose values say where it goes, such as change.id or source.table.",
            1,
            "List of payload fields to use for compute partition.",
        ))
        .define(key(
            "partition.topic.num",
            ConfigType::Int,
            Importance::High,
            "How many partitions the topic has.",
            2,
            "Number of partition configured for topic",
        ))
        .define(
            ConfigKey::new("partition.hash.function", ConfigType::String, Importance::Low, "How values are hashed.")
                .or("java")
                .valid(Validator::InIgnoringCase(&["java"]))
                .group("partitions", 3, Width::None, "Hash function"),
        )
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let config = config_def().parse(properties)?;
    let fields = config.list("partition.payload.fields");
    if fields.is_empty() {
        return Err(ConfigError::new("The 'partition.payload.fields' value is invalid: A value is required"));
    }
    let partitions = config.number("partition.topic.num").and_then(|number| i32::try_from(number).ok());
    let partitions = partitions.filter(|number| *number > 0);
    let partitions = partitions.ok_or_else(|| {
        ConfigError::new("The 'partition.topic.num' value is invalid: A positive, non-zero integer value is expected")
    })?;
    let fields = fields.iter().map(|path| path.split('.').map(|part| part.trim().to_owned()).collect()).collect();
    Ok(Box::new(PartitionRouting { fields, partitions }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        assert_eq!(java_hash(&"Sally".into()), 79_649_227);
        assert_eq!(java_hash(&Value::Int64(-1)), 0);
        assert_eq!(java_hash(&Value::Int64(1 << 32)), 1);
        assert_eq!(java_hash(&Value::Boolean(true)), 1231);
        assert_eq!(java_hash(&Value::Float64(1.5)), 1_073_217_536);
        assert_eq!(java_hash(&Value::Array(vec![Value::Int32(1), Value::Int32(2)])), 994);
    }
}
