//! Dates and times in each of `time.precision.mode`'s ways.

use std::sync::Arc;

use super::calendar::{
    Civil, DAY_MICROS, Day, Extended, Moment, parse_date, parse_time, parse_time_tz, parse_timestamp, write_time,
};
use super::interval::Interval;
use super::schema::{logical, structured};
use super::{Origin, schema};
use crate::data::{Schema, SchemaType, Struct, Value};

/// How dates and times are shown (`time.precision.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TimePrecisionMode {
    /// In the unit that the column's precision needs.
    #[default]
    Adaptive,
    /// The same, but times of day always in microseconds.
    AdaptiveTimeMicroseconds,
    /// As texts in ISO 8601.
    IsoString,
    /// As structs of their parts.
    Structured,
    /// In microseconds.
    Microseconds,
    /// In nanoseconds.
    Nanoseconds,
    /// As Connect's own logical types, in milliseconds.
    Connect,
}

/// What a time is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
    /// Milliseconds, as Connect's logical type.
    ConnectMillis,
    /// Text.
    Iso,
    /// Its parts.
    Parts,
}

// What the driver makes of dates and times that are before or after all others.
const SNAPSHOT_DATE_INFINITY: i64 = 106_751_991_166;
const SNAPSHOT_DATE_NEGATIVE_INFINITY: i64 = 106_748_361_128;
const STREAM_DATE_INFINITY: i64 = -2_148_933_317;
const STREAM_DATE_NEGATIVE_INFINITY: i64 = -2_147_472_691;
const TIMESTAMP_INFINITY_MILLIS: i64 = 9_223_372_036_825_200_000;
const TIMESTAMP_NEGATIVE_INFINITY_MILLIS: i64 = -9_223_372_036_832_400_000;

impl TimePrecisionMode {
    /// How dates are shown.
    pub(crate) fn date(self) -> Unit {
        match self {
            Self::IsoString => Unit::Iso,
            Self::Structured => Unit::Parts,
            Self::Connect => Unit::ConnectMillis,
            _ => Unit::Millis,
        }
    }

    /// How times of day of a precision are shown.
    pub(crate) fn time(self, precision: i32) -> Unit {
        match self {
            Self::AdaptiveTimeMicroseconds => Unit::Micros,
            other => other.timestamp(precision),
        }
    }

    /// How times without zone of a precision are shown.
    pub(crate) fn timestamp(self, precision: i32) -> Unit {
        match self {
            Self::Adaptive | Self::AdaptiveTimeMicroseconds if precision <= 3 => Unit::Millis,
            Self::Adaptive | Self::AdaptiveTimeMicroseconds | Self::Microseconds => Unit::Micros,
            Self::IsoString => Unit::Iso,
            Self::Structured => Unit::Parts,
            Self::Nanoseconds => Unit::Nanos,
            Self::Connect => Unit::ConnectMillis,
        }
    }
}

const YEAR: (&str, SchemaType) = ("year", SchemaType::Int32);
const MONTH: (&str, SchemaType) = ("month", SchemaType::Int8);
const DAY: (&str, SchemaType) = ("day", SchemaType::Int8);
const HOUR: (&str, SchemaType) = ("hour", SchemaType::Int8);
const MINUTE: (&str, SchemaType) = ("minute", SchemaType::Int8);
const SECOND: (&str, SchemaType) = ("second", SchemaType::Int8);
const NANOS: (&str, SchemaType) = ("nanos", SchemaType::Int32);
const OFFSET_SECONDS: (&str, SchemaType) = ("offsetSeconds", SchemaType::Int32);
const ZONE_ID: (&str, SchemaType) = ("zoneId", SchemaType::String);
const SPECIAL_VALUE: (&str, SchemaType) = ("specialValue", SchemaType::String);
const PRECISION: (&str, SchemaType) = ("precision", SchemaType::Int32);

/// The schema of dates.
pub(crate) fn date_schema(unit: Unit) -> Schema {
    match unit {
        Unit::Iso => logical(SchemaType::String, "io.debezium.time.IsoDate"),
        Unit::ConnectMillis => logical(SchemaType::Int32, "org.apache.kafka.connect.data.Date"),
        Unit::Parts => structured("io.debezium.time.StructuredDate", &[YEAR, MONTH, DAY, SPECIAL_VALUE]),
        Unit::Millis | Unit::Micros | Unit::Nanos => logical(SchemaType::Int32, "io.debezium.time.Date"),
    }
}

