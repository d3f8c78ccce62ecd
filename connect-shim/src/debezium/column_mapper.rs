//! Columns whose values are masked, hashed or cut, and whose origin the schema tells.

use std::sync::Arc;

use sha2::{Digest, Sha256, Sha512};

use super::filters::{BadPattern, Patterns};
use super::relational::{Column, TableId, oid};
use super::types::to_hex;
use crate::data::{Schema, Text, Value};
use crate::postgres::TypeRegistry;

/// What is done to the columns that a list means.
#[derive(Debug, Clone)]
pub(crate) enum ColumnMapper {
    /// Text is cut after so many characters.
    Truncate(usize),
    /// This stands for whatever text there is.
    Mask(Arc<str>),
    /// A hash stands for the text.
    Hash(HashAlgorithm, Arc<str>, HashInput),
    /// The schema says what the column is in the database.
    PropagateType,
}

/// How a text is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HashAlgorithm {
    /// MD5.
    Md5,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// What of a text is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HashInput {
    /// The text as Java serialises it (`column.mask.hash`).
    V1,
    /// The text (`column.mask.hash.v2`).
    V2,
}

/// All rules; the first that means a column is the one.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnMappers(Vec<(Patterns, bool, ColumnMapper)>);

impl ColumnMappers {
    /// Adds a rule for columns by their full names, or by their types if `by_type`.
    pub(crate) fn add(&mut self, list: &str, by_type: bool, mapper: ColumnMapper) -> Result<(), BadPattern> {
        self.0.push((Patterns::parse(list)?, by_type, mapper));
        Ok(())
    }

    /// What is done to a column.
    pub(crate) fn of(&self, table: &TableId, column: &Column) -> Option<&ColumnMapper> {
        let by_name = format!("{table}.{}", column.name);
        let by_type = format!("{table}.{}", column.type_name);
        let meant = |patterns: &Patterns, typed: bool| patterns.matches(if typed { &by_type } else { &by_name });
        self.0.iter().find(|(patterns, typed, _)| meant(patterns, *typed)).map(|(_, _, mapper)| mapper)
    }
}

/// Whether the driver takes a column for one of characters.
fn is_text(column: &Column, types: &TypeRegistry) -> bool {
    let enumeration = || types.get(column.type_oid).is_some_and(|found| found.enum_values.is_some());
    matches!(column.type_oid, oid::CHAR | oid::BPCHAR | oid::VARCHAR | oid::TEXT | oid::NAME) || enumeration()
}

impl ColumnMapper {
    /// The column's schema with what the mapper adds to it.
    pub(crate) fn alter(&self, column: &Column, schema: Schema) -> Schema {
        match self {
            Self::Truncate(length) if can_cut(column, *length) => {
                schema.parameter("truncateLength", length.to_string())
            }
            Self::Truncate(_) => schema,
            Self::Mask(_) | Self::Hash(..) => schema.parameter("masked", "true"),
            Self::PropagateType => {
                let mut schema = schema.parameter("__debezium.source.column.type", column.type_name.to_uppercase());
                if column.length != -1 {
                    schema = schema.parameter("__debezium.source.column.length", column.length.to_string());
                }
                schema = schema.parameter("__debezium.source.column.scale", column.scale.to_string());
                schema.parameter("__debezium.source.column.name", &*column.name)
            }
        }
    }

    /// What is done to the column's values; `None` is nothing.
    pub(crate) fn for_values(&self, column: &Column, types: &TypeRegistry) -> Option<ValueMapper> {
        match self {
            Self::Truncate(length) => can_cut(column, *length).then_some(ValueMapper::Truncate(*length)),
            Self::Mask(mask) => is_text(column, types).then(|| ValueMapper::Mask(mask.clone())),
            Self::Hash(algorithm, salt, input) => is_text(column, types).then(|| {
                let length = usize::try_from(column.length).unwrap_or(0);
                ValueMapper::Hash(*algorithm, salt.clone(), *input, length)
            }),
            Self::PropagateType => None,
        }
    }
}

fn can_cut(column: &Column, length: usize) -> bool {
    usize::try_from(column.length).map_or(true, |known| known > length)
}

