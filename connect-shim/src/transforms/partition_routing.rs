//! Debezium's `PartitionRouting`: fields of an event say to which partition it goes.

use super::Transformation;
use super::extract_new_record_state::is_envelope;
use crate::connector_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Validator, Width,
};
use crate::data::{DataError, Schema, SourceRecord, Struct, Value, logical};
use crate::java::decimal;
use crate::java::string_hash::string_hash;

struct PartitionRouting {
    /// Paths of fields; `change` is the row after the change, or the one that is gone.
    fields: Vec<Vec<String>>,
    partitions: i32,
    hash: fn(&Schema, &Value) -> i32,
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
        let values = self.fields.iter().filter_map(|path| follow(envelope, path, row));
        let values = values.filter(|(_, value)| !value.is_null());
        let hashes: Vec<i32> = values.map(|(schema, value)| (self.hash)(schema, value)).collect();
        if hashes.is_empty() {
            return Ok(Some(record));
        }
        let sum = hashes.into_iter().fold(0i32, i32::wrapping_add) & i32::MAX;
        record.partition = Some(if sum == i32::MAX { 0 } else { sum } % self.partitions);
        Ok(Some(record))
    }
}

fn follow<'v>(envelope: &'v Struct, path: &[String], row: &str) -> Option<(&'v Schema, &'v Value)> {
    let (last, parents) = path.split_last()?;
    let mut place = envelope;
    for name in parents {
        let name = if name == "change" { row } else { name.as_str() };
        place = place.get(name)?.as_struct()?;
    }
    let schema = &place.schema().fields()[place.schema().index_of(last)?].schema;
    Some((schema, place.get_or_default(last)?))
}

/// Java's `hashCode` of what a value of a schema is in Java: a `BigDecimal`, a `Date`, or the value itself.
fn java_hash_of(schema: &Schema, value: &Value) -> i32 {
    match (value, logical::decimal_scale(schema)) {
        (Value::Bytes(unscaled), Some(scale)) => decimal::hash_code(unscaled, scale),
        (Value::Int32(days), _) if schema.name.as_deref() == Some(logical::DATE) => {
            java_hash(&Value::Int64(i64::from(*days) * 86_400_000))
        }
        _ => java_hash(value),
    }
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

/// Debezium's `MurmurHash3`: texts by their UTF-8, all else by Java's `hashCode`.
fn murmur_hash(schema: &Schema, value: &Value) -> i32 {
    match value {
        Value::String(text) => murmur3(text.as_bytes()),
        other => murmur3(&java_hash_of(schema, other).to_le_bytes()),
    }
}

/// The upper half of an early draft of MurmurHash3 for 64 bits, in which the rest of the input counts with its sign.
fn murmur3(data: &[u8]) -> i32 {
    const SEED: u64 = 9001;
    let mut state = Murmur {
        h: [0x9368_e53c_2f6a_f274 ^ SEED, 0x586d_cd20_8f7c_d3fd ^ SEED],
        c: [0x87c3_7b91_1142_53d5, 0x4cf5_ad43_2745_937f],
    };
    let (blocks, rest) = data.as_chunks::<16>();
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
    for block in blocks {
        state.mix(word(&block[..8]), word(&block[8..]));
    }
    if !rest.is_empty() {
        let signed = |bytes: &[u8]| {
            let place = |(at, byte): (usize, &u8)| i64::from(byte.cast_signed()).cast_unsigned() << (8 * at);
            bytes.iter().enumerate().map(place).fold(0, |word, byte| word ^ byte)
        };
        let (low, high) = rest.split_at(rest.len().min(8));
        state.mix(signed(low), signed(high));
    }
    let [mut one, mut two] = state.h;
    two ^= data.len() as u64;
    one = one.wrapping_add(two);
    two = two.wrapping_add(one);
    (one, two) = (finish(one), finish(two));
    ((one.wrapping_add(two) >> 32) as u32).cast_signed()
}

struct Murmur {
    h: [u64; 2],
    c: [u64; 2],
}

impl Murmur {
    fn mix(&mut self, one: u64, two: u64) {
        let [c1, c2] = self.c;
        let [mut h1, mut h2] = self.h;
        h1 ^= one.wrapping_mul(c1).rotate_left(23).wrapping_mul(c2);
        h1 = h1.wrapping_add(h2);
        h2 = h2.rotate_left(41) ^ two.wrapping_mul(c2).rotate_left(23).wrapping_mul(c1);
        h2 = h2.wrapping_add(h1);
        self.h = [h1.wrapping_mul(3).wrapping_add(0x52dc_e729), h2.wrapping_mul(3).wrapping_add(0x3849_5ab5)];
        self.c = [c1.wrapping_mul(5).wrapping_add(0x7b7d_159c), c2.wrapping_mul(5).wrapping_add(0x6bce_6396)];
    }
}

fn finish(mut word: u64) -> u64 {
    word ^= word >> 33;
    word = word.wrapping_mul(0xff51_afd7_ed55_8ccd);
    word ^= word >> 33;
    word = word.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ word >> 33
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
                .valid(Validator::InIgnoringCase(&["java", "murmur"]))
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
    let murmur = config.string("partition.hash.function").eq_ignore_ascii_case("murmur");
    let hash = if murmur { murmur_hash } else { java_hash_of };
    Ok(Box::new(PartitionRouting { fields, partitions, hash }))
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
        assert_eq!(decimal::hash_code(&[0x01, 0x90], 2), 400 * 31 + 2, "4.00");
        assert_eq!(decimal::hash_code(&[0xff, 0xff], 2), -31 + 2, "-0.01");
        assert_eq!(decimal::hash_code(&[1, 0, 0, 0, 0], 0), 31 * 31, "4294967296");
    }
}
