//! The way to a field that may lie deeper (`SingleFieldPath`, `FieldSyntaxVersion`).

use crate::connector_config::{ConfigError, ConfigKey, ConfigType, Importance, Validator};
use crate::data::{DataError, Field, Schema, Struct, Value};

use super::operating::{entry, field_value, not_a_struct};

/// The property that says how paths are written.
pub(super) const SYNTAX_VERSION: &str = "field.syntax.version";

/// That property.
pub(super) fn syntax_version() -> ConfigKey {
    let doc = "How paths to fields are written: V1 names a field of the outermost struct, V2 steps into structs at dots; a \
               name that has dots itself stands between backticks.";
    ConfigKey::new(SYNTAX_VERSION, ConfigType::String, Importance::High, doc)
        .or("V1")
        .valid(Validator::InIgnoringCase(&["V1", "V2"]))
}

/// The names of a struct's field, of that one's, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldPath {
    steps: Vec<String>,
}

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    /// A backtick without its fellow.
    pub(super) fn new(path: &str, version: &str) -> Result<Self, ConfigError> {
        let steps = if version.eq_ignore_ascii_case("V2") { steps(path)? } else { vec![path.to_owned()] };
        Ok(Self { steps })
    }

    /// The field to which it leads.
    pub(super) fn field<'s>(&self, schema: &'s Schema) -> Option<&'s Field> {
        let (last, before) = self.steps.split_last()?;
        let parent = before
            .iter()
            .try_fold(schema, |schema, step| schema.index_of(step).map(|at| schema.fields()[at].schema.as_ref()))?;
        parent.index_of(last).map(|at| &parent.fields()[at])
    }

    /// The value to which it leads; null if something on the way is.
    ///
    /// # Errors
    /// That something on the way is no struct.
    pub(super) fn value_of_struct(&self, value: &Struct, with_default: bool) -> Result<Value, DataError> {
        let Some((last, before)) = self.steps.split_last() else {
            return Ok(Value::Null);
        };
        let mut current = value;
        for step in before {
            match current.get_or_default(step) {
                None | Some(Value::Null) => return Ok(Value::Null),
                Some(Value::Struct(inner)) => current = inner,
                Some(other) => return Err(not_a_struct(other, "nested field access")),
            }
        }
        Ok(field_value(current, last, with_default).cloned().unwrap_or_default())
    }

    /// The value to which it leads in data without a schema.
    pub(super) fn value_of_map(&self, entries: &[(Value, Value)]) -> Value {
        let Some((last, before)) = self.steps.split_last() else {
            return Value::Null;
        };
        let mut current = entries;
        for step in before {
            match entry(current, step) {
                Some(Value::Map(inner)) => current = inner,
                _ => return Value::Null,
            }
        }
        entry(current, last).cloned().unwrap_or_default()
    }
}

/// Takes a path of version 2 apart.
fn steps(path: &str) -> Result<Vec<String>, ConfigError> {
    let mut steps = Vec::new();
    let mut rest = Some(path);
    while let Some(text) = rest.take() {
        let Some(quoted) = text.strip_prefix('`') else {
            let (step, after) = text.split_once('.').map_or((text, None), |(step, after)| (step, Some(after)));
            steps.push(step.to_owned());
            rest = after;
            continue;
        };
        let (step, after) = quoted_step(quoted).ok_or_else(|| {
            let at = path.len() - text.len();
            ConfigError::new(format!(
                "Incomplete backtick pair in path: [{path}], consider adding a backslash before backtick at position {at} \
                 to escape it"
            ))
        })?;
        steps.push(step);
        rest = after;
    }
    Ok(steps)
}

/// A step up to the backtick before a dot or the end, and what follows the dot.
fn quoted_step(text: &str) -> Option<(String, Option<&str>)> {
    let mut step = String::new();
    for (at, character) in text.char_indices() {
        let after = &text[at + character.len_utf8()..];
        if character != '`' || !(after.is_empty() || after.starts_with('.')) {
            step.push(character);
            continue;
        }
        if step.ends_with('\\') {
            if after.is_empty() {
                return None;
            }
            step.pop();
            step.push('`');
            continue;
        }
        return Some((step, after.strip_prefix('.')));
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn paths_are_taken_apart_as_connect_does() {
        let of = |path| FieldPath::new(path, "v2").unwrap().steps;
        assert_eq!(of("a.b.c"), ["a", "b", "c"]);
        assert_eq!(of("`a.b`.c"), ["a.b", "c"]);
        assert_eq!(of("a.`b`c`.d"), ["a", "b`c", "d"]);
        assert_eq!(of("`a\\`.b`.c"), ["a`.b", "c"]);
        assert_eq!(of("a."), ["a", ""]);
        assert_eq!(FieldPath::new("a.b", "V1").unwrap().steps, ["a.b"]);
        assert!(FieldPath::new("`a", "V2").is_err());
    }
}
