//! Typed values and the rules by which Kafka reads them from text and writes them back.

use std::fmt;

use super::definition::ConfigType;

/// A parsed configuration value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Boolean(bool),
    /// Any text, without the white space around it.
    String(String),
    /// 32-bit integer.
    Int(i32),
    /// 16-bit integer.
    Short(i16),
    /// 64-bit integer.
    Long(i64),
    /// Double precision number.
    Double(f64),
    /// Texts that commas separate.
    List(Vec<String>),
    /// Name of a Java class, which is not looked up.
    Class(String),
    /// A secret.
    Password(Password),
}

impl Value {
    /// Reads `text` as Kafka's `ConfigDef.parseType` does. The error says what was expected.
    pub(super) fn parse(ty: ConfigType, text: &str) -> Result<Self, String> {
        let text = trim(text);
        let not_a_number = |_| format!("not a number of type {ty}");
        Ok(match ty {
            ConfigType::Boolean if text.eq_ignore_ascii_case("true") => Self::Boolean(true),
            ConfigType::Boolean if text.eq_ignore_ascii_case("false") => Self::Boolean(false),
            ConfigType::Boolean => return Err("expected either true or false".to_owned()),
            ConfigType::String => Self::String(text.to_owned()),
            ConfigType::Int => Self::Int(text.parse().map_err(not_a_number)?),
            ConfigType::Short => Self::Short(text.parse().map_err(not_a_number)?),
            ConfigType::Long => Self::Long(text.parse().map_err(not_a_number)?),
            ConfigType::Double => Self::Double(parse_double(text).ok_or_else(|| format!("not a number of type {ty}"))?),
            ConfigType::List => Self::List(split_list(text)),
            ConfigType::Class => Self::Class(text.to_owned()),
            ConfigType::Password => Self::Password(Password(text.to_owned())),
        })
    }

    /// The value if it is an integer of any width.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Int(value) => Some(value.into()),
            Self::Short(value) => Some(value.into()),
            Self::Long(value) => Some(value),
            _ => None,
        }
    }
}

/// The text Kafka shows for the value. A secret shows as `[hidden]`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::String(value) | Self::Class(value) => f.write_str(value),
            Self::Int(value) => write!(f, "{value}"),
            Self::Short(value) => write!(f, "{value}"),
            Self::Long(value) => write!(f, "{value}"),
            Self::Double(value) => f.write_str(&render_double(*value)),
            Self::List(values) => f.write_str(&values.join(",")),
            Self::Password(_) => f.write_str("[hidden]"),
        }
    }
}

/// A secret, which no `Debug` output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// `text` without what Java's `String.trim` takes off: every character up to the space.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// The elements of a trimmed list: what stands between commas, without the white space there. Only the empty
/// text has no elements, so `a,` has two.
pub(super) fn split_list(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let white_space = |c| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r');
    text.split(',').map(|part| part.trim_matches(white_space).to_owned()).collect()
}

/// Reads decimal numbers as Java does, with its suffixes. Hexadecimal ones, `NaN` and `Infinity` are refused:
/// no config has a use for them.
fn parse_double(text: &str) -> Option<f64> {
    let digits = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !plain {
        return None;
    }
    digits.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Writes a double as Java's `Double.toString` does: plain between 0.001 and 10,000,000, else with an exponent,
/// and always with a digit after the point.
fn render_double(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pairs observed of Apache Kafka 4.3.1: the text a config was set to, the text it was shown as.
    #[test]
    fn shows_doubles_as_java_does() {
        for (given, shown) in [
            ("0.5", "0.5"),
            ("0.50", "0.5"),
            ("1e-5", "1.0E-5"),
            (".3f", "0.3"),
            ("1.7976931348623157E308", "1.7976931348623157E308"),
            ("0", "0.0"),
            ("-0.001", "-0.001"),
            ("10000000", "1.0E7"),
            ("9999999.5d", "9999999.5"),
            ("12345678901", "1.2345678901E10"),
        ] {
            let value = Value::parse(ConfigType::Double, given).expect(given);
            assert_eq!(value.to_string(), shown, "{given}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_number_of_the_type() {
        for (ty, text) in [
            (ConfigType::Int, ""),
            (ConfigType::Int, "abc"),
            (ConfigType::Int, "99999999999"),
            (ConfigType::Int, "1 000"),
            (ConfigType::Short, "32768"),
            (ConfigType::Long, "1.0"),
            (ConfigType::Double, "abc"),
            (ConfigType::Double, "inf"),
            (ConfigType::Double, "1e999"),
            (ConfigType::Boolean, "yes"),
        ] {
            assert!(Value::parse(ty, text).is_err(), "{ty} {text}");
        }
    }

    #[test]
    fn trims_as_java_does() {
        assert_eq!(Value::parse(ConfigType::Int, "\t +0100 \n"), Ok(Value::Int(100)));
        assert_eq!(Value::parse(ConfigType::Boolean, " TRUE"), Ok(Value::Boolean(true)));
        let list = Value::parse(ConfigType::List, " a , b,,c ").expect("any text is a list");
        assert_eq!(list.to_string(), "a,b,,c");
        assert_eq!(Value::parse(ConfigType::List, " "), Ok(Value::List(Vec::new())));
        assert_eq!(split_list("a,").len(), 2);
    }

    #[test]
    fn never_shows_a_password() {
        let value = Value::parse(ConfigType::Password, "hunter2").expect("any text is a password");
        assert_eq!(format!("{value} {value:?}"), "[hidden] Password([hidden])");
    }

    fn any_type() -> impl Strategy<Value = ConfigType> {
        proptest::sample::select(ConfigType::ALL.as_slice())
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_the_same(ty in any_type(), text in "\\PC{0,12}|[-+]?[0-9]{1,12}(\\.[0-9]{1,6})?") {
            prop_assume!(ty != ConfigType::Password);
            if let Ok(value) = Value::parse(ty, &text) {
                prop_assert_eq!(Value::parse(ty, &value.to_string()), Ok(value));
            }
        }

        #[test]
        fn any_double_survives_a_round_trip(value in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
            prop_assert_eq!(Value::parse(ConfigType::Double, &render_double(value)), Ok(Value::Double(value)));
        }
    }
}
