//! From a value's text to the value.

use std::sync::Arc;

use bytes::Bytes;

use super::array::{self, Element};
use super::binary::{from_bits, from_bytea, to_hex};
use super::decimal::Decimal;
use super::interval::Interval;
use super::temporal::{self, Unit};
use super::{BinaryMode, DecimalMode, HstoreMode, IntervalMode, Origin, geometry, hstore, schema};
use crate::data::{Schema, SchemaType, Struct, Value};
use crate::java::base64;

/// How a column's texts become values. What needs a schema of its own to make a struct has it.
#[derive(Debug, Clone)]
pub(crate) enum Converter {
    /// `t` or `f`.
    Boolean,
    /// 16 bits.
    Int16,
    /// 32 bits.
    Int32,
    /// 64 bits.
    Int64,
    /// IEEE 754, 32 bits.
    Float32,
    /// IEEE 754, 64 bits.
    Float64,
    /// Text as it is.
    Text,
    /// Text that Debezium reads in a snapshot, but of which it knows nothing in the stream.
    SnapshotText,
    /// A decimal of a fixed scale.
    Decimal(DecimalMode, i32),
    /// A decimal of any scale.
    AnyDecimal(DecimalMode, Arc<Schema>),
    /// An amount of money, with so many digits behind the point.
    Money(DecimalMode, i32),
    /// Bytes.
    Binary(BinaryMode),
    /// The text's bytes, of a type that is not known.
    Unknown(BinaryMode),
    /// One bit.
    Bit,
    /// Bits.
    Bits,
    /// A date.
    Date(Unit, Arc<Schema>),
    /// A time of day of a precision.
    Time(Unit, i32, Arc<Schema>),
    /// A time of day with its zone.
    ZonedTime(bool, i32, Arc<Schema>),
    /// A time without zone.
    Timestamp(Unit, i32, Arc<Schema>),
    /// A time with zone.
    ZonedTimestamp(bool, i32, Arc<Schema>),
    /// An interval.
    Interval(IntervalMode),
    /// An interval as a struct.
    Duration(i32, Arc<Schema>),
    /// Texts by name.
    Hstore(HstoreMode),
    /// A point.
    Point(Arc<Schema>),
    /// A shape of PostgreSQL's.
    Shape(Shape, Arc<Schema>),
    /// A circle.
    Circle(Arc<Schema>),
    /// A line without ends.
    Line(Arc<Schema>),
    /// A shape of PostGIS'.
    Ewkb(Arc<Schema>),
    /// A vector of doubles, or of floats.
    Vector(bool),
    /// A vector most of whose elements are zero.
    SparseVector(Arc<Schema>),
    /// Elements of one kind, with what separates them, and whether they may be null.
    Array(Box<Converter>, char, bool),
    /// What Debezium cannot convert either.
    Nothing,
}

/// A shape of PostgreSQL's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `box`.
    Box,
    /// `lseg`.
    Lseg,
    /// `path`.
    Path,
    /// `polygon`.
    Polygon,
}

