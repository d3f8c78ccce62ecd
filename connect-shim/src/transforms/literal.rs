//! A literal's type and value, as Connect reads them out of a text (`Values.parseString`).

use std::sync::Arc;

use crate::data::{Schema, SchemaType, Value, logical};
use crate::java::date_format::DateFormat;
use crate::java::decimal;

/// How deep lists and maps may stand within each other.
const MAX_DEPTH: u32 = 64;

/// A value with its schema; without one it is null.
type Literal = (Option<Schema>, Value);

/// That a list or a map is none, so that its text is only a text.
struct NotACollection;

/// What a text means: null, a truth, a list, a map, a time, the smallest number that holds it, otherwise a text.
pub(super) fn parse_literal(text: &str) -> Literal {
    if text.is_empty() {
        return (Some(Schema::of(SchemaType::String)), text.into());
    }
    let mut parser = Parser { text, at: 0, peeked: None };
    parser.value(false, 0).unwrap_or_else(|NotACollection| (Some(Schema::of(SchemaType::String)), text.into()))
}

/// A text in tokens: each of `:,{}[]"` that no backslash precedes is one, and so is what stands between them.
struct Parser<'t> {
    text: &'t str,
    at: usize,
    peeked: Option<&'t str>,
}

impl<'t> Parser<'t> {
    fn has_next(&self) -> bool {
        self.peeked.is_some() || self.at < self.text.len()
    }

    fn mark(&self) -> usize {
        self.at - self.peeked.map_or(0, str::len)
    }

    fn rewind(&mut self, to: usize) {
        (self.at, self.peeked) = (to, None);
    }

