//! What a property's value must be beyond its type (`ConfigDef.Validator` and those that Kafka brings).

use super::{ConfigError, ConfigValue};

/// A check of one value. It is given the property's name, for its message.
pub type Check = fn(&str, &ConfigValue) -> Result<(), ConfigError>;

/// What a value must be.
#[derive(Debug, Clone)]
pub enum Validator {
    /// Anything of its type.
    Any,
    /// Not null.
    NonNull,
    /// Not an empty text; null is fine.
    NonEmptyString,
    /// A name without control characters; null is fine.
    NonEmptyStringWithoutControlChars,
    /// One of these.
    In(&'static [&'static str]),
    /// One of these, in any case.
    InIgnoringCase(&'static [&'static str]),
    /// At least this.
    AtLeast(i64),
    /// Null, or at least this.
    NullOrAtLeast(i64),
    /// Items that differ and are not empty; whether there may be none.
    DistinctItems {
        /// Whether there may be none.
        empty_allowed: bool,
    },
    /// At least one item.
    NonEmptyList,
    /// Aliases, none of them twice.
    Aliases,
    /// A regular expression.
    Regex,
    /// Regular expressions.
    Regexes,
    /// What a function says.
    Custom(Check),
    /// Each of these, in order.
    All(Vec<Validator>),
}

impl Validator {
    /// Whether a value is as it must be.
    ///
    /// # Errors
    /// Kafka's message for what is wrong with it.
    pub fn ensure_valid(&self, name: &str, value: &ConfigValue) -> Result<(), ConfigError> {
        let refused = |why: &str| Err(ConfigError::value(name, &value.quoted(), why));
        let null = matches!(value, ConfigValue::Null);
        match self {
            Self::Any => Ok(()),
            Self::NonNull if null => refused("entry must be non null"),
            Self::NonEmptyString if matches!(value, ConfigValue::String(text) if text.is_empty()) => {
                refused("String must be non-empty")
            }
            Self::NonEmptyStringWithoutControlChars => match value {
                ConfigValue::String(text) => without_control_chars(name, text),
                _ => Ok(()),
            },
            Self::In(allowed) => match value {
                ConfigValue::String(text) if allowed.contains(&text.as_str()) => Ok(()),
                _ => refused(&format!("String must be one of: {}", allowed.join(", "))),
            },
            Self::InIgnoringCase(allowed) => match value {
                ConfigValue::String(text) if allowed.iter().any(|one| one.eq_ignore_ascii_case(text)) => Ok(()),
                _ => {
                    let upper: Vec<String> = allowed.iter().map(|one| one.to_ascii_uppercase()).collect();
                    refused(&format!("String must be one of (case insensitive): {}", upper.join(", ")))
                }
            },
            Self::AtLeast(_) if null => refused("Value must be non-null"),
            Self::AtLeast(least) | Self::NullOrAtLeast(least) => match value {
                ConfigValue::Number(number) if number < least => refused(&format!("Value must be at least {least}")),
                _ => Ok(()),
            },
            Self::DistinctItems { empty_allowed } => distinct_items(name, value, *empty_allowed),
            Self::NonEmptyList => match value {
                ConfigValue::List(items) if !items.is_empty() => Ok(()),
                _ => refused("Empty list"),
            },
            Self::Aliases => match value {
                ConfigValue::List(items) if has_duplicates(items) => refused("Duplicate alias provided."),
                ConfigValue::Null => refused("entry must be non null"),
                _ => Ok(()),
            },
            Self::Regex => match value {
                ConfigValue::String(text) => match crate::java::regex::compile(text) {
                    Ok(_) => Ok(()),
                    Err(error) => refused(&format!("Invalid regex: {error}")),
                },
                // So Java puts it.
                _ => refused("Invalid regex: Cannot invoke \"String.isEmpty()\" because \"this.pattern\" is null"),
            },
            Self::Regexes => match value {
                ConfigValue::List(items) => {
                    let wrong = items.iter().find_map(|item| crate::java::regex::compile(item).err());
                    wrong.map_or(Ok(()), |error| refused(&format!("Syntax error in regular expression: {error}")))
                }
                _ => Ok(()),
            },
            Self::Custom(check) => check(name, value),
            Self::All(validators) => validators.iter().try_for_each(|one| one.ensure_valid(name, value)),
            Self::NonNull | Self::NonEmptyString => Ok(()),
        }
    }
}

fn without_control_chars(name: &str, text: &str) -> Result<(), ConfigError> {
    if text.is_empty() {
        return Err(ConfigError::value(name, text, "String may not be empty"));
    }
    let found: Vec<String> = text.chars().filter(|c| c.is_control()).map(|c| u32::from(c).to_string()).collect();
    if found.is_empty() {
        return Ok(());
    }
    let why = "String may not contain control sequences but had the following ASCII chars";
    Err(ConfigError::value(name, text, &format!("{why}: {}", found.join(", "))))
}

fn distinct_items(name: &str, value: &ConfigValue, empty_allowed: bool) -> Result<(), ConfigError> {
    let refused = |why: &str| Err(ConfigError::new(format!("Configuration '{name}' {why}")));
    let ConfigValue::List(items) = value else {
        return refused("values must not be null.");
    };
    if !empty_allowed && items.is_empty() {
        return refused("must not be empty. Valid values include: any non-empty value");
    }
    if has_duplicates(items) {
        return refused("values must not be duplicated.");
    }
    if items.iter().any(String::is_empty) { refused("values must not be empty.") } else { Ok(()) }
}

fn has_duplicates(items: &[String]) -> bool {
    items.iter().enumerate().any(|(at, item)| items[..at].contains(item))
}
