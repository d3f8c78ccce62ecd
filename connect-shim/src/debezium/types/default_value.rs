//! A column's default from its expression, where that is a constant.

use std::sync::LazyLock;

use regex::Regex;

use super::converter::fits;
use super::{Converter, Origin};
use crate::data::{Schema, Value};
use crate::debezium::relational::Column;
use crate::postgres::TypeRegistry;

/// A call of a function, perhaps within a bracket.
static FUNCTION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[(]?[A-Za-z0-9_.]+\((?:.+(?:, ?.+)*)?\)").expect("the pattern is a constant"));

/// The default of a column; `None` if it has none, or one that only the server can work out. What a function makes is
/// shown as the zero of its type.
pub(crate) fn parse_default(
    column: &Column,
    types: &TypeRegistry,
    converter: &Converter,
    schema: &Schema,
) -> Option<Value> {
    let expression = column.default.as_deref()?;
    let text = constant(column, expression, types)?;
    if column.type_name.as_ref() == "numeric" && ["NaN", "Infinity", "-Infinity"].contains(&text.as_str()) {
        return None;
    }
    let value = match converter {
        Converter::Boolean => Value::Boolean(text.eq_ignore_ascii_case("true")),
        _ => converter.convert(&text, Origin::Stream)?,
    };
    let value = match text.as_str() {
        "infinity" | "-infinity" => infinite(&column.type_name, text == "infinity", value, schema)?,
        _ => value,
    };
    // A struct cannot be a default.
    (!matches!(value, Value::Struct(_) | Value::Null) && fits(&value, schema)).then_some(value)
}

/// What the first or last moment that Java's calendar has comes to: Debezium takes it for an infinite default, where it takes
/// another for an infinite value. It does not fit into days or microseconds, and so is some other; `None` where that fails.
fn infinite(type_name: &str, positive: bool, value: Value, schema: &Schema) -> Option<Value> {
    match (type_name, value) {
        ("date", Value::Int32(_)) => Some(Value::Int32(if positive { 169_560_311 } else { -170_999_002 })),
        ("date", Value::String(_)) => Some(if positive { "+999999999-12-31Z" } else { "-999999999-01-01Z" }.into()),
        ("timestamp", Value::String(_)) => {
            Some(if positive { "+999999999-12-31T23:59:59.999999999Z" } else { "-999999999-01-01T00:00:00Z" }.into())
        }
        ("timestamp", Value::Int64(_))
            if positive && schema.name.as_deref() == Some("io.debezium.time.MicroTimestamp") =>
        {
            Some(Value::Int64(-9_223_372_036_853_775_810))
        }
        ("date" | "timestamp" | "timestamptz", _) => None,
        (_, value) => Some(value),
    }
}

fn constant(column: &Column, expression: &str, types: &TypeRegistry) -> Option<String> {
    let generated = match &*column.type_name {
        "bit" => "00",
        "varbit" | "int2" | "int4" | "int8" | "serial" | "bigserial" | "smallserial" => "0",
        "bool" => "false",
        "bpchar" | "varchar" | "text" | "xml" => "",
        "numeric" | "float4" | "float8" => "0.0",
        "json" | "jsonb" => "{}",
        "uuid" => "00000000-0000-0000-0000-000000000000",
        "date" => "1970-01-01",
        "time" => "00:00",
        "timestamp" => "1970-01-01 00:00:00",
        "timestamptz" => "1970-01-01 00:00:00+00",
        "interval" => "00:00:00",
        name => {
            let values = types.get(column.type_oid)?.enum_values.as_ref()?;
            let (quoted, cast) = expression.rsplit_once("::")?;
            let cast = cast.rsplit('.').next()?.trim_matches('"');
            let label = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
            let known = values.contains(&label.replace("''", "'"));
            // Debezium leaves quotes doubled.
            return (cast == name && known).then(|| label.to_owned());
        }
    };
    let expression = expression.trim();
    let clock = ["current_timestamp", "current_time", "current_date", "localtime", "localtimestamp"];
    if FUNCTION.is_match(expression) || clock.iter().any(|name| expression.eq_ignore_ascii_case(name)) {
        return Some(generated.to_owned());
    }
    if expression.starts_with("NULL::") {
        return None;
    }
    match expression.split_once('\'') {
        None => Some(expression.to_owned()),
        Some((_, rest)) => first_literal(rest),
    }
}

/// What stands up to the quote that ends it; two quotes are one.
fn first_literal(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(character) = chars.next() {
        match character {
            '\'' if chars.peek() == Some(&'\'') => {
                chars.next();
                out.push('\'');
            }
            '\'' => return Some(out),
            other => out.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::SchemaType;
    use crate::debezium::relational::oid;

    fn default_of(type_name: &str, type_oid: u32, expression: &str) -> Option<Value> {
        let column = Column {
            name: "c".into(),
            type_oid,
            type_name: type_name.into(),
            length: 0,
            scale: 0,
            optional: true,
            default: Some(expression.to_owned()),
        };
        let (converter, kind) = match type_oid {
            oid::BOOL => (Converter::Boolean, SchemaType::Boolean),
            oid::INT4 => (Converter::Int32, SchemaType::Int32),
            _ => (Converter::Text, SchemaType::String),
        };
        parse_default(&column, &TypeRegistry::default(), &converter, &Schema::of(kind))
    }

    #[test]
    fn constants_are_read_and_functions_are_zero() {
        assert_eq!(default_of("int4", oid::INT4, "7"), Some(Value::Int32(7)));
        assert_eq!(default_of("int4", oid::INT4, "'-1'::integer"), Some(Value::Int32(-1)));
        assert_eq!(default_of("serial", oid::INT4, "nextval('s'::regclass)"), Some(Value::Int32(0)));
        assert_eq!(default_of("int4", oid::INT4, "(1 + 2)"), None);
        assert_eq!(default_of("bool", oid::BOOL, "true"), Some(Value::Boolean(true)));
        assert_eq!(default_of("text", oid::TEXT, "'it''s'::text"), Some("it's".into()));
        assert_eq!(default_of("text", oid::TEXT, "NULL::text"), None);
        assert_eq!(default_of("bytea", oid::BYTEA, "'\\x00'::bytea"), None);
    }
}
