//! Debezium's `TimezoneConverter`: the times of events moved into a time zone.

use std::collections::{HashMap, HashSet};

use regex::Regex;

use super::Transformation;
use super::extract_new_record_state::is_envelope;
use super::operating::Side;
use crate::connector_config::{ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, Properties, Width};
use crate::data::{DataError, Field, SourceRecord, Struct, Value, logical};
use crate::java::offset_time::{OffsetDateTime, OffsetTime};
use crate::java::time_zone::TimeZone;
use crate::runtime::now_ms;

struct TimezoneConverter {
    /// The zone, or why there is none: that is found out only when a time is to be moved.
    zone: Result<TimeZone, String>,
    choice: Choice,
    rules: Rules,
}

/// What the rules are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// There are none.
    All,
    /// `include.list`.
    Included,
    /// `exclude.list`.
    Excluded,
}

/// The fields of each topic or table; none are all of them.
#[derive(Debug, Default)]
struct Rules {
    of_topics: HashMap<String, HashSet<String>>,
    of_tables: HashMap<String, HashSet<String>>,
    /// Those that do not say which of both they are for.
    of_either: HashMap<String, HashSet<String>>,
}

/// Which fields of a struct are moved.
#[derive(Debug, Clone, Copy)]
enum Fields<'r> {
    All,
    Only(&'r HashSet<String>),
    AllBut(&'r HashSet<String>),
}

impl Transformation for TimezoneConverter {
    fn apply(&mut self, mut record: SourceRecord) -> Result<Option<SourceRecord>, DataError> {
        if record.value.is_null() || !is_envelope(record.value_schema.as_deref()) {
            return Ok(Some(record));
        }
        let envelope = Side::Value.take_struct(&mut record, "time zone conversion")?;
        let table = table_of(&envelope)?.map(str::to_owned);
        let fields = self.fields(table.as_deref(), &record.topic);
        let moved = match fields {
            Some(fields) => self.envelope(envelope, fields)?,
            None => envelope,
        };
        record.value = Value::Struct(moved);
        Ok(Some(record))
    }
}

impl TimezoneConverter {
    /// Which fields of an event are moved; `None` if none are.
    fn fields(&self, table: Option<&str>, topic: &str) -> Option<Fields<'_>> {
        match (self.choice, self.rules.of(table, topic)) {
            (Choice::All, _) | (Choice::Excluded, None) => Some(Fields::All),
            (Choice::Included, None) => None,
            (Choice::Included, Some(all)) if all.is_empty() => Some(Fields::All),
            (Choice::Included, Some(some)) => Some(Fields::Only(some)),
            (Choice::Excluded, Some(all)) if all.is_empty() => None,
            (Choice::Excluded, Some(some)) => Some(Fields::AllBut(some)),
        }
    }

    fn envelope(&self, envelope: Struct, fields: Fields<'_>) -> Result<Struct, DataError> {
        let schema = envelope.schema().clone();
        let mut values = envelope.into_values();
        for (field, value) in schema.fields().iter().zip(&mut values) {
            let is_row = matches!(&*field.name, "before" | "after");
            // The source is left alone unless a rule names one of its fields.
            if is_row || &*field.name == "source" && fields.name_any_of("source") {
                *value = match std::mem::take(value) {
                    Value::Struct(part) => Value::Struct(self.part(part, &field.name, fields)?),
                    other => other,
                };
            }
        }
        Ok(Struct::new(schema, values))
    }

    /// A row, or the source.
    fn part(&self, part: Struct, name: &str, fields: Fields<'_>) -> Result<Struct, DataError> {
        let schema = part.schema().clone();
        let mut values = part.into_values();
        for (field, value) in schema.fields().iter().zip(&mut values) {
            if fields.contain(name, &field.name) && !value.or_default(&field.schema).is_null() {
                self.convert(name, field, value)?;
            }
        }
        Ok(Struct::new(schema, values))
    }

    fn convert(&self, part: &str, field: &Field, value: &mut Value) -> Result<(), DataError> {
        let epoch = part == "source" && matches!(&*field.name, "ts_ms" | "ts_us" | "ts_ns");
        let current = value.or_default(&field.schema);
        let moved = match (field.schema.name.as_deref(), current) {
            (Some("io.debezium.time.ZonedTimestamp"), Value::String(text)) => {
                let moment = OffsetDateTime::parse(text).ok_or_else(|| unreadable(text))?;
                let offset = self.zone()?.offset_of_local(moment.local_seconds());
                written(|out| moment.with_offset(offset).write(out))
            }
            (Some("io.debezium.time.ZonedTime"), Value::String(text)) => {
                let time = OffsetTime::parse(text).ok_or_else(|| unreadable(text))?;
                // A time of no day has the offset of today.
                let offset = self.zone()?.offset_at(now_ms().div_euclid(1000));
                written(|out| time.with_offset(offset).write(out))
            }
            (Some("io.debezium.time.MicroTimestamp"), Value::Int64(time)) => self.as_local(*time, 1_000_000)?,
            (Some("io.debezium.time.NanoTimestamp"), Value::Int64(time)) => self.as_local(*time, 1_000_000_000)?,
            (Some("io.debezium.time.Timestamp" | logical::TIMESTAMP), Value::Int64(time)) => {
                let local = time.div_euclid(1000);
                let moved = time.checked_sub(i64::from(self.zone()?.offset_of_local(local)) * 1000);
                Value::Int64(moved.ok_or_else(|| DataError::new("long overflow"))?)
            }
            (None, Value::Int64(time)) if epoch => {
                let unit = match &*field.name {
                    "ts_ms" => 1000,
                    "ts_us" => 1_000_000,
                    _ => 1_000_000_000,
                };
                Value::Int64(time.wrapping_add(i64::from(self.zone()?.offset_at(time.div_euclid(unit))) * unit))
            }
            (None, _) if epoch => return Err(DataError::new("Epoch field value should be a java.lang.Long")),
            _ => return Ok(()),
        };
        *value = moved;
        Ok(())
    }

    /// A local time, counted as if it were in UTC, as one of the zone. What is too much for 64 bits goes around, as in Java.
    fn as_local(&self, time: i64, unit: i64) -> Result<Value, DataError> {
        let (local, fraction) = (time.div_euclid(unit), time.rem_euclid(unit));
        let seconds = local - i64::from(self.zone()?.offset_of_local(local));
        Ok(Value::Int64(seconds.wrapping_mul(unit).wrapping_add(fraction)))
    }

    fn zone(&self) -> Result<&TimeZone, DataError> {
        self.zone.as_ref().map_err(DataError::new)
    }
}