impl Converter {
    /// The value of a text; `None` if it cannot be one.
    pub(crate) fn convert(&self, text: &str, origin: Origin) -> Option<Value> {
        Some(match self {
            Self::Boolean => Value::Boolean(text == "t"),
            Self::Int16 => Value::Int16(text.parse().ok()?),
            Self::Int32 => Value::Int32(text.parse().ok()?),
            Self::Int64 => Value::Int64(text.parse().ok()?),
            Self::Float32 => Value::Float32(text.parse().ok()?),
            Self::Float64 => Value::Float64(text.parse().ok()?),
            Self::Text | Self::SnapshotText => Value::String(text.into()),
            Self::Decimal(mode, scale) => fixed_decimal(text, *mode, *scale)?,
            Self::AnyDecimal(mode, schema) => any_decimal(text, *mode, schema)?,
            Self::Money(mode, digits) => money(text, *mode, *digits)?,
            Self::Binary(mode) => binary(from_bytea(text)?, *mode),
            Self::Unknown(mode) => binary(text.as_bytes().to_vec(), *mode),
            Self::Bit => Value::Boolean(text.contains('1')),
            Self::Bits => Value::Bytes(from_bits(text)?),
            Self::Date(unit, schema) => temporal::date(text, *unit, schema, origin)?,
            Self::Time(unit, precision, schema) => temporal::time(text, *unit, *precision, schema)?,
            Self::ZonedTime(parts, precision, schema) => temporal::zoned_time(text, *parts, *precision, schema)?,
            Self::Timestamp(unit, precision, schema) => temporal::timestamp(text, *unit, *precision, schema)?,
            Self::ZonedTimestamp(parts, precision, schema) => {
                temporal::zoned_timestamp(text, *parts, *precision, schema)?
            }
            Self::Interval(IntervalMode::Numeric) => Value::Int64(Interval::parse(text)?.to_micros()),
            Self::Interval(IntervalMode::String) => Value::String(Interval::parse(text)?.to_iso().into()),
            Self::Duration(precision, schema) => temporal::duration(Interval::parse(text)?, *precision, schema),
            Self::Hstore(mode) => hstore_value(&hstore::parse(text)?, *mode),
            Self::Point(schema) => {
                let [place] = geometry::places(text)?[..] else { return None };
                point(place, schema)
            }
            Self::Shape(shape, schema) => shape_value(text, *shape, schema)?,
            Self::Circle(schema) => {
                let [x, y, radius] = geometry::numbers(text)?[..] else { return None };
                let center = &schema.fields().first()?.schema;
                structure(schema, vec![point((x, y), center), Value::Float64(radius)])
            }
            Self::Line(schema) => structure(schema, geometry::numbers(text)?.into_iter().map(Value::Float64).collect()),
            Self::Ewkb(schema) => {
                let (wkb, srid) = geometry::ewkb(text)?;
                structure(schema, vec![Value::Bytes(wkb), srid.map(Value::Int32).unwrap_or_default()])
            }
            Self::Vector(double) => vector(text, *double)?,
            Self::SparseVector(schema) => sparse_vector(text, schema)?,
            // What has no braces are the numbers of an int2vector or oidvector, of which Debezium's driver sees none.
            Self::Array(..) if !text.is_empty() && !text.contains('{') => Value::Array(Vec::new()),
            Self::Array(element, separator, nullable) => {
                let elements = array::parse(text, *separator)?;
                let value = |found: Element<'_>| match found {
                    Element::Null | Element::Nested => nullable.then_some(Value::Null),
                    Element::Text(text) => element.convert_in_array(&text),
                };
                Value::Array(elements.into_iter().map(value).collect::<Option<_>>()?)
            }
            Self::Nothing => return None,
        })
    }

    /// Whether a text is its own value.
    pub(crate) fn keeps_texts(&self) -> bool {
        matches!(self, Self::Text | Self::SnapshotText)
    }

    /// The value of an array's element, which goes through the driver's own types wherever it was read.
    fn convert_in_array(&self, text: &str) -> Option<Value> {
        match self {
            Self::Time(unit, precision, schema) => temporal::time_in_array(text, *unit, *precision, schema),
            Self::Array(..) => None,
            // The driver makes decimals of them first.
            Self::Decimal(..) | Self::AnyDecimal(..) if special_decimal(text).is_some() => None,
            Self::ZonedTimestamp(false, precision, schema) => {
                temporal::zoned_timestamp_in_array(text, *precision, schema)
            }
            _ => self.convert(text, Origin::Snapshot),
        }
    }

    /// Whether values that were read there are taken for null.
    pub(crate) fn is_unknown_to(&self, origin: Origin) -> bool {
        matches!((self, origin), (Self::SnapshotText, Origin::Stream))
    }

    /// What stands in a required column for a value that the stream leaves out and that has no default.
    pub(crate) fn fallback(&self) -> Value {
        let of = |text| self.convert(text, Origin::Stream).unwrap_or_default();
        match self {
            Self::Boolean | Self::Bit => Value::Boolean(false),
            Self::Int16 | Self::Int32 | Self::Int64 | Self::Float32 | Self::Float64 => of("0"),
            Self::Text | Self::SnapshotText => schema::text(""),
            Self::Decimal(..) | Self::AnyDecimal(..) | Self::Money(..) => of("0"),
            Self::Binary(_) | Self::Unknown(_) => of("\\x"),
            Self::Bits => Value::Bytes(Bytes::new()),
            Self::Date(..) => of("1970-01-01"),
            Self::Time(..) => of("00:00:00"),
            Self::ZonedTime(..) => of("00:00:00+00"),
            Self::Timestamp(..) => of("1970-01-01 00:00:00"),
            Self::ZonedTimestamp(false, ..) => schema::text("1970-01-01T00:00:00Z"),
            Self::ZonedTimestamp(true, _, schema) => without_zone(of("1970-01-01 00:00:00+00"), schema),
            Self::Interval(_) | Self::Duration(..) => of("00:00:00"),
            Self::Hstore(_) => of(""),
            Self::Point(_) => of("(0,0)"),
            Self::Shape(Shape::Box, _) => of("(0,0),(1,1)"),
            Self::Shape(Shape::Lseg | Shape::Path, _) => of("[(0,0),(1,0)]"),
            Self::Shape(Shape::Polygon, _) => of("((0,0),(1,0),(0,1))"),
            Self::Circle(_) => of("<(0,0),0>"),
            Self::Line(_) => of("{0,1,0}"),
            Self::Ewkb(_) => of("010700000000000000"),
            Self::Vector(_) | Self::Array(..) => Value::Array(Vec::new()),
            Self::SparseVector(_) | Self::Nothing => Value::Null,
        }
    }

    /// What stands for a value that the stream leaves out because the change did not touch it. Null where Debezium has
    /// nothing that fits the schema.
    pub(crate) fn unavailable(&self, placeholder: &[u8]) -> Value {
        let text = || Value::String(String::from_utf8_lossy(placeholder).into());
        match self {
            Self::Text | Self::Decimal(DecimalMode::String, _) | Self::AnyDecimal(DecimalMode::String, _) => text(),
            Self::Binary(BinaryMode::Hex) => text(),
            Self::Binary(BinaryMode::Bytes) => Value::Bytes(Bytes::copy_from_slice(placeholder)),
            Self::Hstore(mode) => {
                let text = String::from_utf8_lossy(placeholder).into_owned();
                hstore_value(&[(text.clone(), Some(text))], *mode)
            }
            Self::Array(element, ..) => match &**element {
                Self::Int32 | Self::Date(Unit::Millis, _) => {
                    Value::Array(placeholder.iter().map(|byte| Value::Int32(i32::from(byte.cast_signed()))).collect())
                }
                Self::Int64 => {
                    Value::Array(placeholder.iter().map(|byte| Value::Int64(i64::from(byte.cast_signed()))).collect())
                }
                Self::Text => Value::Array(vec![text()]),
                Self::Binary(BinaryMode::Bytes) => {
                    Value::Array(vec![Value::Bytes(Bytes::copy_from_slice(placeholder))])
                }
                _ => Value::Null,
            },
            _ => Value::Null,
        }
    }
}