    fn take(&mut self) -> &'t str {
        match self.peeked.take() {
            Some(token) => token,
            None => self.read(),
        }
    }

    fn read(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        let mut escaped = false;
        let mut end = rest.len();
        for (at, character) in rest.char_indices() {
            match character {
                '\\' => escaped = !escaped,
                ':' | ',' | '{' | '}' | '[' | ']' | '"' if !escaped => {
                    end = at.max(1);
                    break;
                }
                _ => escaped = false,
            }
        }
        self.at += end;
        &rest[..end]
    }

    fn consume(&mut self, expected: &str) -> bool {
        let mut token = match self.peeked {
            Some(token) => token,
            None if self.has_next() => self.read(),
            None => return false,
        };
        while token.trim().is_empty() && self.at < self.text.len() {
            token = self.read();
        }
        let found = token.trim() == expected;
        self.peeked = (!found).then_some(token);
        found
    }

    /// A word that means something as long as nothing follows it, or something else of a list.
    fn consume_word(&mut self, embedded: bool, word: &str) -> bool {
        let start = self.mark();
        if self.consume(word) && (embedded || !self.has_next()) {
            return true;
        }
        self.rewind(start);
        false
    }

    fn value(&mut self, embedded: bool, depth: u32) -> Result<Literal, NotACollection> {
        if !self.has_next() || depth > MAX_DEPTH {
            return Ok((None, Value::Null));
        }
        if embedded && self.consume("\"") {
            return Ok(self.quoted());
        }
        if self.consume_word(embedded, "null") {
            return Ok((None, Value::Null));
        }
        for (word, value) in [("true", true), ("false", false)] {
            if self.consume_word(embedded, word) {
                return Ok((Some(Schema::of(SchemaType::Boolean)), Value::Boolean(value)));
            }
        }
        let start = self.mark();
        let collection = if self.consume("[") {
            Some(self.list(depth))
        } else if self.consume("{") {
            Some(self.map(depth))
        } else {
            None
        };
        match collection {
            Some(Ok(found)) => return Ok(found),
            Some(Err(NotACollection)) => self.rewind(start),
            None => {}
        }
        let token = self.take();
        match token.trim() {
            "" => Ok((Some(Schema::of(SchemaType::String)), token.into())),
            token => self.scalar(embedded, token),
        }
    }

    fn scalar(&mut self, embedded: bool, token: &str) -> Result<Literal, NotACollection> {
        let digit = token.starts_with(char::is_numeric);
        if digit && let Some(found) = self.time(token) {
            return Ok(found);
        }
        if (digit || token.starts_with(['+', '-']))
            && let Some(found) = number(token)
        {
            return Ok(found);
        }
        if embedded {
            return Err(NotACollection);
        }
        Ok((Some(Schema::of(SchemaType::String)), self.text.into()))
    }

    /// A time, whose colons take tokens of their own.
    fn time(&mut self, token: &str) -> Option<Literal> {
        let start = self.mark();
        let mut joined = token.to_owned();
        for _ in 0..4 {
            if self.has_next() {
                joined.push_str(self.take());
            } else {
                joined.clear();
                break;
            }
        }
        temporal(&joined).or_else(|| {
            self.rewind(start);
            temporal(token)
        })
    }

    fn quoted(&mut self) -> Literal {
        let mut content = String::new();
        while self.has_next() && !self.consume("\"") {
            content.push_str(self.take());
        }
        temporal(&content).unwrap_or_else(|| (Some(Schema::of(SchemaType::String)), content.as_str().into()))
    }

    fn list(&mut self, depth: u32) -> Result<Literal, NotACollection> {
        let mut items = Vec::new();
        let mut of = Merged::default();
        while self.has_next() {
            if self.consume("]") {
                let items = of.align(items)?;
                return Ok((Some(Schema::of(SchemaType::Array(Arc::new(of.schema())))), Value::Array(items)));
            }
            if self.consume(",") {
                return Err(NotACollection);
            }
            let (schema, value) = self.value(true, depth + 1)?;
            of.merge(schema);
            items.push(value);
            let before = self.mark();
            if self.consume("]") {
                self.rewind(before);
            } else if !self.consume(",") {
                return Err(NotACollection);
            }
        }
        Err(NotACollection)
    }

    fn map(&mut self, depth: u32) -> Result<Literal, NotACollection> {
        let (mut keys, mut values): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
        let (mut of_keys, mut of_values) = (Merged::default(), Merged::default());
        while self.has_next() {
            if self.consume("}") {
                let entries = of_keys.align(keys)?.into_iter().zip(of_values.align(values)?).collect();
                let kind = SchemaType::Map(Arc::new(of_keys.schema()), Arc::new(of_values.schema()));
                return Ok((Some(Schema::of(kind)), Value::Map(entries)));
            }
            if self.consume(",") {
                return Err(NotACollection);
            }
            let (key_schema, key) = self.value(true, depth + 1)?;
            if key.is_null() || !self.consume(":") {
                return Err(NotACollection);
            }
            let (value_schema, value) = self.value(true, depth + 1)?;
            self.consume(",");
            of_keys.merge(key_schema);
            of_values.merge(value_schema);
            match keys.iter().position(|known| *known == key) {
                Some(at) => values[at] = value,
                None => {
                    keys.push(key);
                    values.push(value);
                }
            }
        }
        Err(NotACollection)
    }
}

/// What all of a list's items are (`SchemaMerger`).
#[derive(Default)]
struct Merged {
    common: Option<Schema>,
    incompatible: bool,
}

impl Merged {
    fn merge(&mut self, latest: Option<Schema>) {
        let Some(latest) = latest.filter(|_| !self.incompatible) else { return };
        self.common = match self.common.take() {
            None => Some(latest),
            Some(common) => wider(common, latest),
        };
        self.incompatible = self.common.is_none();
    }

    /// The items' schema; of items that have none in common one that takes nulls.
    fn schema(&self) -> Schema {
        self.common.clone().unwrap_or_else(|| Schema::of(SchemaType::String).optional())
    }