impl Rules {
    /// Rules as they are written: a prefix holds for those behind it that have none.
    fn new(items: &[String]) -> Self {
        let mut rules = Self::default();
        let mut prefix = "";
        for item in items {
            let parts: Vec<&str> = item.split(':').collect();
            let is_prefix = |word: &str| word.eq_ignore_ascii_case("source") || word.eq_ignore_ascii_case("topic");
            let (name, field) = match parts[..] {
                [word, name, ref rest @ ..] if is_prefix(word) => {
                    prefix = word;
                    (name, rest.first())
                }
                [name, ref rest @ ..] => (name, rest.first()),
                [] => continue,
            };
            let known = match prefix {
                "topic" => &mut rules.of_topics,
                "source" => &mut rules.of_tables,
                _ => &mut rules.of_either,
            };
            known.entry(name.to_owned()).or_default().extend(field.map(|field| (*field).to_owned()));
        }
        rules
    }

    fn of(&self, table: Option<&str>, topic: &str) -> Option<&HashSet<String>> {
        let of_table = table.and_then(|table| self.of_tables.get(table));
        let of_either = table.and_then(|table| self.of_either.get(table));
        self.of_topics.get(topic).or(of_table).or_else(|| self.of_either.get(topic)).or(of_either)
    }
}

impl Fields<'_> {
    /// Whether a field of a part of the envelope is among them. Those of a rule may say of which part they are, otherwise they
    /// are of the rows.
    fn contain(self, part: &str, field: &str) -> bool {
        let names = |rule: &HashSet<String>| {
            rule.iter().any(|one| match one.split_once('.') {
                Some((prefix @ ("source" | "before" | "after"), rest)) => prefix == part && rest == field,
                _ => part != "source" && one == field,
            })
        };
        match self {
            Self::All => true,
            Self::Only(rule) => names(rule),
            Self::AllBut(rule) => !names(rule),
        }
    }

    fn name_any_of(self, part: &str) -> bool {
        match self {
            Self::All => false,
            Self::Only(rule) | Self::AllBut(rule) => {
                rule.iter().any(|one| one.strip_prefix(part).is_some_and(|rest| rest.starts_with('.')))
            }
        }
    }
}