/// What is done to a column's values.
#[derive(Debug, Clone)]
pub(crate) enum ValueMapper {
    /// Cut.
    Truncate(usize),
    /// Replaced.
    Mask(Arc<str>),
    /// Hashed, and cut to the column's length if it has one.
    Hash(HashAlgorithm, Arc<str>, HashInput, usize),
}

impl ValueMapper {
    /// What becomes of a value.
    pub(crate) fn map(&self, value: Value) -> Value {
        match (self, value) {
            (Self::Truncate(length), Value::String(text)) => Value::String(cut(&text, *length)),
            (Self::Truncate(length), Value::Bytes(bytes)) => {
                let end = bytes.len().min(*length);
                Value::Bytes(bytes.slice(..end))
            }
            (Self::Truncate(_), other) => other,
            (Self::Mask(mask), _) => Value::String(mask.clone().into()),
            (Self::Hash(algorithm, salt, input, length), Value::String(text)) => {
                let hash: Text = to_hex(&algorithm.digest(salt, &input.of(&text))).into();
                Value::String(if *length > 0 { cut(&hash, *length) } else { hash })
            }
            (Self::Hash(..), _) => Value::Null,
        }
    }
}

/// The first characters, counted as Java does: in UTF-16.
fn cut(text: &Text, length: usize) -> Text {
    let mut units = 0;
    for (at, character) in text.char_indices() {
        units += character.len_utf16();
        if units > length {
            return text[..at].into();
        }
    }
    text.clone()
}

impl HashAlgorithm {
    /// By the names that Java knows them by.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "MD5" => Some(Self::Md5),
            "SHA-256" => Some(Self::Sha256),
            "SHA-512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn digest(self, salt: &str, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => md5::Md5::new_with_prefix(salt).chain_update(input).finalize().to_vec(),
            Self::Sha256 => Sha256::new_with_prefix(salt).chain_update(input).finalize().to_vec(),
            Self::Sha512 => Sha512::new_with_prefix(salt).chain_update(input).finalize().to_vec(),
        }
    }
}

impl HashInput {
    fn of(self, text: &str) -> Vec<u8> {
        match self {
            Self::V2 => text.as_bytes().to_vec(),
            Self::V1 => {
                // Java's serialisation of a string: magic, version, and the text in its own kind of UTF-8.
                let body = modified_utf8(text);
                let mut out = vec![0xAC, 0xED, 0x00, 0x05];
                match u16::try_from(body.len()) {
                    Ok(length) => {
                        out.push(0x74);
                        out.extend(length.to_be_bytes());
                    }
                    Err(_) => {
                        out.push(0x7C);
                        out.extend((body.len() as u64).to_be_bytes());
                    }
                }
                out.extend(body);
                out
            }
        }
    }
}

/// UTF-8 in which zero has two bytes and what is beyond 16 bits has two times three.
fn modified_utf8(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        let low = |bits: u16| 0x80 | (bits & 0x3F) as u8;
        match unit {
            0x0001..=0x007F => out.push(unit as u8),
            0x0000 | 0x0080..=0x07FF => out.extend([0xC0 | (unit >> 6) as u8, low(unit)]),
            _ => out.extend([0xE0 | (unit >> 12) as u8, low(unit >> 6), low(unit)]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_masked_and_hashed() {
        let text = || Value::from("Anne");
        assert_eq!(ValueMapper::Truncate(2).map(text()), Value::from("An"));
        assert_eq!(ValueMapper::Mask("***".into()).map(Value::Null), Value::from("***"));
        let v2 = ValueMapper::Hash(HashAlgorithm::Sha256, "s".into(), HashInput::V2, 0).map(text());
        assert_eq!(v2.as_str().map(str::len), Some(64));
        let short = ValueMapper::Hash(HashAlgorithm::Md5, "s".into(), HashInput::V1, 8).map(text());
        assert_eq!(short.as_str().map(str::len), Some(8));
    }

    #[test]
    fn a_string_is_serialised_as_java_does() {
        assert_eq!(HashInput::V1.of("aß"), [0xAC, 0xED, 0, 5, 0x74, 0, 3, b'a', 0xC3, 0x9F]);
        assert_eq!(modified_utf8("\u{1F600}").len(), 6);
    }
}
