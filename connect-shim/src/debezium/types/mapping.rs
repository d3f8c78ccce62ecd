//! Which schema and which converter a column's type has.

use std::sync::Arc;

use super::converter::{Converter, Shape};
use super::schema::{self, array, logical};
use super::temporal::{
    self, date_schema, duration_schema, time_schema, timestamp_schema, zoned_time_schema, zoned_timestamp_schema,
};
use super::{BinaryMode, ConversionOptions, DecimalMode, HstoreMode, IntervalMode};
use crate::data::{Schema, SchemaType};
use crate::debezium::relational::{ANY_NUMERIC, Column, oid};
use crate::postgres::TypeRegistry;

/// The schema, neither optional nor with a default, and the converter of a column; `None` if Debezium leaves out columns of
/// its type.
pub(crate) fn field_type(
    column: &Column,
    types: &TypeRegistry,
    options: &ConversionOptions,
) -> Option<(Schema, Converter)> {
    if is_left_out(column, types) {
        return None;
    }
    built_in(column, options)
        .or_else(|| array_type(column, types, options))
        .or_else(|| extension(column, types, options))
        .or_else(|| {
            options.include_unknown.then(|| (binary_schema(options.binary), Converter::Unknown(options.binary)))
        })
}

/// Arrays of which Debezium knows nothing, even if unknown types are wanted.
fn is_left_out(column: &Column, types: &TypeRegistry) -> bool {
    let of = types.get(column.type_oid).and_then(|array| types.root(array.element?));
    of.is_some_and(|element| {
        let unknown = [oid::MONEY, oid::NAME, oid::INTERVAL, oid::VARBIT, oid::XML, oid::POINT, oid::REFCURSOR];
        unknown.contains(&element.oid)
    })
}

fn plain(kind: SchemaType) -> Schema {
    Schema::of(kind)
}

/// With a struct's schema within the converter, as it makes structs.
fn with<C>(schema: Schema, converter: C) -> (Schema, Converter)
where
    C: FnOnce(Arc<Schema>) -> Converter,
{
    let converter = converter(Arc::new(schema.clone()));
    (schema, converter)
}

fn binary_schema(mode: BinaryMode) -> Schema {
    plain(if mode == BinaryMode::Bytes { SchemaType::Bytes } else { SchemaType::String })
}

fn built_in(column: &Column, options: &ConversionOptions) -> Option<(Schema, Converter)> {
    let parts = options.time == temporal::TimePrecisionMode::Structured;
    let text = |name: &str| (logical(SchemaType::String, name), Converter::Text);
    let precision = column.scale;
    Some(match column.type_oid {
        oid::BOOL => (plain(SchemaType::Boolean), Converter::Boolean),
        oid::BIT | oid::VARBIT if column.length > 1 => (schema::bits(column.length), Converter::Bits),
        oid::BIT | oid::VARBIT => (plain(SchemaType::Boolean), Converter::Bit),
        oid::INT2 => (plain(SchemaType::Int16), Converter::Int16),
        oid::INT4 => (plain(SchemaType::Int32), Converter::Int32),
        oid::INT8 | oid::OID => (plain(SchemaType::Int64), Converter::Int64),
        oid::FLOAT4 => (plain(SchemaType::Float32), Converter::Float32),
        oid::FLOAT8 => (plain(SchemaType::Float64), Converter::Float64),
        oid::NUMERIC => numeric(column, options.decimal),
        oid::MONEY => {
            let digits = options.money_fraction_digits;
            let schema = match options.decimal {
                DecimalMode::Precise => schema::decimal(digits, None),
                DecimalMode::Double => plain(SchemaType::Float64),
                DecimalMode::String => plain(SchemaType::String),
            };
            (schema, Converter::Money(options.decimal, digits))
        }
        oid::NAME if !options.include_unknown => (plain(SchemaType::String), Converter::SnapshotText),
        oid::CHAR | oid::NAME | oid::TEXT | oid::BPCHAR | oid::VARCHAR => (plain(SchemaType::String), Converter::Text),
        oid::INET | oid::CIDR | oid::MACADDR | oid::MACADDR8 => (plain(SchemaType::String), Converter::Text),
        oid::INT4RANGE | oid::NUMRANGE | oid::TSRANGE | oid::TSTZRANGE | oid::DATERANGE | oid::INT8RANGE => {
            (plain(SchemaType::String), Converter::Text)
        }
        oid::JSON | oid::JSONB => text("io.debezium.data.Json"),
        oid::UUID => text("io.debezium.data.Uuid"),
        oid::XML => text("io.debezium.data.Xml"),
        oid::TSVECTOR => text("io.debezium.data.Tsvector"),
        oid::BYTEA => (binary_schema(options.binary), Converter::Binary(options.binary)),
        oid::DATE => {
            let unit = options.time.date();
            with(date_schema(unit), |schema| Converter::Date(unit, schema))
        }
        oid::TIME => {
            let unit = options.time.time(precision);
            with(time_schema(unit), |schema| Converter::Time(unit, precision, schema))
        }
        oid::TIMESTAMP => {
            let unit = options.time.timestamp(precision);
            with(timestamp_schema(unit), |schema| Converter::Timestamp(unit, precision, schema))
        }
        oid::TIMETZ => with(zoned_time_schema(parts), |schema| Converter::ZonedTime(parts, precision, schema)),
        oid::TIMESTAMPTZ => {
            with(zoned_timestamp_schema(parts), |schema| Converter::ZonedTimestamp(parts, precision, schema))
        }
        oid::INTERVAL if parts => with(duration_schema(), |schema| Converter::Duration(precision, schema)),
        oid::INTERVAL => match options.interval {
            IntervalMode::Numeric => (
                logical(SchemaType::Int64, "io.debezium.time.MicroDuration"),
                Converter::Interval(IntervalMode::Numeric),
            ),
            IntervalMode::String => {
                (logical(SchemaType::String, "io.debezium.time.Interval"), Converter::Interval(IntervalMode::String))
            }
        },
        oid::POINT => with(schema::point(), Converter::Point),
        oid::BOX => with(schema::geometry(false), |schema| Converter::Shape(Shape::Box, schema)),
        oid::LSEG => with(schema::geometry(false), |schema| Converter::Shape(Shape::Lseg, schema)),
        oid::PATH => with(schema::geometry(false), |schema| Converter::Shape(Shape::Path, schema)),
        oid::POLYGON => with(schema::geometry(false), |schema| Converter::Shape(Shape::Polygon, schema)),
        oid::CIRCLE => with(schema::circle(), Converter::Circle),
        oid::LINE => with(schema::line(), Converter::Line),
        _ => return None,
    })
}