fn unreadable(text: &str) -> DataError {
    DataError::new(format!("Text '{text}' could not be parsed"))
}

fn written(write: impl FnOnce(&mut String)) -> Value {
    let mut out = String::with_capacity(40);
    write(&mut out);
    Value::String(out.into())
}

fn table_of(envelope: &Struct) -> Result<Option<&str>, DataError> {
    match envelope.get("source") {
        Some(Value::Struct(source)) => Ok(source.get_or_default("table").and_then(Value::as_str)),
        Some(Value::Null) => Err(DataError::new("The event has no source")),
        _ => Ok(None),
    }
}

pub(super) fn config_def() -> ConfigDef {
    let key = |name, kind, doc: &'static str, display| {
        ConfigKey::new(name, kind, Importance::High, doc).optional().display(1, Width::Medium, display)
    };
    let zone = "The time zone into which times are moved: a name such as America/Los_Angeles, or an offset from UTC such as \
                +08:00.";
    let include = "Which events and fields of them are moved, between commas: source:TABLE, source:TABLE:FIELD, topic:TOPIC, \
                   topic:TOPIC:FIELD, or NAME:FIELD for a table or a topic of that name. Without a field all times are.";
    let exclude = "Which events and fields of them are left as they are, written as in include.list.";
    ConfigDef::new()
        .define(key("converted.timezone", ConfigType::String, zone, "Converted Timezone"))
        .define(key("include.list", ConfigType::List, include, "Include List"))
        .define(key("exclude.list", ConfigType::List, exclude, "Exclude List"))
}

pub(super) fn create(properties: &Properties) -> Result<Box<dyn Transformation>, ConfigError> {
    let refused = |name: &str, why: &str| {
        let value = properties.value(name).unwrap_or("null");
        ConfigError::value(name, value, &format!("The '{name}' value is invalid: {why}"))
    };
    let zone = properties.value("converted.timezone").filter(|zone| !zone.trim().is_empty());
    let zone = zone.ok_or_else(|| refused("converted.timezone", "A value is required"))?;
    let (included, excluded) = (items(properties, "include.list"), items(properties, "exclude.list"));
    for (name, rules) in [("include.list", &included), ("exclude.list", &excluded)] {
        if let Some(error) = rules.iter().find_map(|rule| crate::java::regex::compile(rule).err()) {
            let why = format!("A comma-separated list of valid regular expressions is expected, but {error}");
            return Err(refused(name, &why));
        }
    }
    if !included.is_empty() {
        check("include", &included)?;
    } else if !excluded.is_empty() {
        check("exclude", &excluded)?;
    }
    if !TimeZone::is_available(zone) {
        return Err(ConfigError::new(
            "Invalid timezone format. Please specify either a geographic timezone (e.g. America/Los_Angeles) or a UTC offset in \
             the format of +/-hh:mm, (e.g. +08:00).",
        ));
    }
    let (choice, rules) = match (included.is_empty(), excluded.is_empty()) {
        (true, true) => (Choice::All, Rules::default()),
        (false, true) => (Choice::Included, Rules::new(&included)),
        (true, false) => (Choice::Excluded, Rules::new(&excluded)),
        (false, false) => {
            return Err(ConfigError::new("Both include and exclude lists are specified. Please specify only one."));
        }
    };
    Ok(Box::new(TimezoneConverter { zone: TimeZone::of(zone), choice, rules }))
}

