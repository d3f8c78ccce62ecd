//! Properties with what is read from them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Choice, ConfigError};
use crate::debezium::filters::Selection;

/// The properties with what is read from them.
pub(super) struct Properties<'a>(pub(super) &'a BTreeMap<String, String>);

impl Properties<'_> {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<String, ConfigError> {
        self.text(name).map(str::to_owned).ok_or_else(|| error(name, "A value is required"))
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, ConfigError> {
        match self.text(name) {
            None => Ok(default),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(error(name, "Expected value to be either true or false")),
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T, ConfigError> {
        match self.text(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| error(name, "Not a number of its configuration")),
        }
    }

    pub(super) fn millis(&self, name: &str, default: u64) -> Result<Duration, ConfigError> {
        self.number(name, default).map(Duration::from_millis)
    }

    /// Zero is never.
    pub(super) fn interval(&self, name: &str) -> Result<Option<Duration>, ConfigError> {
        let interval = self.millis(name, 0)?;
        Ok((!interval.is_zero()).then_some(interval))
    }

    pub(super) fn one_of<T: Choice>(&self, name: &str) -> Result<T, ConfigError> {
        let Some(text) = self.text(name) else { return Ok(T::DEFAULT) };
        T::parse(text).ok_or_else(|| error(name, &format!("Value must be one of {}", T::names().join(", "))))
    }

    pub(super) fn selection(&self, include: &str, exclude: &str) -> Result<Selection, ConfigError> {
        Selection::parse(self.text(include), self.text(exclude)).map_err(|bad| error(include, &bad.to_string()))
    }

    /// Properties whose names begin and end like this, with what stands between.
    pub(super) fn matching<'b>(
        &'b self,
        before: &'b str,
        after: &'b str,
    ) -> impl Iterator<Item = (&'b str, &'b str, &'b str)> {
        self.0.iter().filter_map(move |(name, value)| {
            let middle = name.strip_prefix(before)?.strip_suffix(after)?;
            Some((name.as_str(), middle, value.as_str()))
        })
    }
}

/// What is wrong with a property.
pub(super) fn error(property: &str, message: &str) -> ConfigError {
    ConfigError { property: property.to_owned(), message: message.to_owned() }
}
