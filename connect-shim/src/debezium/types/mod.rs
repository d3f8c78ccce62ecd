//! What becomes of each of PostgreSQL's types: its schema, and its values from the texts that the server sends.

mod array;
mod binary;
mod calendar;
mod converter;
mod decimal;
mod default_value;
#[cfg(test)]
mod every_type;
mod geometry;
mod hstore;
mod interval;
mod mapping;
pub(crate) mod schema;
mod temporal;

pub(crate) use binary::{BinaryMode, to_hex};
pub(crate) use converter::Converter;
pub(crate) use default_value::parse_default;
pub(crate) use mapping::field_type;
pub(crate) use temporal::{TimePrecisionMode, iso_micros};

/// Where a value was read, which Debezium's drivers make a difference of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// By a query.
    Snapshot,
    /// From the stream.
    Stream,
}

/// How decimals are shown (`decimal.handling.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum DecimalMode {
    /// As they are.
    #[default]
    Precise,
    /// As the nearest double.
    Double,
    /// As text.
    String,
}

/// How intervals are shown (`interval.handling.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum IntervalMode {
    /// In microseconds.
    #[default]
    Numeric,
    /// As text in ISO 8601.
    String,
}

/// How `hstore` is shown (`hstore.handling.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum HstoreMode {
    /// As the text of a JSON object.
    #[default]
    Json,
    /// As a map.
    Map,
}

/// How values are shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConversionOptions {
    /// Decimals.
    pub(crate) decimal: DecimalMode,
    /// Dates and times.
    pub(crate) time: TimePrecisionMode,
    /// Bytes.
    pub(crate) binary: BinaryMode,
    /// Intervals.
    pub(crate) interval: IntervalMode,
    /// Texts by name.
    pub(crate) hstore: HstoreMode,
    /// Whether types that are not known are shown as bytes.
    pub(crate) include_unknown: bool,
    /// How many digits of `money` stand behind the point.
    pub(crate) money_fraction_digits: i32,
    /// What stands for a value that the stream leaves out (`unavailable.value.placeholder`).
    pub(crate) placeholder: Vec<u8>,
}