/// The struct of a time that does not tell its zone.
fn without_zone(value: Value, schema: &Arc<Schema>) -> Value {
    let (Value::Struct(time), Some(place)) = (&value, schema.index_of("zoneId")) else { return value };
    let mut values = time.values().to_vec();
    values[place] = Value::Null;
    structure(schema, values)
}

fn structure(schema: &Arc<Schema>, values: Vec<Value>) -> Value {
    Value::Struct(Struct::new(schema.clone(), values))
}

fn fixed_decimal(text: &str, mode: DecimalMode, scale: i32) -> Option<Value> {
    match (special_decimal(text), mode) {
        (Some((_, double)), DecimalMode::Double) => return Some(Value::Float64(double)),
        (Some((name, _)), DecimalMode::String) => return Some(schema::text(name)),
        (Some(_), DecimalMode::Precise) => return None,
        (None, _) => {}
    }
    let decimal = Decimal::parse(text)?.with_scale(scale)?;
    Some(match mode {
        DecimalMode::Precise => Value::Bytes(decimal.unscaled()),
        DecimalMode::Double => Value::Float64(decimal.to_f64()),
        DecimalMode::String => Value::String(decimal.to_plain_string().into()),
    })
}

fn any_decimal(text: &str, mode: DecimalMode, schema: &Arc<Schema>) -> Option<Value> {
    match mode {
        DecimalMode::Precise => {
            let decimal = Decimal::parse(text)?.without_trailing_zeros();
            Some(structure(schema, vec![Value::Int32(decimal.scale()), Value::Bytes(decimal.unscaled())]))
        }
        // Nothing is rounded or filled up: the number keeps the scale that it has.
        DecimalMode::Double | DecimalMode::String => {
            let scale = Decimal::parse(text).map_or(0, |decimal| decimal.scale());
            fixed_decimal(text, mode, scale)
        }
    }
}

/// Numbers that are none: their names in events, and as doubles.
fn special_decimal(text: &str) -> Option<(&'static str, f64)> {
    match text {
        "NaN" => Some(("NAN", f64::NAN)),
        "Infinity" => Some(("POSITIVE_INFINITY", f64::INFINITY)),
        "-Infinity" => Some(("NEGATIVE_INFINITY", f64::NEG_INFINITY)),
        _ => None,
    }
}

/// `-$1,234.56`: whatever the currency, digits and a point are the amount.
fn money(text: &str, mode: DecimalMode, digits: i32) -> Option<Value> {
    let negative = text.starts_with(['-', '(']);
    let amount: String = text.chars().filter(|character| character.is_ascii_digit() || *character == '.').collect();
    let amount = if negative { format!("-{amount}") } else { amount };
    match mode {
        DecimalMode::Precise => Some(Value::Bytes(Decimal::parse(&amount)?.rounded(digits)?.unscaled())),
        DecimalMode::Double => Some(Value::Float64(amount.parse().ok()?)),
        DecimalMode::String => Some(Value::String(Decimal::parse(&amount)?.to_plain_string().into())),
    }
}