/// What stands between commas. As Java splits, empty items at the end are none.
fn items(properties: &Properties, name: &str) -> Vec<String> {
    let Some(text) = properties.value(name) else {
        return Vec::new();
    };
    let mut items: Vec<&str> = text.split(',').collect();
    while items.len() > 1 && items.last().is_some_and(|item| item.is_empty()) {
        items.pop();
    }
    if text.contains(',') && items == [""] {
        items.clear();
    }
    items.into_iter().map(|item| item.trim().to_owned()).collect()
}

/// Whether rules are written as they must be: all but the first can do without a prefix only.
fn check(list: &str, rules: &[String]) -> Result<(), ConfigError> {
    const NAME: &str = r#"[".0-9A-Za-z_ \t\n\x0B\x0C\r]+"#;
    let pattern = Regex::new(&format!(r"^\[(source|topic|{NAME}):({NAME}(?::{NAME})?(?:,|\]$))+$"));
    let as_java_prints = format!("[{}]", rules.join(", "));
    if pattern.is_ok_and(|pattern| pattern.is_match(&as_java_prints)) {
        return Ok(());
    }
    Err(ConfigError::new(format!(
        "Invalid {list} list format. Please specify a list of rules in the format of \"source:<tablename>:<fieldnames>\", \
         \"topic:<topicname>:<fieldnames>\", \"<matchname>:<fieldnames>\""
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn refusal(properties: &[(&str, &str)]) -> String {
        let properties = properties.iter().copied().collect();
        create(&properties).err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn what_cannot_be_is_refused_as_debezium_does() {
        let utc = ("converted.timezone", "UTC");
        for (properties, message) in [
            (
                vec![],
                "Invalid value null for configuration converted.timezone: The 'converted.timezone' value is invalid",
            ),
            (vec![("converted.timezone", "Mars/Olympus")], "Invalid timezone format."),
            (vec![("converted.timezone", "+8")], "Invalid timezone format."),
            (vec![utc, ("include.list", "")], "Invalid include list format."),
            (vec![utc, ("include.list", "customers")], "Invalid include list format."),
            (vec![utc, ("include.list", "source:a-b")], "Invalid include list format."),
            (vec![utc, ("include.list", "source:a:b,source:c:d")], "Invalid include list format."),
            (vec![utc, ("exclude.list", "a:b,c:d:e")], "Invalid exclude list format."),
            (vec![utc, ("exclude.list", "a(:b")], "Invalid value a(:b for configuration exclude.list"),
            (vec![utc, ("include.list", "a:b"), ("exclude.list", "a:b")], "Both include and exclude lists"),
        ] {
            let said = refusal(&properties);
            assert!(said.starts_with(message), "{properties:?}: {said}");
        }
        for fine in ["source:a", "source:a:b,c", "topic:x.y.z:d, e:f,", "a:b,c:d", ","] {
            assert_eq!(refusal(&[utc, ("include.list", fine)]), "", "{fine}");
        }
        assert_eq!(refusal(&[("converted.timezone", "PST")]), "");
    }

    #[test]
    fn a_prefix_holds_for_the_rules_behind_it() {
        let items =
            ["a:x".to_owned(), "topic:t".to_owned(), "u:y".to_owned(), "source:t:z".to_owned(), "t:w".to_owned()];
        let rules = Rules::new(&items);
        let fields = |table, topic| {
            let mut fields: Vec<&str> = rules.of(Some(table), topic).unwrap().iter().map(String::as_str).collect();
            fields.sort_unstable();
            fields
        };
        assert_eq!(fields("t", "t"), [""; 0]);
        assert_eq!(fields("a", "u"), ["y"]);
        assert_eq!(fields("t", "other"), ["w", "z"]);
        assert_eq!(fields("a", "other"), ["x"]);
        assert!(rules.of(Some("u"), "other").is_none());
        assert!(rules.of(None, "other").is_none());
    }
}