    /// The items as values of the common schema, which takes no nulls.
    fn align(&self, items: Vec<Value>) -> Result<Vec<Value>, NotACollection> {
        let Some(common) = &self.common else { return Ok(items) };
        let align = |item: Value| match (&common.kind, item) {
            (_, Value::Null) => Err(NotACollection),
            (SchemaType::Float32, item) => Ok(float(&item).map_or(item, |number| Value::Float32(number as f32))),
            (SchemaType::Float64, item) => Ok(float(&item).map_or(item, Value::Float64)),
            (kind, item) => Ok(match (kind, integer(&item)) {
                (SchemaType::Int8, Some(number)) => Value::Int8(number as i8),
                (SchemaType::Int16, Some(number)) => Value::Int16(number as i16),
                (SchemaType::Int32, Some(number)) => Value::Int32(number as i32),
                (SchemaType::Int64, Some(number)) => Value::Int64(number),
                _ => item,
            }),
        };
        items.into_iter().map(align).collect()
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Int8(number) => Some((*number).into()),
        Value::Int16(number) => Some((*number).into()),
        Value::Int32(number) => Some((*number).into()),
        Value::Int64(number) => Some(*number),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float32(number) => Some((*number).into()),
        Value::Float64(number) => Some(*number),
        other => integer(other).map(|number| number as f64),
    }
}

/// The schema that holds values of both; numbers widen, all else has to be of one kind.
fn wider(previous: Schema, latest: Schema) -> Option<Schema> {
    let width = |schema: &Schema| match schema.kind {
        SchemaType::Int8 => Some(0),
        SchemaType::Int16 => Some(1),
        SchemaType::Int32 => Some(2),
        SchemaType::Int64 => Some(3),
        SchemaType::Float32 => Some(4),
        SchemaType::Float64 => Some(5),
        _ => None,
    };
    if std::mem::discriminant(&previous.kind) == std::mem::discriminant(&latest.kind) {
        return Some(latest);
    }
    let (one, other) = (width(&previous)?, width(&latest)?);
    Some(if one > other { previous } else { latest })
}

/// A date, a time or both, told by the text's length.
fn temporal(text: &str) -> Option<Literal> {
    let text = text.replace("\\:", ":");
    let (pattern, name) = match text.chars().count() {
        10 => ("yyyy-MM-dd", logical::DATE),
        13 => ("HH:mm:ss.SSS'Z'", logical::TIME),
        24 => ("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", logical::TIMESTAMP),
        _ => return None,
    };
    let millis = DateFormat::new(pattern).ok()?.parse(&text)?;
    let (kind, value) = match name {
        logical::DATE => (SchemaType::Int32, Value::Int32(i32::try_from(millis.div_euclid(86_400_000)).ok()?)),
        logical::TIME => (SchemaType::Int32, Value::Int32(i32::try_from(millis).ok()?)),
        _ => (SchemaType::Int64, Value::Int64(millis)),
    };
    Some((Some(Schema::of(kind).named(name).versioned(1)), value))
}

/// The smallest number that holds a decimal text.
fn number(text: &str) -> Option<Literal> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix('+').unwrap_or(exponent).parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let double: f64 = text.parse().ok()?;
    let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    if let Some(found) = exact_integer(whole, fraction, scale, text.starts_with('-')) {
        return Some(found);
    }
    let of = |kind, value| Some((Some(Schema::of(kind)), value));
    let float: f32 = text.parse().ok()?;
    if float.is_finite() && scale != 0 {
        return of(SchemaType::Float32, Value::Float32(float));
    }
    if double.is_finite() && scale != 0 {
        return of(SchemaType::Float64, Value::Float64(double));
    }
    let unscaled = decimal::unscaled(text, 0)?;
    let schema = Schema::of(SchemaType::Bytes).named(logical::DECIMAL).versioned(1).parameter("scale", "0");
    Some((Some(schema), Value::Bytes(unscaled.into())))
}