/// The schema of times of day.
pub(crate) fn time_schema(unit: Unit) -> Schema {
    match unit {
        Unit::Millis => logical(SchemaType::Int32, "io.debezium.time.Time"),
        Unit::Micros => logical(SchemaType::Int64, "io.debezium.time.MicroTime"),
        Unit::Nanos => logical(SchemaType::Int64, "io.debezium.time.NanoTime"),
        Unit::ConnectMillis => logical(SchemaType::Int32, "org.apache.kafka.connect.data.Time"),
        Unit::Iso => logical(SchemaType::String, "io.debezium.time.IsoTime"),
        Unit::Parts => structured("io.debezium.time.StructuredTime", &[HOUR, MINUTE, SECOND, NANOS, PRECISION]),
    }
}

/// The schema of times without zone.
pub(crate) fn timestamp_schema(unit: Unit) -> Schema {
    match unit {
        Unit::Millis => logical(SchemaType::Int64, "io.debezium.time.Timestamp"),
        Unit::Micros => logical(SchemaType::Int64, "io.debezium.time.MicroTimestamp"),
        Unit::Nanos => logical(SchemaType::Int64, "io.debezium.time.NanoTimestamp"),
        Unit::ConnectMillis => logical(SchemaType::Int64, "org.apache.kafka.connect.data.Timestamp"),
        Unit::Iso => logical(SchemaType::String, "io.debezium.time.IsoTimestamp"),
        Unit::Parts => structured(
            "io.debezium.time.StructuredTimestamp",
            &[YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, NANOS, SPECIAL_VALUE, PRECISION],
        ),
    }
}

/// The schema of times with zone.
pub(crate) fn zoned_timestamp_schema(parts: bool) -> Schema {
    if !parts {
        return logical(SchemaType::String, "io.debezium.time.ZonedTimestamp");
    }
    let parts = [YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, NANOS, OFFSET_SECONDS, ZONE_ID, SPECIAL_VALUE, PRECISION];
    structured("io.debezium.time.StructuredZonedTimestamp", &parts)
}

/// The schema of times of day with zone.
pub(crate) fn zoned_time_schema(parts: bool) -> Schema {
    if !parts {
        return logical(SchemaType::String, "io.debezium.time.ZonedTime");
    }
    let parts = [HOUR, MINUTE, SECOND, NANOS, OFFSET_SECONDS, PRECISION];
    structured("io.debezium.time.StructuredZonedTime", &parts)
}

/// The schema of intervals as structs.
pub(crate) fn duration_schema() -> Schema {
    let parts = [
        ("years", SchemaType::Int32),
        ("months", SchemaType::Int32),
        ("days", SchemaType::Int32),
        ("hours", SchemaType::Int32),
        ("minutes", SchemaType::Int32),
        ("seconds", SchemaType::Int64),
        NANOS,
        PRECISION,
    ];
    structured("io.debezium.time.StructuredDuration", &parts)
}

fn special(text: &str) -> Value {
    schema::text(text)
}

/// The fields of a struct by their names.
fn parts(schema: &Arc<Schema>, values: &[(&str, Value)]) -> Value {
    let place = |name: &str| values.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
    let values = schema.fields().iter().map(|field| place(&field.name).unwrap_or_default()).collect();
    Value::Struct(Struct::new(schema.clone(), values))
}

fn int8(value: i64) -> Value {
    Value::Int8(i8::try_from(value).unwrap_or_default())
}

fn int32(value: i64) -> Value {
    Value::Int32(i32::try_from(value).unwrap_or_default())
}