fn binary(bytes: Vec<u8>, mode: BinaryMode) -> Value {
    match mode {
        BinaryMode::Bytes => Value::Bytes(bytes.into()),
        BinaryMode::Base64 => Value::String(base64::encode(&bytes).into()),
        BinaryMode::Base64UrlSafe => Value::String(base64::encode_url_safe(&bytes).into()),
        BinaryMode::Hex => Value::String(to_hex(&bytes).into()),
    }
}

fn hstore_value(pairs: &[(String, Option<String>)], mode: HstoreMode) -> Value {
    match mode {
        HstoreMode::Json => Value::String(hstore::to_json(pairs).into()),
        HstoreMode::Map => {
            let value = |value: &Option<String>| value.as_deref().map(schema::text).unwrap_or_default();
            Value::Map(pairs.iter().map(|(name, found)| (schema::text(name), value(found))).collect())
        }
    }
}

fn point(place: geometry::Place, schema: &Arc<Schema>) -> Value {
    let wkb = Value::Bytes(geometry::point(place));
    structure(schema, vec![Value::Float64(place.0), Value::Float64(place.1), wkb])
}

fn shape_value(text: &str, shape: Shape, schema: &Arc<Schema>) -> Option<Value> {
    let places = geometry::places(text)?;
    let pair = |name, value: &str| (schema::text(name), schema::text(value));
    let (wkb, extensions) = match (shape, &places[..]) {
        (Shape::Box, [(x1, y1), (x2, y2)]) => {
            let ring = [(*x1, *y1), (*x1, *y2), (*x2, *y2), (*x2, *y1), (*x1, *y1)];
            (geometry::polygon(&ring), vec![pair("type", "box")])
        }
        (Shape::Lseg, [_, _]) => (geometry::line_string(&places), vec![pair("type", "lseg")]),
        (Shape::Path, _) => {
            let closed = if text.starts_with('[') { "false" } else { "true" };
            (geometry::line_string(&places), vec![pair("type", "path"), pair("closed", closed)])
        }
        (Shape::Polygon, _) => (geometry::polygon(&geometry::closed(places)), vec![pair("type", "polygon")]),
        _ => return None,
    };
    Some(structure(schema, vec![Value::Bytes(wkb), Value::Null, Value::Map(extensions)]))
}

fn vector(text: &str, double: bool) -> Option<Value> {
    let body = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let number = |part: &str| -> Option<Value> {
        Some(if double { Value::Float64(part.trim().parse().ok()?) } else { Value::Float32(part.trim().parse().ok()?) })
    };
    body.split(',').map(number).collect::<Option<Vec<_>>>().map(Value::Array)
}

fn sparse_vector(text: &str, schema: &Arc<Schema>) -> Option<Value> {
    let (body, dimensions) = text.trim().split_once('/')?;
    let dimensions = Value::Int16(dimensions.trim().parse().ok()?);
    let body = body.trim().strip_prefix('{')?.strip_suffix('}')?;
    let pair = |part: &str| -> Option<(Value, Value)> {
        let (place, value) = part.split_once(':')?;
        Some((Value::Int16(place.trim().parse().ok()?), Value::Float64(value.trim().parse().ok()?)))
    };
    let elements = body.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect::<Option<Vec<_>>>()?;
    Some(structure(schema, vec![dimensions, Value::Map(elements)]))
}

/// Whether a value is what a schema says, as far as its kind goes: what is not would be refused by Connect.
pub(crate) fn fits(value: &Value, schema: &Schema) -> bool {
    matches!(
        (value, &schema.kind),
        (Value::Null, _)
            | (Value::Int8(_), SchemaType::Int8)
            | (Value::Int16(_), SchemaType::Int16)
            | (Value::Int32(_), SchemaType::Int32)
            | (Value::Int64(_), SchemaType::Int64)
            | (Value::Float32(_), SchemaType::Float32)
            | (Value::Float64(_), SchemaType::Float64)
            | (Value::Boolean(_), SchemaType::Boolean)
            | (Value::String(_), SchemaType::String)
            | (Value::Bytes(_), SchemaType::Bytes)
            | (Value::Array(_), SchemaType::Array(_))
            | (Value::Map(_), SchemaType::Map(..))
            | (Value::Struct(_), SchemaType::Struct(_))
    )
}