/// A whole number of up to 64 bits, whatever it is written as.
fn exact_integer(whole: &str, fraction: &str, scale: i32, negative: bool) -> Option<Literal> {
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let number: i128 = if digits.is_empty() {
        0
    } else if scale > 0 {
        let (kept, cut) = digits.split_at(digits.len().checked_sub(usize::try_from(scale).ok()?)?);
        (!kept.is_empty() && cut.bytes().all(|digit| digit == b'0')).then_some(())?;
        kept.parse().ok()?
    } else if scale >= -20 {
        digits.parse::<i128>().ok()?.checked_mul(10i128.pow(scale.unsigned_abs()))?
    } else {
        return None;
    };
    let number = i64::try_from(if negative { -number } else { number }).ok()?;
    let (kind, value) = if let Ok(number) = i8::try_from(number) {
        (SchemaType::Int8, Value::Int8(number))
    } else if let Ok(number) = i16::try_from(number) {
        (SchemaType::Int16, Value::Int16(number))
    } else if let Ok(number) = i32::try_from(number) {
        (SchemaType::Int32, Value::Int32(number))
    } else {
        (SchemaType::Int64, Value::Int64(number))
    };
    Some((Some(Schema::of(kind)), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::converters::text_of;

    /// What a header of this literal is in bytes.
    fn written(text: &str) -> String {
        let (schema, value) = parse_literal(text);
        text_of(schema.as_ref(), &value)
    }

    #[test]
    fn a_literal_is_what_it_looks_like() {
        assert_eq!(parse_literal("pg").1, "pg".into());
        assert_eq!(parse_literal("1").1, Value::Int8(1));
        assert_eq!(parse_literal("-300").1, Value::Int16(-300));
        assert_eq!(parse_literal("1e3").1, Value::Int16(1000));
        assert_eq!(parse_literal("1.5").1, Value::Float32(1.5));
        assert_eq!(parse_literal("1.0").1, Value::Int8(1));
        assert_eq!(parse_literal("1e300").1, Value::Float64(1e300));
        assert_eq!(parse_literal("true").1, Value::Boolean(true));
        assert_eq!(parse_literal("TRUE").1, "TRUE".into());
        assert_eq!(parse_literal("1-2").1, "1-2".into());
        assert_eq!(parse_literal("null").1, Value::Null);
        assert_eq!(parse_literal("\"quoted\"").1, "\"quoted\"".into());
    }

    #[test]
    fn lists_and_maps_have_items_of_one_kind_if_they_can() {
        assert_eq!(parse_literal(r#"["a", "b"]"#).1, Value::Array(vec!["a".into(), "b".into()]));
        assert_eq!(parse_literal("[1,2.5]").1, Value::Array(vec![Value::Float32(1.0), Value::Float32(2.5)]));
        assert_eq!(written("[1,2.5,null]"), "[1,2.5,null]");
        assert_eq!(parse_literal("[1,null]").1, "[1,null]".into());
        assert_eq!(written(r#"{"a":1,"b":[1,2]}"#), r#"{"a":1,"b":[1,2]}"#);
        assert_eq!(parse_literal("[a]").1, "[a]".into());
        assert_eq!(parse_literal("{a:1").1, "{a:1".into());
    }

    #[test]
    fn times_are_told_by_their_form() {
        assert_eq!(written("2024-01-01"), "2024-01-01");
        assert_eq!(parse_literal("2024-01-01").1, Value::Int32(19_723));
        assert_eq!(written("2024-01-01T10:00:00.500Z"), "2024-01-01T10:00:00.500Z");
        assert_eq!(parse_literal("10:00:00.000Z").1, Value::Int32(36_000_000));
    }

    proptest::proptest! {
        #[test]
        fn any_text_means_something(text in "[\\[\\]{}:,\"\\\\ a1.eTZ+-]{0,24}") {
            let _ = parse_literal(&text);
        }
    }
}