fn date_parts(civil: Civil) -> [(&'static str, Value); 3] {
    [("year", int32(civil.year)), ("month", int8(civil.month.into())), ("day", int8(civil.day.into()))]
}

fn time_parts(micros: i64) -> [(&'static str, Value); 4] {
    let seconds = micros / 1_000_000;
    [
        ("hour", int8(seconds / 3600)),
        ("minute", int8(seconds / 60 % 60)),
        ("second", int8(seconds % 60)),
        ("nanos", int32(micros % 1_000_000 * 1000)),
    ]
}

/// A date's value.
pub(crate) fn date(text: &str, unit: Unit, schema: &Arc<Schema>, origin: Origin) -> Option<Value> {
    let parsed = parse_date(text)?;
    if unit == Unit::Parts {
        return Some(match parsed {
            Extended::Infinity => parts(schema, &[("specialValue", special("POSITIVE_INFINITY"))]),
            Extended::NegativeInfinity => parts(schema, &[("specialValue", special("NEGATIVE_INFINITY"))]),
            Extended::Finite(civil) => parts(schema, &date_parts(as_read_by(origin, civil))),
        });
    }
    if (parsed, origin, unit) == (Extended::Infinity, Origin::Stream, Unit::Iso) {
        return Some(schema::text("+5877611-06-21Z"));
    }
    let day = match (parsed, origin) {
        (Extended::Finite(civil), origin) => as_read_by(origin, civil).to_day(),
        (Extended::Infinity, Origin::Snapshot) => Day(SNAPSHOT_DATE_INFINITY),
        (Extended::NegativeInfinity, Origin::Snapshot) => Day(SNAPSHOT_DATE_NEGATIVE_INFINITY),
        (Extended::Infinity, Origin::Stream) => Day(STREAM_DATE_INFINITY),
        (Extended::NegativeInfinity, Origin::Stream) => Day(STREAM_DATE_NEGATIVE_INFINITY),
    };
    if unit == Unit::Iso {
        let mut out = String::new();
        day.to_civil().write_iso(&mut out);
        out.push('Z');
        return Some(Value::String(out.into()));
    }
    // Days that do not fit are cut off, as Debezium does it.
    Some(Value::Int32(day.0 as i32))
}

/// A snapshot's dates go through Java's old calendar: it forgets that they are BC, and takes the ten days that the change to
/// Gregory's calendar left out for the ten that came after.
fn as_read_by(origin: Origin, civil: Civil) -> Civil {
    if origin == Origin::Stream {
        return civil;
    }
    let year = if civil.year <= 0 { 1 - civil.year } else { civil.year };
    let left_out = civil.year == 1582 && civil.month == 10 && (5..15).contains(&civil.day);
    Civil { year, month: civil.month, day: if left_out { civil.day + 10 } else { civil.day } }
}

/// A time of day's value.
pub(crate) fn time(text: &str, unit: Unit, precision: i32, schema: &Arc<Schema>) -> Option<Value> {
    let micros = parse_time(text)?;
    // The hour 24 has no place in a struct.
    if unit == Unit::Parts && micros >= DAY_MICROS {
        return None;
    }
    Some(time_of_day(micros, unit, precision, schema))
}

/// A time of day within an array: the driver makes milliseconds of it, and midnight of the day's end.
pub(crate) fn time_in_array(text: &str, unit: Unit, precision: i32, schema: &Arc<Schema>) -> Option<Value> {
    let micros = parse_time(text)? % DAY_MICROS;
    Some(time_of_day(micros / 1000 * 1000, unit, precision, schema))
}

/// A time with zone within an array: the driver forgets that it is BC, and takes the least time of all for one.
pub(crate) fn zoned_timestamp_in_array(text: &str, precision: i32, schema: &Arc<Schema>) -> Option<Value> {
    if text == "-infinity" {
        let fraction = "000000000".get(..usize::try_from(precision).ok()?).filter(|digits| !digits.is_empty());
        let fraction = fraction.map(|digits| format!(".{digits}")).unwrap_or_default();
        return Some(schema::text(&format!("+292269055-12-02T23:00:00{fraction}Z")));
    }
    zoned_timestamp(text.strip_suffix(" BC").unwrap_or(text), false, precision, schema)
}

fn time_of_day(micros: i64, unit: Unit, precision: i32, schema: &Arc<Schema>) -> Value {
    match unit {
        Unit::Millis | Unit::ConnectMillis => Value::Int32(i32::try_from(micros / 1000).unwrap_or_default()),
        Unit::Micros => Value::Int64(micros),
        Unit::Nanos => Value::Int64(micros * 1000),
        Unit::Iso => {
            let mut out = String::new();
            write_time(micros % DAY_MICROS, None, &mut out);
            out.push('Z');
            Value::String(out.into())
        }
        Unit::Parts => {
            let mut values = time_parts(micros % DAY_MICROS).to_vec();
            values.push(("precision", Value::Int32(precision)));
            parts(schema, &values)
        }
    }
}

/// A time of day with its zone, in UTC; a struct keeps its zone.
pub(crate) fn zoned_time(text: &str, as_parts: bool, precision: i32, schema: &Arc<Schema>) -> Option<Value> {
    let (micros, offset) = parse_time_tz(text)?;
    if as_parts {
        let mut values = time_parts(micros).to_vec();
        values.extend([("offsetSeconds", int32(offset)), ("precision", Value::Int32(precision))]);
        return Some(parts(schema, &values));
    }
    if micros == DAY_MICROS && offset == 0 {
        return Some(special("24:00:00Z"));
    }
    let mut out = String::new();
    write_time((micros - offset * 1_000_000).rem_euclid(DAY_MICROS), None, &mut out);
    out.push('Z');
    Some(Value::String(out.into()))
}

/// A time without zone.
pub(crate) fn timestamp(text: &str, unit: Unit, precision: i32, schema: &Arc<Schema>) -> Option<Value> {
    let moment = match parse_timestamp(text, false)? {
        Extended::Finite(moment) => moment,
        Extended::Infinity => return Some(timestamp_infinity(true, unit, precision, schema)),
        Extended::NegativeInfinity => return Some(timestamp_infinity(false, unit, precision, schema)),
    };
    Some(match unit {
        Unit::Millis | Unit::ConnectMillis => Value::Int64(moment.epoch_millis()),
        Unit::Micros => Value::Int64(moment.epoch_micros()),
        Unit::Nanos => Value::Int64(moment.epoch_nanos()?),
        Unit::Iso => Value::String(iso(moment, None).into()),
        Unit::Parts => {
            let mut values = date_parts(moment.day.to_civil()).to_vec();
            values.extend(time_parts(moment.micros));
            values.push(("precision", Value::Int32(precision)));
            parts(schema, &values)
        }
    })
}

fn timestamp_infinity(positive: bool, unit: Unit, precision: i32, schema: &Arc<Schema>) -> Value {
    let millis = if positive { TIMESTAMP_INFINITY_MILLIS } else { TIMESTAMP_NEGATIVE_INFINITY_MILLIS };
    match unit {
        Unit::Millis | Unit::ConnectMillis => Value::Int64(millis),
        Unit::Micros | Unit::Nanos => Value::Int64(if positive { i64::MAX } else { i64::MIN }),
        Unit::Iso => {
            let micros = millis.rem_euclid(86_400_000) * 1000;
            Value::String(iso(Moment { day: Day(millis.div_euclid(86_400_000)), micros }, None).into())
        }
        Unit::Parts => {
            let name = if positive { "POSITIVE_INFINITY" } else { "NEGATIVE_INFINITY" };
            parts(schema, &[("specialValue", special(name)), ("precision", Value::Int32(precision))])
        }
    }
}

/// A time with zone: in UTC, with as many digits as the column has.
pub(crate) fn zoned_timestamp(text: &str, as_parts: bool, precision: i32, schema: &Arc<Schema>) -> Option<Value> {
    let moment = match parse_timestamp(text, true)? {
        Extended::Finite(moment) => moment,
        Extended::Infinity | Extended::NegativeInfinity if !as_parts => return Some(special(text)),
        other => {
            let positive = other == Extended::Infinity;
            return Some(timestamp_infinity(positive, Unit::Parts, precision, schema));
        }
    };
    if as_parts {
        let mut values = date_parts(moment.day.to_civil()).to_vec();
        values.extend(time_parts(moment.micros));
        values.extend([("offsetSeconds", Value::Int32(0)), ("zoneId", schema::text("Z"))]);
        values.push(("precision", Value::Int32(precision)));
        return Some(parts(schema, &values));
    }
    let width = usize::try_from(precision).ok().filter(|width| (1..=9).contains(width));
    Some(Value::String(iso(moment, width).into()))
}

fn iso(moment: Moment, fraction_digits: Option<usize>) -> String {
    let mut out = String::with_capacity(32);
    moment.day.to_civil().write_iso(&mut out);
    out.push('T');
    write_time(moment.micros, fraction_digits, &mut out);
    out.push('Z');
    out
}

/// A moment in microseconds since 1970, as text.
pub(crate) fn iso_micros(micros: i64) -> String {
    iso(Moment { day: Day(micros.div_euclid(DAY_MICROS)), micros: micros.rem_euclid(DAY_MICROS) }, Some(6))
}

/// An interval as a struct.
pub(crate) fn duration(interval: Interval, precision: i32, schema: &Arc<Schema>) -> Value {
    let values = [
        ("years", int32(interval.years)),
        ("months", int32(interval.months)),
        ("days", int32(interval.days)),
        ("hours", int32(interval.hours)),
        ("minutes", int32(interval.minutes)),
        ("seconds", Value::Int64(interval.micros / 1_000_000)),
        ("nanos", int32(interval.micros % 1_000_000 * 1000)),
        ("precision", Value::Int32(precision)),
    ];
    parts(schema, &values)
}
