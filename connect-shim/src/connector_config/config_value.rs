//! What a property's text means (`ConfigDef.Type` and `ConfigDef.parseType`).

use std::fmt;

use super::ConfigError;

/// What a property holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigType {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// A floating-point number.
    Double,
    /// Texts between commas.
    List,
    /// The name of a Java class.
    Class,
    /// Text that is never shown.
    Password,
}

impl ConfigType {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }

    /// Reads a property's text.
    ///
    /// # Errors
    /// Kafka's message for a text that is no value of this type.
    pub fn parse(self, name: &str, text: &str) -> Result<ConfigValue, ConfigError> {
        let trimmed = text.trim();
        let not_a_number = |_| ConfigError::value(name, text, &format!("Not a number of type {}", self.name()));
        Ok(match self {
            Self::Boolean if trimmed.eq_ignore_ascii_case("true") => ConfigValue::Boolean(true),
            Self::Boolean if trimmed.eq_ignore_ascii_case("false") => ConfigValue::Boolean(false),
            Self::Boolean => {
                return Err(ConfigError::value(name, text, "Expected value to be either true or false"));
            }
            Self::String => ConfigValue::String(trimmed.to_owned()),
            Self::Int => ConfigValue::Number(trimmed.parse::<i32>().map_err(not_a_number)?.into()),
            Self::Short => ConfigValue::Number(trimmed.parse::<i16>().map_err(not_a_number)?.into()),
            Self::Long => ConfigValue::Number(trimmed.parse::<i64>().map_err(not_a_number)?),
            Self::Double => match trimmed.parse::<f64>() {
                Ok(number) => ConfigValue::Double(number),
                Err(_) => return Err(ConfigError::value(name, text, "Not a number of type DOUBLE")),
            },
            Self::List if trimmed.is_empty() => ConfigValue::List(Vec::new()),
            Self::List => ConfigValue::List(trimmed.split(',').map(|item| item.trim().to_owned()).collect()),
            Self::Class => ConfigValue::Class(trimmed.to_owned()),
            Self::Password => ConfigValue::Password(trimmed.to_owned()),
        })
    }
}

/// What a property is set to.
#[derive(Clone, PartialEq)]
pub enum ConfigValue {
    /// Nothing, and it has no default.
    Null,
    /// True or false.
    Boolean(bool),
    /// A number of any width.
    Number(i64),
    /// A floating-point number.
    Double(f64),
    /// Text.
    String(String),
    /// Texts.
    List(Vec<String>),
    /// The name of a Java class.
    Class(String),
    /// A secret.
    Password(String),
}

impl ConfigValue {
    /// As answers show it; `None` is null. A secret is hidden.
    pub fn shown(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Boolean(value) => Some(value.to_string()),
            Self::Number(value) => Some(value.to_string()),
            Self::Double(value) => Some(value.to_string()),
            Self::String(text) | Self::Class(text) => Some(text.clone()),
            Self::List(items) => Some(items.join(",")),
            Self::Password(_) => Some("[hidden]".to_owned()),
        }
    }

    /// As messages quote it.
    pub fn quoted(&self) -> String {
        match self {
            Self::List(items) => format!("[{}]", items.join(", ")),
            other => other.shown().unwrap_or_else(|| "null".to_owned()),
        }
    }
}

/// A secret is hidden.
impl fmt::Debug for ConfigValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.quoted())
    }
}