fn numeric(column: &Column, mode: DecimalMode) -> (Schema, Converter) {
    let any_scale = matches!(column.length, 0 | ANY_NUMERIC) && column.scale == 0;
    let schema = match mode {
        DecimalMode::Precise if any_scale => schema::variable_scale_decimal(),
        DecimalMode::Precise => schema::decimal(column.scale, Some(column.length)),
        DecimalMode::Double => plain(SchemaType::Float64),
        DecimalMode::String => plain(SchemaType::String),
    };
    if any_scale {
        return with(schema, |schema| Converter::AnyDecimal(mode, schema));
    }
    (schema, Converter::Decimal(mode, column.scale))
}

/// Types that extensions bring, and those that users make.
fn extension(column: &Column, types: &TypeRegistry, options: &ConversionOptions) -> Option<(Schema, Converter)> {
    let found = types.get(column.type_oid)?;
    if let Some(values) = &found.enum_values {
        return Some((schema::enumeration(values), Converter::Text));
    }
    Some(match &*found.name {
        "citext" | "isbn" => (plain(SchemaType::String), Converter::Text),
        "ltree" => (logical(SchemaType::String, "io.debezium.data.Ltree"), Converter::Text),
        "hstore" => match options.hstore {
            HstoreMode::Json => {
                (logical(SchemaType::String, "io.debezium.data.Json"), Converter::Hstore(HstoreMode::Json))
            }
            HstoreMode::Map => (schema::text_map(), Converter::Hstore(HstoreMode::Map)),
        },
        "geometry" => with(schema::geometry(false), Converter::Ewkb),
        "geography" => with(schema::geometry(true), Converter::Ewkb),
        "vector" => {
            let schema = array(plain(SchemaType::Float64)).named("io.debezium.data.DoubleVector").versioned(1);
            (schema, Converter::Vector(true))
        }
        "halfvec" => {
            let schema = array(plain(SchemaType::Float32)).named("io.debezium.data.FloatVector").versioned(1);
            (schema, Converter::Vector(false))
        }
        "sparsevec" => with(schema::sparse_vector(), Converter::SparseVector),
        _ => return None,
    })
}

fn array_type(column: &Column, types: &TypeRegistry, options: &ConversionOptions) -> Option<(Schema, Converter)> {
    let element_oid = types.get(column.type_oid)?.element?;
    let root = types.root(element_oid)?;
    match root.oid {
        // It has a schema for these that its values do not fit.
        oid::BIT if column.length > 1 => return Some((schema::bits(column.length), Converter::Nothing)),
        oid::BIT => return Some((plain(SchemaType::Boolean), Converter::Nothing)),
        _ => {}
    }
    if types.get(element_oid).is_some_and(|element| element.base.is_some()) {
        // It does not know elements of a domain.
        let unknown = Converter::Array(Box::new(Converter::Unknown(options.binary)), ',', false);
        return options.include_unknown.then(|| (array(binary_schema(options.binary)), unknown));
    }
    let element = Column { type_oid: root.oid, optional: true, ..column.clone() };
    let (schema, converter) = field_type(&element, types, options)?;
    let is_vector = matches!(column.type_oid, oid::INT2VECTOR | oid::OIDVECTOR);
    let known = !is_vector
        && matches!(
            root.oid,
            oid::INT2
                | oid::INT4
                | oid::INT8
                | oid::OID
                | oid::CHAR
                | oid::VARCHAR
                | oid::TEXT
                | oid::BPCHAR
                | oid::INET
                | oid::CIDR
                | oid::MACADDR
                | oid::MACADDR8
                | oid::TSRANGE
                | oid::TSTZRANGE
                | oid::DATERANGE
                | oid::INT4RANGE
                | oid::NUMRANGE
                | oid::INT8RANGE
                | oid::NUMERIC
                | oid::FLOAT4
                | oid::FLOAT8
                | oid::BOOL
                | oid::DATE
                | oid::UUID
                | oid::JSON
                | oid::JSONB
                | oid::TIME
                | oid::TIMETZ
                | oid::TIMESTAMP
                | oid::TIMESTAMPTZ
                | oid::BYTEA
        )
        || matches!(&*root.name, "geometry" | "geography" | "citext" | "hstore" | "ltree");
    let separator = if root.oid == oid::BOX { ';' } else { ',' };
    // Of these it knows the schema, but not what its driver makes of elements.
    let shapes = [oid::BOX, oid::LSEG, oid::PATH, oid::POLYGON, oid::CIRCLE, oid::LINE];
    let converter = if shapes.contains(&root.oid) { Converter::Nothing } else { converter };
    let schema = if known { schema.optional() } else { schema };
    Some((array(schema), Converter::Array(Box::new(converter), separator, known)))
}
